"""The prompts of a `promptfooconfig.yaml` as variants' texts; templates and code are refused."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitigations.files import Where as Place
from mitigations.files import YamlDoc, read_text
from runner.compose import slug

_HOLE = re.compile(r"\{\{\s*(?P<name>[A-Za-z_][\w.]*)\s*\}\}")
_ELSEWHERE = re.compile(r"exec:|(?:portkey|langfuse|helicone)://")
_FILE_NAME = re.compile(
    r"\.(?:[cm]?[jt]s|jsonl?|py|txt|ya?ml|md|csv|j2|sh|bash|rb|pl|prompty)(?::\w+)?\Z"
)
"""The endings by which promptfoo takes a line for the name of a file."""
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}(.*?)\{%-?\s*endraw\s*-?%\}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt as a variant: its name, its text, and where the text stands."""

    id: str
    title: str
    text: str
    placement: str


def only(doc: YamlDoc, where: Place, known: tuple[str, ...]) -> None:
    """Refuse every key that is not read."""
    found = doc.data
    for part in where:
        found = found[part]
    for key in found:
        if key not in known and key != "$schema":
            place = ".".join(map(str, (*where, key)))
            fix = f"Read are: {', '.join(known)}. Take it out, or run promptfoo and import results."
            raise doc.error((*where, key), f"{place} is outside of what is imported", fix)


def listed(doc: YamlDoc, key: str) -> list[Any]:
    """The items under a key; a single text is a list of one."""
    found = doc.data.get(key)
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not found:
        raise doc.error((key,), f"{key} is missing or no list")
    return found


def prompts_of(doc: YamlDoc, path: Path) -> Iterator[Prompt]:
    """Every prompt in its order; raises `InvalidFile` for the first that is no variant."""
    entries = listed(doc, "prompts")
    if len(entries) < 2:
        raise doc.error(("prompts",), "needs two prompts at least", "The first is the baseline.")
    seen: set[str] = set()
    for place, entry in enumerate(entries):
        where: Place = ("prompts", place)
        label, raw = "", entry
        if isinstance(entry, dict):
            only(doc, where, ("id", "label", "raw"))
            label = str(entry.get("label") or "")
            raw = entry.get("raw") or entry.get("id")
        if not isinstance(raw, str):
            raise doc.error(where, "is no prompt", "Write its text, or {label: ..., raw: ...}.")
        if raw.startswith("file://"):
            label = label or Path(raw).stem
            raw = _file(doc, where, raw, path)
        elif _leads_elsewhere(raw):
            fix = "Write file://NAME.txt for a file, or a text of two lines or more for a text."
            raise doc.error(where, f"{raw[:80]!r} is a file or a program to promptfoo", fix)
        text, placement = _treatment(doc, where, raw)
        name = slug(label, "-")[:60] or f"prompt-{place + 1}"
        if name in seen:
            raise doc.error(where, f"is named {name!r} like another", "Give it its own label.")
        seen.add(name)
        yield Prompt(id=name, title=label[:120] or name, text=text, placement=placement)


def _file(doc: YamlDoc, where: Place, raw: str, path: Path) -> str:
    """A prompt's own file, beside the config or below it."""
    named = path.parent / raw.removeprefix("file://")
    if named.suffix not in {".txt", ".md", ".json"} or not _is_below(named, path.parent):
        fix = "Name a .txt, .md or .json file beside the config; code is never run."
        raise doc.error(where, f"{raw[:80]!r} is outside of what is imported", fix)
    text = read_text(named)
    if named.suffix == ".txt" and any(line.strip() == "---" for line in text.splitlines()):
        fix = "Give each its own file: a line of three dashes parts prompts in a .txt file."
        raise doc.error(where, f"{raw[:80]!r} holds several prompts", fix)
    if named.suffix == ".json" and "file://" in text:
        fix = "Write the text itself into the chat."
        raise doc.error(where, f"{raw[:80]!r} takes a text from another file", fix)
    return text


def _is_below(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no system takes
        return False


def _leads_elsewhere(raw: str) -> bool:
    """Whether promptfoo would take a one-line prompt for a file, a pattern, a program or a link."""
    line = raw.strip()
    if "\n" in line:
        return False
    one_word = not any(sign.isspace() for sign in line)
    return (
        _ELSEWHERE.match(line) is not None
        or _FILE_NAME.search(line) is not None
        or (one_word and any(sign in line for sign in "*/\\"))
    )


def _treatment(doc: YamlDoc, where: Place, raw: str) -> tuple[str, str]:
    """The text of a prompt without its one placeholder, and where it stands."""
    try:
        chat = json.loads(raw)
    except (ValueError, RecursionError):
        return _cut(doc, where, raw, "user-start")
    texts: dict[str, str] = {}
    for message in chat if isinstance(chat, list) else [None]:
        about = message if isinstance(message, dict) else {}
        role, said = about.get("role"), about.get("content")
        texts_alone = isinstance(role, str) and isinstance(said, str) and len(about) == 2
        if not texts_alone or role not in {"system", "user"} or role in texts:
            fix = "A chat prompt has one system and one user message, of text and nothing else."
            raise doc.error(where, "holds another message than those", fix)
        texts[str(role)] = str(said)
    if _HOLE.sub("", texts.get("user", "")).strip():
        if _HOLE.sub("", texts.get("system", "")).strip():
            fix = "A variant is one text, in the system prompt or before the user's."
            raise doc.error(where, "has a text in both messages", fix)
        return _cut(doc, where, texts["user"], "user-start")
    return _cut(doc, where, texts.get("system", ""), "system-end")


def _cut(doc: YamlDoc, where: Place, text: str, placement: str) -> tuple[str, str]:
    kept = [f"\0{n}\0" for n in range(len(_RAW.findall(text)))]
    raws = iter(kept)
    plain = _RAW.sub(lambda _: next(raws), text)
    holes = list(_HOLE.finditer(plain))
    if any(hole["name"].startswith("env.") for hole in holes):
        fix = "Write out what stands in the environment."
        raise doc.error(where, "takes a text from the environment", fix)
    if len(holes) > 1 or "{%" in plain or "{#" in plain or "{{" in _HOLE.sub("", plain):
        fix = "One placeholder, at one end of the text; the text itself is never a template here."
        raise doc.error(where, "is a template", fix)
    if holes:
        before, after = plain[: holes[0].start()], plain[holes[0].end() :]
        if before.strip() and after.strip():
            fix = "Put the placeholder at one end: a variant is one text."
            raise doc.error(where, "has text on both sides of its placeholder", fix)
        if after.strip() and placement == "user-start":
            fix = "A variant stands before what the user says."
            raise doc.error(where, "has its text after the user's", fix)
        if before.strip() and placement == "system-end":
            placement = "system-start"
        plain = before if before.strip() else after
    for mark, literal in zip(kept, _RAW.findall(text), strict=True):
        plain = plain.replace(mark, literal)
    return plain.strip("\n ").strip(), placement
