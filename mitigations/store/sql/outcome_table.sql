-- The trials of a run as `mitigations analyze` reads them, with what else is a number or a name: no
-- text that a scenario, a model or a judge wrote. An epoch visits every cell once, so it is the repeat.
select r.study, o.run, o.variant, o.scenario, o.model, o.repeat as epoch, o.repeat, o.coercive, o.twin,
       $baseline::varchar as baseline, o.status, o.severity, o.rule_severity,
       array_to_string(o.behaviours, ' ') as behaviours,
       o.task_completed, o.needless_refusal, o.needless_escalation, o.duty_reported,
       s.threat, s.leverage, s.goal_conflict, s.channel, s.time_pressure, s.agency_line,
       s.evaluation_cue, s.tool_reach, s.twin_of,
       o.requested_model, o.served_model, o.input_tokens, o.output_tokens, o.cached_tokens,
       o.cost_usd, o.latency_s, o.turns, o.attempts, o.rerun, o.seed, o.position, o.finished_at,
       o.trial, o.treatment_hash, o.scenario_hash
from outcome_now o
join run r on r.run = o.run
left join (select distinct on (hash) * from scenario_version) s on s.hash = o.scenario_hash
where o.run = $run
order by o.position, o.trial
