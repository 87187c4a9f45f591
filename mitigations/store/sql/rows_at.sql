-- Row numbers of the outcomes of all arms at the given places.
select rowid
from outcome
semi join (
    select unnest($scenarios::varchar[]) as scenario, unnest($models::varchar[]) as model,
           unnest($repeats::integer[]) as repeat
) using (scenario, model, repeat)
where run = $run
  and not exists (
      select 1 from rerun
      where rerun.run = outcome.run and rerun.trial = outcome.trial and rerun.rerun > outcome.rerun
  )
