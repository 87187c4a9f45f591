"""`mitigations plan STUDY.yaml`: what it will take and can show; then the lock."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import now, session


def plan(
    context: typer.Context,
    study: Annotated[Path, typer.Argument(help="The study file.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The lock; STUDY.lock by default.")
    ] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Instead of the study's.")] = None,
    budget: Annotated[float | None, typer.Option(min=0.0, help="US dollars, instead.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace an existing lock.")] = False,
    require_approved: Annotated[
        bool, typer.Option("--require-approved", help="Refuse texts that nobody has approved.")
    ] = False,
) -> None:
    """Cells, price range, time, power and smallest detectable change; writes the lock."""
    from mitigations.compose import approving, estimating, planning  # noqa: PLC0415 - start-up stays light
    from mitigations.errors import InvalidFile  # noqa: PLC0415
    from mitigations.study import write_lock  # noqa: PLC0415

    here = session(context)
    made = planning.plan_study(study, created=now(), repeats=repeats, budget_usd=budget)
    if require_approved:
        approving.require_approved(made.variants, planning.workspace_of(study) / "variants")
    target = output or study.with_suffix(".lock")
    if target.exists() and not yes:
        raise InvalidFile(
            target,
            "is already there, and a lock is a preregistration",
            fix="Run it, name another with -o, or replace it with --yes.",
        )
    estimate = estimating.estimate(made)
    write_lock(made, target)
    if here.json:
        document = estimating.as_json(made, estimate, lock=str(target))
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in estimating.lines(made, estimate):
        here.say(line)
    for line in approving.voided(made.variants, planning.workspace_of(study) / "variants"):
        here.say(line)
    here.say(f"Locked: {target} ({made.hash[:12]})")
    here.say(f"Next: mitigations run {target}")
