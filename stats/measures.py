"""Everything that is computed for all comparisons at once, before any decision."""

from dataclasses import dataclass

import numpy as np

from stats.conditional import (
    EXACT_WORK,
    PermutationTest,
    group_laws,
    join,
    law_test,
    permutation_test,
    work,
)
from stats.dunnett import dunnett_critical
from stats.effects import Values, effects
from stats.heterogeneity import model_q
from stats.mantel_haenszel import score_sums
from stats.missing import missing_bounds
from stats.scenarios import scenario_differences
from stats.score import difference_interval
from stats.standardised import leave_out
from stats.strata import FloatArray, Grid, Strata


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measures:
    """Batches over (variants, 1 + models): entry 0 is over all models, entry m + 1 on model m."""

    strata: Strata
    """Shape (variants, 1 + models, K)."""
    values: Values
    simultaneous: tuple[FloatArray, FloatArray]
    tests: tuple[tuple[PermutationTest | None, ...], ...]
    """Primary test; None where no stratum has both arms."""
    directions: FloatArray
    """Observed minus expected variant events."""
    differences: FloatArray
    """Scenario mean differences over all models, shape (variants, scenarios)."""
    bounds: tuple[FloatArray, FloatArray]
    heterogeneity: tuple[FloatArray, FloatArray]
    without: FloatArray
    """Standardised difference without each model, then each scenario; (variants, M + S)."""


def measure(grid: Grid, *, level: float = 0.05) -> Measures:
    """Vectorised over variants and models; only the exact laws are convolved one by one.

    `level`: of the simultaneous intervals; that of a look gives the repeated interval.
    """
    models, scenarios = np.arange(len(grid.models)), np.arange(len(grid.scenarios))
    on_model = grid.model == models[:, None]
    flat = grid.strata()
    keep = np.concatenate([np.ones((1, len(grid.model)), dtype=bool), on_model])
    batch = Strata(
        x1=flat.x1[:, None, :],
        n1=flat.n1[:, None, :],
        x0=flat.x0[:, None, :],
        n0=flat.n0[:, None, :],
        scenario=flat.scenario,
    ).where(keep)
    values = effects(batch)
    overall = values["std_rd"]
    assert not isinstance(overall, tuple)
    groups = np.concatenate([on_model, grid.scenario == scenarios[:, None]]).astype(np.float64)
    return Measures(
        strata=batch,
        values=values,
        simultaneous=_simultaneous(batch, len(grid.variants), len(grid.models), level),
        tests=tuple(_tests(flat.row(i), _codes(grid, flat, i), len(models)) for i in _rows(flat)),
        directions=score_sums(batch)[0].sum(axis=-1),
        differences=scenario_differences(flat),
        bounds=missing_bounds(grid),
        heterogeneity=model_q(_part(batch, slice(1, None)), overall[:, 0]),
        without=leave_out(flat, groups),
    )


def _simultaneous(
    batch: Strata, variants: int, models: int, level: float
) -> tuple[FloatArray, FloatArray]:
    """Dunnett's constant over the variants; on single models at alpha over the models as well."""
    # A look that may spend nothing has no finite boundary; 1e-9 is nothing, and finite.
    alpha = max(level, 1e-9)
    single = dunnett_critical(variants, alpha / models)
    constants = np.array([dunnett_critical(variants, alpha), *[single] * models])
    return difference_interval(batch, z=constants)


def _tests(strata: Strata, codes: np.ndarray, models: int) -> tuple[PermutationTest | None, ...]:
    """Overall and on each model; the overall law is the convolution of the models' laws."""
    if not len(strata.x1):
        return (None,) * (1 + models)
    used = [bool((codes == model).any()) for model in range(models)]
    if work(strata) > EXACT_WORK:
        parts = [permutation_test(strata.where(codes == model)) for model in range(models)]
        overall = permutation_test(strata)
    else:
        laws = group_laws(strata, codes, models)
        parts = [law_test(law) for law in laws]
        overall = law_test(join(laws))
    return (overall, *(part if seen else None for part, seen in zip(parts, used, strict=True)))


def _codes(grid: Grid, flat: Strata, variant: int) -> np.ndarray:
    return np.asarray(grid.model[flat.used[variant]])


def _rows(flat: Strata) -> range:
    return range(flat.x1.shape[0])


def _part(batch: Strata, entries: slice) -> Strata:
    return Strata(
        x1=batch.x1[:, entries],
        n1=batch.n1[:, entries],
        x0=batch.x0[:, entries],
        n0=batch.n0[:, entries],
        scenario=batch.scenario,
    )
