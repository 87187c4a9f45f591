"""What was changed after a run is seen: rows, counts, versions, seals, journal, one by one."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from mitigations.compose import kept, rebuilding, reporting, sealing
from mitigations.compose.planning import plan_from
from mitigations.compose.running import JOURNAL, Options, Surroundings, run_plan
from mitigations.errors import InvalidFile, MitigationsError, PlanChanged
from mitigations.model import Alarm, Plan
from mitigations.providers import read_providers
from mitigations.store import Store
from mitigations.store.digest import FIELDS, NUMBERS
from mitigations.store.rows import COLUMNS
from mitigations.study import parse_study

STUDY = """\
study: sealed
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 3
guardrails: {task_completion: 0.05}
"""
AT = "2026-11-24T00:00:00Z"
DB = "mitigations.duckdb"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_from(parse_study(STUDY), folder=Path(), created=AT)


def play(plan: Plan, folder: Path) -> None:
    with Store.open(folder / DB) as store:
        around = Surroundings(
            store=store,
            runs=folder / "runs",
            providers=read_providers(folder),
            now=lambda: AT,
            watch=lambda _: None,
        )
        asyncio.run(run_plan(plan, around, Options()))


@pytest.fixture(scope="module")
def finished(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    play(plan, folder)
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def report_says(plan: Plan, folder: Path) -> Alarm:
    """The alarm of the report, or the refusal to read the plan at all."""
    with Store.open(folder / DB) as store:
        try:
            found = kept.plan_of(store, plan.run_id)
        except MitigationsError as exc:
            return Alarm(name="refused", fired=True, detail=str(exc))
        made = reporting.report_run(store, found, plan.run_id, commands=())
        alarm = next(one for one in made.analysis.alarms if one.name == sealing.ALARM)
        kinds = {one.verdict.kind for one in made.analysis.comparisons}
        assert bool(alarm.fired) == (kinds == {"do not rely"})
        return alarm


def check_says(folder: Path) -> list[str]:
    with Store.open(folder / DB) as store:
        return rebuilding.audit(store, folder / "runs")


def test_an_untouched_run_agrees_with_its_seal(plan: Plan, copy: Path) -> None:
    assert report_says(plan, copy).fired is False
    assert check_says(copy) == []
    play(plan, copy)
    assert report_says(plan, copy).fired is False
    first, second = sealing.seals(copy / "runs" / plan.run_id, plan.hash)
    assert (first.outcomes, first.digest, first.numbers) == (
        second.outcomes,
        second.digest,
        second.numbers,
    )


def test_a_rebuilt_database_agrees_with_the_seals(plan: Plan, copy: Path) -> None:
    (copy / DB).unlink()
    rebuilding.rebuild(copy / DB, copy / "runs", now=lambda: AT)
    assert report_says(plan, copy).fired is False
    assert check_says(copy) == []


EDITS = {
    "variant": "'other'",
    "treatment_hash": "'0'",
    "scenario": "'other'",
    "scenario_hash": "'0'",
    "model": "'simulated/floor'",
    "plan": "'0'",
    "trial": "'0'",
    "status": "'filtered'",
    "coercive": "not coercive",
    "severity": "severity + 1",
    "twin": "not twin",
    "repeat": "repeat + 1",
    "seed": "seed // 2",
    "position": "position + 1",
    "behaviours": "['sabotage']",
    "rule_severity": "rule_severity + 1",
    "rule_behaviours": "['sabotage']",
    "task_completed": "task_completed is not true",
    "needless_refusal": "needless_refusal is not true",
    "needless_escalation": "needless_escalation is not true",
    "duty_reported": "duty_reported is not true",
    "facts": "facts || ' '",
    "assessment": "assessment || ' '",
    "verdicts": "'[ ]'",
    "actions": "actions || ' '",
    "reply_text": "reply_text || '.'",
    "reasoning": "'x'",
    "nuisance": "'{ }'",
    "requested_model": "'x'",
    "served_model": "'x'",
    "fingerprint": "'x'",
    "sent": "'{ }'",
    "input_tokens": "input_tokens + 1",
    "output_tokens": "output_tokens + 1",
    "cached_tokens": "17",
    "cost_usd": "0.01",
    "latency_s": "latency_s + 1",
    "turns": "turns + 1",
    "attempts": "attempts + 1",
    "finished_at": "'2026-11-25T00:00:00Z'",
    "detail": "'x'",
    "cache_write_tokens": "17",
    "rerun": "1",
    "unconfirmed_usd": "0.01",
}
ONE = "where trial = (select min(trial) from outcome where status = 'scored' and not twin)"
STATEMENTS = {
    **{name: f"update outcome set {name} = {value} {ONE}" for name, value in EDITS.items()},
    "run": f"update outcome set run = 'x' {ONE}",
    "a row gone": f"delete from outcome {ONE}",
    "a row twice": f"insert into outcome select * from outcome {ONE}",
    "all coercive rows of an arm gone": (
        "delete from outcome where variant = 'prohibition-short-v1' and coercive"
    ),
    "a cell": "update cell set events = events + 1 where measure = 'coercive' and scored > events",
    "a cell gone": "delete from cell where measure = 'coercive' and events > 0",
    "a cell more": "insert into cell select * replace ('x' as variant) from cell limit 1",
    "lost in a cell": "update cell set lost = lost + 1",
    "the lock": "update plan set lock = replace(lock, '\"alpha\": 0.05', '\"alpha\": 0.20')",
    "the lock's hash": "update plan set hash = '0'",
    "the run's plan": "update run set plan = '0'",
    "a text": "update variant_version set document = 'Be nice.' where document <> ''",
    "a text's hash": "update variant_version set text_hash = '0'",
    "a scenario's factor": "update scenario_version set threat = 'none' where threat <> 'none'",
    "a scenario gone": "delete from scenario_version",
    "a repetition": "insert into rerun select run, trial, 1 from outcome limit 1",
    "the seal": "update run_event set detail = '1 2' where kind = 'sealed'",
    "no seal": "delete from run_event where kind = 'sealed'",
}


def test_the_digest_covers_every_column() -> None:
    assert set(FIELDS) == set(EDITS) | {"run"}
    assert set(FIELDS) <= set(COLUMNS)
    assert len(STATEMENTS) >= 50


def tampered(finished: Path, folder: Path, statement: str) -> Path:
    """The database of the finished run, changed; its journals stand where they were."""
    folder.mkdir()
    shutil.copyfile(finished / DB, folder / DB)
    (folder / "runs").symlink_to(finished / "runs")
    connection = duckdb.connect(str(folder / DB))
    connection.execute(statement)
    connection.close()
    return folder


def test_every_change_by_sql_is_seen(plan: Plan, finished: Path, tmp_path: Path) -> None:
    """Each in a transaction of its own that is taken back: a file for each would take minutes."""
    folder = tampered(finished, tmp_path / "changed", "select 1")
    with Store.open(folder / DB) as store:

        def fired() -> bool | None:
            try:
                found = kept.plan_of(store, plan.run_id)
            except MitigationsError:
                return True
            return sealing.alarm(store, folder / "runs", found, plan.run_id).fired

        assert fired() is False
        for what, statement in STATEMENTS.items():
            store._db.begin()
            store._db.execute(statement)
            assert fired(), what
            store._db.rollback()
        assert fired() is False


def test_a_large_run_is_held_to_its_seal_by_what_numbers_stand_on(
    plan: Plan, finished: Path, tmp_path: Path
) -> None:
    """Above a size the long texts wait for `check --database`, and the alarm says so."""
    folder = tampered(finished, tmp_path / "changed", "select 1")
    with Store.open(folder / DB) as store:

        def large() -> Alarm:
            return sealing.alarm(store, folder / "runs", plan, plan.run_id, whole_to=0)

        assert large().fired is False
        assert "check --database" in large().detail
        for column in EDITS:
            store._db.begin()
            store._db.execute(STATEMENTS[column])
            # A count that the maintained cells contradict is seen whatever the digest covers.
            seen = bool(large().fired)
            assert seen or column not in NUMBERS, column
            assert sealing.alarm(store, folder / "runs", plan, plan.run_id).fired, column
            store._db.rollback()
        store._db.begin()
        store._db.execute(STATEMENTS["reply_text"])
        assert large().fired is False
        store._db.rollback()


@pytest.mark.parametrize("what", ["coercive", "reply_text", "a cell", "the lock", "status"])
def test_a_change_by_sql_downgrades_the_report(
    plan: Plan, finished: Path, tmp_path: Path, what: str
) -> None:
    folder = tampered(finished, tmp_path / "changed", STATEMENTS[what])
    assert report_says(plan, folder).fired is True
    assert check_says(folder) != []


def test_a_row_that_cannot_be_read_is_named_without_a_traceback(
    plan: Plan, finished: Path, tmp_path: Path
) -> None:
    folder = tampered(finished, tmp_path / "changed", "update outcome set status = 'odd'")
    with Store.open(folder / DB) as store, pytest.raises(InvalidFile, match="outcome row"):
        list(store.outcomes(plan.run_id))
    assert any("outcome row" in one for one in check_says(folder))


def test_check_names_the_row_that_was_changed(plan: Plan, copy: Path) -> None:
    connection = duckdb.connect(str(copy / DB))
    row = connection.execute(f"select trial from outcome {ONE}").fetchone()
    connection.execute(STATEMENTS["reply_text"])
    connection.close()
    assert row is not None
    assert any(f"outcome {row[0]} differs from its journal line" in one for one in check_says(copy))
    assert report_says(plan, copy).fired


def bytes_of(size: int) -> Iterator[int]:
    """Fifty places, spread over the file and not in step with its lines."""
    return (1 + (size - 2) * place // 49 for place in range(50))


def test_every_changed_byte_of_a_journal_is_seen(plan: Plan, copy: Path) -> None:
    """Fifty single bytes, one after another: `check` names the journal, `run` refuses to resume."""
    path = copy / "runs" / plan.run_id / JOURNAL
    whole = path.read_bytes()
    known = sealing.seals(path.parent, plan.hash)
    for place in bytes_of(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert list(sealing.journal_faults(path, known)), place
    assert check_says(copy) != []
    with pytest.raises(MitigationsError):
        play(plan, copy)


def test_lines_added_removed_or_a_journal_gone_are_seen(plan: Plan, copy: Path) -> None:
    path = copy / "runs" / plan.run_id / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (lines[:-1], lines[1:], [*lines[:5], lines[4], *lines[5:]], []):
        path.write_bytes(b"".join(changed))
        assert check_says(copy) != []
    path.unlink()
    assert report_says(plan, copy).fired is True
    assert check_says(copy) != []


def test_every_field_of_a_seal_counts(plan: Plan, copy: Path) -> None:
    path = copy / "runs" / plan.run_id / sealing.FILE_NAME
    seal = json.loads(path.read_text())
    for name, value in seal.items():
        other = value + 1 if isinstance(value, int) else f"{value}0"
        path.write_text(json.dumps(seal | {name: other}) + "\n")
        with pytest.raises(PlanChanged):
            sealing.seals(path.parent, plan.hash)
        assert report_says(plan, copy).fired is True, name
    path.unlink()
    # The database still remembers, so its rows are held against that.
    assert report_says(plan, copy).fired is False


def test_a_run_that_was_killed_is_not_called_tampered(plan: Plan, copy: Path) -> None:
    """No seal was written: the check says so, and the same command makes it good."""
    (copy / "runs" / plan.run_id / sealing.FILE_NAME).unlink()
    connection = duckdb.connect(str(copy / DB))
    connection.execute("delete from run_event where kind = 'sealed'")
    connection.close()
    alarm = report_says(plan, copy)
    assert alarm.fired is None
    assert "run its lock again" in alarm.detail
    play(plan, copy)
    assert report_says(plan, copy).fired is False


def test_rows_edited_before_the_seal_are_seen_too(plan: Plan, copy: Path) -> None:
    """A seal is made from the journal and what was recorded, never from the rows it vouches for."""
    (copy / "runs" / plan.run_id / sealing.FILE_NAME).unlink()
    connection = duckdb.connect(str(copy / DB))
    connection.execute("delete from run_event where kind = 'sealed'")
    connection.execute(STATEMENTS["reply_text"])
    connection.close()
    play(plan, copy)
    assert report_says(plan, copy).fired is True
