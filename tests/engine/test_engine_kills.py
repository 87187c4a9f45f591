"""Workers and owners killed with -9, the server crashed: nothing lost, nothing doubled."""

import random
import time
from collections import Counter

import pytest

from tests.engine.engine_help import EACH_USD, Site, check_ledger, end, provider
from tests.engine.postgres import Postgres

PER_EPOCH = 28
WIDTH = 8
"""Trials at once of each worker: what a kill can leave unanswered."""


def test_a_killed_worker_a_crashed_server_and_a_killed_owner(
    postgres: Postgres, site: Site
) -> None:
    with provider(0.1) as fake:
        site.plan(repeats=6, port=fake.port)
        doomed, steady = (site.worker("--concurrency", str(WIDTH)) for _ in range(2))
        owner = site.owner("--workers-only")
        site.await_outcomes(20)
        doomed.kill()
        site.await_outcomes(50)
        postgres.restart(down_s=0.5)
        site.await_outcomes(90)
        owner.kill()
        owner.wait(30)
        again = site.owner("--workers-only")
        assert again.wait(180) == 0, site.said
        end(steady)
        repeats = check_ledger(site, fake.count, 6 * PER_EPOCH)
    assert repeats <= WIDTH, "the owner's own death costs nothing: workers finish and are heard"


@pytest.mark.slow
def test_twenty_kills_and_five_crashes_of_the_server(postgres: Postgres, site: Site) -> None:
    """Whichever of owner, workers and server dies next is drawn; the budget holds throughout."""
    rng = random.Random(9)
    budget, trials = 4.0, 100 * PER_EPOCH
    blows = ["worker"] * 13 + ["owner"] * 7 + ["server"] * 5
    rng.shuffle(blows)
    told = Counter(blows)
    with provider(0.5) as fake:
        site.plan(repeats=100, port=fake.port)
        workers = [site.worker("--concurrency", str(WIDTH)) for _ in range(2)]
        owner = site.owner("--workers-only", "--budget", str(budget))
        for blow in blows:
            # Work is under way again, however slow the machine is: a blow before it meets nothing.
            site.await_outcomes(site.outcomes() + 30, timeout=300)
            time.sleep(rng.uniform(0.0, 2.0))
            assert owner.poll() is None, site.said
            if blow == "worker":
                victim = rng.randrange(len(workers))
                workers[victim].kill()
                workers[victim] = site.worker("--concurrency", str(WIDTH))
            elif blow == "server":
                postgres.restart(down_s=rng.uniform(0.0, 3.0))
            else:
                owner.kill()
                owner.wait(30)
                owner = site.owner("--workers-only", "--budget", str(budget))
        assert owner.wait(1200) == 0, site.said
        end(*workers)
        repeats = check_ledger(site, fake.count, trials)
        assert fake.count * EACH_USD <= budget
    assert told == {"worker": 13, "owner": 7, "server": 5}
    assert 0 < repeats <= told["worker"] * WIDTH
    told_twice = site.paid_twice()
    print(f"{trials} trials, {repeats} asked again, {told_twice} reported")  # noqa: T201
