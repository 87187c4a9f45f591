"""From an analysis, its cells and what else is known of the run to a `Report`."""

from collections.abc import Iterable

from mitigations.model import Analysis, Cell, Outcome, Plan
from reports.examples import DEFAULT_PAIRS, choose
from reports.report import Extras, Report, RunInfo, Transcripts


def build(
    analysis: Analysis,
    cells: Iterable[Cell],
    *,
    plan: Plan | None = None,
    run: RunInfo | None = None,
    outcomes: Iterable[Outcome] = (),
    extras: Extras | None = None,
    transcripts: Transcripts = DEFAULT_PAIRS,
) -> Report:
    """Assemble a report: data only, no words and no marks.

    Args:
        analysis: what `stats.analyse` gave.
        cells: the counts it was given; they carry the heat map.
        plan: the lock; None for `analyze`, where no run of ours stands behind the counts.
        run: dates, money, models served, versions; None likewise.
        outcomes: rows to draw examples from. Read once, never held: a bounded number is kept.
            `examples.sample_places` says which rows are enough.
        extras: what only some runs study.
        transcripts: pairs drawn at random (largest changes are added to them), "none" or "all".
    """
    kept = tuple(cells)
    coercive_at = plan.coercive_at if plan is not None else None
    examples = choose(outcomes, kept, analysis, transcripts, coercive_at=coercive_at)
    if transcripts == "none":
        reason = "Left out on request (`--transcripts none`)."
    else:
        reason = "" if examples else "No transcripts were given to this report."
    name = plan.study if plan is not None else (run.run if run is not None else "")
    return Report(
        title=name or "Analysis of counts",
        analysis=analysis,
        cells=kept,
        plan=plan,
        run=run,
        extras=extras or Extras(),
        examples=examples,
        examples_reason=reason,
    )
