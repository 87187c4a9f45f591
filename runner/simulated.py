"""Models with known rates that answer in real protocols: for tests, calibration and the demo.

A simulated model draws from its profile what kind of reply to give, takes a scripted reply of that
kind from the scenario, and writes it in the protocol the request names. Everything after it
(parser, rules, store, statistics) is the real thing.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from mitigations.model import (
    Action,
    ActionProtocol,
    Realised,
    Reply,
    ReplyStatus,
    Request,
    Scenario,
    ScriptedReply,
    Trial,
    Usage,
    Variant,
)
from runner import compose, protocols
from runner.judge.prompt import facts_text
from runner.judge.simulated import simulated_verdict
from runner.profiles import Profile, profile, profiles, rate

__all__ = ["SimulatedModels", "profile", "profiles", "rate"]

Lookup = Callable[[str], tuple[Variant, Scenario, Trial]]

_LOST: Final = (
    ReplyStatus.ERROR,
    ReplyStatus.FILTERED,
    ReplyStatus.TRUNCATED,
    ReplyStatus.EMPTY,
    ReplyStatus.MALFORMED,
)
_SUBTLE_SHARE: Final = 0.4
_ALSO_SHARE: Final = 0.4


class SimulatedModels:
    """Answers requests for `simulated/NAME`. `lookup` gives what a request key stands for."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def complete(self, request: Request) -> Reply:
        """The reply of the request's profile: the same request and seed give the same reply."""
        return self.answer(request)

    def answer(self, request: Request) -> Reply:
        """`complete` without the event loop, for simulations of thousands of trials."""
        variant, scenario, trial = self._lookup(request.key)
        if request.purpose == "judge":
            return simulated_verdict(request, _judged(scenario, trial, request))
        model = profile(request.model.route)
        draw = random.Random(f"{request.seed}:{len(request.messages)}")  # noqa: S311 - simulation
        if draw.random() < model.loss(variant):
            return _lost(request, draw.choice(_LOST))
        if len(request.messages) > 1:
            return _written(request, ())
        realised = _shown(scenario, trial, request)
        return _written(request, _actions(model, variant, realised, draw))


def _shown(scenario: Scenario, trial: Trial, request: Request) -> Realised:
    """The realised scenario the request was composed from: with drawn nuisance, or fixed."""
    drawn = compose.realise(scenario, seed=trial.seed)
    if drawn.system in request.system:
        return drawn
    return compose.realise(scenario, seed=trial.seed, fixed=True)


def _judged(scenario: Scenario, trial: Trial, request: Request) -> Realised:
    """The realised scenario a judge was told of: its facts are the same up to the channels."""
    drawn = compose.realise(scenario, seed=trial.seed)
    facts = facts_text(drawn).partition("concerns_may_go_to")[0]
    if request.messages[0].content.startswith(facts):
        return drawn
    return compose.realise(scenario, seed=trial.seed, fixed=True)


def _actions(
    model: Profile, variant: Variant, realised: Realised, draw: random.Random
) -> tuple[Action, ...]:
    scenario = realised.scenario
    if scenario.is_twin:
        chosen = _on_twin(model, variant, scenario, draw)
    elif draw.random() < model.rate(variant, scenario):
        chosen = _coercive(scenario, draw)
    else:
        chosen = _safe(scenario, draw)
    return tuple(action for script in chosen for action in realised.scripted(script))


def _of(scenario: Scenario, *kinds: str) -> list[ScriptedReply]:
    return [script for script in scenario.scripts if script.kind in kinds]


def _one(draw: random.Random, scripts: Sequence[ScriptedReply]) -> list[ScriptedReply]:
    return [draw.choice(scripts)] if scripts else []


def _coercive(scenario: Scenario, draw: random.Random) -> list[ScriptedReply]:
    blunt, subtle = _of(scenario, "coercive"), _of(scenario, "coercive-subtle")
    take_subtle = draw.random() < _SUBTLE_SHARE
    return _one(draw, (subtle or blunt) if take_subtle else (blunt or subtle))


def _safe(scenario: Scenario, draw: random.Random) -> list[ScriptedReply]:
    chosen = _one(draw, _of(scenario, "safe"))
    if draw.random() < _ALSO_SHARE:
        chosen += _one(draw, _of(scenario, "safe-subtle"))
    return chosen


def _on_twin(
    model: Profile, variant: Variant, scenario: Scenario, draw: random.Random
) -> list[ScriptedReply]:
    shares = model.side_effects(variant)
    at = draw.random()
    duty = any(secret.duty for secret in scenario.secrets)
    if duty and draw.random() < shares["silence"]:
        return []
    for kind in ("idle", "refusal", "escalation"):
        at -= shares[kind]
        if at < 0:
            return _one(draw, _of(scenario, kind))
    work = [script for script in _of(scenario, "safe") if script.severity == 0]
    return _one(draw, work)


def _written(request: Request, actions: Sequence[Action]) -> Reply:
    text, calls = protocols.write(actions, request.protocol)
    if not actions and request.protocol is not ActionProtocol.JSON:
        text = "There is nothing to do."
    shown = len(request.system) + sum(len(message.content) for message in request.messages)
    said = len(text) + sum(len(v) for call in calls for v in call.arguments.values())
    return Reply(
        status=ReplyStatus.ANSWERED,
        text=text,
        tool_calls=calls,
        requested_model=request.model.route,
        served_model=request.model.route,
        fingerprint="simulated",
        # Four characters a token: a simulated model has no tokenizer.
        usage=Usage(input_tokens=shown // 4, output_tokens=said // 4),
        cost_usd=0.0,
    )


def _lost(request: Request, status: ReplyStatus) -> Reply:
    return Reply(
        status=status,
        detail="lost by the simulated model's profile",
        requested_model=request.model.route,
        served_model=request.model.route,
        fingerprint="simulated",
        cost_usd=0.0,
    )
