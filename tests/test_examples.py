"""The examples that users copy: they run what exists, and trust no moving name."""

import re
from pathlib import Path

import yaml

from mitigations.cli.app import _commands

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def steps():
    document = yaml.safe_load((EXAMPLES / "gate.yml").read_text())
    return document, document["jobs"]["gate"]["steps"]


def test_every_action_waits_for_a_commit():
    _, found = steps()
    used = [step["uses"] for step in found if "uses" in step]
    assert used
    assert {name.partition("@")[2] for name in used} == {"COMMIT"}


def test_the_workflow_calls_commands_that_exist():
    _, found = steps()
    called = re.findall(r"bin/mitigations (\w+)", "\n".join(step.get("run", "") for step in found))
    assert {"check", "run", "report", "bundle", "gate"} <= set(called) <= set(_commands())


def test_the_workflow_reads_only_and_shows_a_key_to_one_step():
    document, found = steps()
    assert document["permissions"] == {"contents": "read"}
    keyed = [step for step in found if "secrets." in str(step)]
    assert [step["name"] for step in keyed] == ["Run, or resume"]
    assert "secrets." not in str({k: v for k, v in document.items() if k != "jobs"})


def test_nothing_from_a_pull_request_is_put_into_a_shell():
    """`${{ github.event... }}` inside `run:` is how workflows are taken over."""
    _, found = steps()
    assert not [step for step in found if "${{" in step.get("run", "")]
