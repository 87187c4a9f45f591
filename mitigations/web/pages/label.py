"""`/label`: a person's reading of a blind sample, one reply at a time."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from mitigations.errors import MitigationsError, UnknownName
from mitigations.web.faults import refusal, said, status_of
from mitigations.web.forms import Form, Sent
from mitigations.web.pages import go
from mitigations.web.permission import Here, Proposer, Reader
from mitigations.web.refusals import FormRefused
from mitigations.web.render import page
from mitigations.web.services import Services
from mitigations.web.views import labels as views
from mitigations.web.views import runs as run_views

router = APIRouter(include_in_schema=False)
SHOWN_RUNS = 20


@router.get("/label")
def label(request: Request, services: Here, _: Reader) -> HTMLResponse:
    """The runs there are to label, and how far each is."""
    return _runs(request, services)


def _runs(
    request: Request,
    services: Services,
    *,
    refused: MitigationsError | None = None,
    typed: Form | None = None,
    run: str = "",
) -> HTMLResponse:
    with services.reading() as store:
        runs = [one.run for one in run_views.summaries(services, store) if one.landed]
    return page(
        request,
        "label.html",
        tables=views.tables(services, runs[:SHOWN_RUNS]),
        typed_for=run,
        **refusal(request, refused, typed),
    )


@router.post("/label/{name}/draw")
def draw(request: Request, services: Here, who: Proposer, form: Sent, name: str) -> Response:
    """Draw a sample, or make it larger, and begin."""
    try:
        views.draw(services, who, name, form.one("sample"))
    except UnknownName:
        raise
    except MitigationsError as exc:
        return _runs(request, services, refused=exc, typed=form, run=name)
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
    else:
        run_views.known(services, name)
    return page(
        request,
        "label_item.html",
        run=name,
        by=found,
        item=shown,
        scale=views.SCALE,
        problem="",
        note="",
    )


@router.post("/label/{name}")
def answer(request: Request, services: Here, who: Proposer, form: Sent, name: str) -> Response:
    """Keep the answer and go on, or go back to the reply before."""
    by, item = form.one("by"), form.one("item")
    query = {} if who.is_named else {"by": by}
    if form.one("action") == "back":
        return go.to("label", name, **query, item=views.before(services, who, name, by, item))
    try:
        views.answer(
            services,
            who,
            name,
            given=by,
            item=item,
            severity=form.one("severity"),
            note=form.text("note"),
        )
    except FormRefused as exc:
        found, shown = views.item(services, who, name, by, item)
        return page(
            request,
            "label_item.html",
            status=status_of(exc),
            run=name,
            by=found,
            item=shown,
            scale=views.SCALE,
            problem=said(request, exc),
            note=form.one("note"),
        )
    return go.to("label", name, **query)
