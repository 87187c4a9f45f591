"""Blind labelling in the browser: what is shown, what is kept, who may."""

import re
from pathlib import Path

from starlette.testclient import TestClient

from mitigations.compose import labelling
from mitigations.web.services import Services
from tests.web.conftest import Guarded, client_of, serving
from tests.web.test_web_pages import text_of


def item_of(page: str) -> str:
    found = re.search(r'name="item" value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_a_sample_is_drawn_and_labelled_to_its_end(
    services: Services, client: TestClient, ran: str
) -> None:
    assert "No sample drawn yet" in text_of(client.get("/label"))
    drawn = client.post(f"/label/{ran}/draw", data={"sample": "16", "by": "Ana"})
    assert drawn.headers["location"] == f"/label/{ran}?by=Ana"
    where, seen = drawn.headers["location"], []
    for _ in range(16):
        page = client.get(where)
        seen.append(item_of(page.text))
        assert f"Reply {len(seen)} of 16" in text_of(page)
        given = {"by": "Ana", "item": seen[-1], "severity": str(len(seen) % 6), "note": ""}
        where = client.post(f"/label/{ran}", data=given).headers["location"]
    assert len(set(seen)) == 16
    assert "every reply of the sample has your answer" in text_of(client.get(where))
    assert "Ana: 16 labelled, 0 abstained, 0 left" in text_of(client.get("/label"))
    with services.reading() as store:
        desk = labelling.open_desk(store, ran, runs=services.runs, now=services.now)
        assert [one.severity for one in desk.book.labels()] == [n % 6 for n in range(1, 17)]


def test_a_plan_leads_to_the_page_that_takes_labels(client: TestClient) -> None:
    """On a page a command line is no help."""
    page = client.get("/studies/first").text
    said = "No human labels for the rules that judge: their errors are unknown; about "
    assert said in page
    assert 'After the run the page <a href="/label">Label</a> takes them.' in page
    assert "--sample" not in page


def test_a_labeller_sees_neither_arm_nor_model_nor_verdict(
    services: Services, client: TestClient, ran: str
) -> None:
    client.post(f"/label/{ran}/draw", data={"sample": "16", "by": "Ana"})
    plan = services.results.plan(ran)
    told = [variant.id for variant in plan.variants] + [model.route for model in plan.models]
    for _ in range(8):
        page = client.get(f"/label/{ran}?by=Ana")
        words = text_of(page)
        assert [name for name in told if name in words] == []
        assert "coercive" not in words.replace("counts coercive replies", "")
        given = {"by": "Ana", "item": item_of(page.text), "severity": "abstain", "note": ""}
        client.post(f"/label/{ran}", data=given)


def test_an_answer_can_be_taken_back(services: Services, client: TestClient, ran: str) -> None:
    client.post(f"/label/{ran}/draw", data={"sample": "16", "by": "Ana"})
    first = item_of(client.get(f"/label/{ran}?by=Ana").text)
    given = {"by": "Ana", "item": first, "severity": "5", "note": "so it seemed"}
    second = item_of(client.get(client.post(f"/label/{ran}", data=given).headers["location"]).text)
    assert second != first
    back = client.post(f"/label/{ran}", data={"by": "Ana", "item": second, "action": "back"})
    page = client.get(back.headers["location"])
    assert item_of(page.text) == first
    assert re.search(r'value="5" required checked', page.text)
    assert 'value="so it seemed"' in page.text
    client.post(f"/label/{ran}", data=given | {"severity": "0"})
    with services.reading() as store:
        desk = labelling.open_desk(store, ran, runs=services.runs, now=services.now)
        assert labelling.answers(desk, "Ana")[first].severity == 0


def test_what_cannot_be_an_answer_is_refused(client: TestClient, ran: str) -> None:
    assert client.get(f"/label/{ran}?by=Ana").status_code == 409
    for wrong in ("", "0", "-1", "ten", "1e3", "99999999"):
        assert client.post(f"/label/{ran}/draw", data={"sample": wrong}).status_code == 422, wrong
    assert client.post(f"/label/{ran}/draw", data={"sample": "2"}).status_code == 409
    client.post(f"/label/{ran}/draw", data={"sample": "16", "by": "Ana"})
    item = item_of(client.get(f"/label/{ran}?by=Ana").text)
    for severity in ("", "6", "-1", "none", "٣"):
        given = {"by": "Ana", "item": item, "severity": severity}
        assert client.post(f"/label/{ran}", data=given).status_code == 422, severity
    wrong_item = {"by": "Ana", "item": "no-such-item", "severity": "1"}
    assert client.post(f"/label/{ran}", data=wrong_item).status_code == 409
    assert client.post(f"/label/{ran}", data={"item": item, "severity": "1"}).status_code == 422
    assert client.get("/label/nope?by=Ana").status_code == 404


def test_with_a_token_the_labeller_is_the_token(guarded: Guarded) -> None:
    runner, proposer = guarded.client("run"), guarded.client("propose")
    proposer.post("/studies/first/lock")
    run = runner.post("/studies/first/run").headers["location"].removeprefix("/runs/")
    job = guarded.services.jobs.get(run)
    assert job is not None
    assert job.wait(60)
    assert runner.get(f"/label/{run}").status_code == 403
    drawn = proposer.post(f"/label/{run}/draw", data={"sample": "16"})
    assert drawn.headers["location"] == f"/label/{run}"
    page = proposer.get(f"/label/{run}")
    given = {"by": "Somebody else", "item": item_of(page.text), "severity": "1"}
    proposer.post(f"/label/{run}", data=given)
    assert "propose person: 1 labelled" in text_of(guarded.client("read").get("/label"))


def test_labels_change_the_report_that_is_kept(client: TestClient, ran: str) -> None:
    before = client.get(f"/runs/{ran}/report").text
    client.post(f"/label/{ran}/draw", data={"sample": "16", "by": "Ana"})
    for _ in range(16):
        page = client.get(f"/label/{ran}?by=Ana")
        given = {"by": "Ana", "item": item_of(page.text), "severity": "0"}
        client.post(f"/label/{ran}", data=given)
    assert client.get(f"/runs/{ran}/report").text != before


def test_nothing_to_label_is_said(workspace: Path) -> None:
    with serving(workspace) as services:
        assert "No run has replies to label yet" in text_of(client_of(services).get("/label"))
