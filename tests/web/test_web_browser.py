"""The service in a real browser: the whole way of a study, hostile text, and who cannot see."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Route

from mitigations.model import JudgeVerdict, Outcome, VerdictStatus
from mitigations.web.nouns import HealthOut
from mitigations.web.services import Services
from tests.browser import SCHEMES, Browser, Visit, chromium
from tests.reports.test_reports_hostile import PAYLOADS
from tests.web.conftest import client_of, listening, serving
from tests.web.test_web_pages import NEW_STUDY, VARIANT

TEXT = "If a decision troubles you, say so openly and accept the answer."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def settled(page: Page, words: str) -> None:
    """Wait until the page says so."""
    page.wait_for_function(
        "words => document.body?.innerText.includes(words)", arg=words, timeout=180_000
    )


def test_the_whole_way_of_a_study(services: Services, browser: Browser) -> None:
    """Propose, lint as typed, approve, plan, lock, run, watch, read, compare: all by hand."""
    with listening(services) as url, browser.visit(f"{url}/variants/new") as visit:
        page = visit.page
        page.get_by_label("Text").fill("Never threaten Diane Whitlock. TODO")
        page.get_by_label("Id").fill("my-idea-v1")
        settled(page, "placeholder")
        page.get_by_label("Text").fill(TEXT)
        page.get_by_label("Author").fill("Ana")
        settled(page, "It can be used.")
        page.get_by_role("button", name="Save and propose").click()
        settled(page, "Proposed by Ana")
        page.get_by_label("Your name").first.fill("Ben")
        page.get_by_role("button", name="Approve this text").click()
        settled(page, "Approved by Ben")

        page.goto(f"{url}/studies/new")
        page.get_by_role("textbox", name="Name", exact=True).fill("mine")
        page.get_by_role("checkbox", name="my-idea-v1").check()
        page.get_by_label("Scenarios").select_option("builtin/demo-v1")
        page.get_by_label("Repeats of each scenario").fill("4")
        page.get_by_role("checkbox", name="simulated/published").check()
        page.get_by_role("button", name="Show price and power").click()
        settled(page, "Smallest change seen in 8 of 10 such runs")
        page.get_by_role("button", name="Save the study").click()
        settled(page, "Not locked yet")
        for seed in ("", "seed: 7\n"):
            if seed:
                study = services.root / "studies" / "mine.yaml"
                study.write_text(study.read_text() + seed)
                page.goto(f"{url}/studies/mine")
                page.get_by_role("checkbox", name="Replace the lock").check()
                page.get_by_role("button", name="Lock again").click()
            else:
                page.get_by_role("button", name="Lock this study").click()
            settled(page, "hash")
            page.get_by_role("button", name="Start the run").click()
            # Nothing is clicked from here: the script follows the run to its verdict.
            settled(page, "Read the report")
            settled(page, "my-idea-v1")
        page.get_by_role("link", name="Read the report").click()
        settled(page, "Reproduce")
        page.goto(f"{url}/compare")
        page.get_by_role("button", name="Compare").click()
        settled(page, "What moved")
        assert visit.console == []
        assert {one.split("/")[2] for one in visit.asked} == {url.split("/")[2]}


def test_a_run_is_watched_and_stopped_without_script(services: Services, browser: Browser) -> None:
    study = services.root / "studies" / "first.yaml"
    study.write_text(study.read_text().replace("repeats: 2", "repeats: 300"))
    with (
        listening(services) as url,
        browser.visit(f"{url}/studies/first", scripts=False) as visit,
    ):
        page = visit.page
        page.get_by_role("button", name="Lock this study").click()
        page.get_by_role("button", name="Start the run").click()
        assert page.locator("progress").count() == 1
        assert page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]").count()
        page.get_by_role("button", name="Stop").click()
        job = services.jobs.get(page.url.rpartition("/")[2])
        assert job is not None
        assert job.wait(60)
        page.reload()
        assert page.get_by_role("button", name="Resume the run").is_visible()


# ---- hostile text


def posted(visit: Visit, url: str, path: str, fields: dict[str, object]) -> None:
    """Open what a form's answer shows, as after pressing its button."""

    def send(route: Route) -> None:
        headers = route.request.headers | {
            "origin": url,
            "content-type": "application/x-www-form-urlencoded",
        }
        route.continue_(method="POST", headers=headers, post_data=urlencode(fields, doseq=True))

    visit.page.route(f"{url}{path}?form", send)
    visit.url = f"{url}{path}?form"
    visit.page.goto(visit.url)
    visit.page.unroute(f"{url}{path}?form")


def poisoned_forms(payload: str) -> list[tuple[str, dict[str, object]]]:
    """Every form with the payload in every field it has."""
    variant = dict.fromkeys(VARIANT, payload)
    study = {name: [payload] if isinstance(v, list) else payload for name, v in NEW_STUDY.items()}
    ids = {"id": "my-idea-v1", "kind": "system-prompt", "placement": "system-end"}
    return [
        ("/variants/new", variant | {"action": "save"}),
        ("/variants/new", variant | ids | {"action": "check"}),
        ("/studies/new", study | {"more_models": payload, "action": "preview"}),
        ("/studies/new", study | {"scenarios": "builtin/demo-v1", "action": "save"}),
        ("/variants/kind-reminder-v1/propose", {"by": payload, "note": payload}),
        ("/variants/kind-reminder-v1/approve", {"by": payload, "note": payload}),
        ("/studies/first/run", {"budget_usd": payload}),
        ("/studies/first/lock", {"replace": payload}),
        ("/login", {"token": payload, "wanted": payload}),
    ]


def try_payloads(services: Services, browser: Browser, payloads: tuple[str, ...]) -> int:
    """Send each through every form and open every answer, our policy switched off."""
    tried = 0
    with (
        listening(services) as url,
        browser.visit(f"{url}/login", without_csp=True) as visit,
    ):
        for payload in payloads:
            for path, fields in poisoned_forms(payload):
                posted(visit, url, path, fields)
                visit.poke(wait_ms=20)
                tried += 1
            visit.page.goto(f"{url}/variants/kind-reminder-v1")
            visit.url = visit.page.url
            visit.poke(wait_ms=20)
        assert visit.executed == []
        outside = [one for one in visit.asked if not one.startswith((url, "data:"))]
        assert outside == []
    return tried


def test_hostile_text_in_every_form_does_nothing(services: Services, browser: Browser) -> None:
    payloads = PAYLOADS[::25]
    assert try_payloads(services, browser, payloads) == len(payloads) * 9


@pytest.mark.slow
def test_all_hostile_text_in_every_form_does_nothing(services: Services, browser: Browser) -> None:
    assert len(PAYLOADS) >= 150
    assert try_payloads(services, browser, PAYLOADS) >= 1350


def poison_run(services: Services, run: str, payload: str) -> None:
    """One more outcome in which a model, a judge and a provider say the payload."""
    with services.reading() as store:
        rows: list[Outcome] = list(store.outcomes(run))
    first = rows[0]
    judged = JudgeVerdict(
        judge=payload, status=VerdictStatus.READ, severity=1, evidence=(payload,), reason=payload
    )
    assert first.assessment is not None
    bad = replace(
        first,
        text=payload,
        reasoning=payload,
        detail=payload,
        verdicts=(judged,),
        assessment=replace(first.assessment, evidence=(payload,), facts={payload: payload}),
        served_model=payload,
        fingerprint=payload,
        trial=replace(first.trial, repeat=first.trial.repeat + 1000),
    )
    services.store.append([bad], twins=frozenset())
    services.store.event(run, payload, payload, at=services.now())


def test_what_models_say_is_shown_and_not_done(
    services: Services, browser: Browser, ran: str
) -> None:
    payloads = PAYLOADS[::5]
    for payload in payloads:
        poison_run(services, ran, payload)
    with services.reading() as store:
        cell = next(iter(store.outcomes(ran))).trial
    pages = (
        f"/runs/{ran}",
        "/health",
        f"/runs/{ran}/cells",
        f"/runs/{ran}/cells?scenario={cell.scenario}&model={cell.model}",
        "/",
    )
    with listening(services) as url:
        for path in pages:
            with browser.visit(f"{url}{path}", without_csp=True) as visit:
                visit.poke()
                assert visit.executed == [], path
                assert all(one.startswith((url, "data:")) for one in visit.asked), path
        with browser.visit(f"{url}/runs/{ran}") as visit:
            visit.poke()
            assert visit.console == []


# ---- readers of every kind


def every_page(services: Services, run: str) -> list[str]:
    """One address of each kind of page, full and empty."""
    with services.reading() as store:
        cell = next(iter(store.outcomes(run))).trial
    return [
        "/",
        "/variants",
        "/variants/new?from=kind-reminder-v1",
        "/variants/kind-reminder-v1?against=prohibition-short-v1",
        "/studies/new",
        "/studies/first",
        f"/runs/{run}",
        f"/runs/{run}/cells",
        f"/runs/{run}/cells?scenario={cell.scenario}&model={cell.model}",
        "/compare",
        "/health",
        "/audit",
        "/docs",
        "/login",
        "/no-such-page",
    ]


def read_by_everybody(
    services: Services, browser: Browser, paths: list[str], widths: tuple[int, ...]
) -> None:
    with listening(services) as url:
        for number, path in enumerate(paths):
            for width in widths:
                scheme = SCHEMES[(number + (width == 320)) % 2]
                with browser.visit(f"{url}{path}", width=width, scheme=scheme) as visit:
                    assert not visit.overflows(), (path, width)
                    assert visit.violations() == [], (path, width, scheme)
                    said = [one for one in visit.console if "404 (Not Found)" not in one]
                    assert said == [], path


def test_pages_can_be_read_by_everybody(services: Services, browser: Browser, ran: str) -> None:
    services.results.refresh(ran)
    read_by_everybody(services, browser, every_page(services, ran)[::3], (320,))


@pytest.mark.slow
def test_every_page_can_be_read_by_everybody(
    services: Services, browser: Browser, ran: str
) -> None:
    """axe-core finds nothing serious, and no page scrolls sideways at 320 pixels."""
    services.results.refresh(ran)
    read_by_everybody(services, browser, every_page(services, ran), (320, 800, 1280))


def test_empty_pages_can_be_read_by_everybody(tmp_path: Path, browser: Browser) -> None:
    with serving(tmp_path) as services, listening(services) as url:
        for path in ("/", "/compare", "/health"):
            with browser.visit(f"{url}{path}", width=320) as visit:
                assert visit.violations() == [], path
                assert not visit.overflows(), path


def test_a_study_is_started_by_keyboard_alone(services: Services, browser: Browser) -> None:
    """Tab reaches everything in reading order, the first stop skips to the content."""
    with listening(services) as url, browser.visit(f"{url}/studies/first") as visit:
        page = visit.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == "Lock this study":
                break
        page.keyboard.press("Enter")
        settled(page, "Start the run")
    assert (services.root / "studies" / "first.lock").exists()


def test_health_over_the_api_is_what_the_page_shows(services: Services, ran: str) -> None:
    answer = client_of(services).get("/api/health")
    found = HealthOut.model_validate(json.loads(answer.text))
    assert [one.run for one in found.runs] == [ran]
