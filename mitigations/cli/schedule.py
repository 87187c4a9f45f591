"""`mitigations schedule add|list|remove|run-due`: studies that run by the clock."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitigations.cli.session import Session, now, session

if TYPE_CHECKING:
    from mitigations.schedules import Schedule

schedule = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Run studies by the clock: cron expression, time zone, a fresh plan for every slot.",
)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@schedule.command("add")
def add(
    context: typer.Context,
    study: Annotated[Path, typer.Argument(help="The study file.")],
    *,
    cron: Annotated[
        str, typer.Option(help="Five fields, instead of the study's `schedule:`.")
    ] = "",
    zone: Annotated[str, typer.Option(help="IANA time zone, such as Europe/Berlin; UTC.")] = "",
    grace: Annotated[
        int, typer.Option(min=1, help="Minutes after which a slot is missed, not caught up.")
    ] = 360,
    by: Annotated[str, typer.Option(help="Who wants it.")] = "",
) -> None:
    """Have a study run on a schedule; adding it again changes when."""
    here = session(context)
    from mitigations.compose import scheduling  # noqa: PLC0415 - start-up stays light

    _, when = scheduling.asked_for(study, cron=cron, zone=zone)
    made = scheduling.add_schedule(
        here.db, study, when=when, by=by, now=_now(), grace=timedelta(minutes=grace)
    )
    if here.json:
        typer.echo(json.dumps(_document(made), ensure_ascii=False))
        return
    here.say(f"Scheduled: {made.name}, {made.timetable}")
    here.say(f"Next: {_next(made)}")
    here.say("`mitigations serve` starts it; without a service, `schedule run-due` from a cron.")


@schedule.command("list")
def list_all(context: typer.Context) -> None:
    """Every schedule with its next and its last slots."""
    here = session(context)
    from mitigations.compose.scheduling import book_of, shown  # noqa: PLC0415

    found = book_of(here.db).schedules()
    if here.json:
        typer.echo(json.dumps([_document(one) for one in found.values()], ensure_ascii=False))
        return
    if not found:
        here.say("No schedule yet. Add one: mitigations schedule add STUDY.yaml --cron ...")
    for one in found.values():
        zone = one.timetable.zone
        typer.echo(f"{one.name}\t{one.timetable}\tnext {_next(one)}")
        if one.fired:
            last = one.fired[-1]
            state = last.state or "going"
            typer.echo(f"  last run: {shown(last.slot, zone)}, {last.run}, {state} {last.detail}")
        if one.missed:
            lost = one.missed[-1]
            many = f" (and {lost.count - 1} more)" if lost.count > 1 else ""
            typer.echo(f"  last missed: {shown(lost.last, zone)}{many}, {lost.reason}")
        typer.echo(f"  slots so far: {one.counts[0]} fired, {one.counts[1]} missed")


@schedule.command("remove")
def remove(
    context: typer.Context,
    study: Annotated[str, typer.Argument(help="The study's id.")],
    *,
    by: Annotated[str, typer.Option(help="Who ends it.")] = "",
) -> None:
    """End a study's schedule; what it has run stays, and a run under way goes on."""
    here = session(context)
    from mitigations.compose.scheduling import book_of  # noqa: PLC0415 - start-up stays light

    book_of(here.db).remove(study, at=_now(), by=by)
    here.say(f"No longer scheduled: {study}")


@schedule.command("run-due")
def run_due(context: typer.Context) -> None:
    """Run what is due now, then exit: for a system cron, where no service is kept up."""
    here = session(context)
    from mitigations.compose import noticing  # noqa: PLC0415
    from mitigations.compose.scheduling import Keeper, in_words  # noqa: PLC0415
    from mitigations.compose.service import service_of  # noqa: PLC0415 - start-up stays light
    from mitigations.errors import DatabaseBusy  # noqa: PLC0415
    from mitigations.store import Store  # noqa: PLC0415

    service = service_of(here.db)
    if service is not None:
        here.say(f"The service (PID {service.pid}) starts what is due; nothing to do here.")
        return
    book = noticing.notices_of(here.db)
    keeper = Keeper(
        here.db, now=_now, told=lambda one: noticing.slots_looked_at(book, one, at=_now())
    )
    if not keeper.book.schedules() and not keeper.book.going():
        here.say("Nothing is scheduled here. Add one: mitigations schedule add STUDY.yaml")
        return
    try:
        store = Store.open(here.db)
    except DatabaseBusy:
        found, waiting = keeper.look_on()
        for line in in_words(found):
            here.say(line)
        if waiting:
            raise
        return
    with store:
        _run(here, store, keeper)


def _run(here: Session, store: Any, keeper: Any) -> None:
    from mitigations.compose.run_due import run_due as go  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.scheduling import in_words  # noqa: PLC0415

    ends: list[tuple[str, str, str]] = []

    def ended(run: str, state: str, detail: str) -> None:
        ends.append((run, state, detail))
        here.say(f"{run}: {state}" + (f" ({detail.splitlines()[0]})" if detail else ""))

    found = go(store, here.runs, keeper, now=now, watch=lambda _: None, ended=ended)
    failed = _tell(here, store, ends)
    if failed:
        here.say(f"{failed} notices could not be delivered; the next call tries again.")
    for line in in_words(found):
        here.say(line)
    if not found and not ends:
        here.say("Nothing is due.")
    if any(state == "failed" for _, state, _ in ends):
        raise typer.Exit(1)
    if any(state == "stopped" for _, state, _ in ends):
        raise typer.Exit(5)


def _tell(here: Session, store: Any, ends: list[tuple[str, str, str]]) -> int:
    """Notices of what this call did, and those that are to be tried again; how many failed."""
    from mitigations.compose import noticing, telling  # noqa: PLC0415 - start-up stays light

    book = noticing.notices_of(here.db)
    studies = {run: study for run, study, _ in store.runs()}
    for run, state, _ in ends:
        if run in studies:
            noticing.run_ended(
                book,
                store,
                study=studies[run],
                run=run,
                state=state,
                over_budget=state == "stopped",
                at=_now(),
            )
    base = os.environ.get(telling.PUBLIC_URL, "")
    return telling.tell(book, telling.targets(os.environ), base=base, now=_now)


def _next(one: "Schedule") -> str:
    from mitigations.compose.scheduling import shown  # noqa: PLC0415 - start-up stays light

    moment = one.next(_now())
    return shown(moment, one.timetable.zone) if moment is not None else "never again"


def _document(one: "Schedule") -> dict[str, Any]:
    moment = one.next(_now())
    return {
        "study": one.name,
        "file": one.study,
        "cron": one.timetable.cron,
        "zone": one.timetable.zone,
        "grace_minutes": one.grace.total_seconds() / 60,
        "since": one.since.isoformat(),
        "next": moment.isoformat() if moment is not None else None,
        "fired": one.counts[0],
        "missed": one.counts[1],
        "last_fired": [
            {
                "slot": slot.slot.isoformat(),
                "run": slot.run,
                "state": slot.state or "going",
                "detail": slot.detail,
            }
            for slot in one.fired
        ],
        "last_missed": [
            {
                "first": some.first.isoformat(),
                "last": some.last.isoformat(),
                "count": some.count,
                "reason": some.reason,
            }
            for some in one.missed
        ],
    }
