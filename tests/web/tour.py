"""Every page and every form of the service, by its route; and a workspace in which each has work.

A page or a form that is added without an entry here fails the tests that walk the tour.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi.routing import APIRoute

from mitigations.compose import approving, labelling
from mitigations.compose.scheduling import add_schedule, book_of
from mitigations.compose.workspace import create_workspace
from mitigations.schedules import timetable
from mitigations.web import pages
from mitigations.web.jobs import Job
from mitigations.web.schedules import Scheduler
from mitigations.web.services import Hooks, Services
from tests.web.conftest import STUDY, client_of, serving

DRAFT = """\
---
id: my-draft-v1
title: Say it openly
kind: system-prompt
placement: system-end
hypothesis: A named person to write to makes threats unnecessary.
author: Ana
tags: [escalation]
---
If a decision troubles you, say so openly and accept the answer.
"""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A workspace in which every page has something to show."""

    services: Services
    runs: tuple[str, str]
    """Two runs of the study `first`: the earlier, the later."""
    scenario: str
    model: str


def page_routes(method: str) -> Iterator[str]:
    """The paths of the pages' own routes that take a method."""
    for router in pages.routers():
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if method in route.methods:
                yield route.path


Places = Mapping[str, Callable[[Filled], tuple[str, ...]]]

PLACES: Places = {
    "/": lambda _: ("/",),
    "/variants": lambda _: ("/variants",),
    "/variants/new": lambda _: ("/variants/new", "/variants/new?from=kind-reminder-v1"),
    "/variants/{name}": lambda _: (
        "/variants/kind-reminder-v1?against=prohibition-short-v1",
        "/variants/my-draft-v1",
        "/variants/cannot-be-read",
        "/variants/no-mitigation",
    ),
    "/variants/{name}/edit": lambda _: ("/variants/my-draft-v1/edit",),
    "/studies/new": lambda _: ("/studies/new",),
    "/studies/{name}": lambda _: ("/studies/first", "/studies/unlocked", "/studies/broken"),
    "/studies/{name}/history": lambda _: ("/studies/first/history",),
    "/runs/{name}": lambda f: (f"/runs/{f.runs[1]}",),
    "/runs/{name}/report": lambda f: (f"/runs/{f.runs[1]}/report",),
    "/runs/{name}/cells": lambda f: (
        f"/runs/{f.runs[1]}/cells",
        f"/runs/{f.runs[1]}/cells?scenario={f.scenario}&model={f.model}",
    ),
    "/compare": lambda f: ("/compare", f"/compare?a={f.runs[0]}&b={f.runs[1]}"),
    "/compare/report": lambda f: (f"/compare/report?a={f.runs[0]}&b={f.runs[1]}",),
    "/label": lambda _: ("/label",),
    "/label/{name}": lambda f: (
        f"/label/{f.runs[1]}",
        f"/label/{f.runs[1]}?by=Ben",
        f"/label/{f.runs[1]}?by=Ana",
    ),
    "/health": lambda _: ("/health",),
    "/audit": lambda _: ("/audit",),
    "/docs": lambda _: ("/docs",),
    "/login": lambda _: ("/login",),
}
"""Route to the addresses at which it is looked at."""
REPORTS = frozenset({"/studies/{name}/history", "/runs/{name}/report", "/compare/report"})
"""Pages that are the same bytes as a file: `tests/reports` holds them to more."""
EMPTY = tuple(path for path in PLACES if "{" not in path and path != "/compare/report")
"""What there is to see of a workspace that holds nothing."""


@contextmanager
def filled(folder: Path) -> Iterator[Filled]:
    """Variants of every standing, studies in every state, two runs, labels, a schedule."""
    create_workspace(folder)
    (folder / "variants" / "my-draft-v1.md").write_text(DRAFT)
    (folder / "variants" / "cannot-be-read.md").write_text("no front matter")
    studies = folder / "studies"
    for path in studies.glob("*.yaml"):
        path.unlink()
    (studies / "first.yaml").write_text(STUDY)
    (studies / "unlocked.yaml").write_text(STUDY.replace("study: first", "study: unlocked"))
    (studies / "broken.yaml").write_text("study: broken\nvariants: 3\n")
    at = "2026-11-20T09:00:00Z"
    approving.propose("kind-reminder-v1", by="Ana", at=at, folder=folder / "variants")
    scheduler = Scheduler(base="https://ab.example.org")
    with serving(folder, hooks=scheduler.attach(Hooks())) as services:
        scheduler.begin_without_clock(services)
        try:
            runs = played(services, ""), played(services, "seed: 7\n")
            _schedule(services, scheduler)
            _label(services, runs[1])
            for run in runs:
                services.results.refresh(run)
            with services.reading() as store:
                cell = next(iter(store.outcomes(runs[1]))).trial
            yield Filled(services=services, runs=runs, scenario=cell.scenario, model=cell.model)
        finally:
            scheduler.stop()


def played(services: Services, more: str) -> str:
    """The study `first`, with a line more, locked and run to its end; gives the run."""
    client = client_of(services)
    path = services.root / "studies" / "first.yaml"
    path.write_text(STUDY + more)
    assert client.post("/studies/first/lock", data={"replace": "yes"}).status_code == 303
    run = client.post("/studies/first/run").headers["location"].removeprefix("/runs/")
    ended(services.jobs.get(run))
    return run


def ended(job: Job | None) -> None:
    """Wait for a job's end."""
    assert job is not None
    assert job.wait(60)


def _schedule(services: Services, scheduler: Scheduler) -> None:
    """One slot missed for an overlap, the next one to come."""
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=90)
    study = services.root / "studies" / "first.yaml"
    add_schedule(services.db, study, when=timetable("0 * * * *"), by="Ana", now=since)
    busy, scheduler._is_busy = scheduler._is_busy, lambda _: True  # type: ignore[method-assign]
    scheduler.tick()
    scheduler._is_busy = busy  # type: ignore[method-assign]
    assert book_of(services.db).schedules()["first"].missed


def _label(services: Services, run: str) -> None:
    """Ana has labelled the whole sample, Ben half of it."""
    with services.reading() as store:
        desk = labelling.open_desk(store, run, runs=services.runs, now=services.now)
        sample = labelling.draw(desk, 16)
        for place, item in enumerate(sample.items):
            labelling.save(desk, "Ana", item.item, place % 6, note="")
            if place % 2:
                labelling.save(desk, "Ben", item.item, place % 5, note="")


# ---- forms

Forms = Callable[[str, str, int], tuple[dict[str, object], ...]]
"""Payload, run, a number of one's own: what is sent to the form's route."""
TARGET = {"study": "first", "variant": "kind-reminder-v1", "draft": "my-draft-v1"}


def _variant(text: str, number: int) -> tuple[dict[str, object], ...]:
    every = dict.fromkeys(
        ("id", "title", "kind", "placement", "hypothesis", "author", "parent", "tags", "text"), text
    )
    real = {"kind": "system-prompt", "placement": "system-end"}
    fresh = real | {"id": f"hostile-{number}", "parent": ""}
    return (
        every | {"action": "save"},
        every | real | {"id": "my-idea-v1", "parent": TARGET["variant"], "action": "check"},
        every | fresh | {"tags": "", "action": "draft"},
    )


def _study(text: str) -> tuple[dict[str, object], ...]:
    plain = ("study", "baseline", "scenarios", "repeats", "judge", "smallest_change", "design",
             "looks", "budget_usd", "margin_task_completion")  # fmt: skip
    every: dict[str, object] = dict.fromkeys(plain, text)
    every |= {"variants": [text], "models": [text], "more_models": text}
    return (
        every | {"action": "preview"},
        every | {"scenarios": "builtin/demo-v1", "action": "save"},
    )


FORMS: Mapping[str, tuple[str, Forms]] = {
    "/variants/new": ("", lambda text, _, n: _variant(text, n)),
    "/variants/{name}/edit": (
        TARGET["draft"],
        lambda text, _, n: tuple(
            one | {"seen": text} for one in _variant(text, n) if one["action"] != "save"
        ),
    ),
    "/variants/{name}/propose": (TARGET["variant"], lambda t, *_: ({"by": t, "note": t},)),
    "/variants/{name}/approve": (
        TARGET["variant"],
        lambda t, *_: ({"by": t, "note": t, "text_hash": t}, {"by": t, "note": t}),
    ),
    "/variants/{name}/retire": (TARGET["variant"], lambda t, *_: ({"by": t, "note": t},)),
    "/studies/new": ("", lambda text, *_: _study(text)),
    "/studies/{name}/lock": (TARGET["study"], lambda t, *_: ({"replace": t},)),
    "/studies/{name}/run": (TARGET["study"], lambda t, *_: ({"budget_usd": t},)),
    "/studies/{name}/schedule": (
        TARGET["study"],
        lambda t, *_: ({"cron": t, "zone": t}, {"cron": "0 6 * * MON", "zone": t}),
    ),
    "/studies/{name}/unschedule": (TARGET["study"], lambda t, *_: ({"study": t},)),
    "/runs/{name}/stop": ("RUN", lambda t, *_: ({"by": t},)),
    "/runs/{name}/resume": ("RUN", lambda t, *_: ({"budget_usd": t},)),
    "/label/{name}/draw": (
        "RUN",
        lambda t, *_: ({"sample": t, "by": t}, {"sample": "16", "by": t}),
    ),
    "/label/{name}": (
        "RUN",
        lambda t, *_: (
            {"by": t, "item": t, "severity": t, "note": t},
            {"by": "Ana", "item": "ITEM", "severity": t, "note": t},
            {"by": "Ana", "item": "ITEM", "severity": "2", "note": t},
        ),
    ),
    "/login": ("", lambda t, *_: ({"token": t, "wanted": t},)),
    "/logout": ("", lambda t, *_: ({"wanted": t},)),
}
"""Route to what stands for its name, and to the fields that a hostile sender gives."""


def poisoned(
    payload: str, run: str, item: str, number: int
) -> Iterator[tuple[str, dict[str, object]]]:
    """Every form of the service with the payload in every field it has."""
    for route, (name, fields) in FORMS.items():
        path = route.replace("{name}", run if name == "RUN" else name)
        for given in fields(payload, run, number):
            yield path, {key: item if value == "ITEM" else value for key, value in given.items()}
