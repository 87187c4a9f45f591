"""`/runs/{id}/cells`: which replies a number is made of, baseline beside variant."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from mitigations.web.permission import Here, Reader
from mitigations.web.render import page
from mitigations.web.views import cells as views
from mitigations.web.views import runs as run_views

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Query(max_length=300)]


@router.get("/runs/{name}/cells")
def cells(
    request: Request,
    services: Here,
    _: Reader,
    name: str,
    scenario: Name = "",
    model: Name = "",
    variant: Name = "",
) -> HTMLResponse:
    """The table of cells, or with a scenario chosen the transcripts of one."""
    run = run_views.known(services, name)
    chosen = views.choose(services, run, variant)
    with services.reading() as store:
        if scenario:
            found = views.pairs(services, store, run, chosen, scenario, model)
            return page(request, "cell.html", run=run, cell=found, chosen=chosen)
        key = ("cells", run, chosen.variant)
        table = services.memo.get(key, lambda: views.table(store, run, chosen))
    return page(request, "cells.html", run=run, table=table, chosen=chosen)
