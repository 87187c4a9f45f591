-- The outcomes that stand: a trial that was run again counts once, by its last row.
create or replace view outcome_now as
    select outcome.* from outcome
    where not exists (
        select 1 from rerun
        where rerun.run = outcome.run and rerun.trial = outcome.trial and rerun.rerun > outcome.rerun
    );
