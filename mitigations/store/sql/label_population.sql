-- Trials a person can label: scored, and no benign twins. The verdict is the one that counted.
select trial, variant, case when coercive then 'coercive' else 'clean' end as judged
from outcome_now where run = $run and status = 'scored' and not twin and coercive is not null
order by trial
