-- A trial that stands in the table twice.
select variant, scenario, model, repeat::varchar
from trial
group by variant, scenario, model, epoch, repeat
having count(*) > 1
limit 1
