"""The small calibration: observed error rates inside their targets, and a page that says so."""

import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from mitigations.cli.calibrate import calibrate as command
from stats import calibrate
from stats.calibrate_page import page
from stats.calibrate_tally import Finding, Tally

FINE = Finding(
    target=2,
    what="false positives",
    setting="somewhere",
    observed=0.05,
    experiments=1000,
    error=0.007,
    low=0.04,
    high=0.0546,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The command's page, its figures and its result, from one small run."""
    out = tmp_path_factory.mktemp("calibration") / "page.md"
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["--seed", "1", "--out", str(out)])
    return result, out.read_text(), json.loads(out.with_suffix(".json").read_text())


def test_every_observed_rate_is_within_four_monte_carlo_errors_of_its_target(written):
    result, _, figures = written
    far = [row for row in figures["findings"] if not row["within_four_errors"]]
    assert far == []
    assert result.exit_code == 0


def test_the_calibration_covers_targets_two_to_eight(written):
    _, text, figures = written
    assert {row["target"] for row in figures["findings"]} == set(range(2, 9))
    assert figures["schema"] == "mitigations.calibration/1"
    for row in figures["findings"]:
        assert row["what"] in text
        assert row["monte_carlo_error"] > 0 or row["observed"] in (0.0, 1.0)


def test_the_page_gives_seed_date_and_size(written):
    _, text, figures = written
    assert "--seed 1`" in text
    assert figures["date"] in text
    assert "small run" in text


def test_a_rate_far_from_its_target_is_broken_and_printed_as_missed():
    wrong = replace(FINE, observed=0.12)
    found = calibrate.Calibration(seed=0, full=False, findings=(FINE, wrong))
    assert found.broken == (wrong,)
    assert found.missed == (wrong,)
    text = page(found, date="2026-11-24")
    assert "**no**" in text
    assert "1 of 2 figures" in text


def test_a_rate_just_outside_is_missed_but_not_broken():
    near = replace(FINE, observed=0.06)
    assert near.met is False
    assert near.credible
    assert "within error" in page(
        calibrate.Calibration(seed=0, full=False, findings=(near,)), date="2026-11-24"
    )


def test_a_figure_without_a_target_is_neither_met_nor_missed():
    assert replace(FINE, low=None, high=None).met is None


def test_the_figures_do_not_depend_on_the_number_of_processes():
    judge_jobs = [i for i, job in enumerate(calibrate.plan()) if "judge" in job.simulate.__name__]
    tasks = [(index, start, 20, 3) for index in judge_jobs for start in (0, 20)]
    assert calibrate._map(tasks, 1) == calibrate._map(tasks, 2)


def test_merging_tallies_adds_experiments():
    one, two = Tally(), Tally()
    one.add("x", [True, False])
    two.add("x", [True, True])
    one.merge(two)
    assert one.sums["x"] == (4, 3.0, 3.0)
