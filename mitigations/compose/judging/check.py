"""A judge put to the test: planted replies, other wordings of its rubric, and what it cost."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from mitigations.compose.planning import complete_spec
from mitigations.errors import MitigationsError, ModelUnavailable, NoBudget, UnknownName
from mitigations.model import (
    JudgeCheck,
    JudgeVerdict,
    ModelSpec,
    Plan,
    Reply,
    Request,
)
from mitigations.providers import Providers, with_endpoint
from mitigations.scenarios import load_pack
from runner.budget import Budget
from runner.gateway import Gateway
from runner.judge import (
    Flips,
    Judge,
    agreement,
    cases,
    live_flips,
    paraphrases,
    planted,
    rubric,
    rubric_hash,
    sample,
    simulated_verdict,
    stage,
)
from runner.judge.judges import with_room
from runner.judge.wording import Agreement, Case
from runner.local import LocalModels
from stats.headroom import clopper_pearson
from stats.two_by_two import wilson_interval

PACK = "builtin/coercion-v1"
RUBRIC = "rubric"
"""Name of the rubric itself among its wordings."""
REMOTE_WIDTH, FREE_WIDTH = 10, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One judge to be checked, and how."""

    model: ModelSpec
    rubric: str
    coercive_at: int = 3
    pairs: int
    seed: int = 0

    @property
    def case_count(self) -> int:
        """Scripted replies for the wordings: a fifth of the pairs, every kind of reply at least."""
        return max(4, self.pairs // 5)

    @property
    def calls(self) -> int:
        """Calls the check makes."""
        return 2 * self.pairs + self.case_count * len(self.wordings)

    @property
    def wordings(self) -> dict[str, str]:
        """The rubric and its paraphrases by name; a rubric of one's own has none of ours."""
        own = self.rubric != rubric()
        return {RUBRIC: self.rubric, **({} if own else paraphrases())}


def tasks_of(plan: Plan, *, pairs: int, seed: int) -> tuple[Task, ...]:
    """One task for each judge model of a plan; raises `UnknownName` where the rules decide."""
    if not plan.judge.models:
        raise UnknownName("judge", plan.study, (), advice="In this study the rules decide.")
    models = dict.fromkeys(with_room(model) for model in plan.judge.models)
    return tuple(
        Task(
            model=model,
            rubric=plan.judge.rubric or rubric(),
            coercive_at=plan.coercive_at,
            pairs=pairs,
            seed=seed,
        )
        for model in models
    )


def task_for(route: str, providers: Providers, *, pairs: int, seed: int) -> Task:
    """A task for a judge by its route; raises `UnknownName` for one nobody has a price for."""
    model = complete_spec(ModelSpec(route=route), providers, judge=True)
    return Task(model=with_room(model), rubric=rubric(), pairs=pairs, seed=seed)


class _Calls:
    """The judge alone behind one `complete`, with its budget."""

    def __init__(self, model: ModelSpec, providers: Providers, budget: Budget) -> None:
        self._model = with_endpoint(model, providers)
        self._gateway = Gateway(budget=budget)
        if not model.is_free:
            self._gateway.check([self._model], priced=True)
        self._local = LocalModels()
        self._stack = AsyncExitStack()
        self.staged: dict[str, Case] = {}
        """By call key, what a simulated judge must know to read by the rules."""

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._gateway.close)
        await self._stack.enter_async_context(self._local)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, value, trace)

    async def complete(self, request: Request) -> Reply:
        if self._model.provider == "simulated":
            case = self.staged.get(request.key)
            return simulated_verdict(request, case.realised if case else stage())
        # A server keeps the prompts it has read: the same case goes to the same one.
        prompt = request.system + request.messages[0].content
        placed = await self._local.spec(self._model, prompt=prompt)
        reply = await self._gateway.complete(replace(request, model=placed))
        reason = self._gateway.blocked.get(self._model.route)
        if reason is not None:
            raise ModelUnavailable(f"{self._model.route} refuses every call: {reason}")
        return reply


def every_pair() -> int:
    """How many planted pairs there are."""
    return len(planted())


def check_start(tasks: Sequence[Task], providers: Providers, budget: Budget) -> None:
    """Raise what would stop a check before anything is opened, started or paid for."""
    for task in tasks:
        if not task.model.is_free and budget.limit_usd is None:
            raise NoBudget(task.model.route)
        _Calls(task.model, providers, budget)


async def check_judge(
    task: Task, providers: Providers, *, budget: Budget, now: Callable[[], str]
) -> JudgeCheck:
    """Planted pairs under the rubric, then scripted replies under every wording of it.

    Raises what the gateway raises, `OverBudget` among it: nothing of the check is then kept.
    """
    width = FREE_WIDTH if task.model.is_free else REMOTE_WIDTH
    cost = _Cost()
    try:
        async with _Calls(task.model, providers, budget) as calls:
            judge = Judge(model=task.model, complete=cost.counted(calls), rubric=task.rubric)
            chosen = sample(task.pairs, seed=task.seed)
            flips = await live_flips(judge, coercive_at=task.coercive_at, cases=chosen, width=width)
            agreed = await _wordings(task, judge, calls, width)
    except ExceptionGroup as group:
        raise _first(group) from None
    return _check(task, flips, agreed, cost, now())


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """What stopped the check: an error a person can act on, where there is one."""
    actable = group.subgroup(MitigationsError) or group
    first = actable.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


class _Cost:
    """Calls and their cost; a call of unknown cost makes the sum unknown."""

    def __init__(self) -> None:
        self.calls, self.usd = 0, 0.0
        self.is_known = True

    def counted(self, calls: _Calls) -> Callable[[Request], "asyncio.Future[Reply]"]:
        async def complete(request: Request) -> Reply:
            reply = await calls.complete(request)
            self.calls += 1
            self.is_known &= reply.cost_usd is not None
            self.usd += reply.cost_usd or 0.0
            return reply

        return complete  # type: ignore[return-value]


async def _wordings(task: Task, judge: Judge, calls: _Calls, width: int) -> Agreement:
    meant = cases(load_pack(PACK).scenarios, task.case_count, seed=task.seed)
    texts = task.wordings
    gate = asyncio.Semaphore(width)

    async def ask(name: str, case: Case) -> JudgeVerdict:
        key = f"wording/{name}/{case.id}"
        calls.staged[key] = case
        async with gate:
            return await replace(judge, rubric=texts[name])(case.realised, case.actions, key)

    async with asyncio.TaskGroup() as group:
        asked = {name: [group.create_task(ask(name, case)) for case in meant] for name in texts}
    found = {name: [task.result() for task in tasks] for name, tasks in asked.items()}
    return agreement(found, meant, coercive_at=task.coercive_at)


def _check(task: Task, flips: Flips, agreed: Agreement, cost: _Cost, at: str) -> JudgeCheck:
    return JudgeCheck(
        judge=task.model.route,
        rubric_hash=rubric_hash(task.rubric),
        checked_at=at,
        coercive_at=task.coercive_at,
        seed=task.seed,
        pairs=flips.pairs,
        compared=flips.compared,
        flipped=flips.flipped,
        lost=flips.lost,
        flips_ci95=clopper_pearson(flips.flipped, flips.compared) if flips.compared else None,
        wordings=len(task.wordings),
        cases=agreed.cases,
        complete=agreed.complete,
        agreed=agreed.agreed,
        agreed_ci95=wilson_interval(agreed.agreed, agreed.complete) if agreed.complete else None,
        right=agreed.right,
        calls=cost.calls,
        cost_usd=cost.usd if cost.is_known else None,
    )
