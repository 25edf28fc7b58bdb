-- The plans of what analysts ask most of apm.spans: which partitions, which
-- indexes and which columns of packed spans they read.  A database of its own,
-- so that no other test's days are among them.
SELECT current_database() AS here \gset
CREATE DATABASE apm_explain TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c apm_explain
SET client_min_messages = warning;
CREATE EXTENSION pg_apm;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- Four days, 2,000 segments of three spans each, four projects; every tenth segment is a checkout.
SELECT count(_apm.make_partition(t, d::date)) FROM generate_series(timestamp '2026-01-05', '2026-01-08', '1 day') d, unnest('{transactions,span_batches,errors}'::text[]) t;
CREATE FUNCTION segment(trace apm.trace_id, id apm.span_id, at timestamptz, k int) RETURNS apm.spanset LANGUAGE sql AS $$
  SELECT apm.spanset_agg(s) FROM (VALUES
    (ROW(trace, id, NULL, id, true, 'http.server', 'GET /', 'ok', at - interval '1 s', 1000, 500, 'http', NULL, 'auto', '{"http.method": "GET"}')::apm.span),
    (ROW(trace, lpad(to_hex(k * 4 + 1), 16, '1'), id, id, false, 'db', 'SELECT ' || k % 7, 'ok', at - interval '0.9 s', k % 400, k % 400, 'db', '00000000000000' || lpad((k % 7)::text, 2, '0'), 'auto', '{"db.system": "postgresql"}')::apm.span),
    (ROW(trace, lpad(to_hex(k * 4 + 2), 16, '1'), id, id, false, 'cache.get', 'rates', 'ok', at - interval '0.5 s', k % 20, k % 20, 'cache', NULL, 'auto', NULL)::apm.span)) v (s)
$$;
INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
  SELECT 1 + k % 4, t.trace, t.id, t.at, CASE WHEN k % 10 = 0 THEN 'POST /checkout' ELSE 'GET /' || k % 10 END, 'production', 'shop@1', segment(t.trace, t.id, t.at, k)
    FROM (SELECT k, md5(d || '-' || k)::uuid::apm.trace_id AS trace, lpad(to_hex(k + 1), 16, 'a')::apm.span_id AS id,
                 timestamptz '2026-01-05 00:00+00' + d * interval '1 day' + k * interval '43 s' AS at
            FROM generate_series(0, 3) d, generate_series(0, 1999) k) t;
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms, environment, release)
  SELECT project_id, trace_id, segment_id, transaction_name, 'http.server', 'ok', end_time - interval '1 s', end_time, 1000, environment, release FROM _apm.span_batches;
INSERT INTO apm.errors (project_id, event_id, trace_id, span_id, type, value, event_time)
  SELECT project_id, gen_random_uuid(), trace_id, segment_id, 'E', 'v', end_time FROM _apm.span_batches WHERE transaction_name = 'POST /checkout';
VACUUM ANALYZE;

-- 1. Percentiles by op over a range of time: its day alone, two columns of the spans
EXPLAIN (COSTS OFF)
SELECT op, apm.p95(duration_ms) FROM apm.spans
 WHERE segment_end_time >= '2026-01-07' AND segment_end_time < '2026-01-08' GROUP BY op;

-- 2. The same for one project
EXPLAIN (COSTS OFF)
SELECT op, apm.p95(duration_ms) FROM apm.spans
 WHERE project_id = 2 AND segment_end_time >= '2026-01-07 10:00+00' AND segment_end_time < '2026-01-07 11:00+00' GROUP BY op;

-- 3. A trace with a bound of time: the index of one day
EXPLAIN (COSTS OFF)
SELECT span_id, parent_span_id, op, description, start_time, duration_ms FROM apm.spans
 WHERE trace_id = '4bf92f3577b34da6a3ce929d0e0e4736' AND segment_end_time >= '2026-01-07' AND segment_end_time < '2026-01-08';

-- 4. A trace by its id alone: the index of every day
EXPLAIN (COSTS OFF)
SELECT span_id, op, duration_ms FROM apm.spans WHERE trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';

-- 5. The slowest queries of a day: a condition on spans is applied to what is unpacked
EXPLAIN (COSTS OFF)
SELECT trace_id, span_id, description, duration_ms FROM apm.spans
 WHERE segment_end_time >= '2026-01-06' AND segment_end_time < '2026-01-07' AND op = 'db' ORDER BY duration_ms DESC LIMIT 10;

-- 6. Where an endpoint spends its time: the name is known before anything is unpacked
EXPLAIN (COSTS OFF)
SELECT category, span_group, sum(self_time_ms) FROM apm.spans
 WHERE project_id = 1 AND transaction_name = 'POST /checkout' AND segment_end_time >= '2026-01-06' AND segment_end_time < '2026-01-08'
 GROUP BY category, span_group;

-- 7. With the transaction: bounds on both sides
EXPLAIN (COSTS OFF)
SELECT t.name, s.op, sum(s.duration_ms) FROM apm.transactions t JOIN apm.spans s USING (project_id, trace_id)
 WHERE t.end_time >= '2026-01-06' AND t.end_time < '2026-01-07' AND t.status = 'ok'
   AND s.segment_end_time >= '2026-01-06' AND s.segment_end_time < '2026-01-07'
 GROUP BY t.name, s.op;

-- 8. The spans of the slowest transactions: the index, once for each
EXPLAIN (COSTS OFF)
SELECT s.* FROM (SELECT project_id, trace_id FROM apm.transactions WHERE end_time >= '2026-01-06' AND end_time < '2026-01-07'
                  ORDER BY duration_ms DESC LIMIT 5) t
  JOIN apm.spans s USING (trace_id)
 WHERE s.segment_end_time >= '2026-01-06' AND s.segment_end_time < '2026-01-07';

-- 9. The span of each error
EXPLAIN (COSTS OFF)
SELECT e.type, e.value, s.op, s.description FROM apm.errors e JOIN apm.spans s ON s.trace_id = e.trace_id AND s.span_id = e.span_id
 WHERE e.event_time >= '2026-01-06 10:00+00' AND e.event_time < '2026-01-06 10:10+00'
   AND s.segment_end_time >= '2026-01-06 09:00+00' AND s.segment_end_time < '2026-01-06 11:00+00';

-- 10. An attribute: text is unpacked for it, descriptions and ids are not handed out
EXPLAIN (COSTS OFF)
SELECT attributes ->> 'db.system', count(*) FROM apm.spans
 WHERE segment_end_time >= '2026-01-08' AND attributes ? 'db.system' GROUP BY 1;

-- 11. What an application prepares: days are left out when it runs
SET plan_cache_mode = force_generic_plan;
PREPARE by_trace (apm.trace_id, timestamptz, timestamptz) AS
  SELECT span_id, op, duration_ms FROM apm.spans WHERE trace_id = $1 AND segment_end_time >= $2 AND segment_end_time < $3;
EXPLAIN (COSTS OFF) EXECUTE by_trace ('4bf92f3577b34da6a3ce929d0e0e4736', '2026-01-06', '2026-01-07');
RESET plan_cache_mode;

-- 12. Parts of the view that stay within it
EXPLAIN (COSTS OFF)
SELECT date_trunc('hour', segment_end_time), release, count(*) FROM apm.spans
 WHERE segment_end_time >= '2026-01-08' AND environment = 'production' GROUP BY 1, 2;

-- Whatever a query uses, it sees the same as when everything is unpacked.
CREATE TABLE unpacked AS
  SELECT b.project_id, b.end_time AS segment_end_time, b.transaction_name, b.environment, b.release, s.*
    FROM _apm.span_batches b, LATERAL (SELECT * FROM apm.unnest(b.spans) OFFSET 0) s;
CREATE TABLE answer (query text, packed text, plain text);
CREATE PROCEDURE ask(query text) LANGUAGE plpgsql AS $$
DECLARE
  digest constant text := 'SELECT md5(string_agg(q::text, E''\n'' ORDER BY q::text)) FROM (%s) q';
  a text;
  b text;
BEGIN
  EXECUTE format(digest, format(query, 'apm.spans')) INTO a;
  EXECUTE format(digest, format(query, 'unpacked')) INTO b;
  INSERT INTO answer VALUES (query, a, b);
END
$$;
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT attname FROM pg_attribute WHERE attrelid = 'apm.spans'::regclass AND attnum > 0 LOOP
    CALL ask(format('SELECT %I FROM %%1$s', name));
    CALL ask(format('SELECT count(*) FROM %%1$s WHERE %I IS NOT NULL', name));
    CALL ask(format('SELECT op FROM %%1$s ORDER BY %I, span_id LIMIT 100', name));
  END LOOP;
END
$$;
CALL ask('SELECT op, status FROM (SELECT * FROM %1$s UNION ALL SELECT * FROM %1$s) u WHERE duration_ms > 300');
CALL ask('SELECT a.op, b.description FROM %1$s a JOIN %1$s b USING (trace_id, span_id) WHERE a.project_id = 1 AND b.category = ''db''');
CALL ask('SELECT trace_id, span_id, s.op FROM %1$s s NATURAL JOIN (SELECT trace_id, span_id, category FROM unpacked) u WHERE project_id = 3');
CALL ask('SELECT s FROM %1$s s WHERE project_id = 2');
CALL ask('SELECT row_number() OVER (PARTITION BY category ORDER BY duration_ms, span_id), is_segment FROM %1$s WHERE project_id = 4');
CALL ask('SELECT transaction_name, op, origin, count(*), sum(self_time_ms) FROM %1$s GROUP BY GROUPING SETS ((transaction_name, op), (origin), ()) HAVING max(start_time) > ''2026-01-01''');
CALL ask('SELECT (SELECT max(x.duration_ms) FROM unpacked x WHERE x.span_id = s.parent_span_id AND x.trace_id = s.trace_id) FROM %1$s s WHERE project_id = 1 AND op = ''db'' AND segment_end_time < ''2026-01-05 01:00''');
CALL ask('SELECT op FROM %1$s s WHERE EXISTS (SELECT FROM unpacked u WHERE u.span_group = s.span_group AND u.trace_id < ''20000000000000000000000000000000'')');
CALL ask('SELECT t.name, s.op, s.attributes FROM apm.transactions t LEFT JOIN %1$s s ON s.trace_id = t.trace_id AND s.op = ''db'' AND s.duration_ms > 390 WHERE t.project_id = 4');
CALL ask('SELECT l.op, l.n FROM %1$s s CROSS JOIN LATERAL (SELECT s.op, s.duration_ms + 1 AS n) l WHERE s.project_id = 1');
CALL ask('WITH w AS (SELECT * FROM %1$s WHERE project_id = 2) SELECT a.category, b.description FROM w a JOIN w b ON a.span_id = b.parent_span_id AND a.trace_id = b.trace_id');
CALL ask('WITH w AS MATERIALIZED (SELECT * FROM %1$s WHERE project_id = 2) SELECT category, description FROM w');
CALL ask('SELECT DISTINCT ON (op) op, span_id, status FROM %1$s ORDER BY op, duration_ms DESC, span_id');
CALL ask('SELECT op, description FROM (SELECT * FROM %1$s ORDER BY span_id, trace_id LIMIT 1000) x');
SELECT count(*) AS queries, count(packed) AS answered, count(*) FILTER (WHERE packed IS DISTINCT FROM plain) AS differences FROM answer;
SELECT query FROM answer WHERE packed IS DISTINCT FROM plain;
-- Functions in FROM that are equal share what is read; rows locked or whole are read whole.
SELECT count(*) FILTER (WHERE a.op = 'db') AS db, count(*) FILTER (WHERE b.description = 'rates') AS rates
  FROM _apm.span_batches p, apm.unnest(p.spans) a, apm.unnest(p.spans) b WHERE p.end_time < '2026-01-05 00:10+00';
EXPLAIN (COSTS OFF) SELECT s FROM _apm.span_batches b, apm.unnest(b.spans) s WHERE b.end_time < '2026-01-06';
EXPLAIN (COSTS OFF) SELECT s.op FROM _apm.span_batches b, apm.unnest(b.spans) s WHERE b.end_time < '2026-01-06' FOR UPDATE OF b;

\c :here
DROP DATABASE apm_explain;
