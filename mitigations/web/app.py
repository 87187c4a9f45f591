"""The application: every route under one guard."""

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from mitigations import __version__
from mitigations.web import api, faults, pages
from mitigations.web.guard import Guard, Hosts
from mitigations.web.permission import NotSignedIn
from mitigations.web.render import script, stylesheet
from mitigations.web.services import Services

PUBLIC = frozenset({"/login", "/logout", "/static/{stamp}/{name}"})
"""What somebody who is not signed in may reach: the way in, and what it looks like."""


async def _signed_in(request: Request) -> None:
    """Everything else asks for a name first, whatever the route itself asks for."""
    route = request.scope.get("route")
    if getattr(route, "path", "") not in PUBLIC and request.state.who is None:
        raise NotSignedIn


def make_app(services: Services, hosts: Hosts) -> FastAPI:
    """The service as an ASGI application."""
    app = FastAPI(
        title="mitigations",
        version=__version__,
        summary="A/B tests of prompts and policies that are meant to keep models from coercing.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(_signed_in)],
    )
    app.state.services = services
    faults.install(app)
    for router in (*api.routers(), *pages.routers()):
        app.include_router(router)
    _add_static(app)
    app.add_middleware(Guard, access=services.access, hosts=hosts, changed=services.memo.forget)
    return app


def _add_static(app: FastAPI) -> None:
    kept = {"cache-control": "public, max-age=31536000, immutable"}

    @app.get("/static/{stamp}/{name}", include_in_schema=False)
    async def static(stamp: str, name: str) -> Response:
        """Two files of ours; the stamp only tells a browser when to fetch anew."""
        del stamp
        if name == "style.css":
            return Response(stylesheet(), media_type="text/css", headers=kept)
        if name == "live.js":
            return Response(script(), media_type="text/javascript", headers=kept)
        return Response("There is no such file.\n", 404, media_type="text/plain")

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        """The API's description, as `/docs` prints it."""
        return JSONResponse(app.openapi())
