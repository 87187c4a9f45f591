"""`/variants`: read, compare and approve the texts under test."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from mitigations.errors import MitigationsError, UnknownName
from mitigations.web.access import Who
from mitigations.web.faults import refusal
from mitigations.web.forms import Form, Sent
from mitigations.web.pages import go
from mitigations.web.permission import Approver, Here, Proposer, Reader
from mitigations.web.render import page
from mitigations.web.services import Services
from mitigations.web.views import drafts
from mitigations.web.views import variants as views

router = APIRouter(include_in_schema=False)


@router.get("/variants")
def shelf(request: Request, services: Here, _: Reader) -> HTMLResponse:
    """Every variant with its status; first what waits for a decision."""
    found = views.summaries(services)
    return page(
        request,
        "variants.html",
        waiting=[one for one in found if one.status == "proposed"],
        own=[one for one in found if not one.is_shipped and one.status != "proposed"],
        shipped=[one for one in found if one.is_shipped and one.status != "proposed"],
    )


@router.get("/variants/{name}")
def one(
    request: Request,
    services: Here,
    _: Reader,
    name: str,
    against: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """One variant: text, remarks, difference, history, status."""
    return _shown(request, services, name, against=against)


def _shown(
    request: Request,
    services: Services,
    name: str,
    *,
    against: str = "",
    refused: MitigationsError | None = None,
    typed: Form | None = None,
) -> HTMLResponse:
    """The page of a variant; after a form that was refused with why, and with what was typed."""
    view = views.variant_view(services, name)
    other = against or view.parent or ""
    known = services.shelf.readable()
    diff = None
    if other in known and other != name and not view.problem:
        diff = views.diff_out(services, other, name)
    elif against:
        services.shelf.variant(against)
    return page(
        request,
        "variant.html",
        variant=view,
        diff=diff,
        against=other,
        others=sorted(set(known) - {name}),
        is_draft=drafts.is_draft(services, name),
        **refusal(request, refused, typed),
    )


@router.post("/variants/{name}/propose")
def propose(request: Request, services: Here, who: Proposer, form: Sent, name: str) -> Response:
    """Ask for the approval of the present text."""
    return _event(request, services, who, form, (name, "propose"))


@router.post("/variants/{name}/approve")
def approve(request: Request, services: Here, who: Approver, form: Sent, name: str) -> Response:
    """Approve the present text; its author and its proposer cannot."""
    return _event(request, services, who, form, (name, "approve"))


@router.post("/variants/{name}/retire")
def retire(request: Request, services: Here, who: Approver, form: Sent, name: str) -> Response:
    """Take the present text out of use."""
    return _event(request, services, who, form, (name, "retire"))


def _event(
    request: Request, services: Services, who: Who, form: Form, deed: tuple[str, views.Act]
) -> Response:
    """Do it, or show the page again with why not and with what was typed."""
    name, what = deed
    try:
        views.change_status(
            services,
            who,
            name,
            what,
            by=form.one("by"),
            note=form.one("note"),
            text_hash=form.one("text_hash"),
        )
    except UnknownName:
        raise
    except MitigationsError as exc:
        return _shown(request, services, name, refused=exc, typed=form)
    return go.to("variants", name)
