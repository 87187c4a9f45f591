"""`/label`: a person's reading of a blind sample, one reply at a time."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from mitigations.web.forms import Sent
from mitigations.web.pages import go
from mitigations.web.permission import Here, Proposer, Reader
from mitigations.web.render import page
from mitigations.web.views import labels as views
from mitigations.web.views import runs as run_views

router = APIRouter(include_in_schema=False)
SHOWN_RUNS = 20


@router.get("/label")
def label(request: Request, services: Here, _: Reader) -> HTMLResponse:
    """The runs there are to label, and how far each is."""
    with services.reading() as store:
        runs = [one.run for one in run_views.summaries(services, store) if one.landed]
    return page(request, "label.html", tables=views.tables(services, runs[:SHOWN_RUNS]))


@router.post("/label/{name}/draw")
def draw(services: Here, who: Proposer, form: Sent, name: str) -> RedirectResponse:
    """Draw a sample, or make it larger, and begin."""
    views.draw(services, who, name, form.one("sample"))
    by = {} if who.is_named else {"by": form.one("by")}
    return go.to("label", name, **by)


@router.get("/label/{name}")
def one(
    request: Request,
    services: Here,
    who: Proposer,
    name: str,
    by: Annotated[str, Query(max_length=100)] = "",
    item: Annotated[str, Query(max_length=100)] = "",
) -> HTMLResponse:
    """One reply, blind to arm, model and verdict, with the scale."""
    found = shown = None
    if who.is_named or by:
        found, shown = views.item(services, who, name, by, item)
    return page(
        request, "label_item.html", run=name, by=found, item=shown, scale=views.SCALE, given=by
    )


@router.post("/label/{name}")
def answer(services: Here, who: Proposer, form: Sent, name: str) -> RedirectResponse:
    """Keep the answer and go on, or go back to the reply before."""
    by, item = form.one("by"), form.one("item")
    query = {} if who.is_named else {"by": by}
    if form.one("action") == "back":
        return go.to("label", name, **query, item=views.before(services, who, name, by, item))
    views.answer(
        services,
        who,
        name,
        given=by,
        item=item,
        severity=form.one("severity"),
        note=form.text("note"),
    )
    return go.to("label", name, **query)
