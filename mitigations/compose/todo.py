"""What a start of a run has to play: what is left of the plan, or what was lost for an error."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mitigations.model import Outcome, OutcomeStatus, Plan, Reply, Trial
from mitigations.store import Recovered, Store, replies_of
from runner.order import Done, order

ERRORS = (OutcomeStatus.PROVIDER_ERROR, OutcomeStatus.JUDGE_ERROR)
"""Losses that say nothing of the model: the line, the provider's servers, our limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """The trials of this start, and what need not be paid for again."""

    trials: Callable[[Sequence[int]], Iterator[Trial]]
    """The trials of some epochs, in the plan's order."""
    total: int
    done: int
    known: dict[str, Reply]
    reruns: Mapping[str, int] = field(default_factory=dict)
    """Trial to which repetition this is."""
    doubted_usd: Mapping[str, float] = field(default_factory=dict)
    """Trial to what its earlier runs may have cost unseen."""

    def repeated(self, outcome: Outcome) -> Outcome:
        """The outcome with which of its trial's runs it is."""
        return repeated(outcome, self.reruns, self.doubted_usd)


def repeated(
    outcome: Outcome, reruns: Mapping[str, int], doubted_usd: Mapping[str, float]
) -> Outcome:
    """The outcome with which of its trial's runs it is, and what the earlier ones may have cost."""
    trial = outcome.trial.id
    if trial not in reruns:
        return outcome
    doubt = outcome.unconfirmed_usd + doubted_usd[trial]
    return replace(outcome, rerun=reruns[trial], unconfirmed_usd=doubt)


def left(plan: Plan, store: Store, found: Recovered) -> Todo:
    """Every trial without an outcome, in the plan's order."""
    with store.frugal():
        done = Done(plan.trial_count, store.done(plan.run_id))
    return Todo(
        trials=lambda epochs: order(plan, done=done, epochs=epochs),
        total=plan.trial_count,
        done=len(done),
        known=found.known,
    )


def again(plan: Plan, store: Store, journal: Path) -> Todo:
    """Every trial whose outcome is an error, as a further attempt; scored trials stay as they are.

    Of such a trial only the calls are made again that gave no answer.
    """
    lost = store.lost(plan.run_id, [str(status) for status in ERRORS])
    trials = [outcome.trial for outcome in lost]
    return Todo(
        trials=lambda epochs: (trial for trial in trials if trial.repeat in epochs),
        total=len(trials),
        done=0,
        known=replies_of(journal, frozenset(trial.id for trial in trials)),
        reruns={outcome.trial.id: outcome.rerun + 1 for outcome in lost},
        doubted_usd={outcome.trial.id: outcome.unconfirmed_usd for outcome in lost},
    )
