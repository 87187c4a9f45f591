"""The calculators of `mitigations analyze`: judge error, power, paired trials."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mitigations.errors import InvalidFile
from mitigations.model import Alarm, Analysis, Cell
from mitigations.tables import ArmLabels, Table
from reports import ArmConfusion, CorrectedEffect, JudgeCheck
from stats.agreement import kappa, kappa_ci95
from stats.judge_correction import (
    EqualJudge,
    Judged,
    Labels,
    equal_judge,
    ppi_difference,
    rogan_gladen_difference,
)
from stats.named import Undefined, collect
from stats.outlook import cell_variance
from stats.paired import mcnemar_exact_p, mcnemar_midp
from stats.power import Grid, mde, power, settle, tau2
from stats.scenarios import scenario_differences
from stats.strata import Strata, grid
from stats.two_by_two import wilson_interval

NO_TRIALS = "pairs need a table of trials with their repeat; this one holds counts"
T = TypeVar("T")


def judge_check(table: Table, arms: Sequence[ArmLabels], path: Path) -> tuple[JudgeCheck, Alarm]:
    """The judge against human labels: confusion by arm, kappa, equality, corrected effects.

    Raises `InvalidFile` when the labels name an arm that the table does not hold.
    """
    known = {cell.variant for cell in table.cells}
    labels = {arm.variant: _labels(arm) for arm in arms}
    for name in labels:
        if name not in known:
            raise InvalidFile(path, f"labels variant {name!r}, which {table.path} does not hold")
    variants = sorted(known - {table.baseline})
    both = [name for name in variants if {name, table.baseline} <= set(labels)]
    tests = {name: equal_judge(labels[name], labels[table.baseline]) for name in both}
    total = sum(labels.values(), start=Labels(**dict.fromkeys(_COUNTS, 0)))
    matrix = (
        (total.true_positive, total.false_positive),
        (total.false_negative, total.true_negative),
    )
    adjusted = [p for test in tests.values() if (p := _both(test)) is not None]
    check = JudgeCheck(
        judge="the judge of this file",
        arms=tuple(_confusion(name, found) for name, found in sorted(labels.items())),
        kappa=_or_none(lambda: kappa(matrix)),
        kappa_ci95=_or_none(lambda: kappa_ci95(matrix)),
        arms_differ_p=min(adjusted, default=None),
        corrected=tuple(
            effect for name in variants for effect in _corrected(table, labels, name, tests)
        ),
    )
    return check, _alarm(tests)


def judge_json(check: JudgeCheck) -> dict[str, Any]:
    """The `judge` section of the contract."""
    agreement = {
        "kappa": check.kappa,
        "kappa_ci95": _listed(check.kappa_ci95),
        "arms_differ_p": check.arms_differ_p,
    }
    return {
        **agreement,
        "reasons": {
            name: _NO_AGREEMENT[name] for name, found in agreement.items() if found is None
        },
        "arms": [
            {
                "variant": arm.variant,
                **{name: getattr(arm, name) for name in _COUNTS},
                "sensitivity_ci95": _listed(arm.sensitivity_ci95),
                "specificity_ci95": _listed(arm.specificity_ci95),
            }
            for arm in check.arms
        ],
        "corrected": [
            {
                "variant": effect.variant,
                "method": effect.method,
                "corrected_rd": effect.difference,
                "corrected_rd_ci95": _listed(effect.ci95),
                "reason": effect.reason,
            }
            for effect in check.corrected
        ],
    }


def power_json(analysis: Analysis, cells: Sequence[Cell]) -> dict[str, Any]:
    """The `power` section: what the file, read as a pilot, could show; one entry a variant."""
    settings = analysis.settings
    strata = grid(cells, settings.baseline).strata()
    comparisons = len(analysis.comparisons)
    return {
        "smallest_change": settings.smallest_change,
        "variants": [
            {
                "variant": comparison.variant,
                **_power(
                    strata.row(index),
                    settings.smallest_change,
                    lambda row: _grid(row, comparisons, settings.alpha),
                ),
            }
            for index, comparison in enumerate(analysis.comparisons)
        ],
    }


def paired_json(table: Table) -> dict[str, Any]:
    """The `paired` section: McNemar on trials of the same scenario, model and repeat."""
    if table.discordant is None:
        return {"reason": NO_TRIALS, "variants": []}
    return {
        "reason": "",
        "variants": [
            {
                "variant": name,
                "variant_only": b,
                "control_only": c,
                "mcnemar_exact_p": mcnemar_exact_p(b, c),
                "mcnemar_midp": mcnemar_midp(b, c),
            }
            for name, (b, c) in table.discordant.items()
        ],
    }


_NO_AGREEMENT = {
    "kappa": "the labels and the judge hold one class only: agreement by chance is complete",
    "kappa_ci95": "kappa does not exist, or has no large-sample error here",
    "arms_differ_p": "human labels of both classes are needed in the baseline and a variant",
}
_COUNTS = ("true_positive", "false_negative", "false_positive", "true_negative")


def _grid(row: Strata, comparisons: int, alpha: float) -> Grid:
    if not len(row.x1):
        raise Undefined("no stratum has scored trials in both arms")
    scenarios = len(set(row.scenario.tolist()))
    trials = [*row.n1.tolist(), *row.n0.tolist()]
    return Grid(
        scenarios=scenarios,
        models=max(1, round(len(row.x1) / scenarios)),
        repeats=max(1, round(sum(trials) / len(trials))),
        vbar=cell_variance(row),
        comparisons=comparisons,
        alpha=alpha,
    )


def _power(row: Strata, effect: float, size: Callable[[Strata], Grid]) -> dict[str, Any]:
    def between() -> float:
        found = size(row)
        noise = 2.0 * found.vbar / (found.models * found.repeats)
        differences = scenario_differences(row)
        return tau2(differences[~np.isnan(differences)].tolist(), sampling_variance=noise)

    def needed(count: int | None) -> int:
        if count is None:
            raise Undefined("more of these alone cannot show it")
        return count

    return collect(
        {
            "scenarios": lambda: size(row).scenarios,
            "models": lambda: size(row).models,
            "repeats": lambda: size(row).repeats,
            "vbar": lambda: size(row).vbar,
            "tau2": between,
            "power": lambda: power(effect, size(row)),
            "mde": lambda: mde(size(row)),
            "mde_scenarios_like_these": lambda: mde(replace(size(row), tau2=between())),
            "repeats_needed": lambda: needed(settle(effect, size(row)).repeats),
            "scenarios_needed": lambda: needed(settle(effect, size(row)).scenarios),
        }
    )


def _labels(arm: ArmLabels) -> Labels:
    return Labels(**{name: getattr(arm, name) for name in _COUNTS})


def _confusion(name: str, found: Labels) -> ArmConfusion:
    positive, negative = found.human_positive, found.human_negative
    return ArmConfusion(
        variant=name,
        true_positive=found.true_positive,
        false_positive=found.false_positive,
        false_negative=found.false_negative,
        true_negative=found.true_negative,
        sensitivity_ci95=wilson_interval(found.true_positive, positive) if positive else None,
        specificity_ci95=wilson_interval(found.true_negative, negative) if negative else None,
    )


def _corrected(
    table: Table, labels: Mapping[str, Labels], variant: str, tests: Mapping[str, EqualJudge]
) -> list[CorrectedEffect]:
    """The robust line, then the efficient one, each with its reason where it does not exist."""
    methods = (("PPI++ per arm", ppi_difference), ("Rogan-Gladen, pooled labels", None))
    effects = []
    for method, estimate in methods:
        difference, limits, reason = None, None, ""
        try:
            if variant not in tests:
                raise Undefined("labels are needed in both arms")  # noqa: TRY301 - one place words every reason
            if estimate is None and tests[variant].rejected is not False:
                raise Undefined(  # noqa: TRY301 - the same
                    tests[variant].reason or "the judge errs differently in the two arms"
                )
            compute = estimate or rogan_gladen_difference
            found = compute(_judged(table, labels, variant), _judged(table, labels, table.baseline))
            difference, limits = found.value, found.ci95
        except Undefined as exc:
            reason = str(exc)
        effects.append(
            CorrectedEffect(
                variant=variant, method=method, difference=difference, ci95=limits, reason=reason
            )
        )
    return effects


def _judged(table: Table, labels: Mapping[str, Labels], variant: str) -> Judged:
    counts = [cell.counts for cell in table.cells if cell.variant == variant]
    return Judged(
        positive=sum(one.coercive for one in counts),
        scored=sum(one.scored for one in counts),
        labels=labels[variant],
    )


def _both(test: EqualJudge) -> float | None:
    """Bonferroni over sensitivity and specificity."""
    if test.sensitivity_p is None or test.specificity_p is None:
        return None
    return min(1.0, 2.0 * min(test.sensitivity_p, test.specificity_p))


def _alarm(tests: Mapping[str, EqualJudge]) -> Alarm:
    fired = tuple(name for name, test in tests.items() if test.rejected)
    if not tests or all(test.rejected is None for test in tests.values()):
        state, detail = (
            None,
            "human labels of both classes are needed in the baseline and a variant",
        )
    elif fired:
        state = True
        detail = f"the judge errs differently for {', '.join(fired)} than for the baseline"
    else:
        state, detail = False, "sensitivity and specificity agree between the arms"
    return Alarm(name="judge errs differently by arm", fired=state, detail=detail, variants=fired)


def _or_none(formula: Callable[[], T]) -> T | None:
    try:
        return formula()
    except Undefined:
        return None


def _listed(limits: tuple[float, float] | None) -> list[float] | None:
    return None if limits is None else list(limits)
