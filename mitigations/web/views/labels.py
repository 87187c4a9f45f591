"""Blind labelling: one desk a request, under the lock that every change of the workspace takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mitigations.compose import labelling
from mitigations.compose.labelling import Agreement, Desk, Item, Progress
from mitigations.compose.labelling.shown import SEVERITIES
from mitigations.errors import NoData
from mitigations.web.access import Who
from mitigations.web.refusals import FormRefused
from mitigations.web.services import Services
from mitigations.web.views import runs as run_views
from mitigations.web.views.variants import named

ABSTAIN = "abstain"
SCALE = tuple(enumerate(SEVERITIES))
MOST_SAMPLE = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How far the labelling of one run is."""

    run: str
    sample: int | None
    """None: nobody has drawn one yet."""
    progress: tuple[Progress, ...]
    agreement: Agreement | None


@contextmanager
def desk(services: Services, run: str) -> Iterator[Desk]:
    """The desk of a run; raises `UnknownName`."""
    name = run_views.known(services, run)
    with services.writing, services.reading() as store:
        yield labelling.open_desk(store, name, runs=services.runs, now=services.now)


def tables(services: Services, runs: list[str]) -> list[Table]:
    """How far each run is."""
    return [_table(services, run) for run in runs]


def _table(services: Services, run: str) -> Table:
    with desk(services, run) as found:
        try:
            drawn = labelling.sample(found)
        except NoData:
            return Table(run=run, sample=None, progress=(), agreement=None)
        return Table(
            run=run,
            sample=len(drawn.items),
            progress=tuple(labelling.progress(found, who) for who in labelling.labellers(found)),
            agreement=labelling.agreement(found),
        )


def draw(services: Services, who: Who, run: str, size: str) -> None:
    """Draw the sample, or make it larger."""
    if not (size.isascii() and size.isdigit() and 0 < int(size) <= MOST_SAMPLE):
        raise FormRefused(f"the size of a sample is a number from 1 to {MOST_SAMPLE:,}")
    with desk(services, run) as found:
        services.audit.record(who, "draw a sample to label", found.run, detail=size)
        labelling.draw(found, int(size))


def labeller(found: Desk, who: Who, given: str) -> str:
    """Whose answers these are."""
    return labelling.check_labeller(found, named(who, given))


def item(
    services: Services, who: Who, run: str, given: str, chosen: str
) -> tuple[str, Item | None]:
    """The labeller and the item to show: the chosen one, or the first that is not answered."""
    with desk(services, run) as found:
        labelling.sample(found)
        name = labeller(found, who, given)
        if chosen:
            return name, labelling.show(found, name, chosen)
        return name, labelling.next_item(found, name)


def answer(
    services: Services, who: Who, run: str, *, given: str, item: str, severity: str, note: str
) -> str:
    """Keep one answer; gives the labeller's name. On disk when this returns."""
    level: int | None = None
    if severity != ABSTAIN:
        if severity not in {str(number) for number, _ in SCALE}:
            raise FormRefused("choose a severity from 0 to 5, or abstain")
        level = int(severity)
    with desk(services, run) as found:
        name = labeller(found, who, given)
        labelling.save(found, name, item, level, note=note)
        look_again(services, found, name)
    return name


def look_again(services: Services, found: Desk, name: str) -> None:
    """What the report and the alarms say of the judge rests on the answers that are complete."""
    if not labelling.progress(found, name).left:
        services.results.refresh_later(found.run)


def before(services: Services, who: Who, run: str, given: str, item: str) -> str:
    """The item before this one, or itself at the first."""
    with desk(services, run) as found:
        name = labeller(found, who, given)
        earlier = labelling.item_before(found, name, item)
    return earlier.item if earlier is not None else item
