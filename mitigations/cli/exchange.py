"""`mitigations import` and `mitigations export`: to and from the files of other tools."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.session import Session, now, session

if TYPE_CHECKING:
    from mitigations.compose.exchange import Imported


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
    form: Annotated[str, typer.Argument(help="inspect")],
    run: Annotated[
        str | None, typer.Argument(help="Run id or study; the latest run by default.")
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="inspect: .eval or .json")] = Path(
        "run.eval"
    ),
    transcripts: Annotated[
        str | None,
        typer.Option(
            help="`all` or `none` of what was said; by default all, and none of a private pack.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a run in another tool's format."""
    from mitigations.compose import kept, reporting  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.exchange import export_inspect  # noqa: PLC0415
    from mitigations.compose.reading import open_reader  # noqa: PLC0415

    here = session(context)
    if form != "inspect":
        raise typer.BadParameter(f"{form!r} is not one of: inspect", param_hint="FORM")
    if transcripts not in {None, "all", "none"}:
        raise typer.BadParameter("give `all` or `none`", param_hint="--transcripts")
    with open_reader(here.db, here.runs, names=[run], now=now) as reader:
        store = reader.store
        chosen = reporting.latest_run(store) if run is None else reporting.known_run(store, run)
        plan = kept.plan_of(store, chosen)
        private = not plan.pack.startswith("builtin/")
        texts = transcripts == "all" or (transcripts is None and not private)
        written = export_inspect(store, plan, chosen, output, texts=texts)
    if here.json:
        typer.echo(json.dumps({"run": chosen, "files": [str(path) for path in written]}))
        return
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
