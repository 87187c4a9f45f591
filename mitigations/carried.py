"""The scenarios a run was made with, in full: what a later version, or another machine, reads."""

import json

from pydantic import ValidationError

from mitigations import codec
from mitigations.errors import InvalidFile
from mitigations.model import Plan, Scenario

FORMAT = "mitigations-scenarios/1"


def carried_text(plan: Plan) -> str:
    """One JSON document; `read_carried` gives back equal scenarios with equal hashes."""
    plain = codec.plain(tuple[Scenario, ...], plan.scenarios)
    document = {"format": FORMAT, "pack_hash": plan.pack_hash, "scenarios": plain}
    return json.dumps(document, ensure_ascii=False)


def read_carried(text: str, name: str) -> tuple[str, tuple[Scenario, ...]]:
    """(pack hash, scenarios). Nothing here is trusted: a lock holds each scenario's own hash.

    Raises `InvalidFile` when the text is no such document.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise InvalidFile(name, f"is not of format {FORMAT}", fix="Restore it from a backup.")
        scenarios = codec.build(tuple[Scenario, ...], document["scenarios"])
        return str(document["pack_hash"]), scenarios
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as exc:
        reason = str(exc).splitlines()[0]
        raise InvalidFile(
            name, f"holds no scenarios: {reason}", fix="Restore it from a backup."
        ) from exc
