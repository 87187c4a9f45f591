"""All runs of a study -> `Standing`: history, drift, sentinel, and what stopped working."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mitigations.compose.kept import plan_of
from mitigations.compose.reporting import served_models
from mitigations.compose.reporting.comparing import run_side
from mitigations.errors import NoData
from mitigations.model import Cell, Counts, Plan, VerdictKind, content_hash
from mitigations.store import Store
from reports import (
    NotComparable,
    PanelRun,
    RunComparison,
    RunPoint,
    RunSide,
    Standing,
    VerdictMove,
    WatchedModel,
    compare,
)
from stats.sentinel import panel, watch_panel

SHOWN = 26
"""Runs of which the history is drawn; the sentinel watches all of them."""
_KEPT = 64
_SIDES: OrderedDict[tuple[str, str, tuple[int, ...]], RunSide] = OrderedDict()
_LOCK = threading.Lock()

_PANEL = (
    "The panel of a model is the baseline arm itself: the same scenarios, texts, settings and "
    "rules in every run, sent in the same hour as the variants. It costs nothing extra."
)


def standing(store: Store, study: str, *, base: Path | None = None) -> Standing:
    """A study over all of its runs that have ended; raises `NoData` where there is none."""
    every = [(run, at) for run, name, at in reversed(store.runs()) if name == study]
    ended, left_out = _ended(store, [run for run, _ in every])
    if not ended:
        raise NoData(f"no run of {study!r} has ended yet\n  Its history begins with the first.")
    plans = {run: plan_of(store, run, base=base) for run in ended}
    sides = [_side(store, run, plans[run]) for run in ended[-SHOWN:]]
    comparison, reason = _compared(sides)
    models, words = _watched(store, ended, plans)
    return Standing(
        study=study,
        runs=tuple((run, at) for run, at in every if run in plans),
        left_out=tuple(left_out),
        points=tuple(_points(sides)),
        models=tuple(models),
        panel_words=words,
        moves=tuple(_moves(comparison)) if comparison is not None else (),
        comparison=comparison,
        comparison_reason=reason,
        alpha=plans[ended[-1]].settings.alpha,
    )


def _ended(store: Store, runs: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    last, sizes = store.last_events(), store.run_sizes()
    ended, left_out = [], []
    for run in runs:
        if not sizes.get(run):
            left_out.append((run, "no reply has landed"))
        elif last.get(run) == "finished":
            ended.append(run)
        else:
            left_out.append((run, "it has not ended"))
    return ended, left_out


def _side(store: Store, run: str, plan: Plan) -> RunSide:
    """One run with its analysis, worked out once for each state of its data."""
    key = (str(store.path.resolve()), run, store.stamp(run, alone=True))
    with _LOCK:
        known = _SIDES.get(key)
    if known is None:
        known = run_side(store, run, plan)
        with _LOCK:
            _SIDES[key] = known
            while len(_SIDES) > _KEPT:
                _SIDES.popitem(last=False)
    return known


def _points(sides: Sequence[RunSide]) -> Iterator[RunPoint]:
    for side in sides:
        for one in side.analysis.comparisons:
            yield RunPoint(
                run=side.run, date=side.started, comparison=one, settings=side.analysis.settings
            )


def _compared(sides: Sequence[RunSide]) -> tuple[RunComparison | None, str]:
    if len(sides) < 2:
        return None, ""
    try:
        return compare(sides[-2], sides[-1]), ""
    except NotComparable as exc:
        return None, str(exc).splitlines()[0]


def _moves(comparison: RunComparison) -> Iterator[VerdictMove]:
    for one in comparison.flipped:
        assert one.earlier is not None  # a verdict flips where both runs gave one
        assert one.later is not None
        kinds = (one.earlier.verdict.kind, one.later.verdict.kind)
        effect = one.effect
        yield VerdictMove(
            variant=one.variant,
            earlier_run=comparison.earlier.run,
            later_run=comparison.later.run,
            earlier=one.earlier_verdict,
            later=one.later_verdict,
            is_regression=kinds[0] is VerdictKind.REDUCES and kinds[1] is not VerdictKind.REDUCES,
            effect_changed=effect.differs if effect is not None else None,
        )


def _watched(
    store: Store, ended: Sequence[str], plans: dict[str, Plan]
) -> tuple[list[WatchedModel], str]:
    wanted = _panel_of(plans[ended[-1]])
    runs = [run for run in ended if _panel_of(plans[run]) == wanted]
    words = _PANEL
    if len(runs) < len(ended):
        words += f" {len(ended) - len(runs)} of {len(ended)} runs had another panel and are no "
        words += "part of it."
    plan = plans[ended[-1]]
    cells = [_controls(store, run, plan) for run in runs]
    served = {
        run: {
            row.model: (*(row.names or ()), *(row.fingerprints or ()))
            for row in served_models(store, run)
        }
        for run in runs
    }
    started = {run: at for run, _, at in store.runs()}
    found = []
    for model in sorted(one.route for one in plan.models):
        counts = panel(cells, model=model, seeds=[_seed(run) for run in runs])
        names = [served[run].get(model, ()) for run in runs]
        rows = tuple(
            PanelRun(
                run=run,
                date=started.get(run, ""),
                counts=count if isinstance(count, Counts) else None,
                reason="" if isinstance(count, Counts) else count,
                served=name,
                is_other_name=other,
            )
            for run, count, name, other in zip(runs, counts, names, _others(names), strict=True)
        )
        usable = [count for count in counts if isinstance(count, Counts)]
        watched = watch_panel(usable, alpha=plan.settings.alpha) if len(usable) > 1 else None
        found.append(WatchedModel(model=model, runs=rows, watched=watched))
    return found, words


def _controls(store: Store, run: str, plan: Plan) -> list[Cell]:
    return [cell for cell in store.cells(run) if cell.variant == plan.baseline.id]


def _others(names: Sequence[tuple[str, ...]]) -> list[bool]:
    """Whether each is another name than the last one that was given."""
    last: tuple[str, ...] = ()
    found = []
    for name in names:
        found.append(bool(last and name and name != last))
        last = name or last
    return found


def _panel_of(plan: Plan) -> str:
    """All that must stay for controls of two runs to ask the same; a price changes no reply."""
    return content_hash(
        {
            "baseline": plan.baseline.treatment_hash,
            "scenarios": sorted(one.hash for one in plan.scenarios if not one.is_twin),
            "models": sorted(repr(replace(one, price=None)) for one in plan.models),
            "coercive_at": plan.coercive_at,
            "judge": [repr(replace(one, price=None)) for one in plan.judge.models],
            "judges": plan.judge.panel,
            "rubric": plan.rubric_hash,
            "rules": plan.rules_version,
            "nuisance": plan.fix_nuisance,
        }
    )


def _seed(run: str) -> int:
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:8], "big")
