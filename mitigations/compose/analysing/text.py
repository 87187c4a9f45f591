"""The answer of `mitigations analyze` for people: sentences, a table, cautions."""

import io
from typing import Any

import reports
from mitigations.compose.analysing.answering import Answer
from mitigations.model import Comparison, Counts, Interval


def console_text(result: Answer, *, color: bool) -> str:
    """Verdict sentences, then the main table, the alarms that fired, and the calculators."""
    # Imported here: `--json` prints without it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    buffer = io.StringIO()
    console = Console(file=buffer, width=110, no_color=not color, highlight=False)
    analysis = result.analysis
    for one in analysis.comparisons:
        console.print(Text(reports.sentence(one, analysis.settings, analysis.alarms)))
    table = Table(box=None, pad_edge=False)
    heads = ("variant", "baseline k/n", "variant k/n", "difference", "95 % (all variants)")
    for head in (*heads, "scenarios like these", "p", "adjusted p"):
        table.add_column(head, justify="left" if head == "variant" else "right", overflow="fold")
    for one in analysis.comparisons:
        table.add_row(*(Text(cell) for cell in _row(one)))
    console.print()
    console.print(table)
    console.print(Text(f"\nFamily: {analysis.family_method}. Lower is better."))
    for line in (*_cautions(result), *_calculators(result)):
        console.print(Text(line))
    return buffer.getvalue()


def _row(one: Comparison) -> tuple[str, ...]:
    return (
        one.variant,
        _counts(one.control),
        _counts(one.treated),
        _points(one.std_rd),
        _interval(one.simultaneous_ci95),
        _interval(one.scenario_t_ci95),
        _p(one.p_value),
        _p(one.p_adjusted),
    )


def _cautions(result: Answer) -> list[str]:
    lines = [
        f"{'Alarm' if alarm.decisive else 'Note'}: {alarm.name}: {alarm.detail}"
        for alarm in result.analysis.alarms
        if alarm.fired
    ]
    if result.table.twins:
        lines.append(f"Benign twins, left out of the coercive rate: {result.table.twins:,} trials")
    if result.table.ignored:
        lines.append(f"Columns not read: {', '.join(result.table.ignored)}")
    return lines


def _calculators(result: Answer) -> list[str]:
    lines: list[str] = []
    judge, power, paired = (result.extras.get(name) for name in ("judge", "power", "paired"))
    if judge is not None:
        lines.append(f"\nJudge: kappa {_plain(judge['kappa'])}")
        lines += [
            f"  {effect['variant']}, {effect['method']}: "
            + (
                effect["reason"]
                or f"{_points(effect['corrected_rd'])} {_interval(effect['corrected_rd_ci95'])}"
            )
            for effect in judge["corrected"]
        ]
    if power is not None:
        lines.append(f"\nPower at {100 * power['smallest_change']:g} in 100:")
        lines += [f"  {entry['variant']}: {_power(entry)}" for entry in power["variants"]]
    if paired is not None:
        lines.append(f"\nPaired by repeat: {paired['reason']}".rstrip(": "))
        lines += [
            f"  {entry['variant']}: only the variant {entry['variant_only']}, only the baseline "
            f"{entry['control_only']}, mid-p {_p(entry['mcnemar_midp'])}"
            for entry in paired["variants"]
        ]
    return lines


def _power(entry: dict[str, Any]) -> str:
    if entry["mde"] is None:
        return str(entry["reasons"]["mde"])
    seen = f"{_plain(entry['power'])}; smallest visible change {_points(entry['mde'])} in 100"
    repeats, scenarios = entry["repeats_needed"], entry["scenarios_needed"]
    return f"{seen}; 80 % needs {repeats} repeats or {scenarios} scenarios"


def _counts(counts: Counts) -> str:
    return f"{counts.coercive}/{counts.scored}"


def _points(value: float | str | None) -> str:
    return "undefined" if value is None else f"{100 * float(value):+.1f}".replace("-", "−")


def _interval(limits: Interval | list[float] | None) -> str:
    return "undefined" if limits is None else f"{_points(limits[0])} to {_points(limits[1])}"


def _p(value: float | None) -> str:
    if value is None:
        return "undefined"
    return "< .0001" if value < 1e-4 else f"{value:.4f}".removeprefix("0")


def _plain(value: float | str | None) -> str:
    return "undefined" if value is None else f"{float(value):z.2f}"
