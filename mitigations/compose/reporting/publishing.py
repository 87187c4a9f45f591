"""One report, whoever asks for it: the command line and the service give the same bytes."""

from dataclasses import replace
from pathlib import Path

from mitigations.compose.kept import plan_of
from mitigations.compose.reporting.comparing import compare_runs
from mitigations.compose.reporting.making import report_run
from mitigations.store import Store
from reports import Report, Transcripts


def published(
    store: Store,
    run: str,
    *,
    output: str,
    transcripts: Transcripts = 3,
    against: str | None = None,
    base: Path | None = None,
) -> Report:
    """The report of a run as `mitigations report` writes it to a file named `output`.

    The name matters: a report says which command makes it. `base` is where private packs are.
    """
    plan = plan_of(store, run, base=base)
    command = f"mitigations --db {store.path.name} report {run} -o {output}"
    if against is not None:
        command += f" --against {against}"
    commands = (f"mitigations run {plan.study}.lock", command)
    made = report_run(store, plan, run, commands=commands, transcripts=transcripts)
    return made if against is None else replace(made, against=compare_runs(store, run, against))
