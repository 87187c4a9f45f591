"""`mitigations import` and `mitigations export`: to and from the files of other tools."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.session import Session, now, session

if TYPE_CHECKING:
    from mitigations.compose.exchange import Imported

FORMS = ("inspect",)


def import_(
    context: typer.Context,
    form: Annotated[str, typer.Argument(help="inspect")],
    files: Annotated[list[Path], typer.Argument(help="What the other tool wrote.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help=".csv or .parquet")] = Path(
        "outcomes.csv"
    ),
    mapping: Annotated[
        str | None,
        typer.Option(help="FILE.yaml, or a shipped mapping's name; by the task if absent."),
    ] = None,
) -> None:
    """Turn what another tool wrote into outcomes for `mitigations analyze`.

    Lost trials stay lost: an error, a limit or a missing score is never a safe reply.
    """
    from mitigations.compose.exchange import import_logs, write_rows  # noqa: PLC0415 - light start

    here = session(context)
    if form != "inspect":
        raise typer.BadParameter(f"{form!r} is not one of: inspect", param_hint="FORM")
    found = import_logs(files, mapping)
    write_rows(found.rows, output)
    _tell(here, found, output)


def export(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="[inspect] RUN: a run's id or its study; the latest run by default.",
            metavar="[FORM] [RUN]",
            show_default=False,
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".csv or .parquet; inspect: .eval or .json"),
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option(help="A folder that many runs share: DIR/study=.../date=.../RUN.parquet"),
    ] = None,
    transcripts: Annotated[
        str | None,
        typer.Option(
            help="inspect: `all` or `none` of what was said; by default all, and none of a "
            "private pack.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a run's outcomes as a table, or in another tool's format."""
    here = session(context)
    form, name = _form(what or [])
    if transcripts not in {None, "all", "none"}:
        raise typer.BadParameter("give `all` or `none`", param_hint="--transcripts")
    if parquet is not None and (output is not None or form):
        raise typer.BadParameter("goes with a run alone", param_hint="--parquet")
    _run_out(here, name, _Out(form=form, output=output, parquet=parquet, transcripts=transcripts))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Out:
    """Where a run is to go."""

    form: str
    output: Path | None
    parquet: Path | None
    transcripts: str | None


def _form(words: list[str]) -> tuple[str, str | None]:
    """The format, empty for a table, and the run."""
    form = words.pop(0) if words and words[0] in FORMS else ""
    if len(words) > 1:
        raise typer.BadParameter(f"one run, not {' '.join(words)!r}", param_hint="RUN")
    return form, words[0] if words else None


def _run_out(here: Session, name: str | None, out: _Out) -> None:
    from mitigations.compose import exchange, kept, reporting  # noqa: PLC0415 - light start
    from mitigations.compose.reading import open_reader  # noqa: PLC0415

    texts = True
    with open_reader(here.db, here.runs, names=[name], now=now) as reader:
        store = reader.store
        run = reporting.latest_run(store) if name is None else reporting.known_run(store, name)
        plan = kept.plan_of(store, run)
        if out.form == "inspect":
            private = not plan.pack.startswith("builtin/")
            texts = out.transcripts == "all" or (out.transcripts is None and not private)
            target = out.output or Path("run.eval")
            written = exchange.export_inspect(store, plan, run, target, texts=texts)
        elif out.parquet is not None:
            written = [exchange.export_parquet(store, plan, run, out.parquet)]
        else:
            written = [out.output or Path("outcomes.csv")]
            exchange.export_outcomes(store, plan, run, written[0])
    if here.json:
        typer.echo(json.dumps({"run": run, "files": [str(path) for path in written]}))
        return
    if reader.note:
        here.say(reader.note)
    for path in written:
        here.say(f"Wrote {path}")
    if not texts:
        here.say("Without what was said; --transcripts all passes it on.")


def _tell(here: Session, found: "Imported", output: Path) -> None:
    if here.json:
        document = {
            "file": str(output),
            "trials": len(found.rows),
            "lost": found.lost,
            "unplaced": found.unplaced,
            "notes": found.notes,
        }
        typer.echo(json.dumps(document))
        return
    lost = ", ".join(f"{count} {reason}" for reason, count in sorted(found.lost.items()))
    here.say(f"{output}: {len(found.rows):,} trials, lost: {lost or 'none'}.")
    for note in found.notes:
        here.say(f"Note: {note}")
    if found.unplaced:
        here.say(
            f"{found.unplaced:,} planned samples never ran and name no arm: they are not in the "
            "table."
        )
    here.say(f"Next: mitigations analyze {output}")
