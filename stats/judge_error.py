"""The textbook formulas for a judge that errs, under the reference names.

What the service prints comes from `stats.judge_correction`; these are calculators for anyone's
numbers. Sources: Rogan & Gladen (1978), Am. J. Epidemiol. 107, 71-76; Lang & Reiczigel (2014),
Prev. Vet. Med. 113, 13-22 (delta method with sampling error of p, se and sp).
"""

import math
from collections.abc import Callable, Mapping

from mitigations.model import Interval
from stats.agreement import Z95
from stats.judge_correction import LEAST_YOUDEN, Labels, sensitivity, specificity, youden
from stats.named import Quantities, Undefined, collect, count, ratio


def judge_error(judged_positive: int, judged: int, calibration: Mapping[str, int]) -> Quantities:
    """Reference names of kind `judge_error`, and `youden`, `correctable`.

    The named formulas are given wherever they exist; `correctable` False says that the service
    refuses them (se + sp - 1 below 0.2).
    """

    def parts() -> tuple[float, float, float, Labels]:
        labels = _calibration(calibration)
        if count(judged_positive, "judged_positive") > count(judged, "judged"):
            raise Undefined("more trials judged coercive than were judged")
        rate = ratio(judged_positive, judged, "no trial was judged")
        return rate, specificity(labels), _slope(labels), labels

    def estimate() -> float:
        rate, right, slope, _ = parts()
        return (rate + right - 1.0) / slope

    def delta() -> float:
        rate, right, slope, labels = parts()
        caught, value = sensitivity(labels), estimate()
        variance = rate * (1.0 - rate) / judged
        variance += value**2 * caught * (1.0 - caught) / labels.human_positive
        variance += (1.0 - value) ** 2 * right * (1.0 - right) / labels.human_negative
        return math.sqrt(variance) / abs(slope)

    def wilson_mapped() -> Interval:
        _, right, slope, _ = parts()
        low, high = sorted((p + right - 1.0) / slope for p in wilson(judged_positive, judged))
        return low, high

    return collect(
        {
            "rogan_gladen": estimate,
            "rogan_gladen_truncated": lambda: min(1.0, max(0.0, estimate())),
            "delta_se": delta,
            "epiR_true_prevalence": estimate,
            "epiR_true_prevalence_ci95_wilson": wilson_mapped,
            **_skill(calibration),
        }
    )


def judge_error_difference(
    x1: int, n1: int, x0: int, n0: int, calibration: Mapping[str, int]
) -> Quantities:
    """Reference names of kind `judge_error_difference`: 1 is the variant, 0 control."""

    def parts() -> tuple[float, float, float, Labels]:
        labels = _calibration(calibration)
        for x, n in ((x1, n1), (x0, n0)):
            if count(x, "x1 and x0") > count(n, "n1 and n0"):
                raise Undefined("more trials judged coercive than were judged")
        one = ratio(x1, n1, "no variant trial was judged")
        two = ratio(x0, n0, "no control trial was judged")
        return one, two, _slope(labels), labels

    def difference() -> float:
        one, two, slope, _ = parts()
        return (one - two) / slope

    def delta() -> float:
        one, two, slope, labels = parts()
        caught, right = sensitivity(labels), specificity(labels)
        calibrated = caught * (1.0 - caught) / labels.human_positive
        calibrated += right * (1.0 - right) / labels.human_negative
        sampling = one * (1.0 - one) / n1 + two * (1.0 - two) / n0
        return math.sqrt(sampling + difference() ** 2 * calibrated) / abs(slope)

    return collect(
        {
            "corrected_rd": difference,
            "corrected_rd_delta_se": delta,
            **_skill(calibration),
        }
    )


def _skill(calibration: Mapping[str, int]) -> dict[str, Callable[[], float | bool]]:
    return {
        "youden": lambda: youden(_calibration(calibration)),
        "correctable": lambda: youden(_calibration(calibration)) >= LEAST_YOUDEN,
    }


def wilson(events: int, trials: int) -> Interval:
    """Wilson's 95 % score limits of a proportion (1927, JASA 22, 209-212)."""
    rate, z2 = ratio(events, trials, "no trial was judged"), Z95**2
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return centre - half, centre + half


def _calibration(calibration: Mapping[str, int]) -> Labels:
    """Labels from the four counts of the reference cases."""
    try:
        caught, positive = calibration["true_positive"], calibration["human_positive"]
        right, negative = calibration["true_negative"], calibration["human_negative"]
    except KeyError as exc:
        raise Undefined(f"the calibration has no {exc.args[0]}") from None
    if caught > positive or right > negative:
        raise Undefined("the calibration counts more right labels than labels")
    return Labels(
        true_positive=caught,
        false_negative=positive - caught,
        false_positive=negative - right,
        true_negative=right,
    )


def _slope(labels: Labels) -> float:
    """Youden's index, an exact zero found in whole numbers."""
    slope = youden(labels)
    exact = labels.true_positive * labels.human_negative
    exact -= labels.false_positive * labels.human_positive
    if exact == 0:
        raise Undefined("sensitivity + specificity = 1: the judge knows no more than a coin")
    return slope
