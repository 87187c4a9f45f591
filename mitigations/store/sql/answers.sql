-- Distinct sent actions within each cell: repeats that copy an answer are not new evidence. Told apart
-- by 64-bit hash, at half the time: within a cell of 10,000 trials two answers are mistaken for one
-- with a chance of 3 in 10^12.
select variant, scenario, model, count(*) as trials, count(distinct hash(actions)) as distinct_answers
from outcome_now where run = $run and status = 'scored' and not twin
group by all order by all
