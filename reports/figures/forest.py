"""Forest plot: estimates and intervals against zero, in points per 100."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.blocks import Estimate, Forest
from reports.figures.theme import BAND, COLOURS, HOLLOW, INK, PAPER, QUIET, SHAPES

if TYPE_CHECKING:
    import altair as alt

ROW = 34
NARROW_ROW = 46
GROUP_ROW = 26
PLOT, NARROW_PLOT = 330, 300
LABELS, WORDS = 170, 190
"""Room left and right of the plot, in pixels."""
LONGEST = 30


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things stand, in pixels from the top left of the plot."""

    narrow: bool
    width: int
    height: int
    low: float
    high: float


def forest(figure: Forest, *, narrow: bool) -> "alt.LayerChart":
    """The chart; in the narrow drawing labels and words stand above their interval."""
    import altair as alt  # noqa: PLC0415 - heavy, and only a report draws

    values, heads, height = _layout(figure, narrow=narrow)
    low, high = _domain(figure)
    frame = _Frame(narrow, NARROW_PLOT if narrow else PLOT, height, low, high)
    layers = [
        *_ground(alt, figure, frame),
        *_intervals(alt, values, frame),
        *_words(alt, values, heads, frame),
    ]
    return alt.layer(*layers).properties(width=frame.width, height=frame.height)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _layout(figure: Forest, *, narrow: bool) -> tuple[list[dict[str, Any]], list[Any], int]:
    """Rows with their vertical place; a group's name takes a line of its own."""
    values: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    y, group = 6, ""
    for row in figure.rows:
        if row.group != group:
            group = row.group
            heads.append({"y": y + GROUP_ROW * 0.6, "label": _cut(group, 44)})
            y += GROUP_ROW
        y += NARROW_ROW if narrow else ROW
        values.append(_row(row, y - (12 if narrow else ROW / 2)))
    return values, heads, y + 6


def _row(row: Estimate, y: float) -> dict[str, Any]:
    low, high = row.limits or (None, None)
    return {
        "y": y,
        "label": _cut(row.label, LONGEST),
        "words": _cut(row.words, 46),
        "d": None if row.difference is None else 100 * row.difference,
        "low": None if low is None else 100 * low,
        "high": None if high is None else 100 * high,
        "tone": row.tone,
        "margin": None if row.margin is None else 100 * row.margin,
    }


def _domain(figure: Forest) -> tuple[float, float]:
    """Symmetric around zero: the eye must not take a shorter side for a smaller effect."""
    ends = [100 * (figure.band or 0.0) * 1.6, 2.0]
    for row in figure.rows:
        ends += [abs(100 * limit) for limit in row.limits or ()]
        ends += [abs(100 * value) for value in (row.difference, row.margin) if value is not None]
    reach = min(100.0, max(ends) * 1.06)
    return -reach, reach


def _x(alt: Any, field: str, frame: _Frame, title: str | None = None) -> Any:
    scale = alt.Scale(domain=[frame.low, frame.high], nice=False, zero=False)
    # A real minus sign, and a plus sign, so that no tick is read without its direction.
    axis = alt.Axis(
        title=title, grid=False, tickCount=5 if frame.narrow else 7, labelExpr=_TICK,
        domain=True, titlePadding=8,
    )  # fmt: skip
    return alt.X(field, type="quantitative", scale=scale, axis=axis)


_TICK = "datum.value > 0 ? '+' + format(datum.value, '~g') : format(datum.value, '~g')"


def _y(alt: Any, frame: _Frame) -> Any:
    return alt.Y("y:Q", scale=alt.Scale(domain=[frame.height, 0], nice=False), axis=None)


def _ground(alt: Any, figure: Forest, frame: _Frame) -> list[Any]:
    """Band of changes too small to matter, zero line, and the direction words on top."""
    layers = []
    axis = None if frame.narrow else figure.axis
    if figure.band is not None:
        band = alt.Data(values=[{"a": -100 * figure.band, "b": 100 * figure.band}])
        layers.append(
            alt.Chart(band)
            .mark_rect(color=BAND)
            .encode(x=_x(alt, "a", frame, axis), x2="b", y=alt.value(0),
                    y2=alt.value(frame.height))
        )  # fmt: skip
    zero = alt.Data(values=[{"zero": 0}])
    layers.append(
        alt.Chart(zero)
        .mark_rule(color=INK, strokeWidth=1)
        .encode(x=_x(alt, "zero", frame, axis), y=alt.value(0), y2=alt.value(frame.height))
    )
    ends = ((f"◀ {figure.left}", 0, "left"), (f"{figure.right} ▶", frame.width, "right"))
    for text, place, align in ends:
        layers.append(
            alt.Chart(alt.Data(values=[{"t": _cut(text, 24) if frame.narrow else text}]))
            .mark_text(align=align, color=QUIET, fontSize=12, baseline="bottom")
            .encode(text="t:N", x=alt.value(place), y=alt.value(-4))
        )
    return layers


def _intervals(alt: Any, values: list[dict[str, Any]], frame: _Frame) -> list[Any]:
    """Per tone: the interval as a rule with caps, the estimate as a shape; margins as bars."""
    layers = []
    for tone in sorted({value["tone"] for value in values}):
        here = [value for value in values if value["tone"] == tone]
        base = alt.Chart(alt.Data(values=[v for v in here if v["low"] is not None]))
        colour = COLOURS[tone]
        y = _y(alt, frame)
        layers.append(
            base.mark_rule(color=colour, strokeWidth=2).encode(
                x=_x(alt, "low", frame), x2="high", y=y
            )
        )
        for end in ("low", "high"):
            layers.append(
                base.mark_tick(color=colour, thickness=2, size=9, orient="vertical").encode(
                    x=_x(alt, end, frame), y=y
                )
            )
        points = alt.Chart(alt.Data(values=[v for v in here if v["d"] is not None]))
        layers.append(
            points.mark_point(
                shape=SHAPES[tone],
                size=130,
                filled=True,
                fill=PAPER if tone in HOLLOW else colour,
                stroke=colour,
                strokeWidth=2,
                opacity=1,
            ).encode(x=_x(alt, "d", frame), y=y)
        )
    margins = [value for value in values if value["margin"] is not None]
    if margins:
        layers.append(
            alt.Chart(alt.Data(values=margins))
            .mark_tick(color=INK, thickness=3, size=22, orient="vertical")
            .encode(x=_x(alt, "margin", frame), y=_y(alt, frame))
        )
    return layers


def _words(
    alt: Any, values: list[dict[str, Any]], heads: list[dict[str, Any]], frame: _Frame
) -> list[Any]:
    """Names at the left, numbers in words at the right; above the interval when narrow."""
    y = _y(alt, frame)
    rows = alt.Chart(alt.Data(values=values))
    lift = -17 if frame.narrow else 0
    left = 0 if frame.narrow else -LABELS
    right = frame.width if frame.narrow else frame.width + 14
    layers = [
        rows.mark_text(align="left", color=INK, fontSize=13, dy=lift).encode(
            text="label:N", x=alt.value(left), y=y
        ),
        rows.mark_text(
            align="right" if frame.narrow else "left", color=INK, fontSize=12, dy=lift
        ).encode(text="words:N", x=alt.value(right), y=y),
    ]
    if heads:
        layers.append(
            alt.Chart(alt.Data(values=heads))
            .mark_text(align="left", color=INK, fontSize=13, fontWeight="bold")
            .encode(text="label:N", x=alt.value(left), y=y)
        )
    return layers
