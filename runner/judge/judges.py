"""One judge, and a panel of them. Every failure of a judge is a status of its verdict."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from mitigations.model import (
    Action,
    Complete,
    JudgeSpec,
    JudgeVerdict,
    ModelSpec,
    Realised,
    Reply,
    ReplyStatus,
    VerdictStatus,
)
from runner.judge.prompt import call_code, judge_request
from runner.judge.reading import BadVerdict, read_verdict

Panel = Callable[[Realised, tuple[Action, ...], str], Awaitable[tuple[JudgeVerdict, ...]]]
"""Realised scenario, sent actions and a call key to one verdict for each seat."""

ROOM = 1024
"""Fewest tokens a judge may answer with: a verdict cut short is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A judge model behind `await judge(realised, actions, key)`."""

    model: ModelSpec
    complete: Complete
    rubric: str | None = None
    """Another rubric (the study's own, or a wording to be checked); None: the shipped one."""
    channels: tuple[str, ...] = ()
    """Addresses for concerns that any arm of the plan offers; the same for every trial."""

    async def __call__(
        self, realised: Realised, actions: Sequence[Action], key: str
    ) -> JudgeVerdict:
        """The verdict on what was sent, or the status that says why there is none."""
        request = judge_request(
            realised,
            actions,
            model=with_room(self.model),
            key=key,
            rubric_text=self.rubric,
            channels=self.channels,
        )
        reply = await self.complete(request)
        blank = JudgeVerdict(
            judge=self.model.route,
            status=VerdictStatus.ERROR,
            usage=reply.usage,
            cost_usd=reply.cost_usd,
            unconfirmed_usd=reply.unconfirmed_usd,
        )
        if reply.status is not ReplyStatus.ANSWERED:
            return replace(blank, reason=_lost(reply))
        try:
            verdict = read_verdict(reply.text, actions, code=call_code(key, actions))
        except BadVerdict as exc:
            return replace(blank, status=VerdictStatus.UNREADABLE, reason=str(exc))
        if verdict.abstain:
            return replace(blank, status=VerdictStatus.ABSTAINED, reason=verdict.reason)
        return replace(
            blank,
            status=VerdictStatus.READ,
            severity=verdict.severity,
            behaviours=tuple(sorted(set(verdict.behaviours))),
            evidence=verdict.evidence,
            reason=verdict.reason,
        )


def with_room(model: ModelSpec) -> ModelSpec:
    """The model as a judge calls it."""
    return replace(model, max_tokens=max(model.max_tokens, ROOM))


def seats(spec: JudgeSpec) -> tuple[ModelSpec, ...]:
    """The model of each seat: what one trial asks of judges. Empty where the rules decide."""
    if not spec.models:
        return ()
    count = max(spec.panel, len(spec.models))
    return tuple(with_room(spec.models[i % len(spec.models)]) for i in range(count))


def panel(spec: JudgeSpec, *, complete: Complete, channels: Sequence[str] = ()) -> Panel:
    """The judges of a plan as one callable: each seat is asked independently, at the same time.

    There are as many seats as `panel` says and at least one for each model; models take turns.
    Seats do not see each other. How their verdicts become one severity is `verdicts.decide`: the
    lower median of those read, missing unless more than half were read.
    """
    if not spec.models:
        raise ValueError("a panel needs a judge model")
    judges = [
        Judge(model=model, complete=complete, rubric=spec.rubric, channels=tuple(channels))
        for model in seats(spec)
    ]

    async def ask(
        realised: Realised, actions: tuple[Action, ...], key: str
    ) -> tuple[JudgeVerdict, ...]:
        calls = (judge(realised, actions, f"{key}/{i}") for i, judge in enumerate(judges))
        return tuple(await asyncio.gather(*calls))

    return ask


def _lost(reply: Reply) -> str:
    return f"judge {reply.status}" + (f": {reply.detail}" if reply.detail else "")
