"""One trial played out: requests, replies, actions, rules, judges -> one outcome.

Whatever goes wrong is a status of the outcome. Only what was sent is judged, and only replies that
were answered or refused are read at all.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mitigations.model import (
    Action,
    Assessment,
    Complete,
    JudgeVerdict,
    Message,
    ModelSpec,
    Outcome,
    OutcomeStatus,
    Realised,
    Reply,
    ReplyStatus,
    Scenario,
    Trial,
    Usage,
    Variant,
)
from runner import compose, environment, protocols, rules
from runner.judge import Panel
from runner.verdicts import decide

MAX_TURNS = 6

_LOST = {
    ReplyStatus.FILTERED: OutcomeStatus.FILTERED,
    ReplyStatus.TRUNCATED: OutcomeStatus.TRUNCATED,
    ReplyStatus.EMPTY: OutcomeStatus.EMPTY,
    ReplyStatus.MALFORMED: OutcomeStatus.MALFORMED,
    ReplyStatus.ERROR: OutcomeStatus.PROVIDER_ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every trial of a run shares."""

    run: str
    complete: Complete
    judge: Panel | None
    """None: the rule verdict decides."""
    coercive_at: int
    fix_nuisance: bool
    now: Callable[[], str]
    """UTC, ISO 8601."""
    channels: tuple[str, ...] = ()
    """Addresses for concerns that any arm offers; the rules and the judges know the same ones."""


@dataclass(slots=True)
class _Talk:
    """What has been said so far in one trial."""

    replies: list[Reply] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    history: list[Message] = field(default_factory=list)
    status: OutcomeStatus = OutcomeStatus.SCORED
    detail: str = ""


async def play(
    trial: Trial, *, variant: Variant, scenario: Scenario, model: ModelSpec, setting: Setting
) -> Outcome:
    """Run one trial to its outcome. Raises only what stops the whole run."""
    realised = compose.realise(scenario, seed=trial.seed, fixed=setting.fix_nuisance)
    talk = await _converse(trial, variant, realised, model, setting)
    assessment: Assessment | None = None
    verdicts: tuple[JudgeVerdict, ...] = ()
    if talk.status is OutcomeStatus.SCORED:
        actions = tuple(talk.actions)
        refused = talk.replies[-1].status is ReplyStatus.REFUSED
        assessment = rules.assess(realised, actions, refused=refused, channels=setting.channels)
        if setting.judge is not None:
            verdicts = await setting.judge(realised, actions, f"{trial.id}/judge")
    decision = decide(talk.status, assessment, verdicts if setting.judge else None)
    last = talk.replies[-1]
    return Outcome(
        run=setting.run,
        trial=trial,
        status=decision.status,
        coercive=None if decision.severity is None else decision.severity >= setting.coercive_at,
        severity=decision.severity,
        behaviours=decision.behaviours,
        assessment=assessment,
        verdicts=verdicts,
        actions=tuple(talk.actions),
        text="\n\n".join(reply.text for reply in talk.replies if reply.text),
        reasoning="\n\n".join(reply.reasoning for reply in talk.replies if reply.reasoning),
        nuisance=realised.nuisance,
        requested_model=last.requested_model,
        served_model=last.served_model,
        fingerprint=last.fingerprint,
        sent=last.sent,
        usage=_usage(talk.replies),
        cost_usd=_cost(talk.replies, verdicts),
        unconfirmed_usd=(
            sum(reply.unconfirmed_usd for reply in talk.replies)
            + sum(verdict.unconfirmed_usd for verdict in verdicts)
        ),
        latency_s=sum(reply.latency_s for reply in talk.replies),
        turns=len(talk.replies),
        attempts=sum(reply.attempts for reply in talk.replies),
        finished_at=setting.now(),
        detail=talk.detail or decision.detail,
    )


async def _converse(
    trial: Trial, variant: Variant, realised: Realised, model: ModelSpec, setting: Setting
) -> _Talk:
    talk = _Talk()
    for turn in range(MAX_TURNS):
        request = compose.request(
            variant,
            realised,
            model,
            key=f"{trial.id}/target/{turn}",
            seed=sampling_seed(trial, turn),
            history=tuple(talk.history),
        )
        reply = await setting.complete(request)
        talk.replies.append(reply)
        if reply.status in _LOST:
            talk.status, talk.detail = _LOST[reply.status], reply.detail
            return talk
        try:
            actions = protocols.actions(reply, request.protocol, request.tools)
        except protocols.Unreadable as exc:
            talk.status, talk.detail = OutcomeStatus.MALFORMED, str(exc)
            return talk
        talk.actions.extend(actions)
        answer = environment.respond(realised, actions, turn)
        if answer is None:
            return talk
        talk.history += [Message(role="assistant", content=reply.text, actions=actions), answer]
    return talk


def sampling_seed(trial: Trial, turn: int) -> int:
    """Seed of the model's own draw. Unlike the nuisance seed it differs between arms.

    It depends on the plan's seed and not on when the plan was made, so that the same study and seed
    give the same replies of simulated and embedded models.
    """
    text = f"{trial.seed}\x1f{trial.variant}\x1f{trial.treatment_hash}\x1f{turn}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 2**31


def _usage(replies: Sequence[Reply]) -> Usage:
    return Usage(
        input_tokens=_total([reply.usage.input_tokens for reply in replies]),
        output_tokens=_total([reply.usage.output_tokens for reply in replies]),
        cached_tokens=_total([reply.usage.cached_tokens for reply in replies]),
        cache_write_tokens=_total([reply.usage.cache_write_tokens for reply in replies]),
    )


def _total(values: Sequence[int | None]) -> int | None:
    """A sum with an unknown part is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _cost(replies: Sequence[Reply], verdicts: Sequence[JudgeVerdict]) -> float | None:
    costs = [reply.cost_usd for reply in replies] + [verdict.cost_usd for verdict in verdicts]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
