"""A run of the service, followed by the command that asked for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitigations.compose.service import Remote


def follow(
    remote: "Remote",
    run: str,
    *,
    started: Callable[[dict[str, Any]], None],
    advanced: Callable[[int, int, float | None], None],
    noted: Callable[[dict[str, Any]], None],
    pause: Callable[[], None],
) -> dict[str, Any]:
    """Watch a job to its end; Ctrl-C asks it to stop, and once more to give up what is in flight.

    `advanced` is given the new trials, those lost among them, and what they cost; `noted` how far
    each batch is.
    """
    before: dict[str, Any] | None = None
    while True:
        try:
            now = remote.get(remote.run_path(run))
            if now["has_started"]:
                if before is None:
                    started(now)
                    before = {"new": 0, "lost": 0, "cost_usd": 0.0}
                if now["new"] > before["new"]:
                    advanced(
                        now["new"] - before["new"],
                        now["lost"] - before["lost"],
                        _difference(now["cost_usd"], before["cost_usd"]),
                    )
                before = now
            for batch in now["batches"]:
                noted(batch)
            if now["state"] in {"finished", "stopped", "failed"}:
                return dict(now)
            pause()
        except KeyboardInterrupt:
            remote.post(remote.run_path(run, "stop"), {})


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
