select happened_at, kind, detail from run_event where run = $run order by happened_at, kind
