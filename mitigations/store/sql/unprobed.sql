-- Outcomes with a reply that this version of the awareness probe has not read.
select trial, rerun, model, turns, reply_text, reasoning from outcome
where run = $run and not exists (
    select 1 from awareness
    where awareness.run = outcome.run and awareness.trial = outcome.trial
      and awareness.rerun = outcome.rerun and awareness.probe = $probe
)
