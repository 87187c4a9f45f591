"""Part 3: every number a verdict rests on."""

from collections.abc import Iterator, Mapping, Sequence

from mitigations.model import Comparison, Settings
from reports.blocks import Folded, Section, Table
from reports.contract import verdict_text
from reports.parts.confirmation import confirmation_table
from reports.report import Report
from reports.sentences import borne_out
from reports.words import NONE_TEXT, fraction, listing, p_cell, plural, signed, signed_interval

_SHOWN: Mapping[str, str] = {
    "std_rd": "change",
    "simultaneous_ci95": "interval for this grid",
    "scenario_t_ci95": "interval for scenarios like these",
    "p_value": "p",
    "p_adjusted": "adjusted p",
}


def main_table(report: Report) -> Section:
    """Every number a verdict rests on, one row per variant."""
    settings = report.analysis.settings
    cost = report.run.cost_by_variant if report.run is not None else {}
    columns = (
        "Variant",
        "Verdict",
        "Baseline",
        "Variant",
        "Change",
        "95 %, this grid",
        "95 %, like these",
        "p",
        "adjusted p",
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
        numeric=frozenset(range(2, 10)),
        note=_main_note(report),
    )
    return Section(
        id="table",
        number=3,
        title="Main table",
        question="What are the numbers behind the verdicts?",
        blocks=(table, *confirmation_table(report), _other_numbers(report)),
    )


def _usd(costs: Mapping[str, float], variant: str) -> str:
    return f"${costs[variant]:,.2f}" if variant in costs else NONE_TEXT


def _main_row(one: Comparison, settings: Settings) -> tuple[str, ...]:
    walls = [settings.smallest_change]
    return (
        one.variant,
        verdict_text(one.verdict, borne_out(one, settings)),
        fraction(one.control),
        fraction(one.treated),
        signed(one.std_rd),
        signed_interval(one.simultaneous_ci95 or one.std_rd_ci95, apart_from=walls),
        signed_interval(one.scenario_t_ci95, apart_from=walls),
        p_cell(one.p_value, alpha=settings.alpha),
        p_cell(one.p_adjusted, alpha=settings.alpha),
    )


def _main_note(report: Report) -> str:
    family = report.analysis
    notes = [
        "This grid: exactly these scenarios and models; intervals hold for all variants at once",
        "Like these: new scenarios of this kind, each interval by itself",
        f"Adjusted p: {family.family_method}, over {plural(family.family_size, 'comparison')}",
        *_remarks(family.comparisons),
    ]
    return " ".join(note if note.endswith(".") else note + "." for note in notes)


def _remarks(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Cautions and undefined numbers; one that holds for every variant is said once."""
    said: dict[str, list[str]] = {}
    for one in comparisons:
        for text in _cautions(one):
            said.setdefault(text, []).append(one.variant)
    for text, variants in said.items():
        everywhere = len(variants) == len(comparisons)
        yield text if everywhere else f"{listing(variants)}: {text}"


def _cautions(one: Comparison) -> Iterator[str]:
    if one.strata_dropped:
        shown = ", ".join(one.strata_dropped[:6]) + (", …" if len(one.strata_dropped) > 6 else "")
        yield (
            f"{plural(len(one.strata_dropped), 'stratum', 'strata')} without scored trials in "
            f"both arms left out ({shown}); the estimate is over the rest"
        )
    for key, text in one.reasons.items():
        if key.startswith("warnings:"):
            yield text
    for name, label in _SHOWN.items():
        if getattr(one, name) is None and name in one.reasons:
            yield f"no {label}: {one.reasons[name]}"


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
