"""Runs over the API."""

from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import Response

from mitigations.web.api.shared import RunId, needs, new_router
from mitigations.web.api.studies import RunIn
from mitigations.web.nouns import RunSummary, RunView, VerdictsOut
from mitigations.web.permission import Here, Reader, Runner
from mitigations.web.results import MEDIA
from mitigations.web.tokens import Role
from mitigations.web.views import runs as views

router = new_router("runs")
Form = Literal["html", "md", "json", "csv", "parquet"]


@router.get("/runs", openapi_extra=needs(Role.READ))
def list_runs(services: Here, _: Reader) -> list[RunSummary]:
    """Every run, newest first."""
    with services.reading() as store:
        return views.summaries(services, store)


@router.get("/runs/{name}", openapi_extra=needs(Role.READ))
def get_run(services: Here, _: Reader, name: RunId) -> RunView:
    """Progress, money, alarms, events."""
    return views.run_view(services, name)


@router.get("/runs/{name}/verdicts", openapi_extra=needs(Role.READ))
def get_verdicts(services: Here, _: Reader, name: RunId) -> VerdictsOut:
    """One sentence per variant, on what has landed by now."""
    run = views.known(services, name)
    services.results.refresh(run)
    found = views.verdicts_out(services, run)
    assert found is not None  # it was refreshed above
    return found


@router.post("/runs/{name}/stop", status_code=202, openapi_extra=needs(Role.RUN))
def stop_run(services: Here, who: Runner, name: RunId) -> RunView:
    """Start no new trial; what is in flight is finished and kept."""
    views.stop_run(services, who, name)
    return views.run_view(services, name)


@router.post("/runs/{name}/resume", status_code=202, openapi_extra=needs(Role.RUN))
def resume_run(services: Here, who: Runner, name: RunId, given: RunIn) -> RunView:
    """Go on where the run stopped."""
    views.resume_run(services, who, name, given.options())
    return views.run_view(services, name)


@router.get(
    "/runs/{name}/report",
    openapi_extra=needs(Role.READ),
    response_class=Response,
    responses={
        200: {
            "description": "The file that `mitigations report` writes.",
            "content": {kind.partition(";")[0]: {} for kind in MEDIA.values()},
        }
    },
)
def get_report(
    services: Here,
    _: Reader,
    name: RunId,
    form: Annotated[Form, Query(alias="format", description="The file's format.")] = "html",
) -> Response:
    """The report as a file, byte for byte what the command line writes."""
    run = views.known(services, name)
    made = services.results.file(run, form, output=f"report.{form}")
    policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    return Response(made, media_type=MEDIA[form], headers=policy)
