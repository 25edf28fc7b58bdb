-- ---------------------------------------------------------------------------
-- metrics: the registry of metric expressions
--
-- A row's expression is an SQL aggregate over rows of apm.transactions under
-- the alias t; {name} stands for an argument and {window_s} for the length of
-- the window in seconds.  It is evaluated with search_path = pg_catalog.

CREATE FUNCTION apm.measurement(measurements jsonb, name text) RETURNS float8
  AS 'MODULE_PATHNAME', 'measurement' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION apm.measurement(jsonb, text) IS 'Value of one measurement of a transaction in the unit it was sent in, web vitals in milliseconds; NULL if it is missing or no number. Example: SELECT apm.measurement(measurements, ''lcp'') FROM apm.transactions';

CREATE TABLE apm.metrics (
  name        text PRIMARY KEY CHECK (name ~ '^[a-z_][a-z0-9_]{0,62}$'),
  arguments   text NOT NULL DEFAULT '',
  unit        text,
  description text NOT NULL DEFAULT '',
  expression  text NOT NULL,
  samples     text NOT NULL DEFAULT 'count(*)',
  bound       text,
  rollup      text,
  empty_value float8,
  builtin     boolean NOT NULL DEFAULT false,
  rollup_samples text,
  rollup_bound   text
);
COMMENT ON TABLE apm.metrics IS 'Registry of metrics that expressions such as p95(duration) name: arguments (name kind [= default]), unit (column: that of the column), SQL over rows t of apm.transactions, SQL that counts the rows having a value, SQL for the error bound of the value, SQL over rollups, the value without any row. Example: SELECT name, arguments, unit, description FROM apm.metrics ORDER BY name';
COMMENT ON COLUMN apm.metrics.bound IS 'SQL for the bound of the error, in the unit of the value: value plus or minus bound; 0: exact; NULL: unknown';
COMMENT ON COLUMN apm.metrics.rollup IS 'SQL over cells c of rollups, with columns n, sketch, users, failures and others: the same value as expression over rows; NULL: this metric is always read from rows';
COMMENT ON COLUMN apm.metrics.rollup_samples IS 'The same for samples; NULL: sum(c.n)';
COMMENT ON COLUMN apm.metrics.rollup_bound IS 'The same for bound';
SELECT pg_catalog.pg_extension_config_dump('apm.metrics', 'WHERE NOT builtin');
GRANT SELECT ON apm.metrics TO PUBLIC;

INSERT INTO apm.metrics (name, arguments, unit, description, expression, samples, empty_value, builtin) VALUES
  ('count', '', NULL, 'number of transactions', 'count(*)', 'count(*)', 0, true),
  ('epm', '', 'per minute', 'transactions per minute of the window', 'NULLIF(count(*), 0) * 60.0 / {window_s}', 'count(*)', NULL, true),
  ('tpm', '', 'per minute', 'the same as epm', 'NULLIF(count(*), 0) * 60.0 / {window_s}', 'count(*)', NULL, true),
  ('eps', '', 'per second', 'transactions per second of the window', 'NULLIF(count(*), 0) / {window_s}', 'count(*)', NULL, true),
  ('tps', '', 'per second', 'the same as eps', 'NULLIF(count(*), 0) / {window_s}', 'count(*)', NULL, true),
  ('floored_epm', '', 'per minute', 'epm rounded down to a power of ten', 'apm.floored_epm(nullif(count(*), 0), make_interval(secs => {window_s}))', 'count(*)', NULL, true),
  ('extrapolated_count', '', NULL, 'transactions before sampling: each stands for its weight', '(apm.estimate_count(t.weight)).value', 'count(*)', NULL, true),
  ('extrapolated_epm', '', 'per minute', 'transactions per minute before sampling', '(apm.estimate_count(t.weight)).value * 60 / {window_s}', 'count(*)', NULL, true),
  ('extrapolated_sum', 'of_column value = duration', 'column', 'sum before sampling', '(apm.estimate_sum({of_column}, t.weight)).value', 'count({of_column})', NULL, true),
  ('extrapolated_avg', 'of_column value = duration', 'column', 'arithmetic mean before sampling', '(apm.estimate_avg({of_column}, t.weight)).value', 'count({of_column})', NULL, true),
  ('extrapolated_percentile', 'of_column value, fraction fraction', 'column', 'percentile before sampling', 'apm.percentile(apm.sketch_agg({of_column}, coalesce(t.weight, 1)), {fraction})', 'count({of_column})', NULL, true),
  ('extrapolated_failure_rate', '', 'ratio', 'failure rate before sampling', '(apm.estimate_avg(apm.is_failure(t.project_id, t.status)::int, t.weight)).value', 'count(*)', NULL, true),
  ('extrapolated_apdex', 'threshold_ms threshold = configured, of_column measured = configured', 'ratio', 'Apdex before sampling', 'apm.apdex({of_column}, {threshold_ms}, t.weight)', 'count({of_column})', NULL, true),
  ('last_seen', '', 'seconds since 1970', 'end of the latest transaction', 'extract(epoch FROM max(t.end_time))', 'count(*)', NULL, true),
  ('absolute_correlation', '', NULL, 'how much durations rise or fall with time, 0 to 1', 'abs(corr(extract(epoch FROM t.end_time)::float8, t.duration_ms))', 'count(*)', NULL, true),
  ('avg_if', 'of_column value, condition column, comparison comparison, operand literal', 'column', 'mean over transactions whose other column compares so', 'avg({of_column}) FILTER (WHERE {condition} {comparison} {operand})', 'count({of_column}) FILTER (WHERE {condition} {comparison} {operand})', NULL, true),
  ('avg_compare', 'of_column value, condition column, before literal, after literal', 'ratio', 'relative change of the mean from transactions whose other column is one to those where it is another', 'apm.relative_change(avg({of_column}) FILTER (WHERE {condition} = {before}), avg({of_column}) FILTER (WHERE {condition} = {after}))', 'count({of_column}) FILTER (WHERE {condition} IN ({before}, {after}))', NULL, true),
  ('count_op', 'wanted literal', NULL, 'transactions of an op', 'CASE WHEN count(*) > 0 THEN count(*) FILTER (WHERE t.op = {wanted}) END', 'count(*)', NULL, true),
  ('count_starts', 'of_column value = app_start_cold', NULL, 'transactions that have a measurement, such as app_start_cold', 'nullif(count({of_column}), 0)', 'count({of_column})', NULL, true),
  ('count_unique', 'of_column text = user', NULL, 'distinct values, exact up to 4,096', 'apm.count_unique({of_column})', 'count({of_column})', NULL, true),
  ('p50', 'of_column value = duration', 'column', 'median', 'apm.p50({of_column})', 'count({of_column})', NULL, true),
  ('p75', 'of_column value = duration', 'column', '75th percentile', 'apm.p75({of_column})', 'count({of_column})', NULL, true),
  ('p90', 'of_column value = duration', 'column', '90th percentile', 'apm.p90({of_column})', 'count({of_column})', NULL, true),
  ('p95', 'of_column value = duration', 'column', '95th percentile', 'apm.p95({of_column})', 'count({of_column})', NULL, true),
  ('p99', 'of_column value = duration', 'column', '99th percentile', 'apm.p99({of_column})', 'count({of_column})', NULL, true),
  ('p100', 'of_column value = duration', 'column', 'largest value', 'max({of_column})', 'count({of_column})', NULL, true),
  ('percentile', 'of_column value, fraction fraction', 'column', 'percentile of any fraction from 0 to 1', 'apm.percentile(apm.sketch_agg({of_column}), {fraction})', 'count({of_column})', NULL, true),
  ('avg', 'of_column value = duration', 'column', 'arithmetic mean', 'avg({of_column})', 'count({of_column})', NULL, true),
  ('min', 'of_column value = duration', 'column', 'smallest value', 'min({of_column})', 'count({of_column})', NULL, true),
  ('any', 'of_column value = duration', 'column', 'some value: the smallest', 'min({of_column})', 'count({of_column})', NULL, true),
  ('max', 'of_column value = duration', 'column', 'largest value', 'max({of_column})', 'count({of_column})', NULL, true),
  ('sum', 'of_column value = duration', 'column', 'sum', 'sum({of_column})', 'count({of_column})', NULL, true),
  ('var', 'of_column value = duration', NULL, 'sample variance', 'var_samp({of_column})', 'count({of_column})', NULL, true),
  ('stddev', 'of_column value = duration', 'column', 'sample standard deviation', 'stddev_samp({of_column})', 'count({of_column})', NULL, true),
  ('corr', 'a value, b value', NULL, 'Pearson''s correlation of two columns', 'corr({b}, {a})', 'regr_count({b}, {a})', NULL, true),
  ('cov', 'a value, b value', NULL, 'sample covariance of two columns', 'covar_samp({b}, {a})', 'regr_count({b}, {a})', NULL, true),
  ('slope', 'a value, b value', NULL, 'slope of the linear regression of b on a', 'regr_slope({b}, {a})', 'regr_count({b}, {a})', NULL, true),
  ('intercept', 'a value, b value', NULL, 'intercept of the linear regression of b on a', 'regr_intercept({b}, {a})', 'regr_count({b}, {a})', NULL, true),
  ('count_if', 'of_column column, comparison comparison, operand literal', NULL, 'transactions whose column compares so', 'CASE WHEN count(*) > 0 THEN count(*) FILTER (WHERE {of_column} {comparison} {operand}) END', 'count(*)', NULL, true),
  ('count_at_least', 'of_column value, bound number', NULL, 'transactions whose column is at or above a bound', 'CASE WHEN count(*) > 0 THEN count(*) FILTER (WHERE {of_column} >= {bound}) END', 'count(*)', NULL, true),
  ('failure_rate', '', 'ratio', 'share of transactions whose status is a failure by apm.failure_rules', 'apm.share(apm.is_failure(t.project_id, t.status))', 'count(*)', NULL, true),
  ('failure_count', '', NULL, 'transactions whose status is a failure by apm.failure_rules', 'CASE WHEN count(*) > 0 THEN count(*) FILTER (WHERE apm.is_failure(t.project_id, t.status)) END', 'count(*)', NULL, true),
  ('trace_status_rate', 'status status', 'ratio', 'share of transactions of one status', 'apm.trace_status_rate(t.status, {status})', 'count(*)', NULL, true),
  ('http_response_rate', 'class class', 'ratio', 'share of one class of HTTP statuses among transactions that have one', 'apm.http_response_rate(t.http_status, {class})', 'count(t.http_status)', NULL, true),
  ('http_error_rate', '', 'ratio', 'share of HTTP statuses 500 to 599 among all transactions', 'avg(CASE WHEN t.http_status BETWEEN 500 AND 599 THEN 1 ELSE 0 END)', 'count(*)', NULL, true),
  ('apdex', 'threshold_ms threshold = configured, of_column measured = configured', 'ratio', 'satisfied plus half of tolerated, among all that have a value', 'apm.apdex({of_column}, {threshold_ms})', 'count({of_column})', NULL, true),
  ('count_web_vitals', 'vital vital, quality quality', NULL, 'transactions whose web vital is good, meh or poor', 'apm.count_web_vitals(apm.measurement(t.measurements, {vital}), {vital}, {quality})', 'count(apm.measurement(t.measurements, {vital}))', NULL, true),
  ('performance_score', 'vital vital', 'ratio', 'mean score of one web vital', 'avg(coalesce(apm.measurement(t.measurements, ''score.ratio.'' || {vital}), apm.vital_score({vital}, apm.measurement(t.measurements, {vital}), t.contexts -> ''browser'' ->> ''name'')))', 'count(coalesce(apm.measurement(t.measurements, ''score.ratio.'' || {vital}), apm.vital_score({vital}, apm.measurement(t.measurements, {vital}), t.contexts -> ''browser'' ->> ''name'')))', NULL, true),
  ('performance_total', '', 'ratio', 'mean performance score of page loads', 'avg(apm.performance_score(t.measurements, t.contexts -> ''browser'' ->> ''name''))', 'count(apm.performance_score(t.measurements, t.contexts -> ''browser'' ->> ''name''))', NULL, true),
  ('opportunity_score', 'vital vital', NULL, 'score points that a web vital could still give: its weight minus its part of the score, added up', 'sum((SELECT s.weight - least(1, s.score) FROM apm.performance_scores(t.measurements, t.contexts -> ''browser'' ->> ''name'') s WHERE s.vital = {vital}))', 'count((SELECT s.score FROM apm.performance_scores(t.measurements, t.contexts -> ''browser'' ->> ''name'') s WHERE s.vital = {vital}))', NULL, true),
  ('opportunity_total', '', NULL, 'score points that page loads could still give: 1 minus the score, added up', 'sum(1 - least(1, apm.performance_score(t.measurements, t.contexts -> ''browser'' ->> ''name'')))', 'count(apm.performance_score(t.measurements, t.contexts -> ''browser'' ->> ''name''))', NULL, true),
  ('count_scores', 'vital vital', NULL, 'transactions that have a score of a web vital', 'nullif(count(apm.vital_score({vital}, apm.measurement(t.measurements, {vital}))), 0)', 'count(apm.vital_score({vital}, apm.measurement(t.measurements, {vital})))', NULL, true),
  ('count_miserable', 'threshold_ms threshold = configured, of_column measured = configured', NULL, 'distinct users with a value over four times the threshold', 'apm.count_miserable(t.user_key, {of_column}, {threshold_ms})', 'count(t.user_key)', NULL, true),
  ('user_misery', 'threshold_ms threshold = configured, of_column measured = configured', 'ratio', 'share of miserable users, drawn towards 0.05 when users are few', 'apm.user_misery(t.user_key, {of_column}, {threshold_ms})', 'count(t.user_key)', NULL, true);

-- Plain SQL computes exactly.  Distinct counts are off by one standard error
-- at most in two of three cases, percentiles by 1 % at most, always.
UPDATE apm.metrics SET bound = CASE
  WHEN name IN ('p50', 'p75', 'p90', 'p95', 'p99', 'percentile') THEN
    'apm.relative_error(apm.sketch_agg({of_column})) * abs(' || expression || ')'
  WHEN name = 'extrapolated_percentile' THEN
    '(apm.estimate_percentile(apm.sketch_agg({of_column}, coalesce(t.weight, 1)), {fraction})).half_width'
      ' + apm.relative_error(apm.sketch_agg({of_column}, coalesce(t.weight, 1))) * abs(' || expression || ')'
  WHEN name = 'extrapolated_apdex' THEN
    '(apm.estimate_avg(CASE WHEN {of_column} >= 0 THEN CASE WHEN {of_column} <= {threshold_ms} THEN 1'
      ' WHEN {of_column} <= 4 * {threshold_ms} THEN 0.5 ELSE 0 END END, t.weight)).half_width'
  WHEN name LIKE 'extrapolated%' THEN pg_catalog.replace(expression, ').value', ').half_width')
  WHEN name = 'count_unique' THEN 'apm.standard_error(apm.hll_agg({of_column})) * ' || expression
  WHEN name = 'count_miserable' THEN
    'apm.standard_error(_apm.misery_agg(t.user_key, {of_column}, {threshold_ms})) * ' || expression
  WHEN name = 'user_misery' THEN
    'apm.standard_error(_apm.misery_agg(t.user_key, {of_column}, {threshold_ms})) * 2 * ' || expression
  ELSE '0' END;

-- The same over cells of rollups; {of_column} is their sketch, or their users.
UPDATE apm.metrics m SET rollup = r.rollup, rollup_samples = r.samples, rollup_bound = r.bound
  FROM (VALUES
    ('count', 'sum(c.n)', NULL, NULL),
    ('epm', 'NULLIF(sum(c.n)::bigint, 0) * 60.0 / {window_s}', NULL, NULL),
    ('tpm', 'NULLIF(sum(c.n)::bigint, 0) * 60.0 / {window_s}', NULL, NULL),
    ('eps', 'NULLIF(sum(c.n)::bigint, 0) / {window_s}', NULL, NULL),
    ('tps', 'NULLIF(sum(c.n)::bigint, 0) / {window_s}', NULL, NULL),
    ('floored_epm', 'apm.floored_epm(nullif(sum(c.n)::bigint, 0), make_interval(secs => {window_s}))', NULL, NULL),
    ('last_seen', 'extract(epoch FROM max(c.last_at))', NULL, NULL),
    ('p50', 'apm.percentile(apm.sketch_merge({of_column}), 0.5)', NULL, 'percentile'),
    ('p75', 'apm.percentile(apm.sketch_merge({of_column}), 0.75)', NULL, 'percentile'),
    ('p90', 'apm.percentile(apm.sketch_merge({of_column}), 0.9)', NULL, 'percentile'),
    ('p95', 'apm.percentile(apm.sketch_merge({of_column}), 0.95)', NULL, 'percentile'),
    ('p99', 'apm.percentile(apm.sketch_merge({of_column}), 0.99)', NULL, 'percentile'),
    ('percentile', 'apm.percentile(apm.sketch_merge({of_column}), {fraction})', NULL, 'percentile'),
    ('p100', 'apm.max_value(apm.sketch_merge({of_column}))', NULL, NULL),
    ('max', 'apm.max_value(apm.sketch_merge({of_column}))', NULL, NULL),
    ('min', 'apm.min_value(apm.sketch_merge({of_column}))', NULL, NULL),
    ('any', 'apm.min_value(apm.sketch_merge({of_column}))', NULL, NULL),
    ('avg', 'apm.mean_value(apm.sketch_merge({of_column}))', NULL, NULL),
    ('sum', 'apm.sum_value(apm.sketch_merge({of_column}))', NULL, NULL),
    ('count_unique', 'apm.distinct_count(_apm.all_users(apm.hll_merge({of_column}), apm.hll_merge(c.other_users)))', 'sum(c.user_rows)',
     'apm.standard_error(_apm.all_users(apm.hll_merge({of_column}), apm.hll_merge(c.other_users))) * '),
    ('failure_rate', 'CASE WHEN sum(c.n) > 0 THEN _apm.share_final(ARRAY[sum(c.failures), sum(c.n)]::bigint[]) END', NULL, NULL),
    ('failure_count', 'sum(c.failures)', NULL, NULL),
    ('apdex', 'CASE WHEN sum(c.n) > 0 THEN _apm.apdex_final(ARRAY[sum(c.satisfied), sum(c.tolerable), sum(c.satisfied + c.tolerable + c.frustrated)]::bigint[]) END',
     'sum(c.measured)', NULL),
    ('count_miserable', 'apm.marked_count(apm.hll_merge(c.users))', 'sum(c.user_rows)', 'apm.standard_error(apm.hll_merge(c.users)) * '),
    ('user_misery', 'apm.misery(apm.hll_merge(c.users))', 'sum(c.user_rows)', 'apm.standard_error(apm.hll_merge(c.users)) * 2 * '),
    ('count_web_vitals', 'CASE WHEN sum(c.good + c.meh + c.poor) > 0 THEN CASE {quality} WHEN ''good'' THEN sum(c.good) WHEN ''meh'' THEN sum(c.meh)'
       ' WHEN ''poor'' THEN sum(c.poor) ELSE sum(c.good + c.meh + c.poor) END END', NULL, NULL),
    ('performance_score', 'sum(c.score)::float8 / 1e9 / nullif(sum(c.scored), 0)::float8', 'sum(c.scored)', NULL),
    ('count_scores', 'nullif(sum(c.scored), 0)', 'sum(c.scored)', NULL)) v (name, rollup, samples, bound)
       CROSS JOIN LATERAL (SELECT v.name, v.rollup, v.samples,
         CASE WHEN v.bound = 'percentile' THEN 'apm.relative_error(apm.sketch_merge({of_column})) * abs(' || v.rollup || ')'
              ELSE v.bound || v.rollup END) r (name, rollup, samples, bound)
 WHERE m.name = r.name;

CREATE FUNCTION _apm.metric_parse(metric text, seconds float8 DEFAULT NULL, window_sql text DEFAULT NULL,
    OUT name text, OUT canonical text, OUT value_sql text, OUT samples_sql text,
    OUT rollup_sql text, OUT empty_value float8, OUT unit text, OUT expression_sql text, OUT bound_sql text,
    OUT rollup_samples_sql text, OUT rollup_bound_sql text, OUT vital text)
  AS 'MODULE_PATHNAME', 'metric_parse' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.metric_parse(text, float8, text) IS 'A metric''s text to SQL over rows t of apm.transactions; the window''s length is a number of seconds, or SQL of type float8 that gives it. value_sql is of type float8, samples_sql of type bigint, bound_sql of type float8 or NULL, canonical has every default written out; the same over rollup cells c, NULL where they do not hold it, and the web vital whose cells they are. Example: SELECT * FROM _apm.metric_parse(''p95(duration)'')';

CREATE FUNCTION _apm.metric_sql(metric text, seconds float8 DEFAULT NULL) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN (SELECT p.value_sql FROM _apm.metric_parse(metric, seconds) p);
COMMENT ON FUNCTION _apm.metric_sql(text, float8) IS 'The SQL aggregate of type float8 over rows t of apm.transactions that a metric''s text stands for. Example: SELECT _apm.metric_sql(''p95(duration)'')';

CREATE FUNCTION _apm.assertion_parse(assertion text, OUT metric text, OUT comparison text, OUT bound float8)
  AS 'MODULE_PATHNAME', 'assertion_parse' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.assertion_parse(text) IS 'Parts of an assertion. Example: SELECT * FROM _apm.assertion_parse(''p95(duration) < 300'')';

CREATE FUNCTION _apm.metric_example(name text, arguments text) RETURNS text
  AS 'MODULE_PATHNAME', 'metric_example' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.metric_example(text, text) IS 'A call of a metric that its arguments allow. Example: SELECT _apm.metric_example(name, arguments) FROM apm.metrics';

CREATE FUNCTION _apm.is_expression(name text, arguments text, template text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'is_expression' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.is_expression(text, text, text) IS 'Whether a metric''s definition is one SQL expression and nothing else. Example: SELECT _apm.is_expression(name, arguments, expression) FROM apm.metrics';

-- Filters of a query over alias t of apm.transactions, as SQL with parameters
-- $1 since, $2 until, $3 project_id, $4 transaction_name, $5 op,
-- $6 environment, $7 release; only those that are not NULL appear.
CREATE FUNCTION _apm.transaction_filter(since timestamptz, until timestamptz, project_id integer,
    transaction_name text, op text, environment text, release text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN pg_catalog.concat_ws(' AND ', 'true',
    CASE WHEN since IS NOT NULL THEN 't.end_time >= $1' END,
    CASE WHEN until IS NOT NULL THEN 't.end_time < $2' END,
    CASE WHEN project_id IS NOT NULL THEN 't.project_id = $3' END,
    CASE WHEN transaction_name IS NOT NULL THEN 't.name = $4' END,
    CASE WHEN op IS NOT NULL THEN 't.op = $5' END,
    CASE WHEN environment IS NOT NULL THEN 't.environment = $6' END,
    CASE WHEN release IS NOT NULL THEN 't.release = $7' END);
COMMENT ON FUNCTION _apm.transaction_filter(timestamptz, timestamptz, integer, text, text, text, text) IS 'The WHERE clause over rows t of apm.transactions for the common filters, which are parameters $1 to $7. Example: SELECT _apm.transaction_filter(now(), NULL, 1, NULL, NULL, NULL, NULL)';

CREATE FUNCTION _apm.check_window(since timestamptz, until timestamptz) RETURNS boolean
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF since > until THEN
    RAISE EXCEPTION 'since must not be later than until'
      USING ERRCODE = 'invalid_parameter_value',
            DETAIL = pg_catalog.format('since is %s, until is %s.', since, until),
            HINT = 'The window is [since, until): from since on, until not included.';
  END IF;
  RETURN true;
END
$$;
COMMENT ON FUNCTION _apm.check_window(timestamptz, timestamptz) IS 'True, or an error for a window that ends before it begins. Example: SELECT _apm.check_window(now() - interval ''1 day'', now())';

CREATE FUNCTION _apm.window_seconds(since timestamptz, until timestamptz) RETURNS float8
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN isfinite(since) AND isfinite(until) THEN extract(epoch FROM until) - extract(epoch FROM since) END;
COMMENT ON FUNCTION _apm.window_seconds(timestamptz, timestamptz) IS 'Length of a window in seconds; NULL if it has no bounds. Example: SELECT _apm.window_seconds(now() - interval ''1 hour'', now())';

CREATE FUNCTION apm.metric_value(metric text,
    since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, transaction_name text DEFAULT NULL, op text DEFAULT NULL,
    environment text DEFAULT NULL, release text DEFAULT NULL, explain boolean DEFAULT false,
    OUT value float8, OUT samples bigint, OUT bound float8)
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET jit = off
AS $$
DECLARE
  started constant timestamptz := clock_timestamp();
  p record;
  plan _apm.cell_plan;
BEGIN
  PERFORM _apm.check_window(since, until);
  p := _apm.metric_parse(metric, _apm.window_seconds(since, until));
  plan := _apm.metric_cells(p, since, until, NULL, project_id, transaction_name, op, environment, release);
  IF plan.cells IS NOT NULL THEN
    EXECUTE format('SELECT %s, %s, %s FROM (%s) c', p.rollup_sql, p.rollup_samples_sql, coalesce(p.rollup_bound_sql, 'NULL'), plan.cells)
      INTO value, samples, bound;
  ELSE
    EXECUTE format('SELECT %s, %s, %s FROM apm.transactions t WHERE %s', p.value_sql, p.samples_sql,
                   coalesce(p.bound_sql, 'NULL'),
                   _apm.transaction_filter(since, until, project_id, transaction_name, op, environment, release))
      INTO value, samples, bound
      USING since, until, project_id, transaction_name, op, environment, release;
  END IF;
  IF value IS NULL THEN
    bound := NULL;
  END IF;
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION apm.metric_value(text, timestamptz, timestamptz, integer, text, text, text, text, boolean) IS 'One metric over the transactions that ended in [since, until), in the metric''s unit, with the number of transactions that have a value and the bound of the error, so that it is value plus or minus bound: 0 if exact, 1 % of a percentile of more than 32 values, a standard error of 0.81 % of a count of more than 4,096 distinct values, the confidence of what is extrapolated, NULL if the metric does not say. A NULL filter means all. Without any transaction the value is NULL, but count() is 0. explain says in a NOTICE whether rollups or rows were read. Example: SELECT * FROM apm.metric_value(''p95(duration)'', transaction_name => ''POST /api/checkout'')';

CREATE FUNCTION apm.register_metric(name text, expression text, arguments text DEFAULT '',
    samples text DEFAULT 'count(*)', unit text DEFAULT NULL, description text DEFAULT '',
    rollup text DEFAULT NULL, empty_value float8 DEFAULT NULL, bound text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  p record;
  part record;
  value_type oid;
  samples_type oid;
BEGIN
  IF name IS NULL OR expression IS NULL OR arguments IS NULL OR samples IS NULL THEN
    RAISE EXCEPTION 'name, expression, arguments and samples must not be NULL'
      USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF name !~ '^[a-z_][a-z0-9_]{0,62}$' THEN
    RAISE EXCEPTION 'the name of a metric consists of lower-case letters, digits and underscores'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF EXISTS (SELECT FROM apm.metrics m WHERE m.name = register_metric.name AND m.builtin) THEN
    RAISE EXCEPTION 'metric "%" is built in and cannot be replaced', name
      USING ERRCODE = 'duplicate_object', HINT = 'Register yours under another name.';
  END IF;
  FOR part IN SELECT * FROM (VALUES ('expression', expression), ('samples', samples), ('rollup', rollup), ('bound', bound)) v (label, sql)
               WHERE v.sql IS NOT NULL
  LOOP
    IF NOT _apm.is_expression(name, arguments, part.sql) THEN
      RAISE EXCEPTION 'the % of metric "%" must be one SQL expression', part.label, name
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'It is an aggregate over rows t, such as avg(t.duration_ms).';
    END IF;
  END LOOP;
  INSERT INTO apm.metrics AS m (name, arguments, unit, description, expression, samples, rollup, empty_value, bound)
    VALUES (register_metric.name, register_metric.arguments, register_metric.unit,
            coalesce(register_metric.description, ''), register_metric.expression, register_metric.samples,
            register_metric.rollup, register_metric.empty_value, register_metric.bound)
    ON CONFLICT ON CONSTRAINT metrics_pkey DO UPDATE
    SET arguments = excluded.arguments, unit = excluded.unit, description = excluded.description,
        expression = excluded.expression, samples = excluded.samples, rollup = excluded.rollup,
        empty_value = excluded.empty_value, bound = excluded.bound;
  -- Tried on no row at all: an aggregate gives one row, with its type.
  p := _apm.metric_parse(_apm.metric_example(name, arguments), 60);
  EXECUTE format('SELECT pg_typeof(%s)::oid FROM apm.transactions t WHERE false', p.expression_sql) INTO value_type;
  EXECUTE format('SELECT pg_typeof(%s)::oid FROM apm.transactions t WHERE false', p.samples_sql) INTO samples_type;
  IF p.bound_sql IS NOT NULL THEN
    EXECUTE format('SELECT %s FROM apm.transactions t WHERE false GROUP BY ()', p.bound_sql);
  END IF;
  IF p.rollup_sql IS NOT NULL THEN
    EXECUTE format('SELECT %s, %s, %s FROM (SELECT c.*, 0::bigint AS failures FROM _apm.%s c WHERE false) c',
                   p.rollup_sql, p.rollup_samples_sql, coalesce(p.rollup_bound_sql, 'NULL'),
                   CASE WHEN p.vital IS NULL THEN 'transaction_hours' ELSE 'vital_hours' END);
  END IF;
  IF (SELECT typcategory FROM pg_type WHERE oid = value_type) IS DISTINCT FROM 'N' OR samples_type IS NULL THEN
    RAISE EXCEPTION 'metric "%" must be an aggregate that gives a number', name
      USING ERRCODE = 'datatype_mismatch',
            DETAIL = CASE WHEN value_type IS NULL THEN 'It is not an aggregate.'
                          ELSE format('It gives the type %s.', format_type(value_type, NULL)) END,
            HINT = 'Such as avg(t.duration_ms), or count(*) FILTER (WHERE t.duration_ms > 1000).';
  END IF;
END
$$;
COMMENT ON FUNCTION apm.register_metric(text, text, text, text, text, text, text, float8, text) IS 'Adds or replaces a metric: an SQL aggregate over rows t of apm.transactions, {argument} for arguments declared as name kind [= default], {window_s} for the window''s seconds, likewise SQL for the bound of its error (0: exact; NULL: unknown); checked at once. Its unit is free text. Example: SELECT apm.register_metric(''slow_share'', ''avg((t.duration_ms > {bound_ms})::int)'', ''bound_ms positive = 1000'', unit => ''ratio'')';
REVOKE ALL ON FUNCTION apm.register_metric(text, text, text, text, text, text, text, float8, text) FROM PUBLIC;

CREATE FUNCTION apm.unregister_metric(name text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM apm.metrics m WHERE m.name = unregister_metric.name AND NOT m.builtin;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no registered metric "%"', name
      USING ERRCODE = 'undefined_object',
            HINT = 'Built-in metrics cannot be dropped; SELECT name FROM apm.metrics WHERE NOT builtin lists the others.';
  END IF;
END
$$;
COMMENT ON FUNCTION apm.unregister_metric(text) IS 'Removes a metric that was registered; built-in ones stay. No unit. Example: SELECT apm.unregister_metric(''slow_share'')';
REVOKE ALL ON FUNCTION apm.unregister_metric(text) FROM PUBLIC;
