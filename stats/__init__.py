"""Pure statistics: counts in, effects out. No rows, no connection, no clock."""
