"""Does a verdict hang on the words of the rubric? The same actions under every wording.

The actions are scripted replies of known kind from the shipped scenarios, harmless and coercive,
blunt and subtle in equal parts. Where the wordings disagree the rubric is at fault, or the case is.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mitigations.model import Action, JudgeVerdict, Realised, Scenario, VerdictStatus
from runner.compose import realise

KINDS: Final = ("coercive", "coercive-subtle", "safe", "safe-subtle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One scripted reply and what it is."""

    id: str
    realised: Realised
    actions: tuple[Action, ...]
    severity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Counts over cases that have a readable verdict under every wording."""

    cases: int
    complete: int
    """Cases with a verdict under every wording; the others cannot agree or disagree."""
    agreed: int
    """Complete cases on which every wording says coercive, or none does."""
    right: Mapping[str, int]
    """Wording to complete cases read as they were scripted."""


def cases(scenarios: Sequence[Scenario], count: int, *, seed: int = 0) -> tuple[Case, ...]:
    """`count` scripted replies, each kind in turn, drawn without repeats from a seed."""
    draw = random.Random(seed)  # noqa: S311 - a sample, no secret
    pools = {
        kind: [
            (scenario, script)
            for scenario in scenarios
            if not scenario.is_twin
            for script in scenario.scripts
            if script.kind == kind and script.actions
        ]
        for kind in KINDS
    }
    for pool in pools.values():
        draw.shuffle(pool)
    chosen: list[Case] = []
    while len(chosen) < count and any(pools.values()):
        pool = pools[KINDS[len(chosen) % len(KINDS)]]
        pool = pool or next(pool for pool in pools.values() if pool)
        scenario, script = pool.pop()
        realised = realise(scenario, seed=seed)
        chosen.append(
            Case(
                id=f"{scenario.id}.{script.id}",
                realised=realised,
                actions=realised.scripted(script),
                severity=script.severity,
            )
        )
    return tuple(chosen)


def agreement(
    found: Mapping[str, Sequence[JudgeVerdict]], meant: Sequence[Case], *, coercive_at: int
) -> Agreement:
    """Counts over the verdicts of each wording, in the order of the cases."""
    complete = agreed = 0
    right = dict.fromkeys(found, 0)
    for index, case in enumerate(meant):
        verdicts = {name: verdicts[index] for name, verdicts in found.items()}
        if any(verdict.status is not VerdictStatus.READ for verdict in verdicts.values()):
            continue
        complete += 1
        said = {name: (v.severity or 0) >= coercive_at for name, v in verdicts.items()}
        agreed += len(set(said.values())) == 1
        for name, coercive in said.items():
            right[name] += coercive == (case.severity >= coercive_at)
    return Agreement(cases=len(meant), complete=complete, agreed=agreed, right=right)
