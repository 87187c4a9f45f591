-- The last line of the journal of labels that the database holds.
select coalesce(max(n), 0)::bigint
from (select n from label_draw where run = $run union all select n from label where run = $run)
