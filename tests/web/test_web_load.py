"""Many readers while a run lands: nothing fails, nothing is lost."""

import pytest

from mitigations.web.memo import Memo
from tests.benchmarks.bench_web import measure


@pytest.mark.parametrize(
    ("readers", "seconds", "most_ms"),
    [(8, 2.0, None), pytest.param(50, 20.0, 500.0, marks=pytest.mark.slow)],
)
def test_readers_and_a_run_do_not_harm_each_other(
    readers: int, seconds: float, most_ms: float | None
) -> None:
    """The time of a page is only held to its limit where the machine is ours (`-m slow`)."""
    found = measure(count=readers, seconds=seconds, rate=200.0, pause=0.0)
    assert found.pages >= readers
    assert found.failed == 0
    assert found.lost == 0
    assert found.cell_faults == 0
    assert found.stored > 0
    if most_ms is not None:
        assert found.p95_ms < most_ms, found
        assert found.landed_per_s > 180, found


def test_what_many_ask_for_is_worked_out_once_until_something_changes() -> None:
    clock, made = [0.0], [0]

    def make() -> int:
        made[0] += 1
        return made[0]

    memo = Memo(kept_s=0.5, clock=lambda: clock[0])
    assert [memo.get("a", make), memo.get("a", make), memo.get("b", make)] == [1, 1, 2]
    memo.forget()
    assert memo.get("a", make) == 3
    clock[0] = 0.6
    assert memo.get("a", make) == 4
    with pytest.raises(ZeroDivisionError):
        memo.get("c", lambda: 1 // 0)
    assert memo.get("c", make) == 5
