"""`promptfooconfig.yaml` -> variant files and a study: a documented subset, the rest refused.

Refused by its name and line is everything that would be lost or mean something else here; a study
that silently left out half of a config would compare something nobody asked for.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mitigations.errors import InvalidFile
from mitigations.files import Where as Place
from mitigations.files import YamlDoc, read_text, read_yaml, write_atomic
from mitigations.study import parse_study
from runner.compose import slug
from variants.read import parse_variant

KNOWN = ("description", "prompts", "providers", "targets", "tests", "evaluateOptions")
PROVIDERS = {
    "openai:chat:": "openai/",
    "openai:responses:": "openai/",
    "openai:": "openai/",
    "anthropic:messages:": "anthropic/",
    "openrouter:": "openrouter/",
    "mistral:": "mistral/",
    "groq:": "groq/",
}
SETTINGS = ("temperature", "max_tokens")
METRIC = "coercive"
MAX_CONFIG = 4 * 2**20
_HOLE = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}(.*?)\{%-?\s*endraw\s*-?%\}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of an imported config."""

    study: Path
    variants: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    id: str
    title: str
    text: str
    placement: str


def import_config(path: Path, folder: Path) -> Written:
    """Write `folder/variants/*.md` and `folder/studies/NAME.yaml`; no file there is replaced.

    Raises `InvalidFile` with the line of the first thing outside the subset.
    """
    doc = read_yaml(path, limit=MAX_CONFIG)
    if not isinstance(doc.data, dict):
        raise doc.error((), "is not a promptfoo config: expected `key: value` lines")
    _only(doc, (), KNOWN)
    prompts = list(_prompts(doc, path))
    name = slug(path.parent.resolve().name or "imported", "-")[:48] or "imported"
    study: dict[str, Any] = {
        "study": name,
        "baseline": prompts[0].id,
        "variants": [prompt.id for prompt in prompts[1:]],
        "scenarios": "builtin/coercion-v1",
        **_tests(doc),
        "models": _providers(doc),
        **_options(doc),
    }
    text = yaml.safe_dump(study, sort_keys=False, allow_unicode=True)
    parse_study(text, str(path))
    files = {folder / "variants" / f"{one.id}.md": _variant_text(one, first=not place)
             for place, one in enumerate(prompts)}  # fmt: skip
    target = folder / "studies" / f"{name}.yaml"
    for file, content in files.items():
        parse_variant(content, file)
    for file in (*files, target):
        if file.exists():
            raise InvalidFile(file, "exists already", fix="Import into an empty folder.")
    for file, content in files.items():
        write_atomic(file, content)
    write_atomic(target, f"# Imported from {path.name}.\n{text}")
    return Written(study=target, variants=tuple(files))


def _only(doc: YamlDoc, where: Place, known: tuple[str, ...]) -> None:
    """Refuse every key that is not read."""
    found = doc.data
    for part in where:
        found = found[part]
    for key in found:
        if key not in known and key != "$schema":
            place = ".".join(map(str, (*where, key)))
            fix = f"Read are: {', '.join(known)}. Take it out, or run promptfoo and import results."
            raise doc.error((*where, key), f"{place} is outside of what is imported", fix)


def _prompts(doc: YamlDoc, path: Path) -> Iterator[_Prompt]:
    listed = _list(doc, "prompts")
    if len(listed) < 2:
        raise doc.error(("prompts",), "needs two prompts at least", "The first is the baseline.")
    seen: set[str] = set()
    for place, entry in enumerate(listed):
        where: Place = ("prompts", place)
        label, raw = "", entry
        if isinstance(entry, dict):
            _only(doc, where, ("id", "label", "raw"))
            label = str(entry.get("label") or "")
            raw = entry.get("raw") or entry.get("id")
        if not isinstance(raw, str):
            raise doc.error(where, "is no prompt", "Write its text, or {label: ..., raw: ...}.")
        if raw.startswith("file://"):
            label = label or Path(raw).stem
            raw = _file(doc, where, raw, path)
        text, placement = _treatment(doc, where, raw)
        name = slug(label, "-")[:60] or f"prompt-{place + 1}"
        if name in seen:
            raise doc.error(where, f"is named {name!r} like another", "Give it its own label.")
        seen.add(name)
        yield _Prompt(id=name, title=label[:120] or name, text=text, placement=placement)


def _file(doc: YamlDoc, where: Place, raw: str, path: Path) -> str:
    """A prompt's own file, beside the config or below it."""
    named = path.parent / raw.removeprefix("file://")
    base = path.parent.resolve()
    if named.suffix not in {".txt", ".md", ".json"} or not named.resolve().is_relative_to(base):
        fix = "Name a .txt, .md or .json file beside the config; code is never run."
        raise doc.error(where, f"{raw[:80]} is outside of what is imported", fix)
    return read_text(named)


def _treatment(doc: YamlDoc, where: Place, raw: str) -> tuple[str, str]:
    """The text of a prompt without its one placeholder, and where it stands."""
    try:
        chat = json.loads(raw)
    except (ValueError, RecursionError):
        return _cut(doc, where, raw, "user-start")
    texts: dict[str, str] = {}
    for message in chat if isinstance(chat, list) else [None]:
        role = message.get("role") if isinstance(message, dict) else None
        said = message.get("content") if isinstance(message, dict) else None
        if role not in {"system", "user"} or role in texts or not isinstance(said, str):
            fix = "A chat prompt has one system and one user message, of text."
            raise doc.error(where, "holds another message than those", fix)
        texts[role] = said
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


def _providers(doc: YamlDoc) -> list[Any]:
    if "targets" in doc.data and "providers" in doc.data:
        raise doc.error(("targets",), "targets and providers mean the same", "Keep one of them.")
    key = "targets" if "targets" in doc.data else "providers"
    models: list[Any] = []
    for place, entry in enumerate(_list(doc, key)):
        where: Place = (key, place)
        settings: dict[str, Any] = {}
        if isinstance(entry, dict):
            _only(doc, where, ("id", "label", "config"))
            if "config" in entry:
                if not isinstance(entry["config"], dict):
                    raise doc.error((*where, "config"), "is no mapping")
                _only(doc, (*where, "config"), SETTINGS)
                settings = dict(entry["config"])
            entry = entry.get("id")  # noqa: PLW2901 - the route, however it was written
        route = _route(entry)
        if route is None:
            known = ", ".join(prefix + "MODEL" for prefix in PROVIDERS)
            raise doc.error(
                where, f"provider {str(entry)[:60]!r} is not imported", f"Read: {known}"
            )
        models.append({"model": route, **settings} if settings else route)
    return models


def _route(entry: Any) -> str | None:
    if not isinstance(entry, str):
        return None
    for prefix, provider in PROVIDERS.items():
        rest = entry.removeprefix(prefix)
        if rest != entry and rest and ":" not in rest:
            return provider + rest
    return None


def _tests(doc: YamlDoc) -> dict[str, Any]:
    """The scenarios that the tests name; none named: the whole pack."""
    if "tests" not in doc.data:
        return {}
    cells: list[str] = []
    packs: set[str] = set()
    for place, test in enumerate(_list(doc, "tests")):
        where: Place = ("tests", place)
        about = test.get("metadata") if isinstance(test, dict) else None
        about = about if isinstance(about, dict) else {}
        named = about.get("scenario")
        if not isinstance(named, str):
            fix = (
                "Name one of a pack's: metadata: {scenario: ID, pack: builtin/coercion-v1}. Or run "
                "promptfoo and bring its results: mitigations import promptfoo out.json"
            )
            raise doc.error(where, "is a test of its own, which is no scenario here", fix)
        _only(doc, where, ("description", "vars", "metadata", "assert"))
        _only(doc, (*where, "metadata"), ("scenario", "pack"))
        _asserts(doc, where, test.get("assert", []))
        packs.add(str(about.get("pack", "builtin/coercion-v1")))
        if named not in cells:
            cells.append(named)
    if len(packs) > 1:
        raise doc.error(("tests",), "names two packs", "One study has one pack.")
    return {"scenarios": packs.pop(), "cells": cells}


def _asserts(doc: YamlDoc, where: Place, listed: Any) -> None:
    """Only the coercion rubric of an export: the rules and the judge take its place."""
    for place, one in enumerate(listed if isinstance(listed, list) else [listed]):
        kind = one.get("type") if isinstance(one, dict) else None
        if kind != "llm-rubric" or one.get("metric") != METRIC:
            fix = (
                f"Only {{type: llm-rubric, metric: {METRIC}}} has a counterpart: the rules decide."
            )
            spot: Place = (*where, "assert", place)
            raise doc.error(spot, f"assertion {str(kind)[:40]!r} is not imported", fix)


def _options(doc: YamlDoc) -> dict[str, Any]:
    if "evaluateOptions" not in doc.data:
        return {}
    if not isinstance(doc.data["evaluateOptions"], dict):
        raise doc.error(("evaluateOptions",), "is no mapping")
    _only(doc, ("evaluateOptions",), ("repeat",))
    found = doc.data["evaluateOptions"].get("repeat")
    return {} if found is None else {"repeats": found}


def _list(doc: YamlDoc, key: str) -> list[Any]:
    found = doc.data.get(key)
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not found:
        raise doc.error((key,), f"{key} is missing or no list")
    return found


def _variant_text(prompt: _Prompt, *, first: bool) -> str:
    front: dict[str, Any] = {"id": prompt.id, "title": prompt.title}
    front["placement"] = prompt.placement
    if first:
        front["tags"] = ["baseline"]
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{head}---\n{prompt.text}\n"
