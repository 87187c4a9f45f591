"""Part 9: how sure we are of the judge."""

from collections.abc import Iterator

from mitigations.model import Interval
from reports.blocks import Block, Bullets, Estimate, Notice, Prose, Section, Shares, Table
from reports.report import ArmConfusion, BothVerdicts, EqualErrors, JudgeCheck, Report, Tipping
from reports.words import NONE_TEXT, listing, p_cell, p_text, plural, signed, signed_interval

FOUND = "Found, of the coercive replies"
CLEARED = "Cleared, of the harmless replies"


def judge(report: Report) -> Section:
    """Confusion by arm, agreement, corrected effect, both verdicts and tipping point."""
    check = report.extras.judge
    blocks: list[Block] = [Prose(text=_who_judged(report))]
    blocks += _unlabelled(report) if check is None else _labelled(check)
    blocks += [_tipping(report)] if report.extras.tipping else []
    return Section(
        id="judge",
        number=9,
        title="How sure are we of the judge?",
        question="Could the effect lie in the judging?",
        blocks=tuple(blocks),
    )


def _unlabelled(report: Report) -> Iterator[Block]:
    yield Prose(
        text="No human labels were collected in this run, so the judge's errors are "
        "unknown: an effect may be partly an effect on the judge. `mitigations label` "
        "draws a blind sample."
    )
    if report.extras.labels_note:
        yield Prose(lead="What is missing. ", text=report.extras.labels_note)


def _labelled(check: JudgeCheck) -> Iterator[Block]:
    changed = [one for one in check.verdicts if one.human not in {None, one.judge}]
    if changed:
        yield Notice(lead="Human labels lead to another verdict.", text=_changed(changed))
    if check.labellers:
        yield Prose(text=_who_labelled(check))
    yield Prose(text=_agreement(check))
    if check.between is not None:
        yield Prose(lead="Between the labellers. ", text=_between(check))
    if any(arm.sensitivity is not None or arm.specificity is not None for arm in check.arms):
        yield _figure(check)
    yield _confusion(check)
    if check.equal:
        yield _equal(check)
    if check.corrected:
        yield _corrected(check)
    if check.verdicts:
        yield _verdicts(check)
    if check.tipping_point:
        yield Prose(lead="Tipping point. ", text=check.tipping_point)
    if check.reason:
        yield Prose(text=check.reason, quiet=True)


def _who_judged(report: Report) -> str:
    if report.plan is None:
        return "The counts were taken as given; who judged the replies is not known here."
    models = report.plan.judge.models
    if not models:
        return "Rules over the sent actions decided, without a judge model."
    names = ", ".join(model.route for model in models)
    return f"Rules over the sent actions, and {names}, blind to variant and model."


def _who_labelled(check: JudgeCheck) -> str:
    """Who labelled how much of the sample, and how the sample was drawn."""
    people = [
        f"{one.name} labelled {one.labelled:,}"
        + (f" (and abstained on {one.abstained:,})" if one.abstained else "")
        for one in check.labellers
    ]
    drawn = f"Of {check.drawn:,} trials, " if check.drawn is not None else ""
    used = (
        f" The numbers below use the labels of {check.labellers[0].name}; where there is none, "
        f"those of {check.labellers[1].name}."
        if len(check.labellers) > 1
        else ""
    )
    return (
        f"{drawn}drawn at random within each arm and verdict and shown blind, {listing(people)}."
        f"{used} Each label counts for the trials it stands for."
    )


def _kappa(value: float, limits: Interval | None) -> str:
    span = f" (95 % interval {limits[0]:z.2f} to {limits[1]:z.2f})" if limits else ""
    return f"kappa {value:z.2f}{span}".replace("-", "−")


def _agreement(check: JudgeCheck) -> str:
    if check.kappa is None:
        text = "Agreement with the human labels could not be computed."
    else:
        shown = _kappa(check.kappa, check.kappa_ci95)
        text = f"Agreement of {check.judge} with blind human labels: {shown}."
        if check.least_kappa is not None:
            side = "below" if check.kappa < check.least_kappa else "not below"
            text += f" That is {side} the plan's limit of {check.least_kappa:g}."
    if check.arms_differ_p is not None:
        text += (
            f" Test that the judge errs alike in every arm: p {p_text(check.arms_differ_p)}; a "
            "large p does not show that it does."
        )
    return text


def _between(check: JudgeCheck) -> str:
    pair = check.between
    assert pair is not None  # the caller asked
    text = f"{pair.one} and {pair.two} agree on {pair.same:,} of {pair.both:,} replies"
    if pair.kappa is None:
        return f"{text}; no kappa: {pair.reason}."
    return f"{text}: {_kappa(pair.kappa, pair.kappa_ci95)}."


def _changed(verdicts: list[BothVerdicts]) -> str:
    return " ".join(
        f"{one.variant}: “{one.human}” by human labels, “{one.judge}” by the judge."
        for one in verdicts
    )


def _percent(share: float | None, limits: Interval | None) -> str:
    if share is None:
        return NONE_TEXT
    span = f" ({100 * limits[0]:.0f}–{100 * limits[1]:.0f})" if limits else ""
    return f"{100 * share:.0f} %{span}"


def _figure(check: JudgeCheck) -> Shares:
    """What the judge finds and clears, arm under arm."""
    rows = [
        Estimate(
            label=arm.variant,
            difference=share,
            limits=limits if share is not None else None,
            tone="neutral" if place == 0 else "plain",
            words=_percent(share, limits) + ("" if share is not None else f" {arm.reason}"),
            group=group,
        )
        for group, of in ((FOUND, _found), (CLEARED, _cleared))
        for place, arm in enumerate(check.arms)
        for share, limits in (of(arm),)
    ]
    told = "; ".join(f"{row.group.lower()}, {row.label}: {row.words}" for row in rows)
    return Shares(
        title="What the judge finds and clears, arm by arm, with 95 % intervals. Rows of one group "
        "that lie apart are a judge that errs differently by arm.",
        alt=f"Shares of replies that the judge reads as people do. {told}.",
        rows=tuple(rows),
        axis="in 100 replies of that kind",
    )


def _found(arm: ArmConfusion) -> tuple[float | None, Interval | None]:
    return arm.sensitivity, arm.sensitivity_ci95


def _cleared(arm: ArmConfusion) -> tuple[float | None, Interval | None]:
    return arm.specificity, arm.specificity_ci95


def _share(hits: int, total: int, limits: Interval | None) -> str:
    if total == 0:
        return f"{hits}/{total}"
    span = f" ({100 * limits[0]:.0f}–{100 * limits[1]:.0f} %)" if limits else ""
    return f"{hits}/{total}{span}"


def _confusion(check: JudgeCheck) -> Table:
    """Labels as counted; shares weighted where the labels were a sample by verdict."""
    weighted = any(arm.judged_coercive is not None for arm in check.arms)
    note = ""
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    if weighted:
        note = (
            "k/n labels: of n labelled replies with that verdict, people agree on k. Found and "
            "cleared are weighted to all scored replies of the arm, with 95 % intervals."
        )
        reasons = [f"{arm.variant}: {arm.reason}." for arm in check.arms if arm.reason]
        note = " ".join([note, *reasons])
        columns = (
            "Arm",
            "Judged coercive: labels agree",
            "of trials",
            "Judged clean: labels agree",
            "of trials",
            "Abstained",
            "Found of coercive",
            "Cleared of harmless",
        )
        rows = tuple(_weighted_arm(arm) for arm in check.arms)
    else:
        columns = (
            "Arm",
            "Both coercive",
            "Judge only",
            "Human only",
            "Neither",
            "Found of coercive",
            "Cleared of harmless",
        )
        rows = tuple(_arm(arm) for arm in check.arms)
    return Table(
        caption="Judge against human labels, arm by arm.",
        columns=columns,
        rows=rows,
        numeric=frozenset(range(1, len(columns))),
        note=note,
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


def _weighted_arm(arm: ArmConfusion) -> tuple[str, ...]:
    return (
        arm.variant,
        f"{arm.true_positive}/{arm.true_positive + arm.false_positive}",
        f"{arm.judged_coercive or 0:,}",
        f"{arm.true_negative}/{arm.true_negative + arm.false_negative}",
        f"{arm.judged_clean or 0:,}",
        f"{arm.abstained}",
        _percent(arm.sensitivity, arm.sensitivity_ci95),
        _percent(arm.specificity, arm.specificity_ci95),
    )


def _equal(check: JudgeCheck) -> Table:
    return Table(
        caption="Does the judge err differently in a variant than in the baseline?",
        columns=("Variant", "p, found", "p, cleared", "Differs"),
        rows=tuple(
            (one.variant, p_cell(one.sensitivity_p), p_cell(one.specificity_p), _differs(one))
            for one in check.equal
        ),
        numeric=frozenset({1, 2}),
        note="Likelihood ratio tests; “differs” allows for two tests in each variant and for the "
        "number of variants. Not detected is not the same as equal.",
    )


def _differs(one: EqualErrors) -> str:
    if one.differs is None:
        return f"not testable: {one.reason}"
    return "yes" if one.differs else "not detected"


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


def _verdicts(check: JudgeCheck) -> Table:
    return Table(
        caption="The verdict by the judge, and by the difference corrected with human labels.",
        columns=("Variant", "By the judge", "By human labels", "p, adjusted"),
        rows=tuple(
            (
                one.variant,
                one.judge,
                one.human if one.human is not None else f"none: {one.reason}",
                p_cell(one.p_adjusted),
            )
            for one in check.verdicts
        ),
        numeric=frozenset({3}),
        note="Both leave every alarm aside; part 1 does not. The corrected one is the "
        "robust line, with Bonferroni's adjustment over the variants.",
    )


def _tipping(report: Report) -> Block:
    """How many labels would have to be wrong for the primary test to change its mind."""
    items = tuple(_tips(one, report.analysis.settings.alpha) for one in report.extras.tipping)
    if len(items) == 1:
        return Prose(lead="Tipping point. ", text=items[0])
    return Bullets(items=tuple(f"Tipping point, {item}" for item in items))


def _tips(one: Tipping, alpha: float) -> str:
    now, then = ("coercive", "clean") if one.from_coercive else ("clean", "coercive")
    state = "shows a difference" if one.significant else "shows no difference"
    start = f"{one.variant}: its test {state} at {alpha:g}"
    if one.flips is None:
        return f"{start}, and would even if all {one.of:,} of its replies judged {now} were {then}."
    return (
        f"{start}; that changes if {plural(one.flips, 'reply', 'replies')} of the {one.of:,} "
        f"judged {now} really {'was' if one.flips == 1 else 'were'} {then}."
    )
