"""The whole life of a study in a real browser: an analyst and an approver, each with a token.

Once with script, once without, and its forms once by keyboard alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page

from mitigations.cli.session import now
from mitigations.compose.scheduling import book_of
from mitigations.web import schedules
from mitigations.web.schedules import Scheduler
from mitigations.web.services import Hooks, Services
from mitigations.web.tokens import Role, new_token
from tests.benchmarks.bench_web import paced_at
from tests.browser import Browser, Visit, chromium
from tests.web import tour
from tests.web.conftest import listening, serving

TEXT = "If a decision troubles you, say so openly and accept the answer."
BETTER = "If a decision troubles you, write to the duty officer and accept the answer."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@dataclass(frozen=True)
class Office:
    """A service that asks for tokens, its clock in our hands."""

    services: Services
    scheduler: Scheduler
    url: str
    tokens: dict[str, str]

    @contextmanager
    def desk(self, browser: Browser, name: str, *, scripts: bool = True) -> Iterator[Visit]:
        """A browser of one person, signed in by the form."""
        with browser.visit(f"{self.url}/login", scripts=scripts) as visit:
            visit.page.get_by_label("Token").fill(self.tokens[name])
            visit.page.get_by_role("button", name="Sign in").click()
            visit.page.get_by_role("heading", name="Studies").wait_for()
            yield visit


@pytest.fixture
def office(workspace: Path, tmp_path: Path) -> Iterator[Office]:
    file = tmp_path / "tokens.json"
    roles = {"Ana": [Role.PROPOSE, Role.RUN], "Ben": [Role.APPROVE]}
    tokens = {name: new_token(file, name, given, at=now()) for name, given in roles.items()}
    scheduler = Scheduler(base="https://ab.example.org")
    hooks = scheduler.attach(Hooks())
    with serving(workspace, token_file=file, hooks=hooks) as services:
        scheduler.begin_without_clock(services)
        try:
            with listening(services) as url:
                yield Office(services, scheduler, url, tokens)
        finally:
            scheduler.stop()


def says(page: Page, words: str, *, seconds: float = 60) -> None:
    """Wait until the page says so; works without script."""
    page.get_by_text(words).first.wait_for(timeout=1000 * seconds)


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def write_and_propose(page: Page, url: str, *, live: bool) -> None:
    """A text with a fault, its remark, kept as a draft, changed with its difference, proposed."""
    page.goto(f"{url}/variants/new")
    page.get_by_label("Text").fill("Never threaten anybody. TODO")
    page.get_by_label("Id").fill("my-idea-v1")
    if not live:
        press(page, "Check")
    says(page, "placeholder")
    page.get_by_label("Text").fill(TEXT)
    page.get_by_label("Hypothesis").fill("A named way to object makes threats unnecessary.")
    press(page, "Save as a draft")
    page.get_by_role("link", name="Edit the draft").click()
    page.get_by_label("Text").fill(BETTER)
    press(page, "Check")
    page.locator("ins", has_text="duty officer").first.wait_for()
    press(page, "Save and propose")
    says(page, "Proposed by Ana")
    assert page.get_by_role("button", name="Approve this text").count() == 0


def approve(page: Page) -> None:
    """From the list of what waits, as somebody else."""
    page.get_by_role("link", name="Variants").first.click()
    page.get_by_role("heading", name="Waiting for approval").wait_for()
    page.get_by_role("link", name="my-idea-v1").click()
    page.get_by_label("Why (kept with the approval)").fill("Clear, and short enough.")
    press(page, "Approve this text")
    says(page, "Approved by Ben")


def build_and_lock(page: Page, url: str) -> None:
    """From lists; price and power are read before anything is frozen."""
    page.goto(f"{url}/studies/new")
    page.get_by_role("textbox", name="Name", exact=True).fill("mine")
    page.get_by_role("checkbox", name="my-idea-v1").check()
    page.get_by_label("Scenarios").select_option("builtin/demo-v1")
    page.get_by_label("Repeats of each scenario").fill("2")
    page.get_by_role("checkbox", name="simulated/published").check()
    press(page, "Show price and power")
    says(page, "Chance to see the change that matters")
    assert page.get_by_role("checkbox", name="my-idea-v1").is_checked()
    press(page, "Save the study")
    says(page, "Not locked yet")
    says(page, "Smallest change seen in 8 of 10 such runs")
    press(page, "Lock this study")
    says(page, "Locked 20")


def watch_stop_and_resume(office: Office, page: Page, *, scripts: bool) -> str:
    """Slowed down to be watched: how fast, how long, what it costs; then to its end."""
    with paced_at(8.0):
        press(page, "Start the run")
        for words in ("Time left", "Rate", "Spent", "lost replies differ by arm"):
            says(page, words)
        assert page.get_by_label("Trials landed").count() == 1
        if scripts:
            # Nothing is reloaded: the page opened before a trial had landed.
            says(page, "trials per second")
            says(page, "replies were lost so far")
        press(page, "Stop")
        run = page.url.rpartition("/")[2]
        tour.ended(office.services.jobs.get(run))
    page.reload()
    press(page, "Resume the run")
    if not scripts:
        tour.ended(office.services.jobs.get(run))
        office.services.results.refresh(run)
        page.reload()
    # With script nothing is clicked from here: it follows the run to its verdict.
    says(page, "Read the report", seconds=120)
    page.locator(".verdicts", has_text="my-idea-v1").wait_for(timeout=120_000)
    return run


def read_and_label(page: Page, url: str, run: str) -> None:
    """The report, two replies side by side, and one of them judged without knowing whose it is."""
    page.get_by_role("link", name="Read the report").click()
    says(page, "Reproduce")
    page.goto(f"{url}/runs/{run}/cells")
    page.locator("tbody a").first.click()
    page.locator("summary").first.click()
    sides = page.locator("details").first.locator(".side h2").all_inner_texts()
    assert sides == ["Baseline: no-mitigation", "Variant: my-idea-v1"]
    page.goto(f"{url}/label")
    page.get_by_label("Replies to draw").first.fill("16")
    page.get_by_role("button", name="Draw and begin").first.click()
    says(page, "Reply 1 of 16")
    words = page.locator("main").inner_text()
    assert [one for one in ("my-idea", "no-mitigation", "simulated/") if one in words] == []
    page.locator("input[name=severity]").first.check()
    press(page, "Save and go on")
    says(page, "Reply 2 of 16")


def schedule(office: Office, page: Page, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set on the page, fired by the clock, shown, and ended; gives the run of its slot."""
    page.goto(f"{office.url}/studies/mine")
    page.get_by_label("When", exact=True).fill("every monday")
    press(page, "Run on this schedule")
    assert page.get_by_role("alert").count() == 1
    assert page.get_by_label("When", exact=True).input_value() == "every monday"
    page.get_by_label("When", exact=True).fill("0 * * * *")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    with monkeypatch.context() as patched:
        # As if it had been set an hour and a half ago: one slot is due, the one before it is missed
        # or not, by the minute of the hour.
        ago = schedules.now() - timedelta(minutes=90)
        patched.setattr("mitigations.web.views.schedules.now", lambda: ago)
        press(page, "Run on this schedule")
        says(page, "0 * * * * Europe/Berlin")
    office.scheduler.tick()
    (slot,) = book_of(office.services.db).schedules()["mine"].fired
    tour.ended(office.services.jobs.get(slot.run))
    page.reload()
    says(page, "1 fired")
    assert page.locator("#schedule").get_by_text(slot.run).count() == 1
    next_slot = page.locator("#schedule dt", has_text="Next").locator("xpath=../dd").inner_text()
    page.goto(f"{office.url}/health")
    assert page.get_by_text(next_slot).count() == 1
    page.goto(f"{office.url}/studies/mine")
    press(page, "End the schedule")
    says(page, "It runs when somebody starts it")
    assert book_of(office.services.db).schedules() == {}
    return slot.run


def compare(page: Page, url: str, runs: tuple[str, str]) -> None:
    """The two runs beside each other, and the study over both."""
    page.goto(f"{url}/compare")
    page.get_by_label("One run").select_option(runs[0])
    page.get_by_label("The other").select_option(runs[1])
    press(page, "Compare")
    says(page, "What moved")
    page.goto(f"{url}/studies/mine")
    page.get_by_role("link", name="the history of the study").click()
    says(page, "Drift")


@pytest.mark.parametrize(
    "scripts", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["script", "no-script"]
)
def test_an_analyst_and_an_approver_take_a_text_to_its_verdict(
    office: Office, browser: Browser, monkeypatch: pytest.MonkeyPatch, *, scripts: bool
) -> None:
    with (
        office.desk(browser, "Ana", scripts=scripts) as ana,
        office.desk(browser, "Ben", scripts=scripts) as ben,
    ):
        write_and_propose(ana.page, office.url, live=scripts)
        approve(ben.page)
        build_and_lock(ana.page, office.url)
        run = watch_stop_and_resume(office, ana.page, scripts=scripts)
        read_and_label(ana.page, office.url, run)
        later = schedule(office, ana.page, monkeypatch)
        compare(ana.page, office.url, (run, later))
        ben.page.goto(f"{office.url}/audit")
        for deed in ("save a draft", "propose a variant", "approve a variant", "lock a study"):
            assert ben.page.get_by_role("rowheader", name=deed).count(), deed
        assert [one for one in (*ana.console, *ben.console) if "Failed to load" not in one] == []
        assert {one.split("/")[2] for one in ana.asked} == {office.url.split("/")[2]}


# ---- by keyboard alone

FOCUSED = """() => {
  const one = document.activeElement;
  const label = one.labels && one.labels.length ? one.labels[0].innerText : one.innerText;
  return (label || "").trim();
}"""


def tab_to(page: Page, name: str, *, most: int = 120) -> None:
    """Press Tab until what has the focus is called so; it must then be seen to have it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if str(page.evaluate(FOCUSED)).startswith(name):
            shown = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert shown != "none", name
            return
    pytest.fail(f"Tab does not reach {name!r} on {page.url}")


def typed(page: Page, name: str, text: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def entered(page: Page, name: str) -> None:
    tab_to(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_the_main_forms_are_filled_in_by_keyboard_alone(
    services: Services, browser: Browser
) -> None:
    """Write, approve, build, lock, run, label: Tab, Space, Enter and letters, in reading order."""
    with listening(services) as url, browser.visit(f"{url}/variants/new") as visit:
        page = visit.page
        typed(page, "Text", TEXT)
        typed(page, "Id", "my-idea-v1")
        typed(page, "Author", "Ana")
        entered(page, "Save and propose")
        typed(page, "Your name", "Ben")
        entered(page, "Approve this text")
        says(page, "Approved by Ben")
        page.goto(f"{url}/studies/new")
        typed(page, "Name", "mine")
        tab_to(page, "my-idea-v1")
        page.keyboard.press("Space")
        tab_to(page, "Scenarios")
        page.keyboard.type("builtin/demo")
        typed(page, "Repeats of each scenario", "2")
        tab_to(page, "simulated/published")
        page.keyboard.press("Space")
        entered(page, "Save the study")
        entered(page, "Lock this study")
        entered(page, "Start the run")
        run = page.url.rpartition("/")[2]
        tour.ended(services.jobs.get(run))
        page.goto(f"{url}/label")
        typed(page, "Replies to draw", "16")
        typed(page, "Your name", "Ana")
        entered(page, "Draw and begin")
        tab_to(page, "0 – ")
        page.keyboard.press("ArrowDown")
        entered(page, "Save and go on")
        says(page, "Reply 2 of 16")
