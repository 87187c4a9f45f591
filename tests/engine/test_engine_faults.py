"""What a user can meet on the way to many hosts: one to three lines, no secret, nothing lost."""

import shutil
import time
from typing import Any

import psycopg
import pytest

from mitigations.errors import MitigationsError
from runner.engine import Address, Board, EngineUnavailable, OtherOwner, Owner
from tests.engine.engine_help import Site, answer, check_ledger, end, provider
from tests.engine.postgres import PASSWORD, QUOTED, Postgres
from tests.fake_provider import Seen, openai_body

PER_EPOCH = 28


def refused(url: str, **patience: float) -> str:
    """What a person reads when the board cannot be opened there."""
    board = Board(Address.of(url), **patience)
    since = time.monotonic()
    with pytest.raises(EngineUnavailable) as failed:
        board.prepare()
    board.close()
    said = str(failed.value)
    assert PASSWORD not in said
    assert QUOTED not in said
    assert 1 <= len(said.splitlines()) <= 3
    assert time.monotonic() - since < 10, "what waiting cannot mend is not waited for"
    return said


def test_what_waiting_cannot_mend_is_said_at_once_with_what_to_do(postgres: Postgres) -> None:
    url = postgres.url
    wrong = refused(url.replace(QUOTED, "not-the-password"))
    assert "password authentication failed" in wrong
    assert "MITIGATIONS_DATABASE_URL" in wrong
    assert "createdb" in refused(url.replace("/trials", "/absent"))
    assert "sslmode" in refused(url + "?sslmode=verify-full")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create role without_rights login password 'their-password'")
    theirs = url.replace(f"tester:{QUOTED}", "without_rights:their-password")
    assert "grant create on database" in refused(theirs)


def test_a_server_that_is_full_is_waited_for(postgres: Postgres) -> None:
    """Every connection is taken: the reason is told; with a free one it gets as far as it may."""
    ready = Board(Address.of(postgres.url))
    ready.prepare()
    ready.close()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create role one_seat login password 'seat' connection limit 1")
    url = postgres.url.replace(f"tester:{QUOTED}", "one_seat:seat")
    with psycopg.connect(url):
        board = Board(Address.of(url), patience_s=0.5)
        with pytest.raises(MitigationsError, match="too many connections"):
            board.workers()
        board.close()
    for _ in range(50):  # the server needs a moment to see that the seat is free
        try:
            psycopg.connect(url).close()
            break
        except psycopg.OperationalError:
            time.sleep(0.1)
    free = Board(Address.of(url))
    with pytest.raises(EngineUnavailable, match="permission denied"):
        free.workers()
    free.close()


def test_a_run_has_one_owner(postgres: Postgres) -> None:
    board = Board(Address.of(postgres.url))
    board.prepare()
    first, other = Owner("b", "one:/runs/x", "t1"), Owner("b", "two:/runs/x", "t2")
    board.open_run("owned-1", first, lock="", scenarios="")
    board.check_owner("owned-1", first.place)  # a restart in the same place
    with pytest.raises(OtherOwner, match="one:/runs/x"):
        board.check_owner("owned-1", other.place)
    board.open_run("owned-1", other, lock="", scenarios="")
    with pytest.raises(OtherOwner, match="two:/runs/x"):
        board.run_seen("owned-1", first)
    board.end_run("owned-1", first)
    board.run_seen("owned-1", other)
    board.end_run("owned-1", other)
    board.check_owner("owned-1", first.place)
    board.close()


def test_a_host_that_lacks_what_a_study_needs_leaves_and_the_others_play(site: Site) -> None:
    """No key on one host, no entry of the provider on another: no trial is lost for it."""
    with provider(0.05) as fake:
        site.plan(repeats=2, port=fake.port)
        (site.folder / "empty.yaml").write_text("providers: {}\n")
        unfit = [site.worker(ENGINE_KEY=""), site.worker("--providers", "empty.yaml")]
        owner = site.owner("--workers-only", ALONE="60")
        for worker in unfit:
            assert worker.wait(60) == 2, site.said
        good = site.worker()
        assert owner.wait(60) == 0, site.said
        end(good)
        assert fake.count == 2 * PER_EPOCH
    site.check_whole(2 * PER_EPOCH)
    assert {str(row[1]) for row in site.results()} == {"scored"}
    assert "needs the environment variable ENGINE_KEY" in site.said
    assert "has no entry for fake" in site.said
    left = [line["detail"] for line in site.lines() if line.get("kind") == "worker-left"]
    assert len(left) == 2
    assert "Traceback" not in site.said


@pytest.mark.slow
def test_a_copied_workspace_is_refused_while_its_owner_lives(site: Site) -> None:
    with provider(0.3) as fake:
        site.plan(repeats=4, port=fake.port)
        worker = site.worker("--concurrency", "4")
        owner = site.owner("--workers-only")
        site.await_outcomes(10)
        copy = Site(site.folder.with_name("copy"), site.url, site.started)
        shutil.copytree(site.folder, copy.folder)
        assert copy.owner("--workers-only").wait(60) == 2
        assert "has its owner elsewhere" in copy.said
        assert owner.wait(90) == 0, site.said
        end(worker)
        assert fake.count == 4 * PER_EPOCH
    site.check_whole(4 * PER_EPOCH)


FULL = """
create function mitigations.full_disk() returns trigger language plpgsql as
$$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100';
end $$;
create trigger full_disk before insert on mitigations.line
for each row execute function mitigations.full_disk();
"""


@pytest.mark.slow
def test_a_worker_whose_lines_find_no_room_leaves_and_says_so(
    postgres: Postgres, site: Site
) -> None:
    """Its heart may still beat: the owner must not wait for a lease that nobody plays."""
    with provider(0.3) as fake:
        site.plan(repeats=4, port=fake.port)
        worker = site.worker("--concurrency", "4", PATIENCE="3")
        owner = site.owner("--workers-only", ALONE="60")
        site.await_outcomes(10)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(FULL)
            assert worker.wait(60) == 1, site.said
            assert owner.poll() is None, site.said
            connection.execute("drop function mitigations.full_disk cascade")
        again = site.worker("--concurrency", "4")
        assert owner.wait(90) == 0, site.said
        end(again)
        check_ledger(site, fake.count, 4 * PER_EPOCH)
    assert "No space left on device" in site.said


AWKWARD = "I wait.\x00\ud800 \u202e\U0001f600 '; drop table mitigations.line; --"


@pytest.mark.slow
def test_any_text_of_a_model_crosses_the_engine_as_it_crosses_a_journal(site: Site) -> None:
    """NUL and half a surrogate pair, which PostgreSQL stores in no text; and a reply of 1 MB."""

    def script(seen: Seen, number: int) -> dict[str, Any]:
        body = openai_body(AWKWARD + "x" * (2**20 if number == 5 else 0), model="m-1")
        return body | {"usage": answer(seen, number)["usage"]}

    with provider(0.05, script=script) as fake:
        site.plan(repeats=1, port=fake.port)
        worker = site.worker(TIME_OFFSET="3600")
        owner = site.owner("--workers-only")
        site.await_outcomes(10)
        owner.kill()  # what it had not read comes through `adopt`
        owner.wait(30)
        assert site.owner("--workers-only").wait(90) == 0, site.said
        end(worker)
    site.check_whole(PER_EPOCH)
    texts = [str(row[5]) for row in site.results()]
    assert all("drop table" in text for text in texts)
    assert max(len(text) for text in texts) > 2**19
    assert {str(row[1]) for row in site.results()} <= {"scored", "truncated"}
