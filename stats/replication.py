"""Did a claim come back on fresh trials? Effect kept, shrunk, gone, or not enough evidence.

Two yardsticks, because "significant again" confuses a smaller effect with a smaller study:

- the difference of the two effects with its interval, from their intervals by MOVER (Zou and Donner
  2008, Statistics in Medicine 27, 1693-1702; Newcombe 1998 is its first case);
- small telescopes (Simonsohn 2015, Psychological Science 26, 559-569): the effect that the first
  study had a chance of one in three to see. A second study that shows the effect to be smaller than
  that contradicts the first, whatever its own p.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from mitigations.model import Interval
from stats.named import Undefined

Z95 = float(ndtri(0.975))
ONE_SIDED = float(ndtri(0.95))


class ReplicationKind(StrEnum):
    """Exactly one for each carried-over claim."""

    KEPT = "effect kept"
    SHRUNK = "effect shrunk"
    GONE = "effect gone"
    NOT_ENOUGH_EVIDENCE = "not enough evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A difference with its 95 % interval."""

    difference: float
    ci95: Interval

    @property
    def standard_error(self) -> float:
        """Half the interval in normal quantiles."""
        return (self.ci95[1] - self.ci95[0]) / (2.0 * Z95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """The verdict on one claim and the numbers behind it."""

    kind: ReplicationKind
    change: float
    """Second effect minus first."""
    change_ci95: Interval
    small: float
    """Size of the effect that the first study had one chance in three to see."""
    limit: float
    """Largest size, in the claim's direction, that the second study leaves: one-sided 95 %."""
    reversed: bool = False
    """The second study shows an effect in the other direction."""


def difference_of_effects(first: Estimated, second: Estimated) -> Interval:
    """Interval of second minus first by MOVER, for independent estimates."""
    change = second.difference - first.difference
    (low1, high1), (low2, high2) = first.ci95, second.ci95
    below = math.hypot(second.difference - low2, high1 - first.difference)
    above = math.hypot(high2 - second.difference, first.difference - low1)
    return change - below, change + above


def seen_with(power: float, standard_error: float, *, alpha: float = 0.05) -> float:
    """Size of the effect that a two-sided z test with this standard error sees with this power."""
    if not standard_error > 0:
        raise Undefined("an estimate without an error is no measurement")
    if not alpha < power < 1:
        raise Undefined("power lies between alpha and 1")
    bar = -float(ndtri(alpha / 2.0))

    def missing(drift: float) -> float:
        return float(ndtr(drift - bar) + ndtr(-drift - bar)) - power

    return float(brentq(missing, 0.0, bar + 10.0, xtol=1e-14)) * standard_error


def replicate(
    first: Estimated,
    second: Estimated,
    *,
    shown: bool,
    smallest_change: float,
    alpha: float = 0.05,
) -> Replication:
    """The verdict on a claim.

    Args:
        first: what the discovery found. It was chosen for being large, so expect less.
        second: what the fresh trials found.
        shown: the fresh trials reject, in the family of the carried-over claims.
        smallest_change: the smallest change that matters.
        alpha: two-sided level of the first study.

    Raises `Undefined` where the first estimate is 0 or has no error.
    """
    if first.difference == 0:
        raise Undefined("a difference of exactly zero claims nothing")
    sign = math.copysign(1.0, first.difference)
    small = seen_with(1.0 / 3.0, first.standard_error, alpha=alpha)
    change_ci = difference_of_effects(first, second)
    limit = sign * second.difference + ONE_SIDED * second.standard_error
    backwards = shown and sign * second.difference < 0
    return Replication(
        kind=_kind(sign, second, change_ci, (shown, backwards), (limit, small, smallest_change)),
        change=second.difference - first.difference,
        change_ci95=change_ci,
        small=small,
        limit=limit,
        reversed=backwards,
    )


def _kind(
    sign: float,
    second: Estimated,
    change_ci: Interval,
    found: tuple[bool, bool],
    sizes: tuple[float, float, float],
) -> ReplicationKind:
    shown, backwards = found
    limit, small, smallest_change = sizes
    if backwards:
        return ReplicationKind.GONE
    if shown:
        smaller = change_ci[1] < 0 if sign > 0 else change_ci[0] > 0
        return ReplicationKind.SHRUNK if smaller else ReplicationKind.KEPT
    negligible = max(map(abs, second.ci95)) < smallest_change
    if limit < small or negligible:
        return ReplicationKind.GONE
    return ReplicationKind.NOT_ENOUGH_EVIDENCE
