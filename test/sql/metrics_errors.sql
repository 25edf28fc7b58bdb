-- What the functions of metrics refuse: values out of range by the name of the
-- argument, and bytes that are no apm.hll or apm.sketch, in every function that
-- takes one.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.said(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  EXECUTE 'SELECT (' || call || ')::text' INTO answer;
  RETURN coalesce(answer, 'NULL');
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

SELECT call, pg_temp.said(call) FROM unnest(ARRAY[
  'apm.apdex(1, 0)', 'apm.apdex(1, -1)', $$apm.apdex(1, 'NaN')$$, $$apm.apdex(1, 'infinity')$$, 'apm.apdex(1, 0, 1)', 'apm.apdex(1, 300, -1)', $$apm.apdex(1, 300, 'NaN')$$,
  'apm.apdex(NULL, 0)', 'apm.apdex(apm.sketch_agg(1), 0)', $$apm.apdex(apm.sketch_agg(1), 'NaN')$$,
  $$apm.user_misery('u', 1, 0)$$, $$apm.user_misery('u', 1, 'NaN')$$, $$apm.count_miserable('u', 1, -5)$$, $$apm.count_miserable(NULL, 1, -5)$$,
  $$apm.failure_rate('ok', -0.5)$$, $$apm.failure_rate('ok', 'NaN', '{}')$$, $$apm.failure_rate('ok', 'infinity')$$,
  'apm.estimate_count(-1)', $$apm.estimate_sum(1, 'NaN')$$, $$apm.estimate_avg(1, '-infinity')$$, 'apm.sketch_agg(1, -1)', $$apm.sketch_agg(1, 'NaN')$$,
  'apm.percentile(apm.sketch_agg(1), 1.01)', 'apm.percentile(apm.sketch_agg(1), -0.01)', $$apm.percentile(apm.sketch_agg(1), 'NaN')$$,
  'apm.percentiles(apm.sketch_agg(1), ARRAY[0.5, 2])', 'apm.estimate_percentile(apm.sketch_agg(1), 2)', $$apm.estimate_percentile(apm.sketch_agg(1), 'NaN')$$,
  'apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), 1.5)', 'apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), -0.5)', $$apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), 'NaN')$$,
  'apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), 0.5, 0)', 'apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), 0.5, 1)', 'apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), 0.5, -0.1)',
  $$apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), significance => 'NaN')$$, $$apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), significance => 'infinity')$$,
  'apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), 0.5, NULL)', 'apm.compare(apm.sketch_agg(1), apm.sketch_agg(2), 0.5, 0.999)',
  'apm.http_response_rate(200, 0)', 'apm.http_response_rate(200, NULL)', $$apm.trace_status_rate('ok', NULL)$$, $$apm.count_web_vitals(1, NULL, 'good')$$, $$apm.count_web_vitals(1, 'lcp', 'x')$$,
  'apm.misery_score(-1, 3)', 'apm.misery_score(4, 3)', $$apm.misery_score(1, 3, 'NaN')$$, 'apm.log_normal_score(1, 0, 5)', $$apm.log_normal_score(1, 2, 'NaN')$$,
  $$apm.vital_score('lpc', 1)$$, $$apm.web_vital_rating('lpc', 1)$$, 'apm.histogram_bucket(1, 0)', $$apm.eps(1, '0')$$, $$apm.eps(1, '-1 s')$$, $$apm.floored_epm(-1, '1 s')$$]) call;
-- NULLs are skipped, and nothing but NULLs is nothing
SELECT call, pg_temp.said(call) FROM unnest(ARRAY[
  'apm.apdex(NULL)', 'apm.apdex(NULL, 300)', 'apm.apdex(1, NULL)', 'apm.user_misery(NULL, 1)', $$apm.user_misery('u', NULL)$$, $$apm.count_miserable('u', 1, NULL)$$,
  'apm.count_unique(NULL)', 'apm.hll_agg(NULL)', 'apm.hll_agg(NULL, true)', 'apm.hll_merge(NULL)', 'apm.share(NULL)', 'apm.cache_miss_rate(NULL)', 'apm.http_response_rate(NULL, 5)',
  $$apm.count_web_vitals(NULL, 'lcp', 'good')$$, 'apm.estimate_sum(NULL, 1)', 'apm.estimate_avg(NULL, 1)', 'apm.p95(NULL)', 'apm.sketch_agg(NULL)', 'apm.sketch_merge(NULL)',
  'apm.performance_score(NULL)', 'apm.measurement(NULL, NULL)', 'apm.page_score()', 'apm.standard_error(NULL)', 'apm.misery(NULL)', 'apm.misery_score(0, 0)']) call;
-- no aggregate of the schema gives anything for no row
CREATE TEMP TABLE of_nothing AS
  SELECT p.oid::regprocedure AS aggregate, pg_temp.said(format('(SELECT %s(%s) FROM (SELECT) t WHERE false)', p.oid::regproc,
           (SELECT string_agg(format('NULL::%s', t::regtype), ', ' ORDER BY place) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, place)))) AS answer
    FROM pg_proc p WHERE p.pronamespace = 'apm'::regnamespace AND p.prokind = 'a';
SELECT count(*) > 30 AS aggregates, count(*) FILTER (WHERE answer <> 'NULL') AS not_null FROM of_nothing;
SELECT * FROM of_nothing WHERE answer <> 'NULL';

-- a count is exact up to 4,096 values, and says so
SELECT n, apm.standard_error(apm.hll_agg(i::text)) FROM (VALUES (1), (4096), (4097)) s (n), generate_series(1, n) i GROUP BY n ORDER BY n;

-- Bytes that no input function lets through, as a defect of the storage would
-- bring them: with an aggregate's working layout, of a later version, cut off.
CREATE TYPE metrics_bytes;
CREATE FUNCTION metrics_bytes_in(cstring) RETURNS metrics_bytes LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION metrics_bytes_out(metrics_bytes) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE metrics_bytes (INPUT = metrics_bytes_in, OUTPUT = metrics_bytes_out, LIKE = apm.hll);
CREATE CAST (metrics_bytes AS apm.hll) WITHOUT FUNCTION;
CREATE TEMP TABLE bad (what text, bytes metrics_bytes);
INSERT INTO bad VALUES
  ('nothing', ''), ('one byte', '\x01'), ('later version', '\x020100000200000000000000'), ('version 0', '\x000100000200000000000000'),
  ('unknown form', '\x010500000200000000000000'), ('cut off', '\x0101000002000000000000'), ('descending', '\x0101000004000000000000000200000000000000'),
  ('twice the same', '\x0101000002000000000000000200000000000000'), ('flag', '\x010102000200000000000000'), ('reserved', '\x010100010200000000000000'),
  ('registers cut off', '\x01020000ffff'), ('rank too high', ('\x01020000' || repeat('ff', 12288))::metrics_bytes),
  ('working set, no slot', '\x010300000100000000000000'), ('working set, too full', '\x01030000080000000400000001000000000000000200000000000000030000000000000004'),
  ('working set, odd size', '\x01030000010000000300000000000000000000000000000000000000000000000000000000'), ('working set, mark', '\x010302000000000000000000'),
  ('working set, no free slot', ('\x010300000100000008000000' || repeat('0000000000000002', 6))::metrics_bytes),
  ('working registers, too high', ('\x010400000000000000000000' || repeat('ff', 16384))::metrics_bytes),
  ('working registers, cut off', '\x010400000000000000000000ff');
CREATE TEMP VIEW takes AS
  SELECT p.oid::regprocedure AS function, format('%s(%s)', p.oid::regproc, string_agg(CASE WHEN t = 'apm.hll'::regtype AND place = first THEN '(SELECT bytes FROM bad WHERE what = %1$L)::apm.hll'
           WHEN t = 'apm.hll'::regtype THEN '''010100000200000000000000''::apm.hll' ELSE CASE t WHEN 'text'::regtype THEN '''x''::text' WHEN 'boolean'::regtype THEN 'true' ELSE '1' END END, ', ' ORDER BY place)) AS call
    FROM pg_proc p, unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, place), generate_series(1, 2) first
   WHERE p.pronamespace IN ('apm'::regnamespace, '_apm'::regnamespace) AND 'apm.hll'::regtype = (p.proargtypes::oid[])[first - 1] GROUP BY p.oid, first;
SELECT DISTINCT function::text COLLATE "C" FROM takes ORDER BY 1;
SELECT what, count(*) AS calls, count(DISTINCT said) AS answers, min(said) AS answer
  FROM bad, takes, LATERAL (SELECT pg_temp.said(replace(call, '%1$L', quote_literal(what)))) s (said) GROUP BY what ORDER BY what COLLATE "C";
SELECT what, call, said FROM bad, takes, LATERAL (SELECT pg_temp.said(replace(call, '%1$L', quote_literal(what)))) s (said) WHERE said !~ '^XX001 invalid value of type apm.hll';
DROP TABLE bad CASCADE;
DROP TYPE metrics_bytes CASCADE;

-- The same for apm.sketch.  A transition function never comes to see the bytes:
-- outside of an aggregate it refuses whatever state it is given.
CREATE CAST (bytea AS apm.sketch) WITHOUT FUNCTION;
CREATE TEMP TABLE bad (what text, bytes bytea);
INSERT INTO bad VALUES
  ('nothing', ''), ('version 0', '\x00000000'), ('later version', '\x02000000'), ('later version, long', ('\x02' || repeat('00', 300))::bytea), ('version alone', '\x01'),
  ('cut off', '\x0101'), ('working form, empty', ('\xff' || repeat('00', 59))::bytea), ('working form, nonsense', ('\xff' || repeat('01', 400))::bytea);
CREATE TEMP VIEW takes_sketch AS
  SELECT p.oid::regprocedure AS function, format('%s(%s)', p.oid::regproc, string_agg(CASE WHEN t = 'apm.sketch'::regtype AND place = first THEN '(SELECT bytes FROM bad WHERE what = %1$L)::apm.sketch'
           WHEN t = 'apm.sketch'::regtype THEN '''01000000''::apm.sketch' WHEN t = 'float8[]'::regtype THEN '''{0.5}''::float8[]' ELSE '0.5' END, ', ' ORDER BY place)) AS call
    FROM pg_proc p, unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, place), generate_series(1, 2) first
   WHERE p.pronamespace IN ('apm'::regnamespace, '_apm'::regnamespace) AND 'apm.sketch'::regtype = (p.proargtypes::oid[])[first - 1] GROUP BY p.oid, first;
SELECT DISTINCT function::text COLLATE "C" FROM takes_sketch ORDER BY 1;
SELECT what, count(*) AS calls, said FROM bad, takes_sketch, LATERAL (SELECT pg_temp.said(replace(call, '%1$L', quote_literal(what)))) s (said) GROUP BY what, said ORDER BY what COLLATE "C", said COLLATE "C";
SELECT what, call, said FROM bad, takes_sketch, LATERAL (SELECT pg_temp.said(replace(call, '%1$L', quote_literal(what)))) s (said) WHERE said !~ '^(XX001 malformed apm.sketch|0A000 unsupported version of apm.sketch)'
   AND NOT (function::text ~ '^_apm\.sketch_(add|combine)\(' AND said ~ '^22023 a transition function of apm.sketch was called outside an aggregate');
-- sound headers, the buckets cut off: what the header or the buckets before the cut answer is right, and whatever goes beyond is refused
TRUNCATE bad;
INSERT INTO bad SELECT 'buckets cut off', substr(b, 1, length(b) / 2) FROM (SELECT apm.sketch_send(apm.sketch_agg(i * i)) FROM generate_series(1, 1000) i) s (b);
SELECT pg_temp.said(replace(call, '%1$L', quote_literal(what))) ~ '^(XX001 malformed apm.sketch|22023 a transition function)' AS refused,
       function FROM bad, takes_sketch GROUP BY 1, 2 ORDER BY 1, function::text COLLATE "C";
DROP TABLE bad CASCADE;
DROP CAST (bytea AS apm.sketch);

-- states of counters and of sums, given from outside
SELECT call, pg_temp.said(call) FROM unnest(ARRAY[
  $$_apm.apdex_accum('{0,0}', 1)$$, $$_apm.apdex_accum(NULL, 1)$$, $$_apm.apdex_accum('{0,0,NULL}', 1)$$, $$_apm.apdex_final('{{0,0,0}}')$$, $$_apm.share_final('{0}')$$,
  $$_apm.share_hits_final('{0,NULL}')$$, $$_apm.counters_combine('{0,0}', NULL)$$, $$_apm.counters_combine(NULL, '{0,0}')$$, $$_apm.counters_combine('{0,0}', '{0,0,0}')$$,
  $$_apm.estimate_accum('{0}', 1, 1)$$, $$_apm.estimate_accum(NULL, 1, 1)$$, $$_apm.estimate_combine('{0,0,0,0,0}', '{1}')$$, $$_apm.estimate_avg_final('{0,0,0,0,NULL}')$$,
  $$_apm.failure_accum('{0,0}', 'ok', '{ok}'::apm.span_status[])$$, $$_apm.vital_accum('{0,0,0}', 1, 'lcp', 'good')$$]) call;
