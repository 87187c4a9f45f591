"""`/login` and `/logout`: a token exchanged for a session, and back."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import Headers
from starlette.responses import Response

from mitigations.web.access import COOKIE, SESSION_S
from mitigations.web.forms import Sent
from mitigations.web.guard import session_of
from mitigations.web.permission import Here
from mitigations.web.render import page

router = APIRouter(include_in_schema=False)
LOCAL_PATH = re.compile(r"/(?:[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)?")
"""A path of this site and nothing else: no host, no query, no second slash."""


@router.get("/login")
def form(request: Request) -> HTMLResponse:
    """Ask for a token."""
    return page(request, "login.html", wanted="/", problem="")


@router.post("/login")
def sign_in(request: Request, services: Here, sent: Sent) -> Response:
    """Start a session, and go on to the page that was wanted."""
    wanted = sent.one("wanted")
    if not LOCAL_PATH.fullmatch(wanted) or ".." in wanted:
        wanted = "/"
    found = services.access.sign_in(sent.one("token")[:200])
    if found is None:
        problem = "That token is not known, or it was revoked."
        return page(request, "login.html", status=401, wanted=wanted, problem=problem)
    who, session = found
    services.audit.record(who, "sign in")
    response = RedirectResponse(wanted, 303)
    response.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_S,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
def sign_out(request: Request, services: Here, _: Sent) -> Response:
    """End the session of this browser."""
    session = session_of(Headers(scope=request.scope))
    if session:
        services.access.sign_out(session)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response
