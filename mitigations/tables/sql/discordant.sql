-- Trials of the same repeat in both arms of which one alone was coercive.
select one.variant,
       count(*) filter (one.outcome > two.outcome) as variant_only,
       count(*) filter (one.outcome < two.outcome) as control_only
from trial as one
join trial as two using (scenario, model, epoch, repeat)
where two.variant = $baseline and one.variant <> $baseline
group by all
order by all
