"""Label samples and labels of one run: journal first (`labels.jsonl`), then the tables.

Nothing is changed or removed: a larger sample and a corrected label are new lines, and the latest
counts. The tables rebuild from the journal alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mitigations.codec import build, plain
from mitigations.errors import InvalidFile
from mitigations.model import Draw, Drawn, Label
from mitigations.store.database import Store
from mitigations.store.journal import append_record, read_journal

LABELS = "labels.jsonl"
"""The journal of labels, beside the run's journal of calls."""

Tables = dict[str, list[tuple[Any, ...]]]


class LabelBook:
    """The one writer of a run's labels."""

    def __init__(self, store: Store, run: str, folder: Path) -> None:
        """`folder` is the run's own, where its journals are."""
        self._store, self._run, self._path = store, run, folder / LABELS
        fill_labels(store, run, folder)
        self._last = _last(store, run)

    def add_draw(self, draw: Draw) -> None:
        """On disk and in the database when this returns."""
        self._land({"t": "draw", "draw": plain(Draw, draw)})

    def add_label(self, label: Label) -> Label:
        """On disk and in the database when this returns; gives the label with its number."""
        data = plain(Label, label) | {"number": self._last + 1}
        self._land({"t": "label", "label": data})
        return build(Label, data)

    def add_labels(self, labels: Iterable[Label]) -> int:
        """One line each, one transaction: how an imported file comes in. Returns how many."""
        tables: Tables = {}
        count = 0
        for label in labels:
            record = {"t": "label", "label": plain(Label, label) | {"number": self._last + 1}}
            _collect(tables, self._run, self._write(record))
            count += 1
        self._store.add(tables)
        return count

    def _land(self, record: Mapping[str, Any]) -> None:
        tables: Tables = {}
        _collect(tables, self._run, self._write(record))
        self._store.add(tables)

    def _write(self, record: Mapping[str, Any]) -> dict[str, Any]:
        line = {"n": self._last + 1, **record}
        append_record(self._path, line)
        self._last += 1
        return line

    # ---- reading

    def draw(self) -> Draw | None:
        """The sample that counts: the latest; None before the first."""
        return read_draw(self._store, self._run)

    def labels(self) -> tuple[Label, ...]:
        """The answer that counts of each labeller for each item."""
        return read_labels(self._store, self._run)

    def history(self) -> tuple[Label, ...]:
        """Every answer ever given, corrected ones included, in order."""
        return _labels(self._store.query("label_history", self._run))

    def population(self) -> list[tuple[str, str, str]]:
        """(trial, variant, judged as) of every trial that can be labelled now."""
        return self._store.query("label_population", self._run)


def read_draw(store: Store, run: str) -> Draw | None:
    """The latest label sample of a run; None where none was drawn."""
    rows = store.query("label_draws", run)
    if not rows:
        return None
    number, seed, drawn_at = rows[0][:3]
    items = tuple(
        Drawn(
            item=item,
            trial=trial,
            variant=variant,
            judged=judged,
            population=population,
            sampled=sampled,
        )
        for _, _, _, item, trial, variant, judged, population, sampled in rows
    )
    return Draw(number=number, seed=seed, drawn_at=drawn_at, items=items)


def read_labels(store: Store, run: str) -> tuple[Label, ...]:
    """The answer that counts of each labeller for each item."""
    return _labels(store.query("labels_now", run))


def read_labellers(store: Store, run: str) -> tuple[str, ...]:
    """Who has labelled a run, the first one first."""
    return tuple(dict.fromkeys(label.who for label in _labels(store.query("label_history", run))))


def fill_labels(store: Store, run: str, folder: Path) -> int:
    """Bring the tables up to the journal; returns how many lines were missing."""
    path, last = folder / LABELS, _last(store, run)
    tables: Tables = {}
    missing = 0
    for record in read_journal(path):
        if not isinstance(record, dict) or not isinstance(record.get("n"), int):
            raise InvalidFile(path, "holds a line that is no label record", fix="Restore a copy.")
        if record["n"] > last:
            _collect(tables, run, record, path)
            missing += 1
    if tables:
        store.add(tables)
    return missing


def label_lines(store: Store, run: str, folder: Path) -> tuple[int, int]:
    """Lines of the journal of labels that the database holds, and that the journal has."""
    return len(store.query("label_lines", run)), sum(1 for _ in read_journal(folder / LABELS))


def _last(store: Store, run: str) -> int:
    return int(store.query("label_last", run)[0][0])


def _labels(rows: Sequence[tuple[Any, ...]]) -> tuple[Label, ...]:
    return tuple(
        Label(
            number=n,
            item=item,
            trial=trial,
            who=who,
            severity=severity,
            note=note,
            text_hash=text_hash,
            labelled_at=labelled_at,
        )
        for n, item, trial, who, severity, note, text_hash, labelled_at in rows
    )


def _collect(tables: Tables, run: str, record: Mapping[str, Any], path: Path | None = None) -> None:
    """The rows one line of the journal stands for."""
    number = record["n"]
    try:
        if record["t"] == "draw":
            draw = build(Draw, record["draw"])
            head = (run, number, draw.number, draw.seed, draw.drawn_at)
            tables.setdefault("label_draw", []).append(head)
            tables.setdefault("label_item", []).extend(
                (
                    run,
                    draw.number,
                    place,
                    one.item,
                    one.trial,
                    one.variant,
                    one.judged,
                    one.population,
                    one.sampled,
                    one.inclusion,
                )
                for place, one in enumerate(draw.items)
            )
        else:
            label = build(Label, record["label"])
            tables.setdefault("label", []).append(
                (
                    run,
                    number,
                    label.item,
                    label.trial,
                    label.who,
                    label.severity,
                    label.note,
                    label.text_hash,
                    label.labelled_at,
                )
            )
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as exc:
        problem = f"line {number} holds a record that this version cannot read"
        raise InvalidFile(path or LABELS, problem, fix="Use the version that wrote it.") from exc
