"""Paths over looks, epochs and runs: the difference, and the evidence against its boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

from mitigations.model import Comparison, Interval, Settings
from reports.blocks import Path, PathPoint, Table
from reports.contract import verdict_text
from reports.parts.verdict import MARKS
from reports.report import Look
from reports.sentences import borne_out, shown_interval
from reports.words import fraction, signed, signed_interval

_X = {
    "planned looks": "share of planned trials",
    "e-process": "epoch",
    "scheduled runs": "run",
}


_SPOKEN = {
    "planned looks": "planned looks",
    "e-process": "the epochs",
    "scheduled runs": "the runs",
}


def differences(looks: Sequence[Look], kind: str, *, band: float, detail: Table | None) -> Path:
    """The difference at every look, with the interval that holds at it."""
    return Path(
        title=f"Difference per 100 over {_SPOKEN[kind]}, with the intervals valid at each.",
        alt="Path of the difference; the table below holds the same numbers.",
        points=tuple(
            PathPoint(
                series=look.variant,
                x=look.share,
                y=100 * look.difference,
                low=100 * look.interval[0] if look.interval else None,
                high=100 * look.interval[1] if look.interval else None,
            )
            for look in looks
            if look.difference is not None
        ),
        x_title=_X[kind],
        y_title="change per 100 (below 0: fewer)",
        band=band,
        detail=detail,
    )


def evidence(looks: Sequence[Look], kind: str) -> Path | None:
    """What decides, against its boundary; None where a look has no such number."""
    known = [look for look in looks if look.statistic is not None and look.boundary is not None]
    if not known or kind == "scheduled runs":
        return None
    anytime = kind == "e-process"
    name = "e-value" if anytime else "adjusted p"
    walls = {look.share: look.boundary for look in known if look.boundary is not None}
    return Path(
        title=f"The {name} at every look on a logarithmic axis, and the boundary (broken line): "
        "a path that gets above it decides, and keeps the error rate of the plan.",
        alt=f"Path of the {name} against its boundary; the table below holds the same numbers.",
        points=tuple(
            PathPoint(series=look.variant, x=look.share, y=look.statistic)
            for look in known
            if look.statistic is not None
        ),
        x_title=_X[kind],
        y_title="e-value" if anytime else "adjusted p (smaller is higher)",
        log="up" if anytime else "down",
        boundary=tuple(PathPoint(series="boundary", x=x, y=y) for x, y in sorted(walls.items())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPoint:
    """One variant in one run of a scheduled study."""

    run: str
    date: str
    """UTC, ISO 8601; runs are drawn in the order given."""
    comparison: Comparison
    settings: Settings

    @property
    def verdict_words(self) -> str:
        """The verdict that the numbers bear, in the words of the contract."""
        return verdict_text(self.comparison.verdict, borne_out(self.comparison, self.settings))

    @property
    def limits(self) -> Interval | None:
        """The interval its verdict is read with."""
        return shown_interval(self.comparison)


def history(points: Sequence[RunPoint]) -> Path | None:
    """A scheduled study over time: the difference of every run, marked with its verdict.

    None where no run could compute a difference. Every run has its own concurrent baseline.
    """
    runs = list(dict.fromkeys(point.run for point in points))
    known = [point for point in points if point.comparison.std_rd is not None]
    if not known:
        return None
    return Path(
        title="Difference per 100 in every run, each against its own baseline, with the interval "
        "of that run. The mark is the verdict: ▼ reduced, ▲ increased, ■ no meaningful difference, "
        "○ not enough evidence or no headroom, ✕ do not rely.",
        alt="History of the difference over the runs; the table below holds the same numbers.",
        points=tuple(_point(point, runs) for point in known),
        x_title="run, oldest first",
        y_title="change per 100 (below 0: fewer)",
        band=known[-1].settings.smallest_change,
        detail=_table(points),
    )


def _point(point: RunPoint, runs: list[str]) -> PathPoint:
    assert point.comparison.std_rd is not None  # the caller has looked
    limits = point.limits
    return PathPoint(
        series=point.comparison.variant,
        x=1 + runs.index(point.run),
        y=100 * point.comparison.std_rd,
        low=100 * limits[0] if limits else None,
        high=100 * limits[1] if limits else None,
        tone=MARKS[borne_out(point.comparison, point.settings)][0],
    )


def _table(points: Sequence[RunPoint]) -> Table:
    return Table(
        caption="Every run: coercive of scored replies, and the difference per 100.",
        columns=("Run", "Date", "Variant", "Verdict", "Baseline", "Variant", "Difference", "95 %"),
        rows=tuple(
            (
                point.run,
                point.date[:10] or "not recorded",
                point.comparison.variant,
                verdict_text(point.comparison.verdict, borne_out(point.comparison, point.settings)),
                fraction(point.comparison.control),
                fraction(point.comparison.treated),
                signed(point.comparison.std_rd),
                signed_interval(point.limits),
            )
            for point in points
        ),
        numeric=frozenset({4, 5, 6, 7}),
    )
