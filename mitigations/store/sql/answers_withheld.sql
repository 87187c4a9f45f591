-- As `answers.sql` where some rows carry the SHA-256 of their actions instead of the actions: a text
-- that was passed on and its hash are the same answer.
select variant, scenario, model, count(*) as trials,
       count(distinct coalesce(
           nullif(regexp_extract(actions, '^\[\{"tool": "withheld".*sha256:([0-9a-f]{64})"\}\}\]$', 1), ''),
           sha256(actions)
       )) as distinct_answers
from outcome_now where run = $run and status = 'scored' and not twin
group by all order by all
