-- As `pairs`, from complete epochs only: those in which the variant and control have the same
-- number of trials, lost ones included, in every stratum that both of them have.
with size as (
    select variant, scenario, model, epoch, count(*) as trials from trial group by all
),
cell as (
    select distinct variant, scenario, model from size
),
stratum as (
    select one.variant, scenario, model
    from cell as one join cell as two using (scenario, model)
    where two.variant = $baseline and one.variant <> $baseline
),
needed as (
    select variant, 2 * count(*) as cells from stratum group by all
),
complete as (
    select stratum.variant, size.epoch
    from stratum
    join needed on needed.variant = stratum.variant
    join size on size.scenario = stratum.scenario and size.model = stratum.model
        and size.variant in (stratum.variant, $baseline)
    group by stratum.variant, size.epoch
    having min(size.trials) = max(size.trials) and count(*) = min(needed.cells)
),
valid as (
    select complete.variant, trial.variant = $baseline as control, scenario, model, outcome,
           row_number() over (
               partition by complete.variant, trial.variant, scenario, model
               order by trial.epoch, repeat
           ) as r
    from complete
    join trial on trial.epoch is not distinct from complete.epoch
        and trial.variant in (complete.variant, $baseline)
    where outcome is not null
),
depth as (
    select variant, control, scenario, model, max(r) as valid_trials from valid group by all
),
cut as (
    select variant, min(least(one.valid_trials, two.valid_trials)) as pairs
    from depth as one join depth as two using (variant, scenario, model)
    where two.control and not one.control
    group by all
)
select variant, scenario, model,
       count(*) filter (one.outcome > two.outcome) as variant_only,
       count(*) filter (one.outcome < two.outcome) as control_only,
       count(*) filter (one.outcome = two.outcome) as concordant
from valid as one
join valid as two using (variant, scenario, model, r)
join cut using (variant)
where two.control and not one.control and r <= cut.pairs
group by all
order by all
