"""`promptfooconfig.yaml` -> variant files and a study: a documented subset, the rest refused.

Refused by its name and line is everything that would be lost or mean something else here; a study
that silently left out half of a config would compare something nobody asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mitigations.compose.exchange.promptfoo_prompts import Prompt, listed, only, prompts_of
from mitigations.errors import InvalidFile
from mitigations.files import Where as Place
from mitigations.files import YamlDoc, read_yaml, write_atomic
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
_KINDS = frozenset(
    {"chat", "responses", "completion", "embedding", "embeddings", "image", "realtime", "messages"}
)
"""Kinds of call: where no model follows, promptfoo has one of its own, which no study names."""
SETTINGS = ("temperature", "max_tokens")
METRIC = "coercive"
MAX_CONFIG = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of an imported config."""

    study: Path
    variants: tuple[Path, ...]


def import_config(path: Path, folder: Path) -> Written:
    """Write `folder/variants/*.md` and `folder/studies/NAME.yaml`; no file there is replaced.

    Raises `InvalidFile` with the line of the first thing outside the subset.
    """
    doc = read_yaml(path, limit=MAX_CONFIG)
    if not isinstance(doc.data, dict):
        raise doc.error((), "is not a promptfoo config: expected `key: value` lines")
    only(doc, (), KNOWN)
    prompts = list(prompts_of(doc, path))
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


def _providers(doc: YamlDoc) -> list[Any]:
    if "targets" in doc.data and "providers" in doc.data:
        raise doc.error(("targets",), "targets and providers mean the same", "Keep one of them.")
    key = "targets" if "targets" in doc.data else "providers"
    models: list[Any] = []
    for place, entry in enumerate(listed(doc, key)):
        where: Place = (key, place)
        settings: dict[str, Any] = {}
        if isinstance(entry, dict):
            only(doc, where, ("id", "label", "config"))
            if "config" in entry:
                if not isinstance(entry["config"], dict):
                    raise doc.error((*where, "config"), "is no mapping")
                only(doc, (*where, "config"), SETTINGS)
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
        if rest != entry and rest and ":" not in rest and rest not in _KINDS:
            return provider + rest
    return None


def _tests(doc: YamlDoc) -> dict[str, Any]:
    """The scenarios that the tests name; none named: the whole pack."""
    if "tests" not in doc.data:
        return {}
    cells: list[str] = []
    packs: set[str] = set()
    for place, test in enumerate(listed(doc, "tests")):
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
        only(doc, where, ("description", "vars", "metadata", "assert"))
        only(doc, (*where, "metadata"), ("scenario", "pack"))
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
    only(doc, ("evaluateOptions",), ("repeat",))
    found = doc.data["evaluateOptions"].get("repeat")
    return {} if found is None else {"repeats": found}


def _variant_text(prompt: Prompt, *, first: bool) -> str:
    front: dict[str, Any] = {"id": prompt.id, "title": prompt.title}
    front["placement"] = prompt.placement
    if first:
        front["tags"] = ["baseline"]
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{head}---\n{prompt.text}\n"
