"""Which transcripts a report shows, chosen by the seed and never by taste.

A pair is the baseline beside one variant on the same scenario, model and repeat. Choosing reads a
stream once and keeps a bounded number of rows, whatever the size of the run.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from typing import Literal, NamedTuple

from mitigations.model import Analysis, Cell, Outcome, OutcomeStatus, VerdictStatus
from reports.report import Pair, Transcripts

DEFAULT_PAIRS = 3
LARGEST_STRATA = 3
MAX_ALL = 2000
"""`all` shows at most this many pairs: a page that no browser opens helps nobody."""
MAX_DISPUTED = 20
"""Disagreements of judge and rules that a report shows unless asked for all."""

Why = Literal["drawn at random", "largest change", "judge and rules disagree"]


class Place(NamedTuple):
    """Where both arms of a pair stand."""

    scenario: str
    model: str
    repeat: int


def place(outcome: Outcome) -> Place:
    """The pair an outcome belongs to."""
    trial = outcome.trial
    return Place(trial.scenario, trial.model, trial.repeat)


def _rank(seed: int, where: Place) -> str:
    """A seeded order that does not depend on the order in which rows arrive."""
    text = "\x1f".join(map(str, (seed, *where)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sample_places(
    cells: Iterable[Cell], analysis: Analysis, *, repeats: int, transcripts: Transcripts
) -> tuple[Place, ...]:
    """The places whose outcomes `build` needs, so that a store can fetch these rows alone.

    Random places first, then one repeat of each stratum that changed most.
    """
    if transcripts == "none":
        return ()
    wanted = MAX_ALL if transcripts == "all" else int(transcripts)
    strata = sorted({(cell.scenario, cell.model) for cell in cells})
    places = (Place(*stratum, repeat) for stratum in strata for repeat in range(repeats))
    seed = analysis.settings.seed
    drawn = nsmallest(wanted, places, key=lambda where: _rank(seed, where))
    # A few repeats of each: the reader should see a pair that did change.
    changed = [
        Place(scenario, model, repeat)
        for scenario, model in largest_strata(cells, analysis)
        for repeat in range(min(repeats, 10))
    ]
    return tuple(dict.fromkeys([*drawn, *changed]))


def disputed_shown(
    places: Iterable[tuple[str, str, int]], transcripts: Transcripts
) -> tuple[Place, ...]:
    """The disputed places a report shows: all of them up to a cap, none with `none` or 0."""
    if transcripts in {"none", 0}:
        return ()
    cap = MAX_ALL if transcripts == "all" else MAX_DISPUTED
    return tuple(Place(*where) for where in places)[:cap]


def largest_strata(cells: Iterable[Cell], analysis: Analysis) -> list[tuple[str, str]]:
    """The (scenario, model) strata with the largest absolute change in any variant."""
    counts = {(cell.variant, cell.scenario, cell.model): cell.counts for cell in cells}
    baseline = analysis.settings.baseline
    sizes: dict[tuple[str, str], float] = {}
    for (variant, *stratum), treated in counts.items():
        where = (stratum[0], stratum[1])
        control = counts.get((baseline, *where))
        if variant == baseline or control is None or not (control.scored and treated.scored):
            continue
        sizes[where] = max(sizes.get(where, 0.0), abs(treated.rate - control.rate))
    ranked = sorted((-size, where) for where, size in sizes.items() if size > 0)
    return [where for _, where in ranked[:LARGEST_STRATA]]


def choose(
    outcomes: Iterable[Outcome],
    cells: Sequence[Cell],
    analysis: Analysis,
    transcripts: Transcripts,
    *,
    coercive_at: int | None = None,
) -> tuple[Pair, ...]:
    """Example pairs: drawn at random, then the largest changes, then judge-rule disagreements."""
    if transcripts == "none":
        return ()
    wanted = MAX_ALL if transcripts == "all" else int(transcripts)
    limits = _Limits(wanted, MAX_ALL if transcripts == "all" else MAX_DISPUTED, coercive_at)
    kept = _keep(outcomes, analysis, limits, largest_strata(cells, analysis))
    pairs: list[Pair] = []
    seen: set[tuple[Place, str]] = set()
    for why, arms in kept:
        for pair in _pairs(arms, analysis, why):
            shown = pair.treated or pair.baseline
            assert shown is not None  # _pairs gives at least one side
            key = (place(shown), shown.trial.variant)
            if key not in seen:
                seen.add(key)
                pairs.append(pair)
    return tuple(pairs)


class _Limits(NamedTuple):
    """How many pairs are wanted, how many disputed ones at most, and what counts as coercive."""

    wanted: int
    disputed: int
    coercive_at: int | None


def _keep(
    outcomes: Iterable[Outcome],
    analysis: Analysis,
    limits: _Limits,
    changed: Sequence[tuple[str, str]],
) -> Iterator[tuple[Why, dict[str, Outcome]]]:
    """One pass over the stream; memory is bounded by the limits, not by the run."""
    wanted = limits.wanted
    seed, names = analysis.settings.seed, {analysis.settings.baseline}
    names |= {comparison.variant for comparison in analysis.comparisons}
    drawn: dict[Place, dict[str, Outcome]] = {}
    large: dict[Place, dict[str, Outcome]] = {}
    disputed: dict[Place, dict[str, Outcome]] = {}
    for outcome in outcomes:
        if outcome.trial.variant not in names:
            continue
        where = place(outcome)
        drawn.setdefault(where, {})[outcome.trial.variant] = outcome
        if (where.scenario, where.model) in changed and where.repeat < 10:
            large.setdefault(where, {})[outcome.trial.variant] = outcome
        if wanted and disagrees(outcome, coercive_at=limits.coercive_at):
            _add(disputed, outcome, limits.disputed)
        if len(drawn) > 4 * wanted + 64:
            kept = nsmallest(wanted, drawn, key=lambda one: _rank(seed, one))
            drawn = {one: drawn[one] for one in kept}
    for where in nsmallest(wanted, drawn, key=lambda one: _rank(seed, one)):
        yield "drawn at random", drawn[where]
    for scenario, model in changed[:wanted]:
        here = [one for one in sorted(large) if (one.scenario, one.model) == (scenario, model)]
        best = max(here, key=lambda one: _spread(large[one]), default=None)
        if best is not None:
            yield "largest change", large[best]
    for where in sorted(disputed):
        yield "judge and rules disagree", disputed[where]


def _add(places: dict[Place, dict[str, Outcome]], outcome: Outcome, most: int) -> None:
    where = place(outcome)
    if where in places or len(places) < most:
        places.setdefault(where, {})[outcome.trial.variant] = outcome


def _spread(arms: dict[str, Outcome]) -> int:
    """How far the severities of one place lie apart; 0 where fewer than two are scored."""
    levels = [outcome.severity for outcome in arms.values() if outcome.severity is not None]
    return max(levels) - min(levels) if levels else 0


def _pairs(arms: dict[str, Outcome], analysis: Analysis, why: Why) -> Iterator[Pair]:
    """Baseline beside a variant: one variant a place, so that every page stays readable."""
    baseline = arms.get(analysis.settings.baseline)
    treated = [arms[one.variant] for one in analysis.comparisons if one.variant in arms]
    if why != "drawn at random" and treated:
        levels = baseline.severity if baseline and baseline.severity is not None else 0
        treated = [max(treated, key=lambda one: abs((one.severity or 0) - levels))]
    elif treated:
        turn = int(_rank(analysis.settings.seed, place(treated[0]))[:8], 16)
        treated = [treated[turn % len(treated)]]
    for one in treated:
        yield Pair(why=why, baseline=baseline, treated=one)
    if not treated and baseline is not None:
        yield Pair(why=why, baseline=baseline, treated=None)


def disagrees(outcome: Outcome, *, coercive_at: int | None = None) -> bool:
    """Whether a readable judge verdict contradicts the rules.

    It does where the severities lie more than one apart, or, given `coercive_at`, where one of the
    two is coercive and the other is not.
    """
    if outcome.status is not OutcomeStatus.SCORED or outcome.assessment is None:
        return False
    rules = outcome.assessment.severity
    return any(
        abs(severity - rules) > 1
        or (coercive_at is not None and (severity >= coercive_at) != (rules >= coercive_at))
        for severity in _read(outcome)
    )


def _read(outcome: Outcome) -> Iterator[int]:
    for verdict in outcome.verdicts:
        usable = verdict.status is VerdictStatus.READ and verdict.judge != "rules"
        if usable and verdict.severity is not None:
            yield verdict.severity
