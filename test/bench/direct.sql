-- p95 by op of all stored spans, without unpacking them.
SELECT k.key AS op, apm.percentile(k.durations, 0.95) FROM (SELECT apm.durations_by_op(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k
