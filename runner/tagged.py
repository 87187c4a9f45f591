"""Tagged text: `<action tool="send_email"><to>...</to></action>`, read and written.

No XML parser reads this: models write `Q&A` and `a < b` unescaped, and XML would call that
broken. Only `&amp; &lt; &gt; &quot; &apos;` and decimal references are decoded, in one pass.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

from mitigations.model import Action

_THOUGHT: Final = re.compile(
    r"<(/?)(think|thinking|thought|thoughts|reasoning|reflection|scratchpad|scratchpad_reasoning"
    r"|secret_scratchpad_reasoning)\s*>",
    re.IGNORECASE,
)
_OPEN: Final = re.compile(r"<action(?=[\s/>]|\Z)", re.IGNORECASE)
_CLOSE: Final = re.compile(r"</action\s*>", re.IGNORECASE)
_HEAD: Final = re.compile(
    r"""<action\s+tool\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')\s*>""", re.IGNORECASE
)
_FIELD: Final = re.compile(r"\s*<([A-Za-z_][\w-]*)\s*>")
_ENTITY: Final = re.compile(r"&(amp|lt|gt|quot|apos|#[0-9]{1,7});")
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class TagError(Exception):
    """Tagged text that cannot be read; `protocols.actions` turns it into `Unreadable`."""


def write_tag(act: Action) -> str:
    """One action block; values are escaped so that no text can close or open a tag."""
    fields = "".join(f"<{name}>{_escape(text)}</{name}>" for name, text in act.arguments.items())
    return f'<action tool="{_escape(act.tool)}">{fields}</action>'


def read_tags(text: str) -> list[tuple[str, dict[str, str]]]:
    """Tool and arguments of every action block outside thoughts, in order.

    Raises:
        TagError: a block is broken, or a thought is left open or closed behind an action.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for kind, part in segments(text):
        if kind == "action":
            found.append(_read_block(part))
        elif kind == "broken":
            raise TagError(part)
        elif kind == "close" and found:
            raise TagError("a thought is closed behind an action: unclear what was sent")
        elif kind == "prose" and _CLOSE.search(part):
            raise TagError("an action block is closed that was not opened")
    return found


Kind = Literal["prose", "thought", "action", "close", "broken"]


def segments(text: str, *, blocks: bool = True) -> Iterator[tuple[Kind, str]]:
    """The text cut into prose, thoughts and action blocks (with `blocks`), in order.

    `close` is a closing thought tag without its opening one, which stood in the prompt: what came
    before it was a thought. `broken` carries what is wrong; it is the last segment.
    """
    at = 0
    while True:
        block = _OPEN.search(text, at) if blocks else None
        thought = _THOUGHT.search(text, at)
        tag = min((m for m in (block, thought) if m), key=lambda m: m.start(), default=None)
        if prose := text[at : tag.start() if tag else len(text)]:
            yield "prose", prose
        if not tag:
            break
        at = tag.end()
        if tag is thought and tag[1]:
            yield "close", ""
            continue
        end = (_CLOSE if tag is block else _closing(tag)).search(text, at)
        if tag is thought:
            yield "thought", text[at : end.start() if end else len(text)]
        elif end:
            yield "action", text[tag.start() : end.start()]
        if not end:
            yield "broken", f"{tag[0]} is not closed"
            break
        at = end.end()


def split_thoughts(text: str, *, blocks: bool) -> tuple[str, str]:
    """Tagged thoughts, and the prose outside thoughts and action blocks."""
    thoughts: list[str] = []
    prose: list[str] = []
    for kind, part in segments(text, blocks=blocks):
        if kind == "close":
            thoughts, prose = [*thoughts, *prose], []
        elif kind in ("thought", "prose"):
            (thoughts if kind == "thought" else prose).append(part)
    return "\n".join(thoughts), "".join(prose)


def after_thought(text: str) -> str:
    """The text without a thought in front; thoughts further on may stand inside a value."""
    first = _THOUGHT.search(text)
    if not first or (not first[1] and text[: first.start()].strip()):
        return text
    end = first if first[1] else _closing(first).search(text, first.end())
    return text[end.end() :] if end else text


def _closing(tag: re.Match[str]) -> re.Pattern[str]:
    return re.compile(rf"</{tag[2]}\s*>", re.IGNORECASE)


def _read_block(block: str) -> tuple[str, dict[str, str]]:
    head = _HEAD.match(block)
    if not head:
        raise TagError("an action block does not name its tool")
    if _OPEN.search(block, head.end()):
        raise TagError("an action block stands inside another")
    fields: dict[str, str] = {}
    at = head.end()
    while tag := _FIELD.match(block, at):
        close = f"</{tag[1]}>"
        end = block.find(close, tag.end())
        if end < 0:
            raise TagError(f"the field {tag[1]} is not closed")
        if tag[1] in fields:
            raise TagError(f"the field {tag[1]} is given twice")
        fields[tag[1]] = _unescape(block[tag.end() : end].strip())
        at = end + len(close)
    if rest := block[at:].strip():
        raise TagError(f"text between the fields of an action: {rest[:40]!r}")
    return _unescape(head[1] if head[1] is not None else head[2]), fields


def _escape(text: str) -> str:
    """Markup as entities, and white space at the edges too, because reading strips it."""
    core = text.strip()
    start = text.index(core) if core else len(text)
    plain = re.sub(r'[&<>"]', lambda m: f"&#{ord(m[0])};", core)
    edges = [
        "".join(f"&#{ord(c)};" for c in part) for part in (text[:start], text[start + len(core) :])
    ]
    return f"{edges[0]}{plain}{edges[1]}"


def _unescape(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        name = match[1]
        if not name.startswith("#"):
            return _NAMED[name]
        code = int(name[1:])
        return chr(code) if code < 0x110000 else match[0]

    return _ENTITY.sub(char, text)
