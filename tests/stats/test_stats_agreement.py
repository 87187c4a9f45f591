"""Agreement beyond chance, against published examples and an independent implementation."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from stats import agreement
from stats.named import Undefined

tables = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 60), min_size=k, max_size=k), min_size=k, max_size=k)
)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_kappa_and_its_error_agree_with_statsmodels(table):
    counts = np.array(table)
    assume(counts.sum() > 0)
    assume(counts.sum(axis=0) @ counts.sum(axis=1) < counts.sum() ** 2)
    assume(np.trace(counts) < counts.sum())  # statsmodels divides by zero at full agreement
    with np.errstate(all="ignore"):  # its test of "no agreement" may not exist; not used here
        theirs = cohens_kappa(counts)
    assert agreement.kappa(table) == pytest.approx(theirs.kappa, abs=1e-12)
    # Variances are compared: where it is 0, statsmodels takes the root of a rounding error.
    assert agreement.kappa_ase(table) ** 2 == pytest.approx(theirs.var_kappa, abs=1e-12)


def test_the_error_of_kappa_is_zero_where_the_formula_says_so():
    """Fleiss-Cohen-Everitt in exact fractions: po = pe = 2/3, A + B - C = 0."""
    assert agreement.kappa([[0, 0], [1, 2]]) == 0
    assert agreement.kappa_ase([[0, 0], [1, 2]]) == pytest.approx(0, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_exchanging_the_raters_changes_nothing(table):
    there = agreement.agreement_table(table)
    back = agreement.agreement_table([list(row) for row in zip(*table, strict=True)])
    for name in ("kappa", "kappa_ase"):
        assert there[name] == (None if back[name] is None else pytest.approx(back[name], abs=1e-12))


@pytest.mark.parametrize(
    "table", [[], [[0, 0], [0, 0]], [[9, 0], [0, 0]], [[1, 2, 3], [4, 5, 6]], [[1, -1], [0, 2]]]
)
def test_a_table_without_an_answer_says_why(table):
    found = agreement.agreement_table(table)
    assert found["kappa"] is None
    assert found["kappa_ci95_wald"] is None
    assert set(found["reasons"]) == {name for name in found if name != "reasons"}


def test_full_agreement_has_an_error_of_zero():
    found = agreement.agreement_table([[5, 0], [0, 7]])
    assert found["kappa"] == 1.0
    assert found["kappa_ase"] == 0.0


@pytest.mark.parametrize(
    ("rows", "published"),
    [
        (("0100000010", "1110010000"), 0.095),
        (("aabbdcccedda", "babbbccceddd"), 0.692),
    ],
)
def test_krippendorffs_worked_examples(rows, published):
    """Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, sections A and B."""
    found = agreement.krippendorff_alpha([list(row) for row in rows])
    assert found == pytest.approx(published, abs=5e-4)


def test_units_as_rows_are_the_same_ratings_turned():
    ratings = [[1, 2, None, 2], [1, 2, 2, 1], [None, 2, 2, 2]]
    turned = [list(unit) for unit in zip(*ratings, strict=True)]
    assert agreement.krippendorff_alpha(ratings) == pytest.approx(
        agreement.krippendorff_alpha(turned, rows_are="units")
    )


@pytest.mark.parametrize(
    "ratings", [[], [[1, None], [None, 2]], [[1, 1], [1, 1]], [[1, 2], [1]], [[None], [None]]]
)
def test_ratings_without_an_answer_say_why(ratings):
    found = agreement.ratings(ratings)
    assert found["alpha_nominal"] is None
    assert found["reasons"]["alpha_nominal"]


def test_an_unknown_layout_is_refused():
    with pytest.raises(Undefined, match="rows_are"):
        agreement.krippendorff_alpha([[1, 2]], rows_are="columns")
