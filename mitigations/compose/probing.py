"""What a run's replies say of being tested, read once and stored beside the outcomes."""

from collections.abc import Mapping

from mitigations.model import ActionProtocol, Plan
from mitigations.store import Store
from runner import protocols
from runner.awareness import PROBE, Awareness, stored_awareness


def probe_run(store: Store, plan: Plan, run: str) -> int:
    """Read every reply of a run that this probe has not read; returns how many.

    What is stored derives from the outcomes alone, and these from the journal.
    """
    by_model = {
        spec.route: spec.protocol or protocols.default_protocol(spec) for spec in plan.models
    }
    count = 0
    for batch in store.unprobed(run, PROBE):
        read = [
            (trial, rerun, str(_read(by_model, model, turns, text, reasoning)))
            for trial, rerun, model, turns, text, reasoning in batch
        ]
        store.add_awareness(run, PROBE, read)
        count += len(read)
    return count


def _read(
    by_model: Mapping[str, ActionProtocol], model: str, turns: int, text: str, reasoning: str
) -> Awareness:
    protocol = by_model.get(model, ActionProtocol.TAGS)
    return stored_awareness(text, reasoning, protocol, turns=turns)
