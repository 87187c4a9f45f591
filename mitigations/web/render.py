"""Pages from templates. Everything is escaped; nothing a person or a model wrote is markup."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import reports
import variants
from mitigations import __version__
from mitigations.compose.planning.durations import duration
from mitigations.web.services import services_of

NAV = (
    ("Studies", "/"),
    ("Variants", "/variants"),
    ("Label", "/label"),
    ("Compare", "/compare"),
    ("Health", "/health"),
)
STATE_WORDS = {
    "queued": "waiting for the run before it",
    "running": "running",
    "stopping": "stopping: what is in flight is finished first",
    "finished": "complete",
    "stopped": "stopped, can be resumed",
    "failed": "failed, can be resumed",
    "idle": "not complete, can be resumed",
}


VIA_WORDS = {
    "loopback": "on this machine",
    "session": "in the browser",
    "token": "by a program",
    "command": "by a command",
    "schedule": "by the clock",
}


def page(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A template as an answer, with what every page shows."""
    services = services_of(request)
    shared = {
        "path": request.url.path,
        "who": request.state.who,
        "is_open": services.access.is_open,
        "workspace": services.root.name,
        "version": __version__,
        "nav": NAV,
        "style": static_url("style.css"),
        "script": static_url("live.js"),
        "next_run_of": services.hooks.next_run,
    }
    text = environment().get_template(name).render(**shared, **context)
    return HTMLResponse(text, status)


@cache
def environment() -> Environment:
    """The one template engine; autoescape is on for everything it renders."""
    made = Environment(
        loader=PackageLoader("mitigations.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters.update(
        reveal=variants.reveal,
        duration=duration,
        moment=moment,
        usd=usd,
        share=share,
        plural=plural,
        state=STATE_WORDS.__getitem__,
        whole=whole,
        size=size,
        short=short,
        points=points,
        via=lambda via: VIA_WORDS.get(via, via),
    )
    made.tests["contains_placebo"] = lambda tags: "placebo" in tags
    return made


def _finalize(value: object) -> object:
    """Control characters are no text; a lone surrogate would break the page's encoding."""
    return (
        reports.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    )


def moment(at: str) -> str:
    """`2026-11-24 06:00 UTC` for people; nothing for no time."""
    return f"{at[:16].replace('T', ' ')} UTC" if at else ""


def usd(amount: float | None) -> str:
    """Money to the cent, or what it is when it is not known."""
    return "not known" if amount is None else f"${amount:,.2f}"


def size(count: float | None) -> str:
    """`12 KB`, `3.4 MB`, `71.6 GB`, or what it is when it is not known."""
    if count is None:
        return "not known"
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{count / one:,.1f} {unit}"
    return f"{count / 1e3:,.0f} KB"


def short(text: str) -> str:
    """Digests by their first twelve digits, as everywhere else."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)


def points(difference: float | None) -> str:
    """`+50`, `0`, `−12`: a change in replies per 100; a dash where there is none to tell."""
    if difference is None:
        return "–"
    whole_points = round(difference)
    return "0" if not whole_points else f"{whole_points:+d}".replace("-", "\u2212")


def share(part: float, whole: float | None) -> str:
    """`12 %`; nothing where there is no whole."""
    return f"{100 * part / whole:.0f} %" if whole else ""


def plural(number: int, noun: str, many: str = "") -> str:
    """`1 trial`, `1,200 trials`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def whole(text: str) -> str:
    """Running text whose numbers stay with their unit at a line's end."""
    return re.sub(r"(?<=\d) (?=%|in 100)|(?<=p) (?=[=<>] )|(?<=[=<>]) (?=\.?\d)", "\u00a0", text)


@cache
def stylesheet() -> bytes:
    """The report's own style with what pages add to it: the two look like one thing."""
    base = (files("reports") / "templates" / "style.css").read_bytes()
    return base + b"\n" + (files("mitigations.web") / "static" / "pages.css").read_bytes()


@cache
def script() -> bytes:
    """The one script: live numbers and live lint. Every page works without it."""
    return (files("mitigations.web") / "static" / "live.js").read_bytes()


@cache
def static_url(name: str) -> str:
    """A static file's address, which changes with its content."""
    content = stylesheet() if name.endswith(".css") else script()
    return f"/static/{hashlib.sha256(content).hexdigest()[:12]}/{name}"
