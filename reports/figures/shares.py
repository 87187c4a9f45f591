"""Shares of a whole with their intervals, 0 to 100: one row an arm, grouped by what is measured."""

from reports.blocks import Shares
from reports.figures.forest import (
    BOTTOM,
    NARROW,
    TOP,
    WIDE,
    _as_given,
    _mark,
    _place,
    _words,
    _y,
)
from reports.figures.theme import BAND, INK, QUIET, Spec, chart


def shares(figure: Shares, *, narrow: bool) -> Spec:
    """The chart; label and numbers stand beside a row, or above and below it when narrow."""
    size = NARROW if narrow else WIDE
    rows, heads, height = _place(figure.rows, size)
    y, colour = _y(height), _as_given("colour")
    bounded = [row for row in rows if row["low"] is not None]
    known = [row for row in rows if row["d"] is not None]
    rule = {"type": "rule", "strokeWidth": 2}
    tick = {"type": "tick", "thickness": 2, "size": 9, "orient": "vertical"}
    point = {"type": "point", "size": 130, "strokeWidth": 2, "opacity": 1}
    look = {"shape": _as_given("shape"), "stroke": colour, "fill": _as_given("fill")}
    name = {"type": "text", "color": QUIET, "fontSize": 12, "baseline": "alphabetic"}
    # Rows stand on light tracks, so that an empty one is seen as such.
    track = {"type": "rule", "color": BAND, "strokeWidth": 8}
    ends = [{**row, "from": 0, "to": 100} for row in rows]
    full = {"type": "rule", "color": INK, "strokeWidth": 1}
    layers = [
        _mark(ends, track, x=_x("from"), x2={"field": "to"}, y=y),
        _mark([{"full": 100}], full, x=_x("full"), y={"value": 0}, y2={"value": height}),
        _mark(bounded, rule, x=_x("low"), x2={"field": "high"}, y=y, color=colour),
        _mark(bounded, tick, x=_x("low"), y=y, color=colour),
        _mark(bounded, tick, x=_x("high"), y=y, color=colour),
        _mark(known, point, x=_x("d"), y=y, **look),
        _mark(
            [{"t": figure.axis}],
            name,
            x={"value": size.plot / 2},
            y={"value": height + 36},
            text={"field": "t", "type": "nominal"},
        ),
        *_words(rows, heads, size, height),
    ]
    padding = {"left": size.left, "right": size.right, "top": TOP, "bottom": BOTTOM}
    return chart(layers, width=size.plot, height=height, padding=padding)


def _x(field: str) -> Spec:
    scale = {"domain": [0, 100], "nice": False, "zero": True}
    ticks = {"title": None, "grid": False, "tickCount": 6, "labelExpr": "format(datum.value, '~g')"}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": ticks}
