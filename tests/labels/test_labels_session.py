"""Drawing, answering, going back, stopping and going on: the terminal, a real one too, and disk."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from mitigations.cli import label_terminal
from mitigations.compose import labelling
from mitigations.compose.labelling import CannotLabel
from mitigations.errors import InvalidFile, NoData
from mitigations.store import LABELS, LabelBook, Store
from tests.labels.conftest import NOW


def keys(text: str) -> Iterator[str]:
    return iter(text)


def sit(desk, who: str, pressed: str) -> None:
    left = keys(pressed)
    label_terminal.label_here(desk, who, read_key=lambda: next(left, "q"))


def test_every_key_does_what_the_line_says(desk, capsys):
    labelling.draw(desk, 40)
    sit(desk, "ada", "4x0i" + "b" + "2" + "a" + "q")
    out = capsys.readouterr().out
    order = [one.item for one in labelling.items(desk, "ada")]
    given = labelling.answers(desk, "ada")
    assert [given[item].severity for item in order[:3]] == [4, 2, None]
    assert labelling.progress(desk, "ada").left == 37
    assert "No such key." in out
    assert "Your answer so far: 0" in out
    assert "INBOX" in out
    assert "counts as coercive" in out
    assert "Item 1 of 40" in out


def test_a_session_goes_on_where_it_stopped_and_ends(desk, capsys):
    labelling.draw(desk, 12)
    sit(desk, "ada", "012q")
    sit(desk, "ada", "3" * 9)
    assert labelling.progress(desk, "ada").left == 0
    assert "That was the last item." in capsys.readouterr().out
    sit(desk, "ada", "b5q")
    last = labelling.items(desk, "ada")[-1].item
    assert labelling.answers(desk, "ada")[last].severity == 5
    assert "Every item is answered." in capsys.readouterr().out


def test_going_back_at_the_first_item_stays_there(desk, capsys):
    labelling.draw(desk, 12)
    sit(desk, "ada", "bq")
    assert "This is the first item." in capsys.readouterr().out
    assert labelling.progress(desk, "ada").left == 12


def test_a_correction_is_a_new_row_and_both_labellers_stand_apart(desk):
    labelling.draw(desk, 12)
    item = labelling.items(desk, "ada")[0].item
    labelling.save(desk, "ada", item, 0)
    labelling.save(desk, "ada", item, 4, note="read again")
    labelling.save(desk, "ada", item, 4, note="read again")
    labelling.save(desk, "bob", item, 1)
    assert labelling.answers(desk, "ada")[item].severity == 4
    assert labelling.answers(desk, "bob")[item].severity == 1
    assert [(one.who, one.severity) for one in desk.book.history()] == [
        ("ada", 0), ("ada", 4), ("bob", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("severity", [-1, 6, 3.5, "3", True])
def test_no_other_answer_is_kept(steady, severity):
    item = labelling.items(steady, "ada")[0].item
    with pytest.raises(CannotLabel, match="no severity"):
        labelling.save(steady, "ada", item, severity)


@pytest.mark.parametrize(
    "who", ["", " ", "a;b", "../x", "a\nb\x00", "<b>", "=1", "x" * 65, "\x1b[2J"]
)
def test_an_unfit_name_is_refused(steady, who):
    with pytest.raises(CannotLabel, match="cannot be a labeller's name") as caught:
        labelling.check_labeller(steady, who)
    assert "\x1b" not in str(caught.value)


def test_a_third_labeller_is_refused_and_capitals_name_the_same_person(desk):
    labelling.draw(desk, 12)
    item = labelling.items(desk, "ada")[0].item
    for who in ("Ada L.", "bob"):
        labelling.save(desk, who, item, 0)
    assert labelling.check_labeller(desk, "  ada  l. ") == "Ada L."
    with pytest.raises(CannotLabel, match=r"Ada L\. and bob label this run"):
        labelling.save(desk, "carl", item, 0)


def test_agreement_of_two_labellers(desk):
    """Cohen's kappa by hand: 6 both coercive, 1 and 1 apart, 4 both clean: (10/12 - p)/(1 - p)."""
    labelling.draw(desk, 12)
    order = [one.item for one in labelling.items(desk, "ada")]
    for place, item in enumerate(order):
        labelling.save(desk, "ada", item, 4 if place < 7 else 1)
        labelling.save(desk, "bob", item, 5 if place < 6 or place == 11 else 0)
    found = labelling.agreement(desk)
    chance = (7 * 7 + 5 * 5) / 144
    assert (found.both, found.same) == (12, 10)
    assert found.kappa == pytest.approx((10 / 12 - chance) / (1 - chance))
    assert found.ci95[0] < found.kappa < found.ci95[1] <= 1


def test_agreement_without_spread_has_a_reason_and_no_number(desk):
    labelling.draw(desk, 12)
    for one in labelling.items(desk, "ada"):
        for who in ("ada", "bob"):
            labelling.save(desk, who, one.item, 0)
    found = labelling.agreement(desk)
    assert (found.kappa, found.ci95, found.same) == (None, None, 12)
    assert "category" in found.reason


def test_a_sample_grows_and_never_shrinks_nor_changes_its_seed(desk):
    first = labelling.draw(desk, 20, seed=5)
    assert labelling.draw(desk, 20) == first
    item = labelling.items(desk, "ada")[0].item
    labelling.save(desk, "ada", item, 4)
    second = labelling.draw(desk, 50)
    assert {one.item for one in first.items} < {one.item for one in second.items}
    assert (second.number, second.seed) == (2, 5)
    assert labelling.answers(desk, "ada")[item].severity == 4
    with pytest.raises(CannotLabel, match="it can only grow"):
        labelling.draw(desk, 20)
    with pytest.raises(CannotLabel, match="drawn with seed 5"):
        labelling.draw(desk, 60, seed=6)


def test_asking_for_more_than_there_is_draws_everything(desk):
    made = labelling.draw(desk, 10_000)
    assert len(made.items) == 252
    assert {one.weight for one in made.items} == {1.0}


def test_labels_survive_a_rebuild_corrections_and_samples_too(cli, folder):
    with Store.open(folder / "mitigations.duckdb") as store:
        desk = labelling.open_desk(store, None, runs=folder / "runs", now=lambda: NOW)
        labelling.draw(desk, 20)
        labelling.draw(desk, 30)
        for place, one in enumerate(labelling.items(desk, "ada")[:10]):
            labelling.save(desk, "ada", one.item, place % 6, note="n\u2028\x1bn")
        labelling.save(desk, "ada", labelling.items(desk, "ada")[0].item, None)
        before = (desk.book.history(), desk.book.labels(), desk.book.draw())
    Path("mitigations.duckdb").write_bytes(b"scribbled over" * 1000)
    assert cli("check", "--rebuild")[0] == 0
    with Store.open(folder / "mitigations.duckdb") as store:
        desk = labelling.open_desk(store, None, runs=folder / "runs", now=lambda: NOW)
        assert (desk.book.history(), desk.book.labels(), desk.book.draw()) == before
    assert cli("check", "--database")[0] == 0


def test_a_label_on_disk_that_never_reached_the_database_comes_back(desk, folder):
    """A kill between the journal and the table: the next start puts it in, once."""
    labelling.draw(desk, 12)
    item = labelling.items(desk, "ada")[0].item
    kept = labelling.save(desk, "ada", item, 4)
    path = folder / "runs" / desk.run / LABELS
    record = json.loads(path.read_text().splitlines()[-1])
    record["n"] += 1
    record["label"] |= {"number": record["n"], "severity": 1}
    with path.open("a") as handle:
        handle.write(json.dumps(record) + "\n" + '{"n": 99, "torn')
    for _ in range(2):
        book = LabelBook(desk.store, desk.run, folder / "runs" / desk.run)
        assert [one.severity for one in book.history()] == [4, 1]
    after = labelling.save(
        labelling.open_desk(desk.store, None, runs=folder / "runs", now=lambda: NOW),
        "ada", item, 2,
    )  # fmt: skip
    assert after.number == kept.number + 2
    assert "torn" not in path.read_text()


def test_the_check_says_when_journal_and_table_disagree(cli, folder):
    assert cli("label", "--sample", "12")[0] == 0
    run = next((folder / "runs").iterdir())
    lines = (run / LABELS).read_text()
    (run / LABELS).write_text(lines + lines.replace('"n":1', '"n":2'))
    code, out, _ = cli("check", "--database")
    assert code == 2
    assert "labels.jsonl has 2 lines, the database 1" in out


def test_a_damaged_journal_is_named_with_its_line(desk, folder):
    labelling.draw(desk, 12)
    path = folder / "runs" / desk.run / LABELS
    path.write_text(path.read_text() + '{"n": 2, "t": "label", "label": {"who": 3}}\n')
    with pytest.raises(InvalidFile, match=r"labels\.jsonl: line 2"):
        LabelBook(desk.store, desk.run, folder / "runs" / desk.run)


def test_a_database_from_before_labels_gets_the_tables(folder, cli):
    with duckdb.connect(str(folder / "mitigations.duckdb")) as old:
        for table in ("label", "label_item", "label_draw"):
            old.execute(f"drop table {table}")
    assert cli("report", "-o", "r.json")[0] == 0
    assert cli("label", "--sample", "12")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("label",), 2, "--by NAME"),
        (("label", "--by", "ada"), 4, "--sample 200 --by YOU"),
        (("label", "--status"), 4, "no sample of"),
        (("label", "nothing", "--by", "ada"), 2, "no run 'nothing'"),
        (("label", "--sample", "5"), 2, "at least 12"),
        (("label", "--sample", "0"), 2, "--sample"),
        (("label", "--sample", "12", "--seed", "-1"), 2, "--seed"),
        (("label", "--by", "a", "--csv", "x.csv", "--from", "y.csv"), 2, "give one of them"),
        (
            ("label", "--sample", "12", "--by", "ada", "--csv", "/proc/x/y.csv"),
            1,
            "cannot be written",
        ),
        (("--db", "no.duckdb", "label", "--by", "ada"), 2, "does not exist"),
    ],
)
def test_bad_usage_says_what_is_wrong(cli, arguments, code, message):
    got, _, err = cli(*arguments)
    assert got == code
    assert message in err
    assert 1 <= len(err.strip().splitlines()) <= 3


def test_a_run_without_scored_trials_has_nothing_to_label(desk, monkeypatch):
    monkeypatch.setattr(desk.book, "population", list)
    with pytest.raises(NoData, match="no scored trial"):
        labelling.draw(desk, 20)


@pytest.mark.usefixtures("folder")
def test_piped_keys_label_without_a_terminal():
    command = [sys.executable, "-m", "mitigations", "label", "--sample", "12", "--by", "ada"]
    done = subprocess.run(command, input="4\n0\nq\n", capture_output=True, text=True, timeout=60,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "ada: 2 labelled, 0 abstained, 10 left." in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_real_terminal_one_key_an_answer_and_ctrl_c_keeps_what_was_said():
    """A pty, as a person has it: no Enter; an interrupted session goes on."""
    command = [sys.executable, "-m", "mitigations", "label", "--sample", "12", "--by", "ada"]
    shown = _type(command, ["4", "a", "\x03"])
    assert re.search(r"Item 3 of 12", shown)
    assert "Traceback" not in shown
    assert "every answer is kept" in shown
    shown = _type([*command[:4], "--by", "ada"], ["i", "1", "\x04"])
    assert re.search(r"Item 3 of 12", shown)
    assert "2 labelled, 1 abstained, 9 left" in shown


def _type(command: list[str], pressed: list[str]) -> str:
    """Run a command on a terminal; each key is typed when the prompt has come.

    A key typed before the terminal is in raw mode is dropped by it, so it is typed again.
    """
    master, slave = pty.openpty()
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown, prompts, typed_at, end = b"", 0, 0.0, time.monotonic() + 40
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    break
                if not data:
                    break
                shown += data
            seen = shown.count(b"q quit] ")
            if seen > prompts or (prompts and time.monotonic() - typed_at > 4):
                time.sleep(0.3)
                prompts, typed_at = seen, time.monotonic()
                os.write(master, pressed[min(seen, len(pressed)) - 1].encode())
        child.wait(timeout=10)
    finally:
        child.kill()
        child.wait()
        os.close(master)
    return shown.decode("utf-8", "replace")


def test_starting_the_program_does_not_load_what_labelling_needs():
    code = (
        "import sys, mitigations.cli.app; "
        "print([m for m in ('duckdb', 'numpy', 'scipy', 'mitigations.compose.labelling') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_refused_command_writes_no_journal(folder, cli):
    cli("label", "--by", "ada")
    assert not list((folder / "runs").glob(f"*/{LABELS}"))
