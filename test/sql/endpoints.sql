-- apm.endpoints, apm.timeseries and apm.web_vitals against PostgreSQL's own
-- aggregates over the same rows.  All in a transaction that is rolled back.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET client_min_messages = warning;
BEGIN;
CREATE TABLE endpoints_part PARTITION OF apm.transactions FOR VALUES FROM ('2011-03-01') TO ('2011-03-03');
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms,
                              environment, release, user_key, http_status, measurements, contexts)
  SELECT 4400 + i % 2, lpad(to_hex(i), 32, '0')::apm.trace_id, lpad(to_hex(i), 16, '0')::apm.span_id,
         'GET /' || i % 3, CASE WHEN i % 6 < 5 THEN 'http.server' ELSE 'pageload' END,
         (ARRAY['ok', 'ok', 'internal_error', 'cancelled', NULL, 'not_found'])[1 + i / 7 % 6]::apm.span_status,
         e - ms * interval '1 millisecond', e, ms,
         CASE WHEN i / 5 % 4 = 0 THEN 'staging' ELSE 'production' END, 'shop@' || i % 5,
         CASE WHEN i % 7 > 0 THEN 'id:' || i % 83 END, CASE WHEN i % 9 > 0 THEN 200 + i % 4 * 100 END,
         CASE WHEN i % 10 = 0 THEN jsonb_build_object('lcp', jsonb_build_object('value', i % 50 * 100, 'unit', 'millisecond'),
                                                      'cls', jsonb_build_object('value', i % 40 / 100.0)) END,
         CASE WHEN i % 20 = 0 THEN '{"browser": {"name": "Chrome Mobile"}}'::jsonb END
    FROM generate_series(1, 6000) i,
         LATERAL (SELECT ('x' || substr(md5(i::text), 1, 5))::bit(20)::int / 500.0::float8,
                         '2011-03-01 00:00:00+00'::timestamptz + i * interval '21 seconds') d (ms, e);

-- the whole table, row by row
CREATE TEMP TABLE truth ON COMMIT DROP AS
  SELECT project_id, name AS transaction_name, op, count(*) AS transactions,
         percentile_cont(ARRAY[0.5, 0.75, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms) AS p, avg(duration_ms) AS avg_ms,
         avg(CASE WHEN status NOT IN ('ok', 'cancelled', 'unknown') THEN 1 ELSE 0 END)::float8 AS failure_rate,
         ((count(*) FILTER (WHERE duration_ms <= 300) + count(*) FILTER (WHERE duration_ms > 300 AND duration_ms <= 1200) / 2.0) / count(*))::float8 AS apdex,
         count(DISTINCT user_key) AS users, count(DISTINCT user_key) FILTER (WHERE duration_ms > 1200) AS miserable_users,
         sum(duration_ms) AS total_ms
    FROM apm.transactions WHERE end_time >= '2011-03-01' AND end_time < '2011-03-03' GROUP BY project_id, name, op;
SELECT count(*) AS endpoints,
       count(*) FILTER (WHERE e.transactions = t.transactions) AS transactions,
       count(*) FILTER (WHERE abs(e.epm - t.transactions / 2880.0) < 1e-12) AS epm,
       count(*) FILTER (WHERE abs(e.p50_ms / p[1] - 1) <= 0.01 AND abs(e.p75_ms / p[2] - 1) <= 0.01
                          AND abs(e.p95_ms / p[3] - 1) <= 0.01 AND abs(e.p99_ms / p[4] - 1) <= 0.01) AS percentiles,
       count(*) FILTER (WHERE abs(e.avg_ms / t.avg_ms - 1) < 1e-12 AND abs(e.total_ms / t.total_ms - 1) < 1e-12) AS totals,
       count(*) FILTER (WHERE abs(e.failure_rate - t.failure_rate) < 1e-12 AND abs(e.apdex - t.apdex) < 1e-12) AS rates,
       count(*) FILTER (WHERE e.users = t.users AND e.miserable_users = t.miserable_users
                          AND abs(e.user_misery - (t.miserable_users + 5.8875) / (t.users + 117.75)) < 1e-12) AS users
  FROM truth t LEFT JOIN apm.endpoints('2011-03-01', '2011-03-03') e USING (project_id, transaction_name, op);
SELECT project_id, transaction_name, op, transactions, users, miserable_users, failure_rate
  FROM apm.endpoints('2011-03-01', '2011-03-03');
-- ordered by total time; no row beyond max_rows; filters; the window excludes its end
SELECT bool_and(total_ms <= before) FROM (SELECT total_ms, lag(total_ms, 1, total_ms) OVER () AS before FROM apm.endpoints('2011-03-01', '2011-03-03')) o;
SELECT count(*) FROM apm.endpoints('2011-03-01', '2011-03-03', max_rows => 2);
-- a few rows, for which alone users are counted, are those of all rows sorted likewise
SAVEPOINT s;
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, start_time, end_time, duration_ms, user_key)
  SELECT 4400, md5('few' || i)::uuid::apm.trace_id, '00000000000000a1', (ARRAY[NULL, '', 'few'])[1 + i % 3], (ARRAY[NULL, 'a'])[1 + i % 2], t, t, 5000 + i, 'u' || i % 7
    FROM (SELECT i, '2011-03-01 10:00Z'::timestamptz + i * interval '1 s' AS t FROM generate_series(1, 60) i) g;
SELECT o AS order_by, count(*) AS wrong
  FROM unnest('{total_ms,avg_ms,p50_ms,p75_ms,p95_ms,p99_ms,transactions,failure_rate}'::text[]) WITH ORDINALITY x (o, place)
       LEFT JOIN LATERAL ((SELECT * FROM apm.endpoints('2011-03-01', '2011-03-03', max_rows => 7, order_by => o))
                          EXCEPT ALL SELECT * FROM (SELECT e.* FROM apm.endpoints('2011-03-01', '2011-03-03') e
                            ORDER BY (to_jsonb(e) ->> o)::float8 DESC, project_id, transaction_name, op LIMIT 7) f) w ON true
 WHERE w.transactions IS NOT NULL OR (SELECT count(*) FROM apm.endpoints('2011-03-01', '2011-03-03', max_rows => 7, order_by => o)) <> 7
 GROUP BY o;
SELECT count(*) AS rows, count(users) AS counted FROM apm.endpoints('2011-03-01', '2011-03-03', 4400, max_rows => 6, order_by => 'p95_ms') WHERE p95_ms > 5000;
ROLLBACK TO s;
SELECT * FROM apm.endpoints(max_rows => 1, order_by => 'users');
ROLLBACK TO s;
SELECT * FROM apm.endpoints(order_by => NULL);
ROLLBACK TO s;
SELECT sum(transactions), (SELECT count(*) FROM apm.transactions WHERE project_id = 4401 AND environment = 'staging' AND release = 'shop@3' AND end_time < '2011-03-03')
  FROM apm.endpoints('2011-03-01', '2011-03-03', project_id => 4401, environment => 'staging', release => 'shop@3');
SELECT sum(transactions) FROM apm.endpoints('2011-03-01 00:00:21', '2011-03-01 00:00:42');
SAVEPOINT s;
SELECT count(*) FROM apm.endpoints('2011-03-03', '2011-03-01');
ROLLBACK TO s;
SELECT count(*) FROM apm.web_vitals('2011-03-03', '2011-03-01');
ROLLBACK TO s;
SELECT bool_and(apdex = 1) AS apdex_of_a_day FROM apm.endpoints('2011-03-01', '2011-03-03', threshold_ms => 86400000);
-- without arguments, and the window prunes partitions
SELECT count(*) >= 0 AS works FROM apm.endpoints();
CREATE TABLE endpoints_other PARTITION OF apm.transactions FOR VALUES FROM ('2011-03-03') TO ('2011-03-04');
CREATE FUNCTION pg_temp.scanned(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN QUERY SELECT r #>> '{}' FROM jsonb_path_query(plan, 'strict $.**."Relation Name"') r;
END $$;
SELECT DISTINCT s FROM _apm.cells('transactions', '2011-03-03', '2011-03-04', NULL, '{op}', '{n}', '{"project_id": 7}') c, pg_temp.scanned(c.cells) s WHERE s LIKE 'endpoints%';
SELECT DISTINCT s FROM _apm.cells('vitals', '2011-03-03', '2011-03-04', NULL, '{vital}', '{n}', '{"project_id": 7}') c, pg_temp.scanned(c.cells) s WHERE s LIKE 'endpoints%';

-- time series
CREATE TEMP TABLE hours ON COMMIT DROP AS
  SELECT date_trunc('hour', end_time) AS bucket, count(*) AS n, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95,
         avg(CASE WHEN status NOT IN ('ok', 'cancelled', 'unknown') THEN 1 ELSE 0 END)::float8 AS failure_rate
    FROM apm.transactions WHERE end_time >= '2011-03-01' AND end_time < '2011-03-03' GROUP BY 1;
SELECT count(*) AS buckets, count(*) FILTER (WHERE c.value = coalesce(h.n, 0)) AS counts,
       count(*) FILTER (WHERE c.samples = coalesce(h.n, 0)) AS samples, count(*) FILTER (WHERE c.value = 0) AS gaps
  FROM apm.timeseries('count()', '2011-03-01', '2011-03-03', '1 hour') c LEFT JOIN hours h USING (bucket);
SELECT count(*) AS buckets, count(value) AS filled, count(*) FILTER (WHERE abs(c.value / h.p95 - 1) <= 0.01) AS near,
       count(*) FILTER (WHERE c.value IS NULL AND h.n IS NULL AND c.samples = 0) AS gaps
  FROM apm.timeseries('p95(duration)', '2011-03-01', '2011-03-03', '1 hour') c LEFT JOIN hours h USING (bucket);
SELECT count(*) FILTER (WHERE abs(c.value - h.failure_rate) < 1e-12) AS equal, count(*)
  FROM apm.timeseries('failure_rate()', '2011-03-01', '2011-03-03', '1 hour') c JOIN hours h USING (bucket);
SELECT sum(value), (SELECT count(*) FROM apm.transactions WHERE project_id = 4400 AND name = 'GET /2' AND op = 'http.server'
                      AND environment = 'production' AND release = 'shop@1' AND end_time < '2011-03-03')
  FROM apm.timeseries('count()', '2011-03-01', '2011-03-03', '6 hours', 4400, 'GET /2', 'http.server', 'production', 'shop@1');
-- one transaction every 21 s; the first and the last bucket are cut, and a rate knows it
SELECT bucket, value::numeric(10, 4), samples FROM apm.timeseries('epm()', '2011-03-01 00:20', '2011-03-01 03:10', '1 hour');
SELECT bucket, value, samples FROM apm.timeseries('count()', '2011-03-01 00:20', '2011-03-01 03:10', '1 hour');
-- buckets are multiples of the step in UTC, weeks begin on Monday
SELECT min(bucket), max(bucket), count(*) FROM apm.timeseries('count()', '2011-03-01 00:03', '2011-03-01 01:00', '7 minutes');
SELECT to_char(bucket, 'Dy YYYY-MM-DD') AS week FROM apm.timeseries('count()', '2011-03-01', '1999-03-15', '7 days');
-- a step of its own choice; an empty window
SELECT count(*), min(bucket - prev), max(bucket - prev) FROM (SELECT bucket, lag(bucket) OVER (ORDER BY bucket) AS prev FROM apm.timeseries('count()', '2011-03-01', '2011-03-02')) x;
SELECT count(*), min(bucket - prev), max(bucket - prev) FROM (SELECT bucket, lag(bucket) OVER (ORDER BY bucket) AS prev FROM apm.timeseries('count()', '1990-03-01', '2011-03-02')) x;
SELECT count(*) FROM apm.timeseries('count()', '2011-03-01', '2011-03-01');
SELECT count(*) > 0 AS works FROM apm.timeseries();
SELECT count(*) FROM apm.timeseries('count()', '2011-03-01', '2011-03-01 03:03:20', '1 second');
SAVEPOINT s;
SELECT * FROM apm.timeseries('count()', '2011-03-01', '2011-03-03', '1 second');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('count()', '2011-03-01', '2011-03-03', '1 month');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('count()', '2011-03-01', '2011-03-03', '0');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('count()', '2011-03-03', '2011-03-01', '1 hour');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('count()', '-infinity', '2011-03-01', '1 hour');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('count()', '1001-01-01', '3001-01-01');
ROLLBACK TO s;
-- windows longer than an interval can say: not a number below 0
SELECT * FROM apm.timeseries('count()', '4713-01-01 BC', '294276-12-31', '1 hour');
ROLLBACK TO s;
SELECT * FROM apm.duration_percentiles('4713-01-01 BC', '294276-12-31', '1 hour');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('count()', '4713-01-01 BC', '294276-12-31');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('count()', '2011-03-01', '2011-03-03', '2000000000 days');
ROLLBACK TO s;
-- a window that begins within a bucket meets one more
SELECT * FROM apm.timeseries('count()', '2011-03-01 00:00:00.5', '2011-03-01 03:03:20.5', '1 s');
ROLLBACK TO s;
SELECT * FROM apm.endpoints(max_rows => -1);
ROLLBACK TO s;
SELECT * FROM apm.queries(max_rows => -1);
ROLLBACK TO s;
SELECT * FROM apm.endpoints('2011-03-01', '2011-03-01', threshold_ms => 'NaN');
ROLLBACK TO s;
SELECT * FROM apm.timeseries('cuont()');
ROLLBACK TO s;

SELECT count(*) FROM apm.timeseries('count()', '2011-03-01', '2011-03-01 03:03:20', '1 s');
SELECT count(*) FROM apm.timeseries('count()', '2011-03-01', '2011-03-02 01:00');
SELECT count(*) FROM apm.timeseries('count()', '2011-03-01 00:01', '2011-03-02 01:01');
SELECT epm > 0 AS positive FROM apm.endpoints('4713-01-01 BC', '294276-12-31') LIMIT 1;

-- web vitals
SELECT vital, samples, p75::numeric(10, 3), rating, good, meh, poor, score::numeric(10, 6)
  FROM apm.web_vitals('2011-03-01', '2011-03-03');
SELECT count(v) AS samples, percentile_cont(0.75) WITHIN GROUP (ORDER BY v)::numeric(10, 3) AS p75,
       count(*) FILTER (WHERE v < 2500) AS good, count(*) FILTER (WHERE v >= 2500 AND v < 4000) AS meh, count(*) FILTER (WHERE v >= 4000) AS poor
  FROM (SELECT (measurements #>> '{lcp,value}')::float8 AS v FROM endpoints_part) m;
SELECT sum(samples) FROM apm.web_vitals('2011-03-01', '2011-03-03', 4400, 'production', 'shop@0', 'GET /0');
SELECT count(*) >= 0 AS works FROM apm.web_vitals();
ROLLBACK;
