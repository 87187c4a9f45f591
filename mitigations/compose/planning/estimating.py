"""What a plan will take and what it could show, before any money is spent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mitigations.compose.batching import at_prices_of_its_mode
from mitigations.compose.judging.against_labels import useful_labels
from mitigations.compose.planning.pilot import Pilot, headroom_notes
from mitigations.compose.widths import default_concurrency
from mitigations.errors import InvalidFile
from mitigations.files import read_text
from mitigations.model import ModelSpec, Plan
from runner.budget import input_bound, worst_case_of
from runner.caching import cache_eligibility, sentences
from runner.compose import realise, request
from runner.judge import judge_request, seats
from runner.judge.family import family
from stats.anytime_outlook import anytime_outlook
from stats.power import Grid, mde, planned_looks, power

ASSUMED_RATE = 0.3
"""Baseline rate assumed where there is no pilot: near the published mean of 38.7 in 100."""
ASSUMED_TAU = 0.1
"""Standard deviation of the true effect between scenarios, assumed for `scenarios like these`."""
LEAST_RATE = 0.005
"""A pilot without an event does not promise a run without scatter."""
TYPICAL_OUTPUT_TOKENS = 250
BYTES_PER_TOKEN = 4
SECONDS_PER_CALL = {"local": 2.5, "simulated": 0.001}
REMOTE_SECONDS = 8.0
OWN_SECONDS = 0.0025
"""Of one core for each trial, however fast the models answer (`docs/benchmarks-runner.md`)."""
BATCH_SECONDS = 3600.0
"""Both providers say that most batches end within an hour; all end within 24."""
_DATED = re.compile(r"20\d\d-?[01]\d-?[0-3]\d|-\d{4}$")
"""A model id that carries its date names one version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlabelled:
    """A judge of whose verdicts no human labels are known."""

    sentence: str
    wanted: int
    """How many labels would make a useful correction."""
    command: str
    """What takes them, once the run is there."""


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
    """Share of the trials that a design with early looks is expected to need at that change."""
    rate: float
    """Baseline rate, assumed or of earlier runs."""
    pilot_runs: int
    """Earlier runs behind `rate`; 0: it is assumed."""
    mde_like_these: float
    """Smallest difference seen for scenarios like these, at the assumed scatter between them."""
    cache: tuple[str, ...]
    """What the providers' prompt caches can serve; empty where no model is paid."""
    warnings: tuple[str, ...]
    unlabelled: Unlabelled | None
    """None where earlier runs hold labels of this judge."""


def estimate(
    plan: Plan, pilots: Sequence[Pilot] = (), *, unread: str = "", labelled: int = 0
) -> Estimate:
    """Composes one request per model and scenario, and one per judge, to price them.

    `pilots` are earlier trials of the baseline: their rate takes the place of the assumed one.
    `unread` is why earlier runs could not be looked at. `labelled`: human labels known of this
    judge already, from earlier runs.
    """
    cells = sum(not scenario.is_twin for scenario in plan.scenarios)
    typical, most = _price(plan)
    rate = _rate(pilots)
    grid = Grid(
        scenarios=cells,
        models=len(plan.models),
        repeats=plan.repeats,
        vbar=max(rate * (1 - rate), LEAST_RATE * (1 - LEAST_RATE)),
        comparisons=len(plan.variants) - 1,
        alpha=plan.settings.alpha,
    )
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
        expected_share=_expected_share(plan, grid, rate),
        rate=rate,
        pilot_runs=max((one.runs for one in pilots), default=0),
        mde_like_these=mde(replace(grid, tau2=ASSUMED_TAU**2)),
        cache=() if plan.mode == "batch" else sentences(cache_eligibility(plan)),
        warnings=(
            *headroom_notes(plan, pilots),
            *([unread + "."] if unread else []),
            *_warnings(plan, cells, most),
        ),
        unlabelled=None if labelled else _unlabelled(plan),
    )


def refuse_small_budget(plan: Plan, found: Estimate, path: Path) -> None:
    """Raise `InvalidFile` where the budget does not pay for one epoch: nothing is compared."""
    budget = plan.budget_usd
    if budget is None or budget >= found.usd_typical / plan.repeats:
        return
    lines_ = read_text(path).splitlines()
    at = next((n for n, line in enumerate(lines_, 1) if line.startswith("budget_usd")), None)
    raise InvalidFile(
        path,
        f"budget_usd: ${budget:g} does not pay for one epoch, about "
        f"${found.usd_typical / plan.repeats:.2f}: no arm could be compared",
        fix="Give a larger budget, or fewer variants, scenarios or models.",
        line=at,
    )


def _rate(pilots: Sequence[Pilot]) -> float:
    scored = sum(one.scored for one in pilots)
    return sum(one.coercive for one in pilots) / scored if scored else ASSUMED_RATE


def _expected_share(plan: Plan, grid: Grid, rate: float) -> float | None:
    """Share of the trials at the smallest change that matters; None where nobody looks early."""
    settings = plan.settings
    if settings.design == "group-sequential" and settings.looks > 1:
        return planned_looks(settings.smallest_change, grid, looks=settings.looks).expected_share
    if settings.design == "anytime":
        fall = -settings.smallest_change if rate >= settings.smallest_change else rate
        return anytime_outlook(fall, grid, rate=min(rate, 1.0)).expected_share
    return None


def _price(plan: Plan) -> tuple[float, float]:
    """Typical and worst price in US dollars, judges included and retries left out."""
    plan = at_prices_of_its_mode(plan)
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
    if plan.mode == "batch":
        # One batch after the other: each turn, then the judges.
        turns = max(scenario.max_turns for scenario in plan.scenarios)
        return BATCH_SECONDS * (turns + bool(seats(plan.judge)))
    tested, judged = _calls(plan)
    each = tested / len(plan.models)
    total = each * sum(_pace(model) for model in plan.models)
    judges = seats(plan.judge)
    if judges:
        total += judged / len(judges) * sum(_pace(judge) for judge in judges)
    return max(total / default_concurrency(plan), plan.trial_count * OWN_SECONDS)


def _pace(model: ModelSpec) -> float:
    return SECONDS_PER_CALL.get(model.provider, REMOTE_SECONDS)


def _warnings(plan: Plan, cells: int, most: float) -> list[str]:
    found = []
    if plan.mode == "batch":
        found.append(
            "by batch at the providers' batch price; a batch usually ends within an hour and may "
            "take 24, and prompt caches are not counted on."
        )
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
    near = {family(model.route) for model in plan.models}
    own = [judge.route for judge in plan.judge.models if family(judge.route) in near]
    if own:
        found.append(
            f"{', '.join(own)} judges models of its own family: judges favour their kin. Name "
            "another, and label replies by hand."
        )
    if not plan.judge.models:
        found.append("no judge model: the rule verdict alone decides.")
    return found


def _unlabelled(plan: Plan) -> Unlabelled:
    """What a judge nobody has checked leaves open, and how to check it."""
    judge = ", ".join(model.route for model in plan.judge.models)
    whose = f"{judge}: its" if judge else "the rules that judge: their"
    wanted = useful_labels(plan)
    return Unlabelled(
        sentence=f"no human labels for {whose} errors are unknown; about {wanted:,} would correct "
        "for them.",
        wanted=wanted,
        command=f"mitigations label {plan.study} --sample {wanted} --by YOU",
    )
