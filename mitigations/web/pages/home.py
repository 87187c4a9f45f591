"""`/`: every study with its latest verdict, and the next step of each."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from mitigations.web.permission import Here, Reader
from mitigations.web.render import page
from mitigations.web.views import studies as study_views

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(request: Request, services: Here, _: Reader) -> HTMLResponse:
    """Studies, the latest first."""
    found = study_views.summaries(services)
    waiting = any(
        one.latest is not None and one.latest.state == "finished" and one.verdicts is None
        for one in found
    )
    live = any(one.latest is not None and one.latest.state in study_views.LIVE for one in found)
    return page(request, "home.html", studies=found, refresh=waiting or live)
