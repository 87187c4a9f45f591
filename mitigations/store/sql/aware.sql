-- Per arm, evaluation cue and what the visible reasoning says: scored trials and coercive ones among
-- them. Twins left out; an empty state: this version of the probe has not read them.
select variant, coalesce(evaluation_cue, '') as cue, coalesce(state, '') as said,
       count(*) filter (coercive) as coercive, count(*) as scored
from outcome_now
left join (select * from awareness where run = $run and probe = $probe) as read
    on read.trial = outcome_now.trial and read.rerun = outcome_now.rerun
left join (select distinct hash, evaluation_cue from scenario_version) as s
    on s.hash = outcome_now.scenario_hash
where outcome_now.run = $run and status = 'scored' and not twin and coercive is not null
group by all order by all
