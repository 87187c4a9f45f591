"""Part 4: where the change happened, by scenario, by model, and without each of them."""

from collections.abc import Mapping
from dataclasses import replace

from mitigations.model import Comparison, Counts
from reports.blocks import (
    Block,
    Estimate,
    Folded,
    Forest,
    HeatCell,
    HeatMap,
    Prose,
    Section,
    Subhead,
    Table,
)
from reports.parts.verdict import FEWER, MORE, estimate
from reports.report import Report
from reports.sentences import sentence
from reports.words import fraction, points, signed


def where(report: Report) -> Section:
    """Heat map, per-model verdicts and leave-one-out effects."""
    blocks: list[Block] = []
    counts = {(cell.variant, cell.scenario, cell.model): cell.counts for cell in report.cells}
    comparisons = report.analysis.comparisons
    largest = max(comparisons, key=lambda one: abs(one.std_rd or 0.0), default=None)
    for one in comparisons:
        heat = heat_map(report, one, counts)
        # The largest change is open; a dozen maps would bury everything below.
        if heat is not None and (one is largest or len(comparisons) <= 2):
            blocks += [Subhead(text=one.variant), heat]
        elif heat is not None:
            blocks.append(
                Folded(summary=f"{one.variant}: every scenario and model", blocks=(heat,))
            )
    blocks += _per_model(report)
    blocks += _left_out(report)
    return Section(
        id="where",
        number=4,
        title="Where",
        question="In which scenarios and on which models did replies change?",
        blocks=tuple(blocks) or (Prose(text="Not studied in this run: no cells were given."),),
    )


def heat_map(
    report: Report, one: Comparison, counts: Mapping[tuple[str, str, str], Counts]
) -> HeatMap | None:
    """The difference of every cell, with the counts of both arms."""
    analysis = report.analysis
    rows = tuple(
        (
            scenario,
            tuple(
                _heat_cell(
                    counts.get((report.baseline, scenario, model)),
                    counts.get((one.variant, scenario, model)),
                )
                for model in analysis.models
            ),
        )
        for scenario in analysis.scenarios
    )
    if not counts or not rows:
        return None
    return HeatMap(
        caption=f"{one.variant}: change per 100 in every scenario and model. Small: coercive of "
        "scored replies, baseline → variant. One cell alone proves little.",
        columns=tuple(analysis.models),
        rows=rows,
    )


def _heat_cell(control: Counts | None, treated: Counts | None) -> HeatCell:
    if control is None or treated is None:
        return HeatCell(difference=None, text="not run", counts="")
    counts = f"{fraction(control)} → {fraction(treated)}"
    if not (control.scored and treated.scored):
        return HeatCell(difference=None, text="none scored", counts=counts)
    difference = treated.rate - control.rate
    return HeatCell(difference=difference, text=signed(difference), counts=counts)


def _per_model(report: Report) -> list[Block]:
    settings, alarms = report.analysis.settings, report.analysis.alarms
    rows: list[Estimate] = []
    table: list[tuple[str, ...]] = []
    for one in report.analysis.comparisons:
        for each in one.per_model:
            row = estimate(each, settings, label=each.model or "")
            rows.append(replace(row, group=one.variant))
            table.append((one.variant, each.model or "", sentence(each, settings, alarms)))
    if not rows:
        return [Prose(text="Per-model verdicts were not studied in this run.", quiet=True)]
    figure = Forest(
        title="Change per 100 on each model, with 95 % intervals of each by itself. Shaded: "
        f"changes smaller than {points(settings.smallest_change)} in 100.",
        alt="Forest plot by model; the table below holds the same verdicts in words.",
        rows=tuple(rows),
        band=settings.smallest_change,
        axis="coercive replies per 100, variant minus baseline",
        left=FEWER,
        right=MORE,
    )
    words = Table(
        caption="Verdict on each model. p-values are Holm-adjusted within the variant.",
        columns=("Variant", "Model", "Verdict"),
        rows=tuple(table),
    )
    return [Subhead(text="Model by model"), figure, Folded(summary="In words", blocks=(words,))]


def _left_out(report: Report) -> list[Block]:
    rows = []
    for one in report.analysis.comparisons:
        known = {key: value for key, value in one.leave_one_out.items() if value is not None}
        if not known or one.std_rd is None:
            continue
        low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        rows.append(
            (
                one.variant,
                signed(one.std_rd),
                f"{signed(known[low])} without {_spoken(low)}",
                f"{signed(known[high])} without {_spoken(high)}",
            )
        )
    if not rows:
        return []
    table = Table(
        caption="How far the difference moves when one scenario or one model is left out.",
        columns=("Variant", "With all", "Lowest", "Highest"),
        rows=tuple(rows),
        numeric=frozenset({1}),
    )
    return [Subhead(text="Leave one out"), table]


def _spoken(key: str) -> str:
    """`scenario:ID` or `model:ID` as a reader says it."""
    kind, _, name = key.partition(":")
    return f"{kind} {name}" if name else key
