"""A study over runs of several versions of the program."""

from pathlib import Path
from typing import Any

import pytest

from mitigations.store import Store
from tests.web.conftest import STUDY, client_of, serving


def test_an_upgrade_of_the_analysis_leaves_earlier_runs_in_the_history(
    workspace: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock holds a hash of the analysis; both runs are analysed by the one that is here now."""
    for seed in (1, 2):
        (workspace / "studies" / "first.yaml").write_text(STUDY + f"seed: {seed}\n")
        monkeypatch.setattr(
            "mitigations.compose.planning.freezing.analysis_hash",
            lambda seed=seed: f"{seed}" * 64,
        )
        assert command(workspace, "plan", "studies/first.yaml", "--yes")[0] == 0
        assert command(workspace, "run", "studies/first.lock")[0] == 0
    monkeypatch.undo()
    with Store.open(workspace / "mitigations.duckdb") as store:
        later, earlier = (run for run, _, _ in store.runs())
    code, out, _ = command(workspace, "history", "first", "-o", "h.md")
    text = (workspace / "h.md").read_text()
    assert (code, text.splitlines()[0]) == (0, "# first: 2 runs")
    drawn = text.partition("## 2.")[0]
    watched = text.partition("## 4.")[2]
    for run in (earlier, later):
        assert drawn.count(f"| {run} |") == 2
        assert f"| {run} |" in watched
    assert "another panel" not in watched
    assert "Nothing moved." in out
    with serving(workspace) as services:
        page = client_of(services).get("/studies/first/history").text
    assert page.count(earlier) > 1
    assert "Left out" not in page
    assert command(workspace, "report", earlier, "-o", "r.md")[0] == 0
    listed = "The analysis code differs from the one the lock was made with."
    assert listed in (workspace / "r.md").read_text()
