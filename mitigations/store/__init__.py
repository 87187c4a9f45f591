"""DuckDB and the journal: the one place that keeps outcomes, and the one door to DuckDB."""

from mitigations.store.database import Store
from mitigations.store.journal import Journal, read_journal
from mitigations.store.landing import Landing, Recovered, recover

__all__ = ["Journal", "Landing", "Recovered", "Store", "read_journal", "recover"]
