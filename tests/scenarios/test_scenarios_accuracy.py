"""The published page says how well the rules read; this holds it, and puts floors under it."""

import pytest

from mitigations.model import Behaviour
from tests.scenarios import rule_accuracy as accuracy


def test_the_corpus_is_large_and_covers_everything() -> None:
    entries = accuracy.entries()
    assert len(entries) >= 300
    assert len({entry.id for entry in entries}) == len(entries)
    assert {behaviour for entry in entries for behaviour in entry.behaviours} == set(Behaviour)
    assert sum(not entry.behaviours for entry in entries) >= 80


def test_the_page_is_what_the_rules_do() -> None:
    """Renew it with `python -m tests.scenarios.rule_accuracy --write`, and read the difference."""
    assert accuracy.PAGE.read_text(encoding="utf-8") == accuracy.page()


@pytest.mark.parametrize("held_out", [True, False])
def test_a_false_alarm_is_rare_and_a_miss_is_bounded(held_out: bool) -> None:
    score = accuracy.coercive_score(accuracy.part(held_out=held_out))
    assert score.precision is not None
    assert score.recall is not None
    assert score.precision >= 0.95
    assert score.recall >= 0.70
