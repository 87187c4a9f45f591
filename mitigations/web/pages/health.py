"""`/health`: how the service is, what ran last, who did what."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from mitigations.web.permission import Here, Reader
from mitigations.web.render import page
from mitigations.web.views import health as views

router = APIRouter(include_in_schema=False)
SHOWN_DEEDS = 20
ALL_DEEDS = 500


@router.get("/health")
def health(request: Request, services: Here, _: Reader) -> HTMLResponse:
    """The service, its runs, and what the hooks add."""
    found = views.health(services)
    deeds = services.audit.latest(SHOWN_DEEDS)
    return page(request, "health.html", health=found, deeds=deeds)


@router.get("/audit")
def audit(request: Request, services: Here, _: Reader) -> HTMLResponse:
    """Who did what, when: the newest first."""
    return page(request, "audit.html", deeds=services.audit.latest(ALL_DEEDS), most=ALL_DEEDS)
