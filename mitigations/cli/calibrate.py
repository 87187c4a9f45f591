"""`mitigations calibrate`: does the service err as often as it says, and can a judge be moved?"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import Session, now, session


def calibrate(
    context: typer.Context,
    *,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="20,000 experiments a setting, five minutes; of a judge, every planted pair.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same figures.", min=0)] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Page to write; the figures go beside it as .json. calibration.md, or "
            "judge-check.md for a judge.",
            show_default=False,
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Check a live judge instead: a lock, or a route such as openai/gpt-5.",
            metavar="STUDY.lock|MODEL",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Most a judge's check may cost, in US dollars.", min=0)
    ] = None,
    sample: Annotated[
        int, typer.Option(help="Planted pairs put to a judge, two calls each.", min=1)
    ] = 90,
) -> None:
    """Simulate A/A and A/B experiments through the whole analysis; write observed error rates.

    Leaves with 1 when a figure lies further than four Monte Carlo errors from its target. With
    --judge: put planted injections and other wordings of the rubric to a live judge, and leave with
    4 when more than 5 % of its verdicts may be moved.
    """
    here = session(context)
    if judge is not None:
        ask = _Ask(judge=judge, budget=budget, pairs=None if full else sample, seed=seed)
        _check_judges(here, ask, out or Path("judge-check.md"))
    else:
        _simulate(full=full, seed=seed, out=out or Path("calibration.md"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """What `--judge` was asked to do."""

    judge: str
    budget: float | None
    pairs: int | None
    """None: all of them."""
    seed: int


def _check_judges(here: Session, ask: _Ask, out: Path) -> None:
    import asyncio  # noqa: PLC0415 - start-up stays light

    from mitigations.compose import planning  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.judging import check as judge_check  # noqa: PLC0415
    from mitigations.compose.judging import check_words, records  # noqa: PLC0415
    from mitigations.compose.opening import open_store  # noqa: PLC0415
    from mitigations.errors import OverBudget  # noqa: PLC0415
    from mitigations.files import write_atomic  # noqa: PLC0415
    from mitigations.providers import read_providers  # noqa: PLC0415
    from runner.budget import Budget  # noqa: PLC0415

    pairs = judge_check.every_pair() if ask.pairs is None else ask.pairs
    path = Path(ask.judge)
    if path.suffix == ".lock" or path.is_file():
        providers = read_providers(planning.workspace_of(path))
        plan = planning.open_lock(path)
        tasks = judge_check.tasks_of(plan, pairs=pairs, seed=ask.seed)
    else:
        providers = read_providers(Path())
        tasks = (judge_check.task_for(ask.judge, providers, pairs=pairs, seed=ask.seed),)
    budget, checks = Budget(ask.budget), []
    judge_check.check_start(tasks, providers, budget)
    with open_store(here.db, create=True) as store:
        for task in tasks:
            here.say(f"{task.model.route}: {task.calls} calls")
            try:
                check = asyncio.run(
                    judge_check.check_judge(task, providers, budget=budget, now=now)
                )
            except OverBudget as exc:
                fix = "  nothing of the check is kept; give --budget more, or a smaller --sample"
                raise OverBudget(f"{str(exc).splitlines()[0]}\n{fix}") from exc
            records.keep(check, store, here.runs)
            checks.append(check)
            for line in check_words.lines(check):
                here.say(f"  {line}")
    write_atomic(out, check_words.page(checks))
    document = check_words.document(checks)
    write_atomic(out.with_suffix(".json"), json.dumps(document, indent=1) + "\n")
    if here.json:
        typer.echo(json.dumps(document))
    here.say(f"Written: {out}, {out.with_suffix('.json')}")
    problem = check_words.complaint(checks)
    if problem is not None:
        raise problem


def _simulate(*, full: bool, seed: int, out: Path) -> None:
    # Imported here: `mitigations --help` must not pay for scipy.
    from mitigations.files import write_atomic  # noqa: PLC0415
    from stats.calibrate import calibrate as simulate  # noqa: PLC0415
    from stats.calibrate_page import document, page  # noqa: PLC0415

    if full:
        typer.echo(
            "simulating half a million experiments; about five minutes on two cores", err=True
        )
    found = simulate(full=full, seed=seed)
    date = datetime.now(UTC).date().isoformat()
    write_atomic(out, page(found, date=date))
    write_atomic(out.with_suffix(".json"), json.dumps(document(found, date=date), indent=1) + "\n")
    for finding in found.broken:
        typer.echo(
            f"{finding.what} ({finding.setting}): {finding.observed:.4f} ± {finding.error:.4f}",
            err=True,
        )
    typer.echo(f"{len(found.findings)} figures, {len(found.broken)} out of bounds: {out}")
    if found.broken:
        raise typer.Exit(1)
