"""`/runs/{id}`: watch a run, stop it, resume it, read its report."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from mitigations.compose.running import Options
from mitigations.errors import MitigationsError, UnknownName
from mitigations.web.faults import refusal
from mitigations.web.forms import Form, Sent
from mitigations.web.pages import go
from mitigations.web.pages.studies import REPORT_POLICY, budget_of
from mitigations.web.permission import Here, Reader, Runner
from mitigations.web.refusals import NotLive
from mitigations.web.render import page
from mitigations.web.results import MEDIA
from mitigations.web.services import Services
from mitigations.web.views import runs as views

router = APIRouter(include_in_schema=False)
FORMS = "^(html|md|json|csv|parquet|pdf)$"


@router.get("/runs/{name}")
def one(request: Request, services: Here, _: Reader, name: str) -> HTMLResponse:
    """Progress, money, alarms; then what the run says."""
    return _shown(request, services, name)


def _shown(
    request: Request,
    services: Services,
    name: str,
    *,
    refused: MitigationsError | None = None,
    typed: Form | None = None,
) -> HTMLResponse:
    """The page of a run; after a form that was refused with why, and with what was typed."""
    view = views.run_view(services, name)
    verdicts = views.verdicts_out(services, name) if view.landed else None
    job = services.jobs.get(name)
    live = view.state in views.LIVE
    waiting = view.state == "finished" and verdicts is None and view.landed > 0
    return page(
        request,
        "run.html",
        **refusal(request, refused, typed),
        run=view,
        verdicts=verdicts,
        live=live,
        batches=job.batches if job is not None and live else (),
        refresh=live or waiting,
        needs_budget=views.is_paid(services, name),
    )


@router.post("/runs/{name}/stop")
def stop(request: Request, services: Here, who: Runner, _: Sent, name: str) -> Response:
    """Start no new trial; what is in flight is finished and kept."""
    try:
        views.stop_run(services, who, name)
    except NotLive as exc:
        return _shown(request, services, name, refused=exc)
    return go.to("runs", name)


@router.post("/runs/{name}/resume")
def resume(request: Request, services: Here, who: Runner, form: Sent, name: str) -> Response:
    """Go on where it stopped."""
    try:
        views.resume_run(services, who, name, Options(budget_usd=budget_of(form)))
    except UnknownName:
        raise
    except MitigationsError as exc:
        return _shown(request, services, name, refused=exc, typed=form)
    return go.to("runs", name)


@router.get("/runs/{name}/report")
def report(
    services: Here,
    _: Reader,
    name: str,
    form: Annotated[str, Query(alias="format", pattern=FORMS)] = "html",
) -> Response:
    """The report, byte for byte what `mitigations report RUN -o report.html` writes."""
    run = views.known(services, name)
    made = services.memo.get(
        ("report", run, form),
        lambda: services.results.file(run, form, output=f"report.{form}"),
    )
    headers = {"content-security-policy": REPORT_POLICY}
    if form != "html":
        headers["content-disposition"] = f'attachment; filename="{run}.{form}"'
    return Response(made, media_type=MEDIA[form], headers=headers)
