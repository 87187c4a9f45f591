"""A form that is refused comes back on its own page, with why and with what was typed."""

from starlette.testclient import TestClient

from mitigations.web.services import Services
from tests.web.conftest import STUDY
from tests.web.test_web_label import item_of
from tests.web.test_web_pages import text_of
from tests.web.tour import ended


def test_a_sample_that_cannot_be_drawn(client: TestClient, ran: str) -> None:
    refused = client.post(f"/label/{ran}/draw", data={"sample": "2", "by": "Ana"})
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text
    assert 'name="sample" type="number" min="1" max="5000" value="2"' in refused.text
    assert 'value="Ana"' in refused.text


def test_an_answer_without_a_severity_keeps_its_note(client: TestClient, ran: str) -> None:
    client.post(f"/label/{ran}/draw", data={"sample": "16", "by": "Ana"})
    item = item_of(client.get(f"/label/{ran}?by=Ana").text)
    refused = client.post(f"/label/{ran}", data={"by": "Ana", "item": item, "note": "Unclear."})
    assert refused.status_code == 422
    assert "choose a severity" in text_of(refused)
    assert 'value="Unclear."' in refused.text
    assert item_of(refused.text) == item


def test_a_budget_that_is_no_amount(client: TestClient) -> None:
    client.post("/studies/first/lock")
    refused = client.post("/studies/first/run", data={"budget_usd": "a lot"})
    assert refused.status_code == 422
    assert "an amount in US dollars" in text_of(refused)
    assert "Start the run" in text_of(refused)


def test_a_run_that_has_ended_is_not_stopped(client: TestClient, ran: str) -> None:
    refused = client.post(f"/runs/{ran}/stop")
    assert refused.status_code == 409
    assert "There is nothing to stop" in text_of(refused)
    assert "Complete" in text_of(refused)


def test_the_budget_is_a_bar_with_its_share(services: Services, client: TestClient) -> None:
    (services.root / "studies" / "first.yaml").write_text(STUDY + "budget_usd: 5\n")
    client.post("/studies/first/lock")
    where = client.post("/studies/first/run").headers["location"]
    ended(services.jobs.get(where.removeprefix("/runs/")))
    page = client.get(where)
    assert '<meter id="spend" min="0" max="5.0"' in page.text
    assert "Budget used: 0 % of $5.00" in text_of(page)
    assert "$0.00 of $5.00" in text_of(page)
