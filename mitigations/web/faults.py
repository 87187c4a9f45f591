"""Errors as answers: JSON for the API, a page for people, never a traceback."""

import traceback
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mitigations.compose.approving import NotApproved
from mitigations.compose.labelling import CannotLabel
from mitigations.compose.labelling.sampling import SampleTooSmall
from mitigations.errors import (
    DatabaseBusy,
    InvalidFile,
    MitigationsError,
    ModelUnavailable,
    NoData,
    StorageFailed,
    UnknownName,
)
from mitigations.web.forms import Form
from mitigations.web.nouns import Problem
from mitigations.web.permission import NotAllowed, NotSignedIn
from mitigations.web.refusals import AlreadyLocked, NameTaken, NotADraft, NotLive, TextMoved
from mitigations.web.render import page
from mitigations.web.services import services_of
from reports import NotComparable
from variants import StatusRefused

STATUS: dict[type[MitigationsError], int] = {
    UnknownName: 404,
    InvalidFile: 422,
    NameTaken: 409,
    StatusRefused: 409,
    NotComparable: 409,
    CannotLabel: 409,
    SampleTooSmall: 409,
    AlreadyLocked: 409,
    NotLive: 409,
    TextMoved: 409,
    NotADraft: 409,
    NotApproved: 409,
    NoData: 409,
    DatabaseBusy: 409,
    ModelUnavailable: 409,
    StorageFailed: 507,
}


TITLES = {
    403: "You may not do this",
    404: "Not found",
    409: "Not possible as things stand",
    422: "That cannot be used",
    500: "Something went wrong",
}
BACK = (("variants", "/variants"), ("labelling", "/label"), ("comparison", "/compare"))
"""Where somebody goes on from a refusal: words, and the section that the address lies in."""


def install(app: FastAPI) -> None:
    """Teach the application every error it can meet."""
    app.add_exception_handler(MitigationsError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def refusal(
    request: Request, refused: MitigationsError | None, typed: Form | None = None
) -> dict[str, Any]:
    """What the page of a form shows of a refusal: its status, why, and what was typed."""
    return {
        "status": 200 if refused is None else status_of(refused),
        "problem": "" if refused is None else said(request, refused),
        "typed": Form({}) if typed is None else typed,
    }


def status_of(error: MitigationsError) -> int:
    """The HTTP status of an expected error; 422 where nothing says otherwise."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 422)


def said(request: Request, error: MitigationsError) -> str:
    """The message with the workspace's own path taken out of it."""
    return services_of(request).local(str(error))


def answer(request: Request, status: int, text: str, *, exit_code: int | None = None) -> Response:
    """The same words as JSON or as a page."""
    if request.url.path.startswith("/api/") or request.url.path == "/openapi.json":
        body = Problem(error=text, exit_code=exit_code)
        return JSONResponse(body.model_dump(), status)
    what, _, way_out = text.partition("\n")
    return page(
        request,
        "error.html",
        status=status,
        title=TITLES.get(status, HTTPStatus(status).phrase),
        back=next((one for one in BACK if request.url.path.startswith(one[1])), ("studies", "/")),
        what=what,
        way_out=way_out.strip(),
    )


async def _expected(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, MitigationsError)
    return answer(request, status_of(exc), said(request, exc), exit_code=exc.exit_code)


async def _malformed(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    first = exc.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return answer(request, 422, f"{where}: {first['msg']}")


async def _not_signed_in(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        response = answer(request, 401, "sign in first: send `Authorization: Bearer TOKEN`")
        response.headers["www-authenticate"] = "Bearer"
        return response
    wanted = request.url.path if request.method == "GET" else "/"
    return page(request, "login.html", status=401, wanted=wanted, problem="")


async def _not_allowed(request: Request, exc: Exception) -> Response:
    return answer(request, 403, str(exc))


async def _http(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    words = {404: "There is no such page.", 405: "This address does not take that method."}
    response = answer(request, exc.status_code, words.get(exc.status_code, str(exc.detail)))
    response.headers.update(exc.headers or {})
    return response


async def _unexpected(request: Request, exc: Exception) -> Response:
    traceback.print_exception(exc)
    return answer(
        request, 500, "Something went wrong in the service; its log says more. Nothing is lost."
    )
