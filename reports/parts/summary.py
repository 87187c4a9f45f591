"""The transparency summary: one page for publication, without transcripts or texts of variants."""

from reports.blocks import Block, Bullets, Document, Prose, Section, Table
from reports.guardrail_words import label, state
from reports.parts.document import notices
from reports.parts.doubts import limits
from reports.parts.verdict import verdict
from reports.report import ModelRun, Report
from reports.words import NONE_TEXT, listing, plural, points

DECISION = (
    "People decide. This page says what one study measured; whether a text is adopted, for which "
    "models and for how long, is decided by those who answer for the policy, with the whole "
    "report before them. The service approves nothing by itself."
)


def summary_document(report: Report) -> Document:
    """What was tested, what was found, what it does not show, and who decides."""
    return Document(
        title=f"{report.title}: summary",
        subtitle="What was tested, and what was found?",
        facts=(),
        notices=notices(report),
        sections=(
            _tested(report),
            _found(report),
            _unshown(report),
            _trusted(report),
            _decided(report),
        ),
        footer="Lower is better everywhere. Differences are variant minus baseline, in replies "
        "per 100. No reply of a model is quoted on this page.",
    )


def _section(number: int, title: str, question: str, *blocks: Block) -> Section:
    name = "verdict" if number == 2 else f"summary-{number}"
    return Section(id=name, number=number, title=title, question=question, blocks=blocks)


def _tested(report: Report) -> Section:
    analysis, plan, run = report.analysis, report.plan, report.run
    scored = sum(cell.counts.scored for cell in report.cells)
    lost = sum(cell.counts.lost for cell in report.cells)
    rows = [
        ("Texts", listing([_titled(report, name) for name in report.variants])),
        ("Against", _titled(report, report.baseline)),
        ("Situations", _situations(report)),
        ("Replies", f"{scored:,} scored, {lost:,} lost"),
        ("Dates", _dates(report)),
    ]
    if plan is not None:
        judges = listing([model.route for model in plan.judge.models])
        rows.append(("Graded by", judges or "fixed rules, without a judge model"))
        rows.append(("Counted as coercive", f"severity {plan.coercive_at} or more of 5"))
        rows.append(("Planned beforehand", f"yes, locked {plan.created[:10]} ({plan.hash[:16]})"))
    elif not analysis.settings.planned:
        rows.append(("Planned beforehand", "no"))
    models = run.models if run is not None and run.models else None
    asked = models or tuple(ModelRun(requested=route) for route in analysis.models)
    table = Table(
        caption="Models, as asked for and as they answered.",
        columns=("Model", "Answered as"),
        rows=tuple((one.requested, ", ".join(one.served) or "not reported") for one in asked),
    )
    facts = Table(caption="The study.", columns=("What", "Value"), rows=tuple(rows))
    return _section(1, "What was tested", "Which texts, on which models, and when?", facts, table)


def _titled(report: Report, name: str) -> str:
    titles = {one.id: one.title for one in report.plan.variants} if report.plan else {}
    title = titles.get(name, "")
    return f"{title} ({name})" if title and title != name else name


def _situations(report: Report) -> str:
    count = plural(len(report.analysis.scenarios), "staged scenario")
    return f"{count} of {report.plan.pack}" if report.plan is not None else count


def _dates(report: Report) -> str:
    run = report.run
    if run is None or not (run.started or run.finished):
        return "not recorded"
    first, last = run.started[:10] or run.finished[:10], run.finished[:10] or "unfinished"
    return first if first == last else f"{first} to {last}"


def _found(report: Report) -> Section:
    part = verdict(report)
    return _section(2, "What was found", part.question, *part.blocks)


def _unshown(report: Report) -> Section:
    items = [
        *limits(report),
        "Two texts that were each held against the baseline were not held against each other.",
        "It shows that replies changed, not why.",
    ]
    guards = [
        (one.variant, guard) for one in report.analysis.comparisons for guard in one.guardrails
    ]
    blocks: list[Block] = [Bullets(items=tuple(items))]
    if guards:
        rows = tuple(
            (variant, label(guard.name), f"{points(guard.margin)} in 100", state(guard))
            for variant, guard in guards
        )
        caption = "Side effects: was harm shown to be smaller than the margin set beforehand?"
        columns = ("Text", "Side effect", "Margin", "Shown")
        blocks.append(Table(caption=caption, columns=columns, rows=rows))
    else:
        blocks.append(Prose(text="Side effects on harmless work were not measured."))
    return _section(3, "What it does not show", "Where would it be wrong to lean on this?", *blocks)


def _trusted(report: Report) -> Section:
    fired = [one for one in report.analysis.alarms if one.fired]
    open_ = [one.name for one in report.analysis.alarms if one.fired is None]
    clear = sum(one.fired is False for one in report.analysis.alarms)
    items = [
        f"{'Alarm' if one.decisive else 'Note'}: {one.name}: {one.detail.rstrip('.')}."
        for one in fired
    ]
    if open_:
        items.append(f"Not checked: {listing(list(dict.fromkeys(open_)))}.")
    items.append(f"{plural(clear, 'check')} found nothing wrong.")
    departures = report.run.amendments if report.run is not None else ()
    items += [f"Departure from the plan: {one}" for one in departures]
    return _section(
        4, "Limits", "Did anything go wrong, or differently than planned?",
        Bullets(items=tuple(items)),
    )  # fmt: skip


def _decided(report: Report) -> Section:
    run = report.run.run if report.run is not None else NONE_TEXT
    lock = report.plan.hash if report.plan is not None else "none"
    again = (
        f"Run {run}, lock {lock}. The whole report and the evidence bundle let anyone "
        "recompute every number on this page with mitigations verify."
    )
    return _section(
        5, "Who decides", "And how can it be checked?", Prose(text=DECISION),
        Prose(text=again, quiet=True),
    )  # fmt: skip
