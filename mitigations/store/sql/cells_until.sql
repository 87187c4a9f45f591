-- Coercive counts of the first $epochs epochs, twins left out: what a look may see.
select variant, scenario, model,
       count(*) filter (status = 'scored' and coercive) as events,
       count(*) filter (status = 'scored')              as scored,
       count(*) filter (status <> 'scored')             as lost
from outcome_now where run = $run and not twin and repeat < $epochs
group by all order by all
