"""`/variants`: read, write, compare and approve the texts under test."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

import variants
from mitigations.errors import MitigationsError
from mitigations.model import Placement, VariantKind
from mitigations.web.access import Who
from mitigations.web.faults import said, status_of
from mitigations.web.forms import Form, Sent
from mitigations.web.pages import go
from mitigations.web.permission import Approver, Here, Proposer, Reader
from mitigations.web.refusals import FormRefused
from mitigations.web.render import page
from mitigations.web.services import Services
from mitigations.web.views import variants as views

router = APIRouter(include_in_schema=False)
KINDS = tuple(str(kind) for kind in VariantKind)
PLACEMENTS = tuple(str(placement) for placement in Placement)
FIELDS = ("id", "title", "kind", "placement", "hypothesis", "author", "parent")


@router.get("/variants")
def shelf(request: Request, services: Here, _: Reader) -> HTMLResponse:
    """Every variant with its status."""
    found = views.summaries(services)
    own = [one for one in found if not one.is_shipped]
    return page(request, "variants.html", own=own, shipped=[v for v in found if v.is_shipped])


@router.get("/variants/new")
def new(
    request: Request,
    services: Here,
    who: Proposer,
    from_: Annotated[str, Query(alias="from", max_length=64)] = "",
) -> HTMLResponse:
    """The editor, empty or with another variant's text."""
    fields = dict.fromkeys((*FIELDS, "tags", "text"), "")
    fields |= {"kind": KINDS[0], "placement": str(Placement.SYSTEM_END)}
    if from_:
        parent = services.shelf.variant(from_).variant
        if parent is not None:
            copy = variants.copied(parent, parent.id)
            fields |= {
                "id": _next_id(services, parent.id),
                "title": copy.title,
                "kind": str(copy.kind),
                "placement": str(copy.placement),
                "hypothesis": copy.hypothesis,
                "parent": parent.id,
                "tags": ", ".join(copy.tags),
                "text": copy.text,
            }
    fields["author"] = who.name if who.is_named else ""
    return _editor(request, fields)


def _next_id(services: Services, name: str) -> str:
    """The first free `-vN` after the parent's."""
    stem, _, number = name.rpartition("-v")
    stem, start = (stem, int(number) + 1) if stem and number.isdigit() else (name, 2)
    known = services.shelf.variants()
    return next(f"{stem}-v{n}" for n in range(start, start + 10_000) if f"{stem}-v{n}" not in known)


def _editor(
    request: Request,
    fields: dict[str, str],
    *,
    status: int = 200,
    problem: str = "",
    check: object = None,
) -> HTMLResponse:
    return page(
        request,
        "variant_new.html",
        status=status,
        fields=fields,
        problem=problem,
        check=check,
        kinds=KINDS,
        placements=PLACEMENTS,
    )


@router.post("/variants/new")
def propose_new(request: Request, services: Here, who: Proposer, form: Sent) -> Response:
    """Check a text; save it, and propose it, when it can be used."""
    fields = {name: form.one(name) for name in FIELDS}
    fields |= {"tags": form.one("tags"), "text": form.text("text")}
    try:
        _refuse_unknown(fields)
        variant = views.build_variant(fields, form.listed("tags"))
        check = views.check(services, variant)
        if form.one("action") == "check" or not check.is_usable:
            status = 200 if form.one("action") == "check" else 422
            return _editor(request, fields, status=status, check=check)
        by = views.named(who, fields["author"])
        services.audit.record(who, "propose a variant", variant.id, detail=f"by {by}")
        views.propose_new(services, variant, by=by)
    except MitigationsError as exc:
        return _editor(request, fields, status=status_of(exc), problem=said(request, exc))
    return go.to("variants", variant.id)


def _refuse_unknown(fields: dict[str, str]) -> None:
    if fields["kind"] not in KINDS:
        raise FormRefused(f"the kind is one of {', '.join(KINDS)}")
    if fields["placement"] not in PLACEMENTS:
        raise FormRefused(f"the placement is one of {', '.join(PLACEMENTS)}")


@router.get("/variants/{name}")
def one(
    request: Request,
    services: Here,
    _: Reader,
    name: str,
    against: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """One variant: text, remarks, difference, history, status."""
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
    )


@router.post("/variants/{name}/propose")
def propose(services: Here, who: Proposer, form: Sent, name: str) -> RedirectResponse:
    """Ask for the approval of the present text."""
    _event(services, who, form, name, "propose")
    return go.to("variants", name)


@router.post("/variants/{name}/approve")
def approve(services: Here, who: Approver, form: Sent, name: str) -> RedirectResponse:
    """Approve the present text; its author and its proposer cannot."""
    _event(services, who, form, name, "approve")
    return go.to("variants", name)


@router.post("/variants/{name}/retire")
def retire(services: Here, who: Approver, form: Sent, name: str) -> RedirectResponse:
    """Take the present text out of use."""
    _event(services, who, form, name, "retire")
    return go.to("variants", name)


def _event(services: Services, who: Who, form: Form, name: str, what: views.Act) -> None:
    views.change_status(
        services,
        who,
        name,
        what,
        by=form.one("by"),
        note=form.one("note"),
        text_hash=form.one("text_hash"),
    )
