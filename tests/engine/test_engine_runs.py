"""A run on workers is the run of one machine: same outcomes, one journal, no secret, no pickle."""

import time

import psycopg
import pytest

from mitigations.compose.builds import build_id
from runner.engine import Address, Board, Owner, Worker
from tests.engine.engine_help import EACH_USD, Site, end, plain_run, provider
from tests.engine.postgres import PASSWORD, QUOTED, Postgres

TRIALS_PER_EPOCH = 28
BUDGET = 0.03
"""Half of what all trials cost."""


def test_workers_give_the_outcomes_of_one_process(postgres: Postgres, site: Site) -> None:
    before = workflows(postgres)
    site.plan(models="simulated/lossy", repeats=4)
    worker = site.worker()
    owner = site.owner("--workers-only")
    assert owner.wait(120) == 0, site.said
    end(worker)
    assert worker.returncode == 0, site.said
    site.check_whole(4 * TRIALS_PER_EPOCH)
    assert site.results() == plain_run(site.folder / "plain", site.folder / "spread.lock").results()
    check_nothing_is_left(postgres, before)
    written = [path.read_bytes() for path in site.folder.rglob("*") if path.is_file()]
    for secret in (PASSWORD, QUOTED):
        assert not any(secret.encode() in data for data in written)


def check_nothing_is_left(postgres: Postgres, before: int) -> None:
    """The server holds neither lines nor leases nor workflows of a run that ended."""
    with psycopg.connect(postgres.url) as connection:
        for table in ("line", "lease"):
            assert connection.execute(f"select count(*) from mitigations.{table}").fetchone() == (
                0,
            )
    assert workflows(postgres) == before


def workflows(postgres: Postgres) -> int:
    """What the engine itself keeps."""
    with psycopg.connect(postgres.url) as connection:
        found = connection.execute("select to_regclass('dbos.workflow_status')").fetchone()
        if found == (None,):
            return 0
        counted = connection.execute("select count(*) from dbos.workflow_status").fetchone()
    return counted[0] if counted else 0


def test_money_never_passes_the_budget_across_workers(site: Site) -> None:
    with provider(0.02) as fake:
        site.plan(repeats=3, port=fake.port)
        workers = [site.worker(), site.worker()]
        owner = site.owner("--workers-only", "--budget", str(BUDGET))
        assert owner.wait(120) == 5, site.said
        assert 0 < fake.count * EACH_USD <= BUDGET
        again = site.owner("--workers-only", "--budget", "50")
        assert again.wait(120) == 0, site.said
        end(*workers)
        assert fake.count == 3 * TRIALS_PER_EPOCH
    site.check_whole(3 * TRIALS_PER_EPOCH)
    assert "--budget MORE" in site.said


def test_another_version_is_refused_on_either_side(postgres: Postgres, site: Site) -> None:
    site.plan(models="simulated/lossy", repeats=1)
    board = Board(Address.of(postgres.url))
    board.prepare()
    board.beat(Worker("old", "0.0.1+deadbeef", "far-host"))
    with psycopg.connect(postgres.url) as connection:
        # A beat that lasts until the test is over, however slow the machine is.
        later = "set seen = now() + interval '1 hour'"
        connection.execute(f"update mitigations.worker {later} where worker = 'old'")
    owner = site.owner("--workers-only")
    assert owner.wait(60) == 2, site.said
    assert "far-host" in site.said
    assert build_id() in site.said
    board.leave("old")
    theirs = Owner("0.0.1+deadbeef", "far-host:/runs", "their-token")
    board.open_run("theirs-1", theirs, lock="", scenarios="")
    with psycopg.connect(postgres.url) as connection:
        connection.execute(f"update mitigations.run {later} where run = 'theirs-1'")
    worker = site.worker()
    assert worker.wait(60) == 2, site.said
    assert "the owner of theirs runs version 0.0.1+deadbeef" in site.said
    board.end_run("theirs-1", theirs)
    board.close()


def test_a_server_that_is_not_there_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = Address.of(f"postgresql://tester:{QUOTED}@127.0.0.1:1/trials")
    board = Board(address, patience_s=0)
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1/trials") as failed:
        board.prepare()
    said = f"{failed.value!r} {failed.value} {address!r}"
    assert PASSWORD not in said
    assert QUOTED not in said
    monkeypatch.delenv("MITIGATIONS_DATABASE_URL", raising=False)
    with pytest.raises(Exception, match="MITIGATIONS_DATABASE_URL"):
        Address.of(None)
    with pytest.raises(Exception, match="not one of PostgreSQL") as wrong:
        Address.of("mysql://me:secret@host/db")
    assert "secret" not in str(wrong.value)


def test_a_run_without_workers_waits_for_one_and_then_says_so(site: Site) -> None:
    """Nothing was played, so nothing may be called complete."""
    site.plan(models="simulated/lossy", repeats=1)
    owner = site.owner("--workers-only", ALONE="4")
    assert owner.wait(120) == 1, site.said
    assert "no worker has been there" in site.said
    assert not [line for line in site.lines() if line.get("kind") == "finished"]


def test_a_service_leases_its_runs_to_workers(site: Site) -> None:
    site.plan(models="simulated/lossy", repeats=2)
    service = site.call("serve", "--port", "0", "--engine", "dbos")
    worker = site.worker()
    until = time.monotonic() + 60
    while not (site.folder / "mitigations.duckdb.owner").exists():
        assert time.monotonic() < until, site.said
        time.sleep(0.1)
    assert site.call("run", "spread.lock").wait(90) == 0, site.said
    beside = site.call("run", "spread.lock", "--engine", "dbos")
    assert beside.wait(60) == 2, site.said
    assert "is held by `mitigations serve`" in site.said
    end(service, worker)
    site.check_whole(2 * TRIALS_PER_EPOCH)
    assert any("lease" in line for line in site.lines())
