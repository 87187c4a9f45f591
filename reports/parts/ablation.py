"""Part 6, after an ablation: what each clause, dose and placement did."""

from reports.blocks import (
    Block,
    Estimate,
    Forest,
    Path,
    PathPoint,
    Prose,
    Subhead,
    Table,
    Tone,
)
from reports.report import Ablated, Contrast, Report
from reports.words import change, fraction, interval, p_cell, signed, signed_interval

_TITLES = {"clauses": "Clauses of {}", "dose": "Dose of {}", "placement": "Placement of {}"}
_FIRST = {"clauses": "Clause", "dose": "Trend", "placement": "Placement"}


def ablation(report: Report) -> list[Block]:
    """Each study of parts with its figure and the numbers in a table below."""
    return [block for one in report.extras.ablation for block in _blocks(one)]


def _blocks(one: Ablated) -> list[Block]:
    title = _TITLES[one.kind].format(one.of)
    blocks: list[Block] = [Subhead(text=title), Prose(text=one.note)]
    if one.reason:
        blocks.append(Prose(text=f"Not computed: {one.reason}."))
    if one.points:
        blocks.append(_path(one, title))
    pictured = [row for row in one.contrasts if row.difference is not None]
    if pictured and one.kind != "dose":
        blocks.append(_forest(one, title, pictured))
    if one.contrasts:
        blocks.append(_table(one, title))
    return blocks


def _forest(one: Ablated, title: str, rows: list[Contrast]) -> Forest:
    what = "on minus off" if one.kind == "clauses" else "one place minus the other"
    return Forest(
        title=f"{title}: change in coercive replies per 100, {what}, with simultaneous 95 % "
        "intervals.",
        alt=f"{title}; the table below holds the same numbers.",
        rows=tuple(
            Estimate(
                label=row.label,
                difference=row.difference,
                limits=row.ci95,
                tone=_tone(row),
                words=_words(row),
            )
            for row in rows
        ),
        axis=f"coercive replies per 100, {what}",
        left="fewer coercive replies",
        right="more coercive replies",
        told_below=True,
    )


def _tone(row: Contrast) -> Tone:
    if row.ci95 is None or row.ci95[0] <= 0 <= row.ci95[1]:
        return "unsure"
    return "good" if row.ci95[1] < 0 else "bad"


def _words(row: Contrast) -> str:
    if row.difference is None:
        return row.reason or "not computed"
    return change(row.difference) + (f" ({interval(row.ci95)})" if row.ci95 else "")


def _path(one: Ablated, title: str) -> Path:
    return Path(
        title=f"{title}: coercive replies per 100 at each dose, with exact 95 % intervals.",
        alt=f"{title}; the table below holds the same numbers.",
        points=tuple(
            PathPoint(
                series=one.of,
                x=point.dose,
                y=100 * point.counts.rate,
                low=100 * point.ci95[0] if point.ci95 else None,
                high=100 * point.ci95[1] if point.ci95 else None,
            )
            for point in one.points
            if point.counts.scored
        ),
        x_title="stated dose",
        y_title="coercive replies per 100 (lower is better)",
        detail=Table(
            caption="Coercive of scored replies at each dose.",
            columns=("Arm", "Dose", "Coercive"),
            rows=tuple(
                (point.variant, f"{point.dose:g}", fraction(point.counts)) for point in one.points
            ),
            numeric=frozenset({1, 2}),
        ),
    )


def _table(one: Ablated, title: str) -> Table:
    aliased = any(row.aliased for row in one.contrasts)
    return Table(
        caption=f"{title}: differences per 100.",
        columns=(
            _FIRST[one.kind],
            "Change",
            "95 %",
            "adjusted p",
            *(("Not told apart from",) if aliased else ()),
        ),
        rows=tuple(
            (
                row.label,
                signed(row.difference),
                signed_interval(row.ci95),
                p_cell(row.p_adjusted),
                *(("; ".join(row.aliased) or "nothing of two clauses",) if aliased else ()),
            )
            for row in one.contrasts
        ),
        numeric=frozenset({1, 2, 3}),
        note="A main effect is what a clause does on average; where this design cannot tell it "
        "from two other clauses acting together, they are named beside it."
        if one.kind == "clauses"
        else "",
    )
