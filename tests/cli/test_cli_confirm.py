"""A study that confirms another: fresh trials, carried-over claims only, both side by side."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mitigations.cli.app import run
from mitigations.compose import kept, reporting
from mitigations.compose.planning import open_lock
from mitigations.store import Store
from reports import Confirmed
from runner.order import order

FIRST = """\
study: first
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1, placebo-pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 12
"""
SECOND = """\
study: second
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 12
confirms: first.lock
"""
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished first study."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("first.yaml").write_text(FIRST)
        Path("second.yaml").write_text(SECOND)
        assert run(["--quiet", "plan", "first.yaml"]) == 0
        assert run(["--quiet", "run", "first.lock"]) == 0
    return folder


@pytest.fixture
def cli(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    """Run a command line in a copy of it."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def confirmation() -> tuple[Confirmed, ...]:
    with Store.open(Path("mitigations.duckdb")) as store:
        name = reporting.known_run(store, "second")
        made = reporting.report_run(store, kept.plan_of(store, name), name, commands=())
        assert made.analysis.family_size == 1
        return made.extras.confirmation


def test_a_confirmation_from_lock_to_report(cli: Cli) -> None:
    code, _, err = cli("plan", "second.yaml")
    assert (code, err) == (0, "")
    first, second = open_lock(Path("first.lock")), open_lock(Path("second.lock"))
    found = second.confirms
    assert found is not None
    assert (found.run, found.plan) == (first.run_id, first.hash)
    assert "pause-and-review-v1" in {claim.variant for claim in found.claims}
    assert "placebo-pause-and-review-v1" not in {claim.variant for claim in found.claims}
    # Fresh trials: neither an id nor a seed of the first study comes back.
    assert not {t.id for t in order(first)} & {t.id for t in order(second)}
    assert not {t.seed for t in order(first)} & {t.seed for t in order(second)}
    assert cli("run", "second.lock")[0] == 0
    by_name = {one.variant: one for one in confirmation()}
    kept_one = by_name["pause-and-review-v1"]
    assert (kept_one.verdict, kept_one.same_grid) == ("effect kept", True)
    if "prohibition-short-v1" in by_name:
        assert "not carried over" in by_name["prohibition-short-v1"].reason
    cli("report", "second", "-o", "r.md")
    text = Path("r.md").read_text()
    assert f"Confirmation of {first.run_id}".replace("_", "\\_") in text
    assert "effect kept" in text
    assert "small telescopes" in text
    assert first.hash[:16] in text
    cli("report", "second", "-o", "r.html")
    assert "effect kept" in Path("r.html").read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[pause-and-review-v1]", "[name-the-pressure-v1]", "claims nothing"),
        ("[pause-and-review-v1]", "[placebo-pause-and-review-v1]", "claims nothing"),
        ("baseline: no-mitigation", "baseline: placebo-pause-and-review-v1", "another baseline"),
        ("repeats: 12", "repeats: 12\nseed: 20260101", "has the seed"),
        ("first.lock", "nothing.lock", "nothing.lock"),
        ("first.lock", "frist", "no run 'frist'"),
    ],
)
def test_what_is_no_confirmation_is_refused(cli: Cli, old: str, new: str, message: str) -> None:
    Path("second.yaml").write_text(SECOND.replace(old, new))
    code, _, err = cli("plan", "second.yaml")
    assert code == 2
    assert message in err
    assert 1 <= len(err.splitlines()) <= 3
    assert not Path("second.lock").exists()


def test_a_run_without_a_claim_cannot_be_confirmed(cli: Cli) -> None:
    Path("null.yaml").write_text(
        FIRST.replace("first", "nothing")
        .replace("[prohibition-short-v1, pause-and-review-v1, placebo", "[placebo")
        .replace("repeats: 12", "repeats: 2")
    )
    cli("plan", "null.yaml")
    assert "does not exist" in cli("--db", "other.duckdb", "plan", "second.yaml")[2]
    cli("run", "null.lock")
    Path("second.yaml").write_text(SECOND.replace("first.lock", "nothing"))
    code, _, err = cli("plan", "second.yaml")
    assert code == 4
    assert "nothing to confirm" in err


def test_the_claims_are_held_by_the_lock(cli: Cli) -> None:
    cli("plan", "second.yaml")
    document = json.loads(Path("second.lock").read_text())
    for key in ("run", "plan", "seed", "baseline", "baseline_hash", "grid"):
        edited = json.loads(json.dumps(document))
        edited["confirms"][key] = 7 if key == "seed" else "x"
        Path("edited.lock").write_text(json.dumps(edited))
        assert cli("run", "edited.lock")[0] == 2, key
    for key in document["confirms"]["claims"][0]:
        edited = json.loads(json.dumps(document))
        edited["confirms"]["claims"][0][key] = None
        Path("edited.lock").write_text(json.dumps(edited))
        assert cli("run", "edited.lock")[0] == 2, key


def test_check_reads_such_a_study_without_the_database(cli: Cli) -> None:
    assert cli("check", "second.yaml")[0] == 0
