"""Optional columns of a table of trials: the same by rows, by DuckDB, and over many files."""

import csv
import random

import pytest

from mitigations.errors import InvalidFile, UnknownName
from mitigations.tables import read as reading
from mitigations.tables import read_table

COLUMNS = ("variant", "scenario", "model", "repeat", "coercive", "run", "epoch", "twin", "baseline")


def _rows(seed=5):
    """Two runs whose repeats collide, some trials lost, some of them twins."""
    rng = random.Random(seed)
    return [
        (variant, f"s{s}", "m", repeat, "" if rng.random() < 0.1 else int(rng.random() < rate),
         run, repeat, int(s == 2), "base")
        for run in ("r1", "r2")
        for variant, rate in (("base", 0.6), ("rule", 0.3))
        for s in range(3)
        for repeat in range(12)
    ]  # fmt: skip


def _csv(path, rows, columns=COLUMNS):
    with path.open("w", newline="") as handle:
        sheet = csv.writer(handle)
        sheet.writerow(columns)
        sheet.writerows(rows)
    return path


def _parquet(path, rows, columns=COLUMNS):
    import pyarrow as pa
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    data = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
    data["coercive"] = [None if value == "" else bool(value) for value in data["coercive"]]
    parquet.write_table(pa.table(data), path)
    return path


def test_every_way_gives_the_same_table(tmp_path, monkeypatch):
    rows = _rows()
    by_rows = read_table(_csv(tmp_path / "a.csv", rows), paired=True)
    monkeypatch.setattr(reading, "LARGE_CSV", 10)
    by_duckdb = read_table(tmp_path / "a.csv", paired=True)
    one = read_table(_parquet(tmp_path / "a.parquet", rows), paired=True)
    for run in ("r1", "r2"):
        part = [row for row in rows if row[5] == run]
        _parquet(tmp_path / "many" / f"study={run}" / "date=2026-11-24" / "x.parquet", part)
    many = read_table(tmp_path / "many", paired=True)
    pattern = read_table(
        tmp_path / "many" / "study=*" / "date=2026-11-*" / "*.parquet", paired=True
    )
    for table in (by_duckdb, one, many, pattern):
        assert sorted(table.cells, key=repr) == sorted(by_rows.cells, key=repr)
        assert (table.pairs, table.discordant) == (by_rows.pairs, by_rows.discordant)
        assert (table.twins, table.baseline) == (48, "base")
    assert {cell.scenario for cell in by_rows.cells} == {"s0", "s1"}
    assert sum(cell.counts.scored + cell.counts.lost for cell in by_rows.cells) == 96
    # Every epoch of both runs is complete, so pairs stop only at the shortest arm.
    scored = {(c.variant, c.scenario): c.counts.scored for c in by_rows.cells}
    pairs = {c.scenario: c.variant_only + c.control_only + c.concordant for c in by_rows.pairs}
    assert set(pairs.values()) == {min(scored.values())}


def test_one_run_pairs_as_it_did_without_the_column(tmp_path):
    rows = [row for row in _rows() if row[5] == "r1"]
    plain = [(*row[:5], *row[6:]) for row in rows]
    columns = tuple(name for name in COLUMNS if name != "run")
    for write, name in ((_csv, "a.csv"), (_parquet, "a.parquet")):
        with_run = read_table(write(tmp_path / name, rows))
        without = read_table(write(tmp_path / f"b{name}", plain, columns))
        assert (with_run.cells, with_run.pairs) == (without.cells, without.pairs)


def test_the_same_trial_twice_is_found_across_files(tmp_path):
    rows = _rows()
    _parquet(tmp_path / "many" / "a.parquet", rows)
    _parquet(tmp_path / "many" / "b.parquet", rows[:1])
    with pytest.raises(InvalidFile, match="twice"):
        read_table(tmp_path / "many")


@pytest.mark.parametrize(
    ("place", "value", "says"), [(7, "maybe", "twin"), (8, "rule", "baselines")]
)
def test_wrong_values_are_named(tmp_path, place, value, says):
    rows = [list(map(str, row)) for row in _rows()]
    rows[30][place] = value
    with pytest.raises(InvalidFile, match=says) as caught:
        read_table(_csv(tmp_path / "a.csv", rows))
    assert caught.value.line == 32
    columns = [list(map(str, row)) for row in rows]
    for row in columns:
        row[4] = "" if row[4] == "" else row[4] == "1"
    with pytest.raises(InvalidFile, match=says):
        read_table(_parquet(tmp_path / "a.parquet", columns))


def test_what_is_asked_outweighs_what_the_table_names(tmp_path):
    path = _csv(tmp_path / "a.csv", _rows())
    assert read_table(path, baseline="rule").baseline == "rule"
    with pytest.raises(UnknownName):
        read_table(path, baseline="nobody")


def test_a_folder_of_too_many_or_linked_files_is_refused(tmp_path, monkeypatch):
    real = _parquet(tmp_path / "real.parquet", _rows())
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "x.parquet").symlink_to(real)
    with pytest.raises(InvalidFile, match="holds no Parquet"):
        read_table(tmp_path / "many")
    monkeypatch.setattr(reading, "MAX_FILES", 0)
    with pytest.raises(InvalidFile, match="more than 0 files"):
        read_table(tmp_path)
