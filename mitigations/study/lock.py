"""The lock: a plan as canonical, hashed, human-readable JSON. It is the preregistration."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mitigations.errors import InvalidFile, PlanChanged
from mitigations.files import read_text, write_atomic
from mitigations.model import (
    Approval,
    Discovery,
    Gate,
    JudgeSpec,
    ModelSpec,
    Plan,
    Scenario,
    Settings,
    Variant,
    content_hash,
)

FORMAT = "mitigations.lock/1"
MAX_LOCK_BYTES = 64 * 1024 * 1024
_LATER = frozenset({"cache_write_per_mtok", "batch", "rubric", "least_kappa"})
"""Fields of a price, judge or analysis that were added after the first locks were written."""

LoadPack = Callable[[str, Path | None], tuple[str, tuple[Scenario, ...]]]
"""Pack reference and base folder to the pack's hash and scenarios."""

_VARIANT = TypeAdapter(Variant)
_MODELS = TypeAdapter(tuple[ModelSpec, ...])
_JUDGE = TypeAdapter(JudgeSpec)
_SETTINGS = TypeAdapter(Settings)
_APPROVALS = TypeAdapter(tuple[Approval, ...])
_DISCOVERY = TypeAdapter(Discovery | None)
_GATE = TypeAdapter(Gate)


def lock_document(plan: Plan) -> dict[str, Any]:
    """Everything an analysis could be bent by, as plain data, without the hash itself.

    Of an amended plan this is what was locked: an amendment never rewrites the lock. What a study
    does not use has no field, so that locks made before a feature keep their hash.
    """
    plan = plan.locked or plan
    approvals = _APPROVALS.dump_python(plan.approvals, mode="json")
    confirms = _DISCOVERY.dump_python(plan.confirms, mode="json")
    return {
        "format": FORMAT,
        "study": plan.study,
        "created": plan.created,
        "code_version": plan.code_version,
        "analysis_hash": plan.analysis_hash,
        "variants": [
            _VARIANT.dump_python(variant, mode="json")
            | {"text_hash": variant.text_hash, "treatment_hash": variant.treatment_hash}
            for variant in plan.variants
        ],
        "scenarios": {
            "pack": plan.pack,
            "pack_hash": plan.pack_hash,
            "cells": {scenario.id: scenario.hash for scenario in plan.scenarios},
        },
        "models": _lean(_MODELS.dump_python(plan.models, mode="json")),
        "repeats": plan.repeats,
        "judge": _lean(_JUDGE.dump_python(plan.judge, mode="json"))
        | {"rubric_hash": plan.rubric_hash},
        "coercive_at": plan.coercive_at,
        "fix_nuisance": plan.fix_nuisance,
        "settings": _lean(_without_unused(_SETTINGS.dump_python(plan.settings, mode="json"))),
        "budget_usd": plan.budget_usd,
        "schedule": plan.schedule,
        **({"approvals": approvals} if approvals else {}),
        **({"confirms": confirms} if confirms else {}),
        **({"rules_version": plan.rules_version} if plan.rules_version else {}),
        **({} if plan.gate == Gate() else {"gate": _GATE.dump_python(plan.gate, mode="json")}),
        **({} if plan.mode == "live" else {"mode": plan.mode}),
    }


def _lean(value: Any) -> Any:
    """Without the unset fields that earlier locks do not know, so that these keep their hash."""
    if isinstance(value, dict):
        return {k: _lean(v) for k, v in value.items() if v is not None or k not in _LATER}
    if isinstance(value, list | tuple):
        return [_lean(item) for item in value]
    return value


def _without_unused(settings: dict[str, Any]) -> dict[str, Any]:
    """What came after the first locks is written only where it is used."""
    return {k: v for k, v in settings.items() if not (k == "futility" and v is None)}


def lock_hash(plan: Plan) -> str:
    """SHA-256 of the canonical document."""
    return content_hash(lock_document(plan))


def lock_text(plan: Plan) -> str:
    """The lock file's text: indented JSON with sorted keys, the hash first to be seen."""
    document = {"hash": plan.hash, **lock_document(plan)}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write_lock(plan: Plan, path: Path) -> None:
    """Write `STUDY.lock` whole or not at all."""
    write_atomic(path, lock_text(plan))


def read_lock(path: Path, *, base: Path, load_pack: LoadPack) -> Plan:
    """Read a lock and hold everything it froze against its hash; private packs are under `base`.

    Raises `InvalidFile` when it is no lock, `PlanChanged` naming what was changed.
    """
    text = read_text(path, limit=MAX_LOCK_BYTES)
    return parse_lock(text, str(path), base=base, load_pack=load_pack)


def parse_lock(text: str, name: str, *, base: Path | None, load_pack: LoadPack) -> Plan:
    """The same from text, for locks that come out of the store."""
    document = _document(text, name)
    _check_variants(document, name)
    recorded = document.pop("hash", None)
    if recorded != content_hash(document):
        raise PlanChanged(
            f"{name}: was edited after it was locked (its hash no longer matches)\n"
            "  Make a new lock: mitigations plan STUDY.yaml"
        )
    try:
        plan = _plan(document, name, base, load_pack)
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as exc:
        reason = str(exc).splitlines()[0]
        raise InvalidFile(name, f"is not a lock this version can read: {reason}") from exc
    plan = replace(plan, hash=str(recorded))
    if lock_document(plan) != document:
        raise PlanChanged(f"{name}: holds fields this version does not know; make a new lock")
    return plan


def _document(text: str, name: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as exc:
        fix = "`run` takes the .lock file that `mitigations plan STUDY.yaml` writes."
        line = exc.lineno if isinstance(exc, json.JSONDecodeError) else None
        raise InvalidFile(name, "is not a lock", fix=fix, line=line) from exc
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidFile(name, f"is not a lock of format {FORMAT}", fix="Make a new lock.")
    return document


def _check_variants(document: Mapping[str, Any], name: str) -> None:
    """Name the edited variant before the whole-file hash says only that something changed."""
    try:
        for entry in document["variants"]:
            variant = _variant(entry)
            if variant.text_hash != entry["text_hash"]:
                raise PlanChanged(f"{name}: the text of variant {variant.id!r} was changed")
    except (ValidationError, KeyError, TypeError, AttributeError) as exc:
        raise PlanChanged(f"{name}: a variant in it was changed and cannot be read") from exc


def _variant(entry: Mapping[str, Any]) -> Variant:
    """The variant of an entry; its two hashes are derived and no fields of it."""
    derived = {"text_hash", "treatment_hash"}
    return _VARIANT.validate_python({k: v for k, v in entry.items() if k not in derived})


def _plan(doc: dict[str, Any], name: str, base: Path | None, load_pack: LoadPack) -> Plan:
    variants = tuple(_variant(entry) for entry in doc["variants"])
    judge = dict(doc["judge"])
    rubric_hash = judge.pop("rubric_hash")
    pack, cells = doc["scenarios"]["pack"], doc["scenarios"]["cells"]
    pack_hash, scenarios = load_pack(pack, base)
    by_id = {scenario.id: scenario for scenario in scenarios}
    for scenario_id, recorded in cells.items():
        found = by_id.get(scenario_id)
        if found is None or found.hash != recorded:
            state = "is no longer in" if found is None else "was changed in"
            raise PlanChanged(
                f"{name}: scenario {scenario_id!r} {state} {pack}\n"
                "  Restore the pack, or make a new lock."
            )
    if pack_hash != doc["scenarios"]["pack_hash"]:
        raise PlanChanged(f"{name}: the pack {pack} was changed after the lock")
    return Plan(
        study=doc["study"],
        created=doc["created"],
        code_version=doc["code_version"],
        variants=variants,
        pack=pack,
        pack_hash=pack_hash,
        scenarios=tuple(by_id[scenario_id] for scenario_id in cells),
        models=_MODELS.validate_python(doc["models"]),
        repeats=int(doc["repeats"]),
        judge=_JUDGE.validate_python(judge),
        rubric_hash=rubric_hash,
        analysis_hash=doc["analysis_hash"],
        coercive_at=int(doc["coercive_at"]),
        fix_nuisance=bool(doc["fix_nuisance"]),
        settings=_SETTINGS.validate_python(doc["settings"]),
        budget_usd=doc["budget_usd"],
        schedule=doc["schedule"],
        approvals=_APPROVALS.validate_python(doc.get("approvals", ())),
        confirms=_DISCOVERY.validate_python(doc.get("confirms")),
        rules_version=doc.get("rules_version", ""),
        gate=_GATE.validate_python(doc.get("gate", Gate())),
        mode=doc.get("mode", "live"),
    )
