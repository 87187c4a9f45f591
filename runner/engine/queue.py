"""The door to DBOS: a durable queue of leases. JSON is all that it stores, never a pickle."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from runner.engine.address import Address, EngineUnavailable

QUEUE = "mitigations-leases"
WORKFLOW = "mitigations.lease"
AT_ONCE = 2
"""Leases a worker plays at once: the end of one is hidden by the middle of the other."""
POLL_S = 0.2
Play = Callable[[dict[str, Any]], dict[str, Any]]


class Offers:
    """The owner's end: what is put into the queue stays there until a worker has taken it."""

    def __init__(self, address: Address, *, build: str) -> None:
        _quiet()
        self._build = build
        try:
            DBOS.migrate(address.url)
            self._client = DBOSClient(
                system_database_url=address.url,
                serializer=DBOSPortableJSONSerializer(),
                application_name="mitigations",
            )
            self._client.register_queue(
                QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=POLL_S
            )
        except (SQLAlchemyError, OSError) as exc:
            raise _unavailable(address, exc) from None

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
        except (SQLAlchemyError, OSError) as exc:
            DBOS.destroy(destroy_registry=True)
            raise _unavailable(address, exc) from None

    def close(self, *, grace_s: int = 0) -> None:
        """Take nothing more; wait for what is being played."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=grace_s)


def _quiet() -> None:
    # It would tell of addresses and of its own retries; what matters is told by us.
    logging.getLogger("dbos").setLevel(logging.CRITICAL)


def _unavailable(address: Address, exc: Exception) -> EngineUnavailable:
    reason = address.scrub(str(exc)).strip().splitlines()[0]
    return EngineUnavailable(f"PostgreSQL at {address.shown}: {reason}")
