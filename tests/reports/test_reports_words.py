"""Numbers in words: rounding never crosses a boundary that the number itself does not touch."""

import doctest
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitigations.model import Counts
from reports import tables, textual, words
from reports.words import (
    change,
    fraction,
    from_to,
    interval,
    listing,
    p_cell,
    p_text,
    points,
    signed,
    signed_interval,
)

proportions = st.floats(-1, 1, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-8)


@pytest.mark.parametrize("module", [words, tables, textual])
def test_examples_in_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("proportion", "shown"),
    [(0.13, "13"), (-0.13, "13"), (0.285, "29"), (0.125, "13"), (0, "0"), (1, "100"),
     (0.004, "0.4"), (0.00021, "0.02"), (0.00000042, "0.000042")],
)  # fmt: skip
def test_sizes_are_whole_unless_that_would_print_a_zero(proportion, shown):
    assert points(proportion) == shown


@pytest.mark.parametrize(("limit", "shown"), [(0.0496, "4.96"), (0.0504, "5.04"), (0.05, "5")])
def test_a_limit_is_not_rounded_onto_the_margin_it_is_held_against(limit, shown):
    assert points(limit, apart_from=[0.05]) == shown


@given(proportions, st.sampled_from([0.01, 0.03, 0.05, 0.1]))
def test_rounding_keeps_to_its_side_of_zero_and_margin(x, margin):
    shown = float(points(x, apart_from=[margin])) / 100
    assert (shown == 0) == (x == 0)
    if not math.isclose(abs(x), margin, abs_tol=1e-9):
        assert (shown > margin) == (abs(x) > margin)


@given(proportions)
def test_direction_words_follow_the_sign(x):
    word = "fewer" if x < 0 else "more" if x > 0 else "no change"
    assert word in change(x)
    assert signed(x)[0] == {-1: "−", 0: "0", 1: "+"}[(x > 0) - (x < 0)]


@pytest.mark.parametrize(
    ("limits", "shown"),
    [((-0.19, -0.07), "7 to 19 fewer"), ((0.07, 0.19), "7 to 19 more"),
     ((-0.04, 0.09), "from 4 fewer to 9 more"), ((0.0, 0.09), "from no change to 9 more"),
     ((-0.09, 0.0), "from 9 fewer to no change"), ((-0.19, -0.002), "0.2 to 19 fewer")],
)  # fmt: skip
def test_an_interval_reads_in_one_direction_only_when_it_excludes_zero(limits, shown):
    assert interval(limits) == shown


def test_rounded_rates_say_when_they_do_not_add_up():
    assert from_to(0.31, 0.18, -0.13) == ("31", "18", "13", True)
    assert from_to(0.18, 0.31, 0.13) == ("18", "31", "13", True)
    assert from_to(0.338, 0.1834, -0.1546) == ("34", "18", "15", False)


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0004, "< .001"), (0.001, "= .001"), (0.0124, "= .012"), (0.04996, "= .04996"),
     (0.05, "= .050"), (0.4, "= .400"), (0.99999, "= .99999"), (1.0, "= 1"),
     (1 - 1e-12, "> .999"), (0.0, "< .001")],
)  # fmt: skip
def test_p_values_keep_to_their_side_of_alpha(p, shown):
    assert p_text(p) == shown


def test_p_is_never_printed_as_zero():
    assert p_cell(0.0) == "<.001"
    assert p_cell(None) == "—"


def test_tables_use_a_real_minus_sign_and_a_dash_for_the_undefined():
    assert signed(-0.13) == "−13"
    assert signed_interval((-0.19, 0.02)) == "−19 to +2"
    assert signed(None) == signed_interval(None) == "—"


def test_a_cell_without_scored_trials_has_no_fraction():
    assert fraction(Counts(coercive=0, scored=0, lost=10)) == "none scored"


def test_lists_read_as_prose():
    assert [listing(x) for x in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip


@given(st.text())
def test_cleaned_text_can_always_be_written_and_read(text):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e]", textual.clean(text))
    textual.clean(text).encode()
