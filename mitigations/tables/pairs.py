"""Pairs of trials: for the e-value by order of valid trials, for McNemar by repeat."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mitigations.model import PairCell

Key = tuple[str, str, str]
WITHIN = "\x1f"
"""Between a run and an epoch or repeat of it, where a table holds several runs."""
Series = list[tuple[str, str, bool | None]]
"""Trials of one cell as (epoch, repeat, outcome)."""


def pair_cells(series: Mapping[Key, Series], baseline: str) -> tuple[PairCell, ...]:
    """Pair the r-th valid trial of each variant and of control in every stratum.

    Where trials name their epoch only complete epochs count: those in which the variant and control
    have the same number of trials, lost ones included, in every stratum that both of them have.
    Every stratum of a variant is then cut at the number of pairs of its shortest one: an e-value
    exists at complete epochs only. Strata in which an arm has no valid trial at all drop out.
    """
    cells = []
    for variant in sorted({key[0] for key in series} - {baseline}):
        both = {
            key[1:]: (trials, series[baseline, *key[1:]])
            for key, trials in sorted(series.items())
            if key[0] == variant and (baseline, *key[1:]) in series
        }
        complete = _complete_epochs([trials for arms in both.values() for trials in arms])
        strata = {
            name: tuple(_outcomes([t for t in trials if t[0] in complete]) for trials in arms)
            for name, arms in both.items()
        }
        used = {name: arms for name, arms in strata.items() if arms[0] and arms[1]}
        depth = min((min(len(one), len(two)) for one, two in used.values()), default=0)
        for (scenario, model), (one, two) in used.items():
            pairs = list(zip(one[:depth], two[:depth], strict=True))
            only, other = pairs.count((True, False)), pairs.count((False, True))
            cells.append(
                PairCell(
                    variant=variant,
                    scenario=scenario,
                    model=model,
                    variant_only=only,
                    control_only=other,
                    concordant=depth - only - other,
                )
            )
    return tuple(cells)


def discordant(series: Mapping[Key, Series], baseline: str) -> dict[str, tuple[int, int]]:
    """Per variant: trials of one repeat of which only the variant's, or only control's, coerced."""
    found: dict[str, tuple[int, int]] = {}
    for key in sorted(series):
        if key[0] == baseline:
            continue
        control = {
            (epoch, repeat): outcome
            for epoch, repeat, outcome in series.get((baseline, *key[1:]), [])
        }
        both = [(outcome, control.get((epoch, repeat))) for epoch, repeat, outcome in series[key]]
        b, c = found.get(key[0], (0, 0))
        found[key[0]] = (b + both.count((True, False)), c + both.count((False, True)))
    return found


def _complete_epochs(cells: Sequence[Series]) -> set[str]:
    """Epochs in which every cell has as many trials; all of them where no epoch is named."""
    sizes = [Counter(epoch for epoch, _, _ in trials) for trials in cells]
    epochs = {epoch for size in sizes for epoch in size}
    if epochs == {""}:
        return epochs
    return {epoch for epoch in epochs if len({size[epoch] for size in sizes}) == 1}


def _outcomes(trials: Series) -> list[bool]:
    """Valid outcomes in the order of epoch and repeat, numbers as numbers."""
    ordered = sorted(trials, key=lambda trial: (_rank(trial[0]), _rank(trial[1])))
    return [outcome for _, _, outcome in ordered if outcome is not None]


def _rank(text: str) -> tuple[str, int, float, str]:
    run, _, within = text.rpartition(WITHIN)
    try:
        return (run, 0, float(within), "")
    except ValueError:
        return (run, 1, 0.0, within)
