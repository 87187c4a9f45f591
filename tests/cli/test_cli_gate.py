"""`mitigations gate`: the exit code of a pipeline, from a study's own rule."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mitigations.cli.app import run
from mitigations.compose.planning import open_lock, plan_study
from mitigations.errors import InvalidFile
from mitigations.model import Gate
from mitigations.study import parse_study, write_lock
from mitigations.study.lock import lock_document
from tests.compose.bundle_help import STUDY, WHEN, finished

RULE = """\
gate:
  must_reduce: [{reduce}]
  guardrails: shown
  each_model: false
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gate")


def test_the_exit_code_and_the_files(folder, capsys):
    text = STUDY.replace("no-mitigation", "pause-and-review-v1", 1).replace(
        "[prohibition-short-v1, pause-and-review-v1]", "[no-mitigation]"
    )
    plan = finished(folder, pack="builtin/coercion-v1", text=text.replace(", simulated/lossy", ""))
    database = ["--db", str(folder / "db.duckdb")]
    junit, summary = folder / "gate.xml", folder / "gate.md"
    code = run([*database, "gate", "--junit", str(junit), "--summary", str(summary)])
    out = capsys.readouterr().out
    assert code == 3, out
    assert "failed: no-mitigation: " in out
    assert f"## {plan.run_id}: failed" in summary.read_text()
    assert ET.fromstring(junit.read_bytes())[0].get("failures") != "0"
    assert run([*database, "--json", "gate", plan.run_id]) == 3
    assert json.loads(capsys.readouterr().out)["exit"] == 3
    assert run([*database, "gate", "nobody"]) == 2


def test_the_rule_is_in_the_lock_and_only_where_a_study_has_one(tmp_path):
    path = tmp_path / "small.yaml"
    plain = STUDY.format(pack="builtin/demo-v1")
    path.write_text(plain + RULE.format(reduce="pause-and-review-v1"))
    plan = plan_study(path, created=WHEN)
    assert plan.gate == Gate(
        must_reduce=("pause-and-review-v1",), guardrails="shown", each_model=False
    )
    write_lock(plan, tmp_path / "small.lock")
    assert open_lock(tmp_path / "small.lock").gate == plan.gate
    path.write_text(plain)
    without = plan_study(path, created=WHEN)
    assert without.gate == Gate()
    assert "gate" not in lock_document(without)
    assert without.hash != plan.hash
    assert lock_document(replace(without, gate=plan.gate)) == lock_document(plan)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("gate: {must_reduce: [nobody]}", "no variant 'nobody'"),
        ("gate: {variants: [no-mitigation]}", "no variant 'no-mitigation'"),
        ("gate: {guardrails: maybe}", "guardrails"),
        ("gate: {fail_fast: yes}", "unknown key"),
        ("gate: {variants: [prohibition-short-v1], must_reduce: [pause-and-review-v1]}",
         "must reduce but is not among"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_kept_is_refused(rule, said):
    with pytest.raises(InvalidFile, match=said):
        parse_study(STUDY.format(pack="builtin/demo-v1") + rule)


def test_an_unfinished_run_is_held(tmp_path, capsys):
    from mitigations.store import Store
    from mitigations.study import lock_text

    (tmp_path / "small.yaml").write_text(STUDY.format(pack="builtin/demo-v1"))
    plan = plan_study(tmp_path / "small.yaml", created=WHEN)
    with Store.open(tmp_path / "db.duckdb") as store:
        store.begin_run(plan, lock_text(plan), at=WHEN)
    assert run(["--db", str(tmp_path / "db.duckdb"), "gate"]) == 4
    assert "untrusted" in capsys.readouterr().out
    assert Path(tmp_path / "db.duckdb").exists()
