"""`/studies`: build one from lists, see its price and power, lock it, run it."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

import reports
from mitigations.compose.running import Options
from mitigations.errors import MitigationsError, UnknownName
from mitigations.study import GUARDRAILS, parse_study
from mitigations.web.faults import refusal, said, status_of
from mitigations.web.forms import Form, Sent
from mitigations.web.pages import go
from mitigations.web.permission import Here, Proposer, Reader, Runner
from mitigations.web.refusals import FormRefused
from mitigations.web.render import page
from mitigations.web.results import MEDIA
from mitigations.web.services import Services
from mitigations.web.views import schedules as schedule_views
from mitigations.web.views import studies as views
from mitigations.web.views.study_text import MODELS_SHOWN, Draft, draft_text

router = APIRouter(include_in_schema=False)
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""A report carries its own style, and nothing else that acts."""


@router.get("/studies/new")
def new(request: Request, services: Here, _: Proposer) -> HTMLResponse:
    """The form, with what most studies take."""
    return _form(request, services, Draft())


def _form(
    request: Request,
    services: Services,
    draft: Draft,
    *,
    status: int = 200,
    problem: str = "",
    estimate: object = None,
) -> HTMLResponse:
    known = services.shelf.readable().values()
    return page(
        request,
        "study_new.html",
        status=status,
        draft=draft,
        problem=problem,
        estimate=estimate,
        baselines=[one for one in known if one.is_baseline],
        variants=[one for one in known if not one.is_baseline],
        packs=services.shelf.packs(),
        models=MODELS_SHOWN,
        guardrails=GUARDRAILS,
    )


def _draft(form: Form) -> Draft:
    return Draft(
        study=form.one("study"),
        baseline=form.one("baseline"),
        variants=tuple(form.all("variants")),
        scenarios=form.one("scenarios"),
        models=(*form.all("models"), *form.listed("more_models")),
        repeats=form.one("repeats"),
        judge=form.one("judge"),
        smallest_change=form.one("smallest_change"),
        guardrails={name: form.one(f"margin_{name}") for name in GUARDRAILS},
        design=form.one("design"),
        looks=form.one("looks"),
        budget_usd=form.one("budget_usd"),
    )


@router.post("/studies/new")
def add(request: Request, services: Here, who: Proposer, form: Sent) -> Response:
    """Show price and power, or save the study."""
    draft = _draft(form)
    try:
        if draft.scenarios not in services.shelf.packs():
            raise FormRefused("choose a scenario set from the list")
        text = draft_text(draft)
        study = parse_study(text, "the study")
        estimate = views.preview(services, study)
        if form.one("action") == "preview":
            return _form(request, services, draft, estimate=estimate)
        services.audit.record(who, "write a study", study.id)
        with services.writing:
            services.shelf.add_study(text)
    except MitigationsError as exc:
        return _form(request, services, draft, status=status_of(exc), problem=said(request, exc))
    return go.to("studies", study.id)


@router.get("/studies/{name}")
def one(request: Request, services: Here, _: Reader, name: str) -> HTMLResponse:
    """One study: verdict, plan, price and power, lock, runs."""
    return _shown(request, services, name)


def _shown(
    request: Request,
    services: Services,
    name: str,
    *,
    refused: MitigationsError | None = None,
    typed: Form | None = None,
) -> HTMLResponse:
    """The page of a study; after a form that was refused with why, and with what was typed."""
    view = views.study_view(services, name)
    return page(
        request,
        "study.html",
        study=view,
        live=views.running_of(view.runs),
        schedule=schedule_views.one(services, name),
        **refusal(request, refused, typed),
    )


@router.get("/studies/{name}/history")
def history(services: Here, _: Reader, name: str) -> Response:
    """All runs of a study as one page, under the same rules as a report."""
    made = reports.standing_bytes(services.results.standing(name), ".html")
    return Response(
        made, media_type=MEDIA["html"], headers={"content-security-policy": REPORT_POLICY}
    )


@router.post("/studies/{name}/lock")
def lock(request: Request, services: Here, who: Proposer, form: Sent, name: str) -> Response:
    """Freeze the study as it is now; an existing lock is only replaced when that is said."""
    try:
        views.lock_study(services, who, name, replace=form.has("replace"))
    except UnknownName:
        raise
    except MitigationsError as exc:
        return _shown(request, services, name, refused=exc)
    return go.to("studies", name)


@router.post("/studies/{name}/run")
def start(request: Request, services: Here, who: Runner, form: Sent, name: str) -> Response:
    """Run what the lock holds, or go on with it."""
    try:
        job = views.start(services, who, name, Options(budget_usd=budget_of(form)))
    except UnknownName:
        raise
    except MitigationsError as exc:
        return _shown(request, services, name, refused=exc, typed=form)
    return go.to("runs", job.run)


@router.post("/studies/{name}/schedule")
def schedule(request: Request, services: Here, who: Runner, form: Sent, name: str) -> Response:
    """Have it run by the clock, or change when."""
    try:
        schedule_views.put(services, who, name, cron=form.one("cron"), zone=form.one("zone"))
    except UnknownName:
        raise
    except MitigationsError as exc:
        return _shown(request, services, name, refused=exc, typed=form)
    return go.to("studies", name)


@router.post("/studies/{name}/unschedule")
def unschedule(services: Here, who: Runner, name: str) -> RedirectResponse:
    """No further slot of it; what has run stays."""
    schedule_views.end(services, who, name)
    return go.to("studies", name)


def budget_of(form: Form) -> float | None:
    """The budget field in US dollars; None when it was left empty."""
    text = form.one("budget_usd")
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = float("nan")
    if not 0 <= amount < 1e9:
        raise FormRefused("the budget is an amount in US dollars, such as 25")
    return amount
