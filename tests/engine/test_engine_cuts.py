"""The network is cut: to PostgreSQL on either side, and to the provider alone."""

import time

import pytest

from mitigations.errors import MitigationsError
from runner.engine import Address, Board, LeaseLost, Owner, Worker, line
from tests.engine.engine_help import Site, check_ledger, end, provider
from tests.engine.postgres import Postgres
from tests.engine.proxy import Cut, Proxy, proxy

PER_EPOCH, EPOCHS, WIDTH = 28, 12, 4
LOST_S = 4.0
"""As `engine_help.DRIVER` sets it."""


def cut_twice(site: Site, wire: Proxy) -> None:
    """Once closed, once silent beyond the time after which a worker is taken for dead."""
    site.await_outcomes(30)
    wire.cut(Cut.DROPPED)
    time.sleep(1.0)
    wire.cut(Cut.NONE)
    site.await_outcomes(80)
    wire.cut(Cut.SILENT)
    time.sleep(LOST_S + 4.0)
    wire.cut(Cut.NONE)


def test_a_worker_that_is_cut_off_loses_its_leases_and_comes_back(
    postgres: Postgres, site: Site
) -> None:
    with provider(0.25) as fake, proxy(postgres.port) as wire:
        site.plan(repeats=EPOCHS, port=fake.port)
        far = site.behind(wire.port)
        hired = [one.worker("--concurrency", str(WIDTH)) for one in (far, site)]
        owner = site.owner("--workers-only")
        cut_twice(site, wire)
        assert owner.wait(120) == 0, site.said
        end(*hired)
        assert [worker.returncode for worker in hired] == [0, 0], site.said
        repeats = check_ledger(site, fake.count, EPOCHS * PER_EPOCH)
    assert 0 < repeats <= 2 * WIDTH, "what was on the line when it was taken for dead"
    assert f"PostgreSQL at 127.0.0.1:{wire.port}/trials is back" in site.said


@pytest.mark.slow
def test_an_owner_that_is_cut_off_costs_nothing(postgres: Postgres, site: Site) -> None:
    """It could not see its workers for longer than a dead one is waited for; they were alive."""
    with provider(0.25) as fake, proxy(postgres.port) as wire:
        site.plan(repeats=EPOCHS, port=fake.port)
        hired = [site.worker("--concurrency", str(WIDTH)) for _ in range(2)]
        owner = site.behind(wire.port).owner("--workers-only")
        cut_twice(site, wire)
        assert owner.wait(120) == 0, site.said
        end(*hired)
        assert check_ledger(site, fake.count, EPOCHS * PER_EPOCH) == 0
        assert fake.count == EPOCHS * PER_EPOCH


@pytest.mark.slow
def test_a_worker_cut_off_from_the_provider_alone_asks_again(site: Site) -> None:
    """The gateway repeats what the line lost; no trial ends as an error, none is lost."""
    with provider(0.25) as fake, proxy(fake.port) as wire:
        site.plan(repeats=6, port=fake.port, detour=wire.port)
        hired = [
            site.worker("--concurrency", str(WIDTH), "--providers", name)
            for name in ("providers.yaml", "detour.yaml")
        ]
        owner = site.owner("--workers-only")
        site.await_outcomes(30)
        wire.cut(Cut.DROPPED)
        time.sleep(3.0)
        wire.cut(Cut.NONE)
        assert owner.wait(120) == 0, site.said
        end(*hired)
        site.check_whole(6 * PER_EPOCH)
    assert {str(row[1]) for row in site.results()} == {"scored"}
    told = [entry for entry in site.lines() if entry["t"] == "attempt"]
    lost = [entry for entry in told if entry["http_status"] is None]
    assert lost, "every request stands in the journal, those that the line lost as well"
    assert fake.count <= len(told)


def test_a_server_that_says_nothing_is_not_waited_for(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "ANSWER_S", 0.5)
    monkeypatch.setattr(line, "NOTICE_S", 0.3)
    said: list[str] = []
    with proxy(postgres.port) as wire:
        address = Address.of(postgres.url.replace(f":{postgres.port}/", f":{wire.port}/"))
        board = Board(address, patience_s=1.5, say=said.append)
        board.prepare()
        wire.cut(Cut.SILENT)
        since = time.monotonic()
        with pytest.raises(MitigationsError, match=r"no answer for|timeout expired"):
            board.workers()
        assert time.monotonic() - since < 10
        assert "Waiting for it, up to 2 s" in said[0]
        wire.cut(Cut.NONE)
        assert board.workers() is not None
        board.close()


def test_a_fenced_lease_takes_no_line_and_a_line_written_twice_stands_once(
    postgres: Postgres,
) -> None:
    board = Board(Address.of(postgres.url))
    board.prepare()
    owner = Owner("b", "here:/x", "t")
    board.open_run("fence-1", owner, lock="", scenarios="")
    board.beat(Worker("w", "b", "h"))
    board.offer("lease-1", "fence-1")
    assert board.claim("lease-1", "w")
    assert not board.claim("lease-1", "somebody-else")
    for _ in range(2):  # an answer of the server that was lost: the same line again
        board.write("lease-1", 0, "[0]")
    board.fence(["lease-1"])
    with pytest.raises(LeaseLost):
        board.write("lease-1", 1, "[1]")
    assert [(chunk.seq, chunk.body) for chunk in board.read({"lease-1": -1})] == [(0, "[0]")]
    board.forget(["lease-1"])
    board.end_run("fence-1", owner)
    board.leave("w")
    board.close()
