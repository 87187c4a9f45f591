"""The door to DBOS: a durable queue of leases. JSON is all that it stores, never a pickle."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer
from psycopg import ProgrammingError
from sqlalchemy import Engine, create_engine, make_url

from runner.engine.address import Address
from runner.engine.line import CONNECTION, FIRST_PATIENCE_S, PATIENCE_S, Line, Patience, Say

QUEUE = "mitigations-leases"
WORKFLOW = "mitigations.lease"
AT_ONCE = 2
"""Leases a worker plays at once: the end of one is hidden by the middle of the other."""
POLL_S = 0.2
T = TypeVar("T")
Play = Callable[[dict[str, Any]], dict[str, Any]]


class Offers:
    """The owner's end: what is put into the queue stays there until a worker has taken it."""

    def __init__(self, address: Address, *, build: str, say: Say = lambda _: None) -> None:
        _quiet()
        self._build = build
        self._patience = Patience(address, limit_s=PATIENCE_S, say=say)
        self._engine = _engine(_Door(address))
        self._client = self._keep(lambda: self._connect(address), limit_s=FIRST_PATIENCE_S)

    def _connect(self, address: Address) -> DBOSClient:
        DBOS.migrate(_with_timeouts(address.url))
        client = DBOSClient(
            system_database_engine=self._engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name="mitigations",
            # It would wait for ever, in steps of a minute; we say how long and to whom it is told.
            retry_connection_errors=False,
        )
        client.register_queue(QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=POLL_S)
        return client

    def _keep(self, work: Callable[[], T], *, limit_s: float | None = None) -> T:
        return self._patience.keep(work, lost=lambda: None, limit_s=limit_s)

    def put(self, lease: str, body: dict[str, Any]) -> None:
        """Enqueue a lease; only a worker of the same build can take it."""
        options: Any = {
            "queue_name": QUEUE,
            "workflow_name": WORKFLOW,
            "workflow_id": lease,
            "app_version": self._build,
        }
        self._keep(lambda: self._client.enqueue(options, body))

    def forget(self, leases: Sequence[str]) -> None:
        """Take ended leases, and those nobody is to take, out of the engine's tables."""
        self._keep(lambda: self._client.cancel_workflows(list(leases)))
        self._keep(lambda: self._client.delete_workflows(list(leases)))

    def close(self) -> None:
        """Close the connections."""
        self._patience.end()
        self._client.destroy()
        self._engine.dispose()


class Takes:
    """A worker's end: plays each lease that the queue hands to this process. One a process."""

    def __init__(self, address: Address, *, build: str, worker: str, play: Play) -> None:
        _quiet()
        self._door = _Door(address)
        self._engine = _engine(self._door)

        def lease(body: dict[str, Any]) -> dict[str, Any]:
            return DBOS.run_step({"name": "play"}, play, body)

        def launch() -> None:
            DBOS.workflow(name=WORKFLOW)(lease)
            DBOS(
                config={
                    "name": "mitigations",
                    "system_database_url": "postgresql://the-engine/below",
                    "system_database_engine": self._engine,
                    "serializer": DBOSPortableJSONSerializer(),
                    "application_version": build,
                    "executor_id": worker,
                    "enable_otlp": False,
                    "log_level": "CRITICAL",
                }
            )
            try:
                DBOS.listen_queues([QUEUE])
                DBOS.launch()
                DBOS.register_queue(
                    QUEUE,
                    worker_concurrency=AT_ONCE,
                    polling_interval_sec=POLL_S,
                    on_conflict="always_update",
                )
            except BaseException:
                DBOS.destroy(destroy_registry=True)
                raise

        Patience(address, limit_s=FIRST_PATIENCE_S).keep(launch, lost=lambda: None)

    def close(self, *, grace_s: int = 0) -> None:
        """Take nothing more; wait for what is being played, but not for a server that is away."""
        last = threading.Timer(grace_s + 1, self._door.close)
        last.start()
        try:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace_s)
        finally:
            last.cancel()
            self._door.close()
            self._engine.dispose()


def _quiet() -> None:
    # It would tell of addresses and of its own retries; what matters is told by us.
    logging.getLogger("dbos").setLevel(logging.CRITICAL)


class _Door:
    """Opens the engine's connections until it is closed.

    The engine tries a lost connection again for ever; only an error that is none of the line's ends
    its threads, and with them the process.
    """

    def __init__(self, address: Address) -> None:
        self._address, self._is_closed = address, False

    def close(self) -> None:
        self._is_closed = True

    def __call__(self) -> Line:
        if self._is_closed:
            raise ProgrammingError("this process is leaving")
        return Line.to(self._address, autocommit=False)


def _engine(door: _Door) -> Engine:
    """Its connections are ours: they end when the server does not answer, and name no password."""
    return create_engine(
        "postgresql+psycopg://",
        creator=door,
        pool_size=3,
        max_overflow=5,
        pool_timeout=30,
        pool_pre_ping=True,
    )


def _with_timeouts(url: str) -> str:
    """For the one call that takes no connection of ours."""
    made = make_url(url)
    missing = {key: str(value) for key, value in CONNECTION.items() if key not in made.query}
    return made.update_query_dict(missing).render_as_string(hide_password=False)
