"""Parts 3 and 4: the main table, and where the change happened."""

from collections.abc import Mapping

from mitigations.model import Cell, Comparison, Counts, Settings
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
from reports.contract import verdict_text
from reports.parts.verdict import FEWER, MORE, estimate
from reports.report import Report
from reports.sentences import borne_out, sentence
from reports.words import NONE_TEXT, fraction, p_cell, plural, points, signed, signed_interval


def main_table(report: Report) -> Section:
    """Every number a verdict rests on, one row per variant."""
    settings = report.analysis.settings
    cost = report.run.cost_by_variant if report.run is not None else {}
    columns = (
        "Variant",
        "Baseline",
        "Variant",
        "Difference",
        "95 % this grid",
        "95 % like these",
        "p",
        "adjusted p",
        "Verdict",
        *(("Cost",) if cost else ()),
    )
    rows = tuple(
        (*_main_row(one, settings), *((_usd(cost, one.variant),) if cost else ()))
        for one in report.analysis.comparisons
    )
    table = Table(
        caption="Coercive replies out of scored replies; differences per 100, variant minus "
        "baseline, each scenario and model weighing the same.",
        columns=columns,
        rows=rows,
        numeric=frozenset({1, 2, 3, 4, 5, 6, 7, 9}),
        note=_main_note(report),
    )
    return Section(
        id="table",
        number=3,
        title="Main table",
        question="What are the numbers behind the verdicts?",
        blocks=(table, _other_numbers(report)),
    )


def _usd(costs: Mapping[str, float], variant: str) -> str:
    return f"${costs[variant]:,.2f}" if variant in costs else NONE_TEXT


def _main_row(one: Comparison, settings: Settings) -> tuple[str, ...]:
    walls = [settings.smallest_change]
    return (
        one.variant,
        fraction(one.control),
        fraction(one.treated),
        signed(one.std_rd, apart_from=walls),
        signed_interval(one.simultaneous_ci95 or one.std_rd_ci95, apart_from=walls),
        signed_interval(one.scenario_t_ci95, apart_from=walls),
        p_cell(one.p_value, alpha=settings.alpha),
        p_cell(one.p_adjusted, alpha=settings.alpha),
        verdict_text(one.verdict, borne_out(one, settings)),
    )


def _main_note(report: Report) -> str:
    notes = [
        "This grid: exactly these scenarios and models, intervals that hold for all variants at "
        "once. Like these: new scenarios of this kind, each interval by itself.",
        f"Adjusted p: {report.analysis.family_method}, over "
        f"{plural(report.analysis.family_size, 'comparison')}.",
    ]
    for one in report.analysis.comparisons:
        if one.strata_dropped:
            notes.append(
                f"{one.variant}: {plural(len(one.strata_dropped), 'stratum', 'strata')} without "
                f"scored trials in both arms left out ({', '.join(one.strata_dropped[:6])}"
                f"{', …' if len(one.strata_dropped) > 6 else ''}); the estimate is over the rest."
            )
        cautions = [text for key, text in one.reasons.items() if key.startswith("warnings:")]
        notes += [f"{one.variant}: {text}" for text in cautions]
        undefined = [
            f"{name} {text}"
            for name in ("std_rd", "p_adjusted", "scenario_t_ci95")
            if getattr(one, name) is None and (text := one.reasons.get(name))
        ]
        notes += [f"{one.variant}, undefined: {text}" for text in undefined]
    return " ".join(note if note.endswith(".") else note + "." for note in notes)


def _other_numbers(report: Report) -> Folded:
    """Second opinions: other tests of the same question, and the ratio measures."""
    settings = report.analysis.settings
    rows = tuple(
        (
            one.variant,
            p_cell(one.p_holm, alpha=settings.alpha),
            p_cell(one.cmh_p, alpha=settings.alpha),
            p_cell(one.scenario_t_p, alpha=settings.alpha),
            p_cell(one.scenario_signflip_p, alpha=settings.alpha),
            _ratio(one.std_rr),
            _ratio_interval(one.std_rr_ci95),
            _ratio(one.mh_or),
            _ratio_interval(one.mh_or_ci95),
            _ratio(one.e_value),
        )
        for one in report.analysis.comparisons
    )
    table = Table(
        caption="Other tests of the same comparisons.",
        columns=(
            "Variant",
            "Holm-adjusted p",
            "CMH p",
            "scenario t p",
            "sign-flip p",
            "risk ratio",
            "its 95 %",
            "odds ratio (MH)",
            "its 95 %",
            "e-value",
        ),
        rows=rows,
        numeric=frozenset(range(1, 10)),
        note="p-values in this table other than Holm's are not adjusted for the number of "
        "variants. A ratio below 1 means fewer coercive replies.",
    )
    return Folded(summary="Other tests and ratio measures", blocks=(table,))


def _ratio(value: float | None) -> str:
    if value is None:
        return NONE_TEXT
    return "∞" if value == float("inf") else f"{value:.3g}"


def _ratio_interval(limits: tuple[float, float] | None) -> str:
    return NONE_TEXT if limits is None else " to ".join(_ratio(limit) for limit in limits)


def where(report: Report) -> Section:
    """Heat map, per-model verdicts and leave-one-out effects."""
    blocks: list[Block] = []
    counts = {(cell.variant, cell.scenario, cell.model): cell.counts for cell in report.cells}
    comparisons = report.analysis.comparisons
    for place, one in enumerate(comparisons):
        heat = heat_map(report, one, counts)
        # The first map is open; a dozen of them would bury everything below.
        if heat is not None and (place == 0 or len(comparisons) <= 2):
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
            rows.append(_model_row(each, settings))
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


def _model_row(each: Comparison, settings: Settings) -> Estimate:
    row = estimate(each, settings, label=each.model or "")
    return Estimate(
        label=row.label,
        difference=row.difference,
        limits=row.limits,
        tone=row.tone,
        words=row.words,
        group=each.variant,
    )


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


def rates(cells: tuple[Cell, ...], variant: str) -> Counts:
    """All counts of one arm together: for coverage and headroom, never as an estimate."""
    total = Counts(coercive=0, scored=0)
    for cell in cells:
        if cell.variant == variant:
            total += cell.counts
    return total
