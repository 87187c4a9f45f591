"""Which prefixes of a plan's requests the providers' prompt caches can serve, and what to mark.

A cache matches exact prefixes: tools, then the system prompt, then the first user message. Whether
two requests share one is found by composing them, not assumed: names drawn afresh for each repeat
stand in the system prompt too, and then nothing after the tools is shared between repeats.

A marker pays when the prefix is long enough for the model, when it is read at least once within
the cache's life, and for nothing else: a first writing costs more than plain input.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from mitigations.model import ActionProtocol, CachePart, ModelSpec, Plan, Realised, Request
from runner import prices
from runner.compose import realise, request
from runner.judge import judge_request, seats
from runner.order import block_seed

LIFE_S = 300.0
"""A cached prefix lives so long after its last use, with both providers that we mark for."""
SECONDS_PER_TRIAL = 0.4
"""Pace assumed where none is known: eight seconds a call, twenty calls at once."""
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """What the cache can do for one prefix of one model's requests."""

    model: str
    variant: str
    """Empty for a judge, whose prefix is the same for every arm."""
    part: CachePart
    tokens: tuple[int, int]
    """Estimated length of the prefix over the scenarios: shortest and longest."""
    minimum: int | None
    """Fewest tokens the model caches; None: not known, so nothing is marked."""
    uses: float
    """Calls of the run that share one such prefix, on average."""
    gap_s: float
    """Mean seconds between two of them at the given pace."""
    pays: bool
    """True where the cache is expected to serve it."""
    reason: str
    """Why it does not pay; empty where it does."""


def cache_eligibility(
    plan: Plan, *, seconds_per_trial: float = SECONDS_PER_TRIAL
) -> tuple[Eligibility, ...]:
    """For every paid model and arm, and for every judge, which prefixes a cache can serve.

    Pure: composes the requests of at most two repeats and counts the prefixes they share; calls
    nobody. `seconds_per_trial` is the pace of the whole run (latency over concurrency); it decides
    whether a prefix is used again before the cache forgets it. `sentences` puts the result into
    words.
    """
    found: list[Eligibility] = []
    epoch_s = seconds_per_trial * plan.trial_count / plan.repeats
    for model in plan.models:
        for variant in () if model.is_free else plan.variants:
            tally = _Tally(plan, epoch_s)
            for realised in _sample(plan, (model,)):
                tally.add(request(variant, realised, model, key="", seed=0))
            found += tally.entries(model, variant.id)
    sitting = seats(plan.judge)
    for judge in dict.fromkeys(sitting):
        if not judge.is_free:
            # Arms share the facts of a case, and so do the seats of one model.
            tally = _Tally(plan, epoch_s, times=len(plan.variants) * sitting.count(judge))
            for realised in _sample(plan, plan.models):
                tally.add(judge_request(realised, (), model=judge, key=""))
            found += tally.entries(judge, "")
    return tuple(found)


def sentences(found: Iterable[Eligibility]) -> tuple[str, ...]:
    """One line for people on each model and part, what pays first."""
    groups: dict[tuple[str, CachePart, str], list[Eligibility]] = defaultdict(list)
    for entry in found:
        groups[entry.model, entry.part, entry.reason.split(" are ")[0]].append(entry)
    lines = []
    for (model, part, _), entries in sorted(groups.items(), key=lambda item: bool(item[0][2])):
        low, high = min(e.tokens[0] for e in entries), max(e.tokens[1] for e in entries)
        size = f"about {low:,} tokens" if low == high else f"about {low:,} to {high:,} tokens"
        arms = len({e.variant for e in entries if e.variant})
        who = f" of {arms} {'arm' if arms == 1 else 'arms'}" if arms else " of the judge"
        fate = f"not cached: {entries[0].reason}" if entries[0].reason else "cached"
        lines.append(f"{model}: {_WORDS[part]}{who}, {size}, {fate}")
    return tuple(lines)


_WORDS = {
    CachePart.TOOLS: "tools",
    CachePart.SYSTEM: "tools and system prompt",
    CachePart.SCENARIO: "tools, system prompt and first message",
}


def _sample(plan: Plan, models: Iterable[ModelSpec]) -> Iterator[Realised]:
    """Every scenario of the first repeat, then of the second: enough to see what repeats share."""
    models = tuple(models)
    for repeat in range(min(2, plan.repeats)):
        for scenario, model in product(plan.scenarios, models):
            seed = block_seed(plan.settings.seed, scenario.id, model.route, repeat)
            yield realise(scenario, seed=seed, fixed=plan.fix_nuisance)


@dataclass(slots=True)
class _Tally:
    """Prefixes of the requests of one arm (or judge) on one model, in the order added."""

    plan: Plan
    epoch_s: float
    times: int = 1
    """Calls of the run for each request added."""
    requests: int = 0
    seen: dict[CachePart, list[tuple[bytes, int]]] = field(default_factory=dict)

    def add(self, asked: Request) -> None:
        self.requests += 1
        for part, digest, tokens in prefixes(asked):
            self.seen.setdefault(part, []).append((digest, tokens))

    def entries(self, model: ModelSpec, variant: str) -> Iterator[Eligibility]:
        """An entry for each part that stands in every request."""
        minimum = prices.cache_minimum(model.route)
        for part, listed in self.seen.items():
            if len(listed) < self.requests:
                continue
            sizes = [tokens for _, tokens in listed]
            uses, an_epoch = self._uses(listed)
            gap_s = self.epoch_s / an_epoch
            reason = _reason(minimum, max(sizes), uses, gap_s)
            yield Eligibility(
                model=model.route,
                variant=variant,
                part=part,
                tokens=(min(sizes), max(sizes)),
                minimum=minimum,
                uses=uses,
                gap_s=gap_s,
                pays=not reason,
                reason=reason,
            )

    def _uses(self, listed: list[tuple[bytes, int]]) -> tuple[float, float]:
        """Calls that share a prefix, on average: in the whole run, and within one epoch."""
        sampled = min(2, self.plan.repeats)
        epoch = len(listed) // sampled
        first = {digest for digest, _ in listed[:epoch]}
        fresh = len({digest for digest, _ in listed}) - len(first)
        # What the second repeat added, every later one adds again.
        distinct = len(first) + fresh * (self.plan.repeats - 1)
        calls = self.times * epoch
        return calls * self.plan.repeats / distinct, calls / len(first)


def _reason(minimum: int | None, longest: int, uses: float, gap_s: float) -> str:
    if minimum is None:
        return "what its cache needs is not known"
    if longest < minimum:
        return f"under the {minimum:,} tokens its cache needs"
    if uses < 2:
        return "hardly two calls share one (names are drawn anew for each repeat)"
    if gap_s > LIFE_S / 2:
        return f"calls that share one are {gap_s:,.0f} s apart, and it lives {LIFE_S:,.0f} s"
    return ""


def _pieces(asked: Request) -> Iterator[tuple[CachePart | None, str]]:
    """The prompt's beginning in the order a cache sees it; None: no shared part ends here."""
    if asked.protocol is ActionProtocol.TOOLS and asked.tools:
        tools = [[tool.name, tool.description, dict(tool.parameters)] for tool in asked.tools]
        yield CachePart.TOOLS, json.dumps(tools)
    elif asked.protocol is ActionProtocol.JSON and asked.response_schema:
        yield None, json.dumps(asked.response_schema)  # providers put it before the system text
    if asked.system:
        yield CachePart.SYSTEM, asked.system
    if asked.messages:
        yield CachePart.SCENARIO, asked.messages[0].content


def prefixes(asked: Request) -> Iterator[tuple[CachePart, bytes, int]]:
    """The shared beginnings a request offers, shortest first: digest and estimated tokens."""
    digest, size = hashlib.sha256(), 0
    for part, text in _pieces(asked):
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(b"\0" + raw)
        size += len(raw)
        if part is not None:
            yield part, digest.digest(), size // BYTES_PER_TOKEN


def _sizes(asked: Request) -> Iterator[tuple[CachePart, int]]:
    """The same without digests, for a call that may turn out too short to be marked."""
    size = 0
    for part, text in _pieces(asked):
        size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if part is not None:
            yield part, size // BYTES_PER_TOKEN


class Marks:
    """Puts on each request the ends of the prefixes that pay, by the plan's eligibility.

    Args:
        plan: the frozen study.
        seconds_per_trial: the pace of the run.
    """

    def __init__(self, plan: Plan, *, seconds_per_trial: float = SECONDS_PER_TRIAL) -> None:
        self._parts: dict[tuple[str, str], tuple[CachePart, ...]] = {}
        groups: dict[tuple[str, str], list[Eligibility]] = defaultdict(list)
        for entry in cache_eligibility(plan, seconds_per_trial=seconds_per_trial):
            groups[entry.model, entry.variant].append(entry)
        for key, entries in groups.items():
            paying = [entry for entry in entries if entry.pays]
            # A prefix that is shared no more often than a longer one needs no end of its own.
            kept = (
                entry
                for place, entry in enumerate(paying)
                if all(entry.uses > longer.uses for longer in paying[place + 1 :])
            )
            self._parts[key] = tuple(entry.part for entry in kept)

    def mark(self, asked: Request, variant: str) -> Request:
        """The request with its ends; `variant` is the arm it belongs to."""
        arm = "" if asked.purpose == "judge" else variant
        parts = self._parts.get((asked.model.route, arm), ())
        minimum = prices.cache_minimum(asked.model.route)
        if not parts or minimum is None:
            return asked
        long = {part for part, tokens in _sizes(asked) if tokens >= minimum}
        return replace(asked, cache=tuple(part for part in parts if part in long))
