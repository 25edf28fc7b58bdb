-- docs/metrics.md and the catalog say the same.
\set page `cat "$PG_ABS_SRCDIR/../docs/metrics.md"`
\set calls `cd "$PG_ABS_SRCDIR/sql" && grep -o "apm\.[a-z0-9_]*(" *.sql | sort -u`
\set metric_calls `cd "$PG_ABS_SRCDIR/sql" && grep -o "'[a-z0-9_]*(" *.sql | sort -u`
\set files `cd "$PG_ABS_SRCDIR/sql" && ls *.sql`
CREATE TEMP TABLE cells AS
  SELECT n, string_to_array(trim(BOTH '| ' FROM line), ' | ') AS cell FROM string_to_table(:'page', E'\n') WITH ORDINALITY l (line, n) WHERE line LIKE '| `%';
CREATE TEMP TABLE function_rows AS
  SELECT substring(cell[1] FROM 'apm\.([a-z0-9_]+)\(') AS name, cell FROM cells WHERE cell[1] LIKE '`apm.%';
CREATE TEMP TABLE metric_rows AS
  SELECT substring(cell[1] FROM '`([a-z0-9_]+)\(') AS name, substring(cell[1] FROM '\((.*)\)`') AS arguments, cell FROM cells WHERE cell[1] NOT LIKE '`apm.%';
SELECT (SELECT count(*) FROM function_rows) > 50 AS functions_read, (SELECT count(*) FROM metric_rows) > 40 AS metrics_read;

-- every aggregate and every immutable function that measures something
SELECT DISTINCT p.proname AS not_on_the_page
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'apm' AND (p.prokind = 'a' OR p.provolatile = 'i')
   AND p.proname !~ '_(in|out|recv|send)$' AND p.proname !~ '^(trace_id|span_id|span_status)'
   AND p.proname NOT IN ('normalize_description', 'normalize_name', 'parse_dsn')
   AND p.prorettype NOT IN ('internal'::regtype, 'apm.spanset'::regtype)
   AND 'apm.spanset'::regtype <> ALL (p.proargtypes) AND p.pronargs > 0
   AND NOT EXISTS (SELECT FROM function_rows f WHERE f.name = p.proname) ORDER BY 1;
SELECT f.name AS not_in_the_catalog FROM function_rows f
 WHERE NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'apm' AND p.proname = f.name);
SELECT name AS incomplete_row FROM (TABLE function_rows UNION ALL SELECT name, cell FROM metric_rows) f WHERE array_length(cell, 1) <> 5 OR '' = ANY (cell);
SELECT name AS without_a_file, cell[5] FROM (TABLE function_rows UNION ALL SELECT name, cell FROM metric_rows) f WHERE cell[5] || '.sql' <> ALL (string_to_array(:'files', E'\n'));
SELECT f.name AS not_in_its_test, cell[5] FROM function_rows f WHERE format('%s.sql:apm.%s(', cell[5], f.name) <> ALL (string_to_array(:'calls', E'\n'));

-- the registry, row by row
SELECT m.name AS not_in_its_test, cell[5] FROM metric_rows m WHERE format('%s.sql:''%s(', cell[5], m.name) <> ALL (string_to_array(:'metric_calls', E'\n'));
SELECT coalesce(m.name, r.name) AS metric_differs, m.arguments, r.arguments, m.unit, r.cell[3] AS unit_on_page, m.empty_value, r.cell[4] AS empty_on_page
  FROM (SELECT * FROM apm.metrics WHERE builtin) m FULL JOIN metric_rows r ON r.name = m.name
 WHERE (m.arguments, coalesce(m.unit, '–'), coalesce(m.empty_value::text, 'NULL'), m.description) IS DISTINCT FROM (r.arguments, r.cell[3], r.cell[4], r.cell[2]);

-- a metric without any transaction has the value that its row says
CREATE FUNCTION pg_temp.value_of(metric text, OUT value float8, OUT samples bigint, OUT bound float8) LANGUAGE sql AS $$
  SELECT * FROM apm.metric_value(metric, '2011-06-01', '2011-06-02', project_id => -1) $$;
SELECT m.name AS wrong_of_nothing, v.* FROM apm.metrics m, LATERAL pg_temp.value_of(_apm.metric_example(m.name, m.arguments)) v
 WHERE m.builtin AND (v.value IS DISTINCT FROM m.empty_value OR v.samples <> 0 OR v.bound IS DISTINCT FROM CASE WHEN m.empty_value IS NOT NULL THEN 0 END);

-- Sentry's functions over transactions, spans, web vitals and errors: each has a row
CREATE TEMP TABLE sentry_rows AS
  SELECT split_part(cell[1], '(', 1) AS name, trim(BOTH '`' FROM cell[2]) AS code, cell
    FROM (SELECT string_to_array(trim(BOTH '| ' FROM line), ' | ') AS cell FROM string_to_table(:'page', E'\n') line
           WHERE line ~ '^\| [a-z_0-9]+\([^|]*\) \| `.* \| [^|]+ \| (transactions|spans|errors) \|') l;
SELECT wanted AS without_a_row FROM unnest('{count,count_unique,p50,p75,p90,p95,p99,p100,percentile,avg,min,max,sum,any,var,stddev,cov,corr,
  linear_regression,count_if,count_at_least,eps,epm,tps,tpm,sps,spm,floored_epm,last_seen,latest_event,failure_rate,failure_count,
  trace_status_rate,http_response_rate,http_error_rate,apdex,count_miserable,user_misery,count_web_vitals,performance_score,
  opportunity_score,count_scores,cache_miss_rate,time_spent_percentage,avg_compare,avg_if,count_op,count_starts,ttid_contribution_rate,
  ttfd_contribution_rate,division,percentile_range,avg_range,variance_range,count_range,absolute_correlation,histogram,
  compare_numeric_aggregate,examples,fn_span_count,upsampled_count,upsampled_eps,upsampled_epm}'::text[]) wanted
 WHERE NOT EXISTS (SELECT FROM sentry_rows r WHERE r.name = wanted);
SELECT count(*) AS rows, count(DISTINCT name) AS names, count(*) FILTER (WHERE array_length(cell, 1) <> 6 OR '' = ANY (cell)) AS incomplete FROM sentry_rows;
-- the test of each is a file that calls it: as a metric, as a function of apm, or, where it is plain SQL, this one
ALTER TABLE sentry_rows ADD file text, ADD called text;
UPDATE sentry_rows SET file = split_part(cell[6], ';', 1), called = coalesce('''' || substring(code FROM '^([a-z_0-9]+\()[^()]*\)$'), substring(code FROM '^apm\.[a-z_]+\('));
SELECT name AS without_a_file, file FROM sentry_rows WHERE file || '.sql' <> ALL (string_to_array(:'files', E'\n'));
SELECT name AS not_in_its_test, file, called FROM sentry_rows
 WHERE CASE WHEN called IS NULL OR file = 'metrics_catalog' THEN file NOT IN ('metrics_catalog', 'metrics_expression', 'metrics_estimates')
            ELSE format('%s.sql:%s', file, called) <> ALL (string_to_array(:'calls' || E'\n' || :'metric_calls', E'\n')) END;
SELECT r.name AS other_unit, cell[3], p.unit FROM sentry_rows r, LATERAL _apm.metric_parse(r.code, 60) p WHERE called LIKE '''%' AND coalesce(p.unit, '–') <> cell[3];
-- and what it says runs, and gives of nothing what it says
CREATE FUNCTION pg_temp.of_nothing(code text, relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  IF code ~ '^[a-z_0-9]+\([^()]*\)$' THEN
    SELECT v.value::text INTO answer FROM pg_temp.value_of(code) v;
  ELSE
    EXECUTE format('SELECT (%s)::text FROM apm.%I WHERE false', code, relation) INTO answer;
  END IF;
  RETURN coalesce(nullif(answer, '{NULL,NULL}'), 'NULL');
END $$;
SELECT cell[1] AS wrong_of_nothing, a AS answer, cell[5] AS on_page FROM sentry_rows, LATERAL pg_temp.of_nothing(code, cell[4]) a WHERE a <> cell[5];
-- some of the SQL, on rows whose answers are plain
WITH t (op, event_id, end_time, self_time_ms) AS (VALUES ('db', 1, 3, 30.0::float8), ('db', 2, 9, 30), ('http', 3, 5, 40))
SELECT op, (array_agg(event_id ORDER BY end_time DESC))[1] AS latest_event, sum(self_time_ms) / sum(sum(self_time_ms)) OVER () AS time_spent_percentage
  FROM t GROUP BY op ORDER BY op;
-- the rest of what is plain SQL, word for word as it stands on the page
CREATE TEMP TABLE plain AS
  SELECT i AS event_id, i AS span_count, 100.0::float8 * i AS duration_ms, now() - interval '12 hours' + (i - 4) * interval '1 hour' - interval '1 second' AS end_time,
         jsonb_build_object('lcp', CASE WHEN i > 2 THEN 2400 END) AS measurements, '{}'::jsonb AS contexts FROM generate_series(1, 9) i;
CREATE FUNCTION pg_temp.as_written(wanted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  EXECUTE format('SELECT string_agg((%s)::text, '' '') FROM plain', (SELECT code FROM sentry_rows WHERE name = wanted)) INTO answer;
  RETURN answer;
EXCEPTION WHEN grouping_error THEN
  EXECUTE format('SELECT (%s)::text FROM plain', (SELECT code FROM sentry_rows WHERE name = wanted)) INTO answer;
  RETURN answer;
END $$;
SELECT wanted, pg_temp.as_written(wanted) AS answer, truth
  FROM (VALUES ('division', repeat('100 ', 8) || '100'), ('linear_regression', '{100,0}'), ('percentile_range', '385'), ('avg_range', '250'), ('variance_range', (50000 / 3.0::float8)::text),
               ('count_range', '4'), ('compare_numeric_aggregate', 'true'), ('latest_event', '9')) v (wanted, truth)
 WHERE pg_temp.as_written(wanted) IS DISTINCT FROM truth OR wanted IN ('division', 'percentile_range');
SELECT apm.num_values(apm.sketch_agg(duration_ms)) AS rows, nullif(count(apm.performance_score(measurements, contexts -> 'browser' ->> 'name')), 0) AS count_scores FROM plain;
