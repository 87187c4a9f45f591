"""The door to DBOS: a durable queue of leases. JSON is all that it stores, never a pickle."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from runner.engine.address import Address, EngineUnavailable

QUEUE = "mitigations-leases"
WORKFLOW = "mitigations.lease"
AT_ONCE = 2
"""Leases a worker plays at once: the end of one is hidden by the middle of the other."""
POLL_S = 0.2
START_S = 60.0
"""How long a server that is away is waited for at the start; the board has found it before."""
T = TypeVar("T")
Play = Callable[[dict[str, Any]], dict[str, Any]]


class Offers:
    """The owner's end: what is put into the queue stays there until a worker has taken it."""

    def __init__(self, address: Address, *, build: str) -> None:
        _quiet()
        self._build = build
        self._client = _patiently(address, lambda: self._connect(address))

    def _connect(self, address: Address) -> DBOSClient:
        DBOS.migrate(address.url)
        client = DBOSClient(
            system_database_url=address.url,
            serializer=DBOSPortableJSONSerializer(),
            application_name="mitigations",
        )
        client.register_queue(QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=POLL_S)
        return client

    def put(self, lease: str, body: dict[str, Any]) -> None:
        """Enqueue a lease; only a worker of the same build can take it."""
        options: Any = {
            "queue_name": QUEUE,
            "workflow_name": WORKFLOW,
            "workflow_id": lease,
            "app_version": self._build,
        }
        self._client.enqueue(options, body)

    def forget(self, leases: Sequence[str]) -> None:
        """Take ended leases, and those nobody is to take, out of the engine's tables."""
        self._client.cancel_workflows(list(leases))
        self._client.delete_workflows(list(leases))

    def close(self) -> None:
        """Close the connections."""
        self._client.destroy()


class Takes:
    """A worker's end: plays each lease that the queue hands to this process. One a process."""

    def __init__(self, address: Address, *, build: str, worker: str, play: Play) -> None:
        _quiet()

        def lease(body: dict[str, Any]) -> dict[str, Any]:
            return DBOS.run_step({"name": "play"}, play, body)

        def launch() -> None:
            DBOS.workflow(name=WORKFLOW)(lease)
            DBOS(
                config={
                    "name": "mitigations",
                    "system_database_url": address.url,
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

        _patiently(address, launch)

    def close(self, *, grace_s: int = 0) -> None:
        """Take nothing more; wait for what is being played."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace_s)


def _quiet() -> None:
    # It would tell of addresses and of its own retries; what matters is told by us.
    logging.getLogger("dbos").setLevel(logging.CRITICAL)


def _patiently(address: Address, start: Callable[[], T]) -> T:
    """Start, again while the server is coming back from a restart."""
    until = time.monotonic() + START_S
    while True:
        try:
            return start()
        except (SQLAlchemyError, OSError) as exc:
            if time.monotonic() > until:
                reason = address.scrub(str(exc)).strip().splitlines()[0]
                raise EngineUnavailable(f"PostgreSQL at {address.shown}: {reason}") from None
        time.sleep(1.0)
