"""Calibration: does the service err as often as it says? A/A and A/B simulations, target by target.

Every experiment is drawn from cells and judged by the functions that an analysis calls; a share of
them goes through `stats.analyse` as a whole. Work is split into chunks with seeds of their own, so
the figures depend on the seed and not on the number of processes.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np

from stats import calibrate_family as family
from stats import calibrate_grid as grid
from stats import calibrate_judge as judge
from stats import calibrate_path as path
from stats import calibrate_watch as watch
from stats.calibrate_cells import BASES, Rng, Setting, settings
from stats.calibrate_tally import Finding, Spec, Tally, findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One simulation: what to run in which setting, how often, and what to read off."""

    simulate: Callable[[Rng, Any, int], Tally]
    setting: Any
    specs: Mapping[str, Spec]
    small: int
    full: int
    chunk: int
    """Experiments drawn at once: bounds the memory."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What one calibration run found."""

    seed: int
    full: bool
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Findings further than four Monte Carlo errors from their target."""
        return tuple(finding for finding in self.findings if not finding.credible)

    @property
    def missed(self) -> tuple[Finding, ...]:
        """Findings that, as observed, lie outside their target."""
        return tuple(finding for finding in self.findings if finding.met is False)


def calibrate(*, full: bool = False, seed: int = 0, workers: int | None = None) -> Calibration:
    """Run every simulation; seconds when small, about five minutes on two cores when full."""
    jobs = plan()
    tasks = [
        (index, start, min(job.chunk, size - start), seed)
        for index, job in enumerate(jobs)
        for size in [job.full if full else job.small]
        for start in range(0, size, job.chunk)
    ]
    tallies = [Tally() for _ in jobs]
    for (index, *_), tally in zip(tasks, _map(tasks, workers), strict=True):
        tallies[index].merge(tally)
    found = [
        finding
        for job, tally in zip(jobs, tallies, strict=True)
        for finding in findings(tally, job.specs, f"{job.setting}{job.note}")
    ]
    found.sort(key=lambda finding: finding.target)
    return Calibration(seed=seed, full=full, findings=tuple(found))


def plan() -> tuple[Job, ...]:
    """All simulations, in a fixed order: a job's seed is its place."""
    through_the_door = Job(
        simulate=path.null_path,
        setting=path.SETTING,
        specs=path.SPECS,
        small=20,
        full=10_000,
        chunk=100,
        note=", two variants, through analyse()",
    )
    return (
        *_null_jobs(),
        *_random_jobs(),
        *_effect_jobs(),
        *_family_jobs(),
        *_watch_jobs(),
        *_judge_jobs(),
        through_the_door,
    )


def _null_jobs() -> tuple[Job, ...]:
    return tuple(
        Job(
            simulate=grid.null_grid,
            setting=setting,
            specs=grid.NULL_SPECS,
            small=400 if setting.strata < 100 else 100,
            full=20_000,
            chunk=500,
        )
        for setting in settings()
    )


def _random_jobs() -> tuple[Job, ...]:
    return tuple(
        Job(
            simulate=grid.random_scenarios,
            setting=Setting(scenarios=size, models=4, repeats=10, base=base),
            specs=grid.RANDOM_SPECS,
            small=100,
            full=20_000,
            chunk=500,
            note=", effect random by scenario",
        )
        for size in (12, 20)
        for base in BASES
    )


def _effect_jobs() -> tuple[Job, ...]:
    return tuple(
        Job(
            simulate=grid.effect_grid,
            setting=Setting(scenarios=20, models=4, repeats=10, base=base),
            specs=grid.POWER_SPECS,
            small=200,
            full=20_000,
            chunk=500,
            note=", -5.6 points",
        )
        for base in BASES[:2]
    )


def _judge_jobs() -> tuple[Job, ...]:
    return tuple(
        Job(
            simulate=judge.judge_batch,
            setting=setting,
            specs=judge.FOOLED if setting is judge.POLITE else judge.COVERED,
            small=1000,
            full=20_000,
            chunk=5_000,
        )
        for setting in (judge.EQUAL, judge.RARE, judge.POLITE)
    )


def _family_jobs() -> tuple[Job, ...]:
    kinds = (
        (family.null_family, family.COMMON, family.FALSE, ", K = 6, none differs"),
        (family.partial_family, family.COMMON, family.PARTIAL, ", K = 6, two differ by -8 points"),
        (family.null_family, family.RARE, family.FALSE, ", K = 6, none differs"),
        (family.planned_family, family.COMMON, family.FALSE, ", K = 6, none differs, five looks"),
    )
    return tuple(
        Job(
            simulate=simulate,
            setting=setting,
            specs=specs,
            small=40,
            full=10_000,
            chunk=100,
            note=note,
        )
        for simulate, setting, specs, note in kinds
    )


def _watch_jobs() -> tuple[Job, ...]:
    kinds = (
        (watch.null_watch, watch.NULL_SPECS, ", A/A"),
        (watch.split_watch, watch.NULL_SPECS, ", half helped and half harmed by 80 points"),
        (watch.effect_watch, watch.EFFECT_SPECS, ", -5.6 points"),
    )
    return tuple(
        Job(
            simulate=simulate,
            setting=watch.SETTING,
            specs=specs,
            small=1000,
            full=20_000,
            chunk=500,
            note=note,
        )
        for simulate, specs, note in kinds
    )


Task = tuple[int, int, int, int]


def _map(tasks: list[Task], workers: int | None) -> list[Tally]:
    """Run the tasks in order of their place, in this process when one worker is asked for."""
    count = workers if workers is not None else os.cpu_count() or 1
    if count <= 1:
        return [_run(task) for task in tasks]
    # spawn: a fork of a process with threads (a test runner, a server) may hang.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_run, tasks))


def _run(task: Task) -> Tally:
    index, start, experiments, seed = task
    job = plan()[index]
    rng = np.random.default_rng([seed, index, start])
    return job.simulate(rng, job.setting, experiments)
