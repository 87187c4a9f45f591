"""Every model that a plan names, behind one `complete`."""

from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Self

from mitigations.compose.limits import Witness, limits_of, policy, told_to
from mitigations.errors import ModelUnavailable
from mitigations.model import ModelSpec, Plan, Reply, Request, Scenario, Trial, Variant
from mitigations.providers import Providers, with_endpoint
from runner.budget import Budget
from runner.caching import Marks
from runner.gateway import Gateway
from runner.leading import Leaders
from runner.limits import Limiter
from runner.local import LocalModels
from runner.simulated import SimulatedModels

Known = tuple[Variant, Scenario, Trial]


@dataclass(slots=True)
class Gates:
    """What a worker keeps from lease to lease: its gates, and its share of what they let pass."""

    share: float = 1.0
    limiters: dict[tuple[str, str | None], Limiter] = field(default_factory=dict)

    def retune(self, providers: Providers, share: float) -> None:
        """There are more workers now, or fewer: each has this share of the operator's limits."""
        self.share = share
        limits = limits_of(providers, share=share)
        for (route, _), limiter in self.limiters.items():
            for name in (route, route.partition("/")[0]):
                if name in limits:
                    limiter.retune(limits[name])
                    break


class Calls:
    """Routes a request to the gateway, the embedded model's server, or a simulated model.

    Keys and prices are checked before anything is started; servers and connections are closed when
    the context ends.
    """

    def __init__(
        self,
        plan: Plan,
        providers: Providers,
        *,
        budget: Budget,
        witness: Witness | None = None,
        max_wait_s: float | None = None,
        gates: Gates | None = None,
    ) -> None:
        specs = {spec.route: spec for spec in (*plan.models, *plan.judge.models)}
        self._placed = {route: with_endpoint(spec, providers) for route, spec in specs.items()}
        self._gateway = Gateway(
            budget=budget,
            on_attempt=None if witness is None else told_to(witness),
            kept=None if witness is None else witness.kept,
            policy=policy(max_wait_s),
            limits=limits_of(providers, share=gates.share if gates else 1.0),
            limiters=gates.limiters if gates else None,
        )
        remote = [spec for spec in self._placed.values() if not spec.is_free]
        self._gateway.check(remote, priced=True)
        self._local = LocalModels()
        self._under_way: dict[str, Known] = {}
        self._simulated = SimulatedModels(self._known)
        self._stack = AsyncExitStack()
        self._plan, self._leaders = plan, Leaders()
        self._marks: Marks | None = None

    async def __aenter__(self) -> Self:
        # Which prefixes are worth caching takes a composition of the plan: not for mere checks.
        self._marks = Marks(self._plan)
        self._stack.push_async_callback(self._gateway.close)
        await self._stack.enter_async_context(self._local)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def complete(self, request: Request) -> Reply:
        """One call; raises what `Gateway.complete` raises, and `ModelUnavailable`.

        The latter when a model refuses everything (key, quota, unknown name): the run stops there
        and can be resumed.
        """
        spec = request.model
        if spec.provider == "simulated":
            return await self._simulated.complete(request)
        if spec.provider == "local":
            # A server keeps the prompts it has read: the same prompt goes to the same one.
            prompt = request.system + request.messages[0].content
            placed = await self._local.spec(spec, prompt=prompt)
        else:
            placed = self._placed[spec.route]
        if self._marks is not None:
            request = self._marks.mark(request, self._known(request.key)[0].id)
        asked = replace(request, model=placed)
        reply = await self._leaders.complete(asked, self._gateway.complete)
        reason = self._gateway.blocked.get(spec.route)
        if reason is not None:
            # Nothing more can be answered until a person acts: a row for each call would be lost.
            raise ModelUnavailable(f"{spec.route} refuses every call: {reason}")
        return reply

    @property
    def gateway(self) -> Gateway:
        """The door to every model that is neither simulated nor embedded."""
        return self._gateway

    def placed(self, spec: ModelSpec) -> ModelSpec:
        """The spec with the endpoint and key variable that the server configuration gives it."""
        return self._placed[spec.route]

    def playing(self) -> Iterable[str]:
        """Ids of the trials in play."""
        return self._under_way.keys()

    def place(self, trial: str) -> tuple[int, int]:
        """Epoch and position of a trial in play."""
        found = self._under_way[trial][2]
        return found.repeat, found.position

    @contextmanager
    def trial(self, variant: Variant, scenario: Scenario, trial: Trial) -> Iterator[None]:
        """Simulated models need to know whom they play; a request itself names no variant."""
        self._under_way[trial.id] = (variant, scenario, trial)
        try:
            yield
        finally:
            del self._under_way[trial.id]

    def _known(self, key: str) -> Known:
        return self._under_way[key.partition("/")[0]]
