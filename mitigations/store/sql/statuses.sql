select variant, status, count(*) as trials
from outcome_now where run = $run group by all order by all
