"""DuckDB and the journal: the one place that keeps outcomes, and the one door to DuckDB."""

from mitigations.store.adopting import adopt_lines
from mitigations.store.connection import connect_read_only
from mitigations.store.database import Store
from mitigations.store.extract import Chosen, Rows
from mitigations.store.grouped import Grouped
from mitigations.store.journal import Journal, append_record, read_journal
from mitigations.store.labels import (
    LABELS,
    LabelBook,
    fill_labels,
    label_lines,
    read_draw,
    read_labellers,
    read_labels,
)
from mitigations.store.landing import Landing, call_line
from mitigations.store.ledger import Ledger, Mark
from mitigations.store.recovery import Recovered, recover, replies_of
from mitigations.store.rows import outcome_of
from mitigations.store.snapshot import Snapshot

__all__ = [
    "LABELS",
    "Chosen",
    "Grouped",
    "Journal",
    "LabelBook",
    "Landing",
    "Ledger",
    "Mark",
    "Recovered",
    "Rows",
    "Snapshot",
    "Store",
    "adopt_lines",
    "append_record",
    "call_line",
    "connect_read_only",
    "fill_labels",
    "label_lines",
    "outcome_of",
    "read_draw",
    "read_journal",
    "read_labellers",
    "read_labels",
    "recover",
    "replies_of",
]
