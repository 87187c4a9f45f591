"""Decisions over variants and models: max-T, gates, guardrails, verdicts."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from mitigations.model import (
    Alarm,
    Cell,
    Counts,
    Guardrail,
    PairCell,
    Settings,
    VerdictKind,
)
from stats import analyse
from stats.dunnett import step_down_dunnett
from stats.eprocess import e_value
from stats.family import model_claims
from stats.headroom import no_headroom
from stats.maxt import step_down_max_t
from stats.missing import LOSS_ALARM
from stats.scenarios import scenario_max_t, sign_flip_p
from stats.score import difference_interval, noninferiority_p
from stats.strata import strata_from_rows
from stats.verdict import DISAGREE, Evidence, decide

PLAN = Settings(baseline="base", permutations=999)


def cells_of(rates, *, scenarios=12, models=2, repeats=10, lost=None):
    """Cells whose counts are the rates exactly; `lost` takes trials from a variant."""
    return [
        Cell(
            variant=variant,
            scenario=f"s{s:02d}",
            model=f"m{m}",
            counts=Counts(
                coercive=round(rate * (repeats - (lost or {}).get(variant, 0))),
                scored=repeats - (lost or {}).get(variant, 0),
                lost=(lost or {}).get(variant, 0),
            ),
        )
        for variant, rate in rates.items()
        for s in range(scenarios)
        for m in range(models)
    ]


def _null_events(seed, arms, strata, repeats):
    rng = np.random.default_rng(seed)
    rates = rng.beta(0.6, 1.0, strata)
    return rng.binomial(repeats, np.tile(rates, (arms, 1))).astype(float)


def test_max_t_with_one_variant_left_is_the_exact_permutation_test():
    """K = 2 by Monte Carlo against the convolution, within four standard errors."""
    from stats.conditional import permutation_test

    events = _null_events(3, 2, 8, 5)
    trials = np.full(events.shape, 5.0)
    rows = [
        {"x1": x1, "n1": 5, "x0": x0, "n0": 5} for x0, x1 in zip(events[0], events[1], strict=True)
    ]
    exact = permutation_test(strata_from_rows(rows)).midp
    (drawn,) = step_down_max_t(events, trials, permutations=9999, seed=5)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999) + 1e-4)


def test_max_t_is_close_to_step_down_dunnett_on_a_large_balanced_grid():
    """Both use the correlation 1/2 that equal arms have."""
    events = _null_events(11, 4, 60, 20)
    events[2] = np.minimum(events[2] + 1, 20)
    trials = np.full(events.shape, 20.0)
    found = step_down_max_t(events, trials, permutations=4999, seed=1)
    gap = (events[1:] - events[0]) / 2
    total = events[1:] + events[0]
    z = gap.sum(axis=1) / np.sqrt((total * (40 - total) / (4 * 39)).sum(axis=1))
    assert found == pytest.approx(step_down_dunnett(z.tolist()), abs=0.03)


def test_max_t_does_not_depend_on_the_order_of_the_variants():
    events = _null_events(2, 4, 10, 6)
    trials = np.full(events.shape, 6.0)
    order = [0, 3, 1, 2]
    straight = step_down_max_t(events, trials, permutations=499, seed=9)
    turned = step_down_max_t(events[order], trials[order], permutations=499, seed=9)
    assert [turned[order.index(arm) - 1] for arm in (1, 2, 3)] == list(straight)


def test_max_t_handles_arms_without_trials_and_strata_without_events():
    events = np.array([[0.0, 2.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    trials = np.array([[5.0, 5.0, 0.0], [5.0, 5.0, 4.0], [5.0, 0.0, 4.0]])
    found = step_down_max_t(events, trials, permutations=99)
    assert found[1] == 1.0
    assert 0.01 <= found[0] <= 1.0


@pytest.mark.slow
def test_max_t_keeps_the_family_wise_error_when_one_variant_has_a_large_effect():
    """Strong control: 600 families, two null variants beside one that abolishes coercion."""
    errors = 0
    for seed in range(600):
        events = _null_events(seed, 4, 20, 5)
        events[3] = 0.0
        found = step_down_max_t(events, np.full(events.shape, 5.0), permutations=299, seed=seed)
        errors += min(found[0], found[1]) <= 0.05
    assert scipy.stats.binomtest(errors, 600, 0.05, alternative="greater").pvalue > 0.001


def test_scenario_max_t_with_one_variant_is_the_sign_flip_test():
    values = np.array([0.1, 0.3, -0.05, 0.2, 0.15, 0.4, -0.1])
    exact = sign_flip_p(values)
    (drawn,) = scenario_max_t(values[None, :], permutations=9999, seed=3)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999) + 1e-4)


def test_sign_flips_are_drawn_above_twenty_scenarios_and_exact_up_to_there():
    rng = np.random.default_rng(8)
    values = rng.normal(0.03, 0.1, 24)
    drawn = sign_flip_p(values, permutations=9999, seed=1)
    assert drawn == sign_flip_p(values, permutations=9999, seed=1)
    assert (drawn * 10_000) == pytest.approx(round(drawn * 10_000))
    sums = np.abs(rng.choice([-1.0, 1.0], (20_000, 24)) @ values)
    assert drawn == pytest.approx((sums >= abs(values.sum())).mean(), abs=0.02)


def test_models_are_claimed_by_holm_at_the_level_of_their_variant():
    claims = model_claims({"a": 0.004, "b": 0.03, "c": None}, variant_p=0.01, remaining=2)
    assert claims["a"][0] == pytest.approx(2 * 2 * 0.004)
    assert claims["b"][0] == pytest.approx(2 * 0.03)
    assert claims["c"] == (None, None)
    # The gate: a model is never surer than its variant.
    assert model_claims({"a": 1e-9}, variant_p=0.2, remaining=1)["a"][0] == 0.2


def test_a_reduction_on_one_model_that_hides_an_increase_on_another_is_named():
    both = [
        replace(cell, counts=Counts(coercive=coercive, scored=20))
        for cell in cells_of({"base": 0.5, "rule": 0.5}, repeats=20)
        for coercive in [
            {("base", "m0"): 16, ("rule", "m0"): 1, ("base", "m1"): 4, ("rule", "m1"): 9}[
                cell.variant, cell.model
            ]
        ]
    ]
    (found,) = analyse(both, PLAN).comparisons
    assert found.verdict.kind is VerdictKind.REDUCES
    assert found.verdict.worse_on == ("m1",)
    assert {one.model: one.verdict.kind for one in found.per_model} == {
        "m0": VerdictKind.REDUCES,
        "m1": VerdictKind.INCREASES,
    }
    assert found.heterogeneity_p is not None
    assert found.heterogeneity_p < 1e-6
    assert found.leave_one_out["model:m0"] == pytest.approx(0.25)


def test_lost_replies_that_differ_by_arm_stop_the_verdict_of_that_variant_only():
    cells = cells_of({"base": 0.5, "rule": 0.1, "other": 0.1}, lost={"rule": 3})
    analysis = analyse(cells, PLAN)
    kinds = {one.variant: one.verdict for one in analysis.comparisons}
    assert kinds["rule"].kind is VerdictKind.DO_NOT_RELY
    assert kinds["rule"].alarms == (LOSS_ALARM,)
    assert kinds["other"].kind is VerdictKind.REDUCES
    (alarm,) = [one for one in analysis.alarms if one.name == LOSS_ALARM]
    assert alarm.fired
    assert "rule lost 72 of 240" in alarm.detail


def test_a_stratum_without_one_arm_drops_out_and_is_named():
    cells = [
        cell
        for cell in cells_of({"base": 0.5, "rule": 0.2})
        if (cell.variant, cell.scenario, cell.model) != ("rule", "s03", "m1")
    ]
    (found,) = analyse(cells, PLAN).comparisons
    assert found.strata_used == 23
    assert found.strata_dropped == ("s03 x m1",)
    assert found.control.scored == 230


def test_an_arm_without_any_trial_gives_reasons_and_no_numbers():
    cells = cells_of({"base": 0.5, "rule": 0.2})
    empty = [replace(cell, variant="gone", counts=Counts(coercive=0, scored=0)) for cell in cells]
    found = {one.variant: one for one in analyse([*cells, *empty[:24]], PLAN).comparisons}
    gone = found["gone"]
    assert (gone.std_rd, gone.p_value, gone.p_adjusted) == (None, None, None)
    assert gone.reasons["p_value"] == gone.reasons["std_rd"]
    assert gone.verdict.kind is VerdictKind.NOT_ENOUGH_EVIDENCE
    assert found["rule"].verdict.kind is VerdictKind.REDUCES


def test_planned_alarms_from_elsewhere_stop_every_verdict_unless_they_only_inform():
    cells = cells_of({"base": 0.5, "rule": 0.2})
    alarm = Alarm(name="plan changed after the lock", fired=True, detail="")
    (stopped,) = analyse(cells, PLAN, alarms=[alarm]).comparisons
    assert stopped.verdict.kind is VerdictKind.DO_NOT_RELY
    for harmless in (replace(alarm, decisive=False), replace(alarm, fired=None)):
        (found,) = analyse(cells, PLAN, alarms=[harmless]).comparisons
        assert found.verdict.kind is VerdictKind.REDUCES


@pytest.mark.parametrize(
    ("harm", "margin", "passed", "harmed"),
    [(0.05, 0.1, True, False), (0.05, 0.02, False, False), (0.15, 0.1, False, True)],
)
def test_a_guardrail_is_passed_only_when_its_limit_excludes_the_margin(
    harm, margin, passed, harmed
):
    cells = cells_of({"base": 0.5, "rule": 0.1}, repeats=20)
    benign = cells_of({"base": 0.05, "rule": harm}, repeats=20)
    plan = replace(PLAN, guardrail_margins={"refusal": margin})
    (found,) = analyse(cells, plan, guardrails={"refusal": benign}).comparisons
    (guard,) = found.guardrails
    assert (guard.passed, found.verdict.costs) == (passed, () if passed else ("refusal",))
    assert guard.ci is not None
    assert (guard.ci[1] < margin) is passed
    assert guard.p_value is not None
    assert (guard.p_value < 0.025) is passed
    assert guard.harmed is (guard.ci[0] > 0) is harmed


def test_a_guardrail_is_measured_but_not_tested_behind_a_closed_gate():
    cells = cells_of({"base": 0.5, "rule": 0.5})
    plan = replace(PLAN, guardrail_margins={"refusal": 0.1, "tasks": 0.1})
    analysis = analyse(cells, plan, guardrails={"refusal": cells_of({"base": 0.1, "rule": 0.1})})
    refusal, tasks = analysis.comparisons[0].guardrails
    assert (refusal.passed, refusal.p_value) == (None, None)
    assert refusal.difference == pytest.approx(0.0)
    assert "did not pass the family" in refusal.reason
    assert (tasks.passed, tasks.difference) == (None, None)
    assert any(alarm.name == "guardrail not measured" and alarm.fired for alarm in analysis.alarms)


def test_the_guardrail_p_is_the_non_inferiority_p_of_the_good_event():
    """Harm up to a margin is the mirror of success down to it."""
    cells = cells_of({"base": 0.5, "rule": 0.1}, repeats=20)
    benign = cells_of({"base": 0.1, "rule": 0.15}, repeats=20)
    plan = replace(PLAN, guardrail_margins={"refusal": 0.1})
    (guard,) = analyse(cells, plan, guardrails={"refusal": benign}).comparisons[0].guardrails
    good = strata_from_rows([{"x1": 17, "n1": 20, "x0": 18, "n0": 20}] * 24)
    assert guard.p_value == pytest.approx(float(noninferiority_p(good, margin=0.1)))


def test_the_e_value_decides_an_anytime_design_and_nothing_else_does():
    cells = cells_of({"base": 0.5, "rule": 0.1})
    plan = replace(PLAN, design="anytime")

    def pairs(variant_only, control_only, concordant):
        return [
            PairCell(
                variant="rule",
                scenario=f"s{s:02d}",
                model=f"m{m}",
                variant_only=variant_only,
                control_only=control_only,
                concordant=concordant,
            )
            for s in range(12)
            for m in range(2)
        ]

    (weak,) = analyse(cells, plan, pairs=pairs(1, 1, 8)).comparisons
    assert weak.p_value is not None
    assert weak.p_value < 1e-6
    assert weak.verdict.kind is not VerdictKind.REDUCES
    (strong,) = analyse(cells, plan, pairs=pairs(0, 4, 6)).comparisons
    assert strong.e_value == pytest.approx(e_value(0, 96))
    assert strong.verdict.kind is VerdictKind.REDUCES
    (none,) = analyse(cells, plan).comparisons
    assert none.e_value is None
    assert none.reasons["e_value"]


def test_no_headroom_needs_a_control_near_zero_and_not_merely_a_small_run():
    def row(x0, n0):
        return strata_from_rows([{"x1": 0, "n1": n0, "x0": x0, "n0": n0}])

    def bound(x0, n0):
        return no_headroom(row(x0, n0), smallest_change=0.05, level=0.05)

    assert bound(0, 480) == pytest.approx(1 - 0.025 ** (1 / 480))
    assert bound(2, 480) is not None
    # Enough events that a variant without any would be seen, or a run too small to say.
    assert bound(12, 480) is None
    assert bound(3, 5) is None


EVIDENCE = Evidence(
    variant="v", difference=-0.2, interval=(-0.3, -0.1), rejected=True, test_direction=-5.0
)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, VerdictKind.REDUCES),
        ({"difference": 0.2, "test_direction": 5.0}, VerdictKind.INCREASES),
        ({"test_direction": 5.0}, VerdictKind.DO_NOT_RELY),
        ({"rejected": False}, VerdictKind.NOT_ENOUGH_EVIDENCE),
        ({"rejected": False, "interval": (-0.04, 0.04)}, VerdictKind.NO_MEANINGFUL_DIFFERENCE),
        ({"rejected": False, "interval": (-0.05, 0.04)}, VerdictKind.NOT_ENOUGH_EVIDENCE),
        ({"rejected": False, "no_headroom_bound": 0.01}, VerdictKind.NO_HEADROOM),
        ({"no_headroom_bound": 0.01, "difference": 0.2, "test_direction": 1.0}, "increases"),
        ({"difference": None, "interval": None}, VerdictKind.NOT_ENOUGH_EVIDENCE),
    ],
)
def test_every_kind_of_evidence_has_exactly_one_verdict(changes, kind):
    assert decide(replace(EVIDENCE, **changes), smallest_change=0.05).kind == kind


def test_what_qualifies_a_verdict():
    guard = Guardrail(
        name="tasks",
        control=Counts(coercive=1, scored=9),
        treated=Counts(coercive=2, scored=9),
        difference=0.1,
        ci=(-0.1, 0.3),
        margin=0.05,
        p_value=0.4,
        passed=False,
    )
    assert decide(replace(EVIDENCE, guardrails=(guard,)), smallest_change=0.05).costs == ("tasks",)
    untested = replace(guard, passed=None)
    assert decide(replace(EVIDENCE, guardrails=(untested,)), smallest_change=0.05).costs == ()
    small = replace(EVIDENCE, difference=-0.02, interval=(-0.03, -0.01))
    assert decide(small, smallest_change=0.05).below_threshold
    assert not decide(EVIDENCE, smallest_change=0.05).below_threshold
    against = replace(EVIDENCE, test_direction=5.0)
    assert decide(against, smallest_change=0.05).alarms == (DISAGREE,)


def test_alarms_come_before_everything_and_touch_only_their_variants():
    alarm = Alarm(name="copied answers", fired=True, detail="", variants=("w",))
    assert decide(EVIDENCE, smallest_change=0.05, alarms=[alarm]).kind is VerdictKind.REDUCES
    mine = replace(alarm, variants=("w", "v"))
    assert decide(EVIDENCE, smallest_change=0.05, alarms=[mine]).alarms == ("copied answers",)


def test_a_simultaneous_interval_is_the_score_interval_at_dunnetts_constant():
    cells = cells_of({"base": 0.5, "a": 0.3, "b": 0.4, "c": 0.5})
    found = {one.variant: one for one in analyse(cells, PLAN).comparisons}
    rows = [{"x1": 3, "n1": 10, "x0": 5, "n0": 10}] * 24
    low, high = difference_interval(strata_from_rows(rows), z=2.3490)
    assert found["a"].simultaneous_ci95 == pytest.approx((float(low), float(high)), abs=1e-4)


def test_without_permutations_the_family_is_step_down_dunnett():
    cells = cells_of({"base": 0.5, "a": 0.4, "b": 0.45})
    analysis = analyse(cells, replace(PLAN, permutations=0))
    assert "Dunnett" in analysis.family_method
    permuted = analyse(cells, replace(PLAN, permutations=4999))
    for one, two in zip(analysis.comparisons, permuted.comparisons, strict=True):
        assert one.p_adjusted == pytest.approx(two.p_adjusted, abs=0.03)


def test_the_level_of_a_look_replaces_alpha():
    cells = cells_of({"base": 0.5, "rule": 0.4})
    (found,) = analyse(cells, PLAN).comparisons
    assert found.p_value is not None
    assert 0.001 < found.p_value < 0.05
    assert found.verdict.kind is VerdictKind.REDUCES
    (early,) = analyse(cells, PLAN, level=0.001).comparisons
    assert early.verdict.kind is not VerdictKind.REDUCES


def test_what_would_settle_it_is_said_when_evidence_is_short():
    (found,) = analyse(cells_of({"base": 0.3, "rule": 0.2}, scenarios=2), PLAN).comparisons
    assert found.verdict.kind is VerdictKind.NOT_ENOUGH_EVIDENCE
    assert found.verdict.mde is not None
    # (1.96 + 0.842) sqrt(2 vbar / (S M R)), vbar the mean of p q n/(n - 1) over the cells.
    vbar = (0.21 + 0.16) / 2 * 10 / 9
    assert found.verdict.mde == pytest.approx(2.8016 * np.sqrt(2 * vbar / 40), rel=1e-4)
    assert found.verdict.more_repeats is not None
    assert found.verdict.more_scenarios is not None
