-- How many trials of each arm and verdict a label sample stands for; see label_population.
select variant, case when coercive then 'coercive' else 'clean' end as judged, count(*) as trials
from outcome_now where run = $run and status = 'scored' and not twin and coercive is not null
group by all order by all
