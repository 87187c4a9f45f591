"""Planned looks: Lan-DeMets spending with an O'Brien-Fleming shape, two-sided and symmetric.

Information is the completed share of the planned trials. Boundaries come from the recursive
integration of Armitage, McPherson & Rowe (1969) over the score process, in which increments are
independent normals (Jennison & Turnbull 2000, Group Sequential Methods, chapter 19).

After stopping, two things are reported, both after Jennison & Turnbull (2000):
the *repeated* confidence interval, estimate -+ boundary x SE (chapter 9), which agrees with the
decision at every look, covers whenever and for whatever reason the run stopped and is therefore
the interval of the report; and the p-value, median-unbiased estimate and interval of stage-wise
ordering (section 8.4), which undo the exaggeration that stopping early brings.

Sources: Lan & DeMets (1983), Biometrika 70, 659-663; O'Brien & Fleming (1979), Biometrics 35.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from mitigations.model import Interval
from stats.named import Undefined

FloatArray = npt.NDArray[np.float64]

REACH = 9.0
"""Standard deviations beyond which a normal density counts as nothing (1e-19)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Probabilities, look by look, of leaving through the upper or the lower boundary."""

    upper: tuple[float, ...]
    lower: tuple[float, ...]

    @property
    def power(self) -> float:
        """Chance of leaving through either boundary at any look."""
        return sum(self.upper) + sum(self.lower)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One planned look: what is allowed, what was seen, what follows."""

    information: float
    boundary: float
    """abs(z) at or above this rejects."""
    nominal_alpha: float
    """The same as a two-sided p-value: reject at p <= nominal_alpha."""
    alpha_spent: float
    """Share of alpha spent by this look, earlier ones included."""
    z: float
    rejected: bool


def spent(information: float, alpha: float = 0.05) -> float:
    """Two-sided alpha spent by an information share: 4 (1 - Phi(z_{alpha/4} / sqrt(t))).

    Each side spends alpha/2 by Lan & DeMets' first function; at t = 1 all of alpha is spent.
    """
    if not information > 0.0:
        raise Undefined("information must be above 0")
    share = min(information, 1.0)
    return 4.0 * float(ndtr(float(ndtri(alpha / 4.0)) / math.sqrt(share)))


def boundaries(information: Sequence[float], *, alpha: float = 0.05) -> tuple[float, ...]:
    """Critical abs(z) at looks with these information shares, increasing and at most 1.

    For a family of K - 1 variants give alpha/(K - 1). Infinite where a look may spend nothing
    that a double can hold.

    >>> [round(z, 3) for z in boundaries([0.2, 0.4, 0.6, 0.8, 1.0])]
    [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    return _boundaries(_shares(information), alpha)


def crossing(
    information: Sequence[float], bounds: Sequence[float], *, drift: float = 0.0
) -> Crossing:
    """Exit probabilities when z at full information has mean `drift`."""
    shares = _shares(information)
    if len(shares) != len(bounds):
        raise Undefined("each look needs one boundary")
    upper, lower, state = [], [], None
    for look, bound in enumerate(bounds):
        process = _Step(state=state, shares=shares[: look + 1], drift=drift)
        upper.append(process.tail(bound))
        lower.append(process.tail(-bound, above=False))
        state = process.survivors(bound)
    return Crossing(upper=tuple(upper), lower=tuple(lower))


def expected_share(
    information: Sequence[float], bounds: Sequence[float], *, drift: float = 0.0
) -> float:
    """Expected share of the planned trials that is run; 1 minus this is saved."""
    exits = crossing(information, bounds, drift=drift)
    left, share = 1.0, 0.0
    for look, t in enumerate(information):
        leaves = exits.upper[look] + exits.lower[look]
        share += t * (leaves if look + 1 < len(information) else left)
        left -= leaves
    return share


def look(z: float, information: Sequence[float], *, alpha: float = 0.05) -> Look:
    """Judge the latest of the looks in `information` by its z."""
    bound = boundaries(information, alpha=alpha)[-1]
    return Look(
        information=information[-1],
        boundary=bound,
        nominal_alpha=2.0 * float(ndtr(-bound)),
        alpha_spent=spent(information[-1], alpha),
        z=z,
        rejected=abs(z) >= bound,
    )


def repeated_interval(
    estimate: float, standard_error: float, information: Sequence[float], *, alpha: float = 0.05
) -> Interval:
    """Estimate -+ boundary x SE at the latest look; simultaneous over all looks."""
    half = boundaries(information, alpha=alpha)[-1] * standard_error
    return estimate - half, estimate + half


def stagewise_p(z: float, information: Sequence[float], *, alpha: float = 0.05) -> float:
    """Two-sided p of a run that stopped at the latest look; an earlier exit is more extreme."""
    above = _beyond(z, _shares(information), alpha, drift=0.0)
    return min(1.0, 2.0 * min(above, 1.0 - above))


def stagewise_estimate(
    z: float, standard_error: float, information: Sequence[float], *, alpha: float = 0.05
) -> tuple[float, Interval]:
    """Median-unbiased effect and its 1 - alpha interval after stopping at the latest look.

    `standard_error` is that of the effect at that look; the answer is in the effect's units.
    """
    shares = _shares(information)
    to_effect = standard_error * math.sqrt(shares[-1])

    def drift_at(probability: float) -> float:
        def gap(drift: float) -> float:
            return _beyond(z, shares, alpha, drift=drift) - probability

        centre = z / math.sqrt(shares[-1])
        width = 10.0 / math.sqrt(shares[0])
        return float(brentq(gap, centre - width, centre + width, xtol=1e-9))

    interval = (drift_at(alpha / 2.0) * to_effect, drift_at(1.0 - alpha / 2.0) * to_effect)
    return drift_at(0.5) * to_effect, interval


def conditional_power(
    z: float,
    information: float,
    *,
    final_bound: float,
    drift: float,
    direction: float | None = None,
) -> float:
    """Chance, given z now, that the last look rejects in a direction if `drift` is true.

    `direction`: 1 or -1; None: that of z.

    Non-binding futility: stopping when this is under 0.1 at the drift of the smallest change that
    matters can only lower the false-positive rate, so the boundaries need no change.
    """
    if not 0.0 < information < 1.0:
        raise Undefined("conditional power exists between the looks: information in (0, 1)")
    way = math.copysign(1.0, z) if direction is None else direction
    score = way * z * math.sqrt(information) + way * drift * (1.0 - information)
    return float(ndtr((score - final_bound) / math.sqrt(1.0 - information)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Density of the score z sqrt(t) of the runs still going, at quadrature nodes."""

    nodes: FloatArray
    mass: FloatArray


class _Step:
    """The score process at one look, given the survivors of the look before."""

    def __init__(self, *, state: _State | None, shares: tuple[float, ...], drift: float) -> None:
        self._state = state
        self._share = shares[-1]
        step = shares[-1] - (shares[-2] if len(shares) > 1 else 0.0)
        self._sd, self._shift = math.sqrt(step), drift * step
        self._drift = drift

    def tail(self, bound: float, *, above: bool = True) -> float:
        """Chance to survive so far and lie beyond z = bound now."""
        cut = bound * math.sqrt(self._share)
        sign = 1.0 if above else -1.0
        if self._state is None:
            return float(ndtr(sign * (self._shift - cut) / self._sd))
        means = self._state.nodes + self._shift
        return float(self._state.mass @ ndtr(sign * (means - cut) / self._sd))

    def survivors(self, bound: float) -> _State:
        """Density inside -bound < z < bound, as masses on Gauss-Legendre nodes."""
        root, centre = math.sqrt(self._share), self._drift * self._share
        low = max(-bound * root, centre - REACH * root)
        high = min(bound * root, centre + REACH * root)
        if high <= low:
            return _State(nodes=np.zeros(1), mass=np.zeros(1))
        # Enough nodes to resolve the narrowest kernel, that of one step.
        x, w = _panels(min(64, max(2, math.ceil(0.2 * (high - low) / self._sd))))
        nodes = low + (high - low) * (x + 1.0) / 2.0
        weights = w * (high - low) / 2.0
        if self._state is None:
            density = _normal((nodes - self._shift) / self._sd) / self._sd
        else:
            means = self._state.nodes + self._shift
            kernel = _normal((nodes[:, None] - means[None, :]) / self._sd) / self._sd
            density = kernel @ self._state.mass
        return _State(nodes=nodes, mass=weights * density)


@lru_cache(maxsize=256)
def _boundaries(shares: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    bounds: list[float] = []
    state, before = None, 0.0
    for index, share in enumerate(shares):
        total = spent(share, alpha)
        process = _Step(state=state, shares=shares[: index + 1], drift=0.0)
        bound = _solve(process, (total - before) / 2.0)
        bounds.append(bound)
        state, before = process.survivors(bound), total
    return tuple(bounds)


def _solve(process: _Step, one_sided: float) -> float:
    """Upper boundary that exactly this probability crosses."""
    if process.tail(REACH) >= one_sided:
        return math.inf
    return float(brentq(lambda b: process.tail(b) - one_sided, 0.0, REACH, xtol=1e-12))


def _beyond(z: float, shares: tuple[float, ...], alpha: float, *, drift: float) -> float:
    """P(an outcome at least as far up as this one): earlier upper exits, then z at this look."""
    bounds = _boundaries(shares, alpha)
    before, state = 0.0, None
    for index, bound in enumerate(bounds[:-1]):
        process = _Step(state=state, shares=shares[: index + 1], drift=drift)
        before += process.tail(bound)
        state = process.survivors(bound)
    return before + _Step(state=state, shares=shares, drift=drift).tail(z)


def _shares(information: Sequence[float]) -> tuple[float, ...]:
    shares = tuple(float(t) for t in information)
    steps = zip((0.0, *shares), shares, strict=False)
    if not shares or any(not after > before for before, after in steps) or shares[-1] > 1.0 + 1e-9:
        raise Undefined("information shares must increase from above 0 to at most 1")
    return shares


@lru_cache(maxsize=64)
def _panels(panels: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre of 32 points on each of equal panels of (-1, 1)."""
    x, w = np.polynomial.legendre.leggauss(32)
    centres = (2.0 * np.arange(panels) + 1.0) / panels - 1.0
    return (centres[:, None] + x / panels).ravel(), np.tile(w / panels, panels)


def _normal(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi))
