"""A real browser for tests: what a page asks for, says on its console, runs, and fails to tell.

    with chromium() as browser, browser.visit(url, width=320, scheme="dark") as visit:
        visit.poke()                       # open, focus and hover everything that can be
        assert visit.executed == []
        assert visit.requests == []        # beyond the page itself
        assert visit.console == []
        assert visit.violations() == []    # axe-core, serious and critical

Chromium is the system's. axe-core is fetched by `make axe` (or named by AXE_CORE); without either
the test is skipped and says so. One page at a time, and no asyncio while a browser is open.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser as Engine
from playwright.sync_api import Error, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = (320, 800, 1280)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
MARK = "__executed"
"""A payload that runs calls `MARK()`, or sets the title to PWNED: both are seen."""
PWNED = "pwned"
Scheme = Literal["light", "dark"]

# A hostile handler waits for an event; every one that a reader can cause is caused here.
_POKE = """() => {
  for (const one of document.querySelectorAll('details')) one.open = true;
  for (const one of document.querySelectorAll('*')) {
    for (const kind of ['mouseover', 'mouseenter', 'focus', 'pointerdown', 'mousedown', 'keydown',
                        'beforetoggle', 'toggle', 'animationstart', 'error', 'load', 'start'])
      one.dispatchEvent(new Event(kind));
    if (one.focus) one.focus();
  }
}"""
_AXE = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations.map(v => ({id: v.id, impact: v.impact, help: v.help,
    nodes: v.nodes.slice(0, 8).map(n => n.target.join(' ') + ': ' + (n.any[0] || n.all[0] ||
      n.none[0] || {message: ''}).message)}));
}"""


@dataclass(frozen=True)
class Violation:
    """A rule of axe-core that a page breaks, and where."""

    id: str
    impact: str
    help: str
    nodes: tuple[str, ...]


@dataclass
class Visit:
    """One page, and everything it did since it was opened."""

    page: Page
    url: str
    asked: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    """Console messages and uncaught errors; a Content-Security-Policy hit is one."""
    executed: list[str] = field(default_factory=list)
    """Payloads that ran: their marks, dialogs, a changed title, or a page left."""

    @property
    def requests(self) -> list[str]:
        """Every address asked for beyond the page itself; `data:` leaves no machine."""
        return [one for one in self.asked if one != self.url and not one.startswith("data:")]

    def poke(self, *, wait_ms: int = 100) -> None:
        """Do what a reader can do to every element, then wait for what follows."""
        self.page.evaluate(_POKE)
        self.page.wait_for_timeout(wait_ms)
        self.look()

    def look(self) -> None:
        """Note a title or an address that a payload changed."""
        if self.page.title() == PWNED:
            self.executed.append("the title was changed")
        if self.page.url.partition("#")[0] != self.url.partition("#")[0]:
            self.executed.append(f"the page was left for {self.page.url}")

    def violations(self, *impacts: str) -> list[Violation]:
        """What axe-core finds of the given impacts; without any: serious and critical."""
        wanted = impacts or ("serious", "critical")
        self.page.evaluate(axe_source())
        found: list[dict[str, Any]] = self.page.evaluate(_AXE)
        return [
            Violation(one["id"], one["impact"], one["help"], tuple(one["nodes"]))
            for one in found
            if one["impact"] in wanted
        ]

    def overflows(self) -> bool:
        """Whether the page as a whole scrolls sideways."""
        script = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(self.page.evaluate(script))


class Browser:
    """An open Chromium."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def visit(
        self,
        url: str,
        *,
        width: int = 1280,
        scheme: Scheme = "light",
        scripts: bool = True,
        without_csp: bool = False,
        cookies: tuple[dict[str, Any], ...] = (),
    ) -> Iterator[Visit]:
        """Open `url` in a fresh profile. `without_csp` switches the page's own policy off."""
        context = self._engine.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            bypass_csp=without_csp,
        )
        context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        visit = Visit(page, url)
        page.expose_function(MARK, lambda *_: visit.executed.append("a payload called its mark"))
        page.on("request", lambda request: visit.asked.append(request.url))
        page.on("console", lambda message: visit.console.append(message.text))
        page.on("pageerror", lambda error: visit.console.append(str(error)))
        page.on("dialog", lambda dialog: (visit.executed.append("a dialog"), dialog.dismiss()))
        try:
            page.goto(url)
            visit.look()
            yield visit
        finally:
            context.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless; skips the test where there is none that starts."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        try:
            engine = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        except Error as exc:
            pytest.skip(f"chromium does not start here: {exc.message.splitlines()[0]}")
        try:
            yield Browser(engine)
        finally:
            engine.close()


@cache
def axe_source() -> str:
    """The text of axe-core; skips the test where it was not fetched."""
    path = Path(os.environ.get("AXE_CORE") or Path(sys.prefix) / "axe-core" / "axe.min.js")
    if not path.is_file():
        pytest.skip("axe-core is not here: `make axe` fetches it, or AXE_CORE names it")
    return path.read_text(encoding="utf-8")
