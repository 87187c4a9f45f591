"""`mitigations run STUDY.lock`: run, or resume with the same command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.session import Session, engine_of, moment, now, session

if TYPE_CHECKING:
    from mitigations.compose.running import Options
    from mitigations.compose.service import Remote

POLL_S = 0.2


def run(  # noqa: PLR0913 - one argument per flag of the command
    context: typer.Context,
    lock: Annotated[Path, typer.Argument(help="The lock that `mitigations plan` wrote.")],
    *,
    budget: Annotated[
        float | None, typer.Option(help="Most to spend, in US dollars; the plan's by default.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=2000, help="Trials at once, at most.")
    ] = None,
    max_wait: Annotated[
        float | None,
        typer.Option(min=0, help="Longest wait in seconds a provider may ask for; 600."),
    ] = None,
    only_errors: Annotated[
        bool, typer.Option("--only-errors", help="Run again what errors lost, nothing else.")
    ] = False,
    engine: Annotated[
        str | None, typer.Option(help="dbos: play the trials on many hosts.", show_default=False)
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="PostgreSQL (env MITIGATIONS_DATABASE_URL).", show_default=False),
    ] = None,
    workers_only: Annotated[
        bool, typer.Option("--workers-only", help="With --engine: play no trial here.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, call nobody.")
    ] = False,
) -> None:
    """Run a locked study, or go on where it stopped: the same command again."""
    import asyncio  # noqa: PLC0415 - start-up stays light

    from mitigations.cli.progress import Progress  # noqa: PLC0415 - start-up stays light
    from mitigations.compose import kept, planning, run_told, running  # noqa: PLC0415
    from mitigations.compose.service import service_of  # noqa: PLC0415
    from mitigations.errors import MitigationsError, OverBudget  # noqa: PLC0415
    from mitigations.providers import read_providers  # noqa: PLC0415
    from mitigations.store import Store  # noqa: PLC0415

    here = session(context)
    hosts = engine_of(
        engine, database_url, takes_part=not workers_only, quiet=here.quiet or here.json
    )
    plan = kept.open_for_run(lock, runs=here.runs)
    providers = read_providers(planning.workspace_of(lock))
    service = None if dry_run else service_of(here.db)
    if service is not None and hosts is not None:
        raise MitigationsError(
            "the database is held by `mitigations serve`, which runs this with its own engine\n"
            "  Start the service with --engine dbos, or stop it first."
        )
    if service is None:
        # The service looks into its own environment for keys; this one's say nothing of it.
        running.check_start(plan, providers, budget_usd=budget)
    if dry_run:
        here.say(
            f"{plan.trial_count} trials would run as {plan.run_id}; keys, prices and hashes hold."
        )
        return
    options = running.Options(
        budget_usd=budget,
        concurrency=concurrency,
        max_wait_s=max_wait,
        only_errors=only_errors,
    )
    ended = ""
    try:
        if service is not None:
            _through(service, here, lock, options)
        else:
            with Store.open(here.db) as store, Progress(here) as progress:
                store.is_alone = True
                around = running.Surroundings(
                    store=store,
                    runs=here.runs,
                    providers=providers,
                    now=now,
                    watch=progress,
                    note=progress.batch,
                    engine=hosts,
                )
                with run_told.told(here.db, store, plan, now=moment, say=here.say):
                    asyncio.run(running.run_plan(plan, around, options))
                ended = running.ended_by_rule(plan, store)
    except OverBudget as exc:
        spent = str(exc).splitlines()[0]
        raise OverBudget(f"{spent}\n  Resume: mitigations run {lock} --budget MORE") from exc
    if only_errors:
        here.say("What errors had lost was run again.")
    else:
        here.say(ended or f"Run {plan.run_id} is complete.")
    here.say(f"Next: mitigations report {plan.run_id} -o report.html")


def _through(service: "Remote", here: Session, lock: Path, options: "Options") -> None:
    """Have the process that owns the database run it, and show its progress as our own."""
    import time  # noqa: PLC0415 - start-up stays light

    from mitigations.cli.progress import Progress  # noqa: PLC0415
    from mitigations.cli.remote import follow  # noqa: PLC0415
    from mitigations.compose.running import Started  # noqa: PLC0415
    from mitigations.compose.service import refused  # noqa: PLC0415
    from runner.batch_nouns import BatchNote  # noqa: PLC0415

    body = {
        "lock": str(lock.resolve()),
        "budget_usd": options.budget_usd,
        "concurrency": options.concurrency,
        "max_wait_s": options.max_wait_s,
        "only_errors": options.only_errors,
    }
    job = service.post("/api/owner/runs", body)
    with Progress(here) as progress:
        end = follow(
            service,
            job["run"],
            started=lambda at: progress(
                Started(
                    run=at["run"],
                    total=at["total"],
                    done=at["before"],
                    possibly_paid_twice=at["possibly_paid_twice"],
                )
            ),
            advanced=progress.advance,
            noted=lambda batch: progress.batch(BatchNote(**batch)),
            pause=lambda: time.sleep(POLL_S),
        )
    if end["exit_code"] is not None:
        raise refused(end["error"], end["exit_code"])
