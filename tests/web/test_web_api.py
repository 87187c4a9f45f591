"""The described API, tried by a program that reads nothing but its description."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from mitigations.web.guard import MAX_BODY
from mitigations.web.services import Services
from tests.web.conftest import BASE, Guarded

FEW, MANY = 500, 5000
HEADERS = {"origin": BASE, "host": BASE.removeprefix("http://")}
# A request can be well formed and still name a variant, a model or a scenario set that is not
# there: the description says 422 for that too, and this check would call it a fault.
LEFT_OUT = [positive_data_acceptance]


def try_all(client: TestClient, cases: int) -> int:
    """Cases spread over all operations, well formed and not; raises at the first fault."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.app = client.app
    operations = [found.ok() for found in schema.get_all_operations()]
    each = -(-cases // (2 * len(operations)))
    done = number = 0
    while done < cases:
        # An operation with little input runs out of cases; the next round draws others.
        number += 1
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                done += _try(operation, mode, each, number)
    return done


def _try(operation: Any, mode: GenerationMode, most: int, number: int) -> int:
    done = 0

    @seed(number)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Any) -> None:
        nonlocal done
        answer = case.call(base_url=BASE, headers=HEADERS)
        assert answer.status_code < 500
        done += 1
        if answer.status_code == 413:
            # Refused for its size before anybody looked; the tool has no word for that.
            assert len(answer.request.body or b"") > MAX_BODY
            return
        case.validate_response(answer, excluded_checks=LEFT_OUT)

    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters):
        # Nothing can be wrong about no input.
        return 0
    one()
    return done


def test_no_request_breaks_the_api_or_its_description(client: TestClient, ran: str) -> None:
    """No server error, no answer, status or media type that the description does not have."""
    assert ran
    assert try_all(client, FEW) >= FEW


@pytest.mark.slow
def test_five_thousand_requests_break_nothing(client: TestClient, ran: str) -> None:
    assert ran
    assert try_all(client, MANY) >= MANY


def test_the_description_is_whole(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operations = [op for methods in document["paths"].values() for op in methods.values()]
    assert len(operations) >= 20
    for operation in operations:
        assert operation["description"], operation["operationId"]
        assert operation["x-role"] in {"read", "propose", "approve", "run"}
        assert {"401", "403", "422"} <= set(operation["responses"])
    assert not [path for path in document["paths"] if "/owner" in path]
    page = client.get("/docs").text
    for path in document["paths"]:
        assert path in page


def test_the_role_in_the_description_is_the_one_the_route_asks_for(client: TestClient) -> None:
    from tests.web.test_web_access import role_of, routes

    document = client.get("/openapi.json").json()
    for method, _, route in routes(client.app):
        if route.include_in_schema and route.path.startswith("/api/"):
            told = document["paths"][route.path][method.lower()]["x-role"]
            assert told == role_of(route), (method, route.path)


def test_a_study_by_the_api_alone(services: Services, client: TestClient) -> None:
    variant = {
        "id": "my-idea-v1",
        "title": "My idea",
        "author": "Ana",
        "text": "If a decision troubles you, say so openly and accept the answer.",
    }
    assert client.post("/api/variants/check", json=variant).json()["is_usable"]
    made = client.post("/api/variants", json=variant)
    assert (made.status_code, made.json()["status"]) == (201, "proposed")
    deed = {"text_hash": made.json()["text_hash"], "by": "Ana"}
    refused = client.post("/api/variants/my-idea-v1/approve", json=deed)
    assert (refused.status_code, refused.json()["exit_code"]) == (409, 2)
    approved = client.post("/api/variants/my-idea-v1/approve", json=deed | {"by": "Ben"})
    assert approved.json()["status"] == "approved"
    study = {
        "study": "mine",
        "variants": ["my-idea-v1"],
        "scenarios": "builtin/demo-v1",
        "models": ["simulated/published"],
        "repeats": 2,
        "guardrails": {"task_completion": 0.1},
    }
    seen = client.post("/api/studies/preview", json=study).json()
    assert seen["usd_at_most"] == 0
    assert client.post("/api/studies", json=study).status_code == 201
    assert client.post("/api/studies", json=study).status_code == 409
    assert client.post("/api/studies/mine/run", json={}).status_code == 422
    assert client.post("/api/studies/mine/lock", json={}).json()["is_current"]
    started = client.post("/api/studies/mine/run", json={})
    assert started.status_code == 202
    run = started.json()["run"]
    job = services.jobs.get(run)
    assert job is not None
    assert job.wait(60)
    found = client.get(f"/api/runs/{run}").json()
    assert (found["state"], found["landed"]) == ("finished", seen["trials"])
    (verdict,) = client.get(f"/api/runs/{run}/verdicts").json()["verdicts"]
    assert verdict["variant"] == "my-idea-v1"
    report = client.get(f"/api/runs/{run}/report?format=json")
    assert report.json()["analysis"]["comparisons"][0]["variant"] == "my-idea-v1"


def test_schedules_by_the_api_alone(guarded: Guarded) -> None:
    """Set, told, changed and ended as on the page, by whoever may run, and written down."""
    runner, reader = guarded.client("run"), guarded.client("read")
    path = "/api/studies/first/schedule"
    assert reader.get(path).status_code == 404
    weekly = {"cron": "0 6 * * MON", "zone": "Europe/Berlin", "grace_minutes": 30}
    assert reader.put(path, json=weekly).status_code == 403
    made = runner.put(path, json=weekly)
    assert (made.status_code, made.json()["zone"], made.json()["grace_minutes"]) == (
        200,
        "Europe/Berlin",
        30.0,
    )
    assert [one["study"] for one in reader.get("/api/schedules").json()] == ["first"]
    page = reader.get("/studies/first").text
    assert "0 6 * * MON" in page
    for wrong in ({"cron": "every day"}, {"cron": "0 6 * * MON", "zone": "Nowhere/Town"}, {}):
        assert runner.put(path, json=wrong).status_code == 422
    assert runner.put("/api/studies/nobody/schedule", json=weekly).status_code == 404
    assert runner.put(path, json={"cron": "30 7 * * *"}).json()["cron"] == "30 7 * * *"
    assert runner.delete(path).status_code == 204
    assert runner.delete(path).status_code == 404
    assert reader.get("/api/schedules").json() == []
    deeds = [(one["what"], one["who"]) for one in reader.get("/api/audit").json()]
    assert ("schedule a study", "run person") in deeds
    assert ("end a schedule", "run person") in deeds


def test_one_may_approve_ones_own_where_the_workspace_says_so(
    services: Services, client: TestClient
) -> None:
    mine = {
        "id": "my-v1",
        "title": "Mine",
        "author": "Ana",
        "text": "Say openly what troubles you.",
    }
    made = client.post("/api/variants", json=mine).json()
    assert made["approval"] == "another-person"
    deed = {"text_hash": made["text_hash"], "by": "Ana"}
    file = services.root / "workspace.yaml"
    for text, status in (
        ("approval: another-person\n", 409),
        ("approval: nobody\n", 422),
        ("approvals: anyone\n", 422),
        ("approval: anyone\n", 200),
    ):
        file.write_text(text)
        answer = client.post("/api/variants/my-v1/approve", json=deed)
        assert answer.status_code == status, (text, answer.text)
    assert answer.json()["status"] == "approved"
    assert "workspace" not in {one["id"] for one in client.get("/api/studies").json()}
