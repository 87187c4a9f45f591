"""A text and a run -> what the run says of every sentence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mitigations.compose.kept import plan_of
from mitigations.compose.reporting.chosen import known_run, latest_run
from mitigations.compose.reporting.making import report_run
from mitigations.files import read_text
from mitigations.store import Store
from reports.claims import ClaimResult, Status, check_claims

SUPPORTED, CONTRADICTED, UNSUPPORTED = 0, 3, 4
"""Exit codes: everything holds; a sentence is wrong; a sentence goes further than the run."""


def check_text(store: Store, path: Path, run: str | None) -> tuple[str, tuple[ClaimResult, ...]]:
    """The run's id, and every sentence of the file with its status."""
    text = read_text(path)
    chosen = latest_run(store) if run is None else known_run(store, run)
    plan = plan_of(store, chosen)
    report = report_run(store, plan, chosen, commands=(), transcripts="none")
    return chosen, check_claims(text, report)


def exit_code(results: Sequence[ClaimResult]) -> int:
    """3 where a sentence is contradicted, 4 where one is unsupported, else 0."""
    found = {result.status for result in results}
    if Status.CONTRADICTED in found:
        return CONTRADICTED
    return UNSUPPORTED if Status.UNSUPPORTED in found else SUPPORTED


def lines(path: Path, results: Sequence[ClaimResult]) -> list[str]:
    """What a person reads: each claim with its line, the reasons and the numbers."""
    told: list[str] = []
    for result in results:
        if result.status is Status.NOT_A_CLAIM:
            continue
        told.append(f"{path}:{result.line}: {result.status}: {' '.join(result.text.split())}")
        whys = [one.why for one in result.findings if one.why and one.status is result.status]
        told += [f"  {why}" for why in dict.fromkeys(whys)]
        numbers = [one for one in result.findings if one.numbers]
        told += [f"  {line}" for line in dict.fromkeys(map(_numbers, numbers))]
    return told


def _numbers(finding: Any) -> str:
    who = finding.variant + (f" on {finding.model}" if finding.model else "")
    return f"{who}: {finding.numbers}"


def summary(results: Sequence[ClaimResult]) -> str:
    """How many of each."""
    count = {status: sum(one.status is status for one in results) for status in Status}
    return (
        f"{len(results)} sentences: {count[Status.SUPPORTED]} supported, "
        f"{count[Status.UNSUPPORTED]} unsupported, {count[Status.CONTRADICTED]} contradicted; "
        f"{count[Status.NOT_A_CLAIM]} not read as claims, and so not checked."
    )


def plain(run: str, results: Sequence[ClaimResult]) -> dict[str, Any]:
    """For programs."""
    return {
        "schema": "mitigations.claims/1",
        "run": run,
        "sentences": [
            {
                "line": result.line,
                "text": result.text,
                "status": str(result.status),
                "findings": [
                    {
                        "status": str(one.status),
                        "why": one.why,
                        "numbers": one.numbers,
                        "variant": one.variant or None,
                        "model": one.model or None,
                    }
                    for one in result.findings
                ],
            }
            for result in results
        ],
    }
