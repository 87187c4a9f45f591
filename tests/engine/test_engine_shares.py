"""Quotas are split between workers, and split anew when one comes or goes."""

import asyncio
import time

import pytest

from mitigations.compose.calls import Gates
from mitigations.compose.limits import limits_of
from mitigations.providers import LimitsEntry, ProviderEntry
from runner.limits import Limiter, Timer
from tests.engine.engine_help import Site, end, provider
from tests.fake_provider import Seen

PER_S = 10
BURSTS = 1.5 * PER_S + 2
"""A second of each share when its bucket is new, and one request each."""
JITTER_S = 0.5
"""Of the provider's stamps on a busy machine."""


def test_a_worker_gives_way_at_its_next_beat_and_takes_back_what_is_left() -> None:
    limits = LimitsEntry(requests_per_minute=600, tokens_per_minute=60_000, max_concurrency=10)
    providers = {"fake": ProviderEntry(base_url="http://127.0.0.1/v1", limits=limits)}
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    gate = Limiter(limits_of(providers)["fake"], Timer(clock=lambda: now, sleep=sleep))
    gates = Gates(limiters={("fake/m-1", None): gate})

    async def seconds_for(requests: int) -> float:
        since = now
        for _ in range(requests):
            await gate.admit(1.0, max_wait_s=600)
            gate.release()
        return now - since

    asyncio.run(seconds_for(20))  # whatever the bucket held
    for share, most in ((1.0, 10), (0.5, 5), (0.25, 2), (1.0, 10)):
        gates.retune(providers, share)
        assert asyncio.run(seconds_for(100)) == pytest.approx(10 / share, rel=0.02)
        for _ in range(200):
            gate.slots.grow()
        assert gate.slots.limit == most, "requests in flight are split like rates"


@pytest.mark.slow
def test_two_workers_keep_one_quota_and_the_one_that_stays_gets_all_of_it(site: Site) -> None:
    came: list[tuple[float, str]] = []

    def arrived(seen: Seen, _: int) -> None:
        came.append((time.monotonic(), seen.headers["authorization"]))

    def rate(key: str, since: float, until: float) -> float:
        times = [at for at, who in came if key in who and since <= at < until]
        return (len(times) - 1) / (times[-1] - times[0])

    with provider(0.05, arrived=arrived) as fake:
        limits = f", limits: {{requests_per_minute: {60 * PER_S}}}"
        site.plan(repeats=18, port=fake.port, limits=limits)
        first = site.worker(ENGINE_KEY="sk-first")
        owner = site.owner("--workers-only")
        site.await_outcomes(90)
        alone = time.monotonic()
        second = site.worker(ENGINE_KEY="sk-second")
        while not any("sk-second" in who for _, who in came):
            assert owner.poll() is None, site.said
            time.sleep(0.05)
        joined = time.monotonic()
        time.sleep(12)
        parted = time.monotonic()
        end(first)
        site.await_outcomes(18 * 28)
        ended = time.monotonic()
        assert owner.wait(60) == 0, site.said
        end(second)
    site.check_whole(18 * 28)
    assert rate("sk-first", came[0][0] + 2, alone) == pytest.approx(PER_S, rel=0.15)
    for key in ("sk-first", "sk-second"):
        assert rate(key, joined + 3, parted) == pytest.approx(PER_S / 2, rel=0.2), key
    # The first has left in order: its share is free at once. The end of a run has few in flight.
    assert rate("sk-second", parted + 3, ended - 3) == pytest.approx(PER_S, rel=0.15)
    times = [at for at, _ in came]
    for number, since in enumerate(times):
        within = sum(at < since + 10 for at in times[number:])
        assert within <= (10 + JITTER_S) * PER_S + BURSTS, "never more than the account allows"
