"""What a command on this machine needs of the database while the service owns it.

Reading: any query that only reads, all of them answered from one state. Writing: labels and checks
of judges, by the functions of the pages and under their lock. The secret of the owner file opens
these, and whoever has it could read the file itself.
"""

import io
import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from mitigations.codec import build, plain
from mitigations.compose import labelling
from mitigations.compose.labelling import Answer
from mitigations.model import JudgeCheck, Label
from mitigations.web.api.owner import Command
from mitigations.web.nouns import Noun
from mitigations.web.permission import Here
from mitigations.web.views import labels as label_views

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema

router = APIRouter(prefix="/api/owner", include_in_schema=False)


class ViewIn(Noun):
    """Who reads, and whether every query is to see what has landed by then."""

    pid: Annotated[int, Field(gt=0)]
    fresh: bool = False


class SlotIn(Noun):
    """One of the queries under way."""

    slot: Annotated[int, Field(ge=0, lt=16)]


class QueryIn(SlotIn):
    """A query with its parameters."""

    query: str
    given: list[Any] | dict[str, Any]


class TableIn(QueryIn):
    """The same as Arrow batches."""

    size: Annotated[int, Field(gt=0)]


class DrawIn(Noun):
    """A sample to draw, or to make larger."""

    run: str
    size: Annotated[int, Field(gt=0)]
    seed: int | None = None


class AnswerIn(Noun):
    """An answer to one item, and the text it was given to."""

    item: str
    severity: Annotated[int, Field(ge=0, le=5)] | None
    note: str
    text_hash: str


class AnswersIn(Noun):
    """Answers of one labeller, kept together."""

    run: str
    who: str
    answers: Annotated[list[AnswerIn], Field(min_length=1)]


class ChecksIn(Noun):
    """Checks of judges that were made."""

    checks: list[dict[str, Any]]


@router.post("/views")
def begin(services: Here, _: Command, given: ViewIn) -> dict[str, Any]:
    """Hold the state of this moment for a reader."""
    at = services.now()
    name, snapshot = services.readings.begin(given.pid, fresh=given.fresh)
    return {"view": name, "at": at, "slots": snapshot.slots}


@router.post("/views/{view}/query")
def query(services: Here, _: Command, view: str, given: QueryIn) -> Response:
    """The first rows of a query."""
    return _rows(services.readings.get(view).select(given.slot, given.query, given.given))


@router.post("/views/{view}/rows")
def rows(services: Here, _: Command, view: str, given: SlotIn) -> Response:
    """The next ones."""
    return _rows(services.readings.get(view).rows(given.slot))


@router.post("/views/{view}/table")
def table(services: Here, _: Command, view: str, given: TableIn) -> Response:
    """Begin a query as Arrow; gives its schema."""
    snapshot = services.readings.get(view)
    return _arrow(snapshot.table(given.slot, given.query, given.given, size=given.size), None)


@router.post("/views/{view}/batch")
def batch(services: Here, _: Command, view: str, given: SlotIn) -> Response:
    """The next batch; empty after the last."""
    found = services.readings.get(view).batch(given.slot)
    return Response(b"") if found is None else _arrow(found.schema, found)


@router.post("/views/{view}/end")
def end(services: Here, _: Command, view: str) -> dict[str, Any]:
    """The reader has finished."""
    services.readings.end(view)
    return {}


def _rows(found: tuple[list[Any], bool]) -> Response:
    # No conversion on the way: a value that JSON does not have must fail here, not arrive changed.
    body = json.dumps({"rows": found[0], "more": found[1]}, ensure_ascii=False)
    return Response(body.encode(), media_type="application/json")


def _arrow(schema: "Schema", content: "RecordBatch | None") -> Response:
    import pyarrow as pa  # noqa: PLC0415 - only for tables

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as stream:
        if content is not None:
            stream.write_batch(content)
    return Response(sink.getvalue(), media_type="application/vnd.apache.arrow.stream")


@router.post("/labels/draw")
def draw(services: Here, who: Command, given: DrawIn) -> dict[str, Any]:
    """Draw a sample for `mitigations label --sample`."""
    with label_views.desk(services, given.run) as desk:
        services.audit.record(who, "draw a sample to label", desk.run, detail=str(given.size))
        made = labelling.draw(desk, given.size, seed=given.seed)
    return {"number": made.number, "items": len(made.items)}


@router.post("/labels")
def save(services: Here, _: Command, given: AnswersIn) -> dict[str, Any]:
    """Keep answers of `mitigations label`: all of them, or none."""
    with label_views.desk(services, given.run) as desk:
        answers = [Answer(**one.model_dump()) for one in given.answers]
        kept = labelling.save_all(desk, given.who, answers)
        label_views.look_again(services, desk, given.who)
    return {"labels": [plain(Label, one) for one in kept]}


@router.post("/judge-checks")
def add_checks(services: Here, _: Command, given: ChecksIn) -> dict[str, Any]:
    """Keep what `mitigations calibrate --judge` found."""
    with services.writing, services.reading() as store:
        store.add_judge_checks([build(JudgeCheck, one) for one in given.checks])
    return {}
