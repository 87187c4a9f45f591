"""Reading and writing files so that every wrong input has a place and every write is whole."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mitigations.errors import InvalidFile, StorageFailed

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
Where = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDoc:
    """Parsed YAML whose scalars are all text, and the line of every key and item."""

    path: str
    data: Any
    lines: Mapping[Where, int]

    def line(self, where: Where) -> int | None:
        """Line of a key or item, or of its nearest parent."""
        for depth in range(len(where), -1, -1):
            if where[:depth] in self.lines:
                return self.lines[where[:depth]]
        return None

    def error(self, where: Where, problem: str, fix: str = "") -> InvalidFile:
        """An `InvalidFile` that points at a key or item."""
        return InvalidFile(self.path, problem, fix=fix, line=self.line(where))


def read_text(path: Path, *, limit: int = MAX_BYTES) -> str:
    """The UTF-8 text of a file of at most `limit` bytes; raises `InvalidFile` otherwise."""
    try:
        with path.open("rb") as handle:
            raw = handle.read(limit + 1)
    except OSError as exc:
        raise InvalidFile(path, f"cannot be read: {exc.strerror or exc}") from exc
    if len(raw) > limit:
        raise InvalidFile(path, f"is larger than {limit // 1024} KB", fix="Split or shorten it.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise InvalidFile(path, "is not UTF-8 text", fix="Save it as UTF-8.", line=line) from exc


def read_yaml(path: Path, *, limit: int = MAX_BYTES) -> YamlDoc:
    """A YAML file as text scalars: `no`, `1.10`, dates stay as typed; no aliases, no tags."""
    return parse_yaml(read_text(path, limit=limit), str(path))


def parse_yaml(text: str, path: str, *, first_line: int = 1) -> YamlDoc:
    """Parse YAML text; `first_line` is where it starts in `path`."""
    try:
        # libyaml is eight times as fast; what it refuses is read again, for the better message.
        node = _compose(text, path, first_line, _FAST)
    except yaml.YAMLError:
        node = _explained(text, path, first_line)
    lines: dict[Where, int] = {}
    data = None if node is None else _build(node, (), lines, path, first_line)
    return YamlDoc(path=path, data=data, lines=lines)


_FAST: type[yaml.BaseLoader] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def _explained(text: str, path: str, first_line: int) -> yaml.Node | None:
    try:
        return _compose(text, path, first_line, yaml.BaseLoader)
    except yaml.MarkedYAMLError as exc:
        # An unclosed bracket is noticed on a later line; the reader must look where it opens.
        opened = exc.context_mark if "flow" in (exc.context or "") else None
        mark = opened or exc.problem_mark or exc.context_mark
        at = mark.line + first_line if mark else None
        raise InvalidFile(path, f"is not valid YAML: {exc.problem}", line=at) from exc
    except yaml.YAMLError as exc:
        raise InvalidFile(path, f"is not valid YAML: {exc}".splitlines()[0]) from exc


def _compose(
    text: str, path: str, first_line: int, loader: type[yaml.BaseLoader]
) -> yaml.Node | None:
    """The document as nodes, without aliases and not too deep."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                # The scanner's cost grows with the square of the nesting.
                problem = f"nests YAML more than {MAX_DEPTH} levels deep"
                raise InvalidFile(path, problem, fix="Flatten it.")
            if getattr(event, "anchor", None) is not None:
                line = event.start_mark.line + first_line if event.start_mark else None
                fix = "Write the value out where it is needed."
                raise InvalidFile(path, "YAML anchors and aliases are refused", fix=fix, line=line)
            tag = getattr(event, "tag", None)
            if tag is not None:
                # Read as plain text it would mean something else than to whoever wrote it.
                line = event.start_mark.line + first_line if event.start_mark else None
                problem = f"the YAML tag {str(tag)[:40]!r} is refused"
                raise InvalidFile(path, problem, fix="Write the plain value.", line=line)
        return yaml.compose(text, Loader=loader)
    except RecursionError as exc:
        raise InvalidFile(path, "is nested too deeply", fix="Flatten it.") from exc


def _build(node: yaml.Node, where: Where, lines: dict[Where, int], path: str, first: int) -> Any:
    lines.setdefault(where, node.start_mark.line + first)
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + first
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidFile(path, "a key must be plain text", line=line)
            key = str(key_node.value)
            if key in result:
                fix = "Keep one of the two."
                raise InvalidFile(path, f"the key {key!r} stands twice", fix=fix, line=line)
            lines[(*where, key)] = line
            result[key] = _build(value_node, (*where, key), lines, path, first)
        return result
    if isinstance(node, yaml.SequenceNode):
        items = enumerate(node.value)
        return [_build(item, (*where, index), lines, path, first) for index, item in items]
    return str(node.value)


def validate(model: type[M], doc: YamlDoc, *, what: str) -> M:
    """The document as `model`; the first fault becomes an `InvalidFile` with line and way out."""
    if not isinstance(doc.data, dict):
        raise doc.error((), f"is not {what}: expected `key: value` lines")
    try:
        return model.model_validate(doc.data)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        where = tuple(part for part in first["loc"] if isinstance(part, str | int))
        raise doc.error(where, _problem(first, where), _fix(first, model)) from exc


def _problem(fault: Any, where: Where) -> str:
    name = ".".join(str(part) for part in where) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {where[-1]!r}"
    if fault["type"] == "missing":
        return f"{name} is missing"
    message = str(fault["msg"]).removeprefix("Value error, ")
    value = fault.get("input")
    shown = f" (got {str(value)[:60]!r})" if isinstance(value, str | int | float) else ""
    return f"{name}: {message}{shown}"


def _fix(fault: Any, model: type[BaseModel]) -> str:
    kind, bounds = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        if len(fault["loc"]) != 1:
            return "Remove it, or look up its spelling in docs/commands.md."
        return "Known keys: " + ", ".join(sorted(model.model_fields)) + "."
    return _FIXES.get(kind) or _bounds(bounds)


_FIXES = {
    "string_pattern_mismatch": (
        "Use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit."
    ),
    "int_parsing": "Write a whole number, such as 10.",
    "int_from_float": "Write a whole number, such as 10.",
    "float_parsing": "Write a number, such as 0.05.",
    "bool_parsing": "Write true or false.",
}


def _bounds(bounds: Mapping[str, Any]) -> str:
    words = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
    found = [f"{word} {bounds[name]:g}" for name, word in words.items() if name in bounds]
    return f"Write a number {' and '.join(found)}." if found else ""


def write_atomic(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Write a whole file or nothing: a temporary file beside it, fsync, then rename.

    A `mode` of 0o600 holds from the first byte: the temporary file is never anybody else's to read.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as exc:
        raise StorageFailed(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as exc:
        Path(temporary).unlink(missing_ok=True)
        raise StorageFailed(f"{path}: cannot be written: {exc.strerror or exc}") from exc
