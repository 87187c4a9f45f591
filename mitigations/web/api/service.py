"""The service itself over the API."""

from typing import Annotated

from fastapi import Query

from mitigations.web.api.shared import needs, new_router
from mitigations.web.nouns import DeedOut, HealthOut
from mitigations.web.permission import Here, Reader
from mitigations.web.tokens import Role
from mitigations.web.views import health as views

router = new_router("service")


@router.get("/health", openapi_extra=needs(Role.READ))
def get_health(services: Here, _: Reader) -> HealthOut:
    """The database, the disk, the last runs, model changes."""
    return views.health(services)


@router.get("/audit", openapi_extra=needs(Role.READ))
def get_audit(
    services: Here,
    _: Reader,
    most: Annotated[int, Query(ge=1, le=500, description="How many, the newest first.")] = 100,
) -> list[DeedOut]:
    """Who did what, when."""
    return [DeedOut(**deed.model_dump()) for deed in services.audit.latest(most)]
