"""Scheduled runs of one workspace: `run-due`, then what is said of the study over all of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import reports
from mitigations.cli.app import run as cli
from mitigations.compose import standing as standing_module
from mitigations.compose.noticing import notices_of, run_ended
from mitigations.compose.run_due import run_due
from mitigations.compose.scheduling import Keeper, add_schedule, book_of, slot_seed
from mitigations.compose.standing import standing
from mitigations.compose.workspace import create_workspace
from mitigations.errors import InvalidFile, NoBudget, NoData
from mitigations.model import VerdictKind
from mitigations.schedules import timetable
from mitigations.store import Store

START = datetime(2026, 11, 20, 6, 5, tzinfo=UTC)
STUDY = """\
study: weekly
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 3
schedule: "0 6 * * * Europe/Berlin"
"""


class Clock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def text(self) -> str:
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def team(tmp_path: Path) -> Path:
    folder = tmp_path / "team"
    create_workspace(folder)
    (folder / "studies" / "weekly.yaml").write_text(STUDY)
    return folder


def due(store: Store, team: Path, clock: Clock) -> list[tuple[str, str, str]]:
    ends: list[tuple[str, str, str]] = []
    keeper = Keeper(team / "mitigations.duckdb", now=clock.now)
    run_due(
        store,
        team / "runs",
        keeper,
        now=clock.text,
        watch=lambda _: None,
        ended=lambda *end: ends.append(end),
    )
    return ends


@pytest.fixture
def three(team: Path) -> Iterator[tuple[Store, Path]]:
    """Three mornings, one run each."""
    clock = Clock()
    db = team / "mitigations.duckdb"
    when = timetable("0 6 * * * UTC")
    add_schedule(db, team / "studies" / "weekly.yaml", when=when, by="", now=START)
    with Store.open(db) as store:
        for _ in range(3):
            clock.at += timedelta(days=1)
            assert [state for _, state, _ in due(store, team, clock)] == ["finished"]
            assert due(store, team, clock) == []
        yield store, team


def test_every_slot_is_a_plan_of_its_own(three: tuple[Store, Path]) -> None:
    """Fresh trials, seeds by slot, the same study: three locks, three runs, one after the other."""
    store, team = three
    fired = book_of(team / "mitigations.duckdb").schedules()["weekly"].fired
    assert [one.run for one in fired] == [run for run, *_ in reversed(store.runs())]
    assert len({slot_seed("weekly", one.slot) for one in fired}) == 3
    sides = [store.cells(one.run) for one in fired]
    assert sides[0] != sides[1]
    assert {sum(cell.counts.scored for cell in side) for side in sides} == {
        sum(cell.counts.scored for cell in sides[0])
    }


def test_a_study_over_its_runs(three: tuple[Store, Path], tmp_path: Path) -> None:
    """Three points a variant, drift of the last two, one sentinel a model; both formats."""
    store, _ = three
    found = standing(store, "weekly")
    assert len(found.runs) == 3
    assert [point.run for point in found.points] == [run for run, _ in found.runs]
    (model,) = found.models
    assert [one.counts is not None for one in model.runs] == [True] * 3
    assert model.watched is not None
    assert not any(one.is_other_name for one in model.runs)
    for name in ("h.html", "h.md"):
        text = reports.write_standing(found, tmp_path / name).read_text()
        assert all(run in text for run, _ in found.runs)
        assert "<script" not in text
    with pytest.raises(InvalidFile, match="history"):
        reports.write_standing(found, tmp_path / "h.docx")
    with pytest.raises(NoData):
        standing(store, "nothing")


def test_a_mitigation_that_stopped_working_is_named(
    three: tuple[Store, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict of the run before last is read as `reduces`: the news say what moved."""
    store, _ = three
    kinds = {0: VerdictKind.REDUCES, 1: VerdictKind.REDUCES, 2: VerdictKind.NOT_ENOUGH_EVIDENCE}
    real = standing_module.run_side

    def side(given: Store, run: str, plan: Any) -> Any:
        place = [name for name, *_ in reversed(store.runs())].index(run)
        found = real(given, run, plan)
        comparisons = tuple(
            replace(one, verdict=replace(one.verdict, kind=kinds[place], alarms=()))
            for one in found.analysis.comparisons
        )
        return replace(found, analysis=replace(found.analysis, comparisons=comparisons))

    monkeypatch.setattr(standing_module, "run_side", side)
    standing_module._SIDES.clear()
    found = standing(store, "weekly")
    standing_module._SIDES.clear()
    (move,) = found.regressions
    assert move.variant == "pause-and-review-v1"
    leads = [lead for lead, _ in reports.standing_news(found)]
    assert "A mitigation that used to work." in leads


def test_an_older_run_is_analysed_once_however_many_follow(
    three: tuple[Store, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new run of whichever study leaves what is known of the others as it is."""
    store, team = three
    standing(store, "weekly")
    analysed: list[str] = []
    real = standing_module.run_side
    monkeypatch.setattr(
        standing_module, "run_side", lambda s, run, plan: analysed.append(run) or real(s, run, plan)
    )
    clock = Clock()
    clock.at = START + timedelta(days=4)
    ((run, _, _),) = due(store, team, clock)
    assert len(standing(store, "weekly").runs) == 4
    assert analysed == [run]


def test_the_end_of_a_run_tells_of_a_verdict_that_changed(three: tuple[Store, Path]) -> None:
    """Against what was told before, once; the same end again tells nothing new."""
    store, team = three
    book = notices_of(team / "mitigations.duckdb")
    book.verdict("weekly", "pause-and-review-v1", "increases", at=START)
    (run, *_), *_ = store.runs()
    for _ in range(2):
        run_ended(
            book, store, study="weekly", run=run, state="finished", over_budget=False, at=START
        )
    told = [notice for notice, _ in book.latest(9) if notice.key.startswith("verdict:")]
    assert [notice.key for notice in told] == [f"verdict:weekly:pause-and-review-v1:{run}"]
    assert told[0].path == "/studies/weekly/history"
    assert "has another verdict: increases before" in told[0].text


def test_names_that_change_are_marked_once() -> None:
    names: list[tuple[str, ...]] = [("m-1",), (), ("m-1",), ("m-2",), ("m-2",)]
    assert standing_module._others(names) == [False, False, False, True, False]


def test_a_paid_study_without_a_budget_is_not_scheduled(team: Path) -> None:
    path = team / "studies" / "real-models.yaml"
    path.write_text(path.read_text().replace("budget_usd: 25", ""))
    with pytest.raises(NoBudget):
        add_schedule(team / "mitigations.duckdb", path, when=timetable("@daily"), by="", now=START)


def test_the_commands(
    team: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """add, list, run-due with nothing due, remove; what is unknown is named."""
    monkeypatch.chdir(team)
    monkeypatch.delenv("MITIGATIONS_DB", raising=False)
    assert cli(["schedule", "run-due"]) == 0
    assert cli(["schedule", "add", "studies/weekly.yaml"]) == 0
    assert cli(["schedule", "list"]) == 0
    assert "Europe/Berlin" in capsys.readouterr().out
    assert cli(["schedule", "run-due"]) == 0
    assert "Nothing is due" in capsys.readouterr().out
    assert cli(["schedule", "remove", "weekli"]) == 2
    assert "did you mean 'weekly'" in capsys.readouterr().err
    assert cli(["schedule", "remove", "weekly"]) == 0
    assert cli(["schedule", "add", "studies/first.yaml"]) == 2
    assert cli(["history", "weekly"]) == 4


def test_while_another_process_holds_the_database_overlaps_are_recorded(team: Path) -> None:
    """A run goes (its slot is open): what comes due is missed, in the book."""
    clock = Clock()
    db = team / "mitigations.duckdb"
    when = timetable("0 * * * * UTC")
    add_schedule(db, team / "studies" / "weekly.yaml", when=when, by="", now=START)
    clock.at += timedelta(hours=1)
    keeper = Keeper(db, now=clock.now)
    assert keeper.look_on() == ([], ["weekly"])
    keeper.look(lambda _: None)
    clock.at += timedelta(hours=2)
    found, waiting = keeper.look_on()
    assert (len(found), waiting) == (1, [])
    assert [one.count for one in found[0].missed] == [2]
    assert keeper.look_on() == ([], [])


class Killed(BaseException):
    """A kill: nothing of ours may catch it."""


@pytest.mark.parametrize("where", ["before the line", "after the line"])
def test_a_kill_at_the_moment_of_firing_leaves_one_run(
    team: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Before the slot is written down: it is still due. After: its run is resumed, and once."""
    clock = Clock()
    db = team / "mitigations.duckdb"
    when = timetable("0 * * * * UTC")
    add_schedule(db, team / "studies" / "weekly.yaml", when=when, by="", now=START)
    clock.at += timedelta(hours=1)
    started: list[str] = []

    def killed(*_: Any) -> None:
        raise Killed

    if where == "before the line":
        with monkeypatch.context() as patch:
            patch.setattr("mitigations.schedules.book.append_record", killed)
            with pytest.raises(Killed):
                Keeper(db, now=clock.now).look(killed)
    else:
        with pytest.raises(Killed):
            Keeper(db, now=clock.now).look(killed)
    again = Keeper(db, now=clock.now)
    resumed = again.resume(lambda due: started.append(due.plan.run_id))
    again.look(lambda due: started.append(due.plan.run_id))
    assert len(resumed) == (where == "after the line")
    assert [one.run for one in book_of(db).schedules()["weekly"].fired] == started
    assert len(started) == 1
