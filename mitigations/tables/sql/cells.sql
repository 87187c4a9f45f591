-- One row a cell and run. The last two columns tell whether the repeats are consecutive, without copies.
select variant, scenario, model, run,
       count(*)                     as trials,
       count(outcome)               as scored,
       coalesce(sum(outcome), 0)    as coercive,
       sum(repeat)                  as repeat_sum,
       bit_xor(hash(repeat))        as repeats
from trial
group by all
order by all
