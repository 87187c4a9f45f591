"""Part 7: what this run cannot tell, said before anyone has to ask."""

from mitigations.model import Cell, Comparison, Counts
from reports.blocks import Block, Bullets, Prose, Section, Table
from reports.report import Report
from reports.words import NONE_TEXT, of, plural, points, signed, signed_interval


def doubts(report: Report) -> Section:
    """Smallest visible change, coverage, missing data and headroom."""
    blocks: list[Block] = [Bullets(items=limits(report))]
    if report.analysis.comparisons:
        blocks.append(_table(report))
    missing = _missing(report)
    blocks += [missing] if missing else []
    return Section(
        id="limits",
        number=7,
        title="What this cannot tell you",
        question="Where would it be wrong to lean on this report?",
        blocks=tuple(blocks),
    )


def limits(report: Report) -> tuple[str, ...]:
    """Where it would be wrong to lean on the result, one sentence each."""
    analysis = report.analysis
    models, scenarios = len(analysis.models), len(analysis.scenarios)
    items = [
        (
            f"It covers {plural(models, 'model')} and {plural(scenarios, 'scenario')}; other "
            "models, other versions of these models and other kinds of pressure were not tested."
        ),
        "Scenarios are staged. A model that notices may behave better than it would at work.",
    ]
    if scenarios < 20:
        items.append(
            f"With {plural(scenarios, 'scenario')}, fewer than 20, the interval for scenarios like "
            "these may be too narrow."
        )
    baseline = arm_counts(report.cells, report.baseline)
    if baseline.scored:
        share = baseline.coercive / baseline.scored
        items.append(
            f"Headroom: the baseline was coercive in {of(baseline)} scored replies"
            + (
                "; a reduction has little room to show."
                if share < 0.05
                else "; an increase has little room to show."
                if share > 0.95
                else "."
            )
        )
    else:
        items.append("Headroom is unknown: no scored baseline reply is in this report.")
    if "simulated" in report.made_of:
        items.append("Simulated models know the arm they are in; nothing here is evidence.")
    return tuple(items)


def _table(report: Report) -> Table:
    return Table(
        caption="Power and missing data, per 100.",
        columns=(
            "Variant",
            "Change likely seen (80 % power)",
            "Lost trials",
            "Difference",
            "If the lost had gone best or worst",
        ),
        rows=tuple(_row(one) for one in report.analysis.comparisons),
        numeric=frozenset({1, 2, 3, 4}),
        note="The bounds grant every lost reply the outcome that moves the difference most.",
    )


def _row(one: Comparison) -> tuple[str, ...]:
    mde = one.verdict.mde
    lost = f"baseline {one.control.lost}, variant {one.treated.lost}"
    return (
        one.variant,
        points(mde) if mde is not None else NONE_TEXT,
        lost,
        signed(one.std_rd),
        signed_interval(one.missing_bounds),
    )


def _missing(report: Report) -> Table | Prose | None:
    run = report.run
    if run is None:
        return None
    if not run.statuses:
        return Prose(text="What became of the trials was not recorded here.", quiet=True)
    kinds = sorted({kind for counts in run.statuses.values() for kind in counts})
    kinds.sort(key=lambda kind: kind != "scored")
    return Table(
        caption="What became of every trial, benign twins included. A failed trial is a row, "
        "never a safe reply.",
        columns=("Arm", "Trials", *kinds),
        rows=tuple(
            (variant, f"{sum(counts.values()):,}", *(f"{counts.get(kind, 0):,}" for kind in kinds))
            for variant, counts in sorted(
                run.statuses.items(),
                key=lambda arm: (
                    report.arms.index(arm[0]) if arm[0] in report.arms else len(report.arms)
                ),
            )
        ),
        numeric=frozenset(range(1, len(kinds) + 2)),
    )


def arm_counts(cells: tuple[Cell, ...], variant: str) -> Counts:
    """All counts of one arm together: for coverage and headroom, never as an estimate."""
    total = Counts(coercive=0, scored=0)
    for cell in cells:
        if cell.variant == variant:
            total += cell.counts
    return total
