"""Every stratified quantity at once, under the names of the reference file and the contract."""

from collections.abc import Mapping

import numpy as np

from stats import mantel_haenszel as mh
from stats.dunnett import dunnett_critical
from stats.named import Quantities
from stats.score import difference_interval, ratio_interval
from stats.standardised import standard_error, standardise
from stats.strata import FloatArray, Strata

Values = Mapping[str, FloatArray | tuple[FloatArray, FloatArray]]
"""Name to an array of shape (...), or to the lower and upper limits; NaN marks the undefined."""

NO_STRATUM = "no stratum has scored trials in both arms"
_NO_TEST = "no stratum has both an event and a non-event: no test statistic exists"
_NO_LOG = "the ratio is 0, infinite or undefined: its logarithm has no standard error"
_NO_BD = (
    "needs at least two strata with an event and a non-event, "
    "and an odds ratio that is neither 0 nor infinite"
)
REASONS: Mapping[str, str] = {
    "std_rr": "neither arm has an event: the ratio is 0/0",
    "std_rd_se": "a stratum has a single trial in an arm: no variance can be seen there",
    "cmh_chi2": _NO_TEST,
    "cmh_p": _NO_TEST,
    "cmh_cc_chi2": _NO_TEST,
    "cmh_cc_p": _NO_TEST,
    "mh_or": "no stratum tells the odds apart: the odds ratio is 0/0",
    "mh_or_ci95": _NO_LOG,
    "mh_rr": "neither arm has an event: the ratio is 0/0",
    "mh_rr_ci95": _NO_LOG,
    "breslow_day_chi2": _NO_BD,
    "breslow_day_p": _NO_BD,
    "breslow_day_tarone_chi2": _NO_BD,
    "breslow_day_tarone_p": _NO_BD,
}
"""Why a quantity can be undefined although strata are usable."""


def effects(strata: Strata) -> Values:
    """The quantities of section 6 that need no resampling, vectorised over the batch axes."""
    risks = standardise(strata)
    test = mh.cmh(strata)
    odds, ratio = mh.odds_ratio(strata), mh.risk_ratio(strata)
    _, tarone = mh.breslow_day(strata)
    return {
        "std_rd": risks.rd,
        "std_p1": risks.p1,
        "std_p0": risks.p0,
        "std_rr": risks.rr,
        "std_rd_ci95": difference_interval(strata),
        "std_rr_ci95": ratio_interval(strata),
        "cmh_chi2": test.chi2,
        "cmh_p": test.p,
        "mh_or": odds.estimate,
        "mh_or_ci95": (odds.low, odds.high),
        "mh_rd": mh.risk_difference(strata),
        "mh_rr": ratio.estimate,
        "mh_rr_ci95": (ratio.low, ratio.high),
        "breslow_day_tarone_chi2": tarone.chi2,
        "breslow_day_tarone_p": tarone.p,
    }


def drill_down(strata: Strata) -> Values:
    """Further quantities of the reference file, for one comparison."""
    corrected = mh.cmh(strata, continuity=True)
    plain, _ = mh.breslow_day(strata)
    return {
        "cmh_cc_chi2": corrected.chi2,
        "cmh_cc_p": corrected.p,
        "breslow_day_chi2": plain.chi2,
        "breslow_day_p": plain.p,
        "std_rd_se": standard_error(strata),
        "strat_mn_rd_ci95_equal_weights": difference_interval(strata),
        "strat_mn_rd_ci95_mh_weights": difference_interval(strata, weights=mh.mh_weights(strata)),
    }


def simultaneous_interval(
    strata: Strata, *, comparisons: int, alpha: float = 0.05
) -> tuple[FloatArray, FloatArray]:
    """The score interval with Dunnett's constant in place of the normal quantile."""
    return difference_interval(strata, z=dunnett_critical(comparisons, alpha))


def pick(values: Values, index: tuple[int, ...], *, usable: bool) -> Quantities:
    """One entry of the batch as plain numbers; every None has its reason."""
    found: Quantities = {}
    reasons: dict[str, str] = {}
    for name, value in values.items():
        parts = value if isinstance(value, tuple) else (value,)
        numbers = tuple(float(np.asarray(part)[index]) for part in parts)
        if any(number != number for number in numbers):  # noqa: PLR0124 - NaN is what is looked for
            found[name] = None
            reasons[name] = REASONS.get(name, NO_STRATUM) if usable else NO_STRATUM
        else:
            found[name] = numbers if isinstance(value, tuple) else numbers[0]
    found["reasons"] = reasons
    return found
