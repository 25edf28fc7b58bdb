SELECT * FROM apm.load_demo(part => 'before');

\echo '-- The generator counts what it makes; apm.endpoints() sees only what is stored'
CREATE VIEW demo_differences AS
SELECT project_id, transaction_name, op, e.transactions, t.count AS made, e.p95_ms, t.p95_ms AS made_p95_ms
  FROM (SELECT * FROM apm.endpoints(since => now() - interval '25 hours') WHERE project_id > 900000) e
  FULL JOIN (SELECT *, transaction AS transaction_name FROM _apm.demo_truth) t USING (project_id, transaction_name, op)
 WHERE (e.transactions, e.users, e.miserable_users) IS DISTINCT FROM (t.count, t.users, t.miserable_users)
    OR (abs(e.failure_rate - t.failures / t.count::float8) < 1e-12) IS NOT TRUE
    OR (abs(e.apdex - t.apdex_300) < 1e-12) IS NOT TRUE
    OR abs(e.user_misery - t.user_misery) > 1e-12 OR (e.user_misery IS NULL) <> (t.user_misery IS NULL)
    OR (abs(e.p95_ms - t.p95_ms) <= t.p95_ms / 100) IS NOT TRUE;
