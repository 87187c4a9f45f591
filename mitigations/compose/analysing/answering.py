"""A file of counts or trials -> `Analysis`, with the calculators beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import reports
import stats
from mitigations.compose.analysing.calculators import (
    judge_check,
    judge_json,
    paired_json,
    power_json,
)
from mitigations.model import Alarm, Analysis, Settings
from mitigations.tables import Table, read_labels, read_table
from reports import Extras, JudgeCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asks for."""

    file: Path
    baseline: str | None = None
    judge: Path | None = None
    power: bool = False
    paired: bool = False
    smallest_change: float = 0.05
    alpha: float = 0.05
    seed: int = 0
    permutations: int = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The analysis of a file and what was asked beside it."""

    table: Table
    analysis: Analysis
    judge: JudgeCheck | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    """`judge`, `power`, `paired`: sections of the JSON contract, in plain values."""

    @property
    def json_text(self) -> str:
        """The public contract; the same file and seed give the same bytes."""
        document = {**reports.analysis_json(self.analysis), **self.extras}
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


def answer(request: Request) -> Answer:
    """Read, analyse, and run the calculators that were asked for.

    Raises what `mitigations.tables` raises for a file that is wrong.
    """
    table = read_table(request.file, baseline=request.baseline, paired=request.paired)
    settings = Settings(
        baseline=table.baseline,
        alpha=request.alpha,
        smallest_change=request.smallest_change,
        permutations=request.permutations,
        seed=request.seed,
        planned=False,
    )
    alarms: list[Alarm] = []
    check: JudgeCheck | None = None
    extras: dict[str, Any] = {}
    if request.judge is not None:
        check, judge_alarm = judge_check(table, read_labels(request.judge), request.judge)
        alarms.append(judge_alarm)
        extras["judge"] = judge_json(check)
    analysis = stats.analyse(table.cells, settings, pairs=table.pairs, alarms=alarms)
    if request.power:
        extras["power"] = power_json(analysis, table.cells)
    if request.paired:
        extras["paired"] = paired_json(table)
    return Answer(table=table, analysis=analysis, judge=check, extras=extras)


def written(result: Answer, path: Path) -> None:
    """Write the answer: `.json` is the public contract, any other format is the report's."""
    if path.suffix.lower() == ".json":
        from mitigations.files import write_atomic  # noqa: PLC0415 - only when a file is written

        write_atomic(path, result.json_text + "\n")
        return
    report = reports.build(result.analysis, result.table.cells, extras=Extras(judge=result.judge))
    reports.write(report, path)
