"""The demo: a small real study on the embedded model, or a full-size one on simulated models."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import reports
from mitigations.compose.planning import plan_from
from mitigations.compose.reporting import report_run
from mitigations.compose.running import Options, Started, Surroundings, run_plan
from mitigations.model import Outcome, Plan
from mitigations.store import Store
from mitigations.study import read_study, write_lock

STUDIES = Path(__file__).parents[1] / "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the demo ends with."""

    sentences: tuple[str, ...]
    html: Path
    json: dict[str, Any]
    """The report for programs."""


def demo_plan(*, simulated: bool, seed: int, created: str) -> Plan:
    """The shipped study, frozen."""
    study = read_study(STUDIES / ("simulated.yaml" if simulated else "embedded.yaml"))
    return plan_from(replace(study, seed=seed), folder=STUDIES, created=created)


def describe(plan: Plan) -> str:
    """One line: what is about to run."""
    cells = sum(not scenario.is_twin for scenario in plan.scenarios)
    models = ", ".join(model.route for model in plan.models)
    return (
        f"{plan.trial_count} trials: {len(plan.variants) - 1} variants against "
        f"{plan.baseline.id}, {cells} scenarios and {len(plan.scenarios) - cells} benign twins, "
        f"{plan.repeats} repeats, on {models}."
    )


async def demonstrate(
    plan: Plan, out: Path, *, now: Callable[[], str], watch: Callable[[Started | Outcome], None]
) -> Shown:
    """Run the plan in `out` and write lock, database and report there."""
    write_lock(plan, out / f"{plan.study}.lock")
    with Store.open(out / "demo.duckdb") as store:
        around = Surroundings(store=store, runs=out / "runs", providers={}, now=now, watch=watch)
        run = await run_plan(plan, around, Options())
        flag = " --simulated" if plan.study.endswith("simulated") else ""
        command = f"mitigations demo{flag} --seed {plan.settings.seed}"
        made = report_run(store, plan, run, commands=(command,))
    for name in ("report.html", "report.md"):
        reports.write(made, out / name)
    return Shown(
        sentences=tuple(
            reports.sentence(comparison, made.analysis.settings, made.analysis.alarms)
            for comparison in made.analysis.comparisons
        ),
        html=out / "report.html",
        json=reports.report_json(made),
    )
