-- apm.hll and the aggregates over it, against count(DISTINCT …).
CREATE TEMP TABLE visits AS
  SELECT i, i % 7 AS grp, CASE WHEN i % 11 <> 0 THEN 'id:' || (i * 7919 % 3001) END AS user_key,
         i % 13 = 0 AS slow
    FROM generate_series(1, 20000) i;
ANALYZE visits;

-- exact, NULLs skipped, NULL for a group without a value
SELECT apm.count_unique(user_key) = count(DISTINCT user_key) AS exact, apm.count_unique(user_key) FROM visits;
SELECT grp, apm.count_unique(user_key) AS users, count(DISTINCT user_key) AS truth,
       apm.marked_count(apm.hll_agg(user_key, slow)) AS slow_users,
       count(DISTINCT user_key) FILTER (WHERE slow) AS slow_truth
  FROM visits GROUP BY grp ORDER BY grp;
SELECT apm.count_unique(user_key) IS NULL AS no_row, apm.hll_agg(user_key) IS NULL AS no_state FROM visits WHERE false;
SELECT apm.count_unique(NULL) IS NULL AS no_value FROM visits;
SELECT apm.distinct_count(NULL), apm.marked_count(NULL);
SELECT apm.marked_count(apm.hll_agg(user_key)) AS without_marks FROM visits;
-- the empty string is a value; values differ if their bytes do
SELECT apm.count_unique(v) FROM (VALUES (''), (' '), ('a'), ('A'), ('a '), (U&'\00e4'), ('a')) t (v);

-- exact to 4,096, and one more is an estimate
SELECT n, apm.count_unique(i::text) = n AS exact, abs(apm.count_unique(i::text) - n) < 0.04 * n AS near
  FROM (VALUES (1), (4095), (4096), (4097), (50000)) s (n), generate_series(1, n) i GROUP BY n ORDER BY n;

-- merging: any split, any order, the same bytes; so through text
CREATE TEMP TABLE states AS
  SELECT k, part, apm.hll_agg(user_key) AS h, apm.hll_agg(user_key, slow) AS m
    FROM (SELECT 1 AS k, grp AS part, user_key, slow FROM visits
          UNION ALL SELECT 2, i % 101, user_key, slow FROM visits
          UNION ALL SELECT 3, 1, user_key, slow FROM visits
          UNION ALL SELECT 4, i % 3, 'x' || i, slow FROM visits
          UNION ALL SELECT 5, i % 50, 'x' || i, slow FROM visits) s
   GROUP BY k, part;
SELECT k, count(*) AS parts, apm.distinct_count(apm.hll_merge(h ORDER BY part)) AS users,
       apm.hll_merge(h ORDER BY part)::text = apm.hll_merge(h ORDER BY part DESC)::text AS order_hidden,
       apm.hll_merge(h)::text = apm.hll_merge(h::text::apm.hll)::text AS text_kept,
       apm.hll_merge(m ORDER BY part)::text = apm.hll_merge(m::text::apm.hll ORDER BY part DESC)::text AS marks_kept,
       apm.marked_count(apm.hll_merge(m)) AS slow_users
  FROM states GROUP BY k ORDER BY k;
SELECT count(DISTINCT user_key) AS users_1_to_3, count(DISTINCT user_key) FILTER (WHERE slow) AS slow_1_to_3,
       count(DISTINCT i) AS users_4_and_5, count(DISTINCT i) FILTER (WHERE slow) AS slow_4_and_5 FROM visits;
SELECT count(DISTINCT h) AS different_bytes
  FROM (SELECT apm.hll_merge(h)::text AS h FROM states WHERE k <= 3 GROUP BY k) s;
SELECT apm.hll_merge(h) IS NULL AS nothing_merged FROM states WHERE false;
SELECT bool_and(apm.hll_send(h) = decode(h::text, 'hex')) AS send_is_text FROM states;
SELECT min(k), pg_typeof(apm.hll_merge(h)) FROM states;

-- binary round trip, and hostile bytes to the binary input function
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/hll_states.bin'
\set copy_out '\\copy (SELECT k, part, h, m FROM states) TO ' :'file' ' (FORMAT binary)'
\set copy_in '\\copy states_back FROM ' :'file' ' (FORMAT binary)'
CREATE TEMP TABLE states_back (LIKE states);
:copy_out
:copy_in
SELECT count(*), bool_and(a.h::text = b.h::text AND a.m::text = b.m::text) AS same
  FROM states a JOIN states_back b USING (k, part);
\set copy_bytes '\\copy bytes TO ' :'file' ' (FORMAT binary)'
\set copy_hostile '\\copy hostile FROM ' :'file' ' (FORMAT binary)'
CREATE TEMP TABLE hostile (h apm.hll);
CREATE TEMP TABLE bytes (b bytea);
\set VERBOSITY terse
INSERT INTO bytes VALUES ('\x02010000');
:copy_bytes
:copy_hostile
TRUNCATE bytes; INSERT INTO bytes VALUES ('\x01030000000000000800000000000000');
:copy_bytes
:copy_hostile
TRUNCATE bytes; INSERT INTO bytes VALUES ('');
:copy_bytes
:copy_hostile
SELECT count(*) FROM hostile;
\set VERBOSITY default

-- text form: the empty set, one value, and what is refused
SELECT apm.distinct_count('01010000');
SELECT '0101000001000000000000000200000000000000'::apm.hll, apm.distinct_count('0101000001000000000000000200000000000000');
SELECT apm.marked_count('0101010003000000000000000400000000000000'), apm.distinct_count('0101010003000000000000000400000000000000');
SELECT ''::apm.hll;
SELECT 'zz'::apm.hll;
SELECT '02010000'::apm.hll;
SELECT '01000000'::apm.hll;
SELECT '01010200'::apm.hll;
SELECT '01010001'::apm.hll;
SELECT '01030000000000000800000000000000'::apm.hll;
SELECT '010100000100000000000000'::apm.hll, '0101000001000000'::apm.hll;
SELECT '0101000002000000000000000100000000000000'::apm.hll;
SELECT '0101000001000000000000000100000000000000'::apm.hll;
SELECT '010100000000000000000000'::apm.hll;
SELECT '0101010002000000000000000300000000000000'::apm.hll;
SELECT '01020000ffff'::apm.hll;
SELECT ('01020000' || repeat('ff', 12288))::apm.hll;
SELECT ('01020100' || repeat('00', 12288) || repeat('01', 12288))::apm.hll;
SELECT apm.distinct_count(('01020000' || repeat('00', 12288))::apm.hll) AS all_registers_zero;
SELECT ('01010000' || string_agg(lpad(to_hex(i), 4, '0') || '000000000000', ''))::apm.hll FROM generate_series(1, 4097) i;
-- with and without marks do not mix
SELECT apm.hll_merge(h) FROM (SELECT h FROM states WHERE k = 1 UNION ALL SELECT m FROM states WHERE k = 1) s;

-- every plan shape gives the same
SELECT bool_and(h = t) FROM (
  SELECT apm.count_unique(user_key) OVER w AS h, cardinality(ARRAY(SELECT DISTINCT v.user_key FROM visits v
           WHERE v.i BETWEEN visits.i - 5 AND visits.i AND v.user_key IS NOT NULL)) AS t
    FROM visits WHERE i <= 200 WINDOW w AS (ORDER BY i ROWS 5 PRECEDING)) s;
SELECT grp, i % 2 AS odd, apm.count_unique(user_key) = count(DISTINCT user_key) AS same
  FROM visits WHERE grp < 2 GROUP BY CUBE (grp, i % 2) ORDER BY 1, 2;
SET work_mem = '64kB';
SET enable_sort = off;
SELECT count(*), sum(n) FROM (SELECT i / 5, apm.count_unique(i::text) AS n FROM visits GROUP BY i / 5) s;
RESET enable_sort;
SET enable_hashagg = off;
SELECT count(*), sum(n) FROM (SELECT i / 5, apm.count_unique(i::text) AS n FROM visits GROUP BY i / 5) s;
RESET enable_hashagg;
RESET work_mem;

-- in parallel: partial states travel between processes
CREATE TABLE hll_parallel AS SELECT i, 'u' || i % 9000 AS v, 'w' || i % 900 AS w FROM generate_series(1, 50000) i;
ANALYZE hll_parallel;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS off) SELECT apm.hll_agg(v), apm.count_unique(v) FROM hll_parallel;
SELECT md5(apm.hll_agg(v)::text) AS v, md5(apm.hll_agg(w, i % 3 = 0)::text) AS w FROM hll_parallel \gset p_
SELECT apm.count_unique(w) FROM hll_parallel;
-- small states, whose length word a tuple shortens
SET enable_sort = off;
EXPLAIN (COSTS off) SELECT w, apm.count_unique((i % 2700)::text) FROM hll_parallel GROUP BY w;
SELECT count(*), sum(n), min(n), max(n) FROM (SELECT apm.count_unique((i % 2700)::text) AS n FROM hll_parallel GROUP BY w) s;
SELECT sum(n) FROM (SELECT count(DISTINCT i % 2700) AS n FROM hll_parallel GROUP BY w) s;
RESET enable_sort;
SET max_parallel_workers_per_gather = 0;
SELECT md5(apm.hll_agg(v)::text) = :'p_v' AS same_v, md5(apm.hll_agg(w, i % 3 = 0)::text) = :'p_w' AS same_w FROM hll_parallel;
DROP TABLE hll_parallel;

-- outside an aggregate a state is copied, never written to
SELECT apm.distinct_count(h) AS before, apm.distinct_count(_apm.hll_accum(h, 'new')) AS added, apm.distinct_count(h) AS after
  FROM states WHERE k = 3;
SELECT apm.distinct_count(_apm.hll_accum(_apm.hll_accum(NULL, 'a'), 'b')), _apm.hll_accum(NULL, NULL), _apm.hll_combine(NULL, NULL);
