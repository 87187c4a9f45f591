"""Part 5: side effects against the plan's margins."""

from mitigations.model import Guardrail
from reports.blocks import (
    Block,
    Estimate,
    Forest,
    Prose,
    Section,
    Table,
    Tone,
)
from reports.guardrail_words import bad_event, label, shown, state
from reports.report import Report
from reports.words import fraction, points, signed, signed_interval

NOT_STUDIED = "Not studied in this run."


def side_effects(report: Report) -> Section:
    """What a variant costs on harmless work, held against margins fixed in the plan."""
    guards = [
        (one.variant, guard) for one in report.analysis.comparisons for guard in one.guardrails
    ]
    blocks: list[Block]
    if not guards:
        blocks = [
            Prose(
                text=f"{NOT_STUDIED} Nothing here says that the variants are harmless "
                "to ordinary work."
            )
        ]
    else:
        blocks = [
            Prose(
                text="Measured on benign twins: the same scenes without the pressure. A "
                "guardrail passes only when its whole interval lies below the margin "
                "that the plan fixed; a large p-value is never a pass."
            ),
            *_guard_figure(report),
            _guard_table(report),
        ]
    return Section(
        id="side-effects",
        number=5,
        title="Side effects",
        question="What does each variant cost on harmless work?",
        blocks=tuple(blocks),
    )


def _guard_figure(report: Report) -> list[Block]:
    rows = tuple(
        _guard_row(one.variant, guard)
        for one in report.analysis.comparisons
        for guard in one.guardrails
        if guard.difference is not None and guard.ci is not None
    )
    if not rows:
        return []
    return [
        Forest(
            title="Change in bad events per 100 harmless tasks, with intervals. The upright bar "
            "marks the margin: an interval wholly to its left shows the harm to be smaller.",
            alt="Guardrail panel; the table below holds the same numbers.",
            rows=rows,
            axis="bad events per 100, variant minus baseline",
            left="fewer bad events",
            right="more bad events",
            told_below=True,
        )
    ]


def _guard_row(variant: str, guard: Guardrail) -> Estimate:
    verdict = shown(guard)
    tone: Tone = "good" if verdict else ("bad" if guard.harmed else "unsure")
    walls = [guard.margin]
    numbers = f"{signed(guard.difference, apart_from=walls)} "
    numbers += f"({signed_interval(guard.ci, apart_from=walls)})"
    return Estimate(
        label=label(guard.name),
        difference=guard.difference,
        limits=guard.ci,
        tone="plain" if verdict is None else tone,
        words=f"{numbers}: {state(guard)}",
        group=variant,
        margin=guard.margin,
    )


def _guard_table(report: Report) -> Table:
    guards = [
        (one.variant, guard) for one in report.analysis.comparisons for guard in one.guardrails
    ]
    reasons = dict.fromkeys(
        guard.reason.removeprefix("not tested: ") for _, guard in guards if guard.reason
    )
    why_not = f" Not tested: {'; '.join(reasons)}." if reasons else ""
    return Table(
        caption="Guardrails: bad events out of scored benign twins; differences per 100.",
        columns=(
            "Variant",
            "Bad event",
            "Baseline",
            "Variant",
            "Difference",
            "Interval",
            "Margin",
            "Harm below the margin",
        ),
        rows=tuple(_guard_cells(variant, guard) for variant, guard in guards),
        numeric=frozenset({2, 3, 4, 5, 6}),
        note="Only a variant that reduced coercive replies is tested against the margins. The "
        f"interval is two-sided; its upper end is held against the margin.{why_not}",
    )


def _guard_cells(variant: str, guard: Guardrail) -> tuple[str, ...]:
    walls = [guard.margin]
    return (
        variant,
        bad_event(guard.name),
        fraction(guard.control),
        fraction(guard.treated),
        signed(guard.difference, apart_from=walls),
        signed_interval(guard.ci, apart_from=walls),
        points(guard.margin),
        state(guard),
    )
