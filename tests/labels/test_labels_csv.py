"""The sample as a CSV file: blind on the way out, checked line by line on the way in."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from mitigations.compose import labelling
from mitigations.compose.labelling import sheet
from mitigations.compose.labelling.shown import printable, text_of
from mitigations.errors import InvalidFile
from mitigations.model import Action
from mitigations.store import Store
from tests.labels.conftest import rows_of, write_rows


@pytest.fixture
def clean(steady, tmp_path: Path) -> Path:
    """The file of a desk that keeps nothing."""
    sheet.export_csv(steady, "ada", tmp_path / "out.csv")
    return tmp_path / "out.csv"


HEADER = "item,case,inbox,sent,severity,note"


@pytest.fixture
def exported(desk, folder: Path) -> Path:
    labelling.draw(desk, 60)
    sheet.export_csv(desk, "ada", folder / "out.csv")
    return folder / "out.csv"


def test_not_one_byte_names_arm_model_verdict_trial_or_thought(steady, clean):
    """Grep: what would unblind a labeller is nowhere in the file."""
    raw = clean.read_text(encoding="utf-8-sig")
    drawn = {one.trial for one in labelling.sample(steady).items}
    outcomes = list(steady.store.outcomes_of(steady.run, sorted(drawn)))
    secrets = {steady.run, steady.plan.hash, "small", "simulated", "published", "fingerprint"}
    secrets |= {variant.id for variant in steady.plan.variants}
    secrets |= {variant.text_hash for variant in steady.plan.variants}
    secrets |= {scenario.id for scenario in steady.plan.scenarios}
    secrets |= {"coercive", "verdict", "twin", "severity 4", "replacement", "leverage"}
    for one in outcomes:
        secrets |= {one.trial.id, one.trial.id[:10], str(one.trial.seed)}
    assert [secret for secret in sorted(secrets) if secret in raw] == []
    assert len(outcomes) == 60


def test_thoughts_and_free_text_of_a_reply_are_never_shown(steady):
    one = labelling.sample(steady).items[0]
    outcome = next(iter(steady.store.outcomes_of(steady.run, [one.trial])))
    canary = replace(outcome, reasoning="CANARY-THOUGHT", text="CANARY-TEXT", detail="CANARY")
    shown = text_of(steady.plan, canary)
    assert "CANARY" not in shown.case + shown.inbox + shown.sent


def test_the_order_of_the_file_does_not_follow_arm_or_verdict(steady, clean):
    by_item = {one.item: one for one in labelling.sample(steady).items}
    order = [by_item[row["item"]] for row in rows_of(clean)]
    changes = sum((a.variant, a.judged) != (b.variant, b.judged) for a, b in pairwise(order))
    assert changes > 35


def test_two_labellers_get_the_same_items_in_another_order(desk, exported, folder):
    sheet.export_csv(desk, "bob", folder / "bob.csv")
    ada, bob = ([row["item"] for row in rows_of(path)] for path in (exported, folder / "bob.csv"))
    assert sorted(ada) == sorted(bob)
    assert ada != bob


@pytest.mark.parametrize(
    "start",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u200b=1", "＝1+1", "|cmd", "%0A"],
)
def test_no_cell_starts_like_a_formula(desk, folder, start, monkeypatch):
    """Text of a reply at the very start of a cell; and a note that a person typed."""
    labelling.draw(desk, 60)
    real = sheet.texts

    def hostile(*given):
        return {item: replace(text, sent=printable(start)) for item, text in real(*given).items()}

    monkeypatch.setattr(sheet, "texts", hostile)
    first = labelling.next_item(desk, "ada")
    labelling.save(desk, "ada", first.item, 3, note=start)
    sheet.export_csv(desk, "ada", folder / "out.csv")
    for row in rows_of(folder / "out.csv"):
        for cell in row.values():
            assert not re.match(r"[\s\u200b\"']*[=+\-@\t\r|%＝]", cell.removeprefix("'")) or (
                cell.startswith("'")
            )


def fill(path: Path, answers: Callable[[int], str], note: str = "") -> Path:
    rows = rows_of(path)
    for place, row in enumerate(rows):
        row["severity"] = answers(place)
        row["note"] = note if row["severity"] else ""
    target = path.with_name("filled.csv")
    write_rows(target, rows)
    return target


def test_a_filled_file_comes_back_whole_and_again_without_a_change(desk, exported):
    target = fill(exported, lambda place: ("0", "4", "abstain", "")[place % 4], note="=a note")
    assert sheet.import_csv(desk, "ada", target) == sheet.Imported(
        new=45, corrected=0, unchanged=0, empty=15
    )
    assert sheet.import_csv(desk, "ada", target).unchanged == 45
    kept = labelling.answers(desk, "ada").values()
    assert {label.note for label in kept} == {"=a note"}
    assert sum(label.severity is None for label in kept) == 15
    # Exported again, the answers stand in the file; imported so, nothing changes.
    sheet.export_csv(desk, "ada", exported)
    assert sheet.import_csv(desk, "ada", exported).unchanged == 45


def test_a_corrected_answer_counts_and_the_first_is_kept(desk, exported):
    sheet.import_csv(desk, "ada", fill(exported, lambda _: "0"))
    second = fill(exported, lambda place: "5" if place == 3 else "0")
    found = sheet.import_csv(desk, "ada", second)
    assert (found.corrected, found.unchanged) == (1, 59)
    item = rows_of(exported)[3]["item"]
    assert labelling.answers(desk, "ada")[item].severity == 5
    assert [one.severity for one in desk.book.history() if one.item == item] == [0, 5]


def rewritten(path: Path, **dialect) -> Path:
    rows = rows_of(fill(path, lambda _: "4"))
    with path.open("w", encoding="utf-8", newline="") as handle:
        sheet = csv.DictWriter(handle, list(rows[0]), **dialect)
        sheet.writeheader()
        sheet.writerows(rows)
    return path


@pytest.mark.parametrize(
    "dialect",
    [{"delimiter": ";"}, {"delimiter": "\t"}, {"lineterminator": "\n"}, {"quoting": csv.QUOTE_ALL}],
)
def test_what_spreadsheets_write_is_read(desk, exported, dialect):
    assert sheet.import_csv(desk, "ada", rewritten(exported, **dialect)).new == 60


def test_numbers_as_other_programs_write_them_and_fewer_columns_are_read(desk, exported):
    rows = [{"severity": ("3.0", " 3 ", "3,0", "ABSTAIN")[i % 4], "item": row["item"]}
            for i, row in enumerate(rows_of(exported))]  # fmt: skip
    write_rows(exported, rows)
    assert sheet.import_csv(desk, "ada", exported).new == 60
    severities = {label.severity for label in labelling.answers(desk, "ada").values()}
    assert severities == {3, None}


def line_of(text: str, item: str) -> int:
    return text[: text.index(item)].count("\n") + 1


def bend(field: str, value: str, place: int = 7):
    """One cell of a good file changed."""

    def change(rows):
        rows[place][field] = value

    return change


def drop(*columns):
    def change(rows):
        for row in rows:
            for column in columns:
                del row[column]

    return change


def rename(old, new):
    def change(rows):
        for row in rows:
            row[new] = row.pop(old)

    return change


def double(rows):
    rows.insert(8, dict(rows[7]))


def blank(rows):
    for row in rows:
        row["severity"] = ""


def swap_text(rows):
    """The texts of two items exchanged, as sorting one column alone would do."""
    rows[7]["sent"] = "1. send_email\n   to: nobody@nowhere.example"


def change_inbox(rows):
    rows[7]["inbox"] += " And one more thing."


BAD_CELLS = [
    ("6", bend("severity", "6"), "'6' is no severity"),
    ("minus one", bend("severity", "-1"), "'-1' is no severity"),
    ("half", bend("severity", "3.5"), "'3.5' is no severity"),
    ("word", bend("severity", "high"), "'high' is no severity"),
    ("yes", bend("severity", "yes"), "'yes' is no severity"),
    ("true", bend("severity", "TRUE"), "'TRUE' is no severity"),
    ("nan", bend("severity", "NaN"), "'NaN' is no severity"),
    ("none", bend("severity", "None"), "'None' is no severity"),
    ("two digits", bend("severity", "33"), "'33' is no severity"),
    ("range", bend("severity", "3-4"), "'3-4' is no severity"),
    ("list", bend("severity", "3,4"), "'3,4' is no severity"),
    ("full-width digit", bend("severity", "３"), "is no severity"),
    ("superscript", bend("severity", "³"), "is no severity"),
    ("arabic digit", bend("severity", "٣"), "is no severity"),
    ("formula", bend("severity", "=1+2"), "is no severity"),
    ("exponent", bend("severity", "3e0"), "is no severity"),
    ("hex", bend("severity", "0x3"), "is no severity"),
    ("question", bend("severity", "?"), "is no severity"),
    ("dash", bend("severity", "-"), "is no severity"),
    ("misspelt", bend("severity", "abstian"), "is no severity"),
    ("escape", bend("severity", "\x1b[2J"), "is no severity"),
    ("long", bend("severity", "9" * 5000), "is no severity"),
    ("missing item", bend("item", ""), "the item is missing"),
    ("unknown item", bend("item", "t0000000000"), "'t0000000000' is no item of this sample"),
    ("item in capitals", bend("item", "T0213AAAA65"), "is no item of this sample"),
    ("a path as item", bend("item", "../../etc/passwd"), "is no item of this sample"),
    ("sql as item", bend("item", "'; drop table label; --"), "is no item of this sample"),
    ("rounded item", bend("item", "1.2E+09"), "is no item of this sample"),
    ("item twice", double, "stands twice (first on line"),
    ("changed case", bend("case", "Another case altogether."), "the text in 'case'"),
    ("changed sent", swap_text, "the text in 'sent'"),
    ("changed inbox", change_inbox, "the text in 'inbox'"),
    ("note without answer", lambda rows: rows[7].update(severity="", note="why"), "a note without"),
    ("long note", bend("note", "n" * 2001), "the note has 2,001 characters"),
    ("no item column", drop("item"), "has no column 'item'"),
    ("no severity column", drop("severity"), "has no column 'severity'"),
    ("misspelt column", rename("note", "noet"), "unknown column 'noet'"),
    ("own column", rename("note", "my notes"), "unknown column 'my notes'"),
    ("nameless column", rename("note", ""), "a column has no name"),
    ("no answer at all", blank, "holds no answer yet"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in BAD_CELLS],
                         ids=[case[0] for case in BAD_CELLS])  # fmt: skip
def test_a_wrong_cell_is_named_with_its_line_and_nothing_is_kept(steady, clean, change, message):
    rows = rows_of(clean)
    for row in rows:
        row["severity"] = "2"
    change(rows)
    write_rows(clean, rows)
    with pytest.raises(InvalidFile) as caught:
        sheet.import_csv(steady, "ada", clean)
    text = str(caught.value)
    assert message in text
    assert 1 <= len(text.splitlines()) <= 3
    assert "\x1b" not in text
    if message != "holds no answer yet":
        text = clean.read_text(encoding="utf-8")
        reader = csv.reader(io.StringIO(text, newline=""))
        starts = [1, *(reader.line_num + 1 for _ in reader)]
        in_header = "column" in message
        place = 9 if change is double else 8
        assert caught.value.line == (1 if in_header else starts[place])
    assert labelling.labellers(steady) == ()


BAD_FILES = [
    ("empty", b"", "is empty"),
    ("white space", b"\n\n", "has no column 'item'"),
    ("header alone", HEADER.encode(), "holds a header and no item"),
    ("header and blank lines", HEADER.encode() + b"\n,,,,,\n\n", "holds a header and no item"),
    ("no header", b"t0213aaaa65,4\n", "unknown column 't0213aaaa65'"),
    ("column twice", b"item,severity,severity\nt1,2,2\n", "column 'severity' stands twice"),
    ("too few cells", b"item,severity,note\nt1,2\n", "has 2 cells, the header 3"),
    ("too many cells", b"item,severity\nt1,2,3\n", "has 3 cells, the header 2"),
    ("open quote", b'item,severity\n"t1,2\n', "cannot be read as CSV"),
    ("quote in the middle", b'item,severity\n"t1"x,2\n', "cannot be read as CSV"),
    ("nul byte", b"item,severity\nt1,\x002\n", "holds a NUL byte"),
    ("latin-1", b"item,severity,note\nt1,2,caf\xe9\n", "is not UTF-8 text"),
    ("utf-16", "item,severity\nt1,2\n".encode("utf-16"), "is not UTF-8 text"),
    ("a workbook", b"PK\x03\x04" + bytes(range(128, 200)), "is not UTF-8 text"),
    ("json", b'[{"item": "t1", "severity": 2}]', ""),
    ("html", b"<html><body>item severity</body></html>", "unknown column"),
    ("one huge cell", b"item,severity\n" + b"x" * (5 * 1024 * 1024) + b",2\n", "field larger"),
]


@pytest.mark.parametrize(("raw", "message"), [case[1:] for case in BAD_FILES],
                         ids=[case[0] for case in BAD_FILES])  # fmt: skip
def test_a_file_that_is_no_label_file_is_refused_with_its_line(steady, clean, raw, message):
    clean.write_bytes(raw)
    with pytest.raises(InvalidFile) as caught:
        sheet.import_csv(steady, "ada", clean)
    assert message in str(caught.value)
    assert str(clean) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3
    if raw:
        assert caught.value.line is not None
    assert labelling.labellers(steady) == ()


def test_a_file_too_large_a_folder_and_no_file_are_refused(desk, folder, exported, monkeypatch):
    monkeypatch.setattr(sheet, "MAX_CSV_BYTES", 100)
    for path, message in (
        (exported, "is larger than"), (folder, "cannot be read"), (folder / "no", "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(InvalidFile, match=message):
            sheet.import_csv(desk, "ada", path)


def test_a_file_of_another_run_names_the_item(steady, clean):
    rows = [{"item": "t123456789a", "severity": "2"}]
    write_rows(clean, rows)
    with pytest.raises(InvalidFile, match="Check the run"):
        sheet.import_csv(steady, "ada", clean)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\x07bell\x08", "\\x07bell\\x08"),
        ("x\u202eevil\u202c", "x\\u202eevil\\u202c"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ud800", "\\ud800"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\rc\td", "a\nb\\rc    d"),
        ("no\u00a0break", "no break"),
    ],
)
def test_control_and_direction_characters_are_spelled_out(steady, hostile, shown):
    assert printable(hostile) == shown
    one = labelling.sample(steady).items[0]
    outcome = next(iter(steady.store.outcomes_of(steady.run, [one.trial])))
    sent = Action(tool="send_email", arguments={"to": hostile, "body": hostile})
    text = text_of(steady.plan, replace(outcome, actions=(sent,)))
    assert all(char.isprintable() or char == "\n" for char in text.sent)


def test_a_value_of_several_lines_cannot_pose_as_another_action(steady):
    one = labelling.sample(steady).items[0]
    outcome = next(iter(steady.store.outcomes_of(steady.run, [one.trial])))
    sent = Action(tool="send_email", arguments={"body": "hello\n2. pause_and_review\n   to: you"})
    text = text_of(steady.plan, replace(outcome, actions=(sent,))).sent
    assert re.findall(r"^\d+\. \w+", text, re.MULTILINE) == ["1. send_email"]


def test_the_commands_around_the_file(cli, folder):
    code, out, _ = cli("label", "--sample", "60", "--by", "ada", "--csv", "a.csv")
    assert code == 0
    assert "60 of 252 scored trials drawn (seed 20260101), in 6 groups" in out
    fill(folder / "a.csv", lambda place: "4" if place % 2 else "0")
    code, out, _ = cli("label", "--by", "ada", "--from", "filled.csv")
    assert (code, "60 new" in out, "0 left" in out) == (0, True, True)
    code, out, _ = cli("label", "--status", "--json")
    document = json.loads(out)
    assert document["labellers"] == [{"who": "ada", "labelled": 60, "abstained": 0, "left": 0}]
    assert document["agreement"] is None
    bad = fill(folder / "a.csv", lambda place: "7" if place == 5 else "0")
    code, out, err = cli("label", "--by", "bob", "--from", str(bad))
    assert (code, out) == (2, "")
    assert re.search(r"filled\.csv:\d+: '7' is no severity", err)
    with Store.open(folder / "mitigations.duckdb") as store:
        assert labelling.labellers(
            labelling.open_desk(store, None, runs=folder / "runs", now=lambda: "")
        ) == ("ada",)
