-- One row a cell. The last three columns tell whether the repeats are exactly min, ..., max.
select variant, scenario, model,
       count(*)                     as trials,
       count(outcome)               as scored,
       coalesce(sum(outcome), 0)    as coercive,
       min(repeat)                  as first_repeat,
       max(repeat)                  as last_repeat,
       bit_xor(hash(repeat))        as repeats
from trial
group by all
order by all
