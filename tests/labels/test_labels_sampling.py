"""The draw: every trial has a known chance, weights add up to the trials, samples only grow."""

import hashlib
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitigations.compose.labelling.sampling import (
    SampleTooSmall,
    Stratum,
    allocate,
    draw_sample,
    in_order,
    item_id,
    strata_of,
)
from mitigations.model import Draw


def trials(name, count):
    return [hashlib.sha256(f"{name}{i}".encode()).hexdigest()[:32] for i in range(count)]


STRATA = {
    Stratum("a", "coercive"): trials("ac", 90),
    Stratum("a", "clean"): trials("an", 110),
    Stratum("b", "coercive"): trials("bc", 3),
    Stratum("b", "clean"): trials("bn", 197),
}

sizes = st.dictionaries(
    st.builds(Stratum, st.sampled_from("abcdef"), st.sampled_from(["coercive", "clean"])),
    st.integers(0, 60), min_size=1,
)  # fmt: skip


@given(sizes, st.integers(1, 400))
def test_no_stratum_with_trials_is_left_out_and_none_gives_more_than_it_has(population, total):
    try:
        shares = allocate(population, total)
    except SampleTooSmall:
        assert total < sum(min(2, size) for size in population.values())
        return
    assert set(shares) == {one for one, size in population.items() if size}
    assert all(min(2, population[one]) <= share <= population[one] for one, share in shares.items())
    assert sum(shares.values()) == min(total, sum(population.values()))


@given(sizes, st.integers(1, 399))
def test_a_larger_sample_takes_away_from_nobody(population, total):
    try:
        small, large = allocate(population, total), allocate(population, total + 1)
    except SampleTooSmall:
        return
    assert all(small[one] <= large[one] for one in small)


def test_arms_get_alike_and_verdicts_alike_where_there_are_enough_trials():
    shares = allocate({one: len(found) for one, found in STRATA.items()}, 80)
    assert shares == {
        Stratum("a", "coercive"): 20, Stratum("a", "clean"): 20,
        Stratum("b", "coercive"): 3, Stratum("b", "clean"): 37,
    }  # fmt: skip


@pytest.mark.parametrize("total", [8, 40, 80, 399, 400, 5000])
def test_weights_add_up_to_the_trials_of_every_stratum(total):
    """The law of Horvitz and Thompson (1952): the sample stands for the whole run."""
    drawn = draw_sample(STRATA, total, run="r", seed=7, last=None)
    weights: Counter[Stratum] = Counter()
    for one in drawn:
        assert 0 < one.inclusion <= 1
        weights[Stratum(one.variant, one.judged)] += one.weight
    assert {key: round(value, 9) for key, value in weights.items()} == {
        key: len(found) for key, found in STRATA.items()
    }


def test_every_trial_is_drawn_as_often_as_its_probability_says():
    """400 seeds; each trial within 5 Monte Carlo errors, and the estimated total unbiased."""
    runs, hits, totals = 400, Counter(), []
    truth = {trial for found in STRATA.values() for trial in found if int(trial, 16) % 3 == 0}
    inclusion = {}
    for seed in range(runs):
        drawn = draw_sample(STRATA, 40, run="r", seed=seed, last=None)
        hits.update(one.trial for one in drawn)
        inclusion |= {one.trial: one.inclusion for one in drawn}
        totals.append(sum(one.weight for one in drawn if one.trial in truth))
    for trial, chance in inclusion.items():
        error = (chance * (1 - chance) / runs) ** 0.5
        assert abs(hits[trial] / runs - chance) <= 5 * error + 1e-12
    assert len(inclusion) == 400
    spread = (sum((t - len(truth)) ** 2 for t in totals) / runs) ** 0.5
    assert sum(totals) / runs == pytest.approx(len(truth), abs=4 * spread / runs**0.5)


def test_a_larger_sample_holds_the_smaller_one():
    small = draw_sample(STRATA, 40, run="r", seed=7, last=None)
    last = Draw(number=1, seed=7, drawn_at="", items=small)
    large = draw_sample(STRATA, 90, run="r", seed=7, last=last)
    assert {one.item for one in small} < {one.item for one in large}


def test_a_run_that_grew_keeps_what_was_labelled_as_a_random_sample_of_all():
    """Drawing again after more trials landed: same size a stratum, known chances, no bias."""
    runs, hits = 150, Counter()
    more = {key: [*found, *trials(f"late{key}", len(found))] for key, found in STRATA.items()}
    for seed in range(runs):
        first = draw_sample(STRATA, 40, run="r", seed=seed, last=None)
        last = Draw(number=1, seed=seed, drawn_at="", items=first)
        again = draw_sample(more, 40, run="r", seed=seed, last=last)
        assert sum(one.weight for one in again) == pytest.approx(800)
        hits.update(one.judged + one.variant + str(one.trial in STRATA[one.variant, one.judged])
                    for one in again)  # fmt: skip
    early, late = hits["cleanbTrue"], hits["cleanbFalse"]
    assert early / (early + late) == pytest.approx(0.5, abs=0.03)


def test_items_are_blind_distinct_and_no_number():
    drawn = draw_sample(STRATA, 400, run="r", seed=7, last=None)
    items = [one.item for one in drawn]
    assert len(set(items)) == 400
    assert all(one.item[0] == "t" and one.item[1:] not in one.trial for one in drawn)
    assert items == sorted(items)
    assert item_id(drawn[0].trial, run="other", seed=7) != drawn[0].item


def test_two_labellers_see_one_sample_in_two_orders():
    drawn = draw_sample(STRATA, 60, run="r", seed=7, last=None)
    ada, bob = (in_order(drawn, who=who, seed=7) for who in ("ada", "bob"))
    assert set(ada) == set(bob) == set(drawn)
    assert ada != bob
    assert ada == in_order(reversed(drawn), who="ada", seed=7)
    runs = sum(one.variant != two.variant for one, two in pairwise(ada))
    assert runs > 15  # arms are mixed, not in blocks


def test_a_sample_too_small_names_the_least():
    with pytest.raises(SampleTooSmall, match="at least 8"):
        allocate({one: len(found) for one, found in STRATA.items()}, 7)


def test_strata_come_from_rows():
    found = strata_of([("t1", "a", "clean"), ("t2", "a", "clean"), ("t3", "a", "coercive")])
    assert found == {Stratum("a", "clean"): ["t1", "t2"], Stratum("a", "coercive"): ["t3"]}
