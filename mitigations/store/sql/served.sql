-- What was asked of each model and what answered. `sent` is the set of distinct parameter records.
select model,
       list(distinct served_model order by served_model) filter (served_model <> '') as served,
       list(distinct fingerprint order by fingerprint) filter (fingerprint <> '')   as fingerprints,
       list(distinct sent order by sent)                                            as sent,
       sum(turns)::bigint                                                           as calls
from outcome_now where run = $run group by model order by model
