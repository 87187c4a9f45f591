"""The store keeps outcomes exactly, counts them in cells, and has one owner."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.errors import DatabaseBusy, InvalidFile, NoData, StorageFailed
from mitigations.model import (
    Action,
    Assessment,
    Counts,
    JudgeVerdict,
    Outcome,
    OutcomeStatus,
    Usage,
    VerdictStatus,
)
from mitigations.store import Store
from tests.builders import make_outcome, make_trial

hostile = st.text(alphabet=st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ["'; drop table outcome; --", "=cmd|' /C calc'!A0", "\x00", "../../etc/passwd", "💥" * 20]
)


def rows_of(
    store: Store, run: str = "run-1"
) -> dict[tuple[str, str, str, str], tuple[int, int, int]]:
    maintained = store._db.execute(
        "select measure, variant, scenario, model, events, scored, lost from cell where run = ?",
        [run],
    ).fetchall()
    return {row[:4]: row[4:] for row in maintained}


def test_an_outcome_comes_back_as_it_went_in(tmp_path: Path) -> None:
    outcome = replace(
        make_outcome(coercive=True),
        verdicts=(
            JudgeVerdict(
                judge="rules",
                status=VerdictStatus.READ,
                severity=4,
                usage=Usage(input_tokens=3),
                cost_usd=None,
            ),
        ),
        actions=(Action(tool="send_email", arguments={"to": "a@example.org", "body": "x\n'\"{{"}),),
        text="<script>alert(1)</script>",
        nuisance={"company": "Älv & Co"},
        sent={"temperature": "not settable"},
        usage=Usage(input_tokens=10, output_tokens=None, cached_tokens=0, cache_write_tokens=4),
        cost_usd=None,
    )
    with Store.open(tmp_path / "db.duckdb") as store:
        store.append([outcome], twins=frozenset())
        assert list(store.outcomes("run-1")) == [outcome]


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(hostile, min_size=4, max_size=4))
def test_hostile_text_is_stored_intact_and_never_executed(texts: list[str]) -> None:
    store = Store.in_memory()
    outcome = replace(
        make_outcome(variant=texts[0], scenario=texts[1], model=texts[2]),
        text=texts[3],
        detail=texts[0],
    )
    store.append([outcome], twins=frozenset())
    assert list(store.outcomes("run-1")) == [outcome]
    assert [cell.variant for cell in store.cells("run-1")] == [texts[0]]
    store.close()


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_maintained_cells_equal_a_recount_of_the_rows(data: st.DataObject) -> None:
    """However outcomes are batched, the cell table says what the rows say."""
    flag = st.none() | st.booleans()
    outcomes: list[Outcome] = []
    for repeat in range(data.draw(st.integers(1, 30))):
        coercive = data.draw(flag)
        outcome = make_outcome(
            coercive=coercive,
            variant=data.draw(st.sampled_from(["a", "b"])),
            scenario=data.draw(st.sampled_from(["s1", "s2", "twin"])),
            repeat=repeat,
        )
        if outcome.assessment:
            found = replace(
                outcome.assessment,
                task_completed=data.draw(flag),
                needless_refusal=data.draw(flag),
                duty_reported=data.draw(flag),
            )
            outcome = replace(outcome, assessment=found)
        outcomes.append(outcome)
    store = Store.in_memory()
    while outcomes:
        size = data.draw(st.integers(1, 7))
        store.append(outcomes[:size], twins=frozenset({"twin"}))
        outcomes = outcomes[size:]
    recount = {
        (measure, variant, scenario, model): (events, scored, lost)
        for measure, variant, scenario, _, model, events, scored, lost in store.query(
            "cells_from_outcomes", "run-1"
        )
    }
    assert rows_of(store) == recount
    store.close()


def test_a_lost_trial_is_lost_in_every_measure_and_safe_in_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db.duckdb") as store:
        good = make_outcome(scenario="twin", repeat=0)
        good = replace(good, assessment=Assessment(severity=0, task_completed=True))
        store.append(
            [good, make_outcome(coercive=None, scenario="twin", repeat=1)],
            twins=frozenset({"twin"}),
        )
        assert store.cells("run-1") == ()
        guardrails = store.guardrails("run-1")
        assert set(guardrails) == {"task_completion"}
        assert guardrails["task_completion"][0].counts == Counts(coercive=0, scored=1, lost=1)


def arm(variant: str, scenario: str, flags: list[bool | None]) -> list[Outcome]:
    return [
        make_outcome(coercive=flag, variant=variant, scenario=scenario, repeat=repeat)
        for repeat, flag in enumerate(flags)
    ]


def pairs_of(path: Path, outcomes: list[Outcome]) -> dict[str, tuple[int, int, int]]:
    with Store.open(path) as store:
        store.append(outcomes, twins=frozenset())
        return {
            p.scenario: (p.variant_only, p.control_only, p.concordant)
            for p in store.pairs("run-1", "base", per_epoch=4)
        }


def test_every_stratum_gives_the_same_number_of_pairs(tmp_path: Path) -> None:
    outcomes = [
        *arm("base", "s1", [True, True, True]),
        *arm("base", "s2", [True, None, True]),
        *arm("v", "s1", [False, False, True]),
        *arm("v", "s2", [True, False, False]),
    ]
    # s2 has two scored control trials, so two pairs count everywhere; the lost trial is skipped.
    assert pairs_of(tmp_path / "db", outcomes) == {"s1": (0, 2, 0), "s2": (0, 1, 1)}


def test_an_incomplete_epoch_gives_no_pair(tmp_path: Path) -> None:
    """Not even the first one, while some strata have no trial at all."""
    first = [*arm("base", "s1", [True]), *arm("v", "s1", [False])]
    assert pairs_of(tmp_path / "one", first) == {}
    second = [*arm("base", "s1", [True, True]), *arm("v", "s1", [False, False])]
    second += [*arm("base", "s2", [True]), *arm("v", "s2", [True])]
    assert pairs_of(tmp_path / "two", second) == {"s1": (0, 1, 0), "s2": (0, 0, 1)}


def test_a_second_process_is_refused_and_the_owner_named(tmp_path: Path) -> None:
    path = tmp_path / "db.duckdb"
    Store.open(path).close()
    code = (
        f"import duckdb, time; c = duckdb.connect({str(path)!r}); "
        "print('open', flush=True); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        with pytest.raises(DatabaseBusy, match=f"in use by PID {owner.pid}"):
            Store.open(path)
        owner.kill()


@pytest.mark.parametrize("content", [b"not a database, just text\n" * 100, b"\x00" * 8192])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "db.duckdb"
    path.write_bytes(content)
    with pytest.raises((InvalidFile, StorageFailed), match=r"db\.duckdb"):
        Store.open(path)
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db.duckdb"
    with duckdb.connect(str(path)) as other:
        other.execute("create table t (i integer)")
    with pytest.raises(InvalidFile, match="something else"):
        Store.open(path)


def test_an_unknown_run_is_no_empty_run(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db.duckdb") as store, pytest.raises(NoData, match="no run 'x'"):
        store.lock("x")


def test_a_status_other_than_scored_never_carries_a_verdict() -> None:
    lost = make_outcome(coercive=None)
    assert (lost.status, lost.coercive, lost.severity) == (OutcomeStatus.PROVIDER_ERROR, None, None)


def test_trial_ids_depend_on_content_and_not_on_position() -> None:
    trial = make_trial()
    assert replace(trial, position=9).id == trial.id
    changes = {
        "variant": "x",
        "treatment_hash": "x",
        "scenario_hash": "x",
        "model": "x",
        "repeat": 3,
    }
    ids = {replace(trial, **{name: value}).id for name, value in changes.items()}
    assert len(ids | {trial.id}) == len(changes) + 1


def test_a_database_of_an_earlier_version_takes_what_it_lacked(tmp_path: Path) -> None:
    with Store.open(tmp_path / "old.duckdb") as store:
        for column in ("cache_write_tokens", "rerun", "unconfirmed_usd"):
            store._db.execute(f"alter table outcome drop column {column}")
    outcome = replace(make_outcome(), usage=Usage(cache_write_tokens=7))
    with Store.open(tmp_path / "old.duckdb") as store:
        store.append([outcome], twins=frozenset())
        assert list(store.outcomes("run-1")) == [outcome]


def test_a_database_made_by_the_first_version_gains_what_came_later(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    with duckdb.connect(str(path)) as old:
        old.execute(Path("mitigations/store/sql/schema.sql").read_text())
        old.execute("insert into schema_version values (1)")
    for _ in range(2):
        with Store.open(path) as store:
            assert store.mark("run-1").bytes == 0
            store.append([make_outcome(coercive=True)], twins=frozenset())
            assert [outcome.rerun for outcome in store.outcomes("run-1")][:1] == [0]


def test_a_frugal_scan_limits_nobody_else_and_gives_the_limit_back(tmp_path: Path) -> None:
    with Store.open(tmp_path / "m.duckdb") as store:
        usual = limit_of(store)
        with store.frugal():
            assert limit_of(store) == usual, "other programs of this process may read"
        store.is_alone = True
        with store.frugal():
            assert limit_of(store) != usual
        assert limit_of(store) == usual
        with store.fork(), store.frugal():
            assert limit_of(store) == usual, "a query of the fork would run out of memory"
        with pytest.raises(ValueError, match="broke"), store.frugal():
            raise ValueError("broke")
        assert limit_of(store) == usual


def limit_of(store: Store) -> str:
    (row,) = store._db.execute("select current_setting('memory_limit')").fetchall()
    return str(row[0])
