"""How far judge and human, or several raters, agree beyond chance."""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mitigations.model import Interval
from stats.named import Quantities, Undefined, collect, count

Z95 = 1.959963984540054
FloatArray = npt.NDArray[np.float64]


def kappa(table: Sequence[Sequence[float]]) -> float:
    """Cohen's unweighted kappa of a square table of counts, one rater's labels per axis.

    Raises `Undefined` where chance agreement is complete (one category used by both raters).
    Source: Cohen (1960), Educ. Psychol. Meas. 20, 37-46.
    """
    observed, expected, _ = _shares(table)
    return (observed - expected) / (1.0 - expected)


def kappa_ase(table: Sequence[Sequence[float]]) -> float:
    """Large-sample standard error of `kappa`, not the one under "no agreement".

    Source: Fleiss, Cohen & Everitt (1969), Psychol. Bull. 72, 323-327.
    """
    observed, expected, shares = _shares(table)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    diagonal = np.diag(shares)
    on = (diagonal * ((1.0 - expected) - (rows + columns) * (1.0 - observed)) ** 2).sum()
    off_shares = shares - np.diag(diagonal)
    off = (1.0 - observed) ** 2 * (off_shares * (columns[:, None] + rows[None, :]) ** 2).sum()
    centre = (observed * expected - 2.0 * expected + observed) ** 2
    size = sum(sum(row) for row in table)
    # Rounding can leave -1e-17 where agreement is complete and the error is 0.
    return math.sqrt(max(0.0, float(on + off - centre)) / size) / (1.0 - expected) ** 2


def kappa_ci95(table: Sequence[Sequence[float]]) -> Interval:
    """Wald limits `kappa -+ 1.96 ASE`, not truncated to [-1, 1]."""
    centre, half = kappa(table), Z95 * kappa_ase(table)
    return centre - half, centre + half


def krippendorff_alpha(
    ratings: Sequence[Sequence[Hashable | None]], *, rows_are: str = "raters"
) -> float:
    """Krippendorff's alpha, nominal metric; None is a missing rating.

    Units with fewer than two ratings drop out. Raises `Undefined` where no two ratings can be
    compared or all of them are equal (no disagreement is expected, so none can be missed).

    Source: Hayes & Krippendorff (2007), Commun. Methods Meas. 1, 77-89: the coincidence matrix
    gives each pair inside a unit of m ratings the weight 1/(m - 1).
    """
    coincidences = _coincidences(_units(ratings, rows_are))
    totals = coincidences.sum(axis=1)
    size = float(totals.sum())
    if size == 0:
        raise Undefined("no unit has two ratings to compare")
    expected = size * size - float((totals**2).sum())
    if expected == 0:
        raise Undefined("all comparable ratings are equal: chance agreement is complete")
    disagreeing = size - float(np.trace(coincidences))
    return 1.0 - (size - 1.0) * disagreeing / expected


def agreement_table(table: Sequence[Sequence[float]]) -> Quantities:
    """Reference names of kind `agreement_table`."""
    return collect(
        {
            "kappa": lambda: kappa(table),
            "kappa_ase": lambda: kappa_ase(table),
            "kappa_ci95_wald": lambda: kappa_ci95(table),
            "kappa_check_psych": lambda: kappa(table),
        }
    )


def ratings(
    ratings: Sequence[Sequence[Hashable | None]], *, rows_are: str = "raters"
) -> Quantities:
    """Reference names of kind `ratings`."""
    return collect({"alpha_nominal": lambda: krippendorff_alpha(ratings, rows_are=rows_are)})


def _shares(table: Sequence[Sequence[float]]) -> tuple[float, float, FloatArray]:
    """Observed agreement, chance agreement and the table as shares."""
    if not table or any(len(row) != len(table) for row in table):
        raise Undefined("the table must be square: both raters use the same categories")
    counts = np.array(
        [[count(cell, "each cell of the table") for cell in row] for row in table], dtype=float
    )
    size = counts.sum()
    if size == 0:
        raise Undefined("the table is empty: nothing was rated twice")
    # Whole numbers first: complete chance agreement is then found exactly.
    chance = float((counts.sum(axis=1) * counts.sum(axis=0)).sum())
    if chance == float(size * size):
        raise Undefined("both raters used one and the same category: chance agreement is complete")
    return float(np.trace(counts) / size), chance / float(size * size), counts / size


def _units(ratings: Sequence[Sequence[Any]], rows_are: str) -> list[list[Any]]:
    """Ratings of each unit, missing ones left out."""
    if rows_are not in {"raters", "units"}:
        raise Undefined(f"rows_are must be 'raters' or 'units', not {rows_are!r}")
    if len({len(row) for row in ratings}) > 1:
        raise Undefined("every row of ratings must have the same length")
    units = zip(*ratings, strict=True) if rows_are == "raters" else iter(ratings)
    return [[value for value in unit if not _missing(value)] for unit in units]


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _coincidences(units: Sequence[Sequence[Any]]) -> FloatArray:
    index: dict[Any, int] = {}
    for unit in units:
        for value in unit:
            index.setdefault(value, len(index))
    matrix = np.zeros((len(index), len(index)))
    for unit in units:
        if len(unit) < 2:
            continue
        tally = np.bincount([index[value] for value in unit], minlength=len(index)).astype(float)
        matrix += (np.outer(tally, tally) - np.diag(tally)) / (len(unit) - 1)
    return matrix
