"""Simulated experiments for the calibration: whole batches of cells at once.

Base rates follow a Beta law per scenario x model, tied over the models of a scenario by a Gaussian
copula. A variant moves a rate on the logit scale. Arrays have shape (experiments, scenarios x
models), scenario-major.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv, expit, logit, ndtr

from stats.strata import FloatArray, Strata

Rng = np.random.Generator
MODEL_CORRELATION = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Size of an experiment and the law of its base rates."""

    scenarios: int
    models: int
    repeats: int
    base: tuple[float, float]

    @property
    def strata(self) -> int:
        """Scenario x model pairs."""
        return self.scenarios * self.models

    @property
    def scenario(self) -> np.ndarray:
        """Scenario code of each stratum."""
        return np.repeat(np.arange(self.scenarios), self.models)

    def __str__(self) -> str:
        size = f"{self.scenarios}x{self.models}x{self.repeats}"
        return f"{size}, Beta({self.base[0]:g}, {self.base[1]:g})"


SIZES = ((12, 3, 5), (20, 4, 10), (40, 6, 20))
BASES = ((0.4, 0.8), (0.2, 0.2), (0.15, 3.0))


def settings() -> tuple[Setting, ...]:
    """The nine settings of targets 2 and 3."""
    return tuple(
        Setting(scenarios=s, models=m, repeats=r, base=base) for s, m, r in SIZES for base in BASES
    )


def base_rates(rng: Rng, setting: Setting, experiments: int) -> FloatArray:
    """Coercive rate of control in every stratum of every experiment."""
    shape = (experiments, setting.scenarios)
    shared = rng.standard_normal((*shape, 1))
    own = rng.standard_normal((*shape, setting.models))
    z = np.sqrt(MODEL_CORRELATION) * shared + np.sqrt(1.0 - MODEL_CORRELATION) * own
    grid, quantiles = _quantiles(setting.base)
    return np.asarray(np.interp(z, grid, quantiles)).reshape(experiments, setting.strata)


def shifted(rates: FloatArray, log_odds: FloatArray | float) -> FloatArray:
    """Rates moved on the logit scale; 0 and 1 stay."""
    with np.errstate(divide="ignore"):
        return np.asarray(expit(logit(rates) + log_odds))


@lru_cache(maxsize=32)
def shift_for(base: tuple[float, float], difference: float) -> float:
    """Log odds that move the mean rate of a base law by `difference` (bisection)."""
    rates = np.asarray(betaincinv(*base, (np.arange(20_000) + 0.5) / 20_000))
    goal = float(rates.mean()) + difference
    low, high = -20.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2.0
        if float(shifted(rates, middle).mean()) < goal:
            low = middle
        else:
            high = middle
    return low


def draw(rng: Rng, rates: tuple[FloatArray, FloatArray], setting: Setting) -> Strata:
    """Binomial events of variant and control at their true rates (p1, p0)."""
    p1, p0 = rates
    n = np.full(p1.shape, float(setting.repeats))
    return Strata(
        x1=rng.binomial(setting.repeats, p1).astype(float),
        n1=n,
        x0=rng.binomial(setting.repeats, p0).astype(float),
        n0=n,
        scenario=setting.scenario,
    )


def single(strata: Strata, index: int) -> Strata:
    """One experiment of a batch."""
    return Strata(
        x1=strata.x1[index],
        n1=strata.n1[index],
        x0=strata.x0[index],
        n0=strata.n0[index],
        scenario=strata.scenario,
    )


@lru_cache(maxsize=32)
def _quantiles(base: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Normal scores and the Beta quantiles at them; interpolation is exact to 1e-5."""
    grid = np.linspace(-6.0, 6.0, 6001)
    return grid, np.asarray(betaincinv(*base, ndtr(grid)))
