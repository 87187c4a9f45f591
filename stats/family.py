"""Decisions over the family of variants, and inside a variant over its models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mitigations.model import Settings
from stats.dunnett import step_down_dunnett
from stats.mantel_haenszel import score_sums
from stats.maxt import step_down_max_t
from stats.multiplicity import holm
from stats.scenarios import scenario_max_t
from stats.strata import FloatArray, Grid

DRAWABLE = 1_000_000_000
"""Trials in one stratum from which numpy's hypergeometric generator refuses to draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What each variant's p is worth beside the others."""

    adjusted: tuple[float | None, ...]
    """Step-down max-T; None for a variant that cannot be compared."""
    holm: tuple[float | None, ...]
    scenario_adjusted: tuple[float | None, ...]
    """Step-down max-T over scenarios: question (b)."""
    remaining: tuple[int, ...]
    """Variants not yet rejected, itself included, when this one is tested."""
    method: str


def adjust(
    grid: Grid,
    p_values: Sequence[float | None],
    differences: FloatArray,
    settings: Settings,
    *,
    level: float,
) -> Family:
    """Adjust the primary p-values of all variants together.

    A family of one needs no adjustment. With more, p is that of step-down max-T, and never below
    the unadjusted one (which has no Monte Carlo floor).
    """
    numbers = [p for p in p_values if p is not None]
    known = [i for i, p in enumerate(p_values) if p is not None]
    adjusted, method = _adjusted(grid, known, numbers, settings, level)
    order = sorted(range(len(known)), key=lambda i: (adjusted[i], numbers[i]))
    remaining = [len(grid.variants)] * len(grid.variants)
    for rank, place in enumerate(order):
        remaining[known[place]] = len(known) - rank
    return Family(
        adjusted=_spread(len(p_values), known, adjusted),
        holm=_spread(len(p_values), known, holm(numbers)),
        scenario_adjusted=_scenario_adjusted(differences, settings),
        remaining=tuple(remaining),
        method=method,
    )


def _adjusted(
    grid: Grid, known: list[int], p_values: list[float], settings: Settings, level: float
) -> tuple[list[float], str]:
    """The adjusted p of the variants that can be compared, and how it was found."""
    if len(known) < 2:
        return p_values, "one comparison: no adjustment"
    rows = np.array([0, *(i + 1 for i in known)])
    too_large = grid.scored[rows].sum(axis=0).max() >= DRAWABLE
    if settings.permutations == 0 or too_large:
        found = step_down_dunnett(mantel_haenszel_z(grid)[known].tolist())
        why = "too many trials to permute" if too_large else "no permutations were asked for"
        method = f"step-down Dunnett on the CMH z ({why})"
    else:
        found = step_down_max_t(
            grid.events[rows],
            grid.scored[rows],
            permutations=settings.permutations,
            seed=settings.seed,
            alpha=level,
            single_p=p_values,
        )
        method = (
            f"step-down max-T, {settings.permutations} permutations of arm labels within strata, "
            f"seed {settings.seed}"
        )
    return [max(p, q) for p, q in zip(found, p_values, strict=True)], method


def model_claims(
    p_values: Mapping[str, float | None], *, variant_p: float | None, remaining: int
) -> dict[str, tuple[float | None, float | None]]:
    """Adjusted p and plain Holm p of each model inside one variant.

    Gatekept: a model is claimed only where the variant was, by Holm over its models at the level at
    which the variant was rejected, alpha over the variants still `remaining` then.
    """
    known = {model: p for model, p in p_values.items() if p is not None}
    inside = dict(zip(known, holm(list(known.values())), strict=True))
    claims: dict[str, tuple[float | None, float | None]] = {}
    for model in p_values:
        if model not in inside or variant_p is None:
            claims[model] = (None, inside.get(model))
        else:
            claims[model] = (max(variant_p, min(1.0, inside[model] * remaining)), inside[model])
    return claims


def mantel_haenszel_z(grid: Grid) -> FloatArray:
    """Signed CMH z of every variant; 0 where no stratum is informative."""
    deviation, variance = (part.sum(axis=-1) for part in score_sums(grid.strata()))
    return np.asarray(deviation / np.sqrt(np.where(variance > 0, variance, np.inf)))


def _scenario_adjusted(differences: FloatArray, settings: Settings) -> tuple[float | None, ...]:
    """Question (b) over the family; None where a variant has fewer than two scenarios."""
    enough = (~np.isnan(differences)).sum(axis=1) >= 2
    adjusted: list[float | None] = [None] * len(differences)
    if enough.sum() > 1 and settings.permutations > 0:
        found = scenario_max_t(
            differences[enough], permutations=settings.permutations, seed=settings.seed
        )
        for index, p in zip(np.flatnonzero(enough), found, strict=True):
            adjusted[int(index)] = p
    return tuple(adjusted)


def _spread(size: int, places: Sequence[int], values: Sequence[float]) -> tuple[float | None, ...]:
    full: list[float | None] = [None] * size
    for place, value in zip(places, values, strict=True):
        full[place] = value
    return tuple(full)
