select variant, status, count(*) as trials
from outcome where run = $run group by all order by all
