"""One look at a running study: which comparisons are decided, and whether the rest can be.

A look sees complete epochs only and is taken once. Group-sequential: the family's adjusted p
against the level of the look, by Lan-DeMets spending at the completed share of the epochs. Anytime:
the e-value against the number of variants over alpha. A comparison that is decided stays decided.

Futility is non-binding: a comparison is futile when the chance that the last look still shows a
reduction falls under the plan's bound, the true reduction being the smallest that matters or, where
that is larger, the one seen so far. Stopping for it can only lower the error rate, so nothing else
changes; what it costs is that an increase may stay unshown.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from mitigations.model import Cell, Comparison, Interval, PairCell, Settings
from stats.analysis import analyse
from stats.dunnett import dunnett_critical
from stats.eprocess import watch
from stats.looks import nominal_levels
from stats.named import Undefined
from stats.sequential import conditional_power, spent

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One variant at one look."""

    variant: str
    difference: float | None
    interval: Interval | None
    """Valid at this look: simultaneous at its level, or the confidence sequence."""
    statistic: float | None
    """Adjusted p, or the e-value of an anytime design."""
    boundary: float
    """The level of the look, or the e-value that decides."""
    crossed: bool
    decided: bool
    """Crossed now or at an earlier look."""
    conditional_power: float | None = None
    """Chance that the last look shows a reduction; None: not asked."""
    futile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTaken:
    """What a look saw and what follows."""

    number: int
    """From 1."""
    of: int
    """Looks planned."""
    epochs: int
    """Complete epochs it saw."""
    information: float
    """Their share of the planned ones."""
    level: float | None
    """Two-sided level of this look; None for an anytime design."""
    alpha_spent: float | None
    """Alpha spent so far, this look included; None for an anytime design."""
    variants: tuple[Watched, ...]
    stop: bool
    """No further trial can change what is decided, or, for futility, is likely to."""


def look_epochs(settings: Settings, repeats: int) -> tuple[int, ...]:
    """After how many complete epochs a look is taken; the last one ends the study."""
    if settings.design == "group-sequential":
        return tuple(
            sorted({-(-repeats * look // settings.looks) for look in range(1, settings.looks + 1)})
        )
    return tuple(range(1, repeats + 1)) if settings.design == "anytime" else (repeats,)


def look_levels(settings: Settings, repeats: int, *, comparisons: int) -> tuple[float, ...]:
    """The two-sided level of each planned look of a group-sequential design."""
    shares = [end / repeats for end in look_epochs(settings, repeats)]
    return nominal_levels(shares, alpha=settings.alpha, comparisons=comparisons)


def take_look(
    cells: Sequence[Cell],
    settings: Settings,
    *,
    epochs: int,
    repeats: int,
    pairs: Sequence[PairCell] = (),
    decided: Collection[str] = (),
) -> LookTaken:
    """Look at the cells of the first `epochs` epochs.

    Args:
        cells: counts of these epochs and of no later one.
        settings: what the plan froze.
        epochs: complete epochs, one of `look_epochs`.
        repeats: epochs planned.
        pairs: pairs of the same epochs, for an anytime design.
        decided: variants that an earlier look decided.
    """
    ends = look_epochs(settings, repeats)
    number = ends.index(epochs) + 1
    if settings.design == "anytime":
        names = sorted({cell.variant for cell in cells} - {settings.baseline})
        found = tuple(_anytime(name, names, pairs, settings, decided) for name in names)
        level = spent_alpha = None
    else:
        family = len({cell.variant for cell in cells}) - 1
        levels = look_levels(settings, repeats, comparisons=family)
        level = levels[number - 1]
        critical = dunnett_critical(family, levels[-1])
        rule = _Rule(level=level, share=epochs / repeats, critical=critical)
        analysis = analyse(cells, settings, level=level)
        found = tuple(_planned(one, settings, rule, decided) for one in analysis.comparisons)
        spent_alpha = spent(epochs / repeats, settings.alpha)
    return LookTaken(
        number=number,
        of=len(ends),
        epochs=epochs,
        information=epochs / repeats,
        level=level,
        alpha_spent=spent_alpha,
        variants=found,
        stop=epochs == repeats or all(one.decided or one.futile for one in found),
    )


def _anytime(
    name: str,
    names: Sequence[str],
    pairs: Sequence[PairCell],
    settings: Settings,
    decided: Collection[str],
) -> Watched:
    state = watch(pairs, name, comparisons=len(names), alpha=settings.alpha)
    crossed = bool(state.rejected)
    return Watched(
        variant=name,
        difference=state.pairs.difference if state.pairs else None,
        interval=state.confidence_sequence,
        statistic=state.e_value,
        boundary=state.threshold,
        crossed=crossed,
        decided=crossed or name in decided,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What decides at a planned look."""

    level: float
    share: float
    critical: float
    """The family's critical z at the last look."""


def _planned(one: Comparison, settings: Settings, rule: _Rule, decided: Collection[str]) -> Watched:
    crossed = one.p_adjusted is not None and one.p_adjusted <= rule.level
    is_decided = crossed or one.variant in decided
    asked = settings.futility is not None and rule.share < 1 and not is_decided
    chance = _chance(one, settings, rule) if asked else None
    return Watched(
        variant=one.variant,
        difference=one.std_rd,
        interval=one.simultaneous_ci95,
        statistic=one.p_adjusted,
        boundary=rule.level,
        crossed=crossed,
        decided=is_decided,
        conditional_power=chance,
        futile=chance is not None and chance < (settings.futility or 0.0),
    )


def _chance(one: Comparison, settings: Settings, rule: _Rule) -> float | None:
    """Chance that the last look shows a reduction, of the smallest size or of the one seen."""
    if one.p_value is None or one.std_rd is None or one.std_rd_ci95 is None:
        return None
    low, high = one.std_rd_ci95
    error = (high - low) / (2.0 * Z95) * math.sqrt(rule.share)
    if not 0.0 < error < math.inf:
        return None
    z = math.copysign(-float(ndtri(one.p_value / 2.0)), one.std_rd)
    drift = min(-settings.smallest_change, one.std_rd) / error
    try:
        return conditional_power(
            z, rule.share, final_bound=rule.critical, drift=drift, direction=-1.0
        )
    except Undefined:
        return None
