-- What databases made by earlier versions lack; every statement may run again.
alter table outcome add column if not exists cache_write_tokens bigint;
