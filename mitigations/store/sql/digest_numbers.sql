-- The part of the digest that every number of a report stands on: columns without the long texts.
-- A sixth of the work of `digest.sql`; `store/digest.py` computes the same.
select count(*)::bigint as outcomes,
       coalesce(bit_xor(md5_number(concat_ws(chr(31),
           trial, variant, treatment_hash, scenario, scenario_hash, twin, model, repeat, position,
           status, coalesce(coercive::varchar, '-'), coalesce(severity::varchar, '-'),
           coalesce(rule_severity::varchar, '-'),
           coalesce(task_completed::varchar, '-'), coalesce(needless_refusal::varchar, '-'),
           coalesce(needless_escalation::varchar, '-'), coalesce(duty_reported::varchar, '-'),
           requested_model, served_model, fingerprint,
           coalesce(floor(cost_usd * 1e9 + 0.5)::bigint::varchar, '-'), coalesce(rerun, 0)
       )))::varchar, '0') as digest
from outcome where run = $run
