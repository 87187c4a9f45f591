"""Reads anyone's counts or trials into cells.

`read_table` takes CSV or Parquet, of counts (`variant, scenario, model, coercive, trials`) or of
trials (`variant, scenario, model, repeat, coercive` and an optional `epoch`; an empty `coercive` is
a lost trial). Every wrong input is an `InvalidFile` that names the row.
"""

from mitigations.tables.read import read_labels, read_table
from mitigations.tables.table import ArmLabels, Table

__all__ = ["ArmLabels", "Table", "read_labels", "read_table"]
