"""What a second worker brings, at the latency of a real provider."""

import time

import pytest

from tests.engine.engine_help import Site, end, provider

PER_EPOCH, EPOCHS, LATENCY_S, WIDTH = 28, 20, 0.5, 10
TARGET = 1.8


def rate(site: Site, workers: int) -> float:
    """Trials a second between a tenth and nine tenths of the run, by when requests arrived."""
    marks: list[float] = []
    total = PER_EPOCH * EPOCHS
    with provider(LATENCY_S) as fake:
        site.plan(repeats=EPOCHS, port=fake.port)
        hired = [site.worker("--concurrency", str(WIDTH)) for _ in range(workers)]
        time.sleep(15)  # both are up before the first lease is cut
        owner = site.owner("--workers-only")
        for share in (0.1, 0.9):
            while fake.count < share * total:
                assert owner.poll() is None or fake.count >= share * total, site.said
                time.sleep(0.01)
            marks.append(time.monotonic())
        assert owner.wait(120) == 0, site.said
        end(*hired)
    site.check_whole(total)
    return 0.8 * total / (marks[1] - marks[0])


@pytest.mark.slow
def test_two_workers_do_nearly_twice_the_work_of_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEASE", "150")
    measured = []
    for workers in (1, 2):
        folder = site.folder / str(workers)
        folder.mkdir()
        measured.append(rate(Site(folder, site.url, site.started), workers))
    one, two = measured
    print(f"one worker {one:.1f} trials/s, two {two:.1f}: {two / one:.2f} times")  # noqa: T201
    assert two / one >= TARGET, measured
