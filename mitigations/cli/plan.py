"""`mitigations plan STUDY.yaml`: what it will take and can show; then the lock."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from mitigations.cli.session import Session, now, session


def plan(  # noqa: PLR0913 - one argument per flag of the command
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
    amend: Annotated[
        bool, typer.Option("--amend", help="Change a lock: dated, reasoned, told in the report.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why the lock is amended.")] = "",
    by: Annotated[str, typer.Option(help="Who amends or marks it.")] = "",
    drop_model: Annotated[
        list[str] | None, typer.Option(help="With --amend: no more trials of it (repeatable).")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="With --amend: KEY=VALUE (repeatable).")
    ] = None,
    exploratory: Annotated[
        bool, typer.Option("--exploratory", help="With --amend: let the result be exploratory.")
    ] = False,
    timestamp: Annotated[
        str, typer.Option(help="Record an outside mark of a lock: `git`, or a signature file.")
    ] = "",
) -> None:
    """Cells, price range, time, power and smallest detectable change; writes the lock."""
    here = session(context)
    if amend or timestamp:
        if timestamp:
            _stamp(here, study, timestamp, by=by)
        if amend:
            asked = {"repeats": repeats, "budget": budget, "drop": drop_model or ()}
            asked |= {"settings": settings or ()}
            _amend(here, study, asked, by=by, reason=reason, exploratory=exploratory)
        here.say(f"Next: mitigations run {study}")
        return
    from mitigations.compose import approving, confirming, planning  # noqa: PLC0415 - light start
    from mitigations.compose.judging.against_labels import labels_of_judge  # noqa: PLC0415
    from mitigations.compose.planning import estimate_words, estimating, pilot  # noqa: PLC0415
    from mitigations.errors import InvalidFile  # noqa: PLC0415
    from mitigations.study import write_lock  # noqa: PLC0415

    made = planning.plan_study(
        study,
        created=now(),
        repeats=repeats,
        budget_usd=budget,
        discover=partial(confirming.discover, here.db),
    )
    if require_approved:
        approving.require_approved(made.variants, planning.workspace_of(study) / "variants")
    target = output or study.with_suffix(".lock")
    if target.exists() and not yes:
        raise InvalidFile(
            target,
            "is already there, and a lock is a preregistration",
            fix="Run it, name another with -o, or replace it with --yes.",
        )
    confirming.hold(made)
    known, unread = pilot.pilots_in(here.db, made)
    labelled = labels_of_judge(here.db, made)
    estimate = estimating.estimate(made, known, unread=unread, labelled=labelled)
    estimating.refuse_small_budget(made, estimate, study)
    write_lock(made, target)
    if here.json:
        document = estimate_words.as_json(made, estimate, lock=str(target))
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in estimate_words.lines(made, estimate):
        here.say(line, hang=8 if line.startswith("  Note:") else 12)
    for line in approving.voided(made.variants, planning.workspace_of(study) / "variants"):
        here.say(line)
    here.say(f"Locked: {target} ({made.hash[:12]})")
    here.say(f"Next: mitigations run {target}")


def _stamp(here: Session, lock: Path, mark: str, *, by: str) -> None:
    from mitigations.compose.planning import amending  # noqa: PLC0415 - start-up stays light
    from mitigations.study.amend import in_words  # noqa: PLC0415

    _must_be_lock(lock)
    here.say(in_words(amending.stamp_lock(lock, mark, at=now(), by=by)))


def _amend(
    here: Session, lock: Path, asked: dict[str, Any], *, by: str, reason: str, exploratory: bool
) -> None:
    from mitigations.compose.planning import amending  # noqa: PLC0415 - start-up stays light
    from mitigations.study.amend import in_words  # noqa: PLC0415

    _must_be_lock(lock)
    change = amending.changes(**asked)
    _, event = amending.amend_lock(
        lock, at=now(), by=by, reason=reason, change=change, exploratory=exploratory
    )
    here.say(in_words(event))


def _must_be_lock(path: Path) -> None:
    if path.suffix != ".lock":
        raise typer.BadParameter("--amend and --timestamp take the .lock file")
