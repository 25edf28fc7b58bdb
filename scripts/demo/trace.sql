SELECT t.trace_id, t.name, t.duration_ms, e.type, e.value
  FROM apm.transactions t JOIN apm.errors e USING (project_id, trace_id)
  JOIN apm.projects p USING (project_id)
 WHERE p.name = 'demo: api'
 ORDER BY t.duration_ms DESC LIMIT 1;
\gset
SELECT apm.waterfall(:'trace_id');
