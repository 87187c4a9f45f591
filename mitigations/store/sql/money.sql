-- Cost by variant; `unknown` counts trials whose cost is not known, which no sum may hide.
select variant, sum(cost_usd) as usd, count(*) filter (cost_usd is null) as unknown,
       min(finished_at) as first, max(finished_at) as last
from outcome where run = $run group by variant order by variant
