"""What other tools write becomes outcomes here, and runs become what other tools read."""

from mitigations.compose.exchange.inspect_in import Imported, import_logs
from mitigations.compose.exchange.inspect_out import export_inspect
from mitigations.compose.exchange.outcomes import export_outcomes, export_parquet
from mitigations.compose.exchange.promptfoo_in import import_config
from mitigations.compose.exchange.promptfoo_out import export_config
from mitigations.compose.exchange.promptfoo_results import import_results
from mitigations.compose.exchange.rows import Row, write_rows

__all__ = [
    "Imported",
    "Row",
    "export_config",
    "export_inspect",
    "export_outcomes",
    "export_parquet",
    "import_config",
    "import_logs",
    "import_results",
    "write_rows",
]
