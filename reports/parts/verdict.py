"""Part 1: one sentence per variant, then the forest plot."""

from mitigations.model import Analysis, Comparison, Settings, VerdictKind
from reports.blocks import Block, Estimate, Forest, Prose, Section, Tone, VerdictLine, Verdicts
from reports.contract import verdict_text
from reports.parts.confirmation import confirmation_sentences
from reports.report import Report
from reports.sentences import borne_out, shown_interval, wording
from reports.words import change, interval, points

MARKS: dict[VerdictKind, tuple[Tone, str]] = {
    VerdictKind.REDUCES: ("good", "▼"),
    VerdictKind.INCREASES: ("bad", "▲"),
    VerdictKind.NO_MEANINGFUL_DIFFERENCE: ("neutral", "■"),
    VerdictKind.NOT_ENOUGH_EVIDENCE: ("unsure", "○"),
    VerdictKind.NO_HEADROOM: ("unsure", "◇"),
    VerdictKind.DO_NOT_RELY: ("void", "✕"),
}

FEWER, MORE = "fewer coercive replies", "more coercive replies"


def verdict(report: Report) -> Section:
    """What was found, in words a policy owner can act on, and the picture of it."""
    lines = verdict_lines(report.analysis)
    blocks: list[Block] = [Verdicts(items=lines)]
    if not lines:
        blocks = [Prose(text="There is no variant beside the baseline, so nothing was compared.")]
    else:
        blocks.append(forest(report))
    blocks += confirmation_sentences(report)
    return Section(
        id="verdict",
        number=1,
        title="Verdict",
        question="What did each variant do?",
        blocks=tuple(blocks),
    )


def verdict_lines(analysis: Analysis) -> tuple[VerdictLine, ...]:
    """One sentence per variant, with its mark."""
    lines = []
    for comparison in analysis.comparisons:
        words = wording(comparison, analysis.settings, analysis.alarms)
        tone, glyph = MARKS[words.kind]
        lines.append(
            VerdictLine(
                variant=comparison.variant,
                label=verdict_text(comparison.verdict, words.kind),
                tone=tone,
                glyph=glyph,
                lead=words.lead,
                rest=words.rest,
            )
        )
    return tuple(lines)


def estimate(comparison: Comparison, settings: Settings, *, label: str) -> Estimate:
    """One comparison as a row of a forest plot."""
    kind = borne_out(comparison, settings)
    limits = shown_interval(comparison)
    words = "no estimate"
    if comparison.std_rd is not None:
        walls = [settings.smallest_change]
        words = change(comparison.std_rd)
        words += f" ({interval(limits, apart_from=walls)})" if limits else ""
    return Estimate(
        label=label,
        difference=comparison.std_rd,
        limits=limits,
        tone=MARKS[kind][0],
        words=words,
    )


def forest(report: Report) -> Forest:
    """Every variant against the baseline, with intervals that hold for all of them at once."""
    analysis, settings = report.analysis, report.analysis.settings
    rows = tuple(estimate(one, settings, label=one.variant) for one in analysis.comparisons)
    together = any(one.simultaneous_ci95 for one in analysis.comparisons)
    intervals = "simultaneous 95 % intervals" if together else "95 % intervals"
    spoken = "; ".join(f"{row.label}: {row.words}" for row in rows)
    return Forest(
        title=f"Change in coercive replies per 100 against {report.baseline}, with {intervals}. "
        f"Shaded: changes smaller than {points(settings.smallest_change)} in 100, "
        "too small to matter.",
        alt=f"Forest plot. {spoken}.",
        rows=rows,
        band=settings.smallest_change,
        axis="coercive replies per 100, variant minus baseline",
        left=FEWER,
        right=MORE,
    )
