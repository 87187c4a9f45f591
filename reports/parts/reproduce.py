"""Part 11: everything somebody needs to get the same numbers again."""

from collections.abc import Iterable

from reports.blocks import Block, Code, Folded, Prose, Section, Table
from reports.report import ModelRun, Report, RunInfo
from reports.words import NONE_TEXT, plural


def reproduce(report: Report) -> Section:
    """Versions, models requested and served, what was sent, prices, hashes, commands."""
    blocks: list[Block] = []
    run = report.run
    if run is None:
        blocks.append(
            Prose(
                text="No run of this service stands behind these counts. The same "
                "file, baseline and seed give the same numbers, byte for byte."
            )
        )
        blocks.append(
            Prose(
                text=f"Seed {report.analysis.settings.seed}, "
                f"{report.analysis.settings.permutations:,} permutations."
            )
        )
    else:
        blocks += [_summary(run), *_models(run.models)]
        if run.commands:
            blocks.append(Code(label="Commands", text="\n".join(run.commands)))
        blocks += _names("Versions", "Package", run.versions.items())
    blocks += _variants(report)
    blocks += _names("Hashes", "Item", _hashes(report))
    return Section(
        id="reproduce",
        number=11,
        title="Reproduce",
        question="How do I get the same numbers?",
        blocks=tuple(blocks),
    )


def _usd(value: float | None) -> str:
    return "not recorded" if value is None else f"${value:,.2f}"


def _summary(run: RunInfo) -> Table:
    rows = [
        ("Run", run.run),
        ("Started", run.started or "not recorded"),
        ("Finished", run.finished or "not recorded"),
        ("Cost", _usd(run.cost_usd)),
        *(
            [("Possibly charged on top", f"at most {_usd(run.usd_doubted)}: requests cut short")]
            if run.usd_doubted
            else []
        ),
        ("Budget", _usd(run.budget_usd) if run.budget_usd is not None else "none set"),
    ]
    if run.trials_planned is not None:
        rows.append(("Trials planned", f"{run.trials_planned:,}"))
    if run.trials_saved:
        rows.append(("Trials saved by stopping early", f"{run.trials_saved:,}"))
    if run.usd_saved:
        rows.append(("Money saved by stopping early", _usd(run.usd_saved)))
    if run.possibly_paid_twice:
        rows.append(("Possibly paid twice", plural(run.possibly_paid_twice, "call")))
    return Table(caption="The run.", columns=("Item", "Value"), rows=tuple(rows))


def _models(models: tuple[ModelRun, ...]) -> list[Block]:
    if not models:
        return []
    rows = tuple(
        (
            model.requested,
            ", ".join(model.served) or "not reported",
            ", ".join(model.fingerprints) or "not reported",
            "; ".join(f"{name}={value}" for name, value in model.sent.items()) or "defaults",
            ", ".join(model.not_settable) or NONE_TEXT,
            model.price or "not recorded",
            NONE_TEXT if model.calls is None else f"{model.calls:,}",
        )
        for model in models
    )
    return [
        Table(
            caption="Models as requested, and what answered.",
            columns=(
                "Requested",
                "Served",
                "Fingerprint",
                "Sent",
                "Not settable",
                "Price",
                "Calls",
            ),
            rows=rows,
            numeric=frozenset({6}),
        )
    ]


def _names(caption: str, first: str, pairs: Iterable[tuple[str, str]]) -> list[Block]:
    rows = tuple(pairs)
    return [Table(caption=caption, columns=(first, "Value"), rows=rows)] if rows else []


def _hashes(report: Report) -> list[tuple[str, str]]:
    """The plan's hashes, then what else was hashed; one value is listed once."""
    plan = report.plan
    rows: list[tuple[str, str]] = []
    if plan is not None:
        rows = [
            ("lock", plan.hash),
            ("scenario pack", plan.pack_hash),
            ("rubric", plan.rubric_hash or "none: the rules decide"),
            ("analysis", plan.analysis_hash),
            *((f"variant {one.id}", one.text_hash) for one in plan.variants),
        ]
    known = {value for _, value in rows}
    given = report.run.hashes.items() if report.run is not None else ()
    return [*rows, *((name, value) for name, value in given if value and value not in known)]


def _variants(report: Report) -> list[Block]:
    if report.plan is None:
        return []
    return [
        Folded(
            summary=f"Text of {one.id}: {one.title}",
            blocks=(
                *((Prose(lead="Hypothesis. ", text=one.hypothesis),) if one.hypothesis else ()),
                Code(label=f"Text of {one.id}", text=one.text.strip("\n") or "(empty)"),
            ),
        )
        for one in report.plan.variants
    ]
