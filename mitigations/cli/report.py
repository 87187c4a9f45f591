"""`mitigations report [RUN]`: the significance report, format by extension."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from mitigations.cli.session import session


def report(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="Run id; the latest by default.")] = None,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help=".html .md .json .csv .parquet .pdf")
    ] = Path("report.html"),
    transcripts: Annotated[
        str, typer.Option(help="Example pairs to show: a number, `none` or `all`.")
    ] = "3",
    against: Annotated[
        str | None, typer.Option(help="Another run to hold this one against.", metavar="RUN")
    ] = None,
) -> None:
    """Write the significance report of a run; of a stopped one, as far as it went."""
    import reports  # noqa: PLC0415 - start-up stays light
    from mitigations.compose import comparing, kept, reporting  # noqa: PLC0415
    from mitigations.store import Store  # noqa: PLC0415

    here, shown = session(context), transcripts_of(transcripts)
    with Store.open(here.db, create=False) as store:
        chosen = reporting.latest_run(store) if run is None else reporting.known_run(store, run)
        plan = kept.plan_of(store, chosen)
        command = f"mitigations --db {here.db.name} report {chosen} -o {output.name}"
        other = None if against is None else reporting.known_run(store, against)
        if other is not None:
            command += f" --against {other}"
        made = reporting.report_run(
            store,
            plan,
            chosen,
            commands=(f"mitigations run {plan.study}.lock", command),
            transcripts=shown,
        )
        if other is not None:
            made = replace(made, against=comparing.compare_runs(store, chosen, other))
    reports.write(made, output)
    if here.json:
        typer.echo(json.dumps(reports.report_json(made), ensure_ascii=False))
        return
    for comparison in made.analysis.comparisons:
        here.say(reports.sentence(comparison, made.analysis.settings, made.analysis.alarms))
    if made.against is not None and (moved := reports.headline(made.against)):
        here.say(moved)
    here.say(f"Report: {output}")


def transcripts_of(text: str) -> "int | Literal['none', 'all']":
    """The value of `--transcripts`; raises `typer.BadParameter`."""
    if text == "none":
        return "none"
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit():
        return int(text)
    raise typer.BadParameter("give a number, `none` or `all`", param_hint="--transcripts")
