"""The reference file's quantities, one function a kind, under its names.

Each returns a mapping from name to number, pair or None, with a sentence under `reasons` for every
None. Definitions stand in `tests/stats/reference/stats_examples.json`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from stats.agreement import agreement_table, ratings
from stats.as_r import odds_interval_as_r, odds_ratio_as_r
from stats.clustered import clustered_difference, gee
from stats.conditional import (
    LAW_WORK,
    Law,
    law_test,
    lower_tail_p,
    minimum_likelihood_p,
    odds_law,
    total_law,
    work,
)
from stats.dunnett import dunnett_critical as _dunnett_critical
from stats.effects import drill_down, effects, pick
from stats.eprocess import e_value_quantities as e_value
from stats.judge_error import judge_error, judge_error_difference
from stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, hochberg, holm, hommel
from stats.named import Quantities, Undefined, collect
from stats.paired import mcnemar_exact_p, mcnemar_midp
from stats.power import power_quantities as power
from stats.scenarios import ScenarioT, scenario_differences, scenario_t, sign_flip_p
from stats.score import difference_interval, noninferiority_p, ratio_interval
from stats.strata import FloatArray, Strata, strata_from_rows, two_by_two_strata
from stats.two_by_two import Ordering, boschloo_p, newcombe_interval

__all__ = [
    "agreement_table",
    "cells",
    "clustered_quantities",
    "dunnett_critical",
    "e_value",
    "judge_error",
    "judge_error_difference",
    "p_values",
    "paired",
    "power",
    "ratings",
    "scenario_quantities",
    "stratified_2x2",
    "two_by_two",
]

TOO_LARGE = "too many trials for an exact law; the normal approximation serves here"
BOSCHLOO_TABLES = 4_000_000
"""Tables with these arm sizes up to which Boschloo's test is computed: about two seconds."""
ONE_TOTAL = "given the margins only one total is possible: no odds ratio can be seen"


def stratified_2x2(strata: Sequence[Mapping[str, Any]]) -> Quantities:
    """Two arms over strata: rows with `x1, n1, x0, n0` and an optional `scenario`."""
    table = strata_from_rows(strata)
    usable = bool(table.used.any())
    found = pick({**effects(table), **drill_down(table)}, (), usable=usable)
    if not usable:
        none = dict.fromkeys(_CONDITIONAL, "no stratum has scored trials in both arms")
        conditional: Quantities = {**dict.fromkeys(_CONDITIONAL), "reasons": none}
    elif work(table) > LAW_WORK:
        none = dict.fromkeys(_CONDITIONAL, TOO_LARGE)
        conditional = {**dict.fromkeys(_CONDITIONAL), "reasons": none}
    else:
        conditional = _conditional(table)
    named = "scenario" in strata[0] if strata else False
    differences = scenario_differences(table) if named else np.empty(0)
    return _merge(found, conditional, scenario_quantities(differences))


def scenario_quantities(
    differences: FloatArray, *, permutations: int = 9999, seed: int = 0
) -> Quantities:
    """Question (b) from per-scenario mean differences of shape (S,)."""
    known: list[ScenarioT] = []

    def of(read: Callable[[ScenarioT], Any]) -> Callable[[], Any]:
        def once() -> Any:
            if not known:
                known.append(scenario_t(differences))
            return read(known[0])

        return once

    return collect(
        {
            "scenario_t": of(lambda t: t.t),
            "scenario_t_p": of(lambda t: t.p),
            "scenario_t_ci95": of(lambda t: t.ci),
            "scenario_signflip_p": lambda: sign_flip_p(
                differences, permutations=permutations, seed=seed
            ),
        }
    )


def two_by_two(x1: int, n1: int, x0: int, n0: int) -> Quantities:
    """One table: Fisher, Boschloo, Newcombe, Miettinen-Nurminen, non-inferiority."""
    table = two_by_two_strata(x1, n1, x0, n0)
    formulas: dict[str, Callable[[], Any]] = {
        "fisher_p": lambda: minimum_likelihood_p(_law(table, total_law)),
        "fisher_cond_or": lambda: odds_ratio_as_r(_law(table, odds_law)),
        "fisher_or_ci95": lambda: odds_interval_as_r(_law(table, odds_law)),
        "fisher_p_less": lambda: lower_tail_p(_law(table, total_law)),
        "boschloo_p_two_sided_minlike": partial(_boschloo, (x1, n1, x0, n0), "two-sided"),
        "boschloo_p_less": partial(_boschloo, (x1, n1, x0, n0), "less"),
        "newcombe_rd_ci95": lambda: newcombe_interval(x1, n1, x0, n0),
        "mn_rd_ci95": lambda: _floats(difference_interval(table)),
        "mn_rr_ci95": lambda: _floats(ratio_interval(table)),
        "noninferiority_score_p_margin0.05": lambda: _margin(table, 0.05),
        "noninferiority_score_p_margin0.1": lambda: _margin(table, 0.1),
    }
    if min(n1, n0) == 0:
        reasons = dict.fromkeys(formulas, "one arm has no scored trial")
        return {**dict.fromkeys(formulas), "reasons": reasons}
    found = collect(formulas)
    if not table.informative.any():
        found["reasons"]["warnings:fisher_cond_or"] = (
            f"{ONE_TOTAL}; 0 and 0 to Inf are R's stand-ins"
        )
    return found


def paired(b: int, c: int) -> Quantities:
    """McNemar on discordant pairs: `b` only the variant, `c` only control."""
    return collect(
        {
            "mcnemar_exact_p": lambda: mcnemar_exact_p(b, c),
            "mcnemar_midp": lambda: mcnemar_midp(b, c),
        }
    )


def p_values(p: Sequence[float]) -> Quantities:
    """The five adjustments, in input order."""
    return collect(
        {
            "holm": lambda: holm(p),
            "hochberg": lambda: hochberg(p),
            "hommel": lambda: hommel(p),
            "bh": lambda: benjamini_hochberg(p),
            "by": lambda: benjamini_yekutieli(p),
        }
    )


def cells(
    rows: Sequence[Sequence[float]],
    columns: Sequence[str] = ("scenario", "x1", "n1", "x0", "n0"),
) -> Quantities:
    """Clustered inference, clusters = scenarios; rows in the order of `columns`."""
    found = clustered_quantities(rows, columns)
    table = _table(rows, columns)
    for structure in ("independence", "exchangeable"):
        part = _gee_quantities(table, structure)
        found = _merge(found, part)
    return found


def clustered_quantities(
    rows: Sequence[Sequence[float]],
    columns: Sequence[str] = ("scenario", "x1", "n1", "x0", "n0"),
) -> Quantities:
    """The least-squares part of `cells`, which needs no statsmodels."""
    table = _table(rows, columns)
    try:
        found = clustered_difference(table)
    except Undefined as exc:
        return {**dict.fromkeys(_CLUSTERED), "reasons": dict.fromkeys(_CLUSTERED, str(exc))}
    return {**{name: getattr(found, name) for name in _CLUSTERED}, "reasons": {}}


def _table(rows: Sequence[Sequence[float]], columns: Sequence[str]) -> Strata:
    return strata_from_rows([dict(zip(columns, row, strict=True)) for row in rows])


def _gee_quantities(table: Strata, structure: str) -> Quantities:
    logit, error = f"gee_{structure}_logit", f"gee_{structure}_robust_se"
    try:
        found = gee(table, exchangeable=structure == "exchangeable")
    except Undefined as exc:
        return {logit: None, error: None, "reasons": {logit: str(exc), error: str(exc)}}
    return {logit: found.logit, error: found.robust_se, "reasons": {}}


def dunnett_critical(comparisons: int, alpha: float = 0.05) -> Quantities:
    """Two-sided many-to-one critical value, equal arms."""
    return collect({"critical_z": lambda: _dunnett_critical(comparisons, alpha)})


_CONDITIONAL = (
    "exact_cond_p",
    "cond_mle_or",
    "exact_or_ci95",
    "perm_absdev_p",
    "perm_absdev_midp",
)
_CLUSTERED = (
    "ols_rd",
    "cr0_se",
    "cr1_se",
    "cr1s_se",
    "cr2_se",
    "cr2_satterthwaite_df",
    "cr2_p",
)


def _conditional(table: Strata) -> Quantities:
    law = total_law(table)

    def odds(read: Callable[[Law], Any]) -> Any:
        if len(law.pmf) < 2:
            raise Undefined(ONE_TOTAL)
        return read(odds_law(table))

    return collect(
        {
            "exact_cond_p": lambda: minimum_likelihood_p(law),
            "cond_mle_or": lambda: odds(odds_ratio_as_r),
            "exact_or_ci95": lambda: odds(odds_interval_as_r),
            "perm_absdev_p": lambda: law_test(law).p,
            "perm_absdev_midp": lambda: law_test(law).midp,
        }
    )


def _law(table: Strata, law_of: Callable[[Strata], Law]) -> Law:
    if work(table) > LAW_WORK:
        raise Undefined(TOO_LARGE)
    return law_of(table)


def _boschloo(counts: tuple[int, int, int, int], ordering: Ordering) -> float:
    if (counts[1] + 1) * (counts[3] + 1) > BOSCHLOO_TABLES:
        raise Undefined("too many trials for Boschloo's test; Fisher's serves here")
    return boschloo_p(*counts, ordering=ordering)


def _merge(*parts: Quantities) -> Quantities:
    merged: Quantities = {}
    reasons: dict[str, str] = {}
    for part in parts:
        reasons.update(part["reasons"])
        merged.update(part)
    merged["reasons"] = reasons
    return merged


def _floats(limits: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
    return float(limits[0]), float(limits[1])


def _margin(table: Strata, margin: float) -> float:
    return float(noninferiority_p(table, margin=margin))
