-- Pairs of the r-th scored trial of a variant and of the baseline in each stratum, r counted in
-- order of the repeat. Only complete epochs count: an epoch is complete when each of its $per_epoch
-- trials has an outcome, lost ones included. Within them every stratum gives the same number of
-- pairs. An e-value watched inside an epoch in a fixed order is not valid.
with epochs as (
    select repeat, count(*) = $per_epoch as complete
    from outcome where run = $run and not twin group by repeat
),
closed as (
    -- Leading complete epochs: the first gap ends them.
    select count(*) as epochs
    from (select repeat, row_number() over (order by repeat) - 1 as place from epochs where complete)
    where repeat = place
),
scored as (
    select variant, scenario, model, coercive,
           row_number() over (partition by variant, scenario, model order by repeat) as r
    from outcome
    where run = $run and status = 'scored' and not twin and repeat < (select epochs from closed)
),
paired as (
    select v.variant, v.scenario, v.model, v.r, v.coercive as treated, c.coercive as control
    from scored v
    join scored c on c.variant = $baseline and c.scenario = v.scenario and c.model = v.model and c.r = v.r
    where v.variant <> $baseline
),
common as (
    select variant, min(pairs) as pairs
    from (select variant, scenario, model, count(*) as pairs from paired group by all)
    group by variant
)
select variant, scenario, model,
       count(*) filter (treated and not control) as variant_only,
       count(*) filter (control and not treated) as control_only,
       count(*) filter (treated = control)       as concordant
from paired join common using (variant)
where r <= common.pairs
group by all
order by all
