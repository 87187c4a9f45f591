"""`mitigations serve`: pages, API, and the one process that owns the database."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.session import Session, engine_of, now, session

if TYPE_CHECKING:
    from mitigations.web.tokens import Role


def serve(  # noqa: PLR0913 - one argument per flag of the command
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8765,
    token_file: Annotated[
        Path | None, typer.Option(help="Who may do what; needed beyond this machine.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Host name this service answers to (repeatable).", show_default=False),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="dbos: `mitigations worker` plays the trials.", show_default=False),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="PostgreSQL (env MITIGATIONS_DATABASE_URL).", show_default=False),
    ] = None,
    new_token: Annotated[
        str | None, typer.Option(help="Add a token for NAME, print it once, exit.", metavar="NAME")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="read, propose, approve or run (repeatable).", show_default=False),
    ] = None,
    revoke: Annotated[
        str | None, typer.Option(help="End the token of NAME, exit.", metavar="NAME")
    ] = None,
    list_tokens: Annotated[
        bool, typer.Option("--list-tokens", help="Print names and roles, exit.")
    ] = False,
) -> None:
    """Serve the workspace of the database in the browser and over an API."""
    here = session(context)
    if new_token is not None or revoke is not None or list_tokens:
        _tokens(here, token_file, new_token, role or [], revoke)
        return
    if role:
        raise typer.BadParameter("goes with --new-token", param_hint="--role")
    from mitigations.store import Store  # noqa: PLC0415 - start-up stays light

    # The service's own schedules hold the one DBOS that a process can have: it leases, others play.
    hosts = engine_of(engine, database_url, quiet=here.quiet)
    hosts = None if hosts is None else replace(hosts, takes_part=False)
    # The file first: whoever comes second learns at once who holds it.
    with Store.open(here.db) as store:
        from mitigations.web.schedules import Scheduler  # noqa: PLC0415
        from mitigations.web.server import Settings, run_service  # noqa: PLC0415
        from mitigations.web.services import Hooks  # noqa: PLC0415

        settings = Settings(
            host=host,
            port=port,
            token_file=token_file,
            allow_hosts=tuple(allow_host or ()),
            engine=hosts,
        )
        base = os.environ.get("MITIGATIONS_URL") or f"http://{host}:{port}"
        hooks = Scheduler(base=base).attach(Hooks())
        run_service(store, settings, now=now, say=lambda text: _say(here, text), hooks=hooks)


def _say(here: Session, text: str) -> None:
    """On standard error and at once: a service's output is read while it runs."""
    if not here.quiet:
        typer.echo(text, err=True)


def _tokens(
    here: Session, path: Path | None, new: str | None, roles: list[str], revoked: str | None
) -> None:
    from mitigations.web import tokens  # noqa: PLC0415 - start-up stays light

    if path is None:
        raise typer.BadParameter("name the file", param_hint="--token-file")
    if new is not None:
        made = tokens.new_token(path, new, _roles(roles), at=now())
        here.say(f"The token of {new}, shown this once:")
        typer.echo(made)
        return
    if revoked is not None:
        tokens.revoke(path, revoked, at=now())
        here.say(f"The token of {revoked} is revoked; its sessions have ended.")
        return
    for token in tokens.read_tokens(path):
        state = f"revoked {token.revoked}" if token.revoked else f"since {token.created}"
        typer.echo(f"{token.name}\t{', '.join(token.roles)}\t{state}")


def _roles(names: list[str]) -> "list[Role]":
    from mitigations.errors import UnknownName  # noqa: PLC0415 - start-up stays light
    from mitigations.web.tokens import Role  # noqa: PLC0415

    known = [str(role) for role in Role]
    for name in names:
        if name not in known:
            raise UnknownName("role", name, known)
    if not names:
        raise typer.BadParameter("say what it is for, such as `read`", param_hint="--role")
    return [Role(name) for name in names]
