"""The claims check: known answers, the report's own words, and laws that no wording may break."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitigations.model import Settings, VerdictKind
from reports import build, sentence
from reports.claims import Status, check_claims
from reports.claims.names import names_of
from reports.claims.sizes import digits_for_words, sizes
from reports.claims.text import sentences
from stats.analysis import analyse
from tests.reports.claims_corpus import CORPUS, HELD_OUT, HELD_OUT_AGAIN, PARAGRAPHS
from tests.reports.claims_run import MODELS, cell, make_claims_report

NAMES = {"S": "supported", "U": "unsupported", "C": "contradicted", "N": "not a claim"}


@pytest.fixture(scope="module")
def run():
    return make_claims_report()


def check(text, run):
    (result,) = check_claims(text, run)
    return result


@pytest.mark.parametrize(("answer", "text"), [*CORPUS, *HELD_OUT, *HELD_OUT_AGAIN])
def test_known_answer(answer, text, run):
    result = check(text, run)
    assert result.status == NAMES[answer], [(one.status, one.why) for one in result.findings]


@pytest.mark.parametrize(("text", "answers"), PARAGRAPHS)
def test_it_means_what_was_named_before(text, answers, run):
    assert [result.status for result in check_claims(text, run)] == [NAMES[a] for a in answers]


def test_the_corpus_is_large_and_of_every_kind():
    every = [*CORPUS, *HELD_OUT, *HELD_OUT_AGAIN]
    assert len(every) == len({text for _, text in every}) >= 120
    assert {answer for answer, _ in every} == set(NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "Pause and review is safer than the very short appeal.",
        "Pause and review beats every other prompt we know of.",
        "The escalation channel reduced coercion more than our old policy.",
    ],
)
def test_a_comparison_with_something_unknown_is_never_one_with_the_baseline(text, run):
    assert check(text, run).status is Status.UNSUPPORTED


def test_a_claim_about_nobody_is_unsupported(run):
    assert check("Coercive replies fell by half.", run).status is Status.UNSUPPORTED
    assert check("Task completion did not suffer.", run).status is Status.UNSUPPORTED


def test_the_reports_own_sentences_are_never_disputed(run):
    """What a report says of a variant can be copied into a text and passes."""
    for one in run.analysis.comparisons:
        text = sentence(one, run.analysis.settings, run.analysis.alarms)
        for result in check_claims(text, run):
            assert result.status in {Status.SUPPORTED, Status.NOT_A_CLAIM}, (
                result.text, [(f.status, f.why) for f in result.findings])  # fmt: skip
        assert any(r.status is Status.SUPPORTED for r in check_claims(text, run))


def test_a_cost_that_was_not_ruled_out_may_be_copied_and_not_made_up(run):
    costly = next(one for one in run.analysis.comparisons if one.verdict.costs)
    doubtful = [
        replace(guard, harmed=False, passed=False, difference=0.02, ci=(-0.03, 0.07))
        for guard in costly.guardrails
    ]
    changed = replace(
        costly,
        guardrails=tuple(doubtful),
        verdict=replace(costly.verdict, costs=tuple(guard.name for guard in doubtful)),
    )
    others = [one for one in run.analysis.comparisons if one is not costly]
    doubted = replace(run, analysis=replace(run.analysis, comparisons=(changed, *others)))
    text = sentence(changed, run.analysis.settings)
    assert "reduced coercive replies, but a cost is not ruled out: " in text
    first, *_ = check_claims(text, doubted)
    assert first.status is Status.SUPPORTED
    safe = "The escalation channel reduced coercion, but a cost is not ruled out."
    assert check(safe, run).status is Status.CONTRADICTED


def test_every_finding_on_a_variant_carries_its_counts(run):
    result = check("The escalation channel more than halves coercion.", run)
    assert "baseline 648 of 2,400, variant 96 of 2,400" in result.findings[0].numbers
    assert "95 % interval" in result.findings[0].numbers
    assert "adjusted p < .001" in result.findings[0].numbers


def test_lines_are_those_of_the_file(run):
    text = (
        "---\ntitle: x\n---\n\n# The short plea works\n\nWe ran it. The *short\nplea* had no "
        "effect.\n\n"
        "```\nThe short plea works.\n```\n- The long constitution\n  reduced coercion.\n"
        "| variant | result |\n|---|---|\n| short plea | reduced coercion |\n"
    )
    found = [(one.line, one.status) for one in check_claims(text, run)]
    assert found == [
        (5, "unsupported"),
        (7, "not a claim"),
        (7, "unsupported"),
        (13, "contradicted"),
        (15, "not a claim"),
        (17, "unsupported"),
    ]


@pytest.mark.parametrize(
    "name",
    ["escalation-channel-v1", "`escalation-channel-v1`", "*escalation channel*",
     "“Escalation channel”", "a channel for escalation", "ESCALATION-CHANNEL", "escalation_channel",
     "**escalation-channel**", "escalation‑channel"],
)  # fmt: skip
def test_variants_go_by_ordinary_names(name, run):
    assert check(f"With {name} coercive replies fell.", run).status is Status.SUPPORTED


@pytest.mark.parametrize(
    "name",
    ["anthropic/claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001", "Claude Haiku 4.5",
     "haiku-4.5", "`claude-haiku-4-5`", "*Haiku 4.5*"],
)  # fmt: skip
def test_models_go_by_ordinary_names(name, run):
    result = check(f"The escalation channel reduced coercion on {name}.", run)
    assert {one.model for one in result.findings} == {MODELS[0]}


@pytest.mark.parametrize(
    "name", ["GPT-4o", "Gemini 2.5 Pro", "Llama 3.1", "Claude Opus 4", "Grok 4"]
)
def test_a_model_that_did_not_run_supports_nothing(name, run):
    result = check(f"The escalation channel reduced coercion on {name}.", run)
    assert result.status is Status.UNSUPPORTED
    assert "not in this run" in result.findings[0].why


def test_a_short_name_of_two_variants_names_neither():
    settings = Settings(baseline="no-mitigation", permutations=99)
    cells = [
        cell(v, f"s{s}", "m/x", n, 40)
        for v, n in (("no-mitigation", 20), ("short-plea-v1", 5), ("short-plea-v2", 30))
        for s in range(6)
    ]
    report = build(analyse(cells, settings), cells)
    assert names_of(report).found(names_of(report).mask("the short plea"), "v") == ()
    assert names_of(report).found(names_of(report).mask("short-plea-v2"), "v") == ("short-plea-v2",)


def test_pooled_rates_are_told_from_the_estimate():
    """Repeats lost where the rate is high: the collapsed table says another thing than the run."""
    settings = Settings(baseline="no-mitigation", permutations=199)
    cells = [
        *(cell("no-mitigation", f"high{n}", "m/x", 36, 40) for n in range(6)),
        *(cell("no-mitigation", f"low{n}", "m/x", 4, 40) for n in range(6)),
        *(cell("half-plea-v1", f"high{n}", "m/x", 8, 10) for n in range(6)),
        *(cell("half-plea-v1", f"low{n}", "m/x", 0, 40) for n in range(6)),
    ]
    report = build(analyse(cells, settings), cells)
    pooled = check("half-plea-v1 cut coercive replies from 50 to 16 in 100.", report)
    assert pooled.status is Status.UNSUPPORTED
    assert any("pooled" in one.why for one in pooled.findings)
    assert check("half-plea-v1 cut coercive replies from 50 to 40 in 100.", report).status is (
        Status.SUPPORTED
    )


def test_a_small_interval_can_settle_what_was_not_tested(run):
    """Simultaneous intervals that lie apart: the difference of two variants is shown."""
    told = check("Pause and review is safer than the short prohibition.", run)
    assert told.status is Status.SUPPORTED
    assert "95 % intervals against the baseline" in told.findings[0].numbers


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("from thirty-one to eighteen in a hundred", "levels", (31.0, 18.0)),
        ("by eighty per cent", "ratio", (0.8,)),
        ("more than halved it", "ratio", (0.5,)),
        ("by two thirds", "ratio", (2 / 3,)),
        ("three times as many", "ratio", (2.0,)),
        ("half as often", "ratio", (0.5,)),
        ("71 of 576", "counts", (71.0, 576.0)),
        ("95 % interval from 4 fewer to 9 more", "interval", (-4.0, 9.0)),
        ("p < .05", "p", (0.05,)),
        ("13 fewer", "points", (13.0,)),
    ],
)
def test_sizes_are_read(text, kind, value):
    (found,), _ = sizes(digits_for_words(text))
    assert (found.kind, found.values) == (kind, pytest.approx(value))


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text):
    for one in check_claims(text, _RUN):
        assert one.text
        assert one.line >= 1
    assert all(one.text for one in sentences(text))


_RUN = make_claims_report()
_UNSHOWN = [
    one.variant
    for one in _RUN.analysis.comparisons
    if one.verdict.kind not in {VerdictKind.REDUCES, VerdictKind.INCREASES}
]


@given(
    variant=st.sampled_from(_UNSHOWN),
    verb=st.sampled_from(["reduced", "lowered", "cut", "halves", "decreased", "eliminates"]),
    tail=st.sampled_from(["", " by 10 points", " (p = .01)", " on both models", " everywhere"]),
)
def test_no_wording_makes_an_unshown_reduction_supported(variant, verb, tail):
    result = check(f"`{variant}` {verb} coercive replies{tail}.", _RUN)
    assert result.status in {Status.UNSUPPORTED, Status.CONTRADICTED}


@given(points=st.integers(0, 100))
def test_a_stated_size_is_supported_only_at_the_estimate(points):
    result = check(f"The escalation channel reduced coercive replies by {points} points.", _RUN)
    assert (result.status is Status.SUPPORTED) == (points == 23)


@given(first=st.sampled_from(_RUN.variants), second=st.sampled_from(_RUN.variants))
def test_safer_than_is_never_supported_both_ways(first, second):
    if first == second:
        return
    one = check(f"`{first}` is safer than `{second}`.", _RUN).status
    two = check(f"`{second}` is safer than `{first}`.", _RUN).status
    assert (one, two) != (Status.SUPPORTED, Status.SUPPORTED)
    assert (one is Status.CONTRADICTED) == (two is Status.SUPPORTED)


def test_names_in_a_text_are_data(run):
    """A text is read, never run: marks of our own in it change nothing."""
    result = check("⟦va⟧ {{7*7}} <script>alert(1)</script> reduced coercion.", run)
    assert not re.search(r"49", result.text)
    assert result.status in set(Status)
