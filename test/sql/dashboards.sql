-- What dashboards ask for: lists of environments and releases, a trace in the
-- columns of Grafana's panel.
\getenv srcdir PG_ABS_SRCDIR
\set fixture :srcdir '/data/trace_fixture.sql'
SET TIME ZONE 'UTC';
SET datestyle = 'ISO, YMD';
BEGIN;
\i :fixture

INSERT INTO s VALUES
  (1, 910001, 16, 16, NULL, 'http.server', 'GET /', 0, 100, 'ok'),
  (1, 910001, 16, 17, 16, 'http.client', 'GET http://api/', 10.5, 80, 'internal_error'),
  (1, 910002, 32, 32, 17, 'http.server', 'GET /api', 20, 60.25, 'cancelled'),
  (1, 910002, 32, 33, 32, 'db', '', 30, 0.125, NULL),
  (1, 910002, 32, 34, 99, NULL, 'orphan', 31, 0.125, 'ok');
CALL pg_temp.store();
INSERT INTO apm.errors (project_id, trace_id, span_id, type, value, event_time, transaction_name) VALUES
  (910002, pg_temp.trace_no(1), pg_temp.span_no(33), 'OperationalError', 'connection lost', pg_temp.at(31), 'GET /api'),
  (910002, pg_temp.trace_no(1), pg_temp.span_no(4095), 'KeyError', NULL, pg_temp.at(5), 'GET /api'),
  (910002, pg_temp.trace_no(1), NULL, NULL, NULL, pg_temp.at(50), NULL);

-- Every span in its order, no error without a span, the times exact.
SELECT "traceID" = pg_temp.trace_no(1)::text AS same_trace, pg_temp.no("spanID"::apm.span_id) AS span, pg_temp.no("parentSpanID"::apm.span_id) AS parent,
       "operationName", "serviceName", "startTime" - extract(epoch FROM pg_temp.at(0))::float8 * 1000 AS offset_ms, duration, "statusCode", "statusMessage"
  FROM apm.grafana_trace(pg_temp.trace_no(1));
SELECT pg_temp.no("spanID"::apm.span_id) AS span, tags, "serviceTags" FROM apm.grafana_trace(pg_temp.trace_no(1));

-- A span that came twice is shown once, one for each project that sent it.
INSERT INTO s SELECT 5, project, 1, span, parent, op, '', begins, lasts, 'ok'
  FROM unnest(ARRAY[910001, 910001, 910002]) project,
       (VALUES (1, NULL::int, 'root', 0, 10), (2, 1, 'child', 2, 4)) v(span, parent, op, begins, lasts);
CALL pg_temp.store();
SELECT pg_temp.no("spanID"::apm.span_id) AS span, "serviceName", count(*) FROM apm.grafana_trace(pg_temp.trace_no(5)) GROUP BY 1, 2 ORDER BY 1, 2;

-- Nothing for an unknown trace and for NULL.
SELECT count(*) FROM apm.grafana_trace('ffffffffffffffffffffffffffffffff');
SELECT count(*) FROM apm.grafana_trace(NULL);

-- Arrays of keys and values: NULL left out, other values as they are.
SELECT _apm.key_values('{"b": 1, "a": {"x": [1, null]}, "c": null, "d": false, "e": ""}'), _apm.key_values('{}'), _apm.key_values(NULL);

-- Environments and releases by project; NULL is none.
INSERT INTO apm.transactions (project_id, trace_id, span_id, start_time, end_time, duration_ms, environment, release)
SELECT 910001 + n % 2, pg_temp.trace_no(100 + n), pg_temp.span_no(n + 1), pg_temp.at(n), pg_temp.at(n + 1), 1,
       (ARRAY['production', 'staging', NULL])[1 + n % 3], (ARRAY['shop@1.0', NULL])[1 + n % 2]
  FROM generate_series(0, 9) n;
SELECT project_id - 910000 AS project, environment, first_seen = pg_temp.at(first + 1) AS first_seen, last_seen = pg_temp.at(last + 1) AS last_seen
  FROM apm.environments
  FULL JOIN (SELECT 910001 + n % 2 AS project_id, (ARRAY['production', 'staging'])[1 + n % 3] AS environment, min(n) AS first, max(n) AS last
               FROM generate_series(0, 9) n WHERE n % 3 < 2 GROUP BY 1, 2) wanted USING (project_id, environment)
 WHERE project_id IN (910001, 910002)
 ORDER BY 1, 2;
SELECT project_id - 910000 AS project, release, first_seen = pg_temp.at(1) AS first_seen, last_seen = pg_temp.at(9) AS last_seen
  FROM apm.releases WHERE project_id IN (910001, 910002) ORDER BY 1, 2;

-- Percentiles in one pass are those of apm.timeseries, gaps and partial buckets
-- too.
CREATE FUNCTION pg_temp.differ(step interval, project integer, environment text) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM apm.duration_percentiles(pg_temp.at(-5500000), pg_temp.at(3100000), step, project, environment => environment) d
    FULL JOIN apm.timeseries('p50(duration)', pg_temp.at(-5500000), pg_temp.at(3100000), step, project, environment => environment) a USING (bucket)
    FULL JOIN apm.timeseries('p75(duration)', pg_temp.at(-5500000), pg_temp.at(3100000), step, project, environment => environment) b USING (bucket)
    FULL JOIN apm.timeseries('p95(duration)', pg_temp.at(-5500000), pg_temp.at(3100000), step, project, environment => environment) c USING (bucket)
    FULL JOIN apm.timeseries('p99(duration)', pg_temp.at(-5500000), pg_temp.at(3100000), step, project, environment => environment) e USING (bucket)
   WHERE ROW(d.samples, d.p50_ms, d.p75_ms, d.p95_ms, d.p99_ms) IS DISTINCT FROM ROW(a.samples, a.value, b.value, c.value, e.value)
$$;
INSERT INTO apm.transactions (project_id, trace_id, span_id, start_time, end_time, duration_ms, environment)
SELECT 910001 + abs(n) % 2, pg_temp.trace_no(2000 + n), pg_temp.span_no(n + 2000), pg_temp.at(n * 4000 - abs(n) % 900), pg_temp.at(n * 4000), abs(n) % 900,
       (ARRAY['production', 'staging', NULL])[1 + abs(n) % 3]
  FROM generate_series(-1300, 700) n WHERE abs(n) % 400 < 250;
SELECT step, project - 910000 AS project, environment, pg_temp.differ(step, project, environment) AS wrong,
       (SELECT (count(*) > 2, count(*) = count(p50_ms), sum(samples) > 400)
          FROM apm.duration_percentiles(pg_temp.at(-5500000), pg_temp.at(3100000), step, project, environment => environment)) AS points_full_many
  FROM (VALUES ('1 hour'::interval, NULL::int, NULL), ('7 minutes', NULL, NULL), ('10 seconds', NULL, NULL), ('1 hour', 910001, NULL), ('30 minutes', NULL, 'staging')) v (step, project, environment);
SELECT p50_ms = (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) FROM apm.transactions WHERE project_id = 910002 AND end_time >= pg_temp.at(0) AND end_time < pg_temp.at(120000)) AS exact
  FROM apm.duration_percentiles(pg_temp.at(0), pg_temp.at(120000), '1 day', 910002);

-- The bounds and the step are checked as there.
\set SHOW_CONTEXT never
SAVEPOINT a;
SELECT * FROM apm.duration_percentiles(NULL);
ROLLBACK TO a;
SELECT * FROM apm.duration_percentiles(step => '1 month');
ROLLBACK;
