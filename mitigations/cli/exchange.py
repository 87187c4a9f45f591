"""`mitigations import` and `mitigations export`: to and from the files of other tools."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.session import Session, now, session

if TYPE_CHECKING:
    from mitigations.compose.exchange import Imported

FORMS = ("inspect", "promptfoo")


def import_(
    context: typer.Context,
    form: Annotated[str, typer.Argument(help="inspect or promptfoo")],
    files: Annotated[list[Path], typer.Argument(help="What the other tool wrote.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".csv or .parquet; of a promptfoo config: a folder"),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            help="inspect: FILE.yaml or a shipped mapping's name; by the task if absent. "
            "promptfoo results: failed, passed or metric:NAME is coercive."
        ),
    ] = None,
) -> None:
    """Turn what another tool wrote into outcomes for `mitigations analyze`, or into a study.

    Lost trials stay lost: an error, a limit or a missing score is never a safe reply.
    """
    from mitigations.compose import exchange  # noqa: PLC0415 - start-up stays light

    here = session(context)
    if form not in FORMS:
        raise typer.BadParameter(f"{form!r} is not one of: {', '.join(FORMS)}", param_hint="FORM")
    if form == "promptfoo" and len(files) > 1:
        raise typer.BadParameter("one config or results file", param_hint="FILES")
    if form == "promptfoo" and files[0].suffix.lower() in {".yaml", ".yml"}:
        _config_in(here, files[0], output or Path())
        return
    if form == "promptfoo":
        found = exchange.import_results(files[0], mapping)
    else:
        found = exchange.import_logs(files, mapping)
    target = output or Path("outcomes.csv")
    exchange.write_rows(found.rows, target)
    _tell(here, found, target)


def _config_in(here: Session, path: Path, folder: Path) -> None:
    from mitigations.compose import exchange  # noqa: PLC0415 - start-up stays light

    made = exchange.import_config(path, folder)
    if here.json:
        files = [str(made.study), *map(str, made.variants)]
        typer.echo(json.dumps({"study": str(made.study), "files": files}))
        return
    for file in made.variants:
        here.say(f"Wrote {file}")
    here.say(f"Wrote {made.study}; next: mitigations plan {made.study}")


def export(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="[inspect] RUN: a run's id or its study, the latest run by default; or "
            "promptfoo STUDY.yaml.",
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
    if form == "promptfoo":
        _config_out(here, name, output or Path("promptfooconfig.yaml"))
        return
    _run_out(here, name, _Out(form=form, output=output, parquet=parquet, transcripts=transcripts))


def _config_out(here: Session, name: str | None, output: Path) -> None:
    from mitigations.compose import exchange  # noqa: PLC0415 - start-up stays light

    if name is None:
        raise typer.BadParameter("name the study's file", param_hint="STUDY.yaml")
    tests = exchange.export_config(Path(name), output, created=now())
    if here.json:
        typer.echo(json.dumps({"files": [str(output)], "tests": tests}))
        return
    here.say(f"Wrote {output}: {tests} tests")


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
