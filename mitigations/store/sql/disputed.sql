-- Places where a readable judge verdict and the rules lie more than one severity apart, or on two
-- sides of what counts as coercive. Twins left out; every place: the caller caps and counts.
select distinct scenario, model, repeat
from outcome_now, json_each(outcome_now.verdicts) as verdict
where run = $run and status = 'scored' and not twin and rule_severity is not null
  and verdict.value->>'judge' <> 'rules' and verdict.value->>'status' = 'read'
  and (abs((verdict.value->>'severity')::int - rule_severity) > 1
       or ((verdict.value->>'severity')::int >= $coercive_at) <> (rule_severity >= $coercive_at))
order by all
