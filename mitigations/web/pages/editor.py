"""`/variants/new` and `/variants/{id}/edit`: write a text, see what the linter says, keep it."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

import variants
from mitigations.errors import MitigationsError
from mitigations.model import Placement, Variant, VariantKind
from mitigations.web.access import Who
from mitigations.web.faults import said, status_of
from mitigations.web.forms import Form, Sent
from mitigations.web.nouns import CheckOut, DiffOut
from mitigations.web.pages import go
from mitigations.web.permission import Here, Proposer
from mitigations.web.refusals import FormRefused
from mitigations.web.render import page
from mitigations.web.services import Services
from mitigations.web.views import drafts
from mitigations.web.views import variants as views

router = APIRouter(include_in_schema=False)
KINDS = tuple(str(kind) for kind in VariantKind)
PLACEMENTS = tuple(str(placement) for placement in Placement)
FIELDS = ("id", "title", "kind", "placement", "hypothesis", "author", "parent")
KEPT = frozenset({"draft", "save"})
"""Buttons that write; every other one only looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the editor says beside the fields."""

    status: int = 200
    problem: str = ""
    check: CheckOut | None = None
    diff: DiffOut | None = None
    draft: str = ""
    """Id of the draft that is changed in place; empty: a new variant."""


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
            fields |= _fields(variants.copied(parent, parent.id))
            fields |= {"id": _next_id(services, parent.id), "parent": parent.id}
    fields["author"] = who.name if who.is_named else ""
    return _editor(request, services, who, fields, Shown())


def _fields(variant: Variant) -> dict[str, str]:
    return {
        "id": variant.id,
        "title": variant.title,
        "kind": str(variant.kind),
        "placement": str(variant.placement),
        "hypothesis": variant.hypothesis,
        "author": variant.author,
        "parent": variant.parent or "",
        "tags": ", ".join(variant.tags),
        "text": variant.text,
    }


def _next_id(services: Services, name: str) -> str:
    """The first free `-vN` after the parent's."""
    stem, _, number = name.rpartition("-v")
    stem, start = (stem, int(number) + 1) if stem and number.isdigit() else (name, 2)
    known = services.shelf.variants()
    return next(f"{stem}-v{n}" for n in range(start, start + 10_000) if f"{stem}-v{n}" not in known)


def _editor(
    request: Request, services: Services, who: Who, fields: dict[str, str], shown: Shown
) -> HTMLResponse:
    proposer = "" if shown.draft else drafts.proposer_of(services, fields["parent"])
    return page(
        request,
        "variant_new.html",
        status=shown.status,
        fields=fields,
        shown=shown,
        kinds=KINDS,
        placements=PLACEMENTS,
        # Offered where it can be meant: a proposal of one's own that nobody has decided about.
        can_replace=bool(proposer) and (not who.is_named or proposer == who.name),
        proposer=proposer,
    )


@router.post("/variants/new")
def add(request: Request, services: Here, who: Proposer, form: Sent) -> Response:
    """Check a text, or save it as a draft, or save and propose it."""
    fields = _sent(form)
    try:
        variant, check = _checked(services, fields, form)
        diff = _against_parent(services, variant)
        action = form.one("action") or "save"
        refused = _refused(check, action)
        if action not in KEPT or refused:
            shown = Shown(status=refused or 200, check=check, diff=diff)
            return _editor(request, services, who, fields, shown)
        by = views.named(who, fields["author"])
        in_place_of = fields["parent"] if form.has("replaces") and action == "save" else ""
        if in_place_of:
            drafts.check_withdrawal(services, who, in_place_of, fields["author"])
        _record(services, who, action, variant, by)
        drafts.save_new(services, variant, by=by, propose=action == "save", in_place_of=in_place_of)
    except MitigationsError as exc:
        shown = Shown(status=status_of(exc), problem=said(request, exc))
        return _editor(request, services, who, fields, shown)
    return go.to("variants", variant.id)


@router.get("/variants/{name}/edit")
def edit(request: Request, services: Here, who: Proposer, name: str) -> HTMLResponse:
    """The editor with a draft's text."""
    found = drafts.draft(services, name)
    fields = _fields(found.variant) | {"seen": found.seen}
    return _editor(request, services, who, fields, Shown(draft=found.variant.id))


@router.post("/variants/{name}/edit")
def change(request: Request, services: Here, who: Proposer, form: Sent, name: str) -> Response:
    """Check what was changed, save the draft, or save and propose it."""
    fields = _sent(form) | {"seen": form.one("seen"), "id": name}
    shown = Shown(draft=name)
    try:
        found = drafts.draft(services, name)
        variant, check = _checked(services, fields, form)
        variant = drafts.edited(found.variant, variant)
        shown = Shown(draft=name, check=check, diff=drafts.difference(found.variant, variant))
        action = form.one("action") or "save"
        refused = _refused(check, action)
        if action not in KEPT or refused:
            return _editor(request, services, who, fields, replace(shown, status=refused or 200))
        by = views.named(who, fields["author"])
        _record(services, who, action, variant, by)
        drafts.save_draft(services, variant, seen=fields["seen"], by=by, propose=action == "save")
    except MitigationsError as exc:
        shown = Shown(draft=name, status=status_of(exc), problem=said(request, exc))
        return _editor(request, services, who, fields, shown)
    return go.to("variants", name)


def _sent(form: Form) -> dict[str, str]:
    fields = {name: form.one(name) for name in FIELDS}
    return fields | {"tags": form.one("tags"), "text": form.text("text")}


def _checked(services: Services, fields: dict[str, str], form: Form) -> tuple[Variant, CheckOut]:
    if fields["kind"] not in KINDS:
        raise FormRefused(f"the kind is one of {', '.join(KINDS)}")
    if fields["placement"] not in PLACEMENTS:
        raise FormRefused(f"the placement is one of {', '.join(PLACEMENTS)}")
    variant = views.build_variant(fields, form.listed("tags"))
    return variant, views.check(services, variant)


def _refused(check: CheckOut, action: str) -> int:
    """422 for what cannot be kept: a draft may have faults, if it can be read; a proposal none."""
    if action == "save" and not check.is_usable:
        return 422
    return 422 if action == "draft" and check.problem else 0


def _against_parent(services: Services, variant: Variant) -> DiffOut | None:
    parent = services.shelf.readable().get(variant.parent or "")
    return drafts.difference(parent, variant) if parent is not None else None


def _record(services: Services, who: Who, action: str, variant: Variant, by: str) -> None:
    what = "propose a variant" if action == "save" else "save a draft"
    services.audit.record(who, what, variant.id, detail=f"by {by}")
