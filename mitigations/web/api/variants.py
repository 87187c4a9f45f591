"""Variants over the API."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from mitigations.model import Placement, Variant, VariantKind
from mitigations.web.access import Who
from mitigations.web.api.shared import ID, Id, Line, VariantId, needs, new_router
from mitigations.web.nouns import CheckOut, DiffOut, Noun, VariantSummary, VariantView
from mitigations.web.permission import Approver, Here, Proposer, Reader
from mitigations.web.services import Services
from mitigations.web.tokens import Role
from mitigations.web.views import variants as views

router = new_router("variants")
MAX_TEXT = 200_000


class VariantIn(Noun):
    """A text as its proposer writes it."""

    id: Id
    title: Line = ""
    kind: VariantKind = VariantKind.SYSTEM_PROMPT
    placement: Placement = Placement.SYSTEM_END
    hypothesis: Line = ""
    author: Line = ""
    parent: Id | None = None
    tags: Annotated[list[Line], Field(max_length=20, default_factory=list)]
    text: Annotated[str, Field(max_length=MAX_TEXT)]

    def variant(self) -> Variant:
        """The noun; the reader checks it afterwards."""
        fields = self.model_dump(mode="json") | {"parent": self.parent or ""}
        return views.build_variant(fields, self.tags)


class StatusIn(Noun):
    """A deed about one exact text."""

    text_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    by: Line = ""
    """Who does it, where no token says so."""
    note: Line = ""


@router.get("/variants", openapi_extra=needs(Role.READ))
def list_variants(services: Here, _: Reader) -> list[VariantSummary]:
    """Every variant with its status."""
    return views.summaries(services)


@router.post("/variants", status_code=201, openapi_extra=needs(Role.PROPOSE))
def add_variant(services: Here, who: Proposer, given: VariantIn) -> VariantView:
    """Write a new variant and propose it. Nothing is overwritten."""
    variant = given.variant()
    check = views.check(services, variant)
    if not check.is_usable:
        raise views.NotUsable(check)
    by = views.named(who, given.author)
    services.audit.record(who, "propose a variant", variant.id, detail=f"by {by}")
    views.propose_new(services, variant, by=by)
    return views.variant_view(services, variant.id)


@router.post("/variants/check", openapi_extra=needs(Role.PROPOSE))
def check_variant(services: Here, _: Proposer, given: VariantIn) -> CheckOut:
    """What the reader and the linter say of a text; nothing is saved."""
    return views.check(services, given.variant())


@router.get("/variants/{name}", openapi_extra=needs(Role.READ))
def get_variant(services: Here, _: Reader, name: VariantId) -> VariantView:
    """One variant: text, remarks, history, where it is used."""
    return views.variant_view(services, name)


@router.get("/variants/{name}/diff", openapi_extra=needs(Role.READ))
def diff_variants(
    services: Here,
    _: Reader,
    name: VariantId,
    against: Annotated[str, Query(pattern=ID, description="The earlier variant.")],
) -> DiffOut:
    """What separates this variant from another."""
    return views.diff_out(services, against, name)


@router.post("/variants/{name}/propose", openapi_extra=needs(Role.PROPOSE))
def propose_variant(services: Here, who: Proposer, name: VariantId, given: StatusIn) -> VariantView:
    """Ask for the approval of a text."""
    return _status(services, who, name, "propose", given)


@router.post("/variants/{name}/approve", openapi_extra=needs(Role.APPROVE))
def approve_variant(services: Here, who: Approver, name: VariantId, given: StatusIn) -> VariantView:
    """Approve a text; neither its author nor its proposer may, unless `workspace.yaml` says so."""
    return _status(services, who, name, "approve", given)


@router.post("/variants/{name}/retire", openapi_extra=needs(Role.APPROVE))
def retire_variant(services: Here, who: Approver, name: VariantId, given: StatusIn) -> VariantView:
    """Take a text out of use."""
    return _status(services, who, name, "retire", given)


def _status(
    services: Services, who: Who, name: str, act: views.Act, given: StatusIn
) -> VariantView:
    views.change_status(
        services, who, name, act, by=given.by, note=given.note, text_hash=given.text_hash
    )
    return views.variant_view(services, name)
