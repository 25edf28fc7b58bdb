-- Sampled data, comparisons, thresholds, assertions, small formulas.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
-- counts: the vectors, and the formula
SELECT (e).value, (e).half_width::numeric(8, 2), (e).reliability, (e).samples, (e).sample_rate FROM (SELECT apm.estimate_count(10) AS e FROM generate_series(1, 100)) t;
SELECT (e).value, (e).half_width::numeric(8, 2), (e).reliability, (e).samples, (e).sample_rate FROM (SELECT apm.estimate_count(2) AS e FROM generate_series(1, 40)) t;
SELECT (e).value, (e).half_width, (e).reliability FROM (SELECT apm.estimate_count(NULL) AS e FROM generate_series(1, 7)) t;
SELECT (e).reliability, (e).samples FROM (SELECT apm.estimate_count(100) AS e FROM generate_series(1, 3)) t;
SELECT apm.estimate_count(1) IS NULL AS count, apm.estimate_sum(1, 1) IS NULL AS sum, apm.estimate_avg(1, 1) IS NULL AS avg FROM generate_series(1, 0);
SELECT apm.estimate_sum(NULL, 1) IS NULL AS sum, apm.estimate_avg(NULL, 1) IS NULL AS avg;
CREATE TEMP TABLE samples AS SELECT i % 5 AS grp, (i * 7919 % 1000) / 3.0::float8 AS x, (ARRAY[1, 2, 4, 10, NULL])[1 + i % 7 % 5]::float8 AS w FROM generate_series(1, 3000) i;
WITH naive AS (
  SELECT grp, round(sum(coalesce(w, 1))) AS count, 1.96 * sqrt(sum(coalesce(w, 1) ^ 2 - coalesce(w, 1))) AS count_half,
         sum(x * coalesce(w, 1)) AS sum, 1.96 * sqrt(sum(x ^ 2 * (coalesce(w, 1) ^ 2 - coalesce(w, 1)))) AS sum_half
    FROM samples GROUP BY grp),
measured AS (SELECT grp, apm.estimate_count(w) AS c, apm.estimate_sum(x, w) AS s, apm.estimate_avg(x, w) AS a FROM samples GROUP BY grp)
SELECT grp, (c).value = count AS count, abs((c).half_width - count_half) < 1e-6 AS count_half, abs((s).value / sum - 1) < 1e-12 AS sum, abs((s).half_width / sum_half - 1) < 1e-9 AS sum_half,
       abs((a).value / (sum / count) - 1) < 1e-9 AS avg,
       abs((a).half_width / (((sum + sum_half * 2.24 / 1.96) / (count - count_half * 2.24 / 1.96) - (sum - sum_half * 2.24 / 1.96) / (count + count_half * 2.24 / 1.96)) / 2) - 1) < 1e-9 AS avg_half,
       (a).reliability
  FROM naive JOIN measured USING (grp) ORDER BY grp;
SELECT (a).half_width, (a).reliability FROM (SELECT apm.estimate_avg(5, 100) AS a) s;
SELECT apm.estimate_count(-1);
SELECT apm.estimate_sum(1, 'NaN');
SELECT apm.estimate_avg(1, 'infinity');
-- a row of weight 3 counts as three rows
SELECT apm.apdex(x, 100, w) = (SELECT apm.apdex(x, 100) FROM samples, generate_series(1, coalesce(w, 1)::int)) AS apdex,
       apm.failure_rate(CASE WHEN grp = 0 THEN 'internal_error' ELSE 'ok' END::apm.span_status, w) =
       (SELECT apm.failure_rate(CASE WHEN grp = 0 THEN 'internal_error' ELSE 'ok' END::apm.span_status) FROM samples, generate_series(1, coalesce(w, 1)::int)) AS failure_rate
  FROM samples;
SELECT apm.apdex(1, 300, 0) IS NULL AS no_weight, apm.failure_rate('ok', 0) IS NULL AS no_weight_2, apm.apdex(1, 300, 0.5) AS half;
SELECT apm.apdex(1, 300, -1);
SELECT apm.failure_rate('ok', 'infinity');
SELECT apm.failure_rate('ok', 1e30);

-- shares
SELECT apm.share(v) AS share, apm.cache_miss_rate(v) AS misses FROM (VALUES (true), (true), (NULL), (false), (true)) t (v);
SELECT apm.share(v) IS NULL AS share, apm.cache_miss_rate(v) IS NULL AS misses FROM (SELECT NULL::boolean) t (v);
SELECT apm.trace_status_rate(s, 'not_found') AS not_found, apm.trace_status_rate(s, 'ok') AS ok FROM (VALUES ('ok'::apm.span_status), ('not_found'), (NULL), ('ok'), ('not_found'), ('ok'), ('aborted'), ('ok')) t (s);
SELECT apm.trace_status_rate(s, 'ok') IS NULL AS no_row FROM (SELECT 'ok'::apm.span_status) t (s) WHERE false;

-- throughput
SELECT apm.eps(120, '1 minute') AS eps, apm.epm(120, '1 minute') AS epm, apm.epm(0, '1 hour') AS zero, apm.epm(1, '0') IS NULL AS no_window, apm.epm(1, '-1 hour') IS NULL AS backwards;
SELECT n, apm.floored_epm(n, '1 minute') FROM unnest('{0,0.05,1,9.99,10,999,1000,12345}'::float8[]) n;

-- percentiles of sketches
SELECT (e).value, (e).half_width, (e).reliability, (e).samples, (e).sample_rate FROM (SELECT apm.estimate_percentile(apm.sketch_agg(i), 0.5) AS e FROM generate_series(1, 21) i) t;
SELECT abs((e).value / 500.5 - 1) < 0.01 AS value, abs((e).half_width - 34.5) < 6 AS half_width, (e).reliability, (e).samples FROM (SELECT apm.estimate_percentile(apm.sketch_agg(i), 0.5) AS e FROM generate_series(1, 1000) i) t;
SELECT (e).sample_rate FROM (SELECT apm.estimate_percentile(apm.sketch_agg(i, 4), 0.5) AS e FROM generate_series(1, 10) i) t;
SELECT apm.estimate_percentile(NULL, 0.5) IS NULL AS nothing;
SELECT apm.upper_outer_fence(apm.sketch_agg(i)) AS fence, 76 + 3 * (76 - 26) AS truth FROM generate_series(1, 101) i, generate_series(1, 1) WHERE i % 4 = 1;
SELECT apm.histogram_bucket(v, 10) AS tens, apm.histogram_bucket(v, 10, 5) AS from_5, apm.histogram_bucket(v, 25, 0, 100) AS quarters, apm.histogram_bucket(v, 0) IS NULL AS none FROM (VALUES (0::float8), (9.99), (10), (-1), (0.3)) t (v);
-- the same load, and one a tenth slower; too few values
SELECT abs(a_value / 950.05 - 1) < 0.01 AS a, abs(b_value / 1045.055 - 1) < 0.01 AS b, abs(ratio - 1.1) < 0.02 AS ratio, difference = b_value - a_value AS difference, p_value < 1e-6 AS p_small, significant
  FROM (SELECT apm.sketch_agg(i) AS a, apm.sketch_agg(i * 1.1) AS b FROM generate_series(1, 1000) i) s, apm.compare(a, b);
SELECT difference, p_value, significant FROM (SELECT apm.sketch_agg(i) AS a FROM generate_series(1, 1000) i) s, apm.compare(a, a);
SELECT a_value, b_value, p_value > 0.01 AS by_chance, significant FROM (SELECT apm.sketch_agg(i) AS a, apm.sketch_agg(i + 1) AS b FROM generate_series(1, 20) i) s, apm.compare(a, b, 0.5);
SELECT p_value, significant FROM (SELECT apm.sketch_agg(5) AS a, apm.sketch_agg(6) AS b FROM generate_series(1, 20) i) s, apm.compare(a, b);
SELECT difference, p_value IS NULL AS unknown, significant IS NULL AS undecided FROM (SELECT apm.sketch_agg(5) AS a, apm.sketch_agg(6) AS b) s, apm.compare(a, b);
SELECT z, _apm.normal_two_sided(z)::numeric(8, 6) FROM (VALUES (0::float8), (1.959964), (-1.959964), (2.575829)) t (z);
SELECT apm.relative_change(200, 300), apm.relative_change(-200, -300), apm.relative_change(0, 1) IS NULL AS from_zero;

-- thresholds
BEGIN;
SELECT apm.threshold_ms(1, 'GET /'), apm.threshold_ms(NULL, NULL), apm.threshold_value(1, 'GET /', 250, '{"lcp": 9}');
INSERT INTO apm.thresholds VALUES (4600, NULL, DEFAULT, 500), (4600, 'GET /*', DEFAULT, 600), (4600, 'GET /report/*', DEFAULT, 2000),
  (4600, 'GET /report/1', DEFAULT, 3000), (4600, '/page*', 'lcp', 2500), (NULL, 'GET /*', DEFAULT, 100), (NULL, '*a*b', DEFAULT, 42);
SELECT p, n, apm.threshold_ms(p, n) FROM (VALUES (4600, 'POST /'), (4600, 'GET /'), (4600, 'GET /report/2'), (4600, 'GET /report/1'), (4600, '/page/x'), (4601, 'GET /report/1'),
  (4601, 'POST /'), (4601, 'xaxb'), (4601, 'xaxbx'), (4601, 'ab'), (4600, NULL), (NULL, 'GET /x')) t (p, n);
SELECT apm.threshold_value(4600, '/page/x', 10, '{"lcp": {"value": 2600}}') AS lcp, apm.threshold_value(4600, '/page/x', 10, '{}') IS NULL AS no_lcp, apm.threshold_value(4600, 'GET /', 10, '{"lcp": 1}') AS duration;
CREATE TABLE estimates_part PARTITION OF apm.transactions FOR VALUES FROM ('2011-05-01') TO ('2011-05-02');
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms, user_key, measurements)
  SELECT p, lpad(to_hex(i), 32, '0')::apm.trace_id, lpad(to_hex(i), 16, '0')::apm.span_id, n, 'http.server', CASE WHEN i % 50 = 0 THEN 'internal_error' ELSE 'ok' END::apm.span_status,
         '2011-05-01 12:00+00', '2011-05-01 12:00+00', i, 'id:' || i % 97, jsonb_build_object('lcp', i * 3)
    FROM generate_series(1, 3000) i, LATERAL (SELECT 4600 + i % 2, (ARRAY['GET /', 'GET /report/2', 'GET /report/1', '/page/x', 'POST /'])[1 + i % 5]) x (p, n);
CREATE TEMP TABLE truth ON COMMIT DROP AS
  SELECT project_id, name, count(*) AS n, (count(*) FILTER (WHERE v <= t) + count(*) FILTER (WHERE v > t AND v <= 4 * t) / 2.0)::float8 / count(*) AS apdex,
         count(DISTINCT user_key) FILTER (WHERE v > 4 * t) AS miserable
    FROM (SELECT e.*, CASE WHEN project_id = 4600 AND name = '/page/x' THEN duration_ms * 3 ELSE duration_ms END AS v,
                 CASE WHEN project_id = 4601 THEN CASE WHEN name LIKE 'GET /%' THEN 100 ELSE 300 END
                      ELSE CASE name WHEN 'GET /' THEN 600 WHEN 'GET /report/2' THEN 2000 WHEN 'GET /report/1' THEN 3000 WHEN '/page/x' THEN 2500 ELSE 500 END END AS t
            FROM estimates_part e) x GROUP BY project_id, name;
SELECT count(*) AS endpoints, count(*) FILTER (WHERE abs(e.apdex - t.apdex) < 1e-12) AS apdex, count(*) FILTER (WHERE e.miserable_users = t.miserable) AS miserable
  FROM apm.endpoints('2011-05-01', '2011-05-02') e JOIN truth t ON t.project_id = e.project_id AND t.name = e.transaction_name;
SELECT abs(m.value - (SELECT sum(apdex * n) / sum(n) FROM truth)) < 1e-12 AS apdex, m.samples FROM apm.metric_value('apdex()', '2011-05-01', '2011-05-02') m;
SELECT m.value AS apdex_300, m.value = (SELECT apm.apdex(duration_ms, 300) FROM estimates_part) AS of_durations FROM apm.metric_value('apdex(300)', '2011-05-01', '2011-05-02') m;
-- a change counts at once, also inside one function
CREATE FUNCTION pg_temp.before_and_after(OUT before float8, OUT after float8, OUT gone float8) LANGUAGE plpgsql AS $$
BEGIN
  before := apm.threshold_ms(4699, 'x');
  INSERT INTO apm.thresholds VALUES (4699, 'x', DEFAULT, 7);
  after := apm.threshold_ms(4699, 'x');
  DELETE FROM apm.thresholds WHERE project_id = 4699;
  gone := apm.threshold_ms(4699, 'x');
END $$;
SELECT * FROM pg_temp.before_and_after();
SELECT * FROM pg_temp.before_and_after();
SAVEPOINT s;
INSERT INTO apm.thresholds VALUES (4600, NULL, DEFAULT, 1);
ROLLBACK TO s;
INSERT INTO apm.thresholds VALUES (4601, NULL, 'fcp', 1);
ROLLBACK TO s;
INSERT INTO apm.thresholds VALUES (4601, NULL, DEFAULT, 0);
ROLLBACK TO s;

-- assertions
SELECT apm.assert('p50(duration) < 2000', '2011-05-01', '2011-05-02') BETWEEN 1485 AND 1516 AS holds;
SELECT apm.assert('count() = 300', '2011-05-01', '2011-05-02', 4600, 'GET /', 'http.server');
SELECT apm.assert('failure_rate() <= 2%', '2011-05-01', '2011-05-02');
SELECT apm.assert('max(duration) < 300', '2011-05-01', '2011-05-02', project_id => 4600);
ROLLBACK TO s;
SELECT apm.assert('failure_rate() < 1%', '2011-05-01', '2011-05-02', transaction_name => 'GET /');
ROLLBACK TO s;
SELECT apm.assert('apdex(300) > 0.99', '2011-05-01', '2011-05-02');
ROLLBACK TO s;
SELECT apm.assert('p95(duration) < 300', '2011-05-01', '2011-05-02', environment => 'nowhere');
ROLLBACK TO s;
SELECT apm.assert('count() < 5000', '2011-05-01', '2011-05-02', min_samples => 5000);
ROLLBACK TO s;
SELECT apm.assert('count() = 0', '2011-05-01', '2011-05-02', project_id => -1, min_samples => 0);
SELECT apm.assert('p95(duration) = 0', '2011-05-01', '2011-05-02', project_id => -1, min_samples => 0);
ROLLBACK TO s;
SELECT apm.assert('p95(duration)');
ROLLBACK TO s;
SELECT apm.assert('p59(duration) < 3');
ROLLBACK TO s;
SELECT apm.assert(NULL);
ROLLBACK TO s;
-- the bound of the error is said where the value is not exact
SELECT apm.assert('p95(duration) < 300', '2011-05-01', '2011-05-02', project_id => 4600, min_samples => 1500);
ROLLBACK TO s;
SELECT apm.assert('extrapolated_count() <> 3000', '2011-05-01', '2011-05-02');
ROLLBACK TO s;
UPDATE estimates_part SET weight = 4 WHERE duration_ms > 2000;
SELECT apm.assert('extrapolated_count() < 6000', '2011-05-01', NULL);
ROLLBACK TO s;
-- no context of functions in the message; the states that programs look at
\set SHOW_CONTEXT always
SELECT apm.assert('max(duration) < 300', '2011-05-01', '2011-05-02');
\set SHOW_CONTEXT never
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT apm.assert('max(duration) < 300', '2011-05-01', '2011-05-02', op => 'nothing');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
