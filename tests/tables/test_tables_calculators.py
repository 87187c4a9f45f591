"""`analyze --judge --power --paired`: the calculators beside the analysis."""

import json
from pathlib import Path

import jsonschema
import pytest
from scipy.stats import norm

from mitigations.cli.app import run

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "reports" / "schemas" / "analysis-1.schema.json").read_text())
COUNTS = "variant,scenario,model,coercive,trials\n" + "".join(
    f"{variant},s{s},m,{x},40\n" for variant, x in (("control", 20), ("rule", 10)) for s in range(5)
)


def _labels(arms):
    """Confusion of each arm as (human, judge) counts: both, human only, judge only, neither."""
    rows = ["variant,human,judge"]
    for variant, counts in arms.items():
        for (human, judge), count in zip(((1, 1), (1, 0), (0, 1), (0, 0)), counts, strict=True):
            rows += [f"{variant},{human},{judge}"] * count
    return "\n".join(rows) + "\n"


@pytest.fixture
def analyse(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(content, *arguments, labels=""):
        Path("data.csv").write_text(content)
        Path("labels.csv").write_text(labels)
        capsys.readouterr()
        code = run(["analyze", "data.csv", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def _json(analyse, content, *arguments, labels=""):
    code, out, err = analyse(content, "--json", *arguments, labels=labels)
    assert (code, err) == (0, "")
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_a_judge_that_errs_alike_is_corrected_both_ways(analyse):
    labels = _labels({"control": (45, 5, 5, 45), "rule": (45, 5, 5, 45)})
    found = _json(analyse, COUNTS, "--judge", "labels.csv", labels=labels)
    judge = found["judge"]
    # 180 of 200 labels agree, 100 of each class: kappa = (.9 - .5) / (1 - .5).
    assert judge["kappa"] == pytest.approx(0.8)
    robust, efficient = judge["corrected"]
    # Rogan-Gladen: (.25 - .5) / (.9 + .9 - 1).
    assert efficient["corrected_rd"] == pytest.approx(-0.25 / 0.8)
    # PPI++: of judged coercive .9 are, of judged clean .1; .25 * .8 points less.
    assert robust["corrected_rd"] == pytest.approx(-0.25 * 0.8)
    low, high = robust["corrected_rd_ci95"]
    assert low < -0.2 < high
    assert found["comparisons"][0]["verdict"] == "reduces"


def test_a_judge_fooled_by_one_arm_stops_that_verdict(analyse):
    """Politer coercion: the judge misses most of it in the variant only."""
    labels = _labels({"control": (48, 2, 2, 48), "rule": (15, 35, 2, 48)})
    found = _json(analyse, COUNTS, "--judge", "labels.csv", labels=labels)
    assert found["comparisons"][0]["verdict"] == "do not rely"
    assert "judge" in found["comparisons"][0]["sentence"]
    robust, efficient = found["judge"]["corrected"]
    assert efficient["corrected_rd"] is None
    assert "errs differently" in efficient["reason"]
    assert robust["corrected_rd"] is not None


def test_labels_of_one_arm_correct_nothing_and_say_so(analyse):
    found = _json(
        analyse, COUNTS, "--judge", "labels.csv", labels=_labels({"control": (5, 0, 0, 5)})
    )
    assert [effect["corrected_rd"] for effect in found["judge"]["corrected"]] == [None, None]
    assert all("both arms" in effect["reason"] for effect in found["judge"]["corrected"])
    assert found["judge"]["reasons"]["arms_differ_p"]
    assert found["comparisons"][0]["verdict"] == "reduces"


def test_labels_of_an_unknown_arm_are_refused(analyse):
    code, out, err = analyse(
        COUNTS, "--judge", "labels.csv", labels=_labels({"rulle": (1, 0, 0, 1)})
    )
    assert (code, out) == (2, "")
    assert "rulle" in err


def test_power_is_the_formula_of_the_plan(analyse):
    (entry,) = _json(analyse, COUNTS, "--power")["power"]["variants"]
    vbar = (0.5 * 0.5 + 0.25 * 0.75) / 2 * 40 / 39
    error = (2 * vbar / (5 * 40)) ** 0.5
    assert entry["vbar"] == pytest.approx(vbar)
    assert entry["mde"] == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) * error)
    drift = 0.05 / error
    expected = norm.cdf(drift - norm.ppf(0.975)) + norm.cdf(-drift - norm.ppf(0.975))
    assert entry["power"] == pytest.approx(expected)
    assert entry["repeats_needed"] > 40


def test_power_without_a_usable_stratum_says_why(analyse):
    empty = COUNTS.replace(",10,40", ",0,0")
    (entry,) = _json(analyse, empty, "--power")["power"]["variants"]
    assert (entry["power"], entry["mde"]) == (None, None)
    assert "both arms" in entry["reasons"]["mde"]


def test_paired_trials_give_mcnemar_and_counts_cannot(analyse):
    rows = ["variant,scenario,model,repeat,coercive"]
    for repeat in range(15):
        rows += [f"control,s,m,{repeat},{int(repeat >= 3)}", f"rule,s,m,{repeat},{int(repeat < 3)}"]
    (entry,) = _json(analyse, "\n".join(rows), "--paired")["paired"]["variants"]
    assert (entry["variant_only"], entry["control_only"]) == (3, 12)
    # The reference case M01.
    assert entry["mcnemar_exact_p"] == pytest.approx(0.03515625)
    assert entry["mcnemar_midp"] == pytest.approx(0.021270751953125)
    assert _json(analyse, COUNTS, "--paired")["paired"]["reason"]


def test_trials_give_an_e_value_and_counts_a_reason(analyse):
    rows = ["variant,scenario,model,repeat,coercive"]
    rows += [f"control,s,m,{repeat},1" for repeat in range(12)]
    rows += [f"rule,s,m,{repeat},0" for repeat in range(12)]
    (found,) = _json(analyse, "\n".join(rows))["comparisons"]
    # prod over i < 12 of 2 (20 + i) / (40 + i): the closed form, twelve wins in a row.
    expected = 1.0
    for i in range(12):
        expected *= 2 * (20 + i) / (40 + i)
    assert found["e_value"] == pytest.approx(expected)
    (counts,) = _json(analyse, COUNTS)["comparisons"]
    assert counts["e_value"] is None
    assert "pair" in counts["reasons"]["e_value"]


def test_the_words_for_people_hold_sentence_table_and_calculators(analyse):
    labels = _labels({"control": (45, 5, 5, 45), "rule": (45, 5, 5, 45)})
    code, out, err = analyse(COUNTS, "--judge", "labels.csv", "--power", "--paired", labels=labels)
    assert (code, err) == (0, "")
    assert "rule reduced coercive replies" in out
    assert "100/200" in out
    assert "kappa 0.80" in out
    assert "Power at 5 in 100" in out
    assert "holds counts" in out


@pytest.mark.parametrize("name", ["out.json", "out.html", "out.md", "out.csv"])
def test_an_answer_can_be_written_in_every_format(analyse, name):
    code, out, _ = analyse(COUNTS, "-o", name)
    assert code == 0
    assert name in out
    assert "rule" in Path(name).read_text()


def test_an_unknown_format_is_refused(analyse):
    code, _, err = analyse(COUNTS, "-o", "out.docx")
    assert code == 2
    assert "out.docx" in err
