"""`mitigations report [RUN]`: the significance report, format by extension."""

import json
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
) -> None:
    """Write the significance report of a run; of a stopped one, as far as it went."""
    import reports  # noqa: PLC0415 - start-up stays light
    from mitigations.compose import reporting  # noqa: PLC0415
    from mitigations.store import Store  # noqa: PLC0415

    here, shown = session(context), _transcripts(transcripts)
    with Store.open(here.db, create=False) as store:
        chosen = reporting.latest_run(store) if run is None else reporting.known_run(store, run)
        plan = reporting.plan_of(store, chosen)
        command = f"mitigations --db {here.db.name} report {chosen} -o {output.name}"
        made = reporting.report_run(
            store,
            plan,
            chosen,
            commands=(f"mitigations run {plan.study}.lock", command),
            transcripts=shown,
        )
    reports.write(made, output)
    if here.json:
        typer.echo(json.dumps(reports.report_json(made), ensure_ascii=False))
        return
    for comparison in made.analysis.comparisons:
        here.say(reports.sentence(comparison, made.analysis.settings, made.analysis.alarms))
    here.say(f"Report: {output}")


def _transcripts(text: str) -> "int | Literal['none', 'all']":
    if text == "none":
        return "none"
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit():
        return int(text)
    raise typer.BadParameter("give a number, `none` or `all`", param_hint="--transcripts")
