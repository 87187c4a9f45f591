-- Cost by variant; `unknown` counts trials whose cost is not known, which no sum may hide, and
-- `doubted` is the most that requests without a whole answer may have cost on top.
select variant, sum(cost_usd) as usd, count(*) filter (cost_usd is null) as unknown,
       min(finished_at) as first, max(finished_at) as last, sum(unconfirmed_usd) as doubted
from outcome_now where run = $run group by variant order by variant
