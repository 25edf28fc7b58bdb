-- Apdex, failures and misery, against the definitions written out in SQL.
\set vector '(VALUES (100.0::float8), (300), (301), (900), (1200), (1201), (5000)) t (v)'

-- satisfied 2, tolerated 3, frustrated 2
SELECT apm.apdex(v), apm.apdex(v, 300) AS with_300, apm.apdex(v, 5000) AS with_5000, apm.apdex(v, 0.1) AS with_tenth FROM :vector;
SELECT apm.apdex(v) IS NULL AS no_row, apm.apdex(v, 300) IS NULL AS no_row_2 FROM :vector WHERE false;
-- NULL, NaN and negative durations do not count; infinity is frustrated
SELECT apm.apdex(v) FROM (VALUES (100.0::float8), (NULL), ('NaN'), (-1), (-0.0), ('infinity')) t (v);
SELECT apm.apdex(v) IS NULL AS nothing_counts FROM (VALUES (NULL::float8), ('NaN'), (-1)) t (v);
-- a threshold of its own for each row; a row without one does not count
SELECT apm.apdex(v, t) FROM (VALUES (500.0::float8, 500.0::float8), (500, 100), (500, 200), (500, NULL)) x (v, t);
SELECT apm.apdex(v, 0) FROM :vector;
SELECT apm.apdex(v, -1) FROM :vector;
SELECT apm.apdex(v, 'NaN') FROM :vector;
SELECT apm.apdex(v, 'infinity') FROM :vector;

-- every status; NULL counts and is no failure
SELECT s AS status, apm.failure_rate(s) AS rate, apm.failure_count(s) AS failures
  FROM unnest(enum_range(NULL::apm.span_status)) s GROUP BY s ORDER BY s;
SELECT apm.failure_rate(s) = 14.0 / 17 AS rate, apm.failure_count(s) FROM unnest(enum_range(NULL::apm.span_status)) s;
SELECT apm.failure_rate(s), apm.failure_count(s)
  FROM (VALUES ('internal_error'::apm.span_status), (NULL), ('ok'), (NULL)) t (s);
SELECT apm.failure_rate(s), apm.failure_count(s) FROM (SELECT NULL::apm.span_status) t (s);
SELECT apm.failure_rate(s), apm.failure_count(s) FROM (SELECT 'ok'::apm.span_status) t (s) WHERE false;

-- misery: the formula's vectors, then users
SELECT miserable, users, apm.misery_score(miserable, users)::numeric(10, 7) AS score
  FROM (VALUES (0, 0), (0, 1), (1, 1), (10, 100), (50, 100), (0, 1000)) v (miserable, users);
SELECT apm.misery_score(0, 10, alpha => 0, beta => 0);
SELECT apm.misery_score(2, 1);
SELECT apm.misery_score(-1, 1);
SELECT apm.misery_score(0, 1, alpha => -1);
SELECT apm.user_misery(u, v)::numeric(10, 7) AS misery, apm.count_miserable(u, v) AS miserable,
       apm.user_misery(u, v, 100)::numeric(10, 7) AS misery_100, apm.count_miserable(u, v, 100) AS miserable_100
  FROM (VALUES ('a', 1200.0::float8), ('a', 1201), ('a', 5000), ('b', 1200), ('c', 401), (NULL, 5000), ('d', NULL),
               ('e', 0), ('f', -1), ('g', 'NaN')) t (u, v);
SELECT apm.user_misery(u, v) IS NULL AS no_user, apm.count_miserable(u, v) IS NULL AS no_miserable
  FROM (VALUES (NULL, 5000.0::float8), ('a', NULL)) t (u, v);
-- stored states: users of which the miserable ones are marked
SELECT apm.misery(apm.hll_merge(h))::numeric(10, 7) AS misery, apm.misery(min(h::text)::apm.hll) IS NULL AS no_user
  FROM (SELECT apm.hll_agg(u, v > 1200) AS h FROM (VALUES (1, 'a', 1201.0::float8), (1, 'b', 1200), (2, 'a', 3), (2, 'c', 401)) t (g, u, v) GROUP BY g
        UNION ALL SELECT '01010100') s;
SELECT apm.user_misery(u, v, 0) FROM (VALUES ('a', 1.0::float8)) t (u, v);

SELECT apm.http_response_rate(c, 5) AS server_errors, apm.http_response_rate(c, 2) AS fine, apm.http_response_rate(c, 1) AS info
  FROM (VALUES (200), (204), (404), (500), (NULL), (599), (600)) t (c);
SELECT apm.http_response_rate(c, 5) IS NULL AS no_status FROM (SELECT NULL::int) t (c);
SELECT apm.http_response_rate(c, 6) FROM (SELECT 200) t (c);

-- against naive SQL on 20,000 rows in groups, in every plan shape
CREATE TABLE metrics_rows AS
  SELECT i, i % 9 AS grp,
         CASE WHEN i % 17 <> 0 THEN ('x' || substr(md5(i::text), 1, 6))::bit(24)::int / 8000.0::float8 END AS v,
         CASE WHEN i % 7 <> 0 THEN 'id:' || ('x' || substr(md5('u' || i), 1, 3))::bit(12)::int END AS u,
         CASE WHEN i % 5 <> 0 THEN (enum_range(NULL::apm.span_status))[1 + i * 31 % 17] END AS s
    FROM generate_series(1, 20000) i;
ANALYZE metrics_rows;
CREATE TEMP VIEW truth AS
  SELECT grp,
         (count(*) FILTER (WHERE v <= 400) + count(*) FILTER (WHERE v > 400 AND v <= 1600) / 2.0)::float8 / nullif(count(v), 0) AS apdex,
         avg(CASE WHEN s NOT IN ('ok', 'cancelled', 'unknown') THEN 1 ELSE 0 END)::float8 AS failure_rate,
         count(*) FILTER (WHERE s NOT IN ('ok', 'cancelled', 'unknown')) AS failures,
         count(DISTINCT u) FILTER (WHERE v > 1600) AS miserable,
         ((count(DISTINCT u) FILTER (WHERE v > 1600) + 5.8875) / (count(DISTINCT u) FILTER (WHERE v > 0) + 117.75))::float8 AS misery
    FROM metrics_rows GROUP BY GROUPING SETS ((grp), ());
CREATE TEMP VIEW measured AS
  SELECT grp, apm.apdex(v, 400) AS apdex, apm.failure_rate(s) AS failure_rate, apm.failure_count(s) AS failures,
         apm.count_miserable(u, v, 400) AS miserable, apm.user_misery(u, v, 400) AS misery
    FROM metrics_rows GROUP BY GROUPING SETS ((grp), ());
CREATE TEMP VIEW differences AS
  SELECT count(*) AS groups,
         count(*) FILTER (WHERE abs(t.apdex - m.apdex) < 1e-12 AND abs(t.failure_rate - m.failure_rate) < 1e-12
                            AND t.failures = m.failures AND t.miserable = m.miserable AND abs(t.misery - m.misery) < 1e-12) AS equal
    FROM truth t JOIN measured m ON t.grp IS NOT DISTINCT FROM m.grp;
SELECT grp, miserable, failures FROM measured ORDER BY grp;
SELECT * FROM differences;
SET enable_hashagg = off;
SELECT * FROM differences;
RESET enable_hashagg;
SET work_mem = '64kB';
SELECT count(*), sum(n) FROM (SELECT i / 3, apm.failure_count(s) AS n FROM metrics_rows GROUP BY i / 3) x;
RESET work_mem;
SELECT bool_and(apdex = (SELECT apm.apdex(v) FROM metrics_rows b WHERE b.i BETWEEN a.i - 9 AND a.i)) AS window_frames
  FROM (SELECT i, apm.apdex(v) OVER (ORDER BY i ROWS 9 PRECEDING) AS apdex FROM metrics_rows WHERE i <= 300) a;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS off) SELECT apm.apdex(v), apm.failure_rate(s), apm.user_misery(u, v) FROM metrics_rows;
SELECT apm.apdex(v, 400) = t.apdex AS apdex, abs(apm.failure_rate(s) - t.failure_rate) < 1e-12 AS failure_rate,
       apm.count_miserable(u, v, 400) = t.miserable AS miserable
  FROM metrics_rows, (SELECT * FROM truth WHERE grp IS NULL) t GROUP BY t.apdex, t.failure_rate, t.miserable;
DROP VIEW differences, truth, measured;
DROP TABLE metrics_rows;

-- no aggregate keeps a state of type internal or a final that changes it
SELECT a.aggfnoid::regprocedure FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'apm' AND (a.aggtranstype = 'internal'::regtype OR a.aggcombinefn = 0 OR p.proparallel <> 's'
                              OR a.aggfinalmodify <> 'r' OR a.aggfinalfn = 0);

-- states given from outside are checked and not written to
SELECT _apm.apdex_accum('{0,0}', 1);
SELECT _apm.apdex_accum('{0,NULL,0}', 1);
SELECT _apm.apdex_accum(NULL, 1);
SELECT _apm.apdex_final('{{0,0,0}}');
SELECT _apm.counters_combine('{0,0}', '{1,2,3}');
SELECT s, _apm.apdex_accum(s, 1), s FROM (SELECT '{1,2,3}'::bigint[] AS s OFFSET 0) x;
