-- The demo load: made twice it is the same, stored it gives its own ground
-- truth, removed it leaves nothing.  All of it is rolled back.
\set ON_ERROR_ROLLBACK on
\set VERBOSITY default
\set SHOW_CONTEXT never
BEGIN;

SELECT apm.drop_demo();

-- Two parts are one load.
SELECT * FROM apm.load_demo(7, 900, '6 hours', '2026-03-02 18:00:00+00', 'before');
CREATE TEMP TABLE truth_before AS SELECT * FROM _apm.demo_truth;
SELECT * FROM apm.load_demo(part => 'after');
CREATE TEMP TABLE truth_in_parts AS SELECT * FROM _apm.demo_truth;
SELECT * FROM apm.load_demo(part => 'after');
SELECT * FROM apm.load_demo();
CREATE TEMP TABLE rows_in_parts AS SELECT * FROM apm.transactions WHERE project_id BETWEEN 900001 AND 900003;
SELECT apm.drop_demo();
SELECT service, transaction_count, child_span_count, error_count, accepted, rejected, skipped
  FROM apm.load_demo(7, 900, '6 hours', '2026-03-02 18:00:00+00');
(TABLE truth_in_parts EXCEPT TABLE _apm.demo_truth) UNION ALL (TABLE _apm.demo_truth EXCEPT TABLE truth_in_parts);
WITH again AS (SELECT * FROM apm.transactions WHERE project_id BETWEEN 900001 AND 900003)
SELECT (SELECT count(*) FROM (TABLE rows_in_parts EXCEPT TABLE again) m) AS missing,
       (SELECT count(*) FROM (TABLE again EXCEPT TABLE rows_in_parts) a) AS added;
SELECT sum(b.count) < sum(a.count) AS fewer_before, max(a.p95_ms) FILTER (WHERE a.transaction = 'POST /api/checkout')
         > 2 * max(b.p95_ms) FILTER (WHERE a.transaction = 'POST /api/checkout') AS checkout_became_slow
  FROM truth_before b JOIN truth_in_parts a USING (project_id, transaction, op);

-- Another seed is another load, the same seed the same bytes.
SELECT count(DISTINCT digest) AS loads, count(*) AS runs
  FROM (VALUES (1), (1), (2)) s (seed)
  CROSS JOIN LATERAL (SELECT md5(string_agg(md5(body), '' ORDER BY sent_us, project_id, kind)) AS digest
                        FROM _apm.demo_envelopes(s.seed, 60, 1, 60, '2026-03-01 18:00:00+00', '2026-03-02 18:00:00+00')) d;

-- What is stored gives the ground truth: exactly, by PostgreSQL's own aggregates.
SELECT project_id, transaction, op, t.count, e.count AS stored
  FROM _apm.demo_truth t
  FULL JOIN (SELECT project_id, name AS transaction, op, count(*),
                    count(*) FILTER (WHERE status NOT IN ('ok', 'cancelled', 'unknown')) AS failures,
                    percentile_cont(ARRAY[0.5, 0.75, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms) AS percentiles,
                    (count(*) FILTER (WHERE duration_ms <= 300) + count(*) FILTER (WHERE duration_ms > 300 AND duration_ms <= 1200) / 2.0) / count(*) AS apdex,
                    nullif(count(DISTINCT user_key), 0) AS users,
                    CASE WHEN count(user_key) > 0 THEN count(DISTINCT user_key) FILTER (WHERE duration_ms > 1200) END AS miserable_users
               FROM apm.transactions WHERE project_id BETWEEN 900001 AND 900003 GROUP BY project_id, name, op) e
 USING (project_id, transaction, op)
 WHERE (t.count, t.failures, t.users, t.miserable_users) IS DISTINCT FROM (e.count, e.failures, e.users, e.miserable_users)
    OR abs(t.apdex_300 - e.apdex) > 1e-12 OR abs(t.p50_ms - e.percentiles[1]) > 1e-6 OR abs(t.p75_ms - e.percentiles[2]) > 1e-6
    OR abs(t.p95_ms - e.percentiles[3]) > 1e-6 OR abs(t.p99_ms - e.percentiles[4]) > 1e-6;
SELECT project_id, transaction, t.errors, e.count AS stored
  FROM (SELECT project_id, transaction, sum(errors) AS errors FROM _apm.demo_truth GROUP BY 1, 2 HAVING sum(errors) > 0) t
  FULL JOIN (SELECT project_id, transaction_name AS transaction, count(*) FROM apm.errors WHERE project_id BETWEEN 900001 AND 900003 GROUP BY 1, 2) e
 USING (project_id, transaction)
 WHERE t.errors IS DISTINCT FROM e.count;

-- The shape of it: whole traces through all services, nothing outside the period.
CREATE TEMP TABLE span AS SELECT * FROM apm.spans WHERE project_id BETWEEN 900001 AND 900003;
SELECT bool_and(start_time >= '2026-03-02 12:00:00+00' AND start_time + duration_ms * interval '1 ms' <= '2026-03-02 18:00:00+00') AS in_period,
       count(DISTINCT (trace_id, span_id)) = count(*) AS distinct_ids,
       count(*) FILTER (WHERE parent_span_id IS NULL) = count(DISTINCT trace_id) AS one_root_each,
       bool_and(parent_span_id IS NULL OR EXISTS (SELECT FROM span p WHERE p.trace_id = s.trace_id AND p.span_id = s.parent_span_id)) AS parents_there
  FROM span s;
SELECT services, count(*) > 0 AS seen
  FROM (SELECT string_agg(DISTINCT project_id::text, ' ') AS services FROM span GROUP BY trace_id) t GROUP BY services ORDER BY services;
SELECT bool_and(EXISTS (SELECT FROM span s WHERE s.trace_id = e.trace_id AND s.span_id = e.span_id)) AS errors_name_spans, count(*) > 0 AS some
  FROM apm.errors e WHERE project_id BETWEEN 900001 AND 900003;
SELECT min(repeats) >= 10 AS repeats_a_query
  FROM (SELECT count(*) AS repeats FROM span
         WHERE transaction_name = 'GET /api/orders' AND description = 'SELECT * FROM order_items WHERE order_id = $1'
           AND segment_id IN (SELECT span_id FROM apm.transactions WHERE status = 'ok')
         GROUP BY trace_id) r;
SELECT count(DISTINCT release) AS releases, count(DISTINCT environment) AS environments, count(user_key) < count(*) AS some_without_user,
       bool_and(measurements ? 'lcp') FILTER (WHERE op = 'pageload') AS vitals
  FROM apm.transactions WHERE project_id BETWEEN 900001 AND 900003;

-- Nothing of it stays, in any table that knows projects.
CREATE FUNCTION pg_temp.rows_left() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  target regclass;
  n bigint;
  total bigint := 0;
BEGIN
  FOR target IN SELECT a.attrelid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                 WHERE a.attname = 'project_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                   AND c.relnamespace IN ('apm'::regnamespace, '_apm'::regnamespace)
  LOOP
    EXECUTE format('SELECT count(*) FROM %s WHERE project_id BETWEEN 900001 AND 900003', target) INTO n;
    total := total + n;
  END LOOP;
  RETURN total;
END $$;
SET LOCAL client_min_messages = warning;
SELECT apm.create_alert('demo test', 'p95(duration)', 900002, critical => 1, time_window => '6 hours') > 0 AS made;
RESET client_min_messages;
SELECT verdict FROM apm.evaluate_alerts('2026-03-02 18:00:00+00', 'demo test');
SELECT count(*) AS incidents, (SELECT count(*) FROM apm.notifications n WHERE n.incident_id = min(i.incident_id)) AS notifications
  FROM apm.incidents i WHERE rule_name = 'demo test';
SELECT pg_temp.rows_left() > 0 AS some_there;
SELECT apm.drop_demo() = count(*) AS removed_all FROM rows_in_parts;
SELECT pg_temp.rows_left();
SELECT count(*) FROM apm.incidents WHERE rule_name = 'demo test';

-- Refused at once.
SELECT * FROM apm.load_demo(part => 'after');
SELECT * FROM apm.load_demo(part => 'middle');
SELECT * FROM apm.load_demo(NULL);
SELECT * FROM apm.load_demo(transactions => 99);
SELECT * FROM apm.load_demo(transactions => 1000001);
SELECT * FROM apm.load_demo(span_of_time => '9 minutes');
SELECT * FROM apm.load_demo(until => 'infinity');
SELECT * FROM apm.load_demo(until => '1969-07-20');
SELECT apm.create_project('mine', 900002) IS NOT NULL AS made;
SELECT * FROM apm.load_demo();

ROLLBACK;
