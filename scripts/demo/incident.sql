SELECT incident_id, rule_name, status, severity, round(opened_value) AS p95_ms, opened_at FROM apm.incidents;

SELECT notification_id, idempotency_key, jsonb_pretty(payload) AS payload, created_at FROM apm.notifications;

\echo '-- Which release did it?'
SELECT release, min(start_time) AS first_seen, count(*), round(apm.p50(duration_ms)) AS p50, round(apm.p95(duration_ms)) AS p95
  FROM apm.transactions WHERE project_id = 900002 AND name = 'POST /api/checkout'
 GROUP BY release ORDER BY first_seen;
