"""Counts and trials from CSV and Parquet: the same cells every way, errors with their row."""

import random
from pathlib import Path

import pytest

from mitigations.errors import InvalidFile, UnknownName
from mitigations.model import Counts
from mitigations.tables import read as reading
from mitigations.tables import read_labels, read_table

HEADER = "variant,scenario,model,repeat,coercive"


def _write(folder, text, name="data.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _trials(seed=3, repeats=12, lost=0.1):
    """Rows in random order, some lost."""
    rng = random.Random(seed)
    rows = [
        (variant, f"s{s}", f"m{m}", r, "" if rng.random() < lost else int(rng.random() < rate))
        for variant, rate in (("base", 0.6), ("rule", 0.3), ("other", 0.5))
        for s in range(4)
        for m in range(2)
        for r in range(repeats)
    ]
    rng.shuffle(rows)
    return rows


def _csv(rows):
    return "\n".join([HEADER, *(",".join(str(cell) for cell in row) for row in rows)]) + "\n"


def _parquet(folder, rows, *, convert=None):
    import pyarrow as pa
    import pyarrow.parquet

    change = convert or (lambda value: None if value == "" else value)
    columns = list(zip(*rows, strict=True))
    table = {name: list(column) for name, column in zip(HEADER.split(","), columns, strict=True)}
    table["coercive"] = [change(value) for value in table["coercive"]]
    path = folder / "data.parquet"
    pa.parquet.write_table(pa.table(table), path)
    return path


def test_counts_and_trials_of_one_experiment_give_the_same_cells(tmp_path):
    rows = _trials(lost=0)
    counts = {}
    for variant, scenario, model, _, coercive in rows:
        x, n = counts.get((variant, scenario, model), (0, 0))
        counts[variant, scenario, model] = (x + coercive, n + 1)
    lines = ["variant,scenario,model,coercive,trials"]
    lines += [f"{','.join(key)},{x},{n}" for key, (x, n) in counts.items()]
    one = read_table(_write(tmp_path, _csv(rows)), baseline="base")
    two = read_table(_write(tmp_path, "\n".join(lines), "counts.csv"), baseline="base")
    assert one.cells == two.cells
    assert (one.layout, two.layout, two.pairs) == ("trials", "counts", ())


@pytest.mark.parametrize("outcomes", ["integers", "booleans", "text"])
def test_parquet_csv_and_large_csv_give_the_same_table(tmp_path, monkeypatch, outcomes):
    """Rows read one by one in Python against SQL: cells, pairs and discordant pairs."""
    rows = _trials()
    convert = {
        "integers": None,
        "booleans": lambda value: None if value == "" else bool(value),
        "text": str,
    }[outcomes]
    small = read_table(_write(tmp_path, _csv(rows)), baseline="base", paired=True)
    columnar = read_table(_parquet(tmp_path, rows, convert=convert), baseline="base", paired=True)
    monkeypatch.setattr(reading, "LARGE_CSV", 0)
    large = read_table(tmp_path / "data.csv", baseline="base", paired=True)
    for found in (columnar, large):
        assert found.cells == small.cells
        assert found.pairs == small.pairs
        assert found.discordant == small.discordant
        assert found.rows == small.rows == len(rows)


def test_pairs_join_the_r_th_valid_trials_and_stop_at_the_shortest_stratum(tmp_path):
    outcomes = {
        ("base", "s1"): "1101",
        ("rule", "s1"): "-010",  # valid: 0, 1, 0
        ("base", "s2"): "111",
        ("rule", "s2"): "00",
    }
    rows = [
        (variant, scenario, "m", repeat, "" if mark == "-" else mark)
        for (variant, scenario), marks in outcomes.items()
        for repeat, mark in enumerate(marks)
    ]
    found = read_table(_write(tmp_path, _csv(rows)), baseline="base", paired=True)
    first, second = found.pairs
    # s1: (0, 1), (1, 1); its third pair waits, because s2 has two.
    assert (first.variant_only, first.control_only, first.concordant) == (0, 1, 1)
    assert (second.variant_only, second.control_only, second.concordant) == (0, 2, 0)
    # McNemar pairs by repeat instead: s1 has (0,1), (1,0), (0,1); s2 (0,1), (0,1).
    assert found.discordant == {"rule": (1, 4)}


def test_only_complete_epochs_give_pairs(tmp_path):
    """An epoch that has begun in one stratum waits; a lost trial does not make one incomplete."""
    outcomes = {
        ("base", "s1"): {1: "11", 2: "11", 3: "1"},
        ("rule", "s1"): {1: "00", 2: "00", 3: "0"},
        ("base", "s2"): {1: "10", 2: "11"},
        ("rule", "s2"): {1: "0-", 2: "01"},
        # What is complete is asked of each variant, in the strata that it shares with control.
        ("late", "s1"): {3: "0"},
        ("rule", "s3"): {1: "1"},
    }
    rows = [
        (variant, scenario, "m", 10 * epoch + repeat, "" if mark == "-" else mark, epoch)
        for (variant, scenario), epochs in outcomes.items()
        for epoch, marks in epochs.items()
        for repeat, mark in enumerate(marks)
    ]
    names = ["variant", "scenario", "model", "repeat", "coercive", "epoch"]
    text = "\n".join(",".join(map(str, row)) for row in [names, *rows])
    csv = read_table(_write(tmp_path, text), baseline="base")
    # s2 has three valid trials of rule: three pairs each, from epochs 1 and 2 alone.
    assert [
        (pair.variant, pair.scenario, pair.variant_only, pair.control_only, pair.concordant)
        for pair in csv.pairs
    ] == [("late", "s1", 0, 1, 0), ("rule", "s1", 0, 3, 0), ("rule", "s2", 0, 1, 2)]
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [list(column) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", baseline="base").pairs == csv.pairs


def test_repeats_sort_as_numbers(tmp_path):
    """Repeat 10 comes after repeat 9, in SQL as in Python."""
    base = [("base", "s", "m", r, int(r == 10)) for r in range(12)]
    rule = [("rule", "s", "m", r, int(r == 11)) for r in range(12) if r != 10]
    csv = read_table(_write(tmp_path, _csv(base + rule)), baseline="base")
    parquet = read_table(_parquet(tmp_path, base + rule), baseline="base")
    (pair,) = csv.pairs
    # Valid trials of rule: 0..9, 11; the eleventh, repeat 11, meets base's repeat 10.
    assert (pair.variant_only, pair.control_only, pair.concordant) == (0, 0, 11)
    assert parquet.pairs == csv.pairs


def test_an_epoch_lets_repeat_numbers_start_again(tmp_path):
    rows = [
        f"{variant},s,m,{epoch},{repeat},1"
        for variant in ("base", "rule")
        for epoch in (1, 2)
        for repeat in (1, 2)
    ]
    text = "variant,scenario,model,epoch,repeat,coercive\n" + "\n".join(rows)
    found = read_table(_write(tmp_path, text), baseline="base")
    assert found.cells[0].counts == Counts(coercive=4, scored=4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("rule", "s1", "m1", 3, 1), "twice"),
        (("", "s1", "m1", 99, 1), "variant is empty"),
        (("rule ", "s1", "m1", 99, 1), "blanks around"),
        (("rule", "s1", "m1", 99, 7), "neither 0 nor 1"),
        (("rule", "s1", "m1", None, 1), "repeat is empty"),
    ],
)
def test_a_wrong_row_of_a_parquet_file_is_found(tmp_path, wrong, message):
    rows = [*_trials(lost=0), wrong]
    with pytest.raises(InvalidFile, match=message) as caught:
        read_table(_parquet(tmp_path, rows), baseline="base")
    if message != "twice":
        assert caught.value.line == len(rows)


def test_copies_are_found_where_repeats_have_gaps_and_where_they_are_text(tmp_path):
    """Repeats 0, 2, 4 cannot be told from their ends; text repeats not at all."""
    gaps = [(v, "s", "m", r, 1) for v in ("base", "rule") for r in (0, 2, 4)]
    text = [(v, "s", "m", f"r{r}", 1) for v in ("base", "rule") for r in range(3)]
    for rows in (gaps, text):
        assert read_table(_parquet(tmp_path, rows), baseline="base").rows == 6
        with pytest.raises(InvalidFile, match="twice"):
            read_table(_parquet(tmp_path, [*rows, rows[-1]]), baseline="base")


def test_a_copy_in_place_of_a_missing_repeat_is_found(tmp_path):
    """0, 1, 1, 3 has the ends and the size of 0, 1, 2, 3."""
    rows = [("base", "s", "m", r, 1) for r in range(4)]
    rows += [("rule", "s", "m", r, 1) for r in (0, 1, 1, 3)]
    with pytest.raises(InvalidFile, match="rule x s x m, repeat 1"):
        read_table(_parquet(tmp_path, rows), baseline="base")


def test_a_wrong_row_of_a_large_csv_is_found_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGE_CSV", 0)
    rows = [*_trials(lost=0), ("rule", "s1", "m1", 3, 1)]
    with pytest.raises(InvalidFile, match="stands here and in line") as caught:
        read_table(_write(tmp_path, _csv(rows)), baseline="base")
    assert caught.value.line == len(rows) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variant,scenario,model,coercive,trails\n", "'trails' meant"),
        ("variant,scenario,modle,coercive,trials\nb,s,m,1,2\n", "'modle' meant"),
        ("variant,scenario,model,percent\nb,s,m,12\n", "without its denominator"),
        ("variant,scenario,model,coercive,trials\nb,s,m,0.12,100\n", "is a rate"),
        ("variant,scenario,model,coercive,trials\nb,s,m,12%,100\n", "is a rate"),
        ("variant,scenario,model,coercive,trials\nb,s,m,1\n", "4 fields where the header has 5"),
        ("variant,scenario,model,coercive,trials\nb,,m,1,2\n", "scenario is empty"),
        ("variant,scenario,model,coercive,trials\nb,s,m,1,99999999999\n", "impossibly large"),
        ("variant,model,scenario,model,coercive,trials\n", "two columns named 'model'"),
        ("variant,scenario,model,coercive,trials\n", "no row"),
        ('variant,scenario,model,coercive,trials\nb,"s,m,1,2\n', "not CSV"),
        ("a,b\n1,2\n", "neither trials nor repeat"),
    ],
)
def test_a_wrong_csv_says_what_is_wrong(tmp_path, text, message):
    with pytest.raises(InvalidFile, match=message):
        read_table(_write(tmp_path, text), baseline="b")


def test_separators_and_whole_floats_of_spreadsheets_are_read(tmp_path):
    text = "variant;scenario;model;coercive;trials\nb;s;m;1.0;2\nv;s;m;2;2.0\n"
    found = read_table(_write(tmp_path, text), baseline="b")
    assert [cell.counts.coercive for cell in found.cells] == [1, 2]


def test_the_baseline_may_go_by_its_common_name_and_no_other(tmp_path):
    rows = "control,s,m,1,2\nv,s,m,1,2\n"
    text = "variant,scenario,model,coercive,trials\n" + rows
    assert read_table(_write(tmp_path, text)).baseline == "control"
    with pytest.raises(InvalidFile, match="--baseline"):
        read_table(_write(tmp_path, text.replace("control", "none")))
    with pytest.raises(UnknownName, match="did you mean 'control'"):
        read_table(_write(tmp_path, text), baseline="contrl")
    alone = text.replace("v,s,m,1,2\n", "")
    with pytest.raises(InvalidFile, match="one arm only"):
        read_table(_write(tmp_path, alone), baseline="control")


def test_files_that_are_not_tables_are_refused(tmp_path):
    for name in ("data.parquet", "data.xlsx", "data.csv"):
        path = tmp_path / name
        path.write_bytes(b"PK\x03\x04\xff\xfe not a table")
        with pytest.raises(InvalidFile):
            read_table(path, baseline="b")
    with pytest.raises(InvalidFile, match="does not exist"):
        read_table(Path(tmp_path / "none.csv"), baseline="b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidFile, match="holds no Parquet file"):
        read_table(tmp_path / "empty", baseline="b")


def test_parquet_counts_are_checked_like_csv(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    table = {
        "variant": ["b", "v"],
        "scenario": ["s", "s"],
        "model": ["m", "m"],
        "coercive": [1.0, 0.5],
        "trials": [4, 4],
    }
    path = tmp_path / "counts.parquet"
    pa.parquet.write_table(pa.table(table), path)
    with pytest.raises(InvalidFile, match="is a rate") as caught:
        read_table(path, baseline="b")
    assert caught.value.line == 2


def test_labels_are_counted_by_arm_and_judge(tmp_path):
    text = "variant,human,judge\na,1,1\na,1,0\na,0,0\na,,1\nb,0,1\n"
    a, b = read_labels(_write(tmp_path, text))
    assert (a.true_positive, a.false_negative, a.false_positive, a.true_negative) == (1, 1, 0, 1)
    assert (b.variant, b.false_positive) == ("b", 1)
    with pytest.raises(InvalidFile, match="no column 'judge'"):
        read_labels(_write(tmp_path, "variant,human\na,1\n"))
    with pytest.raises(InvalidFile, match="not an outcome"):
        read_labels(_write(tmp_path, "variant,human,judge\na,1,yes?\n"))
    with pytest.raises(InvalidFile, match="no label"):
        read_labels(_write(tmp_path, "variant,human,judge\n"))
