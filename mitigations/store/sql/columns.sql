select count(*) filter (table_name = 'outcome'), count(*) filter (table_name = 'outcome_now')
from duckdb_columns()
