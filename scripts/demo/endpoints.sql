SELECT e.transaction_name AS endpoint, e.op, e.transactions AS count, t.count AS made, round(e.epm::numeric, 2) AS per_minute,
       round(e.p50_ms::numeric) AS p50, round(e.p75_ms::numeric) AS p75,
       round(e.p95_ms::numeric, 1) AS p95, round(t.p95_ms::numeric, 1) AS made_p95, round(e.p99_ms::numeric) AS p99,
       round(100 * e.failure_rate::numeric, 2) AS failed_pct, round(e.apdex::numeric, 3) AS apdex,
       e.users, round(e.user_misery::numeric, 3) AS misery
  FROM apm.endpoints(since => now() - interval '25 hours') e
  JOIN _apm.demo_truth t ON (t.project_id, t.transaction, t.op) = (e.project_id, e.transaction_name, e.op)
 ORDER BY e.project_id, e.transactions DESC;

SELECT * FROM demo_differences;
