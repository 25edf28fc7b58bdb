-- States of the aggregates of rows, cut into parts and put together again as
-- another node would do it: 10,000 random splits, through text and through
-- binary, under every shape of plan.
SET client_min_messages = warning;
SET jit = off;
\set VERBOSITY default

-- For every aggregate of schema apm with a state of counters, sums, users or
-- quantiles: one that stops at the state, and one that takes states to the end.
CREATE TEMP TABLE cut AS
  SELECT row_number() OVER (ORDER BY a.aggfnoid::regprocedure::text COLLATE "C") AS n, a.aggfnoid::regprocedure AS whole, p.pronargs,
         format('%s', a.aggtransfn) AS step, a.aggtranstype::regtype AS state, a.aggcombinefn AS combine, a.aggfinalfn AS final, a.agginitval AS start,
         oidvectortypes(p.proargtypes) AS arguments
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
   WHERE p.pronamespace = 'apm'::regnamespace AND a.aggtranstype IN ('bigint[]'::regtype, 'float8[]'::regtype, 'apm.hll'::regtype, 'apm.sketch'::regtype);
SELECT whole, state FROM cut ORDER BY n;
CREATE SCHEMA metrics_splits;
DO $$
DECLARE
  c cut;
  definition text;
BEGIN
  FOR c IN SELECT * FROM cut LOOP
    definition := format('STYPE = %s, COMBINEFUNC = %s, PARALLEL = SAFE %s', c.state, c.combine, ', INITCOND = ' || quote_literal(c.start));
    EXECUTE format('CREATE AGGREGATE metrics_splits.state_%s(%s) (SFUNC = %s, %s)', c.n, c.arguments, c.step, definition);
    EXECUTE format('CREATE AGGREGATE metrics_splits.join_%s(%s) (SFUNC = %s, FINALFUNC = %s, %s)', c.n, c.state, c.combine, c.final, definition);
  END LOOP;
END $$;

-- Rows of every kind of value, from integers alone.
CREATE TABLE metrics_splits.input AS
  SELECT i, CASE WHEN i % 13 > 0 THEN (i::bigint * i * 7919 % 100003) / 8.0::float8 - 100 END AS v,
         CASE WHEN i % 11 > 0 THEN (1 + i % 5) * 100.0::float8 END AS t, CASE WHEN i % 7 > 0 THEN i % 9 / 4.0::float8 END AS w,
         CASE WHEN i % 5 > 0 THEN 'id:' || i * 31 % 97 END AS u, CASE WHEN i % 17 > 0 THEN (enum_range(NULL::apm.span_status))[1 + i * 31 % 17] END AS s,
         CASE WHEN i % 6 > 0 THEN i % 4 = 0 END AS b, CASE WHEN i % 9 > 0 THEN 100 + i % 13 * 50 END AS h,
         -- for sketches: durations and what is unusual, and whole sketches, some exact and some of buckets
         CASE WHEN i % 53 = 0 THEN (ARRAY['NaN', 'Infinity', '-Infinity', '-0', '1e-310', '-3e5', '7e300'])[1 + i % 7]::float8
              WHEN i % 10 > 0 THEN (1 + i::bigint * i * 7919 % 60013) / 1000.0::float8 END AS d,
         CASE WHEN i % 8 > 0 THEN apm.sketch_from_histogram(ARRAY[i % 7, i % 7 + 1 + i % 500], ARRAY[1 + i % 40]) END AS q
    FROM generate_series(1, 997) i;
-- The arguments of each in terms of these rows.
CREATE FUNCTION pg_temp.call(whole regprocedure) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE whole::text
    WHEN 'apm.apdex(double precision)' THEN 'v' WHEN 'apm.apdex(double precision,double precision)' THEN 'v, t'
    WHEN 'apm.apdex(double precision,double precision,double precision)' THEN 'v, t, w'
    WHEN 'apm.cache_miss_rate(boolean)' THEN 'b' WHEN 'apm.share(boolean)' THEN 'b'
    WHEN 'apm.count_miserable(text,double precision)' THEN 'u, v' WHEN 'apm.count_miserable(text,double precision,double precision)' THEN 'u, v, t'
    WHEN 'apm.user_misery(text,double precision)' THEN 'u, v' WHEN 'apm.user_misery(text,double precision,double precision)' THEN 'u, v, t'
    WHEN 'apm.count_unique(text)' THEN 'u' WHEN 'apm.hll_agg(text)' THEN 'u' WHEN 'apm.hll_agg(text,boolean)' THEN 'u, b'
    WHEN 'apm.hll_merge(apm.hll)' THEN '(''010100000'' || 2 * (1 + i % 4) || ''00000000000000'')::apm.hll'
    WHEN 'apm.count_web_vitals(double precision,text,text)' THEN 'v, ''lcp'', ''meh'''
    WHEN 'apm.estimate_count(double precision)' THEN 'w' WHEN 'apm.estimate_sum(double precision,double precision)' THEN 'floor(v), w'
    WHEN 'apm.estimate_avg(double precision,double precision)' THEN 'floor(v), w'
    WHEN 'apm.failure_count(apm.span_status)' THEN 's' WHEN 'apm.failure_rate(apm.span_status)' THEN 's'
    WHEN 'apm.failure_rate(apm.span_status,double precision)' THEN 's, w'
    WHEN 'apm.failure_count(apm.span_status,apm.span_status[])' THEN 's, ''{not_found,aborted}'''
    WHEN 'apm.failure_rate(apm.span_status,double precision,apm.span_status[])' THEN 's, w, ''{not_found,aborted}'''
    WHEN 'apm.p50(double precision)' THEN 'd' WHEN 'apm.p75(double precision)' THEN 'd' WHEN 'apm.p90(double precision)' THEN 'd'
    WHEN 'apm.p95(double precision)' THEN 'v' WHEN 'apm.p99(double precision)' THEN 'd + t'
    WHEN 'apm.sketch_agg(double precision)' THEN 'd' WHEN 'apm.sketch_agg(double precision,double precision)' THEN 'd, w'
    WHEN 'apm.sketch_merge(apm.sketch)' THEN 'q'
    WHEN 'apm.http_response_rate(integer,integer)' THEN 'h, 4' WHEN 'apm.trace_status_rate(apm.span_status,apm.span_status)' THEN 's, ''ok''' END $$;
SELECT whole AS not_called FROM cut WHERE pg_temp.call(whole) IS NULL;

-- Split k of a shape: ten rows picked at random, dealt at random to 1 to 6
-- parts.  Every tenth has eighty, so that sketches, which keep 32 values as they
-- are, meet as values and values, values and buckets, buckets and buckets.
CREATE FUNCTION pg_temp.hash(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT hashint8extended(a, b) & 1073741823 $$;
CREATE TABLE metrics_splits.dealt AS
  SELECT shape, k, pg_temp.hash(shape * 1000000 + k * 100 + j, 2) % (1 + pg_temp.hash(shape * 1000000 + k, 3) % 6) AS part, x.*
    FROM generate_series(1, 6) shape, generate_series(1, 1700) k, generate_series(1, CASE WHEN k % 10 = 0 THEN 80 ELSE 10 END) j,
         LATERAL (SELECT 1 + pg_temp.hash(shape * 1000000 + k * 100 + j, 1) % 997 AS pick) p JOIN metrics_splits.input x ON x.i = p.pick;
ANALYZE metrics_splits.dealt;
SELECT count(*) AS splits, sum(rows) AS rows, sum(parts) AS parts FROM (SELECT count(*) AS rows, count(DISTINCT part) AS parts FROM metrics_splits.dealt GROUP BY shape, k) x;

SELECT string_agg(format('%s(%s)::text AS w%s', split_part(whole::text, '(', 1), pg_temp.call(whole), n), ', ' ORDER BY n) AS wholes,
       string_agg(format('metrics_splits.state_%s(%s) AS s%s', n, pg_temp.call(whole), n), ', ' ORDER BY n) AS states,
       string_agg(format('metrics_splits.state_%s(%s) OVER w AS s%s', n, pg_temp.call(whole), n), ', ' ORDER BY n) AS windows,
       string_agg(format('metrics_splits.join_%s(s%s::text::%s)::text AS w%s', n, n, state, n), ', ' ORDER BY n) AS texts,
       string_agg(format('metrics_splits.join_%s(s%s)::text AS w%s', n, n, n), ', ' ORDER BY n) AS joins,
       format('(%s)', string_agg('j.w' || n, ', ' ORDER BY n)) AS joined, format('(%s)', string_agg('t.w' || n, ', ' ORDER BY n)) AS true FROM cut \gset
SELECT max('s' || n) FILTER (WHERE whole = 'apm.sketch_agg(float8)'::regprocedure) AS agg,
       max('s' || n) FILTER (WHERE whole = 'apm.sketch_merge(apm.sketch)'::regprocedure) AS merge FROM cut \gset
\set parts 'AS SELECT shape, k, part, ' :states ' FROM metrics_splits.dealt WHERE shape ='
\set by 'GROUP BY shape, k, part'

CREATE FUNCTION pg_temp.batches(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'HashAgg Batches';
END $$;

-- PostgreSQL 18 also says what the window is
CREATE FUNCTION pg_temp.window_plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    CONTINUE WHEN line ~ '^ *Window: ';
    RETURN NEXT line;
  END LOOP;
END $$;

-- The truth: the aggregates themselves over all rows of a split, one after the other.
SET max_parallel_workers_per_gather = 0;
SET work_mem = '4MB';
SET enable_hashagg = off;
CREATE TABLE metrics_splits.truth AS SELECT shape, k, :wholes FROM metrics_splits.dealt GROUP BY shape, k;

-- 1: sorted; 2: hashed; 3: hashed and spilled; 4: grouping sets; 5: windows; 6: parallel
-- (a group key that is constant is shown by some versions only)
\set explain 'EXPLAIN (COSTS off) SELECT k, part, ' :states ' FROM metrics_splits.dealt WHERE shape ='
:explain 1 GROUP BY k, part;
CREATE TABLE metrics_splits.parts_1 :parts 1 :by;
RESET enable_hashagg;
SET enable_sort = off;
:explain 2 GROUP BY k, part;
CREATE TABLE metrics_splits.parts_2 :parts 2 :by;
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
CREATE TABLE metrics_splits.parts_3 :parts 3 :by;
SELECT states, pg_temp.batches('SELECT ' || states || ' FROM metrics_splits.dealt WHERE shape = 3 GROUP BY shape, k, part') > 1 AS spills
  FROM unnest(ARRAY['apm.count_unique(u)', 'apm.sketch_agg(d)', 'apm.sketch_agg(d, w)', 'apm.sketch_merge(q)']) states;
SET work_mem = '4MB';
RESET hash_mem_multiplier;
RESET enable_sort;
EXPLAIN (COSTS off) SELECT shape, k, part, :states FROM metrics_splits.dealt WHERE shape = 4 GROUP BY GROUPING SETS ((shape, k, part), (i % 7), ());
CREATE TABLE metrics_splits.parts_4 :parts 4 GROUP BY GROUPING SETS ((shape, k, part), (i % 7), ());
DELETE FROM metrics_splits.parts_4 WHERE part IS NULL;
SELECT pg_temp.window_plan('SELECT DISTINCT ON (shape, k, part) shape, k, part, ' || :'windows'
  || ' FROM metrics_splits.dealt WHERE shape = 5 WINDOW w AS (PARTITION BY shape, k, part)');
CREATE TABLE metrics_splits.parts_5 AS
  SELECT DISTINCT ON (shape, k, part) shape, k, part, :windows FROM metrics_splits.dealt WHERE shape = 5 WINDOW w AS (PARTITION BY shape, k, part);
SET enable_sort = off;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS off) SELECT 6 AS shape, k, -1 AS part, :states FROM metrics_splits.dealt WHERE shape = 6 GROUP BY k;
CREATE TABLE metrics_splits.parts_6 AS SELECT 6 AS shape, k, -1 AS part, :states FROM metrics_splits.dealt WHERE shape = 6 GROUP BY k;
RESET enable_sort;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
CREATE TABLE metrics_splits.parts AS
  SELECT * FROM metrics_splits.parts_1 UNION ALL SELECT * FROM metrics_splits.parts_2 UNION ALL SELECT * FROM metrics_splits.parts_3
  UNION ALL SELECT * FROM metrics_splits.parts_4 UNION ALL SELECT * FROM metrics_splits.parts_5 UNION ALL SELECT * FROM metrics_splits.parts_6;

-- What met: sketches of values, of buckets, and both in one split
SELECT count(*) FILTER (WHERE buckets = 0) AS values_only, count(*) FILTER (WHERE buckets BETWEEN 1 AND parts - 1) AS both, count(*) FILTER (WHERE buckets = parts) AS buckets_only
  FROM (SELECT count(:agg) AS parts, count(*) FILTER (WHERE apm.relative_error(:agg::text::apm.sketch) > 0) AS buckets FROM metrics_splits.parts GROUP BY shape, k) x WHERE parts > 1;
SELECT count(*) FILTER (WHERE buckets = 0) AS values_only, count(*) FILTER (WHERE buckets BETWEEN 1 AND parts - 1) AS both, count(*) FILTER (WHERE buckets = parts) AS buckets_only
  FROM (SELECT count(:merge) AS parts, count(*) FILTER (WHERE apm.relative_error(:merge::text::apm.sketch) > 0) AS buckets FROM metrics_splits.parts GROUP BY shape, k) x WHERE parts > 1;

-- Through text
SELECT shape, count(*) AS splits, count(*) FILTER (WHERE ROW :joined IS DISTINCT FROM ROW :true) AS different
  FROM (SELECT shape, k, :texts FROM metrics_splits.parts GROUP BY shape, k) j FULL JOIN metrics_splits.truth t USING (shape, k) GROUP BY shape ORDER BY shape;
-- Through binary
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/metrics_splits.bin'
\set copy_out '\\copy metrics_splits.parts TO ' :'file' ' (FORMAT binary)'
\set copy_in '\\copy metrics_splits.received FROM ' :'file' ' (FORMAT binary)'
CREATE TABLE metrics_splits.received (LIKE metrics_splits.parts);
:copy_out
:copy_in
SELECT shape, count(*) AS splits, count(*) FILTER (WHERE ROW :joined IS DISTINCT FROM ROW :true) AS different
  FROM (SELECT shape, k, :joins FROM metrics_splits.received GROUP BY shape, k) j FULL JOIN metrics_splits.truth t USING (shape, k) GROUP BY shape ORDER BY shape;
-- The comparison would see a difference.
SELECT count(*) = 0 AS equal FROM metrics_splits.truth t JOIN metrics_splits.truth j ON j.shape = t.shape AND j.k = t.k + 1 WHERE ROW :joined IS NOT DISTINCT FROM ROW :true;
DROP SCHEMA metrics_splits CASCADE;
