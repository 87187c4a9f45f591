"""Evaluation awareness of a run: what `probing` stored, contrasted; never part of an outcome."""

from collections.abc import Iterable
from functools import partial

from mitigations.model import Counts, Plan
from mitigations.store import Store
from reports import AwarenessGap, AwarenessProbe, AwarenessRow
from runner.awareness import PROBE, Awareness
from stats.two_by_two import newcombe_interval


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
