"""Proposed, approved, retired: what a list of events says about a text. Pure; storage is elsewhere.

An event is bound to the hash of the text it was about. Editing makes another text, for which no
event exists, so approval never carries over; bringing the old text back brings its events back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mitigations.errors import MitigationsError
from mitigations.model import Variant


class StatusRefused(MitigationsError):
    """A status event that the rules do not allow."""


class Status(StrEnum):
    """`draft` is the absence of events; it is never written."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent:
    """Somebody proposed, approved or retired one exact text."""

    variant: str
    text_hash: str
    status: Status
    by: str
    at: str
    """UTC, ISO 8601."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a variant's present text stands."""

    status: Status
    event: StatusEvent | None
    """The event that made it so; None for a draft."""
    voided: StatusEvent | None = None
    """An approval of an earlier text under this id, which editing has voided."""

    @property
    def is_approved(self) -> bool:
        """What `plan --require-approved` asks."""
        return self.status is Status.APPROVED


def standing(variant: Variant, events: Iterable[StatusEvent]) -> Standing:
    """The status of the present text: the latest event about exactly this text decides."""
    ours = _in_order(event for event in events if event.variant == variant.id)
    here = [event for event in ours if event.text_hash == variant.text_hash]
    if here:
        return Standing(status=here[-1].status, event=here[-1])
    latest: dict[str, StatusEvent] = {event.text_hash: event for event in ours}
    approved = [event for event in latest.values() if event.status is Status.APPROVED]
    return Standing(status=Status.DRAFT, event=None, voided=approved[-1] if approved else None)


def next_event(
    variant: Variant,
    status: Status,
    events: Sequence[StatusEvent],
    *,
    by: str,
    at: str,
    note: str = "",
    by_another: bool = True,
) -> StatusEvent:
    """The event to store, once the rules allow it.

    A text is proposed before it is approved; who approves is neither its proposer nor its author,
    unless `by_another` is False; a retired text is proposed again before it can be approved again.

    Raises:
        StatusRefused: with the rule that stands against it.
    """
    name, now = by.strip(), standing(variant, events)
    label = f"variant {variant.id!r}"
    if not name:
        raise StatusRefused(f"{label}: say who does this\n  Add --by NAME.")
    if status is Status.DRAFT:
        raise StatusRefused(f"{label}: a draft is the absence of events\n  Retire it instead.")
    if status is now.status:
        raise StatusRefused(f"{label} is already {status}\n  There is nothing to do.")
    _check_time(label, at, now)
    if status is Status.PROPOSED and now.status is Status.APPROVED:
        raise StatusRefused(f"{label} is approved already\n  Retire it first to propose it anew.")
    if status is Status.APPROVED:
        _check_proposed(variant, now)
        if by_another:
            _check_approver(variant, name, events)
    return StatusEvent(
        variant=variant.id,
        text_hash=variant.text_hash,
        status=status,
        by=name,
        at=at,
        note=note.strip(),
    )


def _check_proposed(variant: Variant, now: Standing) -> None:
    if now.status is not Status.PROPOSED:
        state = "has been edited since it was approved" if now.voided else f"is {now.status}"
        raise StatusRefused(
            f"variant {variant.id!r} {state}\n  Propose this text before it is approved."
        )


def _check_approver(variant: Variant, name: str, events: Sequence[StatusEvent]) -> None:
    label = f"variant {variant.id!r}"
    proposers = {
        event.by
        for event in events
        if event.variant == variant.id
        and event.text_hash == variant.text_hash
        and event.status is Status.PROPOSED
    }
    if _same(name) in {_same(other) for other in (*proposers, variant.author) if other}:
        raise StatusRefused(
            f"{label}: {name!r} proposed or wrote it and cannot approve it\n"
            "  Ask somebody else to approve it."
        )


def _check_time(label: str, at: str, now: Standing) -> None:
    moment = _moment(at)
    if moment is None:
        raise StatusRefused(f"{label}: {at!r} is no time\n  Give UTC as 2026-11-24T12:00:00Z.")
    before = _moment(now.event.at) if now.event else None
    if before is not None and moment < before:
        raise StatusRefused(f"{label}: {at} lies before its last event\n  Check the clock.")


def _same(name: str) -> str:
    return " ".join(name.casefold().split())


def _in_order(events: Iterable[StatusEvent]) -> list[StatusEvent]:
    """By time; events of one moment keep the order in which they were stored."""
    start = datetime.min.replace(tzinfo=UTC)
    return sorted(events, key=lambda event: _moment(event.at) or start)


def _moment(at: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
