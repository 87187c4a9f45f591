"""Assembling a report: data only, examples by the seed, memory bounded."""

import random
import tracemalloc
from dataclasses import fields, is_dataclass, replace

import pytest

from mitigations.model import Counts, JudgeVerdict, OutcomeStatus, VerdictStatus
from reports import Extras, build, sample_places
from reports.examples import disagrees, largest_strata, place


def test_a_report_holds_data_only(report):
    """No words and no marks: nothing in it was rendered."""
    assert is_dataclass(report)
    assert {one.name for one in fields(report)} == {
        "title", "analysis", "cells", "plan", "run", "extras", "examples", "examples_reason",
        "against",
    }  # fmt: skip


def test_random_pairs_do_not_depend_on_the_order_of_the_rows(report, make):
    rows = [make["outcome"](arm, s, m, r)
            for arm in ("no-mitigation", "plain-channel-v2") for s in report.analysis.scenarios
            for m in report.analysis.models for r in range(3)]  # fmt: skip
    shuffled = random.Random(1).sample(rows, len(rows))
    one, two = (build(report.analysis, report.cells, outcomes=x).examples for x in (rows, shuffled))
    assert one == two
    assert [pair.why for pair in one].count("drawn at random") == 3


def test_another_seed_draws_other_pairs(report, make):
    rows = [make["outcome"]("no-mitigation", s, m, r) for s in report.analysis.scenarios
            for m in report.analysis.models for r in range(10)]  # fmt: skip
    other = replace(report.analysis, settings=replace(report.analysis.settings, seed=7))
    drawn = [
        {place(pair.baseline) for pair in build(analysis, (), outcomes=rows).examples}
        for analysis in (report.analysis, other)
    ]
    assert drawn[0] != drawn[1]


def test_pairs_stand_in_the_same_place(report):
    for pair in report.examples:
        assert place(pair.baseline) == place(pair.treated)
        assert pair.baseline.trial.variant == "no-mitigation"


def test_the_sampled_places_are_all_that_build_needs(report, make):
    places = sample_places(report.cells, report.analysis, repeats=4, transcripts=3)
    arms = ("no-mitigation", *report.variants)
    rows = [make["outcome"](arm, s, m, r) for arm in arms for s in report.analysis.scenarios
            for m in report.analysis.models for r in range(4)]  # fmt: skip
    some = [row for row in rows if place(row) in set(places)]
    assert len(some) < len(rows) / 4
    whole, part = (build(report.analysis, report.cells, outcomes=x).examples for x in (rows, some))
    assert whole == part


def test_the_largest_changes_are_those_of_the_cells(report):
    counts = {(c.variant, c.scenario, c.model): c.counts for c in report.cells}
    best = max(abs(counts[v, s, m].rate - counts["no-mitigation", s, m].rate)
               for v, s, m in counts)  # fmt: skip
    scenario, model = largest_strata(report.cells, report.analysis)[0]
    assert best == max(
        abs(counts[v, scenario, model].rate - counts["no-mitigation", scenario, model].rate)
        for v in report.variants
    )


def test_memory_does_not_grow_with_the_run(report, make):
    """A million rows pass through; what is kept is bounded."""
    row = make["outcome"]("no-mitigation", "s", "m", 0)

    def rows(count):
        for repeat in range(count):
            yield replace(row, trial=replace(row.trial, repeat=repeat), text="x" * 2000)

    peaks = []
    for count in (1_000, 5_000):
        tracemalloc.start()
        build(report.analysis, report.cells, outcomes=rows(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.parametrize(("transcripts", "expected"), [("none", 0), (1, 1), (0, 0)])
def test_the_number_of_random_pairs_is_as_asked(report, make, transcripts, expected):
    arms, model = ("no-mitigation", "short-plea"), report.analysis.models[0]
    rows = [make["outcome"](arm, s, model, 0)
            for arm in arms for s in report.analysis.scenarios]  # fmt: skip
    made = build(report.analysis, report.cells, outcomes=rows, transcripts=transcripts)
    assert sum(pair.why == "drawn at random" for pair in made.examples) == expected
    assert bool(made.examples_reason) == (not made.examples)


def test_all_transcripts_means_every_place(report, make):
    arms, model = ("no-mitigation", "short-plea"), report.analysis.models[0]
    rows = [make["outcome"](arm, s, model, r) for r in range(3)
            for arm in arms for s in report.analysis.scenarios]  # fmt: skip
    made = build(report.analysis, (), outcomes=rows, transcripts="all")
    assert {place(pair.treated) for pair in made.examples} == {place(row) for row in rows}


def test_without_transcripts_no_outcome_is_read(report):
    def refuse():
        raise AssertionError("an outcome was read")
        yield

    build(report.analysis, report.cells, outcomes=refuse(), transcripts="none")


def judged(outcome, severity, **more):
    verdict = JudgeVerdict(judge="m", status=VerdictStatus.READ, severity=severity)
    return replace(outcome, verdicts=(replace(verdict, **more),))


def test_a_judge_that_contradicts_the_rules_is_shown(report, make):
    outcome = make["outcome"]("short-plea", "press-leak", report.analysis.models[0], 1)
    rules = outcome.assessment.severity
    assert disagrees(judged(outcome, rules + 3))
    assert not disagrees(judged(outcome, rules + 1))
    assert not disagrees(judged(outcome, rules + 3, status=VerdictStatus.UNREADABLE))
    assert not disagrees(judged(outcome, rules + 3, judge="rules"))
    assert not disagrees(
        replace(judged(outcome, rules + 3), status=OutcomeStatus.FILTERED, coercive=None)
    )
    rows = [judged(outcome, rules + 3)]
    made = build(report.analysis, report.cells, outcomes=rows, transcripts=1)
    assert made.examples[0].treated.trial.id == outcome.trial.id


def test_simulated_and_embedded_models_are_known_by_their_route(report, bare_report):
    assert report.made_of == ("embedded",)
    pure = replace(bare_report, analysis=replace(bare_report.analysis, models=("anthropic/x",)))
    assert pure.made_of == ()
    drawn = replace(bare_report, analysis=replace(bare_report.analysis, models=("simulated/x",)))
    assert drawn.made_of == ("simulated",)


def test_cells_without_scored_trials_are_no_change(report):
    empty = tuple(replace(c, counts=Counts(coercive=0, scored=0, lost=3)) for c in report.cells)
    assert largest_strata(empty, report.analysis) == []


def test_nothing_studied_is_empty_and_never_zero():
    assert Extras() == Extras(factors=(), corrigibility=(), looks=(), judge=None)
