-- Number of outcome rows and an order-free digest of what they hold: the XOR of the MD5 of each row.
-- `store/digest.py` computes the same from the outcomes themselves. Two equal rows would cancel in
-- the XOR; the count tells. Fractions are whole thousand-millionths, so that both sides round alike.
select count(*)::bigint as outcomes,
       coalesce(bit_xor(md5_number(concat_ws(chr(31),
           run, trial, plan, variant, treatment_hash, scenario, scenario_hash, twin, model,
           repeat, seed, position, status,
           coalesce(coercive::varchar, '-'), coalesce(severity::varchar, '-'),
           array_to_string(behaviours, ','),
           coalesce(rule_severity::varchar, '-'), array_to_string(rule_behaviours, ','),
           coalesce(task_completed::varchar, '-'), coalesce(needless_refusal::varchar, '-'),
           coalesce(needless_escalation::varchar, '-'), coalesce(duty_reported::varchar, '-'),
           facts, assessment, verdicts, actions, reply_text, reasoning, nuisance,
           requested_model, served_model, fingerprint, sent,
           coalesce(input_tokens::varchar, '-'), coalesce(output_tokens::varchar, '-'),
           coalesce(cached_tokens::varchar, '-'),
           coalesce(floor(cost_usd * 1e9 + 0.5)::bigint::varchar, '-'),
           floor(latency_s * 1e9 + 0.5)::bigint, turns, attempts, finished_at, detail,
           coalesce(cache_write_tokens::varchar, '-'), coalesce(rerun, 0),
           floor(coalesce(unconfirmed_usd, 0) * 1e9 + 0.5)::bigint
       )))::varchar, '0') as digest
from outcome where run = $run
