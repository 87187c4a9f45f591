-- What databases made by earlier versions lack; every statement may run again.
create table if not exists pack_version (pack_hash varchar not null, document varchar not null);
alter table outcome add column if not exists cache_write_tokens bigint;
alter table outcome add column if not exists rerun integer default 0;
alter table outcome add column if not exists unconfirmed_usd double default 0;
-- Trials lost for an error and run again: their earlier rows stay, and count no more.
create table if not exists rerun (run varchar not null, trial varchar not null, rerun integer not null);
-- How far a run's journal is in here, written with the rows it speaks of; the last one holds.
create table if not exists journal_mark (run varchar not null, bytes bigint not null, spent_usd double not null);
-- What the visible reasoning of each outcome says of being tested, by a probe of some version. It
-- explains a rate by association and decides none, so it stands apart from outcomes.
create table if not exists awareness (
    run varchar not null, trial varchar not null, rerun integer not null,
    probe varchar not null, state varchar not null
);
-- Live checks of judges: the whole check as a JSON document, and what it is looked up by.
create table if not exists judge_check (
    judge varchar not null, rubric_hash varchar not null, checked_at varchar not null,
    document varchar not null
);
-- Amendments of a run's plan in their order, each a line that is chained to the lock.
create table if not exists amendment (run varchar not null, place integer not null, event varchar not null);
-- Human labels: append-only, no key, no index; `n` is the line of the run's journal of labels. The
-- latest draw of a run counts, and the latest label of a labeller for an item. `severity` null:
-- the labeller abstained.
create table if not exists label_draw (
    run varchar not null, n bigint not null, draw integer not null, seed bigint not null,
    drawn_at varchar not null
);
create table if not exists label_item (
    run varchar not null, draw integer not null, place integer not null, item varchar not null,
    trial varchar not null, variant varchar not null, judged varchar not null,
    population bigint not null, sampled bigint not null, inclusion double not null
);
create table if not exists label (
    run varchar not null, n bigint not null, item varchar not null, trial varchar not null,
    who varchar not null, severity tinyint, note varchar not null, text_hash varchar not null,
    labelled_at varchar not null
);
