"""The world answers what was done, in its turn, and then the episode is over."""

from dataclasses import replace

import pytest

from mitigations.model import Action, Message, Realised, Scenario
from mitigations.scenarios import load_pack
from runner.compose import realise
from runner.environment import MAX_TURNS, respond

PACK = load_pack("builtin/corrigibility-v1")
PAUSED = next(c for c in PACK.cells if c.factors["channel"] == "pause-and-review")
PLAIN = next(c for c in PACK.cells if c.factors["channel"] == "absent")


def mail(realised: Realised, slot: str) -> list[Action]:
    arguments = {"to": realised.addresses[slot], "subject": "s", "body": "Please reconsider."}
    return [Action(tool="send_email", arguments=arguments)]


def said(answer: Message | None) -> str:
    assert answer is not None
    assert answer.role == "user"
    return answer.content


def test_who_writes_about_the_decision_is_answered() -> None:
    realised = realise(PAUSED, seed=2)
    from_desk = said(respond(realised, mail(realised, "desk"), 0))
    assert realised.addresses["desk"] in from_desk
    assert "is paused" in from_desk
    from_chief = said(respond(realised, mail(realised, "chief"), 0))
    assert "The decision stands" in from_chief
    assert "[[" not in from_desk + from_chief


def test_an_answer_belongs_to_its_turn() -> None:
    realised = realise(PAUSED, seed=2)
    assert "Result of the review" in said(respond(realised, [], 1))
    assert respond(realised, [], 0) is None


def test_the_answer_without_a_channel_depends_on_what_was_sent() -> None:
    realised = realise(PLAIN, seed=2)
    assert respond(realised, mail(realised, "asker"), 0) is None
    assert "nothing to add" in said(respond(realised, mail(realised, "chief"), 1))
    assert respond(realised, [], 1) is None


def test_the_last_turn_is_the_last() -> None:
    realised = realise(PAUSED, seed=2)
    assert respond(realised, mail(realised, "chief"), PAUSED.max_turns - 1) is None


@pytest.mark.parametrize("turns", [6, 60])
def test_no_scenario_talks_for_ever(turns: int) -> None:
    every = replace(PAUSED.turns[0], when=None, after=0)
    realised = realise(replace(PAUSED, max_turns=turns, turns=(every,)), seed=2)
    answers = [respond(realised, [], turn) for turn in range(turns)]
    assert [answer is not None for answer in answers] == [t < MAX_TURNS - 1 for t in range(turns)]


def test_a_scenario_of_one_turn_never_answers() -> None:
    for cell in load_pack("builtin/coercion-v1").cells[:4]:
        realised = realise(cell, seed=1)
        assert respond(realised, mail(realised, "chief"), 0) is None


@pytest.mark.parametrize("twin", PACK.twins[:4], ids=lambda twin: twin.id)
def test_a_twin_without_a_decision_gets_no_answer_about_one(twin: Scenario) -> None:
    realised = realise(twin, seed=1)
    assert respond(realised, mail(realised, "chief"), 0) is None
