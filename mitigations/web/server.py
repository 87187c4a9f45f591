"""The process: bind, announce, serve, and give everything back in order."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from mitigations.compose.ending import sigterm_as_ctrl_c
from mitigations.compose.ownership import announce, new_secret
from mitigations.errors import MitigationsError
from mitigations.store import Store
from mitigations.web.access import Access
from mitigations.web.app import make_app
from mitigations.web.guard import allowed, loopback_only
from mitigations.web.services import Hooks, Services, make_services

if TYPE_CHECKING:
    from mitigations.compose.lease import Engine

GRACE_S = 30.0
"""How long a run under way may take to finish what is in flight."""
SHOWN_VERDICTS = 20
"""Runs whose verdict is worked out when the service starts."""


class CannotServe(MitigationsError):
    """The address cannot be served as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator of a service chooses."""

    host: str = "127.0.0.1"
    port: int = 8765
    token_file: Path | None = None
    allow_hosts: tuple[str, ...] = ()
    engine: "Engine | None" = None
    """Workers on other hosts; None: this process plays every trial."""

    def check(self) -> None:
        """Raise `CannotServe` for an address that others reach without a token file."""
        if not loopback_only(self.host) and self.token_file is None:
            raise CannotServe(
                f"{self.host} can be reached from elsewhere, so it needs --token-file FILE\n"
                "  Make one: mitigations serve --token-file FILE --new-token NAME --role read"
            )


def run_service(
    store: Store,
    settings: Settings,
    *,
    now: Callable[[], str],
    say: Callable[[str], None],
    hooks: Hooks | None = None,
) -> None:
    """Serve until asked to stop. The store is already open: this process owns the database."""
    settings.check()
    access = Access(token_file=settings.token_file, secret=(secret := new_secret()))
    listener = _listen(settings)
    store.shut_in()
    services = make_services(
        store.path, store, access, now=now, hooks=hooks, engine=settings.engine
    )
    url = _url(settings.host, listener.getsockname()[1])
    announced = announce(store.path, url=url, secret=secret)
    try:
        for hook in services.hooks.started:
            hook(services)
        _prepare(services)
        app = make_app(services, allowed(settings.host, settings.allow_hosts))
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=20,
            timeout_graceful_shutdown=5,
        )
        with sigterm_as_ctrl_c():
            say(f"Serving {services.root} at {url}/  (Ctrl-C stops)")
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        say("Stopping: a run under way finishes what is in flight.")
        for stopping in services.hooks.stopping:
            stopping()
        services.jobs.close(grace_s=GRACE_S)
        services.results.close()
        services.readings.close()
        announced.withdraw()
        listener.close()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # From here on a command that finds the owner file waits in line instead of being refused.
        listener.listen(128)
    except (OSError, OverflowError) as exc:
        listener.close()
        reason = getattr(exc, "strerror", None) or exc
        raise CannotServe(
            f"{settings.host}:{settings.port} cannot be bound: {reason}\n  Choose another --port."
        ) from exc
    return listener


def _url(host: str, port: int) -> str:
    """Where a command on this machine finds the service."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - never bound here
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _prepare(services: Services) -> None:
    """Have the verdicts of the latest runs at hand when the first reader comes."""
    with services.reading() as store:
        runs = store.runs()[:SHOWN_VERDICTS]
        sizes = store.run_sizes()
    for run, _, _ in runs:
        if sizes.get(run):
            services.results.refresh_later(run)
