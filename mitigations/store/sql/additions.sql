-- What databases made by earlier versions lack; every statement may run again.
create table if not exists pack_version (pack_hash varchar not null, document varchar not null);
alter table outcome add column if not exists cache_write_tokens bigint;
