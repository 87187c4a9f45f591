-- Pairs of the r-th scored trial of a variant and of the baseline in each stratum, r counted in
-- order of the repeat. Only complete epochs count: an epoch is complete when each of its $per_epoch
-- trials has an outcome, lost ones included. Within them every stratum gives the same number of
-- pairs. An e-value watched inside an epoch in a fixed order is not valid.
with epochs as (
    select repeat, count(*) = $per_epoch as complete
    from outcome_now where run = $run and not twin group by repeat
),
closed as (
    -- Leading complete epochs: the first gap ends them.
    select count(*) as epochs
    from (select repeat, row_number() over (order by repeat) - 1 as place from epochs where complete)
    where repeat = place
),
arm as (
    -- The scored replies of one arm in one stratum, in order of the repeat. Lists, because a window
    -- over every row and a join of the rows took four times as long on a million outcomes.
    select variant, scenario, model, list(coercive order by repeat) as replies
    from outcome_now
    where run = $run and status = 'scored' and not twin and repeat < (select epochs from closed)
      and ($until is null or repeat < $until)
    group by all
),
paired as (
    select v.variant, v.scenario, v.model, v.replies as treated, c.replies as control,
           least(len(v.replies), len(c.replies)) as pairs
    from arm v
    join arm c on c.variant = $baseline and c.scenario = v.scenario and c.model = v.model
    where v.variant <> $baseline
),
common as (select variant, min(pairs) as pairs from paired group by variant),
zipped as (
    select variant, scenario, model,
           unnest(list_slice(treated, 1, common.pairs)) as treated,
           unnest(list_slice(control, 1, common.pairs)) as control
    from paired join common using (variant)
)
select variant, scenario, model,
       count(*) filter (treated and not control) as variant_only,
       count(*) filter (control and not treated) as control_only,
       count(*) filter (treated = control)       as concordant
from zipped
group by all
order by all
