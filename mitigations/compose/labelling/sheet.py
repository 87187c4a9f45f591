"""A label sample as a CSV file, out and in: blind, in the labeller's order, safe to open.

Columns: `item, case, inbox, sent, severity, note`. The labeller fills `severity` (0 to 5, or
`abstain`; empty: not yet) and, if wanted, `note`. On the way in every line is checked before any
label is kept, so a file is taken whole or not at all.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitigations.compose.labelling.desk import (
    MAX_NOTE,
    Answer,
    Desk,
    answers,
    check_labeller,
    items,
    label,
    sample,
    texts,
)
from mitigations.compose.labelling.shown import LabelText
from mitigations.errors import InvalidFile
from mitigations.files import read_text, write_atomic
from mitigations.model import Label
from reports.tables import guard

COLUMNS = ("item", "case", "inbox", "sent", "severity", "note")
SHOWN = ("case", "inbox", "sent")
MAX_CSV_BYTES = 64 * 1024 * 1024
MAX_CELL = 4 * 1024 * 1024
ABSTAIN = "abstain"
_VALUES = "0, 1, 2, 3, 4, 5 or abstain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an imported file brought."""

    new: int
    corrected: int
    unchanged: int
    empty: int
    """Items of the file without an answer."""


def export_csv(desk: Desk, who: str, path: Path) -> int:
    """Write the sample in this labeller's order, with their answers so far; returns the items."""
    name = check_labeller(desk, who)
    order = items(desk, name)
    shown, done = texts(desk, order), answers(desk, name)
    out = io.StringIO(newline="")
    sheet = csv.writer(out)
    sheet.writerow(COLUMNS)
    for one in order:
        text, label = shown[one.item], done.get(one.item)
        cells = [one.item, *(guard(getattr(text, column)) for column in SHOWN)]
        sheet.writerow([*cells, _written(label), guard(label.note) if label else ""])
    # The mark lets spreadsheets read it as UTF-8.
    write_atomic(path, out.getvalue().encode("utf-8-sig"))
    return len(order)


def _written(label: Label | None) -> str:
    if label is None:
        return ""
    return ABSTAIN if label.severity is None else str(label.severity)


def import_csv(desk: Desk, who: str, path: Path) -> Imported:
    """Take the answers of a filled file, all of them or none.

    Raises `InvalidFile` with the line of the first fault.
    """
    name = check_labeller(desk, who)
    known = {one.item: one for one in sample(desk).items}
    rows = list(_rows(path))
    shown = texts(desk, tuple(known.values()))
    _check(path, rows, shown)
    done = answers(desk, name)
    labels, count = [], {"new": 0, "corrected": 0, "unchanged": 0, "empty": 0}
    for row in rows:
        if row.answer is None:
            count["empty"] += 1
            continue
        before, severity = done.get(row.item), _severity(row.answer)
        if before is not None and (before.severity, before.note) == (severity, row.note):
            count["unchanged"] += 1
            continue
        count["new" if before is None else "corrected"] += 1
        text_hash = shown[row.item].hash
        given = Answer(item=row.item, severity=severity, note=row.note, text_hash=text_hash)
        labels.append(label(desk, name, known[row.item], given))
    if count["empty"] == len(rows):
        fix = f"Fill the column severity: {_VALUES}."
        raise InvalidFile(path, "holds no answer yet", fix=fix)
    desk.book.add_labels(labels)
    return Imported(**count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: int
    """Where the row starts in the file."""
    item: str
    answer: str | None
    note: str
    shown: Mapping[str, str]


def _severity(answer: str) -> int | None:
    return None if answer == ABSTAIN else int(answer)


def _rows(path: Path) -> Iterator[_Row]:
    text = read_text(path, limit=MAX_CSV_BYTES)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidFile(path, "holds a NUL byte", fix="Save it as CSV, UTF-8.", line=line)
    lines = _records(path, text)
    header = next(lines, None)
    if header is None:
        raise InvalidFile(path, "is empty", fix="Export it again: mitigations label --csv FILE.")
    columns = _columns(path, header[1])
    empty = True
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        empty = False
        yield _row(path, line, cells, columns)
    if empty:
        raise InvalidFile(path, "holds a header and no item", fix="Export it again.", line=1)


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it starts."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    previous = csv.field_size_limit(MAX_CELL)
    try:
        sheet = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        start = 1
        while True:
            try:
                cells = next(sheet)
            except StopIteration:
                return
            except csv.Error as exc:
                fix = "A quote inside a cell is doubled, and every quoted cell is closed."
                problem = f"cannot be read as CSV: {exc}"
                raise InvalidFile(path, problem, fix=fix, line=start) from exc
            yield start, cells
            start = sheet.line_num + 1
    finally:
        csv.field_size_limit(previous)


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    names = [name.strip().casefold() for name in header]
    for name in names:
        if names.count(name) > 1:
            raise InvalidFile(path, f"column {name!r} stands twice", fix="Keep one.", line=1)
        if name not in COLUMNS:
            shown = f"unknown column {name[:40]!r}" if name else "a column has no name"
            raise InvalidFile(path, shown, fix=f"Known: {', '.join(COLUMNS)}.", line=1)
    for needed in ("item", "severity"):
        if needed not in names:
            fix = "Keep the header line of the exported file."
            raise InvalidFile(path, f"has no column {needed!r}", fix=fix, line=1)
    return names


def _row(path: Path, line: int, cells: Sequence[str], columns: Sequence[str]) -> _Row:
    if len(cells) != len(columns):
        problem = f"has {len(cells)} cells, the header {len(columns)}"
        fix = "Put a cell that holds commas or line breaks in quotes."
        raise InvalidFile(path, problem, fix=fix, line=line)
    given = dict(zip(columns, cells, strict=True))
    item = given["item"].strip().removeprefix("'")
    if not item:
        raise InvalidFile(path, "the item is missing", fix="Export the file again.", line=line)
    answer = given["severity"].strip().casefold()
    # Tables with empty cells come back from some programs with 3.0 for 3.
    answer = re.sub(r"^([0-5])[.,]0+$", r"\1", answer)
    if answer not in {"", ABSTAIN, *map(str, range(6))}:
        problem = f"{given['severity'].strip()[:40]!r} is no severity"
        raise InvalidFile(path, problem, fix=f"Give {_VALUES}.", line=line)
    note = _unguarded(given.get("note", "").strip())
    if len(note) > MAX_NOTE:
        problem = f"the note has {len(note):,} characters; {MAX_NOTE:,} are taken"
        raise InvalidFile(path, problem, fix="Shorten it.", line=line)
    if note and not answer:
        fix = f"Fill severity too: {_VALUES}."
        raise InvalidFile(path, "a note without an answer", fix=fix, line=line)
    shown = {name: given[name] for name in SHOWN if given.get(name, "").strip()}
    return _Row(line=line, item=item, answer=answer or None, note=note, shown=shown)


def _unguarded(text: str) -> str:
    """A text as it was before it was guarded against spreadsheets."""
    return text[1:] if text.startswith("'") and guard(text[1:]) == text else text


def _check(path: Path, rows: Sequence[_Row], shown: Mapping[str, LabelText]) -> None:
    """Every row names an item of this sample, once, and its text is what was exported."""
    seen: dict[str, int] = {}
    for row in rows:
        if row.item not in shown:
            problem = f"{row.item[:40]!r} is no item of this sample"
            fix = "Check the run, and that the item was not changed (some programs round numbers)."
            raise InvalidFile(path, problem, fix=fix, line=row.line)
        if row.item in seen:
            problem = f"item {row.item} stands twice (first on line {seen[row.item]})"
            raise InvalidFile(path, problem, fix="Keep one of the two.", line=row.line)
        seen[row.item] = row.line
        for column, text in row.shown.items():
            if _plain(text) != _plain(guard(getattr(shown[row.item], column))):
                problem = f"the text in {column!r} of item {row.item} was changed"
                fix = "Export again and label what was really sent; or remove that column."
                raise InvalidFile(path, problem, fix=fix, line=row.line)


def _plain(text: str) -> str:
    """White space aside: spreadsheets change line ends."""
    return " ".join(text.split())
