-- apm.sketch under every shape of plan: the bytes are the same under all
\set VERBOSITY default

-- No temporary table: parallel workers could not read it.
CREATE TABLE sketch_plans AS
  SELECT i, i % 8 AS few, i % 1000 AS many, (i * 17) % 37 AS part,
         (1 + (i::bigint * i * 7919 + i::bigint * 104729) % 611953 % (1000 * (1 + i % 600))) / 1000.0::float8 AS v,
         1 + (i * 31) % 4000 / 1000.0::float8 AS w
  FROM generate_series(1, 40000) i;
CREATE INDEX ON sketch_plans (i);
ANALYZE sketch_plans;
SET jit = off;

-- What the server says about every aggregate of the schema: partial
-- aggregation, here or on other nodes, needs a real state type.
SELECT p.oid::regprocedure
  FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN pg_type t ON t.oid = a.aggtranstype
  WHERE p.pronamespace = 'apm'::regnamespace
    AND (t.typtype = 'p' OR a.aggcombinefn = 0 OR p.proparallel <> 's' OR p.pronargs = 0 OR a.aggfinalmodify <> 'r');
SELECT p.proname, count(*) AS overloads, bool_and(a.aggtranstype = 'apm.sketch'::regtype) AS state_is_sketch
  FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
  WHERE p.pronamespace = 'apm'::regnamespace AND p.proname ~ '^(p\d+|sketch_.*)$' GROUP BY p.proname ORDER BY p.proname;

-- The reference: sorted, in one process, one state for each aggregate
SET max_parallel_workers_per_gather = 0;
SET enable_hashagg = off;
CREATE TEMP TABLE sorted_few AS SELECT few, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws, apm.p95(v) AS p95, count(*) AS n FROM sketch_plans GROUP BY few;
CREATE TEMP TABLE sorted_many AS SELECT many, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws, apm.p95(v) AS p95, count(*) AS n FROM sketch_plans GROUP BY many;
CREATE TEMP TABLE plain AS SELECT apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws, apm.p95(v) AS p95, count(*) AS n FROM sketch_plans;
EXPLAIN (COSTS OFF) SELECT few, apm.p95(v) FROM sketch_plans GROUP BY few;
SELECT sum(apm.num_values(s)) = sum(n) AS counts, count(*) FILTER (WHERE apm.percentile(s, 0.95) <> p95) AS different FROM sorted_many;
SELECT count(*) FILTER (WHERE abs(s.p95 - c.p95) > 0.01 * c.p95) AS outside
  FROM sorted_many s JOIN (SELECT many, percentile_cont(0.95) WITHIN GROUP (ORDER BY v) AS p95 FROM sketch_plans GROUP BY many) c USING (many);

-- Hashed
RESET enable_hashagg;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT few, apm.p95(v) FROM sketch_plans GROUP BY few;
SELECT count(*) AS groups, count(*) FILTER (WHERE h.s::text <> r.s::text OR h.ws::text <> r.ws::text) AS different
  FROM (SELECT many, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_plans GROUP BY many) h FULL JOIN sorted_many r USING (many);

-- Hashed and spilled to disk
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
CREATE FUNCTION pg_temp.spills(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) ' || query INTO plan;
  RETURN (plan->0->'Plan'->>'Strategy') = 'Hashed' AND (plan->0->'Plan'->>'HashAgg Batches')::int > 1;
END $$;
SELECT pg_temp.spills('SELECT many, apm.sketch_agg(v), apm.sketch_agg(v, w) FROM sketch_plans GROUP BY many') AS spills;
SELECT count(*) AS groups, count(*) FILTER (WHERE h.s::text <> r.s::text OR h.ws::text <> r.ws::text) AS different
  FROM (SELECT many, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_plans GROUP BY many) h FULL JOIN sorted_many r USING (many);
RESET work_mem;
RESET hash_mem_multiplier;
RESET enable_sort;

-- Grouping sets: hashed, sorted and mixed
EXPLAIN (COSTS OFF) SELECT few, many, apm.p95(v) FROM sketch_plans GROUP BY GROUPING SETS ((few), (many), ());
CREATE TEMP TABLE sets AS
  SELECT few, many, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_plans GROUP BY GROUPING SETS ((few), (many), ());
SET enable_hashagg = off;
EXPLAIN (COSTS OFF) SELECT few, many, apm.p95(v) FROM sketch_plans GROUP BY GROUPING SETS ((few), (many), ());
INSERT INTO sets
  SELECT few, many, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_plans GROUP BY GROUPING SETS ((few), (many), ());
RESET enable_hashagg;
SELECT count(*) AS rows, count(*) FILTER (WHERE sets.s::text <> r.s::text OR sets.ws::text <> r.ws::text) AS different
  FROM sets JOIN (SELECT few, NULL::int AS many, s, ws FROM sorted_few UNION ALL SELECT NULL, many, s, ws FROM sorted_many UNION ALL SELECT NULL, NULL, s, ws FROM plain) r
    ON sets.few IS NOT DISTINCT FROM r.few AND sets.many IS NOT DISTINCT FROM r.many;

-- Parallel: partial states, combined
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT apm.p50(v), apm.p95(v), apm.sketch_agg(v) FROM sketch_plans;
EXPLAIN (COSTS OFF) SELECT few, apm.p95(v), apm.sketch_agg(v, w) FROM sketch_plans GROUP BY few;
SELECT p.s::text = r.s::text AS same, p.ws::text = r.ws::text AS same_weighted, p.p95 = r.p95 AS same_p95
  FROM (SELECT apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws, apm.p95(v) AS p95 FROM sketch_plans) p, plain r;
SELECT count(*) AS groups, count(*) FILTER (WHERE p.s::text <> r.s::text OR p.ws::text <> r.ws::text) AS different
  FROM (SELECT few, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_plans GROUP BY few) p FULL JOIN sorted_few r USING (few);
SELECT count(*) AS groups, count(*) FILTER (WHERE p.s::text <> r.s::text OR p.ws::text <> r.ws::text) AS different
  FROM (SELECT many, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_plans GROUP BY many) p FULL JOIN sorted_many r USING (many);
-- States of a few values travel in tuples that shorten their headers
EXPLAIN (COSTS OFF) SELECT few, part, apm.sketch_agg(CASE WHEN i % 23 = 0 THEN v END) FROM sketch_plans GROUP BY few, part;
CREATE TEMP TABLE short AS
  SELECT few, part, apm.sketch_agg(CASE WHEN i % 23 = 0 THEN v END) AS s, apm.sketch_agg(CASE WHEN i % 47 = 0 THEN v END, w) AS ws FROM sketch_plans GROUP BY few, part;
SELECT count(*) AS groups, max(apm.num_values(p.s)) <= 8 AS short, count(*) FILTER (WHERE p.s::text IS DISTINCT FROM r.s::text OR p.ws::text IS DISTINCT FROM r.ws::text) AS different
  FROM short p JOIN (SELECT few, part, apm.sketch_agg(v) FILTER (WHERE i % 23 = 0) AS s, apm.sketch_agg(v, w) FILTER (WHERE i % 47 = 0) AS ws
                       FROM (SELECT * FROM sketch_plans OFFSET 0) x GROUP BY few, part) r USING (few, part);

-- Stored sketches, merged in parallel
CREATE TABLE sketch_parts AS SELECT few, part, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_plans GROUP BY few, part;
ANALYZE sketch_parts;
EXPLAIN (COSTS OFF) SELECT apm.sketch_merge(s) FROM sketch_parts;
SELECT p.s::text = r.s::text AS same, p.ws::text = r.ws::text AS same_weighted
  FROM (SELECT apm.sketch_merge(s) AS s, apm.sketch_merge(ws) AS ws FROM sketch_parts) p, plain r;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
SET max_parallel_workers_per_gather = 0;

-- Partitionwise
CREATE TABLE sketch_partitioned (few int, v float8, w float8) PARTITION BY LIST (few);
CREATE TABLE sketch_partitioned_0 PARTITION OF sketch_partitioned FOR VALUES IN (0, 1, 2, 3);
CREATE TABLE sketch_partitioned_1 PARTITION OF sketch_partitioned FOR VALUES IN (4, 5, 6, 7);
INSERT INTO sketch_partitioned SELECT few, v, w FROM sketch_plans;
ANALYZE sketch_partitioned;
SET enable_partitionwise_aggregate = on;
EXPLAIN (COSTS OFF) SELECT apm.p95(v) FROM sketch_partitioned;
SELECT p.s::text = r.s::text AS same, p.ws::text = r.ws::text AS same_weighted
  FROM (SELECT apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws FROM sketch_partitioned) p, plain r;
RESET enable_partitionwise_aggregate;

-- Rows, groups and frames of windows: the state lives on between final calls
SELECT count(*) AS compared, count(*) FILTER (WHERE ours IS DISTINCT FROM exact) AS different
  FROM (SELECT o.i, apm.p75(o.v) OVER (ORDER BY o.i ROWS BETWEEN 20 PRECEDING AND 5 FOLLOWING EXCLUDE CURRENT ROW) AS ours,
               (SELECT percentile_cont(0.75) WITHIN GROUP (ORDER BY v) FROM sketch_plans x
                 WHERE x.i <= 300 AND x.i BETWEEN o.i - 20 AND o.i + 5 AND x.i <> o.i) AS exact
          FROM sketch_plans o WHERE o.i <= 300) w;
SELECT count(*) AS compared, count(*) FILTER (WHERE ours::text <> (SELECT apm.sketch_agg(v)::text FROM sketch_plans x WHERE x.i <= w.i)) AS different
  FROM (SELECT i, apm.sketch_agg(v) OVER (ORDER BY i) AS ours FROM sketch_plans WHERE i <= 120) w;
SELECT count(*) AS compared, count(*) FILTER (WHERE w.s::text <> r.s::text) AS different
  FROM (SELECT DISTINCT few, apm.sketch_agg(v) OVER (PARTITION BY few)::text AS s FROM sketch_plans) w JOIN sorted_few r USING (few);
SELECT count(*) AS compared, count(*) FILTER (WHERE w.s::text <> r.s::text) AS different
  FROM (SELECT few, apm.sketch_merge(s) OVER (PARTITION BY few ORDER BY part) AS s, part FROM sketch_parts) w,
       LATERAL (SELECT apm.sketch_agg(v) AS s FROM sketch_plans p WHERE p.few = w.few AND p.part <= w.part) r WHERE w.part IN (0, 7, 36);

-- FILTER, DISTINCT and ORDER BY
SELECT apm.num_values(apm.sketch_agg(v) FILTER (WHERE few = 3)) AS filtered, apm.num_values(apm.sketch_agg(DISTINCT few)) AS "distinct",
       apm.sketch_agg(v ORDER BY v DESC)::text = (SELECT s::text FROM plain) AS ordered FROM sketch_plans;

-- Aggregates with the same argument share one state: the cost of a second is that of its final
CREATE FUNCTION pg_temp.total_cost(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'Total Cost';
END $$;
SELECT pg_temp.total_cost('SELECT apm.p50(v), apm.p75(v), apm.p90(v), apm.p95(v), apm.p99(v), apm.sketch_agg(v) FROM sketch_plans')
       < 1.01 * pg_temp.total_cost('SELECT apm.p95(v) FROM sketch_plans') AS shared;

-- States that travel as other nodes would send them: k groups, through text and through binary
CREATE TEMP TABLE splits AS
  SELECT k, part, apm.sketch_agg(v) AS s, apm.sketch_agg(v, w) AS ws
    FROM generate_series(1, 40) k, LATERAL (SELECT v, w, (i::bigint * (k * 2 + 1) * 7919 + k) % 1009 % k AS part FROM sketch_plans WHERE i % 20 = 0) x
    GROUP BY k, part;
SELECT count(*) AS splits, sum(groups) AS states, bool_and(m.s::text = r.s) AS same, bool_and(m.ws::text = r.ws) AS same_weighted
  FROM (SELECT k, count(*) AS groups, apm.sketch_merge(s::text::apm.sketch) AS s, apm.sketch_merge(ws::text::apm.sketch) AS ws FROM splits GROUP BY k) m,
       (SELECT apm.sketch_agg(v)::text AS s, apm.sketch_agg(v, w)::text AS ws FROM sketch_plans WHERE i % 20 = 0) r;
\copy splits to 'results/sketch_splits.data' with (format binary)
CREATE TEMP TABLE received (LIKE splits);
\copy received from 'results/sketch_splits.data' with (format binary)
SELECT count(*) AS states, count(*) FILTER (WHERE x.s::text <> y.s::text OR x.ws::text <> y.ws::text) AS different
  FROM splits x JOIN received y USING (k, part);
SELECT count(*) AS splits, bool_and(m.s::text = r.s) AS same, bool_and(m.ws::text = r.ws) AS same_weighted
  FROM (SELECT k, apm.sketch_merge(s) AS s, apm.sketch_merge(ws) AS ws FROM received GROUP BY k) m,
       (SELECT apm.sketch_agg(v)::text AS s, apm.sketch_agg(v, w)::text AS ws FROM sketch_plans WHERE i % 20 = 0) r;

-- The transition functions are for aggregates alone
SELECT _apm.sketch_add(NULL, 1);
SELECT _apm.sketch_add(s, 1, 1) FROM plain;
SELECT _apm.sketch_combine(s, s) FROM plain;

DROP TABLE sketch_plans, sketch_parts, sketch_partitioned;
