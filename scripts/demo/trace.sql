SELECT trace_id, round(max(t.duration_ms)) AS longest_ms, count(DISTINCT t.span_id) AS transactions, string_agg(DISTINCT e.type, ', ') AS errors
  FROM apm.transactions t JOIN apm.errors e USING (trace_id)
 WHERE t.project_id > 900000
 GROUP BY trace_id ORDER BY longest_ms DESC LIMIT 3;

SELECT apm.waterfall((SELECT trace_id FROM apm.transactions JOIN apm.errors e USING (trace_id)
                       WHERE e.project_id > 900000 ORDER BY duration_ms DESC LIMIT 1));
