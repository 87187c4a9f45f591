"""For commands on this machine: they show the secret of the owner file and hand their work over.

Such a command is the same user as this process, so it may name files as that user could.
"""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from mitigations import __version__
from mitigations.compose.kept import open_for_run
from mitigations.compose.planning import workspace_of
from mitigations.compose.running import Options
from mitigations.web.access import Who
from mitigations.web.nouns import Noun
from mitigations.web.permission import Here, NotAllowed, NotSignedIn
from mitigations.web.refusals import NotLive
from mitigations.web.tokens import Role

router = APIRouter(prefix="/api/owner", include_in_schema=False)


async def _command(request: Request) -> Who:
    """Only the secret of the owner file opens these; a token of whatever role does not."""
    who: Who | None = request.state.who
    if who is None:
        raise NotSignedIn
    if who.via != "command":
        raise NotAllowed(who, Role.RUN)
    return who


_command.role = Role.RUN  # type: ignore[attr-defined]  # for the table of who may what
Command = Annotated[Who, Depends(_command)]


class OwnerOut(Noun):
    """Who serves which database."""

    pid: int
    database: str
    version: str


class StartIn(Noun):
    """A lock on this machine, by its path."""

    lock: str
    budget_usd: float | None = None
    concurrency: int | None = None
    max_wait_s: float | None = None
    only_errors: bool = False


class BatchOut(Noun):
    """How far a batch is at its provider."""

    model: str
    batch: str
    done: int
    total: int


class ProgressOut(Noun):
    """How far a job is, in the counts that a progress display adds up."""

    run: str
    state: str
    total: int
    before: int
    new: int
    lost: int
    cost_usd: float | None
    possibly_paid_twice: int
    has_started: bool
    batches: list[BatchOut]
    error: str
    exit_code: int | None


@router.get("")
def owner(services: Here, _: Command) -> OwnerOut:
    """Say which process and database this is: a stale owner file is found out by it."""
    return OwnerOut(pid=os.getpid(), database=str(services.db.resolve()), version=__version__)


@router.post("/runs")
def start(services: Here, who: Command, given: StartIn) -> ProgressOut:
    """Run a lock, or go on with it."""
    path = Path(given.lock)
    options = Options(**given.model_dump(exclude={"lock"}))
    plan = open_for_run(path, runs=services.runs)
    job = services.start(plan, options, who, folder=workspace_of(path))
    return progress(services, who, job.run)


@router.get("/runs/{name}")
def progress(services: Here, _: Command, name: str) -> ProgressOut:
    """How far it is."""
    job = services.jobs.get(name)
    if job is None:
        raise NotLive(f"run {name[:80]} is not running here")
    pace, error = job.pace, job.error
    return ProgressOut(
        run=name,
        state=job.state.value,
        total=pace.total,
        before=pace.before,
        new=pace.new,
        lost=pace.lost,
        cost_usd=pace.cost_usd,
        possibly_paid_twice=pace.possibly_paid_twice,
        has_started=job.has_started,
        batches=[BatchOut(**asdict(note)) for note in job.batches],
        error="" if error is None else str(error),
        exit_code=None if error is None else error.exit_code,
    )


@router.post("/runs/{name}/stop")
def stop(services: Here, who: Command, name: str) -> ProgressOut:
    """What Ctrl-C asks for."""
    job = services.jobs.get(name)
    if job is not None and job.state.is_live:
        services.audit.record(who, "stop a run", name)
        job.interrupt()
    return progress(services, who, name)
