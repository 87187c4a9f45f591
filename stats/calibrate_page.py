"""The calibration as a page and as JSON."""

from collections.abc import Mapping
from typing import Any

from stats.calibrate import Calibration
from stats.calibrate_tally import Finding

_HOW = (
    "A/A and A/B experiments are simulated and judged by the functions that an analysis calls. "
    "`±` is one Monte Carlo standard error. Settings read scenarios x models x repeats and the law "
    "of the base rates; the models of a scenario correlate .7 on the normal scale."
)
SCHEMA = "mitigations.calibration/1"
TITLES: Mapping[int, str] = {
    2: "False positives of the primary test",
    3: "Coverage of the primary interval",
    4: "Question (b), scenarios like these",
    5: "Family-wise error",
    6: "Looking early",
    7: "Judge correction",
    8: "Predicted power",
}


def page(calibration: Calibration, *, date: str) -> str:
    """Markdown: one table for each target, observed figures beside their Monte Carlo errors."""
    size = "full" if calibration.full else "small"
    command = f"mitigations calibrate{' --full' if calibration.full else ''}"
    lines = [
        "# Calibration",
        "",
        f"Written by `{command} --seed {calibration.seed}` on {date} ({size} run). {_HOW}",
        "",
        _summary(calibration),
    ]
    for target, title in TITLES.items():
        rows = [finding for finding in calibration.findings if finding.target == target]
        if rows:
            lines += ["", f"## {target}. {title}", "", *_table(rows)]
    return "\n".join(lines) + "\n"


def document(calibration: Calibration, *, date: str) -> dict[str, Any]:
    """The same as plain JSON values, under a versioned schema."""
    return {
        "schema": SCHEMA,
        "date": date,
        "seed": calibration.seed,
        "full": calibration.full,
        "findings": [
            {
                "target": finding.target,
                "what": finding.what,
                "setting": finding.setting,
                "observed": finding.observed,
                "monte_carlo_error": finding.error,
                "experiments": finding.experiments,
                "low": finding.low,
                "high": finding.high,
                "met": finding.met,
                "within_four_errors": finding.credible,
            }
            for finding in calibration.findings
        ],
    }


def _summary(calibration: Calibration) -> str:
    judged = [finding for finding in calibration.findings if finding.met is not None]
    missed = calibration.missed
    text = f"{len(judged) - len(missed)} of {len(judged)} figures with a target meet it"
    if not missed:
        return text + "."
    far = len(calibration.broken)
    return f"{text}; {len(missed)} miss it, {far} of them by more than four Monte Carlo errors."


def _table(rows: list[Finding]) -> list[str]:
    return [
        "| what | setting | observed | ± | target | met | experiments |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row.what} | {row.setting} | {row.observed:.4f} | {row.error:.4f} "
            f"| {_target(row)} | {_met(row)} | {row.experiments:,} |"
            for row in rows
        ),
    ]


def _target(row: Finding) -> str:
    if row.low is not None and row.high is not None:
        return f"{row.low:g} to {row.high:g}" if row.low != row.high else f"{row.low:g}"
    if row.low is not None:
        return f"at least {row.low:g}"
    return f"at most {row.high:g}" if row.high is not None else ""


def _met(row: Finding) -> str:
    if row.met is None:
        return ""
    if row.met:
        return "yes"
    return "within error" if row.credible else "**no**"
