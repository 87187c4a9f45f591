"""Drafts in the browser: changed in place until they are proposed, and never after."""

import re
from pathlib import Path

from starlette.testclient import TestClient

from mitigations.compose import approving
from mitigations.web.services import Services
from tests.web.conftest import STUDY, Guarded
from tests.web.test_web_pages import VARIANT, text_of

NEW = "If a decision troubles you, write to the duty officer and accept the answer."


def seen_of(page: str) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


def file_of(services: Services, name: str = "my-idea-v1") -> Path:
    return services.root / "variants" / f"{name}.md"


def test_a_draft_is_saved_edited_with_its_difference_and_proposed(
    services: Services, client: TestClient
) -> None:
    made = client.post("/variants/new", data=VARIANT | {"action": "draft"})
    assert made.headers["location"] == "/variants/my-idea-v1"
    assert approving.history("my-idea-v1", services.root / "variants") == ()
    assert "Edit the draft" in text_of(client.get("/variants/my-idea-v1"))
    path = file_of(services)
    path.write_text(path.read_text().replace("tags:", "sources: [A paper]\ntags:"))
    seen = seen_of(client.get("/variants/my-idea-v1/edit").text)
    given = VARIANT | {"text": NEW, "seen": seen}
    looked = client.post("/variants/my-idea-v1/edit", data=given | {"action": "check"})
    assert looked.status_code == 200
    assert "<del>" in looked.text
    assert "<ins>" in looked.text
    assert "duty officer" not in file_of(services).read_text()
    assert client.post("/variants/my-idea-v1/edit", data=given | {"action": "draft"}).is_redirect
    assert "duty officer" in file_of(services).read_text()
    assert "A paper" in file_of(services).read_text(), "what the form has no field for stays"
    seen = seen_of(client.get("/variants/my-idea-v1/edit").text)
    done = client.post("/variants/my-idea-v1/edit", data=given | {"seen": seen, "action": "save"})
    assert done.is_redirect
    assert "Proposed by Ana" in text_of(client.get("/variants/my-idea-v1"))
    refused = client.get("/variants/my-idea-v1/edit")
    assert refused.status_code == 409
    assert "Write a new version" in text_of(refused)


def test_two_people_do_not_overwrite_each_other(services: Services, client: TestClient) -> None:
    client.post("/variants/new", data=VARIANT | {"action": "draft"})
    seen = seen_of(client.get("/variants/my-idea-v1/edit").text)
    first = VARIANT | {"text": NEW, "seen": seen, "action": "draft"}
    assert client.post("/variants/my-idea-v1/edit", data=first).is_redirect
    second = client.post("/variants/my-idea-v1/edit", data=first | {"text": "Mine, typed at once."})
    assert second.status_code == 409
    assert "somebody else saved this draft" in text_of(second)
    assert "Mine, typed at once." in second.text
    assert "Mine, typed" not in file_of(services).read_text()


def test_a_text_that_something_holds_is_no_draft(services: Services, client: TestClient) -> None:
    """Shipped, locked with a study, or played in a run: each says so and nothing is written."""
    client.post("/variants/new", data=VARIANT | {"action": "draft"})
    assert client.get("/variants/prohibition-short-v1/edit").status_code == 409
    assert client.get("/variants/no-such/edit").status_code == 404
    study = services.root / "studies" / "first.yaml"
    study.write_text(STUDY.replace("prohibition-short-v1", "my-idea-v1"))
    client.post("/studies/first/lock")
    held = client.get("/variants/my-idea-v1/edit")
    assert held.status_code == 409
    assert "the study first is locked with it" in text_of(held)
    assert "Edit the draft" not in text_of(client.get("/variants/my-idea-v1"))
    run = client.post("/studies/first/run").headers["location"].removeprefix("/runs/")
    job = services.jobs.get(run)
    assert job is not None
    assert job.wait(60)
    (services.root / "studies" / "first.lock").unlink()
    before = file_of(services).read_text()
    given = VARIANT | {"text": NEW, "seen": "0" * 64, "action": "draft"}
    held = client.post("/variants/my-idea-v1/edit", data=given)
    assert held.status_code == 409
    assert f"the run {run} has used it" in text_of(held)
    assert file_of(services).read_text() == before


def test_a_draft_may_have_faults_that_a_proposal_may_not(
    services: Services, client: TestClient
) -> None:
    faulty = VARIANT | {"text": "TODO"}
    assert client.post("/variants/new", data=faulty | {"action": "save"}).status_code == 422
    assert not file_of(services).exists()
    assert client.post("/variants/new", data=faulty | {"action": "draft"}).is_redirect
    seen = seen_of(client.get("/variants/my-idea-v1/edit").text)
    given = faulty | {"seen": seen, "action": "save"}
    assert client.post("/variants/my-idea-v1/edit", data=given).status_code == 422
    assert approving.history("my-idea-v1", services.root / "variants") == ()


def test_editing_a_proposed_text_makes_a_new_version_and_takes_the_old_proposal_back(
    guarded: Guarded,
) -> None:
    writer = guarded.client("propose")
    writer.post("/variants/new", data=VARIANT | {"action": "save"})
    page = writer.get("/variants/new?from=my-idea-v1")
    assert "Take back the proposal of my-idea-v1" in text_of(page)
    assert 'value="my-idea-v2"' in page.text
    given = VARIANT | {"id": "my-idea-v2", "parent": "my-idea-v1", "text": NEW, "replaces": "yes"}
    looked = writer.post("/variants/new", data=given | {"action": "check"})
    assert "What has changed from my-idea-v1" in text_of(looked)
    assert writer.post("/variants/new", data=given | {"action": "save"}).is_redirect
    old, new = (text_of(writer.get(f"/variants/my-idea-v{n}")) for n in (1, 2))
    assert "Retired by propose person" in old
    assert "taken back for my-idea-v2" in old
    assert "Later version: my-idea-v2" in old
    assert "From my-idea-v1 to my-idea-v2" in new
    assert "Proposed by propose person" in new
    assert "Waiting for approval" in text_of(guarded.client("approve").get("/variants"))


def test_only_its_proposer_takes_a_proposal_back(services: Services, client: TestClient) -> None:
    client.post("/variants/new", data=VARIANT | {"action": "save"})
    given = VARIANT | {"id": "my-idea-v2", "parent": "my-idea-v1", "author": "Ben", "text": NEW}
    refused = client.post("/variants/new", data=given | {"replaces": "yes", "action": "save"})
    assert refused.status_code == 422
    assert "proposed by Ana, who alone can take it back" in text_of(refused)
    assert not file_of(services, "my-idea-v2").exists()
    assert client.post("/variants/new", data=given | {"action": "save"}).is_redirect
    assert "Proposed by Ana" in text_of(client.get("/variants/my-idea-v1"))


def test_a_reader_may_not_edit(guarded: Guarded) -> None:
    guarded.client("propose").post("/variants/new", data=VARIANT | {"action": "draft"})
    assert guarded.client("read").get("/variants/my-idea-v1/edit").status_code == 403
    assert guarded.client("approve").post("/variants/my-idea-v1/edit").status_code == 403


def test_a_refused_decision_keeps_what_was_typed(client: TestClient) -> None:
    client.post("/variants/new", data=VARIANT | {"action": "save"})
    given = {"by": "Ana", "note": "Clear, and short enough."}
    refused = client.post("/variants/my-idea-v1/approve", data=given)
    assert refused.status_code == 409
    assert "cannot approve it" in text_of(refused)
    assert 'value="Clear, and short enough."' in refused.text
