"""The report as one HTML file: no script, no network, readable by eye, ear and printer."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from reports.blocks import Document, Forest, HeatCell, Path, Shares
from reports.figures import draw
from reports.parts import document
from reports.report import Report
from reports.textual import clean

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html(report: Report) -> str:
    """The whole page of a report."""
    return page(document(report))


def page(content: Document) -> str:
    """A document as a page. Every string of it is escaped; only our own figures are markup."""
    environment = _environment()
    style = environment.get_template("style.css").render()
    template = environment.get_template("report.html.j2")
    # The style sheet is a file of ours, and holds no text from a report.
    trusted = Markup(style)  # noqa: S704 - see above
    return template.render(document=content, style=trusted, policy=POLICY)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["shade"] = shade
    environment.filters["svg"] = svg
    environment.filters["set"] = unbroken
    environment.filters["asides"] = asides
    return environment


def _finalize(value: object) -> object:
    """Control characters are no text; a lone surrogate would break the file's encoding."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def unbroken(text: str) -> str:
    """Running text whose numbers stay with their unit and names in one piece at a line's end."""
    return re.sub(r"(?<=\d) (?=%|in 100)|(?<=p) (?=[=<>] )|(?<=[=<>]) (?=\.?\d)", "\u00a0", text)


def asides(text: str) -> Markup:
    """Running text with its parentheses set smaller: the evidence stands back, the words lead."""
    parts = re.split(r"(\([^()]*(?:\([^()]*\)[^()]*)*\))", unbroken(clean(text)))
    inside = Markup('<span class="aside">{}</span>')
    return Markup("").join(
        inside.format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def svg(figure: Forest | Path | Shares, *, narrow: bool) -> Markup:
    """A figure of ours as markup: vl-convert escapes every label (tested)."""
    return Markup(draw(figure, narrow=narrow))  # noqa: S704 - tested with hostile labels


def shade(cell: HeatCell) -> str:
    """Style class of a heat cell: direction and one of four depths; the text says the number."""
    if cell.difference is None:
        return "heat-none"
    size = round(abs(cell.difference), 9)  # 3/10 - 2/10 is a tenth, whatever binary says
    if size < 0.025:
        return "heat-0"
    depth = 1 + sum(size >= step for step in (0.1, 0.25, 0.5))
    return f"heat-{'fewer' if cell.difference < 0 else 'more'}-{depth}"
