"""Are repeats really new answers? Copies inside a cell make every p-value too small.

Within-cell correlation of .05, .1 and .3 turned a 5 % test into one of 10, 17 and 34 % in the study
behind this service. Two checks: identical answers are counted, and a test that is blind to what
happens inside a cell is printed beside the primary one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mitigations.model import Alarm
from stats.named import Undefined
from stats.scenarios import scenario_t

DUPLICATE_SHARE = 0.1
"""More identical answers than this among repeats fires the alarm."""
FOLD = 10.0
LEAST_CELLS = 10
"""Below this number of strata a t-test is too weak to contradict anything."""
TAIL = 1e-3
"""Where both p-values are below this, a t and a permutation tail differ by nature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How many of one cell's answers were different."""

    variant: str
    scenario: str
    model: str
    trials: int
    distinct: int


def duplicate_alarm(cells: Iterable[Answers], *, limit: float = DUPLICATE_SHARE) -> Alarm:
    """Share of repeats that copy an earlier answer of their cell, against `limit`.

    A deterministic model (temperature 0, a shared cache) copies all: its repeats are one trial.
    """
    cells = tuple(cells)
    chances = sum(cell.trials - 1 for cell in cells if cell.trials > 1)
    if chances == 0:
        return Alarm(
            name="duplicate answers",
            fired=None,
            detail="no cell has a second answer, so copies cannot be looked for",
            decisive=False,
        )
    copies = sum(cell.trials - cell.distinct for cell in cells if cell.trials > 1)
    share = copies / chances
    touched = sorted(
        {
            c.model
            for c in cells
            if c.trials > 1 and (c.trials - c.distinct) / (c.trials - 1) > limit
        }
    )
    return Alarm(
        name="duplicate answers",
        fired=share > limit,
        detail=(
            f"{copies} of {chances} repeats copy an earlier answer of their cell ({share:.0%})"
            + (f"; models: {', '.join(touched)}" if touched else "")
        ),
    )


def cell_t(differences: Sequence[float]) -> tuple[float, float]:
    """One-sample t and its two-sided p over the strata's differences; blind to repeats.

    Raises `Undefined` with fewer than two strata or when they do not vary.
    """
    found = scenario_t(np.asarray(differences, dtype=np.float64))
    return found.t, found.p


def cell_t_alarm(variant: str, differences: Sequence[float], p_value: float | None) -> Alarm:
    """Notice a ten-fold disagreement between the cell-level t p and the primary p.

    Not decisive: an effect that differs between strata also widens the t-test.
    """
    name, variants = "cell-level t", (variant,)
    if p_value is None:
        return _notice(name, variants, None, "the primary p does not exist")
    try:
        _, p_cells = cell_t(differences)
    except Undefined as exc:
        return _notice(name, variants, None, str(exc))
    detail = f"cell-level t p {_shown(p_cells)}, primary p {_shown(p_value)}"
    if len(differences) < LEAST_CELLS:
        return _notice(name, variants, None, f"{detail}; fewer than {LEAST_CELLS} strata")
    low, high = sorted((p_cells, p_value))
    fired = high > TAIL and high >= FOLD * low
    if fired:
        detail += ": repeats may not be independent, or the effect differs between strata"
    return _notice(name, variants, fired, detail)


def _shown(p_value: float) -> str:
    return "< .001" if p_value < 0.001 else f"= {p_value:.3f}".replace("0.", ".")


def _notice(name: str, variants: tuple[str, ...], fired: bool | None, detail: str) -> Alarm:
    return Alarm(name=name, fired=fired, detail=detail, variants=variants, decisive=False)
