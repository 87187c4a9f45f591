"""Two runs of one database -> `RunComparison`."""

from mitigations.compose.kept import plan_of
from mitigations.compose.reporting.analysis import analyse_run, served_models
from mitigations.model import Plan
from mitigations.store import Store
from reports import RunComparison, RunSide, compare


def compare_runs(store: Store, run: str, other: str) -> RunComparison:
    """Two runs beside each other, the one that started first as the earlier.

    Raises:
        NotComparable: nothing in them can be held side by side.
    """
    started = {name: at for name, _, at in store.runs()}
    # Where the clock cannot tell, the run that was named first counts as the later.
    after = started.get(run, "") >= started.get(other, "")
    first, second = (other, run) if after else (run, other)
    return compare(run_side(store, first), run_side(store, second))


def run_side(store: Store, run: str, plan: Plan | None = None) -> RunSide:
    """One run with its analysis, as `reports.compare` takes it."""
    bound = plan if plan is not None else plan_of(store, run)
    served = served_models(store, run)
    started = {name: at for name, _, at in store.runs()}
    return RunSide(
        run=run,
        plan=bound,
        analysis=analyse_run(store, bound, run, served),
        cells=store.cells(run),
        started=started.get(run, ""),
        served={row.model: (*(row.names or ()), *(row.fingerprints or ())) for row in served},
    )
