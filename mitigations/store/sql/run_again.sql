-- Trials that an error had lost and that were run again, and how many of them are scored now.
select count(*), count(*) filter (status = 'scored')
from outcome_now where run = $run and rerun > 0
