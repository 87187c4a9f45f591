"""`mitigations check [PATH]`: everything a team wrote, held against its format and linted."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import Session, now, session


def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Variants, studies, locks, packs, or folders.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Findings for programs.")] = False,
    database: Annotated[
        bool, typer.Option("--database", help="Check the database against its journals instead.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write the database again from its journals.")
    ] = False,
) -> None:
    """Validate and lint variants, studies, locks and packs; exit 2 when one cannot be used."""
    here = session(context)
    if database or rebuild:
        _check_database(here, rebuild=rebuild)
        return
    from mitigations.compose.checking import check_paths  # noqa: PLC0415 - start-up stays light

    results = check_paths(paths or [Path()])
    if as_json or here.json:
        typer.echo(json.dumps([result.plain() for result in results], indent=2, ensure_ascii=False))
    else:
        for result in results:
            for line in result.lines:
                typer.echo(line)
        broken = sum(not result.usable for result in results)
        noted = sum(bool(result.lines) for result in results) - broken
        here.say(f"{len(results)} checked: {broken} cannot be used, {noted} with notes.")
    if any(not result.usable for result in results):
        raise typer.Exit(2)


def _check_database(here: Session, *, rebuild: bool) -> None:
    from mitigations.compose import rebuilding  # noqa: PLC0415 - start-up stays light
    from mitigations.store import Store  # noqa: PLC0415

    if rebuild:
        for run, landed in rebuilding.rebuild(here.db, here.runs, now=now):
            here.say(f"{run}: {landed} outcomes")
        here.say(f"Rebuilt {here.db}.")
        return
    with Store.open(here.db, create=False) as store:
        problems = rebuilding.audit(store, here.runs)
    for problem in problems:
        typer.echo(problem)
    if problems:
        here.say(f"Write it again from its journals: mitigations --db {here.db} check --rebuild")
        raise typer.Exit(2)
    here.say(f"{here.db}: rows, cells and journals agree.")
