"""Part 9 of a report: confusion by arm, corrected effects, both verdicts and tipping points."""

from collections.abc import Iterable, Mapping, Sequence

import reports
from mitigations.compose.judging.against_labels import (
    RunLabels,
    agreement_of,
    clipped,
    equal_tests,
    least_kappa,
    two_labellers,
)
from mitigations.model import Alarm, Analysis, Cell, Interval, Label, Plan
from reports import (
    ArmConfusion,
    BothVerdicts,
    CorrectedEffect,
    EqualErrors,
    JudgeCheck,
    Labeller,
    LabellerAgreement,
    Tipping,
)
from stats.corrected_verdict import corrected_verdict, plain_verdict
from stats.judge_correction import EqualJudge, Estimate, Judged, ppi_difference
from stats.named import Undefined
from stats.strata import grid
from stats.tipping import tipping_point
from stats.verified import (
    rogan_gladen_by_verdict,
    weighted_kappa,
    weighted_sensitivity,
    weighted_specificity,
)

CHANGES = "human labels change a verdict"
PPI = "PPI++ per arm (human labels; the robust line)"
POOLED = "Rogan-Gladen, pooled labels (efficient; assumes equal errors)"
ALONE = "Judge alone (as in part 3)"


def judge_check(labels: RunLabels | None, plan: Plan, analysis: Analysis) -> JudgeCheck | None:
    """Everything part 9 says; None without labels. Verdicts in it leave every alarm aside."""
    if labels is None or not labels.labelled:
        return None
    order = [plan.settings.baseline, *(one.variant for one in analysis.comparisons)]
    order = [name for name in order if name in labels.arms]
    tests = equal_tests(labels, plan)
    agreement, limits, reason = None, None, ""
    try:
        found = weighted_kappa(tuple(labels.arms.values()))
        agreement, limits = found.value, clipped(found.ci95)
    except Undefined as exc:
        reason = f"Kappa of judge and humans: {exc}."
    known = [p for test in tests.values() if (p := _smaller(test, len(tests))) is not None]
    return JudgeCheck(
        judge=_judge_name(plan),
        arms=tuple(_arm(name, labels.arms[name], labels) for name in order),
        kappa=agreement,
        kappa_ci95=limits,
        arms_differ_p=min(known, default=None),
        corrected=tuple(_corrected(labels, tests, analysis)),
        reason=" ".join(part for part in (reason, _growth(labels)) if part),
        drawn=len(labels.draw.items),
        labellers=tuple(_labeller(who, mine) for who, mine in labels.answers.items()),
        between=_between(labels, plan),
        least_kappa=least_kappa(plan),
        equal=tuple(
            EqualErrors(
                variant=name,
                sensitivity_p=test.sensitivity_p,
                specificity_p=test.specificity_p,
                differs=test.rejected,
                reason=test.reason,
            )
            for name, test in ((name, tests[name]) for name in order if name in tests)
        ),
        verdicts=tuple(_both_verdicts(labels, analysis)),
    )


def change_alarm(check: JudgeCheck | None) -> tuple[Alarm, ...]:
    """A note where human labels lead to another verdict than the judge's."""
    if check is None:
        return ()
    known = [one for one in check.verdicts if one.human is not None]
    other = tuple(one.variant for one in known if one.human != one.judge)
    if not known:
        return ()
    detail = "; ".join(
        f"{one.variant}: {one.human} instead of {one.judge}"
        for one in known
        if one.variant in other
    )
    same = "human-corrected verdicts are those of the judge"
    return (
        Alarm(
            name=CHANGES,
            fired=bool(other),
            detail=detail or same,
            variants=other,
            decisive=False,
        ),
    )


def tippings(cells: Sequence[Cell], analysis: Analysis) -> tuple[Tipping, ...]:
    """The tipping point of every comparison that has a stratum with both arms."""
    table = grid(cells, analysis.settings.baseline)
    strata = table.strata()
    result = []
    for index, variant in enumerate(table.variants):
        row = strata.row(index)
        if not len(row.x1):
            continue
        found = tipping_point(row, alpha=analysis.settings.alpha)
        result.append(
            Tipping(
                variant=variant,
                flips=found.flips,
                of=found.of,
                from_coercive=found.from_coercive,
                significant=found.significant,
            )
        )
    return tuple(result)


def _judge_name(plan: Plan) -> str:
    return ", ".join(model.route for model in plan.judge.models) or "the rules"


def _growth(labels: RunLabels) -> str:
    if not labels.grown:
        return ""
    return (
        f"{labels.grown:,} trials were scored after the sample was drawn; draw it again "
        "(`mitigations label --sample`) so that they can be in it."
    )


def _smaller(test: EqualJudge, comparisons: int) -> float | None:
    """The smaller p, by Bonferroni over sensitivity, specificity and the family."""
    known = [p for p in (test.sensitivity_p, test.specificity_p) if p is not None]
    return min(1.0, 2.0 * comparisons * min(known)) if known else None


def _arm(name: str, arm: Judged, labels: RunLabels) -> ArmConfusion:
    reasons: list[str] = []
    found: list[tuple[float | None, Interval | None]] = []
    for share in (weighted_sensitivity, weighted_specificity):
        try:
            found.append(share(arm))
        except Undefined as exc:
            found.append((None, None))
            reasons.append(str(exc))
    (sensitivity, sensitivity_ci95), (specificity, specificity_ci95) = found
    return ArmConfusion(
        variant=name,
        true_positive=arm.labels.true_positive,
        false_positive=arm.labels.false_positive,
        false_negative=arm.labels.false_negative,
        true_negative=arm.labels.true_negative,
        sensitivity=sensitivity,
        specificity=specificity,
        sensitivity_ci95=sensitivity_ci95,
        specificity_ci95=specificity_ci95,
        judged_coercive=arm.positive,
        judged_clean=arm.scored - arm.positive,
        abstained=labels.abstained.get(name, 0),
        reason="; ".join(dict.fromkeys(reasons)),
    )


def _labeller(who: str, mine: Mapping[str, Label]) -> Labeller:
    usable = sum(one.severity is not None for one in mine.values())
    return Labeller(name=who, labelled=usable, abstained=len(mine) - usable)


def _between(labels: RunLabels, plan: Plan) -> LabellerAgreement | None:
    names = list(labels.answers)
    if len(names) < 2:
        return None
    table = two_labellers(labels.answers[names[0]], labels.answers[names[1]], plan.coercive_at)
    value, limits, reason = agreement_of(table)
    return LabellerAgreement(
        one=names[0],
        two=names[1],
        both=sum(map(sum, table)),
        same=table[0][0] + table[1][1],
        kappa=value,
        kappa_ci95=limits,
        reason=reason,
    )


def _corrected(
    labels: RunLabels, tests: Mapping[str, EqualJudge], analysis: Analysis
) -> Iterable[CorrectedEffect]:
    """Judge alone, the robust and the efficient line, each with its reason where it is missing."""
    for comparison in analysis.comparisons:
        name = comparison.variant
        yield CorrectedEffect(
            variant=name,
            method=ALONE,
            difference=comparison.std_rd,
            ci95=comparison.std_rd_ci95,
            reason=comparison.reasons.get("std_rd", ""),
        )
        yield _effect(name, PPI, _robust(labels, name, analysis), _note(labels, name, analysis))
        yield _effect(name, POOLED, _efficient(labels, name, analysis, tests.get(name)))


def _effect(variant: str, method: str, found: Estimate | str, note: str = "") -> CorrectedEffect:
    if isinstance(found, str):
        return CorrectedEffect(
            variant=variant, method=method, difference=None, ci95=None, reason=found
        )
    low, high = found.ci95
    return CorrectedEffect(
        variant=variant,
        method=method,
        difference=found.value,
        ci95=(max(-1.0, low), min(1.0, high)),
        reason=note,
    )


def _robust(labels: RunLabels, variant: str, analysis: Analysis) -> Estimate | str:
    """The PPI++ difference, or the reason why there is none."""
    baseline = analysis.settings.baseline
    if variant not in labels.arms or baseline not in labels.arms:
        return "labels are needed in both arms"
    try:
        return ppi_difference(labels.arms[variant], labels.arms[baseline])
    except Undefined as exc:
        return str(exc)


def _efficient(
    labels: RunLabels, variant: str, analysis: Analysis, test: EqualJudge | None
) -> Estimate | str:
    baseline = analysis.settings.baseline
    if test is None:
        return "labels are needed in both arms"
    if test.rejected:
        return "withheld: the judge errs differently in the two arms"
    if test.rejected is None:
        return f"withheld: equal errors could not be tested ({test.reason})"
    try:
        return rogan_gladen_by_verdict(labels.arms[variant], labels.arms[baseline])
    except Undefined as exc:
        return str(exc)


def _note(labels: RunLabels, variant: str, analysis: Analysis) -> str:
    """Said where counting every trial alike, as the labels do, is not the standardised effect."""
    one, two = labels.arms.get(variant), labels.arms.get(analysis.settings.baseline)
    comparison = next(c for c in analysis.comparisons if c.variant == variant)
    if one is None or two is None or comparison.std_rd is None:
        return ""
    pooled = one.positive / one.scored - two.positive / two.scored
    if abs(pooled - comparison.std_rd) < 0.005:
        return ""
    return (
        f"counts every scored trial alike; counted so the judge's own difference is "
        f"{100 * pooled:+.1f}".replace("-", "−")
    )


def _both_verdicts(labels: RunLabels, analysis: Analysis) -> Iterable[BothVerdicts]:
    for comparison in analysis.comparisons:
        name = comparison.variant
        found = _robust(labels, name, analysis)
        judge = reports.verdict_text(
            plain_verdict(comparison, analysis.settings, comparisons=analysis.family_size)
        )
        if isinstance(found, str):
            yield BothVerdicts(variant=name, judge=judge, human=None, p_adjusted=None, reason=found)
            continue
        verdict, p_adjusted = corrected_verdict(
            found,
            variant=name,
            settings=analysis.settings,
            comparisons=analysis.family_size,
            guardrails=comparison.guardrails,
        )
        yield BothVerdicts(
            variant=name,
            judge=judge,
            human=reports.verdict_text(verdict),
            p_adjusted=p_adjusted,
        )
