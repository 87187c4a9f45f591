"""Approval is bound to one exact text, and nobody approves their own."""

from dataclasses import replace

import pytest

from mitigations.model import Variant
from variants import Status, StatusEvent, StatusRefused, next_event, standing

TEXT = Variant(id="a", title="A", author="Ana", text="Be kind.\n")
EDITED = replace(TEXT, text="Be very kind.\n")
HOURS = [f"2026-11-24T{hour:02}:00:00Z" for hour in range(24)]


def history(*steps: tuple[Variant, Status, str]) -> list[StatusEvent]:
    events: list[StatusEvent] = []
    for hour, (variant, status, by) in enumerate(steps):
        events.append(next_event(variant, status, events, by=by, at=HOURS[hour]))
    return events


PROPOSED = (TEXT, Status.PROPOSED, "Ben")
APPROVED = (TEXT, Status.APPROVED, "Cleo")
RETIRED = (TEXT, Status.RETIRED, "Cleo")


def test_without_events_a_variant_is_a_draft() -> None:
    now = standing(TEXT, [])
    assert (now.status, now.event, now.is_approved) == (Status.DRAFT, None, False)


def test_the_latest_event_about_this_text_decides() -> None:
    for steps in ([PROPOSED], [PROPOSED, APPROVED], [PROPOSED, APPROVED, RETIRED]):
        events = history(*steps)
        assert standing(TEXT, events).status is steps[-1][1]
        assert standing(TEXT, reversed(events)).event == events[-1]


def test_editing_voids_approval_and_restoring_the_text_restores_it() -> None:
    events = history(PROPOSED, APPROVED)
    now = standing(EDITED, events)
    assert now.status is Status.DRAFT
    assert now.voided == events[-1]
    assert standing(TEXT, events).is_approved
    assert standing(replace(TEXT, title="New title"), events).is_approved


def test_another_variants_events_do_not_count() -> None:
    events = history(PROPOSED, APPROVED)
    assert standing(replace(TEXT, id="b"), events).status is Status.DRAFT


@pytest.mark.parametrize("name", ["Ben", "ben", " BEN ", "Ana"])
def test_neither_proposer_nor_author_approves(name: str) -> None:
    with pytest.raises(StatusRefused, match="cannot approve it"):
        next_event(TEXT, Status.APPROVED, history(PROPOSED), by=name, at=HOURS[5])


def test_a_proposer_of_this_text_stays_one_after_others_proposed_it() -> None:
    """Retiring and proposing under a second name does not wash the first one clean."""
    events = history(PROPOSED, RETIRED, (TEXT, Status.PROPOSED, "Dora"))
    with pytest.raises(StatusRefused, match="cannot approve it"):
        next_event(TEXT, Status.APPROVED, events, by="Ben", at=HOURS[5])


@pytest.mark.parametrize(
    ("steps", "variant", "status", "words"),
    [
        ([], TEXT, Status.APPROVED, "is draft"),
        ([PROPOSED, APPROVED], EDITED, Status.APPROVED, "edited since it was approved"),
        ([PROPOSED, APPROVED, RETIRED], TEXT, Status.APPROVED, "is retired"),
        ([PROPOSED, APPROVED], TEXT, Status.APPROVED, "already approved"),
        ([PROPOSED, APPROVED], TEXT, Status.PROPOSED, "approved already"),
        ([], TEXT, Status.DRAFT, "absence of events"),
    ],
)
def test_steps_out_of_order_are_refused(steps, variant, status, words) -> None:
    with pytest.raises(StatusRefused, match=words) as caught:
        next_event(variant, status, history(*steps), by="Eve", at=HOURS[9])
    assert len(str(caught.value).splitlines()) == 2


def test_who_and_when_are_needed() -> None:
    with pytest.raises(StatusRefused, match="say who"):
        next_event(TEXT, Status.PROPOSED, [], by=" ", at=HOURS[0])
    with pytest.raises(StatusRefused, match="is no time"):
        next_event(TEXT, Status.PROPOSED, [], by="Ben", at="yesterday")
    late = [next_event(TEXT, Status.PROPOSED, [], by="Ben", at=HOURS[9])]
    with pytest.raises(StatusRefused, match="before its last event"):
        next_event(TEXT, Status.APPROVED, late, by="Cleo", at=HOURS[1])
