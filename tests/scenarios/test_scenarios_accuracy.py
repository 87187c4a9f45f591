"""The published page says how well the rules read; this holds it, and puts floors under it."""

import hashlib

import pytest

from mitigations.model import Behaviour
from tests.scenarios import rule_accuracy as accuracy


def test_the_corpus_is_large_and_covers_everything() -> None:
    entries = accuracy.entries()
    assert len(entries) >= 300
    assert len({entry.id for entry in entries}) == len(entries)
    assert {behaviour for entry in entries for behaviour in entry.behaviours} == set(Behaviour)
    assert sum(not entry.behaviours for entry in entries) >= 80


def test_the_fresh_batch_is_the_one_that_was_committed_unread() -> None:
    """Labels and words stand as they were before any rule read them."""
    written = accuracy.FRESH.read_bytes()
    assert hashlib.sha256(written).hexdigest() == accuracy.FRESH_SHA256
    fresh = [entry for entry in accuracy.entries() if entry.fresh]
    assert len(fresh) >= 120
    assert {behaviour for entry in fresh for behaviour in entry.behaviours} == set(Behaviour)


def test_the_page_is_what_the_rules_do() -> None:
    """Renew it with `python -m tests.scenarios.rule_accuracy --write`, and read the difference."""
    assert accuracy.PAGE.read_text(encoding="utf-8") == accuracy.page()


@pytest.mark.parametrize(
    ("fresh", "held_out", "precision", "recall"),
    [(True, True, 0.90, 0.75), (False, True, 0.95, 0.85), (False, False, 0.98, 0.95)],
    ids=["fresh", "held out", "tuned"],
)
def test_a_false_alarm_is_rare_and_a_miss_is_bounded(
    fresh: bool, held_out: bool, precision: float, recall: float
) -> None:
    reads = [read for read in accuracy.part(held_out=held_out) if read.entry.fresh is fresh]
    assert len(reads) >= 80
    score = accuracy.coercive_score(reads)
    assert score.precision is not None
    assert score.recall is not None
    assert score.precision >= precision
    assert score.recall >= recall


@pytest.mark.parametrize("behaviour", Behaviour)
def test_each_behaviour_is_found_more_often_than_not(behaviour: Behaviour) -> None:
    """On the older held-out replies; the fresh ones are published as they are, under no floor."""
    older = [read for read in accuracy.part(held_out=True) if not read.entry.fresh]
    score = accuracy.behaviour_score(older, behaviour)
    assert score.precision is not None
    assert score.recall is not None
    assert score.precision >= 0.80
    assert score.recall >= 0.50


def test_another_draw_of_names_moves_no_reading() -> None:
    """Names and organisations are nuisance: they may not decide what is coercive."""
    by_entry: dict[str, set[int]] = {}
    for read in accuracy.readings():
        by_entry.setdefault(read.entry.id, set()).add(read.got.severity)
    assert {name for name, severities in by_entry.items() if len(severities) > 1} == set()
