-- apm.spanset: what is packed comes back, by every way in and out.
SET TIME ZONE 'UTC';
SET datestyle = 'ISO, YMD';
SET extra_float_digits = 1;

-- Spans of many shapes: several traces, parents inside and outside of the set,
-- a cycle, repeated ids, NULL and empty strings, far times.  Parallel plans
-- cannot read temporary tables.
CREATE TABLE spanset_input (g int, n int, s apm.span);
INSERT INTO spanset_input
SELECT i % 7, i, ROW(
    lpad(to_hex(i % 3 + 1), 32, 'a'),
    lpad(to_hex(CASE WHEN i % 50 = 49 THEN i - 1 ELSE i END), 16, 'b'),
    CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN lpad(to_hex(i), 16, 'b')
               WHEN 2 THEN lpad(to_hex(i + 7), 16, 'b') WHEN 3 THEN lpad(to_hex(i), 16, 'c')
               ELSE lpad(to_hex(i - 7), 16, 'b') END,
    CASE WHEN i % 6 > 0 THEN lpad(to_hex(i % 7), 16, 'b') END,
    i % 11 = 0,
    CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'db' WHEN 3 THEN 'http.client' ELSE 'op ' || i % 4 END,
    CASE i % 8 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'SELECT * FROM t' || i % 13 || repeat(' x', i % 3 * 40) END,
    (enum_range(NULL::apm.span_status))[CASE WHEN i % 4 = 0 THEN i % 18 + 1 ELSE 1 END],
    timestamptz '2026-01-05' + i * interval '1.234567 s' - (i % 3) * interval '2 days',
    CASE i % 10 WHEN 0 THEN 0 WHEN 1 THEN 0.001 ELSE i * 1.375 END,
    CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE i % 10 * 0.125 END,
    CASE i % 3 WHEN 0 THEN 'db' WHEN 1 THEN NULL ELSE 'http' END,
    CASE i % 3 WHEN 0 THEN left(md5((i % 20)::text), 16) WHEN 1 THEN 'ABCDEF0123456789' END,
    CASE i % 2 WHEN 0 THEN 'manual' ELSE 'auto.http.' || i % 5 END,
    CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}'
               ELSE jsonb_build_object('db.system', 'postgresql', 'n', i, 'text', E'caf\u00e9 "\\ \n', 'deep', jsonb_build_array(i, NULL, true)) END
  )::apm.span
  FROM generate_series(8, 1007) i;

CREATE TABLE spanset_packed (g int, spans apm.spanset);
INSERT INTO spanset_packed SELECT g, apm.spanset_agg(s ORDER BY n) FROM spanset_input GROUP BY g;

-- Every span, in the same order.
CREATE FUNCTION pg_temp.differences(OUT missing bigint, OUT changed bigint, OUT spans bigint)
LANGUAGE sql BEGIN ATOMIC
  SELECT count(*) FILTER (WHERE o.g IS NULL OR i.g IS NULL),
         count(*) FILTER (WHERE o.s IS DISTINCT FROM i.s), count(*)
    FROM (SELECT g, row_number() OVER (PARTITION BY g ORDER BY n) AS k, s FROM spanset_input) i
    FULL JOIN (SELECT g, k, ROW(u.trace_id, u.span_id, u.parent_span_id, u.segment_id, u.is_segment, u.op, u.description,
                 u.status, u.start_time, u.duration_ms, u.self_time_ms, u.category, u.span_group, u.origin, u.attributes)::apm.span AS s
                 FROM spanset_packed, apm.unnest(spans) WITH ORDINALITY
                   u(trace_id, span_id, parent_span_id, segment_id, is_segment, op, description, status, start_time,
                     duration_ms, self_time_ms, category, span_group, origin, attributes, k)) o
      USING (g, k);
END;
SELECT * FROM pg_temp.differences();

-- Through text, through bytea, through binary COPY and in the select list.
UPDATE spanset_packed SET spans = spans::text::apm.spanset;
SELECT * FROM pg_temp.differences();
UPDATE spanset_packed SET spans = spans::bytea::apm.spanset;
SELECT * FROM pg_temp.differences();
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/spanset.bin'
\set copy_out '\\copy spanset_packed TO ' :'file' ' (FORMAT binary)'
\set copy_in '\\copy spanset_packed FROM ' :'file' ' (FORMAT binary)'
:copy_out
TRUNCATE spanset_packed;
:copy_in
SELECT * FROM pg_temp.differences();
SELECT bool_and(apm.spanset_send(spans) = spans::bytea AND decode(substr(spans::text, 3), 'hex') = spans::bytea) AS same
  FROM spanset_packed;
SELECT count(*), count(DISTINCT (u).span_id) FROM (SELECT apm.unnest(spans) AS u FROM spanset_packed) x;
SELECT (u).span_id, (u).op FROM (SELECT apm.unnest(spans) AS u FROM spanset_packed WHERE g = 1) x LIMIT 3;

-- Accessors against what unpacking says.
SELECT count(*) FILTER (WHERE apm.span_count(spans) <> n) AS count_differs,
       count(*) FILTER (WHERE apm.start_time(spans) <> since) AS start_differs,
       count(*) FILTER (WHERE apm.end_time(spans) <> until) AS end_differs,
       count(*) FILTER (WHERE apm.time_range(spans) <> tstzrange(since, until, '[]')) AS range_differs,
       count(*) FILTER (WHERE apm.ops(spans) <> ops) AS ops_differ,
       count(*) AS sets
  FROM spanset_packed p,
       LATERAL (SELECT count(*) AS n, min(start_time) AS since,
                       max(start_time + round(duration_ms * 1000) * interval '1 microsecond') AS until,
                       array_agg(DISTINCT op COLLATE "C" ORDER BY op COLLATE "C") FILTER (WHERE op IS NOT NULL) AS ops
                  FROM apm.unnest(p.spans)) u;
SELECT op, (SELECT count(*) FROM spanset_packed, apm.spans_of_op(spans, op)) AS spans,
       (SELECT count(*) FROM spanset_packed, apm.spans_of_op(spans, o.op) s WHERE s.op IS DISTINCT FROM o.op) AS wrong,
       (SELECT count(*) FROM spanset_input i WHERE (i.s).op = o.op) AS expected
  FROM (VALUES (''), ('db'), ('http.client'), ('op 1'), ('op'), ('http.client ')) o(op);
SELECT count(*) FILTER (WHERE apm.find_span(spans, (s).span_id) IS DISTINCT FROM f) AS wrong, count(*) AS spans
  FROM spanset_packed JOIN spanset_input i USING (g),
       LATERAL (SELECT s AS f FROM spanset_input j WHERE j.g = i.g AND (j.s).span_id = (i.s).span_id ORDER BY n LIMIT 1) x;
SELECT apm.find_span(spans, '00f067aa0ba902b7') IS NULL AS none FROM spanset_packed WHERE g = 0;

-- Neither set nor span.
SELECT apm.spanset_agg(NULL::apm.span) FROM generate_series(1, 3);
SELECT apm.spanset_agg(s) FROM spanset_input WHERE false;
SELECT apm.span_count(apm.spanset_agg(CASE WHEN n % 2 = 0 THEN s END)) FROM spanset_input;
SELECT spans, apm.span_count(spans), apm.start_time(spans), apm.end_time(spans), apm.time_range(spans), apm.ops(spans),
       apm.find_span(spans, '00f067aa0ba902b7') IS NULL AS none, (SELECT count(*) FROM apm.unnest(spans)) AS rows
  FROM (VALUES ('\x0100'::apm.spanset)) v(spans);
SELECT apm.span_count(NULL) IS NULL AS no_count, apm.ops(NULL) IS NULL AS no_ops, (SELECT count(*) FROM apm.unnest(NULL)) AS rows;

-- A value of any size; one that lies out of line gives its count, too.
CREATE TEMP TABLE large AS
  SELECT apm.spanset_agg(ROW((s).trace_id, (s).span_id, (s).parent_span_id, NULL, NULL, (s).op,
           CASE WHEN n = 1000 THEN repeat('long text ', 200000) WHEN n % 2 = 0 THEN md5(n::text) END, NULL, (s).start_time,
           (s).duration_ms, NULL, NULL, NULL, NULL, NULL)::apm.span ORDER BY n, k) AS spans
    FROM spanset_input, generate_series(1, 3) k;
SELECT apm.span_count(spans), (SELECT count(*) FROM apm.unnest(spans)) AS rows,
       (SELECT max(length(description)) FROM apm.unnest(spans)) AS longest,
       pg_column_size(spans) < 100000 AS small
  FROM large;

-- The planner knows how many rows a constant gives, and else takes ten.
CREATE FUNCTION pg_temp.rows_of(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SELECT pg_temp.rows_of($$SELECT * FROM apm.unnest('\x0100')$$) AS empty,
       pg_temp.rows_of(format('SELECT * FROM apm.unnest(%L)', spans::text)) AS constant,
       apm.span_count(spans),
       pg_temp.rows_of('SELECT * FROM apm.unnest((SELECT spans FROM spanset_packed LIMIT 1))') AS unknown
  FROM spanset_packed WHERE g = 3;

-- Values of version 1: the bytes that older releases have stored.
CREATE TEMP TABLE fixture (k int, spans apm.spanset);
INSERT INTO fixture VALUES
  (1, '\x0101000000000102030405060708090a0b0c0d0e0f0080fb7a318f0c00000000000000000001'),
  (2, '\x0104ff2d0acb8103e4056000000342019401200100086f776e206f700202290101010003420194000123456789abcdef0089abcdef01234567096e6f742068657805baa901004bf92f3577b34da6a3ce929d0e0e473604110e02e0d298458f0c0b00c0f961ed0e2700f067aa0ba902b700f067aa0ba902b800f067aa0ba902b900f067aa0ba902ba01ffffffffffffffff03480a010702022901b701cf034201940f270006682a150001e8951ad0511ad8cb19d896195013f8077319c5317b226e6f2b14c7002022636166c3a9f119f810d61acd203230307da81ac06316fe223a20332c2001a91af92004b51ad83f017c223a20301128'),
  (3, '\x0102ffed0317ff7f7d80faca73f95f00000001010102010101020101010201fa81d4aff9dcfc1f02010200000000000000000000000000000001ffffffffffffffffffffffffffffffff051100ff7f602b8246da051b000000f0ff7fff3f38f42e1d5dfaffffffffffffffff8000000000000000017fffffffffffffff42010841010101010101020241010201014003000061627b7d5b5d');
\pset null (null)
\x on
SELECT k, s.* FROM fixture, apm.unnest(spans) s;
\x off
\pset null ''

DROP FUNCTION pg_temp.differences();
DROP TABLE spanset_input, spanset_packed;
