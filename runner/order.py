"""Plan -> trials, interleaved: the order of a run is part of its validity."""

import hashlib
import random
from collections.abc import Iterator

from mitigations.model import Plan, Trial


def order(plan: Plan) -> Iterator[Trial]:
    """Every trial of the plan, epoch by epoch.

    Each epoch visits every (variant, scenario, model) once in a freshly shuffled order, so that a
    provider that drifts hits all arms alike. The same plan gives the same order on every machine.
    """
    cells = [
        (variant.id, variant.treatment_hash, scenario.id, scenario.hash, model.route)
        for variant in plan.variants
        for scenario in plan.scenarios
        for model in plan.models
    ]
    position = 0
    for repeat in range(plan.repeats):
        epoch = list(cells)
        # Text seeds go through SHA-512 inside `random`: no dependence on hash randomisation.
        random.Random(f"{plan.hash}/epoch/{repeat}").shuffle(epoch)  # noqa: S311 - an order, no secret
        for variant, treatment_hash, scenario, scenario_hash, model in epoch:
            yield Trial(
                plan=plan.hash,
                variant=variant,
                treatment_hash=treatment_hash,
                scenario=scenario,
                scenario_hash=scenario_hash,
                model=model,
                repeat=repeat,
                seed=block_seed(plan.settings.seed, scenario, model, repeat),
                position=position,
            )
            position += 1


def block_seed(seed: int, scenario: str, model: str, repeat: int) -> int:
    """Seed of the nuisance text, shared by the arms of one (scenario, model, repeat).

    Repeats are then not the same text, while names, order and paraphrase cannot differ by arm.
    """
    text = f"{seed}\x1f{scenario}\x1f{model}\x1f{repeat}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
