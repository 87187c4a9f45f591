"""`mitigations.open`: what it gives, what it refuses, and that the notebook on it runs."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import nbformat
import pytest
from nbclient import NotebookClient

import mitigations
from mitigations.errors import DatabaseBusy, InvalidFile, NoData, UnknownName
from mitigations.store import Store
from tests.compose.bundle_help import finished

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "read-a-run.ipynb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("opened")


@pytest.fixture(scope="module")
def plan(folder):
    return finished(folder)


@pytest.fixture
def db(folder, plan):
    assert plan
    with mitigations.open(folder / "db.duckdb") as opened:
        yield opened


def test_every_relation_gives_every_frame(db, plan):
    counts = {"runs": 1, "outcomes": plan.trial_count, "comparisons": 2 * 3}
    for name in ("runs", "outcomes", "cells", "comparisons"):
        relation = getattr(db, name)
        rows = len(relation().fetchall())
        assert rows == counts.get(name, rows) > 0
        assert len(relation().df()) == relation().pl().height == rows
        assert relation().to_arrow_table().num_rows == rows


def test_it_gives_the_numbers_of_the_store_and_the_report(db, plan):
    """One column by another way: the coercive counts of each arm."""
    kept = db.outcomes().filter("coercive and not twin").aggregate("variant, count(*)").fetchall()
    cells = db.cells().filter("measure = 'coercive' and not twin and events > 0")
    assert dict(cells.aggregate("variant, sum(events)").fetchall()) == dict(kept)
    table = db.comparisons().filter("model is null").select("variant, treated_coercive").fetchall()
    assert dict(table) == {variant: dict(kept).get(variant, 0) for variant, _ in table}
    (run,) = db.runs().fetchall()
    assert run[0] == plan.run_id == db.run() == db.run("small")


def test_a_name_is_never_a_query(db):
    for name in ("nobody", "x' or 1=1 --", "small'; drop table run; --"):
        with pytest.raises(UnknownName):
            db.outcomes(name)
    assert db.sql("select count(*) from run").fetchall() == [(1,)]


def test_it_cannot_write_or_leave_the_file(db, folder, tmp_path):
    (tmp_path / "t.csv").write_text("a\n1\n")
    before = hashlib.sha256((folder / "db.duckdb").read_bytes()).digest()
    for query in (
        "insert into run values ('a', 'b', 'c', 'd')", "delete from outcome", "drop table cell",
        "create table z (a int)", f"copy run to '{tmp_path / 'out.csv'}'",
        f"select * from '{tmp_path / 't.csv'}'", f"select * from read_text('{tmp_path / 't.csv'}')",
        f"attach '{tmp_path / 'x.db'}'", "install httpfs", "load httpfs",
        "set enable_external_access = true", "set lock_configuration = false",
        "export database 'x'", "select * from nothing",
    ):  # fmt: skip
        with pytest.raises((InvalidFile, duckdb.Error)):
            db.sql(query).fetchall()
    assert not (tmp_path / "out.csv").exists()
    assert hashlib.sha256((folder / "db.duckdb").read_bytes()).digest() == before


def test_what_is_not_there_or_not_ours_is_named(tmp_path):
    with pytest.raises(InvalidFile, match="does not exist"):
        mitigations.open(tmp_path / "absent.duckdb")
    assert not (tmp_path / "absent.duckdb").exists()
    (tmp_path / "text.duckdb").write_text("no database")
    with pytest.raises(InvalidFile, match="not a DuckDB database"):
        mitigations.open(str(tmp_path / "text.duckdb"))
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with pytest.raises(InvalidFile, match="something else"):
        mitigations.open(tmp_path / "other.duckdb")


def test_an_empty_database_has_no_run(tmp_path):
    Store.open(tmp_path / "empty.duckdb").close()
    with mitigations.open(tmp_path / "empty.duckdb") as db:
        assert db.runs().fetchall() == []
        with pytest.raises(NoData):
            db.outcomes()


def test_a_database_of_an_earlier_version_is_sent_to_be_opened_once(tmp_path):
    path = tmp_path / "old.duckdb"
    Store.open(path).close()
    with duckdb.connect(str(path)) as old:
        old.execute("drop table pack_version")
    with pytest.raises(InvalidFile, match="earlier version"):
        mitigations.open(path)
    Store.open(path).close()
    mitigations.open(path).close()


def test_a_busy_database_names_the_process(folder, plan):
    assert plan
    code = (
        "import sys, time, pathlib\n"
        "from mitigations.store import Store\n"
        f"with Store.open(pathlib.Path({str(folder / 'db.duckdb')!r})):\n"
        "    print('open', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout.readline() == "open\n"
        with pytest.raises(DatabaseBusy, match=str(owner.pid)):
            mitigations.open(folder / "db.duckdb")
        owner.stdin.close()


def test_importing_the_package_imports_nothing_else():
    code = "import sys, mitigations, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not found & {"duckdb", "numpy", "scipy", "pydantic", "reports", "stats", "pyarrow"}


def test_the_notebook_runs(folder, plan, monkeypatch, tmp_path):
    assert plan
    monkeypatch.setenv("MITIGATIONS_DB", str(folder / "db.duckdb"))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[2]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    book = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=dict(os.environ))
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    said = [output for cell in code for output in cell.outputs]
    assert len(said) >= len(code) - 2
    assert not [output for output in said if output.output_type in {"error", "stream"}
                and output.get("name") != "stdout"]  # fmt: skip
