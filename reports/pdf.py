"""The report as PDF: the HTML page through weasyprint, an optional extra."""

from importlib import import_module
from typing import Any

from mitigations.errors import MitigationsError
from reports.html import html
from reports.report import Report


class PdfUnavailable(MitigationsError):
    """The extra that writes PDF is not installed or cannot start."""


def pdf_bytes(report: Report) -> bytes:
    """The printed page. Raises `PdfUnavailable` where weasyprint is missing."""
    try:
        weasyprint = import_module("weasyprint")
    except (ImportError, OSError) as error:
        raise PdfUnavailable(
            f"PDF needs weasyprint, which cannot be loaded ({type(error).__name__})\n"
            "  pip install 'mitigations[pdf]', or print the .html from a browser"
        ) from error
    # Nothing of a report lives outside it; a fetcher that refuses makes that certain.
    page = weasyprint.HTML(string=html(report), url_fetcher=_refuse)
    content: bytes = page.write_pdf()
    return content


def _refuse(url: str, **_: Any) -> Any:
    raise ValueError(f"a report loads nothing, and asked for {url}")
