"""A report in words: masthead, banners and the eleven parts in order."""

from collections.abc import Callable

from reports.blocks import Document, Notice, Section
from reports.comparing import RunComparison
from reports.parts.against import against, headline
from reports.parts.doubts import doubts
from reports.parts.examples import examples
from reports.parts.judge import judge
from reports.parts.main_table import main_table
from reports.parts.method import method
from reports.parts.reproduce import reproduce
from reports.parts.side_effects import side_effects
from reports.parts.trust import trust
from reports.parts.verdict import verdict
from reports.parts.where import where
from reports.parts.why import why
from reports.report import Report
from reports.words import plural

PARTS: tuple[Callable[[Report], Section], ...] = (
    verdict,
    trust,
    main_table,
    where,
    side_effects,
    why,
    doubts,
    examples,
    judge,
    method,
    reproduce,
)

_READING = "Lower is better everywhere. Differences are variant minus baseline, in replies per 100."

_BANNERS = {
    "simulated": (
        "Simulated models.",
        (
            "The replies were drawn by a program from published rates. They show how the service "
            "works and say nothing about any real model."
        ),
    ),
    "embedded": (
        "A small embedded model.",
        (
            "Replies come from a small language model on this machine. It shows the whole loop on "
            "real text; its verdicts say nothing about larger models."
        ),
    ),
}


def document(report: Report) -> Document:
    """Everything the report says, in order, as blocks of plain text."""
    return Document(
        title=report.title,
        subtitle="Do these instructions keep the model from coercing people?",
        facts=_facts(report),
        notices=notices(report),
        sections=_sections(report),
        footer=_footer(report),
    )


def comparison_document(comparison: RunComparison) -> Document:
    """Two runs beside each other as a document of its own: the page `/compare`."""
    earlier, later = comparison.earlier, comparison.later
    return Document(
        title=f"{later.plan.study}: two runs",
        subtitle="What changed between these runs?",
        facts=tuple(
            (name, side.run + (f", {side.started[:10]}" if side.started else ""))
            for name, side in (("Earlier", earlier), ("Later", later))
        ),
        notices=(),
        sections=(against(comparison, number=1),),
        footer=f"Runs {earlier.run} and {later.run}. {_READING}",
    )


def _sections(report: Report) -> tuple[Section, ...]:
    parts = tuple(part(report) for part in PARTS)
    if report.against is None:
        return parts
    return (*parts, against(report.against, number=len(parts) + 1))


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    analysis = report.analysis
    scored = sum(cell.counts.scored for cell in report.cells)
    lost = sum(cell.counts.lost for cell in report.cells)
    compared = plural(len(analysis.comparisons), "variant")
    facts = [
        ("Compared", f"{compared} against {report.baseline}"),
        (
            "On",
            (
                f"{plural(len(analysis.models), 'model')}, "
                f"{plural(len(analysis.scenarios), 'scenario')}"
            ),
        ),
        ("Trials", f"{scored:,} scored" + (f", {lost:,} lost" if lost else "")),
    ]
    if report.run is not None and report.run.finished:
        facts.append(("Finished", report.run.finished[:16].replace("T", " ") + " UTC"))
    return tuple(facts)


def notices(report: Report) -> tuple[Notice, ...]:
    """Banners that stand over everything a report says."""
    """The banners: what the replies were made of, no plan, decisive alarms."""
    banners = [Notice(lead=_BANNERS[mark][0], text=_BANNERS[mark][1]) for mark in report.made_of]
    if not report.analysis.settings.planned:
        banners.append(
            Notice(
                lead="Exploratory.",
                text=(
                    "No plan was locked before the data were seen"
                    if report.plan is None
                    else "The plan was amended in a way that its error rates do not cover (part 10)"
                )
                + "; treat every finding here as a question for a planned study.",
            )
        )
    if report.against is not None and (told := headline(report.against)):
        banners.append(Notice(lead="Against the other run.", text=told))
    for alarm in report.analysis.alarms:
        if alarm.fired and alarm.decisive:
            touched = ", ".join(alarm.variants) or "every variant"
            banners.append(
                Notice(lead=f"Do not rely on {touched}.", text=f"{alarm.detail or alarm.name}")
            )
    return tuple(banners)


def _footer(report: Report) -> str:
    run = f"Run {report.run.run}. " if report.run is not None else ""
    return run + _READING
