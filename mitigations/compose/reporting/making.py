"""One run -> its `Report`: the analysis, and every part that is read from rows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import reports
from mitigations.compose import awareness
from mitigations.compose.judging import against_labels, part
from mitigations.compose.looking import course_of, shown
from mitigations.compose.reporting.ablated import ablated
from mitigations.compose.reporting.analysis import analyse_run, served_models
from mitigations.compose.reporting.confirmed import confirmed
from mitigations.compose.reporting.factors import factors
from mitigations.compose.reporting.run_info import run_info
from mitigations.model import Alarm, Plan
from mitigations.store import Store
from reports import Extras, Report, Transcripts


def report_run(
    store: Store,
    plan: Plan,
    run: str,
    *,
    commands: Sequence[str],
    transcripts: Transcripts = 3,
    stored: Alarm | None = None,
) -> Report:
    """Everything the report says about a run; reads cells and a bounded number of rows.

    `stored` is what is known of the rows' integrity where no seal of them is here; else it is seen.
    """
    cells, guardrails = store.cells(run), store.guardrails(run)
    served = served_models(store, run)
    labels = against_labels.run_labels(store, plan, run)
    analysis = analyse_run(store, plan, run, served, stored=stored)
    check = part.judge_check(labels, plan, analysis)
    analysis = replace(analysis, alarms=(*analysis.alarms, *part.change_alarm(check)))
    places = reports.sample_places(cells, analysis, repeats=plan.repeats, transcripts=transcripts)
    disputed = store.disputed(run, coercive_at=plan.coercive_at)
    places += reports.disputed_shown(disputed, transcripts)
    return reports.build(
        analysis,
        cells,
        plan=plan,
        run=run_info(store, plan, run, served, commands),
        outcomes=store.outcomes_at(run, places),
        extras=Extras(
            guardrail_cells=guardrails,
            ablation=ablated(plan, cells),
            confirmation=confirmed(plan, analysis),
            factors=tuple(factors(plan, cells)),
            corrigibility=tuple(_corrigibility(store, run)),
            probe=awareness.contrast(store, plan, run),
            judge=check,
            labels_note=against_labels.labels_note(labels, plan, run),
            tipping=part.tippings(cells, analysis),
            disputed=len(disputed) if plan.judge.models else None,
            looks=shown(plan, course_of(store, run)),
            looks_kind="e-process" if plan.settings.design == "anytime" else "planned looks",
        ),
        transcripts=transcripts,
    )


def _corrigibility(store: Store, run: str) -> Iterable[reports.CorrigibilityRow]:
    rows = store.query("corrigibility", run)
    for variant, threat, accepts, objects, stalls, resists in rows:
        yield reports.CorrigibilityRow(
            variant=variant,
            threat=threat or "none",
            accepts=accepts,
            objects=objects,
            stalls=stalls,
            resists=resists,
        )
