"""A path over looks, epochs or runs, with the interval that holds at each."""

import math
from typing import Any

from reports.blocks import Path, PathPoint
from reports.figures.theme import (
    BAND,
    COLOURS,
    FEWER,
    HOLLOW,
    INK,
    MORE,
    PAPER,
    QUIET,
    Spec,
    chart,
)
from reports.figures.theme import (
    SHAPES as TONES,
)

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4])
HUES = (FEWER, MORE, INK, QUIET, FEWER)
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")
WIDTH, NARROW_WIDTH, HEIGHT = 560, 250, 250
NAMES = 150
"""Room at the right for the series' names."""


def path(figure: Path, *, narrow: bool) -> Spec:
    """Line, points and interval bars per series; dash and shape tell the series apart."""
    width = NARROW_WIDTH if narrow else WIDTH
    layers: list[Spec] = []
    if figure.band is not None:
        band = [{"a": -100 * figure.band, "b": 100 * figure.band}]
        layers.append(
            {
                "data": {"values": band},
                "mark": {"type": "rect", "color": BAND},
                "encoding": {
                    "y": {"field": "a", "type": "quantitative"},
                    "y2": {"field": "b"},
                    "x": {"value": 0},
                    "x2": {"value": width},
                },
            }
        )
    if not figure.log:
        zero = {"field": "zero", "type": "quantitative"}
        layers.append(
            {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "color": INK},
             "encoding": {"y": zero}}
        )  # fmt: skip
    if figure.boundary:
        layers += _boundary(figure, narrow=narrow)
    names = list(dict.fromkeys(point.series for point in figure.points))
    for place, name in enumerate(names):
        layers += _series(figure, name, place, narrow=narrow)
    padding = {"left": 56, "right": 14 if narrow else NAMES, "top": 12, "bottom": 46}
    return chart(layers, width=width, height=HEIGHT, padding=padding)


def _series(figure: Path, name: str, place: int, *, narrow: bool) -> list[Spec]:
    colour, dash = HUES[place % len(HUES)], DASHES[place % len(DASHES)]
    values: list[Spec] = [
        {"x": point.x, "d": _kept(point.y, figure), "low": point.low, "high": point.high,
         **_mark(point, colour, SHAPES[place % len(SHAPES)])}
        for point in figure.points
        if point.series == name
    ]  # fmt: skip
    x, y = _x(figure), _y(figure)
    bars = [value for value in values if value["low"] is not None]
    # A nudge per series keeps bars at the same look apart.
    nudge = 4 * place
    label = {"type": "text", "color": colour, "fontSize": 12}
    # On a phone the name stands above its last point, elsewhere beside it.
    label |= {"align": "right", "dy": -14} if narrow else {"align": "left", "dx": 12 + nudge}
    return [
        {"data": {"values": bars},
         "mark": {"type": "rule", "color": colour, "strokeWidth": 2, "xOffset": nudge},
         "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {"data": {"values": values},
         "mark": {"type": "line", "color": colour, "strokeDash": dash, "xOffset": nudge},
         "encoding": {"x": x, "y": y}},
        {"data": {"values": values},
         "mark": {"type": "point", "size": 60, "opacity": 1, "strokeWidth": 2, "xOffset": nudge},
         "encoding": {"x": x, "y": y, "shape": _given("shape"), "fill": _given("fill"),
                      "stroke": _given("stroke")}},
        {"data": {"values": [{**values[-1], "name": name}]}, "mark": label,
         "encoding": {"x": x, "y": y, "text": {"field": "name", "type": "nominal"}}},
    ]  # fmt: skip


def _x(figure: Path) -> Spec:
    # Half a run is none.
    whole = {"tickMinStep": 1} if figure.x_title.startswith(("run", "epoch")) else {}
    return {"field": "x", "type": "quantitative", "title": figure.x_title,
            "scale": {"nice": False, "zero": False, "padding": 14},
            "axis": {"grid": False, "tickCount": 6, **whole}}  # fmt: skip


def _y(figure: Path) -> Spec:
    y: Spec = {"field": "d", "type": "quantitative", "title": figure.y_title}
    if figure.log:
        ys = [_kept(point.y, figure) for point in (*figure.points, *figure.boundary)]
        y["scale"] = {"type": "log", "reverse": figure.log == "down", "zero": False,
                      "domain": [min(ys) / 2, max(ys) * 2], "nice": False}  # fmt: skip
        low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
        step = 1 + (high - low) // 7
        y["axis"] = {"values": [10.0**power for power in range(low, high + 1, step)]}
        y["axis"] |= {"labelExpr": "format(datum.value, '~g')"}
    return y


def _kept(value: float, figure: Path) -> float:
    """What a logarithmic axis can hold: an e-value may be infinite, a p-value nothing."""
    return min(max(value, 1e-9), 1e9) if figure.log else value


def _given(field: str) -> Spec:
    return {"field": field, "type": "nominal", "scale": None}


def _mark(point: PathPoint, colour: str, shape: str) -> Spec:
    """The series' mark, or that of the verdict at this step."""
    if point.tone is None:
        return {"shape": shape, "fill": colour, "stroke": colour}
    own = COLOURS[point.tone]
    fill = PAPER if point.tone in HOLLOW else own
    return {"shape": TONES[point.tone], "fill": fill, "stroke": own}


def _boundary(figure: Path, *, narrow: bool) -> list[Spec]:
    """The broken line that a path must cross, named at its end."""
    values = [{"x": point.x, "d": _kept(point.y, figure)} for point in figure.boundary]
    x, y = _x(figure), _y(figure)
    name: Any = {"type": "text", "color": INK, "fontSize": 12}
    name |= {"align": "right", "dy": -8} if narrow else {"align": "left", "dx": 12}
    line = {"type": "line", "color": INK, "strokeDash": [2, 3], "strokeWidth": 2,
            "interpolate": "linear"}  # fmt: skip
    encoding = {"x": x, "y": y}
    label = {"data": {"values": [{**values[-1], "name": "boundary"}]}, "mark": name,
             "encoding": {**encoding, "text": {"field": "name", "type": "nominal"}}}  # fmt: skip
    return [
        {"data": {"values": values}, "mark": line, "encoding": encoding},
        {"data": {"values": values}, "mark": {"type": "tick", "color": INK, "thickness": 2,
         "size": 10, "orient": "horizontal"}, "encoding": encoding},
        label,
    ]  # fmt: skip
