"""A path over looks, epochs or runs, with the interval that holds at each."""

from typing import TYPE_CHECKING, Any

from reports.blocks import Path
from reports.figures.theme import BAND, FEWER, INK, MORE, QUIET

if TYPE_CHECKING:
    import altair as alt

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4])
HUES = (FEWER, MORE, INK, QUIET, FEWER)
WIDTH, NARROW_WIDTH, HEIGHT = 620, 270, 240


def path(figure: Path, *, narrow: bool) -> "alt.LayerChart":
    """Line, points and interval bars per series; dashes tell the series apart without colour."""
    import altair as alt  # noqa: PLC0415 - heavy, and only a report draws

    width = NARROW_WIDTH if narrow else WIDTH
    layers: list[Any] = []
    if figure.band is not None:
        band = [{"a": -100 * figure.band, "b": 100 * figure.band}]
        layers.append(
            alt.Chart(alt.Data(values=band))
            .mark_rect(color=BAND)
            .encode(y=alt.Y("a:Q"), y2="b", x=alt.value(0), x2=alt.value(width))
        )
    layers.append(alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=INK).encode(y="zero:Q"))
    names = list(dict.fromkeys(point.series for point in figure.points))
    for place, name in enumerate(names):
        layers += _series(alt, figure, name, place)
    return alt.layer(*layers).properties(width=width, height=HEIGHT)


def _series(alt: Any, figure: Path, name: str, place: int) -> list[Any]:
    colour, dash = HUES[place % len(HUES)], DASHES[place % len(DASHES)]
    values = [
        {"x": point.x, "d": point.y, "low": point.low, "high": point.high}
        for point in figure.points
        if point.series == name
    ]
    x = alt.X("x:Q", title=figure.x_title, axis=alt.Axis(grid=False), scale=alt.Scale(nice=True))
    y = alt.Y("d:Q", title=figure.y_title)
    base = alt.Chart(alt.Data(values=values))
    bars = alt.Chart(alt.Data(values=[value for value in values if value["low"] is not None]))
    last = [{**values[-1], "name": name}]
    return [
        bars.mark_rule(color=colour, opacity=0.55).encode(x=x, y=alt.Y("low:Q"), y2="high"),
        base.mark_line(color=colour, strokeDash=dash).encode(x=x, y=y),
        base.mark_point(color=colour, filled=True, size=50, opacity=1).encode(x=x, y=y),
        alt.Chart(alt.Data(values=last))
        .mark_text(color=colour, align="right", dy=-12, fontSize=12)
        .encode(x=x, y=y, text="name:N"),
    ]
