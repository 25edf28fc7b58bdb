-- ---------------------------------------------------------------------------
-- estimates: sampled data, thresholds, comparisons, small formulas

-- --- sampled data ----------------------------------------------------------

CREATE TYPE apm.estimate AS (
  value       float8,
  half_width  float8,
  reliability text,
  samples     bigint,
  sample_rate float8
);
COMMENT ON TYPE apm.estimate IS 'A number estimated from sampled rows: value plus or minus half_width (95 %, in the unit of the value), reliability high or low (high: half_width is at most half of the value), number of rows, their mean sample rate from 0 to 1. Example: SELECT (e).value, (e).half_width FROM (SELECT apm.estimate_count(weight) AS e FROM apm.transactions) t';

CREATE FUNCTION _apm.estimate_accum_count(float8[], float8) RETURNS float8[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _apm.estimate_accum(float8[], float8, float8) RETURNS float8[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _apm.estimate_combine(float8[], float8[]) RETURNS float8[]
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _apm.estimate_count_final(float8[]) RETURNS apm.estimate
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION _apm.estimate_sum_final(float8[]) RETURNS apm.estimate
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION _apm.estimate_avg_final(float8[]) RETURNS apm.estimate
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE apm.estimate_count(weight float8) (
  SFUNC = _apm.estimate_accum_count, STYPE = float8[], SSPACE = 64, INITCOND = '{0,0,0,0,0}',
  FINALFUNC = _apm.estimate_count_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.estimate_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.estimate_count(float8) IS 'Number of rows before sampling, each kept row standing for its weight (NULL is 1), with its confidence: half-width 1.96 sqrt(sum of w² - w); NULL if there is no row. Example: SELECT apm.estimate_count(weight) FROM apm.transactions';

CREATE AGGREGATE apm.estimate_sum(v float8, weight float8) (
  SFUNC = _apm.estimate_accum, STYPE = float8[], SSPACE = 64, INITCOND = '{0,0,0,0,0}',
  FINALFUNC = _apm.estimate_sum_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.estimate_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.estimate_sum(float8, float8) IS 'Sum before sampling, in the unit of v, with its confidence: half-width 1.96 sqrt(sum of v² (w² - w)); NULL if there is no value. Example: SELECT apm.estimate_sum(duration_ms, weight) FROM apm.transactions';

CREATE AGGREGATE apm.estimate_avg(v float8, weight float8) (
  SFUNC = _apm.estimate_accum, STYPE = float8[], SSPACE = 64, INITCOND = '{0,0,0,0,0}',
  FINALFUNC = _apm.estimate_avg_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.estimate_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.estimate_avg(float8, float8) IS 'Mean before sampling, in the unit of v, with its confidence; half_width is infinite where the count may be 0; NULL if there is no value. Example: SELECT apm.estimate_avg(duration_ms, weight) FROM apm.transactions';

CREATE FUNCTION apm.estimate_percentile(sketch apm.sketch, p float8) RETURNS apm.estimate
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 4000
  RETURN (
    WITH n AS (SELECT apm.num_values(sketch) AS n, apm.percentile(sketch, p) AS v, apm.total_weight(sketch) AS w),
         -- Ranks that lie 1.96 standard errors off, on a grid of 0.005, at most 0.1 away.
         r AS (SELECT n.*, 1.96 * sqrt(p * (1 - p) / nullif(n, 0)) AS d FROM n),
         b AS (SELECT r.*, greatest(p - 0.1, 0, floor((p - d) / 0.005) * 0.005) AS low,
                      least(p + 0.1, 1, ceil((p + d) / 0.005) * 0.005) AS high FROM r),
         h AS (SELECT b.*, greatest(v - apm.percentile(sketch, low), apm.percentile(sketch, high) - v) AS half FROM b)
    SELECT ROW(v, half, CASE WHEN n > 50 AND (half = 0 OR half <= 0.5 * abs(v)) THEN 'high' ELSE 'low' END, n, n / nullif(w, 0))::apm.estimate
      FROM h WHERE v IS NOT NULL);
COMMENT ON FUNCTION apm.estimate_percentile(apm.sketch, float8) IS 'A percentile (p from 0 to 1) in the unit of the sketch, with the half-width that its rank''s error gives; reliability is low up to 50 values; NULL for an empty sketch. Example: SELECT (apm.estimate_percentile(apm.sketch_agg(duration_ms), 0.95)).* FROM apm.transactions';

-- --- comparison ------------------------------------------------------------

CREATE FUNCTION _apm.normal_two_sided(z float8) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.normal_two_sided(float8) IS 'Probability that a normal deviate is at least so far from 0. Example: SELECT _apm.normal_two_sided(1.96)';

CREATE FUNCTION _apm.percentile_error(sketch apm.sketch, p float8) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300;
COMMENT ON FUNCTION _apm.percentile_error(apm.sketch, float8) IS 'Standard error of a percentile of a sketch. Example: SELECT _apm.percentile_error(apm.sketch_agg(duration_ms), 0.95) FROM apm.transactions';

CREATE FUNCTION _apm.check_significance(significance float8) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.check_significance(float8) IS 'True, or an error unless it lies above 0 and below 1. Example: SELECT _apm.check_significance(0.01)';

CREATE FUNCTION apm.compare(a apm.sketch, b apm.sketch, p float8 DEFAULT 0.95, significance float8 DEFAULT 0.01,
    OUT a_value float8, OUT b_value float8, OUT difference float8, OUT ratio float8,
    OUT standard_error float8, OUT p_value float8, OUT significant boolean)
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5000
BEGIN ATOMIC
  WITH v AS (SELECT apm.percentile(compare.a, compare.p) AS x, apm.percentile(compare.b, compare.p) AS y,
                    CASE WHEN apm.num_values(compare.a) > 1 AND apm.num_values(compare.b) > 1
                         THEN sqrt(_apm.percentile_error(compare.a, compare.p) ^ 2 + _apm.percentile_error(compare.b, compare.p) ^ 2) END AS e
              WHERE _apm.check_significance(compare.significance)),
       t AS (SELECT v.*, CASE WHEN e > 0 THEN _apm.normal_two_sided((y - x) / e)
                              WHEN e = 0 THEN (x = y)::int::float8 END AS q FROM v)
  SELECT x, y, y - x, y / nullif(x, 0), e, q, q < compare.significance FROM t;
END;
COMMENT ON FUNCTION apm.compare(apm.sketch, apm.sketch, float8, float8) IS 'A percentile (p from 0 to 1) of two sketches, in their unit: b minus a, b through a, standard error of the difference, probability of one so large by chance, and whether that is below the significance, which lies above 0 and below 1; NULL where a sketch has fewer than two values. Example: SELECT c.* FROM (SELECT apm.sketch_agg(duration_ms) FILTER (WHERE release = ''1'') AS a, apm.sketch_agg(duration_ms) FILTER (WHERE release = ''2'') AS b FROM apm.transactions) s, apm.compare(s.a, s.b) c';

CREATE FUNCTION apm.relative_change(old_value float8, new_value float8) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 130
  RETURN (new_value - old_value) / nullif(abs(old_value), 0);
COMMENT ON FUNCTION apm.relative_change(float8, float8) IS 'Change as a ratio of the old value: 0.5 is half as much again; NULL if the old value is 0. Example: SELECT apm.relative_change(200, 300)';

CREATE FUNCTION apm.upper_outer_fence(sketch apm.sketch) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 300
  RETURN apm.percentile(sketch, 0.75) + 3 * (apm.percentile(sketch, 0.75) - apm.percentile(sketch, 0.25));
COMMENT ON FUNCTION apm.upper_outer_fence(apm.sketch) IS 'Bound beyond which values are outliers, Q3 + 3 (Q3 - Q1), in the unit of the sketch. Example: SELECT apm.upper_outer_fence(apm.sketch_agg(duration_ms)) FROM apm.transactions';

CREATE FUNCTION apm.histogram_bucket(v float8, width float8, origin float8 DEFAULT 0, multiplier float8 DEFAULT 1) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 200
  RETURN (floor((v * multiplier - origin) / nullif(width, 0)) * width + origin) / nullif(multiplier, 0);
COMMENT ON FUNCTION apm.histogram_bucket(float8, float8, float8, float8) IS 'Lower bound of the histogram bucket of a value, in the unit of v; width and origin are in the unit of v times multiplier. Example: SELECT apm.histogram_bucket(duration_ms, 100), count(*) FROM apm.transactions GROUP BY 1';

-- --- throughput ------------------------------------------------------------

CREATE FUNCTION apm.eps(n float8, window_length interval) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 150
  RETURN n / nullif(greatest(extract(epoch FROM window_length), 0), 0)::float8;
COMMENT ON FUNCTION apm.eps(float8, interval) IS 'Rate per second: n events in a window of this length; NULL unless the window is longer than 0. Example: SELECT apm.eps(count(*), interval ''1 hour'') FROM apm.transactions WHERE end_time > now() - interval ''1 hour''';

CREATE FUNCTION apm.epm(n float8, window_length interval) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 200
  RETURN 60 * apm.eps(n, window_length);
COMMENT ON FUNCTION apm.epm(float8, interval) IS 'Rate per minute: n events in a window of this length; NULL unless the window is longer than 0. Example: SELECT apm.epm(count(*), interval ''1 hour'') FROM apm.transactions WHERE end_time > now() - interval ''1 hour''';

CREATE FUNCTION apm.floored_epm(n float8, window_length interval) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 300
  RETURN CASE WHEN n > 0 THEN 10 ^ floor(log(apm.epm(n, window_length))) END;
COMMENT ON FUNCTION apm.floored_epm(float8, interval) IS 'Rate per minute rounded down to a power of ten; NULL without events. Example: SELECT apm.floored_epm(4200, interval ''1 hour'')';

-- --- thresholds ------------------------------------------------------------

CREATE TABLE apm.thresholds (
  project_id          integer,
  transaction_pattern text CHECK (transaction_pattern <> ''),
  metric              text NOT NULL DEFAULT 'duration' CHECK (metric IN ('duration', 'lcp')),
  threshold_ms        float8 NOT NULL CHECK (threshold_ms > 0 AND threshold_ms < 'infinity'),
  UNIQUE NULLS NOT DISTINCT (project_id, transaction_pattern)
);
COMMENT ON TABLE apm.thresholds IS 'Satisfaction thresholds in milliseconds for Apdex and user misery, on the duration or on lcp; * in transaction_pattern stands for any text; NULL means every project or every transaction. Of the rows that fit, one for the project goes first, then an exact name, then the longest pattern; without any it is 300 ms on the duration. Example: INSERT INTO apm.thresholds VALUES (1, ''GET /report/*'', ''duration'', 2000)';
SELECT pg_catalog.pg_extension_config_dump('apm.thresholds', '');

CREATE FUNCTION apm.threshold_ms(project_id integer, transaction_name text) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION apm.threshold_ms(integer, text) IS 'Satisfaction threshold in milliseconds in force for a transaction, from apm.thresholds, else 300. Example: SELECT apm.threshold_ms(1, ''GET /report/42'')';

CREATE FUNCTION apm.threshold_value(project_id integer, transaction_name text, duration_ms float8, measurements jsonb) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 15;
COMMENT ON FUNCTION apm.threshold_value(integer, text, float8, jsonb) IS 'What the threshold in force is compared with, in milliseconds: the duration, or lcp where apm.thresholds says so. Example: SELECT apm.apdex(apm.threshold_value(project_id, name, duration_ms, measurements), apm.threshold_ms(project_id, name)) FROM apm.transactions';

-- --- failures --------------------------------------------------------------

CREATE TABLE apm.failure_rules (
  project_id integer CHECK (project_id > 0),
  failing    apm.span_status[] NOT NULL CHECK (array_position(failing, NULL) IS NULL),
  UNIQUE NULLS NOT DISTINCT (project_id)
);
COMMENT ON TABLE apm.failure_rules IS 'Which statuses count as failures, by project; NULL in project_id means every project without a row of its own; without any row it is all but ok, cancelled and unknown. Read by failure_rate() and failure_count() in metric expressions and by apm.endpoints; changes count for old data, too. Example: INSERT INTO apm.failure_rules VALUES (1, ''{internal_error,unavailable,deadline_exceeded}'')';
SELECT pg_catalog.pg_extension_config_dump('apm.failure_rules', '');

CREATE FUNCTION apm.is_failure(project_id integer, status apm.span_status) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 15;
COMMENT ON FUNCTION apm.is_failure(integer, apm.span_status) IS 'Whether a status counts as a failure in a project, by apm.failure_rules; false without a status. Example: SELECT name, apm.share(apm.is_failure(project_id, status)) FROM apm.transactions GROUP BY name';

-- --- assertions ------------------------------------------------------------

CREATE TYPE _apm.measured_assertion AS (
  assertion   text,
  metric      text,
  comparison  text,
  wanted      float8,
  value       float8,
  bound       float8,
  samples     bigint,
  min_samples bigint,
  holds       boolean,
  period      text,
  example     text
);
COMMENT ON TYPE _apm.measured_assertion IS 'What apm.assert measured';

CREATE FUNCTION _apm.measure_assertion(assertion text, since timestamptz, until timestamptz, project_id integer,
    transaction_name text, op text, environment text, release text, min_samples bigint) RETURNS _apm.measured_assertion
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  a record;
  m record;
  p record;
  r _apm.measured_assertion;
BEGIN
  IF assertion IS NULL THEN
    RAISE EXCEPTION 'assertion must not be NULL' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  a := _apm.assertion_parse(assertion);
  p := _apm.metric_parse(a.metric, _apm.window_seconds(since, until));
  m := apm.metric_value(a.metric, since, until, project_id, transaction_name, op, environment, release);
  r.assertion := assertion;
  r.metric := p.canonical;
  r.comparison := a.comparison;
  r.wanted := a.bound;
  r.value := m.value;
  r.bound := m.bound;
  r.samples := m.samples;
  r.min_samples := min_samples;
  r.period := format('[%s, %s)', coalesce(since::text, '-infinity'), coalesce(until::text, 'infinity'));
  EXECUTE format('SELECT $1 %s $2', a.comparison) INTO r.holds USING m.value, a.bound;
  IF NOT r.holds THEN
    -- One of the slowest, of those that failed if failures are in question.
    EXECUTE format('SELECT t.trace_id::text FROM apm.transactions t WHERE %s ORDER BY %s t.duration_ms DESC, t.trace_id::text LIMIT 1',
                   _apm.transaction_filter(since, until, project_id, transaction_name, op, environment, release),
                   CASE WHEN p.name LIKE '%failure%' THEN 'apm.is_failure(t.project_id, t.status) DESC,' END)
      INTO r.example
      USING since, until, project_id, transaction_name, op, environment, release;
  END IF;
  RETURN r;
END
$$;
COMMENT ON FUNCTION _apm.measure_assertion(text, timestamptz, timestamptz, integer, text, text, text, text, bigint) IS 'Measures what an assertion is about. Example: SELECT * FROM _apm.measure_assertion(''count() > 0'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1)';

CREATE FUNCTION _apm.assertion_verdict(measured _apm.measured_assertion) RETURNS float8
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.assertion_verdict(_apm.measured_assertion) IS 'The value if the assertion holds, else an error. Example: SELECT _apm.assertion_verdict(_apm.measure_assertion(''count() > 0'', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1))';

CREATE FUNCTION apm.assert(assertion text,
    since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, transaction_name text DEFAULT NULL, op text DEFAULT NULL,
    environment text DEFAULT NULL, release text DEFAULT NULL, min_samples bigint DEFAULT 1)
  RETURNS float8
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN _apm.assertion_verdict(_apm.measure_assertion(assertion, since, until, project_id, transaction_name, op,
                                                       environment, release, min_samples));
COMMENT ON FUNCTION apm.assert(text, timestamptz, timestamptz, integer, text, text, text, text, bigint) IS 'The value of a metric, in its unit, if the comparison holds; else an error (check_violation) with the value, the bound of its error and an example trace; an error, too (no_data_found), below min_samples. Example: SELECT apm.assert(''p95(duration) < 300'', now() - interval ''10 minutes'', transaction_name => ''POST /api/checkout'', min_samples => 500)';
