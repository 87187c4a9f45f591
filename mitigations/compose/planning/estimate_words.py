"""What a plan will take and could show, said: to a terminal, and as data."""

from collections.abc import Sequence
from typing import Any

from mitigations.compose.planning.durations import duration
from mitigations.compose.planning.estimating import ASSUMED_TAU, Estimate
from mitigations.model import Plan


def lines(plan: Plan, found: Estimate) -> list[str]:
    """The plan in words, for a terminal: one subject a line, then what to think about."""
    models = ", ".join(model.route for model in plan.models)
    arms = ", ".join(variant.id for variant in plan.variants[1:])
    result = [
        f"{plan.study}: {_count(len(plan.variants) - 1, 'variant')} against {plan.baseline.id}",
        _line("Variants", arms),
        _line("Models", models),
        _line(
            "Grid",
            f"{_count(found.cells, 'scenario')} and {_count(found.twins, 'benign twin')}, "
            f"{_count(len(plan.models), 'model')}, {_count(plan.repeats, 'repeat')}: "
            f"{found.trials:,} trials",
        ),
        _line("Calls", f"{found.calls:,} at most, about {duration(found.seconds)}"),
        _line("Price", _money(found)),
        *_power_lines(plan, found),
        *(_line("Stopping", text) for text in (_stopping(plan, found),) if text),
        *(_line("Cache", text) for text in _cache_lines(found.cache)),
        *(_line("Status", f"{one.variant} {one.status} by {one.by}") for one in plan.approvals),
    ]
    return result + [f"  Note: {note}" for note in (*found.warnings, *_labels(found))]


def _labels(found: Estimate) -> list[str]:
    missing = found.unlabelled
    return [] if missing is None else [f"{missing.sentence} After the run: {missing.command}"]


def _cache_lines(told: Sequence[str]) -> list[str]:
    """Of each model what is cached, or the longest prefix that is not."""
    by_model: dict[str, list[str]] = {}
    for text in told:
        by_model.setdefault(text.partition(": ")[0], []).append(text)
    return [
        text
        for lines_ in by_model.values()
        for text in ([one for one in lines_ if "not cached" not in one] or lines_[-1:])
    ]


def _line(label: str, text: str) -> str:
    return f"  {label:<9} {text}"


def _money(found: Estimate) -> str:
    if found.usd_at_most == 0:
        return "free"
    return f"about ${found.usd_typical:.2f}, at most ${found.usd_at_most:.2f} without retries"


def _power_lines(plan: Plan, found: Estimate) -> list[str]:
    change = 100 * plan.settings.smallest_change
    source = (
        f"{100 * found.rate:.0f} in 100 in {_count(found.pilot_runs, 'earlier run')}"
        if found.pilot_runs
        else f"assumed at {100 * found.rate:.0f} in 100, no pilot"
    )
    return [
        _line(
            "Power",
            f"this grid: a change of {100 * found.mde:.1f} in 100 is seen in 8 of 10 such runs, "
            f"the {change:g} in 100 that matters in {100 * found.power_at_smallest:.0f} of 100",
        ),
        _line(
            "",
            f"scenarios like these: a change of {100 * found.mde_like_these:.1f} in 100, if the "
            f"effect differs between scenarios by {100 * ASSUMED_TAU:.0f} in 100 (assumed)",
        ),
        _line("", f"baseline {source}"),
    ]


def _stopping(plan: Plan, found: Estimate) -> str:
    """What looking early is expected to save, in trials and money."""
    if found.expected_share is None:
        return ""
    share = found.expected_share
    saved = round((1 - share) * found.trials)
    money = f" and ${(1 - share) * found.usd_typical:.2f}" if found.usd_typical else ""
    how = (
        f"{plan.settings.looks} planned looks"
        if plan.settings.design == "group-sequential"
        else "a look after every epoch"
    )
    return (
        f"{how}: expected to need {100 * share:.0f} % of the trials if a change of "
        f"{100 * plan.settings.smallest_change:g} in 100 is true, about {saved:,} trials{money} "
        "saved"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def as_json(plan: Plan, found: Estimate, *, lock: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "schema": "mitigations.plan/1",
        "study": plan.study,
        "lock": lock,
        "hash": plan.hash,
        "cells": found.cells,
        "twins": found.twins,
        "trials": found.trials,
        "calls": found.calls,
        "usd_typical": found.usd_typical,
        "usd_at_most": found.usd_at_most,
        "seconds": found.seconds,
        "mde": found.mde,
        "power_at_smallest_change": found.power_at_smallest,
        "expected_share": found.expected_share,
        "baseline_rate": found.rate,
        "pilot_runs": found.pilot_runs,
        "mde_like_these": found.mde_like_these,
        "cache": list(found.cache),
        "approvals": [{"variant": one.variant, "status": one.status} for one in plan.approvals],
        "warnings": [*found.warnings, *_labels(found)],
    }
