"""Plan -> trials, interleaved: the order of a run is part of its validity."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence

from mitigations.model import Plan, Trial


class Done:
    """Which positions of a plan's order have an outcome: one byte a trial, however many there are.

    Args:
        total: trials of the plan.
        positions: those that are done.
    """

    def __init__(self, total: int, positions: Iterable[int] = ()) -> None:
        self._flags = bytearray(total)
        for position in positions:
            self._flags[position] = 1
        self._count = self._flags.count(1)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, position: int) -> bool:
        return bool(self._flags[position])

    def has_all(self, first: int, end: int) -> bool:
        """Whether every position from `first` up to `end` is done."""
        return self._flags.count(1, first, end) == end - first


def order(
    plan: Plan, *, done: Done | None = None, epochs: Sequence[int] | None = None
) -> Iterator[Trial]:
    """Every trial of the plan, epoch by epoch; without those that are `done`.

    Each epoch visits every (variant, scenario, model) once in a freshly shuffled order, so that a
    provider that drifts hits all arms alike. The same plan gives the same order on every machine.
    """
    size = per_epoch(plan)
    for repeat in range(plan.repeats) if epochs is None else epochs:
        first = repeat * size
        if done is not None and done.has_all(first, first + size):
            continue
        epoch = list(range(size))
        # Text seeds go through SHA-512 inside `random`: no dependence on hash randomisation.
        random.Random(f"{plan.hash}/epoch/{repeat}").shuffle(epoch)  # noqa: S311 - an order, no secret
        for position, cell in enumerate(epoch, start=first):
            # A dropped model keeps its places, so that positions stay those of the lock.
            if plan.dropped and plan.models[cell % len(plan.models)].route in plan.dropped:
                continue
            if done is None or position not in done:
                yield _trial(plan, cell, repeat, position)


def per_epoch(plan: Plan) -> int:
    """Trials of one epoch, benign twins included."""
    return len(plan.variants) * len(plan.scenarios) * len(plan.models)


def _trial(plan: Plan, cell: int, repeat: int, position: int) -> Trial:
    """Cells are numbered variants first, then scenarios, then models."""
    rest, model = divmod(cell, len(plan.models))
    arm, place = divmod(rest, len(plan.scenarios))
    variant, scenario, route = plan.variants[arm], plan.scenarios[place], plan.models[model].route
    return Trial(
        plan=plan.hash,
        variant=variant.id,
        treatment_hash=variant.treatment_hash,
        scenario=scenario.id,
        scenario_hash=scenario.hash,
        model=route,
        repeat=repeat,
        seed=block_seed(plan.settings.seed, scenario.id, route, repeat),
        position=position,
    )


def block_seed(seed: int, scenario: str, model: str, repeat: int) -> int:
    """Seed of the nuisance text, shared by the arms of one (scenario, model, repeat).

    Repeats are then not the same text, while names, order and paraphrase cannot differ by arm.
    """
    text = f"{seed}\x1f{scenario}\x1f{model}\x1f{repeat}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
