-- The latest answer of each labeller for each item; earlier answers stay in the table.
select n, item, trial, who, severity, note, text_hash, labelled_at
from label where run = $run
qualify row_number() over (partition by who, item order by n desc) = 1
order by n
