"""Pairs of trials: for the e-value by order of valid trials, for McNemar by repeat."""

from collections.abc import Mapping

from mitigations.model import PairCell

Key = tuple[str, str, str]
Series = list[tuple[str, str, bool | None]]
"""Trials of one cell as (epoch, repeat, outcome)."""


def pair_cells(series: Mapping[Key, Series], baseline: str) -> tuple[PairCell, ...]:
    """Pair the r-th valid trial of each variant and of control in every stratum.

    Every stratum of a variant is cut at the number of pairs of its shortest one: an e-value exists
    at complete epochs only. Strata in which an arm has no valid trial at all drop out.
    """
    valid = {key: _outcomes(trials) for key, trials in series.items()}
    cells = []
    for variant in sorted({key[0] for key in series} - {baseline}):
        strata = {
            key[1:]: (outcomes, valid.get((baseline, *key[1:]), []))
            for key, outcomes in sorted(valid.items())
            if key[0] == variant
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


def _outcomes(trials: Series) -> list[bool]:
    """Valid outcomes in the order of epoch and repeat, numbers as numbers."""
    ordered = sorted(trials, key=lambda trial: (_rank(trial[0]), _rank(trial[1])))
    return [outcome for _, _, outcome in ordered if outcome is not None]


def _rank(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)
