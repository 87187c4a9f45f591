"""`mitigations worker`: plays trials for runs whose owner is on another host."""

from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import now, session, told


def worker(
    context: typer.Context,
    *,
    database_url: Annotated[
        str | None,
        typer.Option(help="PostgreSQL (env MITIGATIONS_DATABASE_URL).", show_default=False),
    ] = None,
    providers: Annotated[
        Path | None,
        typer.Option(help="Hosts, keys and limits; providers.yaml here.", show_default=False),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=2000, help="Trials at once, at most.")
    ] = None,
) -> None:
    """Play trials for runs started elsewhere with `--engine dbos`, until Ctrl-C."""
    from mitigations.compose.ending import sigterm_as_ctrl_c  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.working import Host, Means  # noqa: PLC0415 - start-up stays light
    from mitigations.providers import read_providers, read_providers_file  # noqa: PLC0415
    from runner.engine import Address  # noqa: PLC0415

    here = session(context)
    address = Address.of(database_url)
    known = read_providers(Path.cwd()) if providers is None else read_providers_file(providers)
    means = Means(
        address=address,
        providers=known,
        now=now,
        concurrency=concurrency,
        say=told(quiet=here.quiet),
    )
    with sigterm_as_ctrl_c(), Host(means) as host:
        means.say(f"Worker {host.me.id} ({host.me.build}) at {address.shown}. Ctrl-C stops.")
        try:
            while not host.wait(1.0):
                pass
        except KeyboardInterrupt:
            means.say("Stopping: what is in flight is finished.")
    if host.failure is not None:
        raise host.failure
