SELECT * FROM apm.incidents;

SELECT * FROM apm.notifications;

SELECT release, count(*), apm.p50(duration_ms), apm.p95(duration_ms)
  FROM apm.transactions WHERE project_id = 900002 AND name = 'POST /api/checkout'
 GROUP BY release ORDER BY release;
