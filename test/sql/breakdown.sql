-- Aggregates over packed spans, against the same spans one row each.
\set VERBOSITY default
SET TIME ZONE 'UTC';

-- 400 sets of 0 to 60 spans: ops that share beginnings, lengths and ends, an
-- empty one and NULL; groups as 16 hex digits; some self times unknown; every
-- 50th set holds 400 spans and lies out of line.
CREATE TABLE breakdown_sets AS
  SELECT b, b % 4 AS g, (SELECT apm.spanset_agg(ROW(
           '4bf92f3577b34da6a3ce929d0e0e4736', lpad(to_hex(b * 1000 + i), 16, '0'), NULL, NULL, i = 1,
           CASE k % 13 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'db' WHEN 3 THEN 'db.query' WHEN 4 THEN 'http.client'
             WHEN 5 THEN repeat('long name ', 4) || '1' WHEN 6 THEN repeat('long name ', 4) || '2' WHEN 7 THEN 'größer'
             WHEN 8 THEN 'abcdefgh1abcdefgh' WHEN 9 THEN 'abcdefgh2abcdefgh' WHEN 10 THEN 'a' ELSE 'op ' || k % 71 END,
           'something ' || k, 'ok', timestamptz '2026-01-05' + b * interval '1 s',
           CASE WHEN k % 17 = 0 THEN 0 ELSE (k::bigint * k % 611953) / 1000.0 END,
           CASE WHEN k % 5 = 0 THEN NULL WHEN k % 5 = 1 THEN 0 ELSE (k::bigint * k % 611953) / 2000 END,
           CASE WHEN k % 7 > 0 THEN (ARRAY['db', 'http', 'cache', 'queue', 'file', 'app'])[k % 7] END,
           CASE WHEN k % 3 > 0 THEN substr(md5((k % 211)::text), 1, 16) END, 'manual',
           CASE WHEN i % 2 = 0 THEN jsonb_build_object('n', k, 'text', repeat('x', k % 90)) END)::apm.span)
         FROM generate_series(1, CASE WHEN b % 50 = 0 THEN 400 ELSE b % 61 END) i,
              LATERAL (SELECT (b * 7919 + i * 104729) % 100003 AS k) r) AS spans
    FROM generate_series(1, 400) b;
CREATE TABLE breakdown_rows AS SELECT b, g, s.* FROM breakdown_sets, apm.unnest(spans) s;
ANALYZE breakdown_sets;
ANALYZE breakdown_rows;
SELECT count(*), count(*) FILTER (WHERE spans IS NULL) AS without, sum(apm.span_count(spans)) AS spans, max(apm.span_count(spans)) AS most,
       max(pg_column_size(spans)) > 8000 AS out_of_line FROM breakdown_sets;

-- The truth, the slow way: one sketch a key from rows, and exact percentiles.
CREATE FUNCTION pg_temp.compare(aggregate text, key text, value text) RETURNS TABLE (keys bigint, spans numeric, wrong bigint, p95_off bigint)
LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format($q$
    SELECT count(*), sum(r.spans), count(*) FILTER (WHERE (k.spans, k.total_ms::numeric(20, 6), k.durations::text) IS DISTINCT FROM (r.spans, r.total, r.sketch)),
           count(*) FILTER (WHERE (abs(apm.percentile(k.durations, 0.95) - r.p95) <= 0.01 * r.p95) IS NOT TRUE)
      FROM (SELECT apm.%1$I(spans) AS d FROM breakdown_sets) s CROSS JOIN LATERAL apm.by_key(s.d) k
           FULL JOIN (SELECT %2$I AS key, count(*) AS spans, sum(%3$I)::numeric(20, 6) AS total, apm.sketch_agg(%3$I)::text AS sketch,
                             percentile_cont(0.95) WITHIN GROUP (ORDER BY %3$I) AS p95
                        FROM breakdown_rows WHERE %3$I IS NOT NULL GROUP BY %2$I) r
           ON coalesce('=' || k.key, 'NULL') = coalesce('=' || r.key, 'NULL')$q$, aggregate, key, value);
END $$;
SELECT a.name, c.* FROM (VALUES
    (1, 'durations_by_op', 'op', 'duration_ms'), (2, 'durations_by_category', 'category', 'duration_ms'), (3, 'durations_by_group', 'span_group', 'duration_ms'),
    (4, 'self_times_by_op', 'op', 'self_time_ms'), (5, 'self_times_by_category', 'category', 'self_time_ms'), (6, 'self_times_by_group', 'span_group', 'self_time_ms'))
  a (n, name, key, value), pg_temp.compare(a.name, a.key, a.value) c ORDER BY a.n;

-- What it looks like; NULL and the empty op apart, in order of bytes.
SELECT k.key, k.spans, round(k.total_ms::numeric, 3) AS total_ms, round(apm.percentile(k.durations, 0.95)::numeric, 3) AS p95_ms
  FROM (SELECT apm.durations_by_op(spans) AS d FROM breakdown_sets) s, apm.by_key(s.d) k
 WHERE k.key IS NULL OR k.key !~ '^op ';
SELECT k.key AS category, k.spans, round(k.total_ms::numeric, 3) AS self_time_ms
  FROM (SELECT apm.self_times_by_category(spans) AS d FROM breakdown_sets WHERE b < 20) s, apm.by_key(s.d) k;

-- Nothing gives NULL: no rows, NULLs, sets of no spans, no self time known.
SELECT apm.durations_by_op(spans) AS no_rows FROM breakdown_sets WHERE b < 0;
SELECT apm.durations_by_category(spans) AS nulls FROM (VALUES (NULL::apm.spanset), (NULL)) v (spans);
SELECT apm.durations_by_group(spans) AS empty_sets FROM (VALUES ('\x0100'::apm.spanset), (NULL)) v (spans);
CREATE TEMP TABLE no_self_time AS
  SELECT apm.spanset_agg(ROW('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', NULL, NULL, true, 'x', NULL, NULL, now(), 5, NULL, NULL, NULL, NULL, NULL)::apm.span) AS spans;
SELECT apm.self_times_by_op(spans) AS by_op, apm.self_times_by_category(spans) AS by_category, apm.self_times_by_group(spans) AS by_group,
       (SELECT k.spans FROM apm.by_key(apm.durations_by_op(spans)) k) AS durations FROM no_self_time;
SELECT apm.breakdown_merge(NULL) AS nothing_merged, (SELECT count(*) FROM apm.by_key(NULL)) AS keys;
SELECT * FROM apm.by_key('\x0100');

-- Under every kind of plan the bytes are the same.
CREATE TEMP TABLE truth AS
  SELECT g, apm.breakdown_merge(d)::text AS d FROM (SELECT g, apm.durations_by_group(spans) AS d FROM breakdown_sets GROUP BY g, b) x GROUP BY g;
PREPARE compare AS
  SELECT count(*) AS groups, count(*) FILTER (WHERE r.d IS DISTINCT FROM t.d) AS wrong
    FROM (SELECT g, apm.durations_by_group(spans)::text AS d FROM breakdown_sets GROUP BY g OFFSET 0) r FULL JOIN truth t USING (g);
SET max_parallel_workers_per_gather = 0;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT g, apm.durations_by_group(spans) FROM breakdown_sets GROUP BY g;
EXECUTE compare;
RESET enable_sort;
SET enable_hashagg = off;
EXPLAIN (COSTS OFF) SELECT g, apm.durations_by_group(spans) FROM breakdown_sets GROUP BY g;
EXECUTE compare;
RESET enable_hashagg;
-- spilled
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SET enable_sort = off;
CREATE FUNCTION pg_temp.spills(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) ' || query INTO plan;
  RETURN (plan->0->'Plan'->>'Strategy') = 'Hashed' AND (plan->0->'Plan'->>'HashAgg Batches')::int > 1;
END $$;
SELECT pg_temp.spills('SELECT b, apm.durations_by_group(spans) FROM breakdown_sets GROUP BY b');
SELECT count(*) AS groups, count(*) FILTER (WHERE h.d IS DISTINCT FROM r.d) AS wrong
  FROM (SELECT b, apm.durations_by_group(spans)::text AS d FROM breakdown_sets GROUP BY b) h
       JOIN LATERAL (SELECT apm.durations_by_group(s.spans)::text AS d FROM breakdown_sets s WHERE s.b = h.b) r ON true;
RESET work_mem;
RESET hash_mem_multiplier;
RESET enable_sort;
-- parallel
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT g, apm.durations_by_group(spans) FROM breakdown_sets GROUP BY g;
EXECUTE compare;
EXPLAIN (COSTS OFF) SELECT apm.durations_by_op(spans), apm.slowest_spans(spans, 7) FROM breakdown_sets;
SET parallel_leader_participation = off;
EXECUTE compare;
CREATE TEMP TABLE parallel_answer AS
  SELECT apm.durations_by_op(spans) AS by_op, apm.self_times_by_category(spans) AS self_times, apm.slowest_spans(spans, 7) AS slowest FROM breakdown_sets;
RESET parallel_leader_participation;
SET max_parallel_workers_per_gather = 0;
SELECT p.by_op::text = s.by_op::text AS by_op, p.self_times::text = s.self_times::text AS self_times, p.slowest::text = s.slowest::text AS slowest
  FROM parallel_answer p, (SELECT apm.durations_by_op(spans) AS by_op, apm.self_times_by_category(spans) AS self_times, apm.slowest_spans(spans, 7) AS slowest FROM breakdown_sets) s;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- windows: the state lives on after each answer
SELECT count(*) AS frames, count(*) FILTER (WHERE w.d IS DISTINCT FROM (SELECT apm.durations_by_op(s.spans)::text FROM breakdown_sets s WHERE s.b <= w.b)) AS wrong
  FROM (SELECT b, apm.durations_by_op(spans) OVER (ORDER BY b)::text AS d FROM breakdown_sets WHERE b <= 60) w;
SELECT count(*) AS frames, count(*) FILTER (WHERE w.d IS DISTINCT FROM (SELECT apm.slowest_spans(s.spans, 3)::text FROM breakdown_sets s WHERE s.b BETWEEN w.b - 4 AND w.b)) AS wrong
  FROM (SELECT b, apm.slowest_spans(spans, 3) OVER (ORDER BY b ROWS 4 PRECEDING)::text AS d FROM breakdown_sets WHERE b <= 60) w;
-- grouping sets, FILTER, ORDER BY
SELECT GROUPING(g) AS total, count(*) AS rows, count(DISTINCT d::text) AS states,
       count(*) FILTER (WHERE g IS NULL AND d::text IS DISTINCT FROM (SELECT apm.breakdown_merge(t.d::apm.breakdown)::text FROM truth t)) AS wrong
  FROM (SELECT g, apm.durations_by_group(spans) AS d FROM breakdown_sets GROUP BY ROLLUP (g)) x GROUP BY GROUPING SETS ((g), ()) HAVING GROUPING(g) = 1;
SELECT apm.durations_by_op(spans) FILTER (WHERE g = 1)::text = (SELECT apm.durations_by_op(spans)::text FROM breakdown_sets WHERE g = 1) AS filtered,
       apm.durations_by_op(spans ORDER BY b DESC)::text = (SELECT apm.durations_by_op(spans)::text FROM breakdown_sets) AS ordered FROM breakdown_sets;

-- States that travel: 12 ways of splitting, through text and through binary.
CREATE TEMP TABLE splits AS
  SELECT n, part, apm.durations_by_op(spans) AS d, apm.durations_by_op(spans)::text AS t
    FROM generate_series(1, 12) n, LATERAL (SELECT spans, (b * 7919 + n) % 1009 % n AS part FROM breakdown_sets) x GROUP BY n, part;
SELECT count(*) AS splits, count(*) FILTER (WHERE m.d <> r.d OR m.t <> r.d) AS wrong
  FROM (SELECT n, apm.breakdown_merge(d)::text AS d, apm.breakdown_merge(t::apm.breakdown)::text AS t FROM splits GROUP BY n) m,
       (SELECT apm.durations_by_op(spans)::text AS d FROM breakdown_sets) r;
\copy splits to 'results/breakdown_splits.data' with (format binary)
CREATE TEMP TABLE received (LIKE splits);
\copy received from 'results/breakdown_splits.data' with (format binary)
SELECT count(*) AS states, count(*) FILTER (WHERE d::text <> t) AS wrong FROM received;
-- transition functions fed with what another node would send
CREATE AGGREGATE pg_temp.through_text(apm.breakdown) (SFUNC = _apm.breakdown_combine, STYPE = apm.breakdown, FINALFUNC = _apm.breakdown_final);
SELECT pg_temp.through_text(t::apm.breakdown)::text = (SELECT apm.durations_by_op(spans)::text FROM breakdown_sets) AS same FROM splits WHERE n = 7;

-- The slowest, against ORDER BY.
CREATE TEMP TABLE slow AS SELECT n, apm.slowest_spans(s.spans, n) AS spans FROM generate_series(1, 60, 7) n, breakdown_sets s GROUP BY n;
SELECT count(*) AS tried, count(*) FILTER (WHERE (SELECT array_agg(s.span_id::text || s.duration_ms) FROM apm.unnest(slow.spans) s) IS DISTINCT FROM
    (SELECT array_agg(r.span_id::text || r.duration_ms) FROM (SELECT * FROM breakdown_rows ORDER BY duration_ms DESC, start_time, trace_id, span_id LIMIT n) r)) AS wrong FROM slow;
SELECT s.span_id, s.op, s.description, s.duration_ms FROM slow, apm.unnest(slow.spans) s WHERE n = 8;
SELECT g, apm.span_count(apm.slowest_spans(spans, 2)) AS kept, apm.ops(apm.slowest_spans(spans, 2)) FROM breakdown_sets GROUP BY g ORDER BY g;
-- fewer spans than asked for are all kept
SELECT apm.span_count(apm.slowest_spans(spans, 10000)) = sum(apm.span_count(spans)) AS all_kept FROM breakdown_sets WHERE b <= 30;
SELECT apm.slowest_spans(spans, 5) AS none FROM breakdown_sets WHERE spans IS NULL;
-- its state travels as a row does
SELECT _apm.slowest_final((_apm.slowest_combine(a::text::_apm.slowest, b))::text::_apm.slowest)::text = (SELECT apm.slowest_spans(spans, 4)::text FROM breakdown_sets WHERE b IN (7, 8)) AS same
  FROM (SELECT _apm.slowest_add(NULL, spans, 4) AS a FROM breakdown_sets WHERE b = 7) x, (SELECT _apm.slowest_add(NULL, spans, 4) AS b FROM breakdown_sets WHERE b = 8) y;
SELECT apm.slowest_spans(spans, 0) FROM breakdown_sets;
SELECT apm.slowest_spans(spans, NULL) FROM breakdown_sets;
SELECT apm.slowest_spans(spans, 10001) FROM breakdown_sets;
SELECT _apm.slowest_final(ROW(3, NULL, '\x0100'));

-- More keys than a state begins with room for, and a key with many values.
CREATE TEMP TABLE many AS
  SELECT apm.spanset_agg(ROW('4bf92f3577b34da6a3ce929d0e0e4736', lpad(to_hex(i), 16, '0'), NULL, NULL, false, 'name ' || i % 5000, NULL, NULL,
                             timestamptz '2026-01-05', CASE WHEN i % 5000 < 10 THEN i % 977 ELSE i / 8.0 END, NULL, NULL, NULL, NULL, NULL)::apm.span) AS spans
    FROM generate_series(1, 60000) i GROUP BY i / 1000;
SELECT count(*) AS keys, sum(k.spans) AS spans,
       count(*) FILTER (WHERE k.durations::text <> (SELECT apm.sketch_agg(CASE WHEN i % 5000 < 10 THEN i % 977 ELSE i / 8.0 END)::text FROM generate_series(1, 60000) i
                                                     WHERE i % 5000 = substr(k.key, 6)::int)) AS wrong
  FROM (SELECT apm.durations_by_op(spans) AS d FROM many) s, apm.by_key(s.d) k WHERE substr(k.key, 6)::int % 500 < 2;

-- Bytes that are no breakdown are refused, by every way in.
CREATE FUNCTION pg_temp.reason(b text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text;
BEGIN
  PERFORM b::apm.breakdown;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
  RETURN state || ': ' || SQLERRM;
END $$;
-- b: a breakdown of the op "db" with one sketch
SELECT apm.sketch_agg(v)::text AS sketch, lpad(to_hex(length(apm.sketch_agg(v)::text) / 2), 2, '0') AS len FROM (VALUES (1.5), (2.5)) x (v) \gset
SELECT what, pg_temp.reason('\x' || bytes) FROM (VALUES
  (1, 'one key', '0101' || '036462' || :'len' || :'sketch'), (2, 'NULL as key', '0101' || '00' || :'len' || :'sketch'), (3, 'no keys', '0100'),
  (4, 'no bytes', ''), (5, 'version alone', '01'), (6, 'a later version', '0200'), (7, 'version 0', '0000'), (8, 'working form', 'ff' || repeat('00', 200)),
  (9, 'one byte short', left('0101' || '036462' || :'len' || :'sketch', -2)), (10, 'one byte more', '0101' || '036462' || :'len' || :'sketch' || '00'),
  (11, 'a key that is not there', '0102' || '036462' || :'len' || :'sketch'), (12, 'no sketch', '0101' || '036462' || '00'),
  (13, 'a key beyond the end', '0101' || 'ff7f6462'), (14, 'keys that claim 2^63', '01' || 'ffffffffffffffffff01'), (15, 'a number too long', '01' || '8100'),
  (16, 'keys out of order', '0102' || '036462' || :'len' || :'sketch' || '026162' || :'len' || :'sketch'), (17, 'a key twice', '0102' || '0261' || :'len' || :'sketch' || '0261' || :'len' || :'sketch'),
  (18, 'NULL after a key', '0102' || '0261' || :'len' || :'sketch' || '00' || :'len' || :'sketch'), (19, 'NUL in a key', '0101' || '0200' || :'len' || :'sketch'),
  (20, 'no UTF-8', '0101' || '02ff' || :'len' || :'sketch'), (21, 'a sketch that is none', '0101' || '0261' || '04' || '01020304'), (22, 'a later sketch', '0101' || '0261' || '02' || '0700'))
  v (n, what, bytes) ORDER BY n;
SELECT pg_temp.reason('01'), pg_temp.reason(''), pg_temp.reason('\x010'), pg_temp.reason('\x01zz');
SELECT '\x0200'::apm.breakdown;
SELECT 'x'::apm.breakdown;
-- every shorter piece and every changed byte of a good one
SELECT count(*) AS pieces, count(*) FILTER (WHERE pg_temp.reason(left(t, 2 + 2 * n)) = 'accepted') AS accepted
  FROM (SELECT apm.durations_by_op(spans)::text AS t FROM breakdown_sets WHERE b = 9) x, generate_series(0, length(t) / 2 - 2) n;
CREATE FUNCTION pg_temp.written_back(b text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE WHEN b::apm.breakdown::text = b THEN 'as it came' ELSE 'changed' END;
EXCEPTION WHEN invalid_text_representation OR feature_not_supported THEN
  RETURN 'refused';
END $$;
SELECT DISTINCT pg_temp.written_back(overlay(t PLACING lpad(to_hex((get_byte(decode(substr(t, 3), 'hex'), n) + c) % 256), 2, '0') FROM 3 + 2 * n FOR 2)) AS changed_byte
  FROM (SELECT apm.durations_by_op(spans)::text AS t FROM breakdown_sets WHERE b = 9) x, generate_series(0, length(t) / 2 - 2) n, generate_series(1, 128, 7) c ORDER BY 1;
-- what is accepted is written back as it came
SELECT count(*) AS states, count(*) FILTER (WHERE t::apm.breakdown::text <> t) AS changed FROM splits;

-- A number in front of a string may be written longer than need be: eight bytes for 16 digits follow all the same.
SELECT k.key, k.spans, k.total_ms
  FROM (SELECT apm.durations_by_op('\x010181080bb80b01400180000123456789abcdef0af7651916cd43dd8448eb211c80319c00404220ae1b0c000000f067aa0ba902b74001'::apm.spanset) AS d) s,
       apm.by_key(s.d) k;

-- The transition functions are for aggregates alone.
SELECT _apm.breakdown_add_durations_by_op(NULL, spans) FROM breakdown_sets WHERE b = 1;
SELECT _apm.breakdown_combine(d, d) FROM splits LIMIT 1;

DROP TABLE breakdown_sets, breakdown_rows;
