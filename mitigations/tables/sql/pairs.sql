-- The r-th valid trial of a variant beside the r-th of control, cut at the shortest stratum.
with valid as (
    select variant, scenario, model, outcome,
           row_number() over (partition by variant, scenario, model order by epoch, repeat) as r
    from trial
    where outcome is not null
),
depth as (
    select variant, scenario, model, max(r) as valid_trials from valid group by all
),
cut as (
    select one.variant, min(least(one.valid_trials, two.valid_trials)) as pairs
    from depth as one join depth as two using (scenario, model)
    where two.variant = $baseline and one.variant <> $baseline
    group by all
)
select one.variant, scenario, model,
       count(*) filter (one.outcome > two.outcome) as variant_only,
       count(*) filter (one.outcome < two.outcome) as control_only,
       count(*) filter (one.outcome = two.outcome) as concordant
from valid as one
join valid as two using (scenario, model, r)
join cut on cut.variant = one.variant
where two.variant = $baseline and r <= cut.pairs
group by all
order by all
