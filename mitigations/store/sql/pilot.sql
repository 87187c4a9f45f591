-- What earlier runs say of a baseline: coercive of scored trials of this treatment, by model.
select model, count(*) filter (coercive)::bigint as coercive, count(*)::bigint as scored,
       count(distinct run)::bigint as runs
from outcome_now
where treatment_hash = $treatment and status = 'scored' and not twin
  and scenario_hash in (select unnest($scenarios::varchar[]))
group by model order by model
