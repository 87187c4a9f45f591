"""One variant file to one `Variant`: strict front matter above, the treatment text below."""

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from mitigations.errors import InvalidFile
from mitigations.model import Placement, Variant, VariantKind

MAX_BYTES = 256 * 1024
MAX_FRONT = 16 * 1024
MAX_DEPTH = 4
ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
# A file of this name cannot exist on Windows, so a study could not be shared.
RESERVED = {"con", "prn", "aux", "nul"} | {f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10)}
FENCE = "---"
START = "Start the file with `---`, then `id: ...` and `title: ...` lines, then `---`."

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Tag = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


def _one_line(value: Any) -> Any:
    """White space folded, so that a wrapped value is one line; nothing invisible passes."""
    if not isinstance(value, str):
        return value
    line = " ".join(value.split())
    if not line.isprintable():
        raise ValueError("holds an invisible character")
    return unicodedata.normalize("NFC", line)


Title = Annotated[str, StringConstraints(min_length=1, max_length=120), BeforeValidator(_one_line)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500), BeforeValidator(_one_line)]


class FrontMatter(BaseModel):
    """What stands between the two `---` lines. Metadata only: none of it reaches a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Id
    """Equal to the file's name without `.md`."""
    title: Title
    """A few words for tables and pages."""
    kind: VariantKind = VariantKind.SYSTEM_PROMPT
    """`system-prompt`, or `constitution`: its `##` headings are clauses."""
    placement: Placement = Placement.SYSTEM_END
    """`system-start`, `system-end` or `user-start`."""
    hypothesis: Line | None = None
    """What the proposer expects and why, in one sentence."""
    author: Line | None = None
    """Who proposes it."""
    parent: Id | None = None
    """The variant it was made from."""
    tags: tuple[Tag, ...] = ()
    """Mechanisms, as in the library: `prohibition`, `escalation`, `placebo`, ..."""
    sources: tuple[Line, ...] = ()
    """Where the idea comes from."""
    matches: Id | None = None
    """On a placebo: the variant whose length it copies."""
    dose: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Its place in an ordered set."""
    clauses_off: tuple[Line, ...] = ()
    """On an ablation: the parent's clauses that were left out."""


def read_variant(path: Path) -> Variant:
    """The variant in one Markdown file.

    Raises:
        InvalidFile: with file, line and way out, for anything a file can get wrong.
    """
    variant = parse_variant(_read_text(path), path)
    if variant.id != path.stem:
        problem = f"id {variant.id!r} differs from the file's name"
        fix = f"Rename the file to {variant.id}.md or write `id: {path.stem}`."
        raise InvalidFile(path, problem, fix=fix, line=_id_line(path))
    return variant


def parse_variant(source: str, path: Path | str) -> Variant:
    """The variant in `source`; `path` is only named in errors. Raises `InvalidFile`."""
    lines = _unix(source).split("\n")
    if lines[0].rstrip() != FENCE:
        raise InvalidFile(path, "has no front matter", fix=START, line=1)
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
    if end is None:
        fix = "Close it with a line `---` before the text."
        raise InvalidFile(path, "the front matter is never closed", fix=fix, line=1)
    metadata = "\n".join(lines[1:end])
    if len(metadata) > MAX_FRONT:
        problem = f"the front matter is larger than {MAX_FRONT // 1024} KB"
        raise InvalidFile(path, problem, fix="Move text below the second `---`.", line=1)
    front, places = _front_matter(metadata, path)
    text = normalise("\n".join(lines[end + 1 :]))
    if not text and "baseline" not in front.tags:
        fix = "Write the text below the second `---`, or tag the file `baseline`."
        raise InvalidFile(path, "the text is empty", fix=fix, line=end + 1)
    if front.id in RESERVED:
        problem = f"id {front.id!r} is a reserved file name on Windows"
        raise InvalidFile(path, problem, fix="Choose another id.", line=places.get(("id",)))
    given = {name: value for name, value in front if value is not None}
    return Variant(**given, text=text)


def normalise(text: str) -> str:
    """NFC, LF line ends and exactly one final newline; only white space becomes empty."""
    text = unicodedata.normalize("NFC", _unix(text)).rstrip("\n")
    return f"{text}\n" if text.strip() else ""


def text_start(source: str) -> int:
    """The line of `source` on which the treatment text starts, counted from 1."""
    lines = _unix(source).split("\n")
    ends = [n for n, line in enumerate(lines, 1) if line.rstrip() == FENCE]
    return ends[1] + 1 if len(ends) > 1 else 1


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise InvalidFile(path, "is not a file", fix="Name one Markdown file.")
    try:
        with path.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise InvalidFile(path, f"cannot be read: {reason}") from exc
    if len(raw) > MAX_BYTES:
        problem = f"is larger than {MAX_BYTES // 1024} KB"
        raise InvalidFile(path, problem, fix="A prompt of that size fits no model; shorten it.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise InvalidFile(path, "is not UTF-8 text", fix="Save it as UTF-8.", line=line) from exc


def _id_line(path: Path) -> int | None:
    lines = _unix(_read_text(path)).split("\n")
    return next((n for n, line in enumerate(lines, 1) if re.match(r"\W*id\W", line)), None)


Where = tuple[str | int, ...]


def _front_matter(source: str, path: Path | str) -> tuple[FrontMatter, dict[Where, int]]:
    places: dict[Where, int] = {}
    data = _yaml(source, path, places)
    if not isinstance(data, dict):
        raise InvalidFile(path, "the front matter holds no `key: value` lines", fix=START, line=1)
    try:
        return FrontMatter.model_validate(data), places
    except ValidationError as exc:
        raise _first_fault(exc, path, places) from exc


def _first_fault(exc: ValidationError, path: Path | str, places: dict[Where, int]) -> InvalidFile:
    faults = exc.errors(include_url=False)
    # A misspelt key shows up twice, as unknown and as missing; the unknown one names the cause.
    fault = min(faults, key=lambda item: item["type"] != "extra_forbidden")
    where: Where = fault["loc"]
    line = next((places[where[:n]] for n in range(len(where), 0, -1) if where[:n] in places), 1)
    name = str(where[0])
    if fault["type"] == "extra_forbidden":
        fix = "Known keys: " + ", ".join(FrontMatter.model_fields) + "."
        return InvalidFile(path, f"unknown key {name[:60]!r}", fix=fix, line=line)
    if fault["type"] == "missing":
        return InvalidFile(path, f"{name} is missing", fix=f"Add a line `{name}: ...`.", line=1)
    message, fix = (
        str(fault["msg"]).removeprefix("Value error, "),
        FIXES.get(name, "Write one line of plain text."),
    )
    if fault["type"] == "string_pattern_mismatch":
        message = "is not a plain name"
        fix = "Use 1 to 64 of a-z, 0-9, `-`, `_`, starting with a letter or digit."
    if fault["type"] == "string_too_short":
        fix = f"Fill it in, or leave the line `{name}:` out."
    shown = str(fault["input"])
    shown = f" (got {shown if len(shown) <= 60 else shown[:57] + '...'!r})"
    return InvalidFile(path, f"{name}: {message}{shown}", fix=fix, line=line)


FIXES = {
    "tags": "Write a list: `tags: [escalation, pause-and-review]`.",
    "sources": "Write a list, one `- source` a line.",
    "clauses_off": "Write a list, one `- heading` a line.",
    "kind": "Write `kind: system-prompt` or `kind: constitution`.",
    "placement": "Write `placement: system-start`, `system-end` or `user-start`.",
    "dose": "Write one plain number.",
}


def _yaml(source: str, path: Path | str, places: dict[Where, int]) -> Any:
    """The front matter, every scalar as the text that was typed; no anchors, aliases or tags."""
    try:
        _refuse_before_composing(source, path)
        node = yaml.compose(source, Loader=yaml.BaseLoader)
        return None if node is None else _build(node, (), path, places)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 2 if mark else 1
        fix = "Put a value that holds `: `, `#` or brackets in quotes."
        raise InvalidFile(path, f"not valid YAML: {exc.problem}", fix=fix, line=line) from exc
    except yaml.reader.ReaderError as exc:
        line = source[: exc.position].count("\n") + 2
        problem = f"the character U+{ord(str(source[exc.position])):04X} is not allowed here"
        raise InvalidFile(path, problem, fix="Delete it.", line=line) from exc


def _refuse_before_composing(source: str, path: Path | str) -> None:
    """Read events one by one: what would be slow or endless to compose is stopped at its start."""
    depth = 0
    for event in yaml.parse(source, Loader=yaml.BaseLoader):
        mark = event.start_mark
        line = mark.line + 2 if mark else 1
        if getattr(event, "anchor", None) is not None:
            fix = "Write the value out, or put it in quotes."
            raise InvalidFile(path, "anchors and aliases are refused", fix=fix, line=line)
        if getattr(event, "tag", None) is not None:
            fix = "Write the plain value, or put it in quotes."
            raise InvalidFile(path, "YAML tags (`!...`) are refused", fix=fix, line=line)
        opens = isinstance(event, yaml.CollectionStartEvent)
        depth += opens - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise InvalidFile(path, "is nested too deeply", fix="Flatten it.", line=line)


def _build(node: yaml.Node, where: Where, path: Path | str, places: dict[Where, int]) -> Any:
    places.setdefault(where, node.start_mark.line + 2)
    if isinstance(node, yaml.SequenceNode):
        items = enumerate(node.value)
        return [_build(item, (*where, n), path, places) for n, item in items]
    if not isinstance(node, yaml.MappingNode):
        return str(node.value)
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 2
        if not isinstance(key_node, yaml.ScalarNode):
            raise InvalidFile(path, "a key must be plain text", fix=START, line=line)
        key = str(key_node.value)
        if key in result:
            problem = f"the key {key[:60]!r} stands twice"
            raise InvalidFile(path, problem, fix="Keep one of the two.", line=line)
        places[(*where, key)] = line
        result[key] = _build(value_node, (*where, key), path, places)
    return result
