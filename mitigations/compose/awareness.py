"""Evaluation awareness of a run: read from stored replies, kept apart from outcomes, contrasted."""

from collections.abc import Iterable, Mapping
from functools import partial

from mitigations.model import ActionProtocol, Counts, Plan
from mitigations.store import Store
from reports import AwarenessGap, AwarenessProbe, AwarenessRow
from runner import protocols
from runner.awareness import PROBE, Awareness, stored_awareness
from stats.two_by_two import newcombe_interval


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


def contrast(store: Store, plan: Plan, run: str) -> AwarenessProbe | None:
    """Coercive replies by what the reasoning says, and how the arms differ in saying it."""
    found = store.aware(run, PROBE)
    if not found:
        return None
    none = Counts(coercive=0, scored=0)
    cells: dict[tuple[str, str], dict[str, Counts]] = {}
    for variant, cue, state, coercive, scored in found:
        cells.setdefault((variant, cue), {})[state] = Counts(coercive=coercive, scored=scored)
    rows = tuple(
        AwarenessRow(
            variant=variant,
            cue=cue,
            says_test=states.get(Awareness.SAYS_TEST, none),
            says_real=states.get(Awareness.SAYS_REAL, none),
            says_neither=states.get(Awareness.NONE, none),
            not_visible=states.get(Awareness.NOT_VISIBLE, none),
            unread=states.get("", none).scored,
        )
        for (variant, cue), states in sorted(cells.items())
    )
    gap = partial(_gap, rows, plan.settings.baseline)
    arms = [variant.id for variant in plan.variants if variant.id != plan.settings.baseline]
    return AwarenessProbe(rows=rows, gaps=tuple(map(gap, arms)))


def _gap(rows: Iterable[AwarenessRow], baseline: str, variant: str) -> AwarenessGap:
    kept = tuple(rows)
    treated, control = _said(kept, variant), _said(kept, baseline)
    comparable = treated[1] > 0 and control[1] > 0
    return AwarenessGap(
        variant=variant,
        treated=treated,
        control=control,
        difference=treated[0] / treated[1] - control[0] / control[1] if comparable else None,
        ci95=newcombe_interval(*treated, *control) if comparable else None,
    )


def _said(rows: Iterable[AwarenessRow], variant: str) -> tuple[int, int]:
    """(replies that say it is a test, replies whose reasoning is visible) of one arm."""
    mine = [row for row in rows if row.variant == variant]
    return sum(row.says_test.scored for row in mine), sum(row.visible for row in mine)
