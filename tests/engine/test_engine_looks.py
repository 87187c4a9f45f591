"""Sequential designs on workers: the looks, the stop and the result of one process."""

import json
from typing import Any

import pytest

from mitigations.cli.app import run
from mitigations.store import Store
from tests.engine.engine_help import Site, end, plain_run

GRID = "cells: [depot-1, depot-2, ferry-1]\nseed: 1\n"
PER_EPOCH, EPOCHS = 6, 20


def looks(site: Site) -> list[dict[str, Any]]:
    """What was decided at each look, and on which counts; their hash among it."""
    told = (line for line in site.lines() if line.get("kind") == "look")
    return [json.loads(line["detail"]) for line in told]


def check_barriers(site: Site) -> int:
    """No line of an epoch behind a look stands before that look; returns how many were played."""
    with Store.open(site.folder / "mitigations.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        repeat = {outcome.trial.id: outcome.trial.repeat for outcome in store.outcomes(run_id)}
    done: dict[int, int] = {}
    open_from = 0
    for line in site.lines():
        if line.get("kind") == "look":
            epochs = json.loads(line["detail"])["epochs"]
            assert sum(done.get(epoch, 0) for epoch in range(epochs)) == epochs * PER_EPOCH
            assert max(done) == epochs - 1, "complete epochs, and not a trial of the next"
            open_from = epochs
        elif "trial" in line:
            # A trial that was asked for and has no outcome would not be found here.
            epoch = repeat[line["trial"]]
            assert epoch >= open_from
            done[epoch] = done.get(epoch, 0) + (line["t"] == "outcome")
    return max(done) + 1


@pytest.mark.parametrize("design", ["group-sequential\nlooks: 5", "anytime"])
def test_a_sequential_design_stops_where_one_process_does(site: Site, design: str) -> None:
    site.plan(
        models="simulated/published",
        variant="pause-and-review-v1",
        repeats=EPOCHS,
        more=f"{GRID}design: {design}\n",
    )
    worker = site.worker()
    owner = site.owner()
    assert owner.wait(120) == 0, site.said
    end(worker)
    plain = plain_run(site.folder / "plain", site.folder / "spread.lock")
    assert looks(site) == looks(plain)
    assert site.results() == plain.results()
    epochs = check_barriers(site)
    assert epochs == looks(site)[-1]["epochs"] < EPOCHS, "it stopped early"
    assert "ended by its rule" in site.said
    assert report(site) == report(plain)


def report(site: Site) -> dict[str, Any]:
    """What a reader is told, but for when and where."""
    path = site.folder / "report.json"
    assert run(["--db", str(site.folder / "mitigations.duckdb"), "report", "-o", str(path)]) == 0
    told = json.loads(path.read_text())
    return {name: told[name] for name in ("comparisons", "alarms") if name in told}
