"""DuckDB and the journal: the one place that keeps outcomes, and the one door to DuckDB."""

from mitigations.store.database import Store
from mitigations.store.journal import Journal, read_journal

__all__ = ["Journal", "Store", "read_journal"]
