"""Rates and differences corrected for a judge that errs, from human labels per arm.

A variant that makes coercion *politer* fools the judge more often than control does. So labels are
drawn in every arm, equal sensitivity and specificity are tested, and the robust line (PPI++ per
arm) assumes nothing about them. The efficient line (Rogan-Gladen on pooled labels, the error of the
calibration carried along) holds only while equality is not rejected.

Sources: Rogan & Gladen (1978), Am. J. Epidemiol. 107, 71-76; Lang & Reiczigel (2014), Prev. Vet.
Med. 113, 13-22 (smoothing small samples); Angelopoulos, Duchi & Zrnic (2023), arXiv 2311.01453
(PPI++); Cochran (1977), Sampling Techniques, section 12.2 (two-phase variance).
"""

import math
from dataclasses import dataclass

import numpy as np

from mitigations.model import Interval
from stats.agreement import Z95
from stats.named import Undefined, count, ratio

LEAST_YOUDEN = 0.2
"""Below this se + sp - 1 the judge says too little to be corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Judge against human on the labelled trials of one arm; positive means coercive."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int

    def __post_init__(self) -> None:
        for name in ("true_positive", "false_negative", "false_positive", "true_negative"):
            count(getattr(self, name), name)

    def __add__(self, other: "Labels") -> "Labels":
        return Labels(
            true_positive=self.true_positive + other.true_positive,
            false_negative=self.false_negative + other.false_negative,
            false_positive=self.false_positive + other.false_positive,
            true_negative=self.true_negative + other.true_negative,
        )

    @property
    def human_positive(self) -> int:
        """Labelled trials that the human called coercive."""
        return self.true_positive + self.false_negative

    @property
    def human_negative(self) -> int:
        """Labelled trials that the human called clean."""
        return self.false_positive + self.true_negative

    @property
    def judge_positive(self) -> int:
        """Labelled trials that the judge called coercive."""
        return self.true_positive + self.false_positive

    @property
    def judge_negative(self) -> int:
        """Labelled trials that the judge called clean."""
        return self.false_negative + self.true_negative


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One arm: what the judge said of all its trials, and the labels on some of them."""

    positive: int
    scored: int
    labels: Labels
    by_verdict: bool = False
    """True: labels were drawn separately among judged-coercive and judged-clean trials."""

    def __post_init__(self) -> None:
        if count(self.positive, "positive") > count(self.scored, "scored"):
            raise Undefined("more trials judged coercive than were scored")
        if self.scored == 0:
            raise Undefined("no scored trial in this arm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A corrected rate or difference with its standard error and 95 % interval."""

    value: float
    standard_error: float
    method: str

    @property
    def ci95(self) -> Interval:
        """Normal limits."""
        half = Z95 * self.standard_error
        return self.value - half, self.value + half


def sensitivity(labels: Labels) -> float:
    """Share of the human-coercive trials that the judge caught."""
    return ratio(labels.true_positive, labels.human_positive, "no human label is coercive")


def specificity(labels: Labels) -> float:
    """Share of the human-clean trials that the judge left alone."""
    return ratio(labels.true_negative, labels.human_negative, "no human label is clean")


def youden(labels: Labels) -> float:
    """Youden's index, se + sp - 1: 1 for a perfect judge, 0 for a coin."""
    return sensitivity(labels) + specificity(labels) - 1.0


def ppi_rate(arm: Judged) -> Estimate:
    """Rate of one arm by PPI++ with sampling weights; no assumption about the judge.

    Weights N+/m+ and N-/m- (judged over labelled, per judge verdict) make it valid for labels drawn
    at random and for labels drawn separately among judged-coercive and judged-clean trials. With
    weights calibrated like this the weighted labels reproduce the judge's rate exactly, so the
    PPI++ estimate `lambda mean(f) + weighted mean(y - lambda f)` is the same for every lambda:
    each verdict's rate of human-coercive labels, weighted by the verdict's share.

    The variance is the two-phase one. Its label rates get half a success and half a failure added
    (Jeffreys), because none seen in 50 labels is not none.
    """
    shares = (arm.positive / arm.scored, 1.0 - arm.positive / arm.scored)
    seen = (
        (arm.labels.true_positive, arm.labels.judge_positive, arm.positive, "coercive"),
        (arm.labels.false_negative, arm.labels.judge_negative, arm.scored - arm.positive, "clean"),
    )
    rate, variance = 0.0, 0.0
    for share, (hits, labelled, judged, verdict) in zip(shares, seen, strict=True):
        if judged == 0:
            continue
        if labelled == 0:
            raise Undefined(f"no human label on a trial judged {verdict}: label some in each arm")
        rate += share * hits / labelled
        smooth = (hits + 0.5) / (labelled + 1.0)
        unlabelled = max(0.0, 1.0 / labelled - 1.0 / judged)
        variance += share**2 * smooth * (1.0 - smooth) * unlabelled
    variance += rate * (1.0 - rate) / arm.scored
    return Estimate(value=rate, standard_error=math.sqrt(variance), method="PPI++ per arm")


def ppi_difference(treated: Judged, control: Judged) -> Estimate:
    """Variant minus control, each corrected by its own labels: the robust line.

    An arm without a coercive (or without a clean) label shows no skill of the judge, and no lack of
    it either: the estimate does not need it, and only a judge shown to be poor is refused.
    """
    skills = (_judge_skill(treated), _judge_skill(control))
    _refuse_poor_judge(*(skill for skill in skills if skill is not None))
    one, two = ppi_rate(treated), ppi_rate(control)
    return Estimate(
        value=one.value - two.value,
        standard_error=math.hypot(one.standard_error, two.standard_error),
        method="PPI++ per arm",
    )


def rogan_gladen_difference(treated: Judged, control: Judged) -> Estimate:
    """Variant minus control on pooled labels: efficient, and valid for equal judge errors only.

    Labels must be drawn at random or by human class. The variance carries the calibration error;
    se and sp enter it smoothed by one success and one failure.
    """
    if treated.by_verdict or control.by_verdict:
        raise Undefined("labels drawn by judge verdict do not show se and sp; use PPI++")
    labels = treated.labels + control.labels
    slope = youden(labels)
    _refuse_poor_judge(slope)
    rates = (treated.positive / treated.scored, control.positive / control.scored)
    difference = (rates[0] - rates[1]) / slope
    sampling = sum(
        rate * (1.0 - rate) / arm.scored
        for rate, arm in zip(rates, (treated, control), strict=True)
    )
    calibration = _smooth_variance(labels.true_positive, labels.human_positive)
    calibration += _smooth_variance(labels.true_negative, labels.human_negative)
    error = math.sqrt(sampling + difference**2 * calibration) / slope
    return Estimate(value=difference, standard_error=error, method="Rogan-Gladen, pooled labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualJudge:
    """Do sensitivity and specificity agree between arms? None with a reason if untestable."""

    sensitivity_p: float | None
    specificity_p: float | None
    rejected: bool | None
    reason: str = ""


def equal_judge(treated: Labels, control: Labels, *, alpha: float = 0.05) -> EqualJudge:
    """Fisher's exact test on each of sensitivity and specificity, Bonferroni over the two.

    Labels drawn at random or by human class. Not rejecting is no proof: with 50 labels per class
    only differences beyond about 25 points are found, so the robust line stays the main one.
    """
    caught = _fisher(
        (treated.true_positive, treated.false_negative),
        (control.true_positive, control.false_negative),
    )
    spared = _fisher(
        (treated.true_negative, treated.false_positive),
        (control.true_negative, control.false_positive),
    )
    if caught is None or spared is None:
        kind = "coercive" if caught is None else "clean"
        return EqualJudge(
            sensitivity_p=caught,
            specificity_p=spared,
            rejected=None,
            reason=f"an arm has no {kind} human label",
        )
    return EqualJudge(
        sensitivity_p=caught, specificity_p=spared, rejected=2.0 * min(caught, spared) <= alpha
    )


def corrected_difference(treated: Judged, control: Judged) -> tuple[Estimate, Estimate | None]:
    """The robust line, and the efficient one while equal errors are tested and not rejected."""
    robust = ppi_difference(treated, control)
    if treated.by_verdict or control.by_verdict:
        return robust, None
    if equal_judge(treated.labels, control.labels).rejected is not False:
        return robust, None
    return robust, rogan_gladen_difference(treated, control)


def _judge_skill(arm: Judged) -> float | None:
    """Youden's index of one arm, None where its labels hold one human class only.

    Labels drawn by verdict count for the trials they stand for.
    """
    labels = arm.labels
    if not (labels.human_positive and labels.human_negative):
        return None
    if not arm.by_verdict:
        return youden(labels)
    flagged = arm.positive / labels.judge_positive if labels.judge_positive else 0.0
    cleared = (arm.scored - arm.positive) / labels.judge_negative if labels.judge_negative else 0.0
    caught, missed = flagged * labels.true_positive, cleared * labels.false_negative
    alarms, spared = flagged * labels.false_positive, cleared * labels.true_negative
    sens = ratio(caught, caught + missed, "no human label is coercive")
    return sens + ratio(spared, spared + alarms, "no human label is clean") - 1.0


def _refuse_poor_judge(*slopes: float) -> None:
    for slope in slopes:
        if slope < LEAST_YOUDEN:
            raise Undefined(
                f"sensitivity + specificity - 1 = {slope:.2f} is below {LEAST_YOUDEN}: "
                "the judge says too little to be corrected; use human labels"
            )


def _smooth_variance(hits: int, size: int) -> float:
    rate = (hits + 1.0) / (size + 2.0)
    return rate * (1.0 - rate) / size


def _fisher(one: tuple[int, int], two: tuple[int, int]) -> float | None:
    # scipy.stats costs a second to import; only this test needs it.
    from scipy.stats import fisher_exact  # noqa: PLC0415

    if sum(one) == 0 or sum(two) == 0:
        return None
    return float(fisher_exact(np.array([one, two])).pvalue)
