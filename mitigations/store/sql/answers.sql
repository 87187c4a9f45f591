-- Distinct sent actions within each cell: repeats that copy an answer are not new evidence.
select variant, scenario, model, count(*) as trials, count(distinct actions) as distinct_answers
from outcome where run = $run and status = 'scored' and not twin
group by all order by all
