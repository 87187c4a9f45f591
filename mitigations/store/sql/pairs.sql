-- Pairs of the r-th scored trial of a variant and of the baseline in each stratum, r counted in
-- order of the repeat. Only pairs that every stratum has are given (a complete epoch): an e-value
-- watched inside an epoch in a fixed order is not valid.
with scored as (
    select variant, scenario, model, coercive,
           row_number() over (partition by variant, scenario, model order by repeat) as r
    from outcome
    where run = $run and status = 'scored' and not twin
),
paired as (
    select v.variant, v.scenario, v.model, v.r, v.coercive as treated, c.coercive as control
    from scored v
    join scored c on c.variant = $baseline and c.scenario = v.scenario and c.model = v.model and c.r = v.r
    where v.variant <> $baseline
),
closed as (
    select variant, min(pairs) as epochs
    from (select variant, scenario, model, count(*) as pairs from paired group by all)
    group by variant
)
select variant, scenario, model,
       count(*) filter (treated and not control) as variant_only,
       count(*) filter (control and not treated) as control_only,
       count(*) filter (treated = control)       as concordant
from paired join closed using (variant)
where r <= epochs
group by all
order by all
