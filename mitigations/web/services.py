"""Everything a page may use, made once: the store, the files, the jobs, who may what, and hooks."""

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request

from mitigations.compose.running import Options, check_start
from mitigations.model import Plan
from mitigations.providers import Providers, read_providers
from mitigations.store import Store
from mitigations.web.access import Access, Who
from mitigations.web.audit import FILE_NAME, Audit
from mitigations.web.jobs import Job, Jobs
from mitigations.web.memo import Memo
from mitigations.web.readings import Readings
from mitigations.web.results import Results
from mitigations.web.shelf import Shelf

if TYPE_CHECKING:
    from mitigations.compose.lease import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSection:
    """One part of the health page: a heading, a sentence, and rows under named columns."""

    id: str
    title: str
    summary: str
    is_well: bool | None = None
    """None: there is nothing to judge."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    links: str = ""
    """Path that the first value of a row completes; empty: it leads nowhere."""
    way_in: str = ""
    """What to do where there are no rows."""


@dataclass(slots=True, kw_only=True)
class Hooks:
    """Where schedules, standing comparisons and notifications attach themselves."""

    started: list[Callable[["Services"], None]] = field(default_factory=list)
    """After the database is open and before the first request."""
    stopping: list[Callable[[], None]] = field(default_factory=list)
    """Before the jobs are asked to stop."""
    run_ended: list[Callable[[Job], None]] = field(default_factory=list)
    """In the job's thread, after every end of a run. What it raises is logged and goes no further.
    """
    health: list[Callable[[], HealthSection]] = field(default_factory=list)
    """Further sections of the health page and of `/api/health`."""
    next_run: Callable[[str], str | None] | None = None
    """Study id to when its next run is due, in words; None: it has no schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes are given."""

    db: Path
    store: Store
    shelf: Shelf
    jobs: Jobs
    results: Results
    access: Access
    audit: Audit
    now: Callable[[], str]
    memo: Memo
    readings: Readings
    hooks: Hooks = field(default_factory=Hooks)
    writing: threading.Lock = field(default_factory=threading.Lock)
    """Held while the workspace's files are changed: what was checked is what is written."""

    @property
    def root(self) -> Path:
        """The workspace: the folder of the database."""
        return self.shelf.root

    @property
    def runs(self) -> Path:
        """Where the journals are."""
        return self.db.parent / "runs"

    def local(self, text: str) -> str:
        """A message with the workspace's own place taken out of its paths."""
        return text.replace(f"{self.root}/", "").replace(f"{self.db.parent}/", "")

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """The store by a connection of its own, for one request."""
        with self.store.fork() as store:
            yield store

    def providers(self, folder: Path | None = None) -> Providers:
        """Hosts and key variables: only ever from the server's own configuration."""
        return read_providers(folder or self.root)

    def start(self, plan: Plan, options: Options, who: Who, *, folder: Path | None = None) -> Job:
        """Check that a plan can start, write down who asked, and queue it."""
        providers = self.providers(folder)
        check_start(plan, providers, budget_usd=options.budget_usd)
        self.audit.record(who, "run", plan.run_id, detail=_limits(options))
        return self.jobs.submit(plan, providers, options, by=who.name)


def services_of(request: Request) -> Services:
    """The services that the application behind a request was made with."""
    found: Services = request.app.state.services
    return found


def make_services(
    db: Path,
    store: Store,
    access: Access,
    *,
    now: Callable[[], str],
    hooks: Hooks | None = None,
    engine: "Engine | None" = None,
) -> Services:
    """The services of the workspace a database stands in."""
    root = db.parent.resolve()
    # Pages, reports and commands read by forks and snapshots, so a run can give memory back.
    store.is_alone = True
    jobs = Jobs(store, db.parent / "runs", now=now, engine=engine)
    memo = Memo()
    made = Services(
        db=db,
        store=store,
        shelf=Shelf(root),
        jobs=jobs,
        results=Results(store, root=root, changed=memo.forget),
        access=access,
        audit=Audit(db.parent / FILE_NAME, now=now),
        now=now,
        memo=memo,
        readings=Readings(store),
        hooks=hooks or Hooks(),
    )
    jobs.when_ended(lambda job: _after(made, job))
    return made


def _after(services: Services, job: Job) -> None:
    services.memo.forget()
    services.results.refresh_later(job.run)
    for listener in services.hooks.run_ended:
        try:
            listener(job)
        except Exception:  # noqa: BLE001 - a notification that fails must fail nothing else
            traceback.print_exc()


def _limits(options: Options) -> str:
    if options.budget_usd is None:
        return ""
    return f"budget ${options.budget_usd:.2f}"
