"""`mitigations report` from a real database: two runs beside each other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mitigations.cli.app import run

STUDY = """\
study: small
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: {repeats}
nuisance: fixed
guardrails: {{task_completion: 0.1}}
"""
OTHER = STUDY.replace("simulated/published", "simulated/floor").replace("small", "elsewhere")

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A database with two runs of one study and one of another."""
    folder = tmp_path_factory.mktemp("runs")
    database, names = folder / "mitigations.duckdb", []
    for name, text in (
        ("first", STUDY.format(repeats=4)),
        ("second", STUDY.format(repeats=6)),
        ("third", OTHER.format(repeats=2)),
    ):
        (folder / f"{name}.yaml").write_text(text)
        lock = str(folder / f"{name}.lock")
        assert run(["plan", str(folder / f"{name}.yaml"), "-o", lock, "--quiet"]) == 0
        assert run(["--db", str(database), "run", lock, "--quiet"]) == 0
        names.append(json.loads(Path(lock).read_text())["hash"][:8])
    return database, ["small-" + names[0], "small-" + names[1], "elsewhere-" + names[2]]


@pytest.fixture
def cli(runs: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["--db", str(runs[0]), *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_a_report_against_another_run_in_every_text_format(
    cli: Cli, runs: tuple[Path, list[str]], tmp_path: Path
) -> None:
    first, second, _ = runs[1]
    for name in ("a.md", "a.html", "a.json", "a.csv"):
        code, _, err = cli("report", second, "--against", first, "-o", str(tmp_path / name))
        assert (code, err) == (0, "")
    part = (tmp_path / "a.md").read_text().split("## 12. Against the other run")[1]
    assert "| setting | repeats | 4 | 6 |" in part
    assert f"--against {first}" in (tmp_path / "a.md").read_text()
    told = json.loads((tmp_path / "a.json").read_text())["against"]
    assert (told["earlier"]["run"], told["later"]["run"]) == (first, second)
    assert [row["drifted"] for row in told["drift"]] == [False]
    assert first in (tmp_path / "a.csv").read_text()


def test_runs_that_share_nothing_are_refused(
    cli: Cli, runs: tuple[Path, list[str]], tmp_path: Path
) -> None:
    first, second, third = runs[1]
    out = str(tmp_path / "x.html")
    assert cli("report", first, "--against", first, "-o", out)[0] == 2
    code, _, err = cli("report", second, "--against", third, "-o", out)
    assert code == 2
    assert "no model is in both" in err
    assert len(err.splitlines()) <= 3
    code, _, err = cli("report", second, "--against", "small-99", "-o", out)
    assert code == 2
    assert "did you mean" in err
    assert not Path(out).exists()


CLAIMS = """\
# Findings

Pause and review is proof. Under `prohibition-short-v1` 7 of 9 replies were coercive.
We measured it on one model.
"""


def test_a_text_is_held_against_a_run(
    cli: Cli, runs: tuple[Path, list[str]], tmp_path: Path
) -> None:
    text = tmp_path / "claims.md"
    text.write_text(CLAIMS)
    code, out, _ = cli("check", "--claims", str(text), "--run", runs[1][1])
    assert code == 3
    assert f"{text}:3: contradicted: Under `prohibition-short-v1` 7 of 9" in out
    assert "variant" in out
    assert "not read as claims, and so not checked" in out
    code, out, _ = cli("check", "--claims", str(text), "--run", runs[1][1], "--json")
    told = json.loads(out)
    assert (code, told["schema"], told["run"]) == (3, "mitigations.claims/1", runs[1][1])
    assert [one["line"] for one in told["sentences"]] == [1, 3, 3, 4]


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("We ran a study.", 0),
        ("Pause and review works on any model.", 4),
        ("Under pause and review 7 of 9 replies were coercive.", 3),
    ],
)
def test_the_exit_code_says_how_bad_it_is(
    cli: Cli, tmp_path: Path, claim: str, expected: int
) -> None:
    text = tmp_path / "claims.md"
    text.write_text(claim)
    assert cli("check", "--claims", str(text), "--run", "small")[0] == expected


def test_a_text_that_is_not_there_is_said(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("check", "--claims", str(tmp_path / "none.md"))
    assert code == 2
    assert "cannot be read" in err


def test_a_summary_for_publication(cli: Cli, runs: tuple[Path, list[str]], tmp_path: Path) -> None:
    target = tmp_path / "summary.md"
    code, out, err = cli("report", runs[1][1], "--summary", "-o", str(target))
    assert (code, err) == (0, "")
    assert str(target) in out
    assert "## 5. Who decides" in target.read_text()
    code, _, err = cli("report", runs[1][1], "--summary", "-o", str(tmp_path / "summary.csv"))
    assert code == 2
    assert "use .md or .html" in err
