-- Row numbers of the outcomes of all arms at the given places.
select rowid
from outcome
semi join (
    select unnest($scenarios::varchar[]) as scenario, unnest($models::varchar[]) as model,
           unnest($repeats::integer[]) as repeat
) using (scenario, model, repeat)
where run = $run
