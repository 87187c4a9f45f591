"""A path over looks, epochs or runs, with the interval that holds at each."""

from reports.blocks import Path
from reports.figures.theme import BAND, FEWER, INK, MORE, QUIET, Spec, chart

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
    zero = {"field": "zero", "type": "quantitative"}
    layers.append(
        {"data": {"values": [{"zero": 0}]}, "mark": {"type": "rule", "color": INK},
         "encoding": {"y": zero}}
    )  # fmt: skip
    names = list(dict.fromkeys(point.series for point in figure.points))
    for place, name in enumerate(names):
        layers += _series(figure, name, place, narrow=narrow)
    padding = {"left": 56, "right": 14 if narrow else NAMES, "top": 12, "bottom": 46}
    return chart(layers, width=width, height=HEIGHT, padding=padding)


def _series(figure: Path, name: str, place: int, *, narrow: bool) -> list[Spec]:
    colour, dash = HUES[place % len(HUES)], DASHES[place % len(DASHES)]
    values: list[Spec] = [
        {"x": point.x, "d": point.y, "low": point.low, "high": point.high}
        for point in figure.points
        if point.series == name
    ]
    x = {"field": "x", "type": "quantitative", "title": figure.x_title,
         "scale": {"nice": False, "zero": False, "padding": 14},
         "axis": {"grid": False, "tickCount": 6}}  # fmt: skip
    y = {"field": "d", "type": "quantitative", "title": figure.y_title}
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
         "mark": {"type": "point", "color": colour, "fill": colour, "size": 50, "opacity": 1,
                  "shape": SHAPES[place % len(SHAPES)], "xOffset": nudge},
         "encoding": {"x": x, "y": y}},
        {"data": {"values": [{**values[-1], "name": name}]}, "mark": label,
         "encoding": {"x": x, "y": y, "text": {"field": "name", "type": "nominal"}}},
    ]  # fmt: skip
