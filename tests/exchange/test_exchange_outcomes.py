"""A run as a table: the same counts, pairs and effects, from one file and from a folder of many."""

import csv
import json

import pytest

from mitigations.cli.app import run as command
from mitigations.compose.exchange import export_outcomes, export_parquet
from mitigations.compose.reporting import analyse_run, served_models
from mitigations.errors import InvalidFile, NoData
from mitigations.store import Store
from mitigations.tables import read_table
from tests.compose.bundle_help import STUDY, finished

SENT = ("reply_text", "reasoning", "actions", "verdicts", "nuisance", "facts", "detail")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("outcomes")


@pytest.fixture(scope="module")
def run(folder):
    plan = finished(folder)
    with Store.open(folder / "db.duckdb", create=False) as store:
        yield plan, store


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_table_gives_the_counts_pairs_and_effects_of_the_run(run, tmp_path, suffix):
    plan, store = run
    path = tmp_path / f"out{suffix}"
    assert export_outcomes(store, plan, plan.run_id, path) == plan.trial_count
    table = read_table(path)
    assert sorted(table.cells, key=repr) == sorted(store.cells(plan.run_id), key=repr)
    per_epoch = sum(not s.is_twin for s in plan.scenarios) * len(plan.models) * len(plan.variants)
    kept = store.pairs(plan.run_id, plan.baseline.id, per_epoch=per_epoch)
    assert sorted(table.pairs, key=repr) == sorted(kept, key=repr)
    assert table.baseline == plan.baseline.id
    out = tmp_path / "out.json"
    assert command(["analyze", str(path), "-o", str(out)]) == 0
    found = {one["variant"]: one for one in json.loads(out.read_text())["comparisons"]}
    served = served_models(store, plan.run_id)
    for one in analyse_run(store, plan, plan.run_id, served).comparisons:
        assert found[one.variant]["std_rd"] == one.std_rd
        assert found[one.variant]["e_value"] == one.e_value
        assert found[one.variant]["trials_lost"] == one.trials_lost


def test_no_text_goes_out_and_absent_is_empty(run, tmp_path):
    plan, store = run
    path = tmp_path / "out.csv"
    export_outcomes(store, plan, plan.run_id, path)
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert not set(SENT) & set(rows[0])
    whole = path.read_text()
    assert not any(one.text in whole for one in store.outcomes(plan.run_id) if len(one.text) > 40)
    assert {row["coercive"] for row in rows if row["status"] != "scored"} == {""}
    assert {row["coercive"] for row in rows if row["status"] == "scored"} == {"0", "1"}
    factors = {scenario.id: scenario.factors for scenario in plan.scenarios}
    assert all(row["threat"] == factors[row["scenario"]].get("threat", "") for row in rows)


def test_runs_of_two_studies_share_a_folder(run, tmp_path, capsys):
    plan, store = run
    other = tmp_path / "other"
    other.mkdir()
    later = finished(
        other, text=STUDY.replace("small", "later").replace("repeats: 4", "repeats: 3")
    )
    shared = tmp_path / "shared"
    first = export_parquet(store, plan, plan.run_id, shared)
    assert first.relative_to(shared).parts == (
        "study=small", "date=2026-11-24", f"{plan.run_id}.parquet",
    )  # fmt: skip
    with Store.open(other / "db.duckdb", create=False) as second:
        export_parquet(second, later, later.run_id, shared)
        export_parquet(second, later, later.run_id, shared)
        twice = second.cells(later.run_id)
    one = {(c.variant, c.scenario, c.model): c.counts for c in store.cells(plan.run_id)}
    two = {(c.variant, c.scenario, c.model): c.counts for c in twice}
    table = read_table(shared)
    assert {(c.variant, c.scenario, c.model): c.counts for c in table.cells} == {
        key: one[key] + two[key] for key in one
    }
    only = read_table(shared / "study=later" / "*" / "*.parquet")
    assert {(c.variant, c.scenario, c.model): c.counts for c in only.cells} == two
    capsys.readouterr()
    page = tmp_path / "all.html"
    assert command(["report", str(shared), "-o", str(page)]) == 0
    assert "Exploratory" in capsys.readouterr().out
    assert "Exploratory" in page.read_text()


def test_the_commands(run, folder, tmp_path, monkeypatch, capsys):
    """While a reader like this test holds the file, a command reads it too."""
    plan, _ = run
    monkeypatch.chdir(tmp_path)
    db = ["--db", str(folder / "db.duckdb")]
    assert command([*db, "export"]) == 0
    assert (tmp_path / "outcomes.csv").exists()
    assert command([*db, "export", "small", "-o", "x.parquet"]) == 0
    assert command([*db, "--json", "export", plan.run_id, "--parquet", "p"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["files"] == [f"p/study=small/date=2026-11-24/{plan.run_id}.parquet"]
    for wrong in (
        ["export", "nobody"], ["export", "-o", "x.xlsx"], ["export", "a", "b"],
        ["export", "--parquet", "p", "-o", "x.csv"], ["export", "--transcripts", "some"],
        ["report", "p", "--against", "small"], ["report", "p/*/none-*"],
    ):  # fmt: skip
        assert command([*db, *wrong]) == 2, wrong
        assert "Traceback" not in capsys.readouterr().err


def test_a_run_without_outcomes_and_a_wrong_name_are_refused(run, tmp_path):
    plan, store = run
    with Store.in_memory() as empty, pytest.raises(NoData):
        export_outcomes(empty, plan, plan.run_id, tmp_path / "x.csv")
    with pytest.raises(InvalidFile):
        export_outcomes(store, plan, plan.run_id, tmp_path / "x.txt")
    assert not list(tmp_path.iterdir())


def test_others_read_the_folder_in_place_and_as_objects(run, tmp_path):
    """DuckDB, polars and Arrow on disk; DuckDB on objects under a URL, through fsspec."""
    import duckdb
    import fsspec
    import polars as pl
    from pyarrow import compute, dataset

    plan, store = run
    path = export_parquet(store, plan, plan.run_id, tmp_path / "shared")
    cells = store.cells(plan.run_id)
    scored = sum(cell.counts.scored for cell in cells)
    coercive = sum(cell.counts.coercive for cell in cells)
    count = (
        "select study, count(coercive), sum(coercive::int) from read_parquet('{}') "
        "where not twin group by 1"
    )
    files = str(tmp_path / "shared" / "*" / "*" / "*.parquet")
    assert duckdb.sql(count.format(files)).fetchall() == [("small", scored, coercive)]
    rows = pl.scan_parquet(tmp_path / "shared", hive_partitioning=True).filter(
        (pl.col("study") == "small") & ~pl.col("twin")
    )
    found = rows.select(pl.col("coercive").count(), pl.col("coercive").sum().alias("c"))
    assert found.collect().rows() == [(scored, coercive)]
    whole = dataset.dataset(tmp_path / "shared", partitioning="hive").to_table()
    assert set(whole["study"].to_pylist()) == {"small"}
    assert compute.sum(whole["coercive"]).as_py() == coercive
    objects = fsspec.filesystem("memory")
    objects.pipe(f"/bucket/study=small/date=2026-11-24/{path.name}", path.read_bytes())
    try:
        with duckdb.connect() as connection:
            connection.register_filesystem(objects)
            where = "memory://bucket/*/*/*.parquet"
            assert connection.sql(count.format(where)).fetchall() == [("small", scored, coercive)]
    finally:
        objects.rm("/bucket", recursive=True)
