-- Metrics as text: what they become, what they give, what is refused.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT * FROM _apm.metric_parse('p95(duration)') \gx
SELECT * FROM _apm.metric_parse(' count ( ) ') \gx
SELECT * FROM _apm.metric_parse('p75(lcp)') \gx
SELECT canonical, unit FROM unnest(ARRAY['p95()', 'apdex()', 'apdex(2500,lcp)', 'user_misery()', 'count_unique( user )', 'p75(cls)',
  'avg(measurements.my-own)', 'count_if(tags[it''s], equals, "a b")', 'avg(span_count)', 'avg_if(duration, op, equals, x)', 'avg_if(cls, duration, less, 1)', 'percentile(duration,.5)', 'count_if(op, equals, "it''s")']) m,
  LATERAL _apm.metric_parse(m);
SELECT count(*) AS canonical_is_fixed_point FROM apm.metrics m, LATERAL _apm.metric_parse(_apm.metric_example(m.name, m.arguments), 60) a,
  LATERAL _apm.metric_parse(a.canonical, 60) b WHERE a.canonical = b.canonical AND a.value_sql = b.value_sql;
SELECT count(*) AS metrics FROM apm.metrics WHERE builtin;
SELECT _apm.metric_sql('count_if(tags[x], equals, "'') OR true --")');
SELECT * FROM _apm.assertion_parse('failure_rate() < 1%');

-- unknown names and wrong arguments: place and nearest name
SELECT _apm.metric_sql('p96(duration)');
SELECT _apm.metric_sql('failurerate()');
SELECT _apm.metric_sql('something_else()');
SELECT _apm.metric_sql('P95(duration)');
SELECT _apm.metric_sql('p95(duraton)');
SELECT _apm.metric_sql('p95(user)');
SELECT _apm.metric_sql('p95(300)');
SELECT _apm.metric_sql('count_unique(duration)');
SELECT _apm.metric_sql('count_unique(usr)');
SELECT _apm.metric_sql('count(duration)');
SELECT _apm.metric_sql('apdex(0)');
SELECT _apm.metric_sql('apdex(300, duration, 1)');
SELECT _apm.metric_sql('percentile(duration)');
SELECT _apm.metric_sql('percentile(duration, 1.5)');
SELECT _apm.metric_sql('http_response_rate(6)');
SELECT _apm.metric_sql('trace_status_rate(okk)');
SELECT _apm.metric_sql('count_web_vitals(lcp, great)');
SELECT _apm.metric_sql('count_web_vitals(duration, good)');
SELECT _apm.metric_sql('count_if(duration, like, 1)');
SELECT _apm.metric_sql('count_if(duration, equals, x)');
SELECT _apm.metric_sql('p95(tags[x])');
SELECT _apm.metric_sql('epm()');
SELECT _apm.metric_sql('epm()', 0);
SELECT _apm.metric_sql('p95(duration');
SELECT _apm.metric_sql('p95');
SELECT _apm.metric_sql('');
SELECT _apm.metric_sql('count_if(op, equals, "ä") x');
SELECT _apm.metric_sql(NULL);
SELECT * FROM _apm.assertion_parse('p95(duration) ~ 3');

-- each against a definition written out in SQL
BEGIN;
CREATE TABLE metrics_part PARTITION OF apm.transactions FOR VALUES FROM ('2011-02-01') TO ('2011-02-02');
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms,
                              environment, release, user_key, http_status, measurements, tags, contexts, span_count, weight)
  SELECT 4300 + i % 2, lpad(to_hex(i), 32, '0')::apm.trace_id, lpad(to_hex(i), 16, '0')::apm.span_id,
         'GET /' || i % 3, CASE WHEN i % 5 < 4 THEN 'http.server' ELSE 'pageload' END,
         CASE WHEN i % 19 > 0 THEN (enum_range(NULL::apm.span_status))[1 + i % 17] END,
         e - ms * interval '1 millisecond', e, ms, CASE WHEN i / 7 % 4 = 0 THEN 'staging' END, 'shop@' || i % 5,
         CASE WHEN i % 7 > 0 THEN 'id:' || i % 83 END, CASE WHEN i % 9 > 0 THEN 100 + i % 13 * 50 END,
         CASE WHEN i % 3 = 0 THEN jsonb_build_object('lcp', jsonb_build_object('value', i % 50 * 100, 'unit', 'millisecond'),
                                                     'cls', jsonb_build_object('value', i % 40 / 100.0), 'mine', 1.5) END,
         jsonb_build_object('plan', 'p' || i % 4), '{"browser": {"name": "Firefox"}}', i % 11, 1 + i % 3
    FROM generate_series(1, 3000) i,
         LATERAL (SELECT ('x' || substr(md5(i::text), 1, 5))::bit(20)::int / 500.0::float8,
                         '2011-02-01 00:00:00+00'::timestamptz + i * interval '21 seconds') d (ms, e);
CREATE TEMP TABLE definitions (metric text, value text, samples text DEFAULT 'count(*)', error float8 DEFAULT 1e-9) ON COMMIT DROP;
INSERT INTO definitions (metric, value) VALUES
  ('count()', 'count(*)'), ('epm()', 'count(*) / 1440.0'), ('tpm()', 'count(*) / 1440.0'),
  ('floored_epm()', '1'), ('extrapolated_count()', 'sum(weight)'), ('extrapolated_epm()', 'sum(weight) / 1440.0'),
  ('last_seen()', 'extract(epoch FROM max(end_time))'), ('absolute_correlation()', 'abs(corr(extract(epoch FROM end_time)::float8, duration_ms))'),
  ('eps()', 'count(*) / 86400.0'), ('tps()', 'count(*) / 86400.0'),
  ('failure_rate()', 'sum((status::text IN (''ok'', ''cancelled'', ''unknown'') IS FALSE)::int) / count(*)::float8'),
  ('failure_count()', 'sum((status::text IN (''ok'', ''cancelled'', ''unknown'') IS FALSE)::int)'),
  ('trace_status_rate(not_found)', 'count(*) FILTER (WHERE status = ''not_found'') / count(*)::float8'),
  ('http_error_rate()', 'count(*) FILTER (WHERE http_status / 100 = 5) / count(*)::float8'),
  ('count_if(duration, greater, 1000)', 'count(*) FILTER (WHERE duration_ms > 1000)'),
  ('count_if(op, notEquals, pageload)', 'count(*) FILTER (WHERE op <> ''pageload'')'),
  ('count_if(tags[plan], equals, p3)', 'count(*) FILTER (WHERE tags->>''plan'' = ''p3'')'),
  ('count_at_least(duration, 1000)', 'count(*) FILTER (WHERE duration_ms >= 1000)');
INSERT INTO definitions (metric, value) VALUES
  ('count_op(pageload)', 'count(*) FILTER (WHERE op = ''pageload'')'),
  ('extrapolated_sum()', 'sum(duration_ms * weight)'), ('extrapolated_avg()', 'sum(duration_ms * weight) / sum(weight)'),
  ('extrapolated_failure_rate()', 'sum(weight) FILTER (WHERE status NOT IN (''ok'', ''cancelled'', ''unknown'')) / sum(weight)'),
  ('extrapolated_apdex(300)', '(sum(weight) FILTER (WHERE duration_ms <= 300) + coalesce(sum(weight) FILTER (WHERE duration_ms <= 1200), 0)) / 2 / sum(weight)');
INSERT INTO definitions (metric, value, samples) VALUES
  ('any()', 'min(duration_ms)', 'count(*)'), ('count_starts(lcp)', 'count(measurements)', 'count(measurements)'),
  ('avg_compare(duration, release, "shop@1", "shop@2")', 'avg(duration_ms) FILTER (WHERE release = ''shop@2'') / avg(duration_ms) FILTER (WHERE release = ''shop@1'') - 1', 'count(*) FILTER (WHERE release IN (''shop@1'', ''shop@2''))'),
  ('avg_compare(duration, span_count, 1, 2)', 'avg(duration_ms) FILTER (WHERE span_count = 2) / avg(duration_ms) FILTER (WHERE span_count = 1) - 1', 'count(*) FILTER (WHERE span_count IN (1, 2))'),
  ('opportunity_score(lcp)', 'sum(1 - apm.vital_score(''lcp'', (measurements#>>''{lcp,value}'')::float8))', 'count(measurements)'),
  ('opportunity_total()', 'sum(1 - apm.vital_score(''lcp'', (measurements#>>''{lcp,value}'')::float8))', 'count(measurements)'),
  ('p100()', 'max(duration_ms)', 'count(duration_ms)'), ('max(lcp)', 'max((measurements#>>''{lcp,value}'')::float8)', 'count(measurements->''lcp'')'),
  ('min()', 'min(duration_ms)', 'count(*)'), ('avg()', 'avg(duration_ms)', 'count(*)'), ('sum()', 'sum(duration_ms)', 'count(*)'),
  ('avg_if(lcp, op, equals, http.server)', 'avg((measurements#>>''{lcp,value}'')::float8) FILTER (WHERE op = ''http.server'')', 'count(measurements) FILTER (WHERE op = ''http.server'')'),
  ('avg_if(duration, span_count, less, 4)', 'avg(duration_ms) FILTER (WHERE span_count < 4)', 'count(*) FILTER (WHERE span_count < 4)'),
  ('avg(measurements.mine)', '1.5', 'count(measurements)'), ('avg(span_count)', 'avg(span_count)', 'count(*)'),
  ('var()', 'var_samp(duration_ms)', 'count(*)'), ('stddev()', 'stddev_samp(duration_ms)', 'count(*)'),
  ('corr(duration, span_count)', 'corr(duration_ms, span_count)', 'count(*)'),
  ('cov(duration, lcp)', 'covar_samp(duration_ms, (measurements#>>''{lcp,value}'')::float8)', 'count(measurements)'),
  ('slope(span_count, duration)', 'regr_slope(duration_ms, span_count)', 'count(*)'),
  ('intercept(span_count, duration)', 'regr_intercept(duration_ms, span_count)', 'count(*)'),
  ('count_unique(user)', 'count(DISTINCT user_key)', 'count(user_key)'),
  ('count_unique(tags[plan])', '4', 'count(*)'), ('count_unique(trace)', 'count(DISTINCT trace_id::text)', 'count(*)'),
  ('http_response_rate(2)', 'count(*) FILTER (WHERE http_status BETWEEN 200 AND 299) / count(http_status)::float8', 'count(http_status)'),
  ('apdex()', '(count(*) FILTER (WHERE duration_ms <= 300) + count(*) FILTER (WHERE duration_ms <= 1200)) / 2.0 / count(*)', 'count(*)'),
  ('apdex(1000, lcp)', '(count(*) FILTER (WHERE (measurements#>>''{lcp,value}'')::float8 <= 1000) + count(*) FILTER (WHERE (measurements#>>''{lcp,value}'')::float8 <= 4000)) / 2.0 / count(measurements)', 'count(measurements)'),
  ('count_miserable(400)', 'count(DISTINCT user_key) FILTER (WHERE duration_ms > 1600)', 'count(user_key)'),
  ('user_misery(400)', '(count(DISTINCT user_key) FILTER (WHERE duration_ms > 1600) + 5.8875) / (count(DISTINCT user_key) + 117.75)', 'count(user_key)'),
  ('count_web_vitals(lcp, good)', 'count(*) FILTER (WHERE (measurements#>>''{lcp,value}'')::float8 < 2500)', 'count(measurements)'),
  ('count_web_vitals(cls, poor)', 'count(*) FILTER (WHERE (measurements#>>''{cls,value}'')::float8 >= 0.25)', 'count(measurements)'),
  ('count_scores(lcp)', 'count(measurements)', 'count(measurements)'),
  ('performance_score(lcp)', 'avg(apm.vital_score(''lcp'', (measurements#>>''{lcp,value}'')::float8))', 'count(measurements)'),
  ('performance_total()', 'avg(apm.vital_score(''lcp'', (measurements#>>''{lcp,value}'')::float8))', 'count(measurements)');
INSERT INTO definitions (metric, value, samples, error)
  SELECT format(call, c), format('percentile_cont(%s) WITHIN GROUP (ORDER BY %s)', p, sql), format('count(%s)', sql), 0.01
    FROM (VALUES ('p50(%s)', 0.5), ('p75(%s)', 0.75), ('p90(%s)', 0.9), ('p95(%s)', 0.95), ('p99(%s)', 0.99)) p (call, p), (VALUES ('duration', 'duration_ms'), ('lcp', '(measurements#>>''{lcp,value}'')::float8')) c (c, sql)
  UNION ALL SELECT 'extrapolated_percentile(duration, 0.9)', '(SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY m.duration_ms) FROM metrics_part m, generate_series(1, m.weight::int))', 'count(*)', 0.01
  UNION ALL SELECT 'percentile(duration, 0.3)', 'percentile_cont(0.3) WITHIN GROUP (ORDER BY duration_ms)', 'count(*)', 0.01;
CREATE FUNCTION pg_temp.by_definition(value text, samples text, filter text, OUT v float8, OUT n bigint) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT (%s)::float8, %s FROM metrics_part WHERE %s', value, samples, filter) INTO v, n;
END $$;
SELECT d.metric, m.samples, abs(m.value - t.v) <= d.error * abs(t.v) AS value_right, m.samples = t.n AS samples_right,
       abs(m.value - t.v) <= m.bound + 1e-9 * abs(t.v) AS within_bound
  FROM definitions d, LATERAL apm.metric_value(d.metric, '2011-02-01', '2011-02-02') m, LATERAL pg_temp.by_definition(d.value, d.samples, 'true') t
 ORDER BY d.metric COLLATE "C";
SELECT name AS not_tried FROM apm.metrics m WHERE builtin AND NOT EXISTS (SELECT FROM definitions d WHERE split_part(d.metric, '(', 1) = m.name);
-- filters, and the window without its end
SELECT m.*, t.* FROM apm.metric_value('count()', '2011-02-01 00:00:42', '2011-02-01 00:01:24') m, pg_temp.by_definition('count(*)', 'count(*)', 'end_time IN (''2011-02-01 00:00:42'', ''2011-02-01 00:01:03'')') t;
SELECT m.*, t.* FROM apm.metric_value('sum(span_count)', '2011-02-01', '2011-02-02', 4301, 'GET /2', 'http.server', 'staging', 'shop@3') m,
  pg_temp.by_definition('sum(span_count)', 'count(*)', 'project_id = 4301 AND name = ''GET /2'' AND op = ''http.server'' AND environment = ''staging'' AND release = ''shop@3''') t;
SELECT f, (apm.metric_value('count()', '2011-02-01', '2011-02-02', project_id => CASE WHEN f = 1 THEN 4301 END, transaction_name => CASE WHEN f = 2 THEN 'GET /1' END,
         op => CASE WHEN f = 3 THEN 'pageload' END, environment => CASE WHEN f = 4 THEN 'staging' END, release => CASE WHEN f = 5 THEN 'shop@0' END)).value
  FROM generate_series(0, 5) f;
SELECT count(*) FILTER (WHERE project_id = 4301), count(*) FILTER (WHERE name = 'GET /1'), count(*) FILTER (WHERE op = 'pageload'),
       count(*) FILTER (WHERE environment = 'staging'), count(*) FILTER (WHERE release = 'shop@0') FROM metrics_part;
SELECT value, samples FROM apm.metric_value('count()', NULL, '2011-02-01 00:00:42');
-- nothing there: NULL, but count() is 0
SELECT d.metric, m.value, m.samples FROM definitions d, LATERAL apm.metric_value(d.metric, '2011-02-01', '2011-02-02', -1) m
 WHERE m.value IS NOT NULL OR m.samples <> 0;
SELECT * FROM apm.metric_value('p95(duration)', '2011-02-01', '2011-02-01');
SAVEPOINT s;
SELECT * FROM apm.metric_value('count()', '2011-02-02', '2011-02-01');
ROLLBACK TO s;
SELECT * FROM apm.metric_value('epm()', NULL, '2011-02-01');
ROLLBACK TO s;

-- metrics of one's own
SELECT apm.register_metric('slow_share', 'avg((t.duration_ms > {bound_ms})::int)', 'bound_ms positive = 1000', unit => 'ratio', description => 'share of slow ones');
SELECT m.value = t.v AS same, m.samples FROM apm.metric_value('slow_share()', '2011-02-01', '2011-02-02') m, pg_temp.by_definition('count(*) FILTER (WHERE duration_ms > 1000) / count(*)::float8', '1', 'true') t;
SELECT m.value = t.v AS same FROM apm.metric_value('slow_share(500)', '2011-02-01', '2011-02-02') m, pg_temp.by_definition('count(*) FILTER (WHERE duration_ms > 500) / count(*)::float8', '1', 'true') t;
SELECT apm.register_metric('slow_share', 'count(*) FILTER (WHERE t.tags = ''{{"plan": "p1"}''::jsonb)', samples => 'count(t.tags)', empty_value => 0);
SELECT * FROM apm.metric_value('slow_share()', '2011-02-01', '2011-02-02');
SELECT * FROM apm.metric_value('slow_share()', '2011-02-01', '2011-02-01');
SELECT name, arguments, expression, samples, bound, builtin FROM apm.metrics WHERE NOT builtin;
SELECT apm.register_metric('slow_share', 'avg((t.duration_ms > {bound_ms})::int)', 'bound_ms positive = 1000', bound => '1.96 * sqrt(var_pop((t.duration_ms > {bound_ms})::int) / count(*))');
SELECT m.value, m.samples, m.bound::numeric(8, 6) FROM apm.metric_value('slow_share(1500)', '2011-02-01', '2011-02-02') m;
SELECT * FROM apm.metric_value('slow_share(1500)', '2011-02-01', '2011-02-01') m;
SELECT apm.unregister_metric('slow_share');
SAVEPOINT s;
SELECT apm.unregister_metric('slow_share');
ROLLBACK TO s;
SELECT apm.unregister_metric('p95');
ROLLBACK TO s;
SELECT apm.register_metric('p95', 'count(*)');
ROLLBACK TO s;
SELECT apm.register_metric('Bad name', 'count(*)');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 't.duration_ms');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'avg(t.no_column)');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'max(t.name)');
ROLLBACK TO s;
SELECT apm.register_metric('bad', '1');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'no_such_function(t.duration_ms)');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*) FROM pg_catalog.pg_class');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*), 1');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*)); DROP TABLE apm.projects; SELECT (1');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*) -- ');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*) FILTER (WHERE t.op = ''{x}'')', 'x text');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*)', bound => 't.duration_ms');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*)', bound => 'max(t.name)::date');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*)', bound => '0, 1');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count({y})', 'x text');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count({x)', 'x text');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*)', 'x texts');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*)', 'x text, x text');
ROLLBACK TO s;
SELECT apm.register_metric('bad', 'count(*)', 'x text,');
ROLLBACK TO s;
SELECT apm.register_metric('bad', NULL);
ROLLBACK;

-- whoever may read the tables may ask for metrics, not add any
SET ROLE apm_reader;
SELECT samples FROM apm.metric_value('count()', '2011-02-01', '2011-02-02');
SELECT apm.register_metric('mine', 'count(*)');
RESET ROLE;
