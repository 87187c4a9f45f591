"""The page the project publishes about itself: `python -m tests.scoreboard` (`make scoreboard`).

Runs the checks of each row, keeps what came of them with its date in `docs/scoreboard.json`, and
writes `docs/scoreboard.md`. A row that failed stays in the history when it passes again.
`--only ROW ...` runs some rows, `--slow` their full sizes too, `--page` only writes the page.
"""

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FIGURES = DOCS / "scoreboard.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One promise: what is tried, what must come of it, and the tests that hold it."""

    id: str
    promise: str
    tried: str
    tests: tuple[str, ...]
    full: str = ""
    """What a slow run (`--slow`) tries in addition."""


ROWS = (
    Row(id="kills", promise="rows lost or paid twice after a kill: 0",
        tried="SIGKILL at every named point and 21 times at random, then resumed",
        full="200 kills more",
        tests=("tests/cli/test_cli_kill.py",)),
    Row(id="storage", promise="acknowledged rows lost on a full disk or by a killed writer: 0",
        tried="full and read-only disks, killed writers, eight processes that start together",
        full="30 sizes of disk",
        tests=("tests/cli/test_cli_storage.py", "tests/store/test_store_journal.py")),
    Row(id="budget", promise="spent over the budget: 0",
        tried="1,000 random schedules of calls, prices and errors; every price missing once",
        tests=("tests/runner/test_runner_budget.py", "tests/cli/test_cli_providers.py")),
    Row(id="replies", promise="faulty replies read as answers: 0; crashes: 0",
        tried="at least 40 recorded bodies and 10,000 mutations of them",
        tests=("tests/runner/test_runner_classify.py",)),
    Row(id="keys", promise="planted keys found in anything kept: 0; keys sent to another host: 0",
        tried="8 planted keys, hosts that would leak one, redirects",
        tests=("tests/runner/test_runner_gateway_keys.py", "tests/runner/test_runner_redact.py")),
    Row(id="judge", promise="verdicts forged by text under test: 0",
        tried="at least 200 planted attacks, as many benign twins, on the reader of verdicts",
        tests=("tests/runner/test_runner_judge.py",)),
    Row(id="scripts", promise="scripts executed and requests made by a report: 0",
        tried="at least 150 payloads through every field of a report, in Chromium",
        full="every payload from store to page",
        tests=("tests/reports/test_reports_hostile.py", "tests/compose/test_compose_hostile.py")),
    Row(id="files", promise="tracebacks from files: 0",
        tried="hostile and generated studies, 300 of the latter",
        full="5,000 generated studies",
        tests=("tests/study/test_study_bad_input.py", "tests/study/test_study_read.py")),
    Row(id="api", promise="server errors and broken descriptions: 0; writes without a token: 0",
        tried="generated requests over the whole API",
        full="5,000 requests",
        tests=("tests/web/test_web_api.py", "tests/web/test_web_access.py")),
    Row(id="plans", promise="changes of a locked plan that pass unnoticed: 0",
        tried="every field of a lock, every byte class of rubric, scenario and variant",
        tests=("tests/study/test_study_lock.py",)),
    Row(id="tampering", promise="changes of a run's rows and journal that pass unnoticed: 0",
        tried="changes by SQL of every column, changed, added and removed journal lines",
        tests=("tests/store/test_store_tampering.py",)),
    Row(id="drift", promise="model changed in mid-run: flagged 20 times of 20",
        tried="a provider that switches models; interleaved against blockwise order",
        tests=("tests/cli/test_cli_drift.py",)),
    Row(id="statistics", promise="values that differ from R, scipy or statsmodels: 0",
        tried="every reference case and oracle",
        tests=("tests/stats/test_stats_reference.py", "tests/stats/test_stats_oracles.py")),
    Row(id="schedules", promise="slots fired twice or missed in silence: 0",
        tried="1,000 simulated slots: clock changes, overlaps, frozen and jumping clocks",
        tests=("tests/schedules/test_schedules_book.py", "tests/schedules/test_schedules_cron.py")),
)  # fmt: skip


def run_row(row: Row, *, slow: bool) -> dict[str, Any]:
    """Run a row's tests; what came of each, and when."""
    marks = "not local_model" if slow else "not slow and not local_model"
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks,
                   f"--junitxml={junit}", *row.tests]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        cases = [*ET.parse(junit).iter("testcase")] if junit.exists() else []
    bad = [case.get("name", "?") for case in cases
           if case.find("failure") is not None or case.find("error") is not None]  # fmt: skip
    skipped = sum(case.find("skipped") is not None for case in cases)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return {"date": today, "slow": slow, "tests": len(cases), "skipped": skipped, "failed": bad}


def page(figures: dict[str, Any]) -> str:
    """`docs/scoreboard.md` from the kept figures and the calibration's."""
    lines = [
        "# Scoreboard",
        "",
        "Written by `make scoreboard`, which runs the tests of each row and keeps the outcome with",
        "its date; do not edit. A row that was not run says so. One test may try many things: the",
        "row says what. Sizes in brackets are tried by `python -m tests.scoreboard --slow` only.",
        "",
        "| promise | tried | held by | last run | tests passed | failed | skipped |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        last = (figures["rows"].get(row.id) or [None])[-1]
        files = ", ".join(f"`{test}`" for test in row.tests)
        tried = row.tried + (f" ({row.full})" if row.full else "")
        if last is None:
            lines.append(f"| {row.promise} | {tried} | {files} | not run yet | - | - | - |")
            continue
        passed = last["tests"] - last["skipped"] - len(last["failed"])
        when = last["date"] + (", with full sizes" if last["slow"] else "")
        counts = f"{passed} | {len(last['failed'])} | {last['skipped']}"
        lines.append(f"| {row.promise} | {tried} | {files} | {when} | {counts} |")
    return "\n".join([*lines, "", *_errors(), "", *_failures(figures), "", OTHER])


def _errors() -> list[str]:
    """Observed error rates of the analysis, the missed targets by name."""
    found = json.loads((DOCS / "calibration.json").read_text())
    missed = [one for one in found["findings"] if one["met"] is False]
    family = [one for one in found["findings"] if one["what"] == "any true null rejected"]
    size = "full" if found["full"] else "small"
    count = f"{len(found['findings'])} figures, {len(missed)} targets missed"
    lines = [
        "## Error rates of the analysis",
        "",
        f"Of {found['date']}, {size} size: {count} ([calibration](calibration.md)).",
        "",
    ]
    lines += [f"- Family-wise error, {one['setting']}: {one['observed']:.4f} (Monte Carlo error "
              f"{one['monte_carlo_error']:.4f})" for one in family]  # fmt: skip
    lines += [
        f"- **Missed**: {one['what']}, {one['setting']}: {one['observed']:.4f}" for one in missed
    ]
    return lines


def _failures(figures: dict[str, Any]) -> list[str]:
    lines = ["## Failures, with dates", ""]
    bad = [
        f"- {run['date']}, {row.id}: {', '.join(run['failed'])}"
        for row in ROWS
        for run in figures["rows"].get(row.id, [])
        if run["failed"]
    ]
    return lines + (bad or ["None among the runs kept since the first one of this page."])


OTHER = """\
## Missed targets of speed
Published with their machine and date: [runner](benchmarks-runner.md),
[gateway](benchmarks-gateway.md), [storage](benchmarks-storage.md),
[statistics](benchmarks-statistics.md), [report](benchmarks-report.md).
"""


def main() -> int:
    """Run what was asked for and write figures and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=[row.id for row in ROWS])
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {"rows": {}}
    for row in () if asked.page else ROWS:
        if asked.only and row.id not in asked.only:
            continue
        result = run_row(row, slow=asked.slow)
        sys.stdout.write(f"{row.id}: {result}\n")
        # Runs without a failure are replaced; one that failed is history and stays.
        kept = [run for run in figures["rows"].get(row.id, []) if run["failed"]]
        figures["rows"][row.id] = [*kept, result]
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        (DOCS / "scoreboard.md").write_text(page(figures))
    (DOCS / "scoreboard.md").write_text(page(figures))
    return int(any(runs[-1]["failed"] for runs in figures["rows"].values() if runs))


if __name__ == "__main__":
    raise SystemExit(main())
