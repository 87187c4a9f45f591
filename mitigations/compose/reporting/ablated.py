"""After the run of an ablation: what clauses, doses and placements did. The lock holds the design.

Nothing but the plan's own variants says which clause is off, which dose a text states and where it
stands, so the effects can be computed from the lock of any run, whoever made its study.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import variants
from mitigations.model import Cell, Counts, Plan, Variant
from reports import Ablated, Contrast, DosePoint
from stats.conditional import permutation_test
from stats.headroom import clopper_pearson
from stats.named import Undefined
from stats.pairwise import sidak_p, sidak_z
from stats.score import difference_interval
from stats.strata import strata_from_rows
from stats.trend import clause_effects, dose_trend

Table = Mapping[str, Mapping[tuple[str, str], Counts]]
"""Variant to stratum (scenario, model) to counts."""


def ablated(plan: Plan, cells: Sequence[Cell]) -> tuple[Ablated, ...]:
    """Every clause set, dose and placement study among the arms of a plan; empty for most."""
    table: dict[str, dict[tuple[str, str], Counts]] = defaultdict(dict)
    for cell in cells:
        table[cell.variant][cell.scenario, cell.model] = cell.counts
    return (
        *_clauses(plan, table),
        *(_dose(group, table, plan) for group in _doses(plan)),
        *(_placement(group, table, plan) for group in _placements(plan)),
    )


def _grid(names: Sequence[str], table: Table) -> tuple[list[list[int]], list[list[int]]]:
    """Events and scored trials: rows are strata that every arm has, columns the arms."""
    shared = set.intersection(*(set(table.get(name, {})) for name in names))
    strata = sorted(shared)
    events = [[table[name][at].coercive for name in names] for at in strata]
    return events, [[table[name][at].scored for name in names] for at in strata]


def _clauses(plan: Plan, table: Table) -> Iterator[Ablated]:
    coding = variants.coding(plan.variants)
    if not coding:
        return
    names, headings = tuple(coding), tuple(next(iter(coding.values())))
    on = [[coding[name][heading] > 0 for heading in headings] for name in names]
    root = next(v.parent for v in plan.variants if v.clauses_off and v.id in coding) or ""
    note = (
        f"Clause on minus clause off, averaged over the other clauses: {len(headings)} clauses in "
        f"{len(names)} arms, a {_size(len(headings), len(names))}. Intervals hold for all clauses "
        "at once (Sidak 1967)."
    )
    try:
        found = clause_effects(headings, on, *_grid(names, table), alpha=plan.settings.alpha)
    except Undefined as exc:
        yield Ablated(kind="clauses", of=root, note=note, reason=str(exc))
        return
    contrasts = tuple(
        Contrast(
            label=one.clause,
            difference=one.difference,
            ci95=one.simultaneous_ci95,
            p_adjusted=one.p_adjusted,
            aliased=tuple(" with ".join(pair) for pair in one.confounded_with),
        )
        for one in found
    )
    yield Ablated(kind="clauses", of=root, note=note, contrasts=contrasts)


def _size(clauses: int, arms: int) -> str:
    return "full factorial" if arms >= 2**clauses else "fraction of a factorial"


def _doses(plan: Plan) -> Iterator[list[Variant]]:
    """Arms whose texts differ in nothing but the dose they state."""
    groups: dict[tuple[str, str], list[Variant]] = defaultdict(list)
    for variant in plan.variants:
        if variant.dose is not None:
            text = variant.text.replace(f"{variant.dose:.10f}".rstrip("0").rstrip("."), "\0", 1)
            groups[text, variant.placement].append(variant)
    for group in groups.values():
        if len(group) > 1:
            yield sorted(group, key=lambda one: one.dose or 0.0)


def _dose(group: Sequence[Variant], table: Table, plan: Plan) -> Ablated:
    names = [variant.id for variant in group]
    doses = [float(variant.dose or 0.0) for variant in group]
    points = tuple(
        DosePoint(variant=name, dose=dose, counts=total, ci95=_limits(total))
        for name, dose, total in zip(names, doses, _totals(names, table), strict=True)
    )
    note = "One test for a trend over the doses, within each scenario and model (Mantel 1963)."
    try:
        found = dose_trend(doses, *_grid(names, table), alpha=plan.settings.alpha)
    except (Undefined, TypeError) as exc:
        return Ablated(kind="dose", of=names[0], note=note, points=points, reason=str(exc))
    slope = Contrast(
        label="per unit of dose",
        difference=found.slope,
        ci95=found.slope_ci95,
        p_adjusted=found.p_value,
    )
    return Ablated(kind="dose", of=names[0], note=note, contrasts=(slope,), points=points)


def _totals(names: Sequence[str], table: Table) -> Iterator[Counts]:
    empty = Counts(coercive=0, scored=0)
    return (sum(table.get(name, {}).values(), empty) for name in names)


def _limits(counts: Counts) -> tuple[float, float] | None:
    return clopper_pearson(counts.coercive, counts.scored) if counts.scored else None


def _placements(plan: Plan) -> Iterator[list[Variant]]:
    groups: dict[str, list[Variant]] = defaultdict(list)
    for variant in plan.variants:
        if variant.text:
            groups[variant.text_hash].append(variant)
    return (group for group in groups.values() if len({one.placement for one in group}) > 1)


def _placement(group: Sequence[Variant], table: Table, plan: Plan) -> Ablated:
    pairs = list(combinations(group, 2))
    contrasts = []
    for first, second in pairs:
        events, trials = _grid([second.id, first.id], table)
        rows = [
            {"x1": x[0], "n1": n[0], "x0": x[1], "n0": n[1]}
            for x, n in zip(events, trials, strict=True)
        ]
        strata = strata_from_rows(rows) if rows else None
        label = f"{second.placement} minus {first.placement}"
        if strata is None or not strata.used.any():
            contrasts.append(Contrast(label=label, difference=None, reason="no trials of both"))
            continue
        rates = strata.rates()
        weights = strata.weights()
        low, high = difference_interval(strata, z=sidak_z(len(pairs), alpha=plan.settings.alpha))
        contrasts.append(
            Contrast(
                label=label,
                difference=float(((rates[0] - rates[1]) * weights).sum()),
                ci95=(float(low), float(high)),
                p_adjusted=sidak_p(permutation_test(strata).midp, len(pairs)),
            )
        )
    note = (
        f"The same text in {len(group)} places, compared pairwise within each scenario and model; "
        "intervals hold for all pairs at once (Sidak 1967)."
    )
    return Ablated(kind="placement", of=group[0].id, note=note, contrasts=tuple(contrasts))
