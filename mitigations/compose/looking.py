"""Looks at a running study: taken once, journalled, and obeyed by every later start and report."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mitigations.codec import build, plain
from mitigations.model import Cell, Plan, content_hash
from mitigations.store import Landing, Store
from reports import Look
from stats.monitor import LookTaken, look_epochs, look_levels, take_look

KIND = "look"
"""Kind of the run event; its detail is the look as JSON, with a hash of the cells it saw."""


@dataclass(frozen=True, slots=True)
class Course:
    """The looks a run has taken so far, in order."""

    looks: tuple[LookTaken, ...] = ()

    @property
    def decided(self) -> frozenset[str]:
        """Variants that a look has decided."""
        return frozenset(one.variant for look in self.looks for one in look.variants if one.decided)

    @property
    def last(self) -> LookTaken | None:
        """The latest look."""
        return self.looks[-1] if self.looks else None

    def ended_early(self, plan: Plan) -> bool:
        """Whether the run is over by its rule, before all of its epochs."""
        last = self.last
        return last is not None and last.stop and last.epochs < plan.repeats


def course_of(store: Store, run: str) -> Course:
    """What the run's journal and database know of its looks."""
    details = (json.loads(detail) for _, kind, detail in store.query("events", run) if kind == KIND)
    taken = {look["epochs"]: look for look in details}
    return Course(tuple(_noun(taken[epochs]) for epochs in sorted(taken)))


def _noun(detail: dict[str, Any]) -> LookTaken:
    return build(LookTaken, {k: v for k, v in detail.items() if k != "cells"})


def ends_of(plan: Plan) -> tuple[int, ...]:
    """After how many epochs each stage of the run ends."""
    return look_epochs(plan.settings, plan.repeats)


class Looks:
    """The look after each stage of one run: `await looks(epochs)` says whether the run ends."""

    def __init__(self, plan: Plan, store: Store, landing: Landing) -> None:
        self._plan, self._store, self._landing = plan, store, landing
        self.course = course_of(store, plan.run_id)

    async def __call__(self, epochs: int) -> bool:
        """Take the look, or repeat what it decided when it was taken by an earlier start."""
        known = next((look for look in self.course.looks if look.epochs == epochs), None)
        if known is not None:
            return known.stop
        await self._landing.flush()
        cells = self._store.cells_until(self._plan.run_id, epochs)
        taken = self._take(cells, epochs)
        detail = plain(LookTaken, taken) | {"cells": _hash(cells)}
        await self._landing.event(KIND, json.dumps(detail, separators=(",", ":")))
        await self._landing.flush()
        self.course = Course((*self.course.looks, taken))
        return taken.stop

    def _take(self, cells: Sequence[Cell], epochs: int) -> LookTaken:
        plan, settings = self._plan, self._plan.settings
        proper = sum(not scenario.is_twin for scenario in plan.scenarios)
        pairs = self._store.pairs(
            plan.run_id,
            settings.baseline,
            per_epoch=len(plan.variants) * proper * len(plan.models),
            until=epochs,
        )
        return take_look(
            cells,
            settings,
            epochs=epochs,
            repeats=plan.repeats,
            pairs=pairs if settings.design == "anytime" else (),
            decided=self.course.decided,
        )


def _hash(cells: Sequence[Cell]) -> str:
    """Of the counts a look saw: who recounts them later can hold the look against them."""
    return content_hash([plain(Cell, cell) for cell in cells])


def level_now(plan: Plan, course: Course, *, complete: bool) -> float | None:
    """The level at which a report of the run as it stands gives its intervals; None: alpha.

    Of a running study that is the level of the last look taken, before the first one that of the
    first; of a complete one the last level. Never the whole of alpha beside looks.
    """
    settings = plan.settings
    if settings.design != "group-sequential":
        return None
    levels = look_levels(settings, plan.repeats, comparisons=len(plan.variants) - 1)
    last = course.last
    if last is not None and last.level is not None:
        return last.level
    return levels[-1] if complete else levels[0]


def decided_now(plan: Plan, course: Course, *, complete: bool) -> frozenset[str] | None:
    """The variants that looks have decided; None where the cells themselves decide.

    The latter for fixed designs, and for complete runs of versions that took no looks.
    """
    if plan.settings.design == "fixed" or (complete and not course.looks):
        return None
    return course.decided


def shown(plan: Plan, course: Course) -> tuple[Look, ...]:
    """Every look for the report, variant by variant."""
    if plan.settings.design == "fixed":
        return ()
    order = [variant.id for variant in plan.variants]
    looks = (look for taken in course.looks for look in _rows(plan, taken))
    return tuple(sorted(looks, key=lambda look: order.index(look.variant)))


def _rows(plan: Plan, taken: LookTaken) -> Iterable[Look]:
    anytime = plan.settings.design == "anytime"
    label = f"epoch {taken.epochs}" if anytime else f"look {taken.number} of {taken.of}"
    if taken.alpha_spent is not None:
        label += f", alpha spent {taken.alpha_spent:.2g}"
    for one in taken.variants:
        row = Look(
            variant=one.variant,
            label=label,
            share=taken.epochs if anytime else taken.information,
            difference=one.difference,
            interval=one.interval,
            statistic=one.statistic,
            boundary=one.boundary,
            crossed=one.crossed,
        )
        if one.conditional_power is not None:
            said = "futile" if one.futile else "open"
            chance = f"{100 * one.conditional_power:.0f} % chance to show a reduction"
            row = replace(row, label=f"{label}; {said}: {chance}")
        yield row


def said(plan: Plan, course: Course, *, done: int) -> str:
    """Why the run is over before all of its trials, in one sentence; empty where it is not."""
    last = course.last
    if last is None or not course.ended_early(plan):
        return ""
    place = f"epoch {last.epochs}" if last.level is None else f"look {last.number} of {last.of}"
    futile = [one.variant for one in last.variants if one.futile and not one.decided]
    why = "every comparison is decided"
    if futile:
        why = f"what is not decided has too little chance of it ({', '.join(futile)})"
    saved = plan.trial_count - done
    return f"The run ended by its rule at {place}: {why}. {saved:,} planned trials were not needed."
