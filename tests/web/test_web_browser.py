"""The service in a real browser: hostile text in every form, and readers of every kind."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mitigations.model import JudgeVerdict, Outcome, VerdictStatus
from mitigations.web.nouns import HealthOut
from mitigations.web.services import Services
from tests.browser import SCHEMES, Browser, Visit, chromium
from tests.reports.test_reports_hostile import PAYLOADS
from tests.web import tour
from tests.web.conftest import client_of, listening, serving
from tests.web.test_web_label import item_of

PAYLOADS_THAT_ACT = "<img src=x onerror=\"document.title='pwned'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


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


SUBMIT = """([path, pairs]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = path;
  for (const [name, value] of pairs) {
    const field = document.createElement("textarea");
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  HTMLFormElement.prototype.submit.call(form);
}"""


def posted(visit: Visit, url: str, path: str, fields: dict[str, object]) -> int:
    """Send a form from a page of ours, as pressing its button does; gives the answer's status."""
    pairs = [
        [name, str(one)]
        for name, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    with visit.page.expect_navigation() as answer:
        visit.page.evaluate(SUBMIT, [f"{url}{path}", pairs])
    visit.url = visit.page.url
    found = answer.value
    assert found is not None
    return found.status


AFTER = ("/variants/kind-reminder-v1", "/variants", "/label", "/audit", "/health", "/studies/first")
"""Where a later reader meets what was sent."""


def test_every_form_has_a_hostile_sender() -> None:
    """A form that is added without one fails here."""
    assert set(tour.FORMS) == set(tour.page_routes("POST"))


def try_payloads(services: Services, run: str, browser: Browser, payloads: Sequence[str]) -> int:
    """Send each through every form and open every answer, our policy switched off."""
    (services.root / "variants" / "my-draft-v1.md").write_text(tour.DRAFT)
    client = client_of(services)
    client.post(f"/label/{run}/draw", data={"sample": "16", "by": "Ana"})
    item = item_of(client.get(f"/label/{run}?by=Ana").text)
    seen: Counter[int] = Counter()
    with (
        listening(services) as url,
        browser.visit(f"{url}/login", without_csp=True) as visit,
    ):
        for number, payload in enumerate(payloads):
            for path, fields in tour.poisoned(payload, run, item, number):
                status = posted(visit, url, path, fields)
                assert status not in {403, 413, 500}, (path, fields)
                seen[status] += 1
                visit.poke(wait_ms=5)
            for path in (*AFTER, f"/variants/hostile-{number}"):
                visit.page.goto(f"{url}{path}")
                visit.url = visit.page.url
                visit.poke(wait_ms=5)
            (services.root / "variants" / f"hostile-{number}.md").unlink(missing_ok=True)
        assert visit.executed == []
        outside = [one for one in visit.asked if not one.startswith((url, "data:"))]
        assert outside == []
    # Some were taken and shown by the page they led to, others came back with what was typed.
    assert seen[200] > len(payloads)
    assert seen[422] > len(payloads)
    return seen.total()


def test_hostile_text_in_every_form_does_nothing(
    services: Services, browser: Browser, ran: str
) -> None:
    assert try_payloads(services, ran, browser, PAYLOADS[13:14]) >= len(tour.FORMS)


@pytest.mark.slow
def test_all_hostile_text_in_every_form_does_nothing(
    services: Services, browser: Browser, ran: str
) -> None:
    assert len(PAYLOADS) >= 150
    assert try_payloads(services, ran, browser, PAYLOADS) >= 150 * len(tour.FORMS)


def test_a_payload_that_acts_is_seen(services: Services, browser: Browser) -> None:
    """The test above can fail: the same text as markup sets off its mark."""
    with listening(services) as url, browser.visit(f"{url}/login", without_csp=True) as visit:
        visit.page.evaluate("text => { document.body.innerHTML = text; }", PAYLOADS_THAT_ACT)
        visit.poke()
        assert visit.executed


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


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[tour.Filled, str]]:
    """A workspace in which every page has something to show, and where it listens."""
    with (
        tour.filled(tmp_path_factory.mktemp("tour") / "team") as filled,
        listening(filled.services) as url,
    ):
        yield filled, url


def test_every_page_is_on_the_tour() -> None:
    """A page that is added without an address fails here."""
    assert set(tour.PLACES) == set(tour.page_routes("GET"))


UNSEEN = """() => [...document.querySelectorAll("main .scroll table")]
  .filter((one) => !one.closest("details:not([open]), .narrow, .wide")
    && one.getClientRects().length === 0)
  .map((one) => one.innerText)"""
"""Tables that a width hides although nothing else tells what they hold."""


def read_by_everybody(browser: Browser, url: str, path: str, widths: Sequence[int]) -> None:
    """axe-core finds nothing serious, no page scrolls sideways, and the console is silent."""
    for width in widths:
        for scheme in SCHEMES:
            with browser.visit(f"{url}{path}", width=width, scheme=scheme) as visit:
                assert not visit.overflows(), (path, width)
                assert visit.page.evaluate(UNSEEN) == [], (path, width)
                assert visit.violations() == [], (path, width, scheme)
                assert [one for one in visit.console if "Failed to load" not in one] == [], path


def addresses(filled: tour.Filled) -> list[str]:
    """Every address of the tour, with a page that there is none of."""
    found = [path for places in tour.PLACES.values() for path in places(filled)]
    return [*found, "/no-such-page"]


def test_pages_can_be_read_by_everybody(browser: Browser, full: tuple[tour.Filled, str]) -> None:
    """The forms that people work in, narrow: label, edit, watch."""
    filled, url = full
    run = filled.runs[1]
    for path in (f"/label/{run}?by=Ben", "/variants/my-draft-v1/edit", f"/runs/{run}", "/health"):
        read_by_everybody(browser, url, path, (320,))


@pytest.mark.slow
def test_every_page_can_be_read_by_everybody(
    browser: Browser, full: tuple[tour.Filled, str]
) -> None:
    """Full: every page of the route table, light and dark, 320 and 1280 pixels wide."""
    filled, url = full
    for path in addresses(filled):
        read_by_everybody(browser, url, path, (320, 1280))


@pytest.mark.slow
def test_every_empty_page_can_be_read_by_everybody(tmp_path: Path, browser: Browser) -> None:
    with serving(tmp_path) as services, listening(services) as url:
        for path in tour.EMPTY:
            read_by_everybody(browser, url, path, (320, 1280))


def test_empty_pages_can_be_read_by_everybody(tmp_path: Path, browser: Browser) -> None:
    with serving(tmp_path) as services, listening(services) as url:
        for path in ("/", "/compare"):
            read_by_everybody(browser, url, path, (320,))


def test_the_first_tab_stop_skips_to_the_content(services: Services, browser: Browser) -> None:
    with listening(services) as url, browser.visit(f"{url}/studies/first") as visit:
        page = visit.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_health_over_the_api_is_what_the_page_shows(services: Services, ran: str) -> None:
    answer = client_of(services).get("/api/health")
    found = HealthOut.model_validate(json.loads(answer.text))
    assert [one.run for one in found.runs] == [ran]
