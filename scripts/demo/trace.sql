SELECT trace_id, max(t.duration_ms) AS longest_ms, string_agg(DISTINCT e.type, ', ') AS errors
  FROM apm.transactions t JOIN apm.errors e USING (trace_id)
 WHERE t.project_id > 900000
 GROUP BY trace_id ORDER BY longest_ms DESC LIMIT 1;
\gset
SELECT apm.waterfall(:'trace_id');
