-- The same where repeats are text: only counting the distinct ones tells copies apart.
select variant, scenario, model, run,
       count(*)                     as trials,
       count(outcome)               as scored,
       coalesce(sum(outcome), 0)    as coercive
from trial
group by all
order by all
