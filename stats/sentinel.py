"""Has a model changed since it was first watched? An e-process over runs of one fixed panel.

The panel is the control arm: the same scenarios, the same number of valid trials of each in a run.
Under "no change" the panel's mean risk mu is the same in every run. For each mu a bettor stakes on
every trial the likelihood ratio of a guessed mean q against mu; over a whole panel the expected
product is at most 1 however the scenarios differ (inequality of the means), so at the end of each
run the wealth is a supermartingale. The guesses are a mixture, fixed before any data: no change,
or a change before run 2, 3, ..., each side with a Beta(1/2, 1/2) mean. Nobody knows mu, so the
e-value is the smallest wealth over all mu: it is at most the wealth at the true one, hence an
e-process, and by Ville's inequality P(it ever reaches 1/alpha) <= alpha, however often one looks.

Sources: Wasserman, Ramdas & Balakrishnan (2020), PNAS 117, 16880 (universal inference, section 8:
the running maximum in the denominator); Krichevsky & Trofimov (1981), IEEE IT-27, 199 (the prior);
Ramdas, Grunwald, Vovk & Shafer (2023), Statistical Science 38, 576 (e-processes).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, logsumexp

from mitigations.model import Cell, Counts
from stats.named import Undefined

CHANGE = 0.5
"""Prior weight of "it changes at some run"; that of run t is CHANGE / ((t - 1) t), t >= 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A model after the last of its runs."""

    log_e: float
    """Of now; an alarm that has sounded stands on the largest one so far."""
    log_e_max: float
    fired: bool
    at: int | None
    """The run (from 1) at which it first reached 1/alpha."""
    changed_from: int | None
    """The run from which the change is most likely; None while no alarm has sounded."""


def watch_panel(runs: Sequence[Counts], *, alpha: float = 0.05) -> Watched:
    """The e-process over runs of one panel, oldest first; `Counts` of the panel in each run.

    Raises `Undefined` for an alpha outside (0, 1) or a run without a trial.
    """
    if not 0.0 < alpha < 1.0:
        raise Undefined("alpha must lie strictly between 0 and 1")
    if any(run.scored == 0 for run in runs):
        raise Undefined("a run without a scored trial is no part of a panel's history")
    path = [log_e_value_of_change(runs[: count + 1]) for count in range(len(runs))]
    bar = -math.log(alpha)
    at = next((place for place, value in enumerate(path, 1) if value >= bar), None)
    return Watched(
        log_e=path[-1] if path else 0.0,
        log_e_max=max([0.0, *path]),
        fired=at is not None,
        at=at,
        changed_from=None if at is None else _most_likely(runs),
    )


def log_e_value_of_change(runs: Sequence[Counts]) -> float:
    """Natural logarithm of the evidence against "the panel's mean never changed"."""
    if not runs:
        return 0.0
    x = np.cumsum([run.coercive for run in runs], dtype=float)
    n = np.cumsum([run.scored for run in runs], dtype=float)
    last = len(runs)
    terms = [_log_mean(x[-1], n[-1]) + math.log(1.0 - CHANGE + CHANGE / last)]
    for start in range(2, last + 1):
        before = _log_mean(x[start - 2], n[start - 2])
        after = _log_mean(x[-1] - x[start - 2], n[-1] - n[start - 2])
        terms.append(before + after + math.log(CHANGE / ((start - 1) * start)))
    return float(logsumexp(terms)) - _log_best(float(x[-1]), float(n[-1]))


def panel(
    runs: Sequence[Sequence[Cell]], *, model: str, seeds: Sequence[int]
) -> list[Counts | str]:
    """Each run's controls of one model as a panel: equal numbers of every scenario.

    A cell that has more valid trials than the smallest one of its run is thinned to it at random,
    by the run's seed: that is blind to the answers. A run in which a scenario of the panel (those
    of the first run) has no valid trial gives the reason instead.
    """
    wanted: frozenset[str] | None = None
    found: list[Counts | str] = []
    for cells, seed in zip(runs, seeds, strict=True):
        mine = {cell.scenario: cell.counts for cell in cells if cell.model == model}
        if wanted is None:
            wanted = frozenset(mine)
        missing = [name for name in sorted(wanted) if mine.get(name, _NONE).scored == 0]
        if not wanted or missing:
            found.append(f"no scored control trial of {', '.join(missing[:3]) or 'this model'}")
            continue
        found.append(_thinned([mine[name] for name in sorted(wanted)], seed))
    return found


_NONE = Counts(coercive=0, scored=0)


def _thinned(cells: Sequence[Counts], seed: int) -> Counts:
    least = min(cell.scored for cell in cells)
    rng = np.random.default_rng(seed)
    kept = [
        int(rng.hypergeometric(cell.coercive, cell.scored - cell.coercive, least))
        if cell.scored > least
        else cell.coercive
        for cell in cells
    ]
    return Counts(coercive=sum(kept), scored=least * len(cells))


def _most_likely(runs: Sequence[Counts]) -> int:
    x = np.cumsum([run.coercive for run in runs], dtype=float)
    n = np.cumsum([run.scored for run in runs], dtype=float)
    scores = [
        _log_mean(x[start - 2], n[start - 2])
        + _log_mean(x[-1] - x[start - 2], n[-1] - n[start - 2])
        for start in range(2, len(runs) + 1)
    ]
    return 2 + int(np.argmax(scores))


def _log_mean(x: float, n: float) -> float:
    """Log probability of one sequence with x of n under a Beta(1/2, 1/2) mean."""
    return float(betaln(x + 0.5, n - x + 0.5) - betaln(0.5, 0.5))


def _log_best(x: float, n: float) -> float:
    """The same under the mean that fits best."""
    parts = [(x, x / n), (n - x, 1.0 - x / n)]
    return sum(count * math.log(share) for count, share in parts if count > 0)
