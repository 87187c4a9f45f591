"""Which trials a person labels: a random sample of known probability in every arm and verdict.

Every trial has a random number of its own (a hash of the seed and its id), and a stratum's sample
is the trials with the smallest ones. So a larger sample holds every smaller one, and a sample drawn
again after a run went on is still a simple random sample of its strata ("permanent random
numbers", Ohlsson 1995, in Cox et al., Business Survey Methods, ch. 9).
"""

import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, get_args

from mitigations.errors import MitigationsError
from mitigations.model import Draw, Drawn
from mitigations.model.label import JudgedAs

LEAST = 2
"""Labels of every stratum that holds so many: one alone gives no idea of its spread."""


class Stratum(NamedTuple):
    """One arm and one verdict of the judge."""

    variant: str
    judged: JudgedAs


class SampleTooSmall(MitigationsError):
    """Fewer labels than strata need: some trials could never be drawn."""


def strata_of(population: Iterable[tuple[str, str, str]]) -> dict[Stratum, list[str]]:
    """Trials by stratum, from rows of (trial, variant, judged as)."""
    found: dict[Stratum, list[str]] = {}
    kinds = dict(zip(get_args(JudgedAs), get_args(JudgedAs), strict=True))
    for trial, variant, judged in population:
        found.setdefault(Stratum(variant, kinds[judged]), []).append(trial)
    return dict(sorted(found.items()))


def allocate(sizes: Mapping[Stratum, int], total: int) -> dict[Stratum, int]:
    """Labels per stratum: arms alike, verdicts alike inside an arm, as far as there are trials.

    Every stratum that holds trials gets `LEAST` or all it has, so that no probability is 0. Raises
    `SampleTooSmall` when `total` does not reach for that.
    """
    shares = {stratum: min(LEAST, size) for stratum, size in sizes.items() if size}
    if sum(shares.values()) > total:
        raise SampleTooSmall(
            f"--sample {total} is too small: {len(shares)} groups (arm by verdict) need at least "
            f"{sum(shares.values())} labels, or some trials could never be drawn\n"
            f"  Ask for at least {sum(shares.values())}; `mitigations plan` says how many are "
            "useful."
        )
    arms: dict[str, list[Stratum]] = {}
    for stratum in shares:
        arms.setdefault(stratum.variant, []).append(stratum)
    queue = [(sum(shares[one] for one in mine), arm) for arm, mine in sorted(arms.items())]
    heapq.heapify(queue)
    left = total - sum(shares.values())
    while left and queue:
        given, arm = heapq.heappop(queue)
        open_ones = [one for one in arms[arm] if shares[one] < sizes[one]]
        if not open_ones:
            continue
        shares[min(open_ones, key=lambda one: (shares[one], one))] += 1
        left -= 1
        heapq.heappush(queue, (given + 1, arm))
    return shares


def draw_sample(
    strata: Mapping[Stratum, Sequence[str]], total: int, *, run: str, seed: int, last: Draw | None
) -> tuple[Drawn, ...]:
    """The sample of `total` trials (all of them, if there are fewer), in a blind order."""
    shares = allocate({one: len(trials) for one, trials in strata.items()}, total)
    if last is not None:
        shares = _kept(shares, last, strata)
    items = [
        Drawn(
            item=item_id(trial, run=run, seed=seed),
            trial=trial,
            variant=stratum.variant,
            judged=stratum.judged,
            population=len(strata[stratum]),
            sampled=size,
        )
        for stratum, size in shares.items()
        for trial in heapq.nsmallest(size, strata[stratum], key=lambda one: _number(seed, run, one))
    ]
    return tuple(sorted(items, key=lambda one: one.item))


def _kept(
    shares: Mapping[Stratum, int], last: Draw, strata: Mapping[Stratum, Sequence[str]]
) -> dict[Stratum, int]:
    """No stratum gets fewer than it had: what was labelled stays in the sample."""
    before = {Stratum(one.variant, one.judged): one.sampled for one in last.items}
    return {
        stratum: min(len(strata[stratum]), max(size, before.get(stratum, 0)))
        for stratum, size in shares.items()
    }


def item_id(trial: str, *, run: str, seed: int) -> str:
    """The blind name of a trial: nothing about the trial can be read from it.

    It starts with a letter no number has, or a spreadsheet would round `12345e6789`.
    """
    return "t" + _digest("item", seed, run, trial)[:10]


def in_order(items: Iterable[Drawn], *, who: str, seed: int) -> tuple[Drawn, ...]:
    """The order in which one labeller sees the sample: each labeller has an order of their own."""
    return tuple(sorted(items, key=lambda one: _digest("order", seed, who, one.item)))


def _number(seed: int, run: str, trial: str) -> str:
    return _digest("draw", seed, run, trial)


def _digest(*parts: object) -> str:
    text = "\x1f".join(map(str, parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
