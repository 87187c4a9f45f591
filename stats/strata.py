"""Counts as arrays: what every stratified method reads.

A stratum is one scenario x model. `Strata` holds two arms over K strata, with any leading batch
axes (variants, subsets of models), so that one call of a method serves a whole family. `Grid` holds
every arm of an experiment over the same strata.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mitigations.errors import UnknownName
from mitigations.model import Cell, Counts

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strata:
    """Events `x` out of `n` in arm 1 (variant) and arm 0 (control); arrays of shape (..., K)."""

    x1: FloatArray
    n1: FloatArray
    x0: FloatArray
    n0: FloatArray
    scenario: IntArray
    """Shape (K,): which scenario each stratum belongs to, as 0, 1, 2, ..."""

    @property
    def used(self) -> BoolArray:
        """Strata in which both arms have a scored trial; the others drop out of everything."""
        return (self.n1 > 0) & (self.n0 > 0)

    @property
    def informative(self) -> BoolArray:
        """Used strata with at least one event and one non-event: only they can move a test."""
        events = self.x1 + self.x0
        return self.used & (events > 0) & (events < self.n1 + self.n0)

    def weights(self) -> FloatArray:
        """Equal weights over the used strata, adding up to 1; all 0 where no stratum is used."""
        used = self.used
        return np.asarray(used / np.maximum(used.sum(axis=-1, keepdims=True), 1))

    def rates(self) -> tuple[FloatArray, FloatArray]:
        """Observed risks of arm 1 and arm 0; 0 in strata that are not used (their weight is 0)."""
        used = self.used
        zeros = np.zeros(used.shape)
        return (
            np.divide(self.x1, self.n1, out=zeros.copy(), where=used),
            np.divide(self.x0, self.n0, out=zeros, where=used),
        )

    def swapped(self) -> "Strata":
        """The arms exchanged."""
        return replace(self, x1=self.x0, n1=self.n0, x0=self.x1, n0=self.n1)

    def where(self, keep: BoolArray) -> "Strata":
        """The same strata with every other one emptied; `keep` broadcasts over the batch."""
        return replace(
            self,
            x1=self.x1 * keep,
            n1=self.n1 * keep,
            x0=self.x0 * keep,
            n0=self.n0 * keep,
        )

    def row(self, *index: int) -> "Strata":
        """One entry of the batch, its unused strata removed."""
        used = self.used[index]
        return Strata(
            x1=self.x1[index][used],
            n1=self.n1[index][used],
            x0=self.x0[index][used],
            n0=self.n0[index][used],
            scenario=self.scenario[used],
        )


def strata_from_rows(rows: Sequence[Mapping[str, Any]]) -> Strata:
    """Build strata from mappings with `x1, n1, x0, n0` and an optional `scenario`.

    Rows without a scenario all count as one. Raises `ValueError` for a negative, fractional or
    impossible count.
    """
    labels = {str(row.get("scenario", "")): None for row in rows}
    codes = {label: code for code, label in enumerate(labels)}
    columns = {
        name: np.array([float(row[name]) for row in rows], dtype=np.float64)
        for name in ("x1", "n1", "x0", "n0")
    }
    for x, n in (("x1", "n1"), ("x0", "n0")):
        check_counts(columns[x], columns[n], f"{x} out of {n}")
    scenario = np.array([codes[str(row.get("scenario", ""))] for row in rows], dtype=np.int64)
    return Strata(**columns, scenario=scenario)


def two_by_two_strata(x1: int, n1: int, x0: int, n0: int) -> Strata:
    """One table as one stratum."""
    return strata_from_rows([{"x1": x1, "n1": n1, "x0": x0, "n0": n0}])


def check_counts(events: FloatArray, trials: FloatArray, what: str) -> None:
    """Raise `ValueError` unless 0 <= events <= trials, all of them whole numbers."""
    both = np.stack([events, trials])
    if not np.isfinite(both).all() or (both != np.floor(both)).any():
        raise ValueError(f"{what}: counts must be whole numbers")
    if (events < 0).any() or (events > trials).any():
        raise ValueError(f"{what}: need 0 <= events <= trials in every stratum")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """All arms over all strata; row 0 is the baseline. Arrays have shape (arms, K)."""

    arms: tuple[str, ...]
    scenarios: tuple[str, ...]
    models: tuple[str, ...]
    scenario: IntArray
    model: IntArray
    events: FloatArray
    scored: FloatArray
    lost: FloatArray

    @property
    def variants(self) -> tuple[str, ...]:
        """Every arm but the baseline."""
        return self.arms[1:]

    def strata(self) -> Strata:
        """All variants against the baseline at once; batch shape (variants, K)."""
        shape = self.events[1:].shape
        return Strata(
            x1=self.events[1:],
            n1=self.scored[1:],
            x0=np.broadcast_to(self.events[0], shape),
            n0=np.broadcast_to(self.scored[0], shape),
            scenario=self.scenario,
        )

    def counts(self, arm: int, keep: BoolArray | None = None) -> Counts:
        """Plain totals of one arm over all strata, or over those kept."""
        mask = np.ones(len(self.scenario), dtype=bool) if keep is None else keep
        return Counts(
            coercive=int(self.events[arm][mask].sum()),
            scored=int(self.scored[arm][mask].sum()),
            lost=int(self.lost[arm][mask].sum()),
        )

    def label(self, stratum: int) -> str:
        """`scenario x model` of one stratum."""
        return f"{self.scenarios[self.scenario[stratum]]} x {self.models[self.model[stratum]]}"


def grid(cells: Sequence[Cell], baseline: str) -> Grid:
    """Arrange cells as arrays, in an order that does not depend on theirs.

    Raises `UnknownName` when no cell belongs to the baseline and `ValueError` for two cells of one
    variant, scenario and model, or for impossible counts.
    """
    known = {cell.variant for cell in cells}
    if baseline not in known:
        raise UnknownName("baseline", baseline, sorted(known))
    arms = (baseline, *sorted(known - {baseline}))
    scenarios = tuple(sorted({cell.scenario for cell in cells}))
    models = tuple(sorted({cell.model for cell in cells}))
    keys = sorted({(cell.scenario, cell.model) for cell in cells})
    column = {key: k for k, key in enumerate(keys)}
    row = {arm: i for i, arm in enumerate(arms)}
    table = np.zeros((3, len(arms), len(keys)))
    seen: set[tuple[str, str, str]] = set()
    for cell in cells:
        name = (cell.variant, cell.scenario, cell.model)
        if name in seen:
            raise ValueError(f"two cells of {' x '.join(name)}")
        seen.add(name)
        counts = cell.counts
        at = column[cell.scenario, cell.model]
        table[:, row[cell.variant], at] = counts.coercive, counts.scored, counts.lost
    check_counts(table[0], table[1], "coercive out of scored")
    check_counts(np.zeros_like(table[2]), table[2], "lost")
    scenario_code = {name: code for code, name in enumerate(scenarios)}
    model_code = {name: code for code, name in enumerate(models)}
    return Grid(
        arms=arms,
        scenarios=scenarios,
        models=models,
        scenario=np.array([scenario_code[key[0]] for key in keys], dtype=np.int64),
        model=np.array([model_code[key[1]] for key in keys], dtype=np.int64),
        events=table[0],
        scored=table[1],
        lost=table[2],
    )
