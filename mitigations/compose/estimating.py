"""What a plan will take and what it could show, before any money is spent."""

import re
from dataclasses import dataclass
from typing import Any

from mitigations.compose.running import default_concurrency
from mitigations.model import ModelSpec, Plan
from runner.budget import input_bound, worst_case_of
from runner.compose import realise, request
from runner.judge import judge_request, seats
from stats.power import Grid, mde, planned_looks, power

ASSUMED_RATE = 0.3
"""Baseline rate assumed where there is no pilot: near the published mean of 38.7 in 100."""
TYPICAL_OUTPUT_TOKENS = 250
BYTES_PER_TOKEN = 4
SECONDS_PER_CALL = {"local": 2.5, "simulated": 0.001}
REMOTE_SECONDS = 8.0
_DATED = re.compile(r"20\d\d-?[01]\d-?[0-3]\d|-\d{4}$")
"""A model id that carries its date names one version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Size, price, time and power of a plan."""

    cells: int
    twins: int
    trials: int
    calls: int
    """At most: a scenario of several turns can end earlier. Retries come on top."""
    usd_typical: float
    usd_at_most: float
    """Worst case of every call, retries left out; the budget holds whatever happens."""
    seconds: float
    mde: float
    """Smallest difference that 80 % of such runs would detect, as a proportion."""
    power_at_smallest: float
    """Chance to detect the smallest change that matters."""
    expected_share: float | None
    """Share of the trials a design with planned looks is expected to need at that change."""
    warnings: tuple[str, ...]


def estimate(plan: Plan) -> Estimate:
    """Composes one request per model and scenario, and one per judge, to price them."""
    cells = sum(not scenario.is_twin for scenario in plan.scenarios)
    typical, most = _price(plan)
    grid = Grid(
        scenarios=cells,
        models=len(plan.models),
        repeats=plan.repeats,
        vbar=ASSUMED_RATE * (1 - ASSUMED_RATE),
        comparisons=len(plan.variants) - 1,
        alpha=plan.settings.alpha,
    )
    looks = plan.settings.looks if plan.settings.design == "group-sequential" else 1
    change = plan.settings.smallest_change
    return Estimate(
        cells=cells,
        twins=len(plan.scenarios) - cells,
        trials=plan.trial_count,
        calls=sum(_calls(plan)),
        usd_typical=typical,
        usd_at_most=most,
        seconds=_seconds(plan),
        mde=mde(grid),
        power_at_smallest=power(change, grid),
        expected_share=(
            planned_looks(change, grid, looks=looks).expected_share if looks > 1 else None
        ),
        warnings=tuple(_warnings(plan, cells, most)),
    )


def _price(plan: Plan) -> tuple[float, float]:
    """Typical and worst price in US dollars, judges included and retries left out."""
    typical = most = 0.0
    each = len(plan.variants) * plan.repeats
    longest = max(plan.variants, key=lambda variant: len(variant.text))
    judges = seats(plan.judge)
    for scenario in plan.scenarios:
        realised = realise(scenario, seed=0, fixed=True)
        readings = [judge_request(realised, (), model=judge, key="") for judge in judges]
        for model in plan.models:
            call = request(longest, realised, model, key="", seed=0)
            turns = scenario.max_turns
            reply = model.max_tokens * turns
            # Every turn reads the replies before it, and what was answered to them.
            most += each * (worst_case_of(call) * turns)
            most += each * _reading(model, 2 * model.max_tokens * sum(range(turns)))
            typical += each * _typical(model, input_bound(call)) * turns
            for reading in readings:
                # A judge reads all replies; as one JSON string they can take twice their tokens.
                most += each * (worst_case_of(reading) + _reading(reading.model, 2 * reply))
                typical += each * _typical(reading.model, input_bound(reading))
    return typical, most


def _reading(model: ModelSpec, tokens: int) -> float:
    """Price of so many more input tokens."""
    return 0.0 if model.price is None else tokens * model.price.input_per_mtok / 1e6


def _calls(plan: Plan) -> tuple[int, int]:
    """Most calls to the models under test, and calls to judges."""
    turns = sum(scenario.max_turns for scenario in plan.scenarios)
    tested = len(plan.variants) * len(plan.models) * plan.repeats * turns
    return tested, plan.trial_count * len(seats(plan.judge))


def _typical(model: ModelSpec, bound: int) -> float:
    if model.price is None:
        return 0.0
    tokens = bound / BYTES_PER_TOKEN * model.price.input_per_mtok
    return (tokens + TYPICAL_OUTPUT_TOKENS * model.price.output_per_mtok) / 1e6


def _seconds(plan: Plan) -> float:
    tested, judged = _calls(plan)
    each = tested / len(plan.models)
    total = each * sum(_pace(model) for model in plan.models)
    judges = seats(plan.judge)
    if judges:
        total += judged / len(judges) * sum(_pace(judge) for judge in judges)
    return total / default_concurrency(plan)


def _pace(model: ModelSpec) -> float:
    return SECONDS_PER_CALL.get(model.provider, REMOTE_SECONDS)


def _warnings(plan: Plan, cells: int, most: float) -> list[str]:
    found = []
    if cells < 20:
        found.append(
            f"{cells} scenarios: what is found holds for this grid; at least 20 are needed to "
            "speak of scenarios like these."
        )
    if not plan.settings.guardrail_margins:
        found.append("no guardrail margins: side effects will be shown but not tested.")
    paid = [model for model in plan.models if not model.is_free]
    aliases = [model.route for model in paid if not _DATED.search(model.name)]
    if aliases:
        found.append(
            f"{', '.join(aliases)} may be an alias that changes mid-study: name a dated version."
        )
    if plan.budget_usd is not None and most > plan.budget_usd:
        found.append(
            f"at worst this costs ${most:.2f}, more than the budget of ${plan.budget_usd:.2f}: "
            "the run would stop there and could be resumed."
        )
    if not plan.judge.models:
        found.append("no judge model: the rule verdict alone decides.")
    return found


def lines(plan: Plan, found: Estimate) -> list[str]:
    """The plan in words, for a terminal."""
    money = (
        "free"
        if found.usd_at_most == 0
        else f"about ${found.usd_typical:.2f}, at most ${found.usd_at_most:.2f} without retries"
    )
    change = 100 * plan.settings.smallest_change
    size = (
        f"{plan.study}: {_count(len(plan.variants) - 1, 'variant')} against {plan.baseline.id}, "
        f"{_count(found.cells, 'scenario')} and {_count(found.twins, 'benign twin')}, "
        f"{_count(len(plan.models), 'model')}, {_count(plan.repeats, 'repeat')}"
    )
    cost = f"{found.calls:,} calls; {money}; about {duration(found.seconds)}"
    smallest = (
        f"  Smallest change seen in 8 of 10 such runs: {100 * found.mde:.1f} in 100 "
        f"(baseline assumed at {100 * ASSUMED_RATE:.0f} in 100, no pilot)"
    )
    chance = f"{100 * found.power_at_smallest:.0f} %"
    result = [
        size,
        f"  {found.trials:,} trials, {cost}",
        smallest,
        f"  Chance to see the {change:g} in 100 that matters: {chance}",
    ]
    if found.expected_share is not None:
        share = f"{100 * found.expected_share:.0f} %"
        result.append(f"  Planned looks are expected to need {share} of the trials at that change")
    result += [f"  {one.variant}: {one.status} by {one.by}" for one in plan.approvals]
    return result + [f"  Note: {warning}" for warning in found.warnings]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


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
        "warnings": list(found.warnings),
    }
