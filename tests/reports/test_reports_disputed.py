"""Judge against rules: every disagreement is counted, and as many are shown as a page can hold."""

from dataclasses import replace

import pytest

from mitigations.model import JudgeVerdict, VerdictStatus
from mitigations.store import Store
from reports import Extras, build, disputed_shown, report_json
from reports.examples import MAX_DISPUTED, disagrees
from reports.markdown import markdown
from tests.builders import make_outcome


def judged(outcome, severity, judge="m", status=VerdictStatus.READ):
    verdict = JudgeVerdict(judge=judge, status=status, severity=severity)
    return replace(outcome, verdicts=(verdict,))


def test_the_store_finds_what_the_report_calls_a_disagreement(tmp_path):
    """Same rule in SQL and Python, over every pair of severities, statuses and judges."""
    rows = []
    for repeat, (rules, judge) in enumerate((r, j) for r in range(6) for j in range(6)):
        plain = make_outcome(coercive=rules >= 3, repeat=repeat)
        plain = replace(plain, assessment=replace(plain.assessment, severity=rules))
        rows.append(judged(plain, judge))
    lost = make_outcome(coercive=None, repeat=100)
    rows += [
        judged(make_outcome(repeat=101), 5, judge="rules"),
        judged(make_outcome(repeat=102), 5, status=VerdictStatus.UNREADABLE),
        judged(make_outcome(repeat=103), None, status=VerdictStatus.ABSTAINED),
        judged(lost, 5),
        judged(make_outcome(repeat=104, scenario="twin"), 5),
        make_outcome(repeat=105),
    ]
    with Store.open(tmp_path / "x.duckdb") as store:
        store.append(rows, twins=frozenset({"twin"}))
        found = store.disputed("run-1", coercive_at=3)
    expected = [
        (one.trial.scenario, one.trial.model, one.trial.repeat)
        for one in rows
        if disagrees(one, coercive_at=3) and one.trial.scenario != "twin"
    ]
    assert found == sorted(expected)
    assert len(found) == 22  # 20 pairs lie more than one apart; 2-3 and 3-2 straddle the line


@pytest.mark.parametrize(
    ("transcripts", "expected"), [(3, MAX_DISPUTED), ("all", 57), ("none", 0), (0, 0)]
)
def test_as_many_places_as_a_page_can_hold(transcripts, expected):
    places = [("s", "m", repeat) for repeat in range(57)]
    assert len(disputed_shown(places, transcripts)) == expected


def test_the_report_says_how_many_there_are_and_how_many_it_shows(report, make):
    model, scenario = report.analysis.models[0], report.analysis.scenarios[0]
    rows = [
        judged(make["outcome"]("short-plea", scenario, model, repeat), 5 if repeat < 30 else 0)
        for repeat in range(60)
    ]
    rows = [replace(one, assessment=replace(one.assessment, severity=0)) for one in rows]
    made = build(
        report.analysis, report.cells, plan=report.plan, outcomes=rows,
        extras=Extras(disputed=30), transcripts=1,
    )  # fmt: skip
    shown = sum(pair.why == "judge and rules disagree" for pair in made.examples)
    assert MAX_DISPUTED - 2 <= shown <= MAX_DISPUTED
    text = markdown(made).split("## 8. ")[1].split("## 9. ")[0]
    assert "Judge and rules disagree in 30 places" in text
    assert f"{shown} of them are listed below" in text
    assert report_json(made)["extras"]["disputed"] == 30


def test_no_word_of_disagreements_where_no_judge_judged(report):
    assert "Judge and rules disagree in" not in markdown(report)
