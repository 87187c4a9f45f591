"""The reference pages, written from the code: `python -m mitigations.cli.reference` (`make docs`).

Nothing here is worded twice: options come from the command table, fields from the models that read
the files, sentences from the function that words every verdict. A test holds the pages fresh.
"""

import ast
import dataclasses
import importlib
import inspect
import json
import pkgutil
import sys
import textwrap
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import mitigations
from mitigations.cli.app import app
from mitigations.cli.reference_verdicts import verdict_page
from mitigations.compose.exchange.mapping import MappingFile
from mitigations.compose.workspace import WorkspaceFile
from mitigations.errors import MitigationsError
from mitigations.model import FACTORS, Plan, Settings
from mitigations.providers import ProvidersFile
from mitigations.scenarios import schema
from mitigations.study.read import StudyFile
from mitigations.web import pages as web_pages
from mitigations.web.permission import Needs
from variants.read import FrontMatter

SCHEMAS = Path(__file__).parents[2] / "reports" / "schemas"
HEAD = "Written by `make docs` from the code; do not edit. A test holds it fresh.\n"


def pages() -> dict[str, str]:
    """File name under `docs/` to the text it must hold."""
    return {
        "reference-commands.md": commands_page(),
        "reference-files.md": files_page(),
        "reference-pages.md": web_page(),
        "reference-verdicts.md": verdict_page(HEAD),
    }


def commands_page() -> str:
    """Every command with its arguments and options, then the exit codes."""
    group: Any = typer.main.get_command(app)
    parts = ["# Reference: commands\n", HEAD]
    parts.append("Options of every command, before or after its name:\n")
    parts.append(_table(("option", "does", "default"), _parameters(group)))
    for name, command in _commands(group):
        parts.append(f"## `mitigations {name}`\n")
        parts.append(" ".join(inspect.cleandoc(command.help or "").split("\f")[0].split()) + "\n")
        parts.append(_table(("option", "does", "default"), _parameters(command)))
    parts.append("## Exit codes\n")
    parts.append("0: done, and where something was asked, the answer is yes.\n")
    parts.append(_table(("code", "error", "means"), _codes()))
    return "\n".join(parts)


def web_page() -> str:
    """Every page of the service with the role it needs, from its routes."""
    parts = ["# Reference: pages of the service\n", HEAD]
    parts.append(
        "`mitigations serve` shows them ([serving](serving.md)); each role includes `read`. "
        "`/openapi.json` describes the JSON API.\n"
    )
    routes: Iterator[Any] = (one for router in web_pages.routers() for one in router.routes)
    rows = [
        (f"`{route.path}`", method, _role(route.endpoint), _first(route.endpoint))
        for route in routes
        for method in sorted(route.methods)
    ]
    parts.append(_table(("page", "method", "role", "does"), rows))
    return "\n".join(parts)


def _role(endpoint: Any) -> str:
    """The role that a route asks for; `-` where it asks for none."""
    for hint in get_type_hints(endpoint, include_extras=True).values():
        for given in get_args(hint)[1:]:
            if isinstance(getattr(given, "dependency", None), Needs):
                return f"`{given.dependency.role}`"
    return "-"


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if getattr(command, "commands", None):
            yield from _commands(command, f"{before}{name} ")


def _parameters(command: Any) -> list[tuple[str, str, str]]:
    rows = []
    for parameter in command.params:
        if parameter.name == "help" or getattr(parameter, "hidden", False):
            continue
        argument = parameter.param_type_name == "argument"
        opts = [*parameter.opts, *parameter.secondary_opts]
        name = parameter.name.upper() if argument else ", ".join(opts)
        rows.append((f"`{name}`", parameter.help or "", _default(parameter)))
    return rows


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or value is False or value == "" or callable(value) or value == ():
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _codes() -> list[tuple[str, str, str]]:
    # An error is known once its module is; what happens to be imported must not decide.
    for module in pkgutil.walk_packages(mitigations.__path__, "mitigations."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = sorted(_errors(MitigationsError), key=lambda kind: (kind.exit_code, kind.__name__))
    rows = [(f"{kind.exit_code}", f"`{kind.__name__}`", _first(kind)) for kind in found]
    return list(dict.fromkeys(rows))


def _errors(kind: type[MitigationsError]) -> set[type[MitigationsError]]:
    below = (sub for sub in kind.__subclasses__() if sub.__module__.startswith("mitigations."))
    return {kind}.union(*(_errors(sub) for sub in below))


def _first(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())


def files_page() -> str:
    """Every field of every file that people write or read, from the models that read them."""
    parts = ["# Reference: files\n", HEAD, "Unknown keys are refused everywhere.\n"]
    parts += _model("A study (`studies/*.yaml`)", StudyFile)
    parts += _model("A variant's front matter (`variants/*.md`)", FrontMatter)
    parts += _model("`providers.yaml`", ProvidersFile)
    parts += _model("`workspace.yaml`", WorkspaceFile)
    parts += _model("A mapping of foreign logs (`import --mapping`)", MappingFile)
    parts += _model("A private pack (`pack.yaml`)", schema.PackFile)
    parts += _model("A setting of a pack (`settings/*.yaml`)", schema.SettingFile)
    parts += ["### Factors and their levels\n", _table(("factor", "levels"), _factors())]
    parts += _noun("A lock (`studies/*.lock`)", Plan) + _noun("`settings` of a lock", Settings)
    parts += ["## JSON schemas\n", _table(("schema", "file", "top level"), _schemas())]
    return "\n".join(parts)


def _factors() -> list[tuple[str, str]]:
    return [(f"`{name}`", ", ".join(levels)) for name, levels in FACTORS.items()]


def _schemas() -> list[tuple[str, str, str]]:
    rows = []
    for path in sorted(SCHEMAS.glob("*.json")):
        document = json.loads(path.read_text())
        keys = ", ".join(f"`{key}`" for key in document.get("properties", {}))
        rows.append((document.get("title", path.stem), f"`reports/schemas/{path.name}`", keys))
    return rows


def _model(title: str, model: type[BaseModel]) -> list[str]:
    parts = [f"## {title}\n", _first(model) + "\n", _fields(model)]
    for part in _nested(model, {model}):
        parts += [f"### `{part.__name__}`\n", _first(part) + "\n", _fields(part)]
    return parts


def _noun(title: str, kind: type) -> list[str]:
    notes = _notes(kind)
    rows = [
        (f"`{field.name}`", _type(field.type), notes.get(field.name, ""))
        for field in dataclasses.fields(kind)
    ]
    return [f"## {title}\n", _first(kind) + "\n", _table(("field", "type", "holds"), rows)]


def _fields(model: type[BaseModel]) -> str:
    notes = _notes(model)
    rows = []
    for name, field in model.model_fields.items():
        limits = _limits(field.metadata)
        kind = _type(field.annotation) + (f" ({limits})" if limits else "")
        default = "required" if field.is_required() else _shown(field.default)
        rows.append((f"`{field.alias or name}`", kind, default, notes.get(name, "")))
    return _table(("key", "value", "default", "notes"), rows)


def _shown(value: Any) -> str:
    if value is None or value is PydanticUndefined or value in ((), [], {}, ""):
        return ""
    if isinstance(value, BaseModel):
        return "see below"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _limits(metadata: list[Any]) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    words = {"min_length": "at least", "max_length": "at most"}
    found = []
    for one in metadata:
        found += [f"{s} {getattr(one, k)}" for k, s in signs.items() if _has(one, k)]
        found += [f"{w} {getattr(one, k)} long" for k, w in words.items() if _has(one, k)]
    return ", ".join(found)


def _has(one: Any, name: str) -> bool:
    return getattr(one, name, None) is not None


def _type(kind: Any) -> str:
    """A type in words that a person who edits YAML understands."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        limits = _limits(list(inside[1:]))
        return _type(inside[0]) + (f" ({limits})" if limits else "")
    if origin in {Literal, Union, types.UnionType}:
        kinds = (one for one in inside if one is not type(None))
        return " or ".join(f"`{one}`" if origin is Literal else _type(one) for one in kinds)
    if origin in {list, tuple}:
        return f"list of {_type(inside[0])}" if inside else "list"
    if origin is dict:
        return f"mapping of {_type(inside[0])} to {_type(inside[1])}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{one.value}`" for one in kind)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    return names.get(name, f"`{name}`")


def _nested(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for part in _models_in(field.annotation):
            if part not in seen:
                seen.add(part)
                yield part
                yield from _nested(part, seen)


def _models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and not get_origin(kind) and issubclass(kind, BaseModel):
        yield kind
    for inside in get_args(kind):
        yield from _models_in(inside)


def _notes(kind: type) -> dict[str, str]:
    """The string under each field, which the interpreter throws away, inherited ones included."""
    notes: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base in {object, BaseModel} or not base.__module__.startswith(("mitig", "variants")):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)  # getsource of a class gives one
        for field, note in zip(tree.body, tree.body[1:], strict=False):
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            if isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
                notes[field.target.id] = " ".join(str(note.value.value).split())
    return notes


def _table(heads: tuple[str, ...], rows: list[Any]) -> str:
    if not rows:
        return "No options.\n"
    lines = [heads, tuple("---" for _ in heads), *rows]
    cells = (
        " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in one) for one in lines
    )
    return "\n".join(f"| {line} |" for line in cells) + "\n"


def main(folder: Path) -> None:
    """Write every page."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {folder / name}\n")


if __name__ == "__main__":
    main(Path("docs"))
