"""The statements of the board. Times are PostgreSQL's: no two hosts' clocks are compared."""

SCHEMA = """
create schema if not exists mitigations;
create table if not exists mitigations.run (
    run text primary key, build text not null, lock text not null, scenarios text not null,
    seen timestamptz not null default now(), ended boolean not null default false
);
alter table mitigations.run add column if not exists place text not null default '';
alter table mitigations.run add column if not exists token text not null default '';
create table if not exists mitigations.worker (
    worker text primary key, build text not null, host text not null,
    seen timestamptz not null default now(), gone boolean not null default false
);
create table if not exists mitigations.lease (
    lease text primary key, run text not null, worker text,
    is_open boolean not null default true, is_stopping boolean not null default false
);
create table if not exists mitigations.line (
    lease text not null, seq integer not null, body text not null, primary key (lease, seq)
);
"""
LOCKED = "select pg_advisory_xact_lock(7262061)"
"""Two hosts that start at once do not make the tables twice."""

OPEN_RUN = """
insert into mitigations.run (run, build, place, token, lock, scenarios)
values (%s, %s, %s, %s, %s, %s)
on conflict (run) do update set build = excluded.build, place = excluded.place,
    token = excluded.token, lock = excluded.lock, scenarios = excluded.scenarios,
    seen = now(), ended = false
"""
RUN_SEEN = "update mitigations.run set seen = now() where run = %s and token = %s returning run"
PLACE = "select place from mitigations.run where run = %s"
OTHER_OWNER = """
select place from mitigations.run
where run = %s and not ended and place <> %s and seen > now() - make_interval(secs => %s)
"""
END_RUN = "update mitigations.run set ended = true where run = %s and token = %s"
TEXTS = "select lock, scenarios from mitigations.run where run = %s"
OTHER_BUILDS = """
select run, build from mitigations.run
where not ended and build <> %s and seen > now() - make_interval(secs => %s) order by run
"""

BEAT = """
insert into mitigations.worker (worker, build, host) values (%s, %s, %s)
on conflict (worker) do update set seen = now(), gone = false
"""
LEAVE = "update mitigations.worker set gone = true where worker = %s"
WORKERS = """
select worker, build, host from mitigations.worker
where not gone and seen > now() - make_interval(secs => %s) order by worker
"""

OFFER = "insert into mitigations.lease (lease, run) values (%s, %s) on conflict do nothing"
CLAIM = """
update mitigations.lease set worker = %s
where lease = %s and is_open and (worker is null or worker = %s) returning lease
"""
STOP = "update mitigations.lease set is_stopping = true where run = %s and is_open"
FENCE = "update mitigations.lease set is_open = false where lease = any(%s)"
"""Waits for lines being written: once it returns, no line of these leases can follow."""
WITHDRAW = """
update mitigations.lease set is_open = false where lease = %s and worker is null returning lease
"""
LEASES = """
select lease, l.worker, l.is_open,
    l.worker is not null and (w.gone is not false or w.seen < now() - make_interval(secs => %s))
from mitigations.lease l left join mitigations.worker w on w.worker = l.worker
where l.run = %s
"""

WRITE = """
with held as (
    select is_stopping from mitigations.lease where lease = %s and is_open for share
), put as (
    insert into mitigations.line (lease, seq, body) select %s, %s, %s from held
    on conflict do nothing
)
select is_stopping from held
"""
"""One trip: the share lock and the line are one transaction, so a fence comes before or after."""
READ = """
select l.lease, l.seq, l.body from mitigations.line l
join unnest(%s::text[], %s::integer[]) as known (lease, seq)
    on l.lease = known.lease and l.seq > known.seq
order by l.lease, l.seq
"""
FORGET_LINES = "delete from mitigations.line where lease = any(%s)"
FORGET_LEASES = "delete from mitigations.lease where lease = any(%s)"
