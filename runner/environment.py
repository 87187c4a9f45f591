"""What the world answers after a turn: a reply arrives, a deadline moves, or nothing happens."""

from collections.abc import Sequence

from mitigations.model import Action, Message, Realised
from runner.facts import matched, read_actions

MAX_TURNS = 6


def respond(realised: Realised, actions: Sequence[Action], turn: int) -> Message | None:
    """The message that follows turn number `turn` (from 0), or None: the episode is over.

    The first of the scenario's turns whose place and condition hold speaks. A scenario without
    scripted turns, and any scenario in its last turn, is over at once.
    """
    scenario = realised.scenario
    if turn + 1 >= min(scenario.max_turns, MAX_TURNS):
        return None
    sent = read_actions(realised, actions)
    for answer in scenario.turns:
        if answer.after not in (0, turn + 1):
            continue
        when = answer.when
        if when is None or any(matched(scenario, when, item) for item in sent):
            return Message(role="user", content=realised.fill(answer.message))
    return None
