"""Ten wrong claims that this field has published, over generated runs: none can be printed.

Cells are drawn at random, rare and lost ones included, analysed for real, and the whole report and
its summary are read as a reader would.
"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.model import Cell, Counts, Settings, VerdictKind
from reports import Report, build, sentence
from reports.guardrail_words import state
from reports.markdown import markdown
from reports.sentences import borne_out, shown_interval
from reports.writer import summary_bytes
from stats.analysis import analyse

VARIANTS = ("no-mitigation", "plain-plea-v1", "long-text-v1")
K = VerdictKind
GUARD = {"task_completion": 0.05}
rates = st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0])


@st.composite
def reports_drawn(draw) -> Report:
    """A small run: three arms, up to five scenarios, lost replies, a guardrail."""
    scenarios = draw(st.integers(1, 5))
    size = draw(st.sampled_from([1, 4, 30, 200]))
    settings_ = Settings(
        baseline=VARIANTS[0], permutations=99, guardrail_margins=GUARD,
        smallest_change=draw(st.sampled_from([0.02, 0.05, 0.1])),
    )  # fmt: skip
    cells, twins = [], []
    for variant in VARIANTS:
        rate, bad = draw(rates), draw(rates)
        lost_share = draw(st.sampled_from([0.0, 0.0, 0.1, 0.6]))
        for place in range(scenarios):
            # Loss where the rate is high: what makes a pooled rate lie.
            here = min(1.0, rate * (0.5 + place))
            lost = int(size * lost_share) if here > 0.4 else 0
            scored = size - lost
            for rows, share, gone in ((cells, here, lost), (twins, bad, 0)):
                counts = Counts(
                    coercive=round(share * (size - gone)), scored=size - gone, lost=gone
                )
                rows.append(Cell(variant=variant, scenario=f"s{place}", model="m/x", counts=counts))
            assert scored >= 0
    analysis = analyse(cells, settings_, guardrails={"task_completion": twins})
    return build(analysis, cells)


some = settings(max_examples=12, deadline=None)


def told(report: Report) -> list[tuple]:
    analysis = report.analysis
    return [
        (one, sentence(one, analysis.settings, analysis.alarms))
        for whole in analysis.comparisons
        for one in (whole, *whole.per_model)
    ]


def everything(report: Report) -> str:
    return markdown(report) + summary_bytes(report, ".md").decode()


@some
@given(reports_drawn())
def test_1_no_rate_without_its_counts(report):
    for one, text in told(report):
        if re.search(r"\bin 100\b", text) and one.control.scored and one.treated.scored:
            assert f"{one.control.coercive:,} of {one.control.scored:,}" in text
            assert f"{one.treated.coercive:,} of {one.treated.scored:,}" in text


@some
@given(reports_drawn())
def test_2_no_effect_is_never_claimed(report):
    text = everything(report).lower()
    assert not re.search(r"\bno (?:effect|difference|impact)\b(?! could be computed)", text)
    for one, said in told(report):
        if "no meaningful difference" in said:
            limits = shown_interval(one)
            smallest = report.analysis.settings.smallest_change
            assert limits is not None
            narrow = one.std_rd_ci95 if one.std_rd_ci95 is not None else limits
            assert max(abs(narrow[0]), abs(narrow[1])) < smallest


@some
@given(reports_drawn())
def test_3_a_pooled_rate_is_never_the_estimate(report):
    for one, text in told(report):
        moved = re.search(r"from ([\d.]+) to ([\d.]+) in 100 \(", text)
        if moved:
            for shown, rate in zip(moved.groups(), (one.std_p0, one.std_p1), strict=True):
                assert float(shown) == pytest.approx(100 * rate, abs=0.5 + 1e-9)


@some
@given(reports_drawn())
def test_4_a_large_p_never_passes_a_guardrail(report):
    for one, text in told(report):
        for guard in one.guardrails:
            if state(guard) == "shown":
                assert guard.ci[1] < guard.margin
        failed = [g for g in one.guardrails if g.passed is not None and g.ci[1] >= g.margin]
        if failed and borne_out(one, report.analysis.settings) is K.REDUCES:
            assert "cost" in text


@some
@given(reports_drawn())
def test_5_a_direction_is_that_of_the_estimate(report):
    for one, text in told(report):
        if "reduced coercive replies" in text:
            assert one.std_rd < 0
        if "increased coercive replies" in text:
            assert one.std_rd > 0


@some
@given(reports_drawn())
def test_6_an_unadjusted_p_decides_nothing(report):
    for one, text in told(report):
        if re.search(r"(?:reduced|increased) coercive replies", text):
            decided = one.p_adjusted if one.p_adjusted is not None else one.p_holm
            assert decided <= report.analysis.settings.alpha
            assert "adjusted p" in text


@some
@given(reports_drawn())
def test_7_nothing_seen_is_not_nothing_there(report):
    text = everything(report).lower()
    assert not re.search(r"\b(?:eliminat\w+|is safe|are safe|never coerces|risk is zero)\b", text)
    for one, said in told(report):
        if "no headroom" in said and one.verdict.upper_bound:
            assert "at most" in said


@some
@given(reports_drawn())
def test_8_a_lost_reply_is_never_a_safe_one(report):
    for cell in report.cells:
        size = cell.counts.scored + cell.counts.lost
        assert cell.counts.scored <= size
    lost = [one for one in report.analysis.alarms if one.name == "lost replies differ by arm"]
    for alarm in lost:
        for one, text in told(report):
            if alarm.fired and one.variant in alarm.variants:
                assert text.startswith("Do not rely")
    for one, text in told(report):
        shown = re.search(r"baseline ([\d,]+) of ([\d,]+), variant ([\d,]+) of ([\d,]+)", text)
        if shown:
            numbers = [int(number.replace(",", "")) for number in shown.groups()]
            assert numbers[1::2] == [one.control.scored, one.treated.scored]


@some
@given(reports_drawn())
def test_9_two_variants_are_never_ranked(report):
    """Each was held against the baseline; no sentence names two of them."""
    for one, text in told(report):
        others = [name for name in report.variants if name != one.variant]
        assert not any(name in text for name in others)
    assert not re.search(
        r"\b(?:the best|safest|winner|outperform\w*)\b", everything(report).lower()
    )


@some
@given(reports_drawn())
def test_10_nothing_is_proved_and_nothing_is_significant(report):
    for _, text in told(report):
        assert not re.search(r"\bprov(?:e[sdn]?|en)\b|\bproof\b|significan", text)
    assert "significant" not in summary_bytes(report, ".md").decode()


@some
@given(reports_drawn())
def test_11_a_ratio_never_stands_in_for_a_difference(report):
    """`80 % fewer` of 1 in 1,000: part 1 and the summary speak of replies in 100 only."""
    first = markdown(report).split("## 2. ")[0]
    for text in (first, summary_bytes(report, ".md").decode()):
        assert not re.search(
            r"\d ?% (?:fewer|more|less|reduction)|\bodds\b|\bhalve|\btimes as\b", text
        )


@some
@given(reports_drawn())
def test_12_an_effect_never_stands_without_its_interval(report):
    for one, text in told(report):
        if re.search(r"\d (?:fewer|more)\b", text) and not text.startswith("Do not rely"):
            assert "95 % interval" in text or "no interval could be computed" in text
        assert one.strata_used >= 0
