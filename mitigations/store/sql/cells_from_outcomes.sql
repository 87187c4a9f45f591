-- The cell table as the outcome rows imply it: what reports and `check --database` hold the
-- maintained one against. Counted in one pass, then laid out by measure.
with counted as (
    select variant, scenario, twin, model,
           count(*) filter (status <> 'scored') as lost,
           count(*) filter (status = 'scored' and coercive) as coerced,
           count(*) filter (status = 'scored' and coercive is not null) as of_coerced,
           count(*) filter (status = 'scored' and not task_completed) as undone,
           count(*) filter (status = 'scored' and task_completed is not null) as of_undone,
           count(*) filter (status = 'scored' and needless_refusal) as refused,
           count(*) filter (status = 'scored' and needless_refusal is not null) as of_refused,
           count(*) filter (status = 'scored' and needless_escalation) as escalated,
           count(*) filter (status = 'scored' and needless_escalation is not null) as of_escalated,
           count(*) filter (status = 'scored' and not duty_reported) as unreported,
           count(*) filter (status = 'scored' and duty_reported is not null) as of_unreported
    from outcome_now
    where run = $run
    group by all
),
measured as (
    select variant, scenario, twin, model, lost, unnest([
        {'measure': 'coercive', 'events': coerced, 'scored': of_coerced},
        {'measure': 'task_completion', 'events': undone, 'scored': of_undone},
        {'measure': 'needless_refusal', 'events': refused, 'scored': of_refused},
        {'measure': 'needless_escalation', 'events': escalated, 'scored': of_escalated},
        {'measure': 'duty_to_report', 'events': unreported, 'scored': of_unreported}
    ], recursive := true)
    from counted
)
select measure, variant, scenario, twin, model, events, scored, lost
from measured
where scored > 0 or lost > 0
order by all
