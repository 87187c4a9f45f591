"""Forest plot: estimates and intervals against zero, in points per 100."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.blocks import Estimate, Forest
from reports.figures.theme import (
    BAND,
    COLOURS,
    HOLLOW,
    INK,
    PAPER,
    QUIET,
    SHAPES,
    Spec,
    chart,
)

TOP, BOTTOM = 24, 44
GROUP = 30
"""Height of a line that names a group of rows."""
# Ticks show a sign, so that no number is read without its direction.
_TICK = "(datum.value > 0 ? '+' : '') + format(datum.value, '~g')"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """Pixels: of one row, the plot, the room beside it, and how many letters fit there."""

    row: int
    plot: int
    left: int
    right: int
    letters: int
    lift: int
    """How far above its interval a label stands."""
    drop: int
    """How far below its interval the numbers stand."""


WIDE = _Size(row=32, plot=320, left=222, right=284, letters=30, lift=0, drop=0)
NARROW = _Size(row=66, plot=300, left=10, right=10, letters=40, lift=-18, drop=19)


def forest(figure: Forest, *, narrow: bool) -> Spec:
    """The chart; in the narrow drawing label and numbers stand above and below the interval."""
    size = NARROW if narrow else WIDE
    rows, heads, height = _place(figure.rows, size)
    reach = _reach(figure)
    layers = [
        *_ground(figure, reach, size, height),
        *_intervals(rows, reach, height),
        *_words(rows, heads, size, height),
    ]
    padding = {"left": size.left, "right": size.right, "top": TOP, "bottom": BOTTOM}
    return chart(layers, width=size.plot, height=height, padding=padding)


def _cut(text: str, letters: int) -> str:
    """What fits; of a model's route the end, which tells models apart."""
    if len(text) <= letters:
        return text
    return "…" + text[1 - letters :] if "/" in text else text[: letters - 1] + "…"


def _place(rows: Sequence[Estimate], size: _Size) -> tuple[list[Spec], list[Spec], int]:
    """Each row with its height on the page; a group's name takes a line of its own."""
    placed: list[Spec] = []
    heads: list[Spec] = []
    y, group = 4.0, ""
    for row in rows:
        if row.group != group:
            group = row.group
            heads.append({"y": y + GROUP * 0.6, "label": _cut(group, 44)})
            y += GROUP
        placed.append(_row(row, y + size.row / 2, size.letters))
        y += size.row
    return placed, heads, int(y + 4)


def _row(row: Estimate, y: float, letters: int) -> Spec:
    low, high = row.limits or (None, None)
    colour = COLOURS[row.tone]
    return {
        "y": y,
        "label": _cut(row.label, letters),
        "words": _cut(row.words, 46),
        "d": _points(row.difference),
        "low": _points(low),
        "high": _points(high),
        "margin": _points(row.margin),
        "colour": colour,
        "fill": PAPER if row.tone in HOLLOW else colour,
        "shape": SHAPES[row.tone],
    }


def _points(proportion: float | None) -> float | None:
    return None if proportion is None else 100 * proportion


def _reach(figure: Forest) -> float:
    """Half the axis, the same on both sides: a short side must not look like a small effect."""
    ends = [160 * (figure.band or 0.0), 2.0]
    for row in figure.rows:
        known = (row.difference, row.margin, *(row.limits or ()))
        ends += [abs(100 * value) for value in known if value is not None]
    return min(100.0, max(ends) * 1.06)


def _x(field: str, reach: float) -> Spec:
    scale = {"domain": [-reach, reach], "nice": False, "zero": False}
    ticks = {"title": None, "grid": False, "tickCount": 6, "labelExpr": _TICK}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": ticks}


def _y(height: int) -> Spec:
    scale = {"domain": [height, 0], "nice": False, "zero": False}
    return {"field": "y", "type": "quantitative", "scale": scale, "axis": None}


def _mark(values: list[Spec], mark: Spec, **encoding: Any) -> Spec:
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def _ground(figure: Forest, reach: float, size: _Size, height: int) -> list[Spec]:
    """Band of changes too small to matter, zero line, direction words, name of the axis."""
    tall = {"y": {"value": 0}, "y2": {"value": height}}
    layers = []
    if figure.band is not None:
        band = [{"a": -100 * figure.band, "b": 100 * figure.band}]
        rect = {"type": "rect", "color": BAND}
        layers.append(_mark(band, rect, x=_x("a", reach), x2={"field": "b"}, **tall))
    rule = {"type": "rule", "color": INK, "strokeWidth": 1}
    layers.append(_mark([{"zero": 0}], rule, x=_x("zero", reach), **tall))
    edge = 0 if size is NARROW else -16
    texts = (
        (f"◀ {figure.left}", edge, -6, "left", INK),
        (f"{figure.right} ▶", size.plot - edge, -6, "right", INK),
        (figure.axis, size.plot / 2, height + 36, "center", QUIET),
    )
    for text, x, y, align, colour in texts:
        mark = {"type": "text", "align": align, "color": colour, "fontSize": 12,
                "baseline": "alphabetic"}  # fmt: skip
        place = {"x": {"value": x}, "y": {"value": y}}
        layers.append(_mark([{"t": text}], mark, text={"field": "t", "type": "nominal"}, **place))
    return layers


def _as_given(field: str) -> Spec:
    """A colour or shape taken from the data as it stands."""
    return {"field": field, "type": "nominal", "scale": None}


def _intervals(rows: list[Spec], reach: float, height: int) -> list[Spec]:
    """The interval as a rule with caps, the margin as a bar, the estimate as a shape."""
    y, colour = _y(height), _as_given("colour")
    bounded = [row for row in rows if row["low"] is not None]
    rule = {"type": "rule", "strokeWidth": 2}
    tick = {"type": "tick", "thickness": 2, "size": 9, "orient": "vertical"}
    bar = {"type": "tick", "thickness": 3, "size": 22, "orient": "vertical", "color": INK}
    point = {"type": "point", "size": 130, "strokeWidth": 2, "opacity": 1}
    layers = [
        _mark(bounded, rule, x=_x("low", reach), x2={"field": "high"}, y=y, color=colour),
        _mark(bounded, tick, x=_x("low", reach), y=y, color=colour),
        _mark(bounded, tick, x=_x("high", reach), y=y, color=colour),
    ]
    margins = [row for row in rows if row["margin"] is not None]
    if margins:
        layers.append(_mark(margins, bar, x=_x("margin", reach), y=y))
    known = [row for row in rows if row["d"] is not None]
    look = {"shape": _as_given("shape"), "stroke": colour, "fill": _as_given("fill")}
    layers.append(_mark(known, point, x=_x("d", reach), y=y, **look))
    return layers


def _words(rows: list[Spec], heads: list[Spec], size: _Size, height: int) -> list[Spec]:
    """Names at the left, numbers in words at the right, or above and below when narrow."""
    y, left = _y(height), {"value": 0 if size is NARROW else 4 - size.left}
    right = {"value": 0 if size is NARROW else size.plot + 26}
    text = {"type": "text", "align": "left", "baseline": "middle", "color": INK, "fontSize": 13}
    numbers = {**text, "fontSize": 12.5, "dy": size.drop}
    labels = {**text, "dy": size.lift}
    words = {"field": "words", "type": "nominal"}
    # On a phone the numbers cross the zero line; a halo keeps both readable.
    halo = [
        _mark(
            rows,
            {**mark, "stroke": PAPER, "strokeWidth": 4, "color": PAPER},
            x=left,
            y=y,
            text={"field": field, "type": "nominal"},
        )
        for mark, field in ((labels, "label"), (numbers, "words"))
        if size is NARROW
    ]
    layers = [
        *halo,
        _mark(rows, labels, x=left, y=y, text={"field": "label", "type": "nominal"}),
        _mark(rows, numbers, x=right, y=y, text=words),
    ]
    if heads:
        bold = {**text, "fontWeight": "bold"}
        layers.append(_mark(heads, bold, x=left, y=y, text={"field": "label", "type": "nominal"}))
    return layers
