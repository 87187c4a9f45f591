"""The lock freezes a study: whatever is changed afterwards is named."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitigations.compose.planning import open_lock, pack_for_lock, plan_from
from mitigations.compose.running import check_start
from mitigations.errors import InvalidFile, MitigationsError, PlanChanged
from mitigations.model import Plan
from mitigations.study import parse_study, read_lock, write_lock
from mitigations.study.lock import lock_text, parse_lock
from runner.judge import rubric_hash
from runner.judge.texts import rubric

STUDY = """\
study: locked
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published, simulated/floor]
repeats: 3
guardrails: {task_completion: 0.05}
budget_usd: 5
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_from(parse_study(STUDY), folder=Path(), created="2026-11-24T00:00:00Z")


def test_a_lock_reads_back_as_the_same_plan(plan: Plan, tmp_path: Path) -> None:
    write_lock(plan, tmp_path / "locked.lock")
    assert open_lock(tmp_path / "locked.lock") == plan


def test_the_same_study_gives_the_same_lock(plan: Plan) -> None:
    again = plan_from(parse_study(STUDY), folder=Path(), created="2026-11-24T00:00:00Z")
    assert lock_text(again) == lock_text(plan)


def leaves(node: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list) and node:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            yield from leaves(value, (*where, key))
    else:
        yield where


def changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case None:
            return 1
        case _:
            return ["x"]


def test_every_single_field_of_a_lock_is_held_by_its_hash(plan: Plan) -> None:
    """Flip each leaf in turn: all are detected, none is read as a plan."""
    document = json.loads(lock_text(plan))
    places = list(leaves(document))
    assert len(places) >= 50
    for place in places:
        edited = json.loads(lock_text(plan))
        node = edited
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = changed(node[place[-1]])
        with pytest.raises((PlanChanged, InvalidFile)):
            parse_lock(json.dumps(edited), "x.lock", base=None, load_pack=pack_for_lock)


def test_a_field_can_neither_be_added_nor_removed(plan: Plan) -> None:
    for edit in ({"extra": 1}, None):
        document = json.loads(lock_text(plan))
        if edit:
            document |= edit
        else:
            del document["repeats"]
        with pytest.raises(PlanChanged, match="edited after"):
            parse_lock(json.dumps(document), "x.lock", base=None, load_pack=pack_for_lock)


def test_an_edited_text_is_named_with_its_variant(plan: Plan) -> None:
    document = json.loads(lock_text(plan))
    document["variants"][1]["text"] = "Please be nice.\n"
    with pytest.raises(PlanChanged, match="text of variant 'prohibition-short-v1'"):
        parse_lock(json.dumps(document), "x.lock", base=None, load_pack=pack_for_lock)


def test_a_changed_scenario_is_named(plan: Plan, tmp_path: Path) -> None:
    write_lock(plan, tmp_path / "x.lock")

    def other_pack(ref: str, base: Path | None) -> Any:
        pack_hash, scenarios = pack_for_lock(ref, base)
        return pack_hash, (replace(scenarios[0], system="Something else."), *scenarios[1:])

    with pytest.raises(PlanChanged, match=plan.scenarios[0].id):
        read_lock(tmp_path / "x.lock", base=tmp_path, load_pack=other_pack)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "study: x\n", '{"format": "other/1"}', "[" * 99999]
)
def test_what_is_no_lock_is_refused_with_the_way_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.lock"
    path.write_text(text)
    with pytest.raises(MitigationsError) as caught:
        open_lock(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_every_changed_byte_of_a_rubric_is_another_hash_and_stops_the_run() -> None:
    """Fifty single characters, spread over the shipped rubric; `run` refuses each."""
    text = rubric()
    whole = rubric_hash(text)
    judged = STUDY + "judge: {model: openai/gpt-5-2025-08-07}\n"
    plan = plan_from(parse_study(judged), folder=Path(), created="2026-11-24T00:00:00Z")
    places = [len(text) * step // 50 for step in range(50)]
    for place in places:
        edited = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        other = rubric_hash(edited)
        assert other != whole
    with pytest.raises(PlanChanged, match="rubric"):
        check_start(replace(plan, rubric_hash=other), {}, budget_usd=5)


def test_every_changed_field_of_a_scenario_stops_the_lock(plan: Plan, tmp_path: Path) -> None:
    write_lock(plan, tmp_path / "x.lock")
    first = plan.scenarios[0]
    edits: dict[str, Any] = {
        "title": "x", "system": "x", "factors": {}, "behaviours": (), "organisations": ("x",),
        "cast": (), "inbox": (), "tools": (),
    }  # fmt: skip
    for name, value in edits.items():

        def other_pack(
            ref: str,
            base: Path | None,
            changed: dict[str, Any] = {name: value},  # noqa: B006
        ) -> Any:
            pack_hash, scenarios = pack_for_lock(ref, base)
            return pack_hash, (replace(first, **changed), *scenarios[1:])

        with pytest.raises(PlanChanged, match=first.id):
            read_lock(tmp_path / "x.lock", base=tmp_path, load_pack=other_pack)
