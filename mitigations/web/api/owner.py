"""For commands on this machine: they show the secret of the owner file and hand their work over.

Such a command is the same user as this process, so it may name files as that user could.
"""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from mitigations.compose.kept import open_for_run
from mitigations.compose.planning import workspace_of
from mitigations.compose.rebuilding import audit
from mitigations.compose.reporting import known_run, latest_run
from mitigations.compose.running import Options
from mitigations.web.access import Who
from mitigations.web.nouns import Noun
from mitigations.web.permission import Here, NotAllowed, NotSignedIn
from mitigations.web.refusals import NotLive
from mitigations.web.results import MEDIA
from mitigations.web.tokens import Role
from reports import standing_bytes

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


class ReportIn(Noun):
    """Which report, as `mitigations report` asks for it."""

    run: str | None = None
    form: Literal["html", "md", "json", "csv", "parquet", "pdf"]
    output: str
    transcripts: int | Literal["none", "all"] = 3
    against: str | None = None


class HistoryIn(Noun):
    """Which study, as `mitigations history` asks for it."""

    study: str
    form: Literal["html", "md"]


class SentencesOut(Noun):
    """What the terminal prints of a report."""

    run: str
    sentences: list[str]


class FaultsOut(Noun):
    """What does not agree between rows, cells and journals."""

    problems: list[str]


@router.get("")
def owner(services: Here, _: Command) -> OwnerOut:
    """Say which process and database this is: a stale owner file is found out by it."""
    return OwnerOut(pid=os.getpid(), database=str(services.db.resolve()))


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


@router.post("/report")
def report(services: Here, _: Command, given: ReportIn) -> Response:
    """The report's bytes."""
    run, against = _runs(services, given)
    made = services.results.file(
        run, given.form, output=given.output, transcripts=given.transcripts, against=against
    )
    return Response(made, media_type=MEDIA[given.form])


@router.post("/sentences")
def sentences(services: Here, _: Command, given: ReportIn) -> SentencesOut:
    """The sentences that go with it."""
    run, against = _runs(services, given)
    return SentencesOut(
        run=run, sentences=services.results.sentences(run, given.transcripts, against)
    )


def _runs(services: Here, given: ReportIn) -> tuple[str, str | None]:
    with services.reading() as store:
        run = latest_run(store) if given.run is None else known_run(store, given.run)
        other = None if given.against is None else known_run(store, given.against)
    return run, other


@router.post("/history")
def history(services: Here, _: Command, given: HistoryIn) -> Response:
    """A study over all of its runs."""
    found = services.results.standing(given.study)
    return Response(standing_bytes(found, f".{given.form}"), media_type=MEDIA[given.form])


@router.post("/check")
def check(services: Here, _: Command) -> FaultsOut:
    """Hold rows, cells and journals against each other."""
    with services.reading() as store:
        return FaultsOut(problems=audit(store, services.runs))
