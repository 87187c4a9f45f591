"""`/compare?a=&b=`: two runs beside each other."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

import reports
from mitigations.web.pages.studies import REPORT_POLICY
from mitigations.web.permission import Here, Reader
from mitigations.web.render import page
from mitigations.web.views import runs as views

router = APIRouter(include_in_schema=False)
Run = Annotated[str, Query(max_length=80)]


@router.get("/compare")
def compare(request: Request, services: Here, _: Reader, a: Run = "", b: Run = "") -> HTMLResponse:
    """Choose two runs; with both chosen, what moved between them."""
    with services.reading() as store:
        runs = [one for one in views.summaries(services, store) if one.landed]
    found = headline = None
    if a and b:
        first, second = views.known(services, a), views.known(services, b)
        found = services.results.comparison(first, second)
        headline = reports.headline(found).removesuffix(" See the last part.")
    return page(
        request,
        "compare.html",
        runs=runs,
        a=a or (runs[1].run if len(runs) > 1 else ""),
        b=b or (runs[0].run if runs else ""),
        found=found,
        headline=headline,
    )


@router.get("/compare/report")
def compare_report(services: Here, _: Reader, a: Run, b: Run) -> Response:
    """The whole comparison as one page, under the same rules as a report."""
    first, second = views.known(services, a), views.known(services, b)
    made = reports.comparison_html(services.results.comparison(first, second))
    return HTMLResponse(made, headers={"content-security-policy": REPORT_POLICY})
