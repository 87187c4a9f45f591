"""Reports in a real browser: nothing runs, nothing is fetched, nothing is kept from anybody."""

import pytest

from reports import write
from tests.browser import MARK, SCHEMES, WIDTHS, chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    return write(report, tmp_path_factory.mktemp("page") / "report.html").as_uri()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_no_serious_violation(browser, page, width, scheme):
    with browser.visit(page, width=width, scheme=scheme) as visit:
        visit.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        assert visit.violations() == []
        assert not visit.overflows()


def test_the_page_asks_for_nothing_and_says_nothing(browser, page):
    with browser.visit(page) as visit:
        visit.poke()
        assert (visit.requests, visit.console, visit.executed) == ([], [], [])


def test_axe_would_find_a_planted_fault(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text("<html lang='en'><title>t</title><p style='color:#ddd'>pale</p><img src='x'>")
    with browser.visit(bad.as_uri()) as visit:
        assert {"image-alt", "color-contrast"} <= {one.id for one in visit.violations()}
        assert visit.requests != []


def test_the_browser_sees_what_runs(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        f"<title>t</title><details ontoggle='{MARK}()'>x</details><svg onload='alert(1)'>"
    )
    with browser.visit(bad.as_uri()) as visit:
        visit.poke()
        assert {"a payload called its mark", "a dialog"} <= set(visit.executed)
