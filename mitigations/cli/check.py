"""`mitigations check [PATH]`: everything a team wrote, held against its format and linted."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import Session, now, session


def check(  # noqa: PLR0913 - one argument per flag of the command
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Variants, studies, locks, packs, folders; a variant's name."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Findings for programs.")] = False,
    database: Annotated[
        bool, typer.Option("--database", help="Check the database against its journals instead.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write the database again from its journals.")
    ] = False,
    propose: Annotated[str, typer.Option(help="Ask for approval of a variant's text.")] = "",
    approve: Annotated[str, typer.Option(help="Approve a variant's text; not your own.")] = "",
    retire: Annotated[str, typer.Option(help="Take a variant's text out of use.")] = "",
    by: Annotated[str, typer.Option(help="Who proposes, approves or retires.")] = "",
    note: Annotated[str, typer.Option(help="Why, in a few words.")] = "",
    folder: Annotated[Path, typer.Option(help="Where variants are kept.")] = Path("variants"),
    claims: Annotated[
        Path | None, typer.Option(help="Hold this text against a run, sentence by sentence.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="The run for --claims; the latest by default.")
    ] = None,
) -> None:
    """Validate and lint variants, studies, locks and packs; exit 2 when one cannot be used.

    With a variant's name: its status and history. --propose, --approve and --retire add to it.
    """
    here = session(context)
    events = [("propose", propose), ("approve", approve), ("retire", retire)]
    if any(name for _, name in events):
        _add_event(here, [one for one in events if one[1]], by=by, note=note, folder=folder)
        return
    names = _names(paths or [], folder)
    if names:
        _show(here, names, folder, as_json=as_json or here.json)
        return
    if claims is not None:
        _check_claims(here, claims, run, as_json=as_json or here.json)
        return
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


def _names(paths: list[Path], folder: Path) -> list[str]:
    """The words that are no file and name a variant; empty unless all of them do."""
    words = [str(path) for path in paths if path.name == str(path) and not path.exists()]
    if not words or len(words) < len(paths):
        return []
    from mitigations.compose import approving  # noqa: PLC0415 - start-up stays light

    return words if all(approving.is_variant(word, folder) for word in words) else []


def _show(here: Session, names: list[str], folder: Path, *, as_json: bool) -> None:
    from mitigations.compose import approving  # noqa: PLC0415 - start-up stays light

    for name in names:
        if as_json:
            typer.echo(approving.as_json(name, folder))
        else:
            for line in approving.lines(name, folder):
                here.say(line)


def _add_event(
    here: Session, events: list[tuple[str, str]], *, by: str, note: str, folder: Path
) -> None:
    from mitigations.compose import approving  # noqa: PLC0415 - start-up stays light

    if len(events) > 1:
        raise typer.BadParameter("give one of --propose, --approve and --retire")
    ((action, name),) = events
    act = {
        "propose": approving.propose,
        "approve": approving.approve,
        "retire": approving.retire,
    }[action]
    act(name, by=by, at=now(), folder=folder, note=note)
    _show(here, [name], folder, as_json=here.json)
    here.say(f"Recorded in {folder / approving.FILE_NAME}; commit it with the text.")


def _check_database(here: Session, *, rebuild: bool) -> None:
    from mitigations.compose import rebuilding  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.reading import open_reader  # noqa: PLC0415
    from mitigations.compose.service import service_of  # noqa: PLC0415
    from mitigations.errors import DatabaseBusy  # noqa: PLC0415

    if rebuild:
        service = service_of(here.db)
        if service is not None:
            raise DatabaseBusy(
                f"{here.db} is served by PID {service.pid}\n  Stop the service, then rebuild."
            )
        for run, landed in rebuilding.rebuild(here.db, here.runs, now=now):
            here.say(f"{run}: {landed} outcomes")
        here.say(f"Rebuilt {here.db}.")
        return
    with open_reader(here.db, here.runs, now=now) as reader:
        if reader.note:
            # Its rows come from a journal that goes on growing: they cannot be held against it.
            here.say(reader.note)
            problems = rebuilding.recount(reader.store)
        else:
            problems = rebuilding.audit(reader.store, here.runs)
    for problem in problems:
        typer.echo(problem)
    if problems:
        here.say(f"Write it again from its journals: mitigations --db {here.db} check --rebuild")
        raise typer.Exit(2)
    here.say(f"{here.db}: rows, cells and journals agree.")


def _check_claims(here: Session, path: Path, run: str | None, *, as_json: bool) -> None:
    """Exit 0 when every claim is supported, 4 when one is not, 3 when one is contradicted."""
    from mitigations.compose.opening import open_store  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.reporting import claims  # noqa: PLC0415

    with open_store(here.db) as store:
        chosen, results = claims.check_text(store, path, run)
    if as_json:
        typer.echo(json.dumps(claims.plain(chosen, results), indent=2, ensure_ascii=False))
    else:
        for line in claims.lines(path, results):
            typer.echo(line)
        here.say(claims.summary(results))
    if code := claims.exit_code(results):
        raise typer.Exit(code)
