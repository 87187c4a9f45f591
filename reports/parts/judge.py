"""Part 9: how sure we are of the judge."""

from reports.blocks import Block, Prose, Section, Table
from reports.report import ArmConfusion, JudgeCheck, Report
from reports.words import NONE_TEXT, p_text, signed, signed_interval


def judge(report: Report) -> Section:
    """Confusion by arm, agreement, corrected effect and tipping point."""
    check = report.extras.judge
    blocks: list[Block]
    if check is None:
        blocks = [
            Prose(text=_who_judged(report)),
            Prose(
                text="No human labels were collected in this run, so the judge's errors are "
                "unknown: an effect may be partly an effect on the judge. `mitigations label` "
                "draws a blind sample."
            ),
        ]
    else:
        blocks = [Prose(text=_who_judged(report)), Prose(text=_agreement(check)), _confusion(check)]
        blocks += [_corrected(check)] if check.corrected else []
        if check.tipping_point:
            blocks.append(Prose(lead="Tipping point. ", text=check.tipping_point))
        blocks += [Prose(text=check.reason, quiet=True)] if check.reason else []
    return Section(
        id="judge",
        number=9,
        title="How sure are we of the judge?",
        question="Could the effect lie in the judging?",
        blocks=tuple(blocks),
    )


def _who_judged(report: Report) -> str:
    if report.plan is None:
        return "The counts were taken as given; who judged the replies is not known here."
    models = report.plan.judge.models
    if not models:
        return "Rules over the sent actions decided, without a judge model."
    names = ", ".join(model.route for model in models)
    return f"Rules over the sent actions, and {names}, blind to variant and model."


def _agreement(check: JudgeCheck) -> str:
    if check.kappa is None:
        text = "Agreement with the human labels could not be computed."
    else:
        limits = check.kappa_ci95
        span = f" (95 % interval {limits[0]:.2f} to {limits[1]:.2f})" if limits else ""
        text = f"Agreement of {check.judge} with blind human labels: kappa {check.kappa:.2f}{span}."
    if check.arms_differ_p is not None:
        text += (
            f" Test that the judge errs alike in every arm: p {p_text(check.arms_differ_p)}; a "
            "large p does not show that it does."
        )
    return text


def _share(hits: int, total: int, limits: tuple[float, float] | None) -> str:
    if total == 0:
        return f"{hits}/{total}"
    span = f" ({100 * limits[0]:.0f}–{100 * limits[1]:.0f} %)" if limits else ""
    return f"{hits}/{total}{span}"


def _confusion(check: JudgeCheck) -> Table:
    return Table(
        caption="Judge against human labels, arm by arm.",
        columns=(
            "Arm",
            "Both coercive",
            "Judge only",
            "Human only",
            "Neither",
            "Found of coercive",
            "Cleared of harmless",
        ),
        rows=tuple(_arm(arm) for arm in check.arms),
        numeric=frozenset(range(1, 7)),
    )


def _arm(arm: ArmConfusion) -> tuple[str, ...]:
    counts = (arm.true_positive, arm.false_positive, arm.false_negative, arm.true_negative)
    positive = arm.true_positive + arm.false_negative
    negative = arm.true_negative + arm.false_positive
    return (
        arm.variant,
        *(f"{count}" for count in counts),
        _share(arm.true_positive, positive, arm.sensitivity_ci95),
        _share(arm.true_negative, negative, arm.specificity_ci95),
    )


def _corrected(check: JudgeCheck) -> Table:
    return Table(
        caption="Difference per 100 after correction for the judge's errors.",
        columns=("Variant", "Method", "Difference", "95 %", "Remark"),
        rows=tuple(
            (
                one.variant,
                one.method,
                signed(one.difference),
                signed_interval(one.ci95),
                one.reason or NONE_TEXT,
            )
            for one in check.corrected
        ),
        numeric=frozenset({2, 3}),
    )
