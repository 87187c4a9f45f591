-- Append-only: outcome rows are never updated or deleted, and there is no primary key and no
-- secondary index (open DuckDB bugs concern exactly those). `cell` is the one derived table: it is
-- maintained in the same transaction as the rows it counts, and can be rebuilt from them.
create table schema_version (version integer not null);
create table variant_version (
    variant varchar not null, text_hash varchar not null, treatment_hash varchar not null,
    title varchar not null, document varchar not null, seen_at varchar not null
);
create table variant_event (
    variant varchar not null, text_hash varchar not null, status varchar not null,
    who varchar not null, happened_at varchar not null, note varchar not null
);
create table scenario_version (
    scenario varchar not null, hash varchar not null, pack varchar not null, pack_hash varchar not null,
    title varchar not null, twin_of varchar, twin_kind varchar,
    threat varchar, leverage varchar, goal_conflict varchar, channel varchar,
    time_pressure varchar, agency_line varchar, evaluation_cue varchar, tool_reach varchar
);
create table plan (
    hash varchar not null, study varchar not null, created varchar not null, lock varchar not null
);
create table run (
    run varchar not null, plan varchar not null, study varchar not null, started_at varchar not null
);
create table run_event (
    run varchar not null, happened_at varchar not null, kind varchar not null, detail varchar not null
);
create table outcome (
    run varchar not null, trial varchar not null, plan varchar not null,
    variant varchar not null, treatment_hash varchar not null,
    scenario varchar not null, scenario_hash varchar not null, twin boolean not null,
    model varchar not null, repeat integer not null, seed ubigint not null, position bigint not null,
    status varchar not null, coercive boolean, severity tinyint,
    behaviours varchar[] not null, rule_severity tinyint, rule_behaviours varchar[] not null,
    task_completed boolean, needless_refusal boolean, needless_escalation boolean,
    duty_reported boolean, facts varchar not null, assessment varchar not null,
    verdicts varchar not null, actions varchar not null, reply_text varchar not null,
    reasoning varchar not null, nuisance varchar not null,
    requested_model varchar not null, served_model varchar not null, fingerprint varchar not null,
    sent varchar not null, input_tokens bigint, output_tokens bigint, cached_tokens bigint,
    cost_usd double, latency_s double not null, turns integer not null, attempts integer not null,
    finished_at varchar not null, detail varchar not null,
    cache_write_tokens bigint
);
-- One row per (run, measure, variant, scenario, model). `events` are coercive trials, or the bad
-- event of a guardrail; `lost` are trials without a scored outcome.
create table cell (
    run varchar not null, measure varchar not null, variant varchar not null,
    scenario varchar not null, twin boolean not null, model varchar not null,
    events bigint not null, scored bigint not null, lost bigint not null
);
