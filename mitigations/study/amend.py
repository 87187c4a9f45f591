"""Amendments: dated, reasoned changes after the lock, chained to it, each listed in the report.

They stand in `STUDY.amendments.jsonl` beside the lock, which itself stays byte for byte what it
was: a signature or a commit of it keeps its meaning.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mitigations.codec import build
from mitigations.errors import InvalidFile, MitigationsError, PlanChanged
from mitigations.files import read_text
from mitigations.model import Amendment, Plan, content_hash

MAX_BYTES = 4 * 1024 * 1024
FREE = ("repeats", "budget_usd", "drop_models")
"""What an amendment may change and the result stay the plan's."""
ANALYSIS = ("alpha", "smallest_change_that_matters", "looks")
"""What makes the result exploratory."""
_SETTING = {"smallest_change_that_matters": "smallest_change"}
_WHY = {
    "baseline": "every comparison is against it",
    "variants": "a text added or left out after the lock changes what is compared",
    "scenarios": "they are the question that was asked",
    "models": "models may be dropped (--drop-model), never added",
    "guardrails": "a margin chosen after the data can be made to fit",
    "design": "the tests follow from it",
    "outcome": "it decides what counts as coercive",
    "judge": "it decides what counts as coercive",
    "seed": "every trial follows from it",
    "nuisance": "it decides what the repeats vary",
}


class CannotAmend(MitigationsError):
    """A change that the lock exists to prevent."""


def amendments_path(lock: Path) -> Path:
    """Where the amendments of a lock file stand."""
    return lock.with_suffix(".amendments.jsonl")


def read_amendments(path: Path, plan: Plan) -> tuple[Amendment, ...]:
    """The events of a file, held against the lock; empty when there is none."""
    if not path.exists():
        return ()
    lines = read_text(path, limit=MAX_BYTES).splitlines()
    return parse_amendments(lines, plan, str(path))


def parse_amendments(lines: Sequence[str], plan: Plan, name: str) -> tuple[Amendment, ...]:
    """Lines to events; raises `PlanChanged` where one was edited, removed or of another lock."""
    found: list[Amendment] = []
    for number, line in enumerate(lines, start=1):
        try:
            event = build(Amendment, json.loads(line))
            hashed = _hash(event)
        except (ValueError, TypeError, AttributeError) as exc:
            fix = "Restore it from version control."
            raise InvalidFile(name, "holds no amendment here", fix=fix, line=number) from exc
        before = found[-1].hash if found else plan.hash
        if (event.lock, event.previous, event.hash) != (plan.hash, before, hashed):
            raise PlanChanged(
                f"{name}:{number}: this amendment was edited, one before it removed, or it is of "
                "another lock\n  Restore the file, or amend again from the lock."
            )
        found.append(event)
    return tuple(found)


def amendment_line(event: Amendment) -> str:
    """One line of the file."""
    return json.dumps(asdict(event), ensure_ascii=False, sort_keys=True)


def _hash(event: Amendment) -> str:
    return content_hash({k: v for k, v in asdict(event).items() if k != "hash"})


def amend(
    plan: Plan,
    *,
    at: str,
    by: str,
    reason: str,
    change: Mapping[str, Any] | None = None,
    timestamp: Mapping[str, str] | None = None,
    exploratory: bool = False,
) -> Amendment:
    """The next event of a plan whose earlier ones are applied.

    Raises `CannotAmend` for a change that the lock exists to prevent, or without a reason.
    """
    if not reason.strip() and not timestamp:
        raise CannotAmend("an amendment needs its reason\n  Add --reason TEXT.")
    if not change and not timestamp:
        raise CannotAmend(
            "nothing would change\n  Give --repeats, --budget, --drop-model or --set KEY=VALUE."
        )
    event = Amendment(
        lock=plan.hash,
        previous=plan.amendments[-1].hash if plan.amendments else plan.hash,
        at=at,
        by=by.strip(),
        reason=reason.strip(),
        change=dict(change or {}),
        exploratory=exploratory,
        timestamp=dict(timestamp or {}),
    )
    _check(plan, event)
    return replace(event, hash=_hash(event))


def amended(plan: Plan, events: Sequence[Amendment]) -> Plan:
    """The plan as amended; what was locked stays in `locked`. Raises `CannotAmend`."""
    for event in events:
        _check(plan, event)
        plan = _applied(plan, event)
    return plan


def _applied(plan: Plan, event: Amendment) -> Plan:
    change, settings = event.change, plan.settings
    own = {_SETTING.get(key, key): change[key] for key in ANALYSIS if key in change}
    if own or event.exploratory:
        settings = replace(settings, **own, planned=False)
    return replace(
        plan,
        repeats=change.get("repeats", plan.repeats),
        budget_usd=change.get("budget_usd", plan.budget_usd),
        dropped=(*plan.dropped, *change.get("drop_models", ())),
        settings=settings,
        amendments=(*plan.amendments, event),
        locked=plan.locked or plan,
    )


def _check(plan: Plan, event: Amendment) -> None:
    for key in event.change:
        if key in ANALYSIS and not event.exploratory:
            raise CannotAmend(
                f"{key} cannot change after the lock: an analysis chosen late finds what it looks "
                "for\n  Make a new lock, or add --exploratory and have the result labelled so."
            )
        if key not in (*FREE, *ANALYSIS):
            why = _WHY.get(key, f"it can change {', '.join((*FREE, *ANALYSIS))} only")
            raise CannotAmend(f"{key} cannot change after the lock: {why}\n  Make a new lock.")
    _check_values(plan, event.change)


def _check_values(plan: Plan, change: Mapping[str, Any]) -> None:
    repeats = change.get("repeats", plan.repeats + 1)
    if not _whole(repeats) or repeats > 10_000:
        raise CannotAmend(f"repeats: {repeats!r} is no whole number up to 10000")
    if repeats <= plan.repeats:
        raise CannotAmend(
            f"repeats can only grow ({plan.repeats} are planned): fewer is stopping early\n"
            "  Stop the run; its report says how far it came."
        )
    budget = change.get("budget_usd", 1.0)
    if not _number(budget) or budget <= 0:
        raise CannotAmend(f"budget_usd: {budget!r} is no amount of US dollars")
    known = [model.route for model in plan.models]
    if not isinstance(change.get("drop_models", []), list):
        raise CannotAmend("drop_models is a list of model routes")
    dropped = [*plan.dropped, *change.get("drop_models", ())]
    for route in change.get("drop_models", ()):
        if route not in known or dropped.count(route) > 1:
            left = ", ".join(sorted(set(known) - set(plan.dropped)))
            raise CannotAmend(f"{route!r} is no model of this plan\n  It has: {left}")
    if len(dropped) >= len(known):
        raise CannotAmend("no model would be left\n  Stop the run instead.")
    _check_settings(change)


def _check_settings(change: Mapping[str, Any]) -> None:
    alpha = change.get("alpha", 0.05)
    matters = change.get("smallest_change_that_matters", 0.05)
    looks = change.get("looks", 1)
    if not _number(alpha) or not 0 < alpha <= 0.2:
        raise CannotAmend(f"alpha: {alpha!r} does not lie above 0 and up to 0.2")
    if not _number(matters) or not 0 < matters < 1:
        raise CannotAmend(f"smallest_change_that_matters: {matters!r} is no proportion")
    if not _whole(looks) or looks > 20:
        raise CannotAmend(f"looks: {looks!r} is no number from 1 to 20")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def in_words(event: Amendment) -> str:
    """What an event changed and why, in one sentence for a report."""
    who = f" by {event.by}" if event.by else ""
    if event.timestamp:
        mark = event.timestamp
        what = (
            f"git commit {mark['commit']} of {mark['committed']} holds the lock"
            if mark["kind"] == "git"
            else f"the signature file {mark['name']} (SHA-256 {mark['sha256']}) was put beside it"
        )
        return f"Recorded on {event.at[:16].replace('T', ' ')} UTC{who}: {what}."
    names = {
        "repeats": "repeats changed to {}",
        "budget_usd": "budget changed to ${:,.2f}",
        "drop_models": "dropped {}; its trials so far stay in the analysis",
    }
    parts = [
        names.get(key, key + " changed to {}").format(
            ", ".join(value) if isinstance(value, list | tuple) else value
        )
        for key, value in event.change.items()
    ]
    label = " Exploratory." if event.exploratory else ""
    reason = event.reason.rstrip(".")
    return (
        f"Amended on {event.at[:16].replace('T', ' ')} UTC{who}: {'; '.join(parts)}. "
        f"Reason: {reason}.{label}"
    )
