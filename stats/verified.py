"""A judge against human labels that were drawn by its verdict: "verification" sampling.

Labels drawn separately among judged-coercive and judged-clean trials show how often each verdict is
right; sensitivity and specificity follow by weighting each label with the trials it stands for.
The test of equal error uses the likelihood, and intervals use Jeffreys' priors, because the missed
ones are few: one missed reply in 25 labels of a rare verdict is weak evidence, and a normal law
would not know it.

Sources: Begg & Greenes (1983), Biometrics 39, 207-215 (the weighted estimates); Aitchison & Silvey
(1958), Ann. Math. Statist. 29, 813-828 (likelihood under a constraint); Brown, Cai & DasGupta
(2001), Statist. Sci. 16, 101-133 (Jeffreys' intervals);
Cohen (1960) and Fleiss, Cohen & Everitt (1969) (kappa); Rogan & Gladen (1978).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from mitigations.model import Interval
from stats.judge_correction import (
    LEAST_YOUDEN,
    EqualJudge,
    Estimate,
    Judged,
)
from stats.named import Undefined, ratio
from stats.strata import FloatArray

_STEPS = 80
"""Halvings: beyond double precision."""


class _Side(NamedTuple):
    """One arm as sensitivity sees it; for specificity both verdict and human are exchanged."""

    flagged: int
    cleared: int
    """Trials with the verdict, and with the other one."""
    caught: int
    of_flagged: int
    missed: int
    of_cleared: int
    """Labels that the human calls so, among labelled trials of each verdict."""

    def log_odds(self, shift: float) -> float:
        """Log odds of the sensitivity when the constraint's multiplier is `shift`."""
        return (
            math.log(self.flagged + shift)
            - math.log(self.cleared - shift)
            + _log_share(self.caught, self.of_flagged, shift)
            - _log_share(self.missed, self.of_cleared, -shift)
        )

    def likelihood(self, shift: float) -> float:
        """Log likelihood of the fit that the multiplier `shift` stands for."""
        total = self.flagged + self.cleared
        return (
            _binomial(self.flagged, total, (self.flagged + shift) / total)
            + _binomial(self.caught, self.of_flagged, _shifted(self.caught, self.of_flagged, shift))
            + _binomial(
                self.missed, self.of_cleared, _shifted(self.missed, self.of_cleared, -shift)
            )
        )

    @property
    def empty(self) -> bool:
        """No label of this human class at all."""
        return self.caught == 0 and self.missed == 0


def _shifted(hits: int, size: int, shift: float) -> float:
    """The share with `shift` pseudo-hits added; a share of 1 stays 1."""
    return 1.0 if hits == size else (hits + shift) / (size + shift)


def _log_share(hits: int, size: int, shift: float) -> float:
    return _log(_shifted(hits, size, shift))


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _binomial(hits: float, size: float, rate: float) -> float:
    found = hits * _log(rate) if hits else 0.0
    return found + ((size - hits) * _log(1.0 - rate) if size > hits else 0.0)


def _sensitive(arm: Judged) -> _Side:
    labels = arm.labels
    return _checked(
        _Side(
            flagged=arm.positive,
            cleared=arm.scored - arm.positive,
            caught=labels.true_positive,
            of_flagged=labels.judge_positive,
            missed=labels.false_negative,
            of_cleared=labels.judge_negative,
        ),
        ("coercive", "clean"),
    )


def _specific(arm: Judged) -> _Side:
    labels = arm.labels
    return _checked(
        _Side(
            flagged=arm.scored - arm.positive,
            cleared=arm.positive,
            caught=labels.true_negative,
            of_flagged=labels.judge_negative,
            missed=labels.false_positive,
            of_cleared=labels.judge_positive,
        ),
        ("clean", "coercive"),
    )


def _checked(side: _Side, verdicts: tuple[str, str]) -> _Side:
    for trials, labelled, verdict in (
        (side.flagged, side.of_flagged, verdicts[0]),
        (side.cleared, side.of_cleared, verdicts[1]),
    ):
        if trials == 0:
            raise Undefined(f"the judge called no trial of this arm {verdict}")
        if labelled == 0:
            raise Undefined(f"no human label on a trial judged {verdict}")
        if labelled > trials:
            raise Undefined(f"more labels than trials judged {verdict}")
    if side.empty:
        raise Undefined(f"no human label is {verdicts[0]}")
    return side


def weighted_sensitivity(arm: Judged) -> tuple[float, Interval]:
    """Share of the truly coercive trials that the judge caught, with 95 % limits.

    Raises `Undefined` where a verdict has no label or no label is coercive.
    """
    return _share(_sensitive(arm))


def weighted_specificity(arm: Judged) -> tuple[float, Interval]:
    """Share of the truly clean trials that the judge left alone, with 95 % limits."""
    return _share(_specific(arm))


def weighted_youden(arm: Judged) -> float:
    """Sensitivity + specificity - 1, weighted."""
    return weighted_sensitivity(arm)[0] + weighted_specificity(arm)[0] - 1.0


def _share(side: _Side) -> tuple[float, Interval]:
    """The weighted share, and the middle 95 % of its law under Jeffreys' priors.

    The law is laid out on a grid of equally likely values of its three parts, so that the same
    counts give the same limits without a seed. Where nothing was missed (or caught) the outer
    limit is 1 (or 0), as Brown, Cai & DasGupta advise.
    """
    odds = _beta_grid(side.flagged, side.cleared, 9)
    right = _beta_grid(side.caught, side.of_flagged - side.caught, 60)
    wrong = _beta_grid(side.missed, side.of_cleared - side.missed, 60)
    flagged = odds[:, None, None] * right[None, :, None]
    values = flagged / (flagged + (1.0 - odds)[:, None, None] * wrong[None, None, :])
    low, high = (float(limit) for limit in np.quantile(values, (0.025, 0.975)))
    caught = side.flagged * side.caught / side.of_flagged
    best = caught / (caught + side.cleared * side.missed / side.of_cleared)
    return best, (
        0.0 if side.caught == 0 else min(low, best),
        1.0 if side.missed == 0 else max(high, best),
    )


def _beta_grid(hits: int, others: int, points: int) -> FloatArray:
    """Equally likely values of a proportion given its counts, under Jeffreys' prior."""
    middles = (np.arange(points) + 0.5) / points
    return np.asarray(betaincinv(hits + 0.5, others + 0.5, middles))


def _edge(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where a condition that fails at `inside` and holds towards `outside` begins to hold."""
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if holds(middle) else (middle, outside)
    return inside


def equal_judge_by_verdict(
    treated: Judged, control: Judged, *, alpha: float = 0.05, comparisons: int = 1
) -> EqualJudge:
    """Do sensitivity and specificity agree between two arms? Likelihood ratio test on each.

    Bonferroni over the two and over `comparisons` variants. None with the reason where an arm lacks
    labels of a verdict or of a human class. Not rejecting is no proof of equality.
    """
    values: list[float | None] = []
    reason = ""
    for view in (_sensitive, _specific):
        try:
            values.append(_equal(view(treated), view(control)))
        except Undefined as exc:
            values.append(None)
            reason = reason or str(exc)
    known = [value for value in values if value is not None]
    # One testable half can reject by itself; that it does not says nothing of the other.
    found = bool(known) and 2.0 * comparisons * min(known) <= alpha
    return EqualJudge(
        sensitivity_p=values[0],
        specificity_p=values[1],
        rejected=True if found else (False if len(known) == 2 else None),
        reason=reason,
    )


def _equal(one: _Side, two: _Side) -> float:
    """Likelihood ratio test that both sides have the same sensitivity: its p."""
    low, high = -float(min(one.caught, two.missed)), float(min(one.missed, two.caught))
    if low == high:
        return 1.0  # both caught all, or both caught none

    def above(shift: float) -> bool:
        return one.log_odds(shift) > two.log_odds(-shift)

    shift = _edge(above, low, high)
    best = one.likelihood(0.0) + two.likelihood(0.0)
    constrained = one.likelihood(shift) + two.likelihood(-shift)
    return math.erfc(math.sqrt(max(0.0, best - constrained)))


def rogan_gladen_by_verdict(treated: Judged, control: Judged) -> Estimate:
    """Variant minus control on the pooled, weighted labels: valid for equal judge errors only.

    The delta method carries the sampling error of trials and labels; a verdict's share of right
    labels enters the variance smoothed (half a success and half a failure added).
    """
    for arm in (treated, control):
        _labelled(arm)
    point = [*_parameters(treated), *_parameters(control)]
    sizes = (treated.scored, control.scored)
    spread = [*_variances(treated), *_variances(control)]
    slope = _pooled_youden(point, sizes)
    if slope < LEAST_YOUDEN:
        raise Undefined(
            f"sensitivity + specificity - 1 = {slope:.2f} is below {LEAST_YOUDEN}: "
            "the judge says too little to be corrected; use human labels"
        )

    def difference(at: Sequence[float]) -> float:
        return (at[0] - at[3]) / _pooled_youden(at, sizes)

    variance = 0.0
    for place, one in enumerate(spread):
        step = 1e-6
        up, down = list(point), list(point)
        up[place] += step
        down[place] -= step
        variance += ((difference(up) - difference(down)) / (2 * step)) ** 2 * one
    return Estimate(
        value=difference(point),
        standard_error=math.sqrt(variance),
        method="Rogan-Gladen, pooled weighted labels",
    )


def _labelled(arm: Judged) -> None:
    labels = arm.labels
    cleared = arm.scored - arm.positive
    if arm.positive and not labels.judge_positive:
        raise Undefined("no human label on a trial judged coercive")
    if cleared and not labels.judge_negative:
        raise Undefined("no human label on a trial judged clean")


def _parameters(arm: Judged) -> tuple[float, float, float]:
    """Judged rate, share coercive among judged coercive, share coercive among judged clean."""
    labels = arm.labels
    return (
        arm.positive / arm.scored,
        labels.true_positive / max(1, labels.judge_positive),
        labels.false_negative / max(1, labels.judge_negative),
    )


def _variances(arm: Judged) -> tuple[float, float, float]:
    rate, labels = arm.positive / arm.scored, arm.labels
    return (
        rate * (1.0 - rate) / arm.scored,
        _smooth(labels.true_positive, labels.judge_positive),
        _smooth(labels.false_negative, labels.judge_negative),
    )


def _smooth(hits: int, size: int) -> float:
    rate = (hits + 0.5) / (size + 1.0)
    return rate * (1.0 - rate) / max(1, size)


def _pooled_youden(at: Sequence[float], sizes: tuple[int, int]) -> float:
    caught = missed = alarms = spared = 0.0
    for size, start in zip(sizes, (0, 3), strict=True):
        rate, right, wrong = at[start : start + 3]
        caught += size * rate * right
        alarms += size * rate * (1.0 - right)
        missed += size * (1.0 - rate) * wrong
        spared += size * (1.0 - rate) * (1.0 - wrong)
    sensitivity = ratio(caught, caught + missed, "no human label is coercive")
    return sensitivity + ratio(spared, spared + alarms, "no human label is clean") - 1.0


def weighted_kappa(arms: Sequence[Judged]) -> Estimate:
    """Cohen's kappa of judge and human over all scored trials of these arms, by weighted labels.

    The standard error is the delta method's over the sizes of the strata and the labels inside
    each; with every trial labelled it is that of Fleiss, Cohen & Everitt.
    """
    total = sum(arm.scored for arm in arms)
    parts: list[tuple[float, float, float, bool]] = []
    """Share of all trials, share coercive by the human, its variance, judged coercive."""
    for arm in arms:
        _labelled(arm)
        _, right, wrong = _parameters(arm)
        _, right_error, wrong_error = _variances(arm)
        parts.append((arm.positive / total, right, right_error, True))
        parts.append(((arm.scored - arm.positive) / total, wrong, wrong_error, False))
    agree = sum(w * (q if flagged else 1.0 - q) for w, q, _, flagged in parts)
    judge = sum(w for w, _, _, flagged in parts if flagged)
    human = sum(w * q for w, q, _, _ in parts)
    chance = judge * human + (1.0 - judge) * (1.0 - human)
    if 1.0 - chance < 1e-12:
        raise Undefined("judge and human use one and the same class: chance agreement is complete")
    value = (agree - chance) / (1.0 - chance)

    def slope(of_agree: float, of_chance: float) -> float:
        return (of_agree - (1.0 - value) * of_chance) / (1.0 - chance)

    labels, mean, square = 0.0, 0.0, 0.0
    for w, q, error, flagged in parts:
        in_cell = slope(w if flagged else -w, w * (2.0 * judge - 1.0))
        labels += in_cell**2 * error
        of_chance = (2.0 * human - 1.0) * flagged + (2.0 * judge - 1.0) * q
        in_size = slope(q if flagged else 1.0 - q, of_chance)
        mean += w * in_size
        square += w * in_size**2
    variance = labels + max(0.0, square - mean**2) / total
    return Estimate(value=value, standard_error=math.sqrt(variance), method="weighted kappa")


def labels_per_verdict(
    *, trials_per_arm: int, rate: float = 0.3, widening: float = 1.5
) -> tuple[int, int]:
    """Labels per arm on (judged coercive, judged clean) trials for a useful correction.

    Useful: with a judge of sensitivity .90 and specificity .95 the corrected interval is at most
    `widening` times as wide as the judge's own. At least 25 of each, at most what there is.
    """
    sensitivity, specificity, least = 0.90, 0.95, 25
    flagged = rate * sensitivity + (1.0 - rate) * (1.0 - specificity)
    right = rate * sensitivity / flagged
    wrong = rate * (1.0 - sensitivity) / (1.0 - flagged)
    noise = flagged**2 * right * (1.0 - right) + (1.0 - flagged) ** 2 * wrong * (1.0 - wrong)
    allowed = (widening**2 - 1.0) * flagged * (1.0 - flagged) / trials_per_arm
    wanted = max(least, math.ceil(noise / allowed))
    positive = round(trials_per_arm * flagged)
    return min(wanted, positive), min(wanted, trials_per_arm - positive)
