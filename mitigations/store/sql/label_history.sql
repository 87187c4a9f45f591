select n, item, trial, who, severity, note, text_hash, labelled_at
from label where run = $run order by n
