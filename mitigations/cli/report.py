"""`mitigations report [RUN]`: the significance report, format by extension."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from mitigations.cli.session import Session, now, session


def report(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(help="Run id; the latest by default. Or a folder or file of Parquet."),
    ] = None,
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
    summary: Annotated[
        bool, typer.Option("--summary", help="One page for publication: .md or .html.")
    ] = False,
) -> None:
    """Write the significance report of a run; of a stopped one, as far as it went."""
    import reports  # noqa: PLC0415 - start-up stays light
    from mitigations.compose import reporting  # noqa: PLC0415
    from mitigations.compose.reading import open_reader  # noqa: PLC0415
    from mitigations.compose.reporting.publishing import published  # noqa: PLC0415

    here, shown = session(context), transcripts_of(transcripts)
    if run is not None and _is_table(run):
        _of_table(here, Path(run), output, is_plain=not summary and against is None)
        return
    if summary:
        shown = "none"
    wanted = [run] if against is None else [run, against]
    with open_reader(here.db, here.runs, names=wanted, now=now) as reader:
        store = reader.store
        if reader.note:
            here.say(reader.note)
        chosen = reporting.latest_run(store) if run is None else reporting.known_run(store, run)
        other = None if against is None else reporting.known_run(store, against)
        made = published(store, chosen, output=output.name, transcripts=shown, against=other)
    if summary:
        reports.write_summary(made, output)
        here.say(f"Summary: {output}")
        return
    reports.write(made, output)
    if here.json:
        typer.echo(json.dumps(reports.report_json(made), ensure_ascii=False))
        return
    for comparison in made.analysis.comparisons:
        here.say(reports.sentence(comparison, made.analysis.settings, made.analysis.alarms))
    if made.against is not None and (moved := reports.headline(made.against)):
        here.say(moved)
    here.say(f"Report: {output}")


def _is_table(name: str) -> bool:
    """Whether this is no run but a folder of Parquet, a pattern of one, or such a file."""
    path = Path(name)
    return path.is_dir() or path.suffix in {".parquet", ".pq"} or any(s in name for s in "*?[")


def _of_table(here: Session, path: Path, output: Path, *, is_plain: bool) -> None:
    """A report of anyone's trials: the analysis of `mitigations analyze`, with its defaults."""
    if not is_plain:
        wanted = "--against, --summary"
        raise typer.BadParameter("goes with a run, not with a table", param_hint=wanted)
    import reports  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.analysing import Request, answer, written  # noqa: PLC0415

    made = answer(Request(file=path))
    written(made, output)
    if here.json:
        typer.echo(made.json_text)
        return
    for comparison in made.analysis.comparisons:
        here.say(reports.sentence(comparison, made.analysis.settings, made.analysis.alarms))
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
