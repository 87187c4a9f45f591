"""Ours against scipy and statsmodels, where those are right."""

import numpy as np
import pytest
import scipy.stats
from scipy.stats.contingency import odds_ratio as scipy_odds_ratio

from stats import quantities
from stats.clustered import GEE_TRIALS
from stats.conditional import (
    EXACT_WORK,
    conditional_odds_ratio,
    exact_odds_interval,
    law_test,
    lower_tail_p,
    minimum_likelihood_p,
    odds_law,
    permutation_test,
    total_law,
    work,
)
from stats.dunnett import dunnett_critical, many_to_one_p, step_down_dunnett
from stats.headroom import clopper_pearson
from stats.mantel_haenszel import breslow_day, cmh, odds_ratio
from stats.missing import loss_p
from stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, hochberg, holm, hommel
from stats.paired import mcnemar_exact_p, mcnemar_midp
from stats.scenarios import scenario_t
from stats.strata import Strata, strata_from_rows, two_by_two_strata
from stats.two_by_two import boschloo_p, wilson_interval

TABLES = [(3, 20, 11, 20), (0, 10, 4, 9), (7, 7, 2, 8), (1, 40, 9, 35), (700, 6500, 640, 6500)]


def _random_strata(seed, strata, size):
    rng = np.random.default_rng(seed)
    rates = rng.beta(0.8, 1.2, strata)
    n1, n0 = (rng.integers(2, size, strata).astype(float) for _ in range(2))
    return Strata(
        x1=rng.binomial(n1.astype(int), rates).astype(float),
        n1=n1,
        x0=rng.binomial(n0.astype(int), rates).astype(float),
        n0=n0,
        scenario=np.arange(strata),
    )


@pytest.mark.parametrize("counts", TABLES)
def test_one_stratum_is_fishers_test(counts):
    x1, n1, x0, n0 = counts
    table = [[x1, n1 - x1], [x0, n0 - x0]]
    law = total_law(two_by_two_strata(*counts))
    assert minimum_likelihood_p(law) == pytest.approx(scipy.stats.fisher_exact(table)[1])
    less = scipy.stats.fisher_exact(table, alternative="less")[1]
    assert lower_tail_p(law) == pytest.approx(less)


@pytest.mark.parametrize("counts", TABLES[:4])
def test_the_conditional_odds_ratio_and_its_limits_are_scipys(counts):
    x1, n1, x0, n0 = counts
    found = scipy_odds_ratio([[x1, n1 - x1], [x0, n0 - x0]])
    law = odds_law(two_by_two_strata(*counts))
    assert conditional_odds_ratio(law) == pytest.approx(found.statistic, rel=1e-6)
    limits = found.confidence_interval()
    assert exact_odds_interval(law) == pytest.approx((limits.low, limits.high), rel=1e-6)


def test_a_law_whose_far_tails_underflow_is_still_the_hypergeometric_law():
    """At 6,500 an arm the ends of the law are below 1e-308; the middle must not move."""
    strata = two_by_two_strata(3210, 6500, 3300, 6500)
    law = total_law(strata)
    expected = scipy.stats.hypergeom(13000, 6510, 6500).pmf(law.support)
    assert law.pmf == pytest.approx(expected, rel=1e-7, abs=1e-300)
    assert (law.pmf @ law.support) == pytest.approx(law.mean)


def test_data_far_from_equal_odds_do_not_lose_their_odds_ratio():
    """100 against 2,500 of 5,000: under equal odds the observed table has no probability left."""
    law = odds_law(two_by_two_strata(100, 5000, 2500, 5000))
    # With these margins the conditional and the sample odds ratio differ by less than 1 in 1,000.
    assert conditional_odds_ratio(law) == pytest.approx((100 / 4900) / 1, rel=1e-3)
    low, high = exact_odds_interval(law)
    woolf = np.exp(1.96 * np.sqrt(1 / 100 + 1 / 4900 + 1 / 2500 + 1 / 2500))
    assert (low, high) == pytest.approx((100 / 4900 / woolf, 100 / 4900 * woolf), rel=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_mantel_haenszel_agrees_with_statsmodels(seed):
    from statsmodels.stats.contingency_tables import StratifiedTable

    strata = _random_strata(seed, 9, 12)
    tables = [
        np.array([[x1, n1 - x1], [x0, n0 - x0]])
        for x1, n1, x0, n0 in zip(strata.x1, strata.n1, strata.x0, strata.n0, strict=True)
        if 0 < x1 + x0 < n1 + n0
    ]
    theirs = StratifiedTable(tables)
    ours = odds_ratio(strata)
    assert float(cmh(strata).chi2) == pytest.approx(theirs.test_null_odds().statistic)
    assert float(ours.estimate) == pytest.approx(theirs.oddsratio_pooled)
    assert (float(ours.low), float(ours.high)) == pytest.approx(theirs.oddsratio_pooled_confint())
    plain, tarone = breslow_day(strata)
    assert float(plain.chi2) == pytest.approx(theirs.test_equal_odds().statistic)
    adjusted = theirs.test_equal_odds(adjust=True)
    assert (float(tarone.chi2), float(tarone.p)) == pytest.approx(
        (adjusted.statistic, adjusted.pvalue)
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_permutation_law_is_what_shuffling_labels_gives(seed):
    """The moments of 40,000 shuffles, stratum by stratum, against the convolution."""
    strata = _random_strata(seed, 4, 7)
    rng = np.random.default_rng(100 + seed)
    totals = np.zeros(40_000)
    for x1, n1, x0, n0 in zip(strata.x1, strata.n1, strata.x0, strata.n0, strict=True):
        outcomes = np.zeros(int(n1 + n0))
        outcomes[: int(x1 + x0)] = 1
        totals += rng.permuted(np.tile(outcomes, (40_000, 1)), axis=1)[:, : int(n1)].sum(axis=1)
    law = total_law(strata)
    shares = np.array([(totals == value).mean() for value in law.support])
    assert np.abs(shares - law.pmf).max() < 4 * 0.5 / 200
    distance = np.abs(totals - law.mean)
    extreme = (distance >= abs(law.observed - law.mean) - 1e-9).mean()
    assert law_test(law).p == pytest.approx(extreme, abs=0.01)


@pytest.mark.parametrize(
    ("method", "ours"),
    [
        ("holm", holm),
        ("simes-hochberg", hochberg),
        ("hommel", hommel),
        ("fdr_bh", benjamini_hochberg),
        ("fdr_by", benjamini_yekutieli),
    ],
)
def test_adjusted_p_values_agree_with_statsmodels(method, ours):
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(7)
    for size in (1, 2, 5, 12):
        p_values = np.round(rng.beta(0.4, 2, size), 3)
        expected = multipletests(p_values, method=method)[1]
        assert ours(p_values.tolist()) == pytest.approx(expected, abs=1e-12)


def test_dunnett_is_the_multivariate_normal_law():
    for comparisons, z in ((2, 2.2), (4, 2.4)):
        covariance = np.full((comparisons, comparisons), 0.5) + 0.5 * np.eye(comparisons)
        law = scipy.stats.multivariate_normal(np.zeros(comparisons), covariance, seed=1)
        inside = law.cdf(np.full(comparisons, z), lower_limit=np.full(comparisons, -z))
        assert many_to_one_p(z, comparisons) == pytest.approx(1 - inside, abs=2e-4)
    # Dunnett (1964), table for two-sided tests at infinite degrees of freedom.
    for comparisons, published in ((1, 1.96), (2, 2.21), (3, 2.35), (4, 2.44), (9, 2.69)):
        assert dunnett_critical(comparisons) == pytest.approx(published, abs=0.006)


def test_step_down_dunnett_is_the_single_test_for_the_last_and_the_family_for_the_first():
    found = step_down_dunnett([0.5, -3.0, 2.0])
    assert found[1] == pytest.approx(many_to_one_p(3.0, 3))
    assert found[2] == pytest.approx(many_to_one_p(2.0, 2))
    assert found[0] == pytest.approx(2 * scipy.stats.norm.sf(0.5))


@pytest.mark.parametrize("counts", [(3, 12, 8, 12), (1, 9, 6, 11), (0, 8, 3, 8)])
def test_one_sided_boschloo_agrees_with_scipy(counts):
    """Only one-sided: scipy's two-sided p is defined otherwise."""
    x1, n1, x0, n0 = counts
    table = [[x1, x0], [n1 - x1, n0 - x0]]
    expected = scipy.stats.boschloo_exact(table, alternative="less", n=256).pvalue
    assert boschloo_p(*counts, ordering="less") == pytest.approx(expected, rel=1e-4)


def test_smaller_calculators_agree_with_scipy():
    for events, trials in ((0, 12), (3, 17), (12, 12)):
        test = scipy.stats.binomtest(events, trials)
        exact, wilson = test.proportion_ci(method="exact"), test.proportion_ci(method="wilson")
        assert clopper_pearson(events, trials) == pytest.approx((exact.low, exact.high))
        assert wilson_interval(events, trials) == pytest.approx((wilson.low, wilson.high))
    assert mcnemar_exact_p(9, 2) == pytest.approx(scipy.stats.binomtest(9, 11).pvalue)
    chi2 = scipy.stats.chi2_contingency([[9, 91], [1, 99]], correction=False)
    assert loss_p(9, 100, 1, 100) == pytest.approx(chi2.pvalue)
    values = np.array([0.1, -0.3, 0.2, 0.05, np.nan])
    t = scipy.stats.ttest_1samp(values[:4], 0)
    found = scenario_t(values)
    assert (found.t, found.p) == pytest.approx((t.statistic, t.pvalue))
    limits = t.confidence_interval()
    assert found.ci == pytest.approx((limits.low, limits.high))


def test_the_cmh_law_stands_in_only_for_very_large_runs():
    small, large = _random_strata(1, 30, 20), _random_strata(1, 400, 600)
    assert permutation_test(small).exact
    assert work(large) > EXACT_WORK
    found = permutation_test(large)
    assert (found.exact, found.midp) == (False, pytest.approx(float(cmh(large).p)))


@pytest.mark.slow
@pytest.mark.parametrize(("strata", "size"), [(240, 500), (36, 4000), (1000, 200)])
def test_past_the_bound_the_normal_law_is_as_good_as_the_exact_one(strata, size):
    """The claim in the docstring of `EXACT_WORK`."""
    for seed in range(6):
        run = _random_strata(seed, strata, size)
        assert work(run) > EXACT_WORK
        law = total_law(run)
        exact, normal = law_test(law).midp, float(cmh(run).p)
        assert abs(exact - normal) <= law.pmf[law.observed - law.low] / 2 + 1e-5
        assert law.pmf.max() / 2 < 0.005


def test_counts_that_cannot_be_are_refused():
    for row in ({"x1": 3, "n1": 2}, {"x1": -1, "n1": 2}, {"x1": 0.5, "n1": 2}):
        with pytest.raises(ValueError, match="x1 out of n1"):
            strata_from_rows([{**row, "x0": 0, "n0": 1}])


@pytest.mark.parametrize(
    ("b", "c"), [(12, 3), (0, 1), (600, 500), (10**6, 10**6 + 3000), (10**9, 10**9 + 10**5)]
)
def test_mcnemar_agrees_with_the_binomial_law_for_few_and_for_billions_of_pairs(b, c):
    law = scipy.stats.binom(b + c, 0.5)
    exact = min(1.0, 2 * law.cdf(min(b, c)))
    assert mcnemar_exact_p(b, c) == pytest.approx(exact, rel=1e-9)
    assert mcnemar_midp(b, c) == pytest.approx(
        min(1.0, 2 * law.cdf(min(b, c)) - law.pmf(min(b, c))), rel=1e-6
    )


@pytest.mark.parametrize(("b", "c"), [(-1, 2), (1.5, 2), (2, float("nan"))])
def test_pairs_that_cannot_be_have_a_reason(b, c):
    found = quantities.paired(b, c)
    assert (found["mcnemar_exact_p"], found["mcnemar_midp"]) == (None, None)
    assert found["reasons"].keys() == {"mcnemar_exact_p", "mcnemar_midp"}


@pytest.mark.parametrize(
    "rows",
    [
        # A working correlation of -1/(size - 1); too many rows.
        [[1, 1, 1, 0, 1], [2, 0, 1, 1, 1], [3, 1, 1, 1, 1]],
        [[1, 10, GEE_TRIALS, 20, 90], [2, 30, 90, 20, 90]],
    ],
)
def test_gee_without_an_estimate_says_why(rows):
    found = quantities.cells(rows)
    assert found["gee_exchangeable_logit"] is None
    assert found["reasons"]["gee_exchangeable_logit"]
    assert (
        found["ols_rd"]
        == pytest.approx(
            sum(row[1] for row in rows) / sum(row[2] for row in rows)
            - sum(row[3] for row in rows) / sum(row[4] for row in rows)
        )
        or found["reasons"]["ols_rd"]
    )
