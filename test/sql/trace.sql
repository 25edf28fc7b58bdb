-- apm.trace: the spans of a trace in waterfall order.
\getenv srcdir PG_ABS_SRCDIR
\set fixture :srcdir '/data/trace_fixture.sql'
SET TIME ZONE 'UTC';
SET datestyle = 'ISO, YMD';
BEGIN;
\i :fixture

CREATE FUNCTION pg_temp.show(int)
RETURNS TABLE (ordinal int, span text, parent int, op text, offset_ms float8, duration_ms float8, self_time_ms float8,
               is_orphan boolean, errors int)
LANGUAGE sql STABLE BEGIN ATOMIC
  SELECT t.ordinal, repeat('  ', t.depth) || pg_temp.no(t.span_id), pg_temp.no(t.parent_span_id), t.op, t.offset_ms,
         t.duration_ms, t.self_time_ms, t.is_orphan, t.errors
    FROM apm.trace(pg_temp.trace_no($1)) t;
END;

-- All columns.
INSERT INTO s VALUES
  (1, 910001, 16, 16, NULL, 'http.server', 'GET /', 0, 100, 'ok'),
  (1, 910001, 16, 17, 16, 'http.client', 'GET http://api/', 10.5, 80, 'internal_error'),
  (1, 910002, 32, 32, 17, 'http.server', 'GET /api', 20, 60.25, 'internal_error'),
  (1, 910002, 32, 33, 32, 'db', 'SELECT 1', 30, 0.125, NULL);
CALL pg_temp.store();
INSERT INTO apm.errors (project_id, trace_id, span_id, type, value, event_time, transaction_name) VALUES
  (910002, pg_temp.trace_no(1), pg_temp.span_no(33), 'OperationalError', E'connection\nlost', pg_temp.at(31), 'GET /api'),
  (910002, pg_temp.trace_no(1), pg_temp.span_no(33), 'RuntimeError', 'while handling the other', pg_temp.at(32), 'GET /api'),
  (910002, pg_temp.trace_no(1), pg_temp.span_no(4095), 'KeyError', NULL, pg_temp.at(-7.5), 'GET /api'),
  (910002, pg_temp.trace_no(1), NULL, NULL, NULL, pg_temp.at(50), NULL);
\x on
SELECT * FROM apm.trace(pg_temp.trace_no(1));
\x off

-- A child that begins a segment of its own takes no self time from its parent:
-- span 17 waited for span 32 as long as that ran.
SELECT * FROM pg_temp.show(1);

-- Children that came in another envelope count as the others do, and so does
-- the part of a segment whose root never came.
INSERT INTO s VALUES
  (2, 910001, 1, 1, NULL, 'root', 'r', 0, 100, 'ok'), (2, 910001, 1, 2, 1, 'a', '', 10, 20, 'ok');
CALL pg_temp.store();
INSERT INTO s VALUES
  (2, 910001, 1, 3, 1, 'late', '', 50, 20, 'ok'), (2, 910001, 1, 4, 3, 'late', '', 60, 20, 'ok'),
  (2, 910001, 8, 9, 8, 'lost', '', 5, 10, 'ok'), (2, 910001, 8, 10, 9, 'lost', '', 5, 4, 'ok');
CALL pg_temp.store();
SELECT * FROM pg_temp.show(2);

-- Several roots; orphans behind them, by start; a child that starts first.
INSERT INTO s VALUES
  (3, 910001, 1, 1, NULL, 'second', '', 20, 5, 'ok'), (3, 910001, 2, 2, NULL, 'first', '', 10, 5, 'ok'),
  (3, 910001, 1, 5, 77, 'orphan', '', 9, 1, 'ok'), (3, 910001, 1, 6, 78, 'orphan', '', 8, 1, 'ok'),
  (3, 910001, 1, 7, 1, 'early', '', 0, 1, 'ok'), (3, 910001, 1, 8, 6, 'child', '', 30, 1, 'ok');
CALL pg_temp.store();
SELECT * FROM pg_temp.show(3);

-- Cycles are cut at their earliest span; what hangs on them stays there.
INSERT INTO s VALUES
  (4, 910001, 9, 1, 1, 'itself', '', 0, 5, 'ok'),
  (4, 910001, 9, 2, 4, 'circle', '', 12, 5, 'ok'), (4, 910001, 9, 3, 2, 'circle', '', 11, 5, 'ok'),
  (4, 910001, 9, 4, 3, 'circle', '', 13, 5, 'ok'), (4, 910001, 9, 5, 4, 'hangs on', '', 1, 1, 'ok');
CALL pg_temp.store();
SELECT * FROM pg_temp.show(4);

-- The same spans twice, and once more in another project: each row is listed,
-- children hang on the earliest of their own project.
INSERT INTO s SELECT 5, project, 1, span, parent, op, '', begins, lasts, 'ok'
  FROM unnest(ARRAY[910001, 910001, 910002]) project,
       (VALUES (1, NULL::int, 'root', 0, 10), (2, 1, 'child', 2, 4), (3, 2, 'leaf', 3, 1)) v(span, parent, op, begins, lasts);
CALL pg_temp.store();
INSERT INTO apm.errors (project_id, trace_id, span_id, type, event_time)
VALUES (910002, pg_temp.trace_no(5), pg_temp.span_no(2), 'E', pg_temp.at(3)), (910009, pg_temp.trace_no(5), pg_temp.span_no(2), 'E', pg_temp.at(3));
SELECT show.*, project_id FROM pg_temp.show(5) JOIN apm.trace(pg_temp.trace_no(5)) USING (ordinal);

-- Only errors.
INSERT INTO apm.errors (project_id, trace_id, span_id, type, event_time)
VALUES (910001, pg_temp.trace_no(6), pg_temp.span_no(1), 'Second', pg_temp.at(5)), (910001, pg_temp.trace_no(6), NULL, 'First', pg_temp.at(4));
SELECT ordinal, depth, kind, description, offset_ms, duration_ms, self_time_ms, is_orphan, errors FROM apm.trace(pg_temp.trace_no(6));

-- A forest of 3,000 spans in three projects against plain SQL: order by the
-- path of starts, self time by the union of ranges.
SELECT setseed(0.5);
INSERT INTO s SELECT 7, 910001 + i % 3, CASE WHEN random() < 0.1 THEN i ELSE 1 END, i,
                     CASE WHEN random() < 0.95 THEN floor(random() * 40)::int + i - 40 END, 'op', '',
                     floor(random() * 100000) / 1000, floor(random() * 20000) / 1000, 'ok'
                FROM generate_series(1, 3000) i;
UPDATE s SET parent = NULL WHERE parent < 1;
UPDATE s SET parent = 50000 + span WHERE span % 97 = 0;
CALL pg_temp.store();
CREATE TEMP VIEW own AS SELECT * FROM apm.spans WHERE trace_id = pg_temp.trace_no(7);
CREATE TEMP TABLE expected AS
WITH RECURSIVE tree AS (
  SELECT span_id, 0 AS depth, parent_span_id IS NOT NULL AS is_orphan,
         ARRAY[(parent_span_id IS NOT NULL)::int::text || start_time::text || span_id::text] AS path
    FROM own o
   WHERE parent_span_id IS NULL OR NOT EXISTS (SELECT FROM own p WHERE p.span_id = o.parent_span_id)
  UNION ALL
  SELECT o.span_id, depth + 1, false, path || (o.start_time::text || o.span_id::text)
    FROM tree t JOIN own o ON o.parent_span_id = t.span_id),
self AS (
  SELECT o.span_id,
         o.duration_ms - coalesce((
           SELECT sum(extract(epoch FROM upper(r) - lower(r)) * 1000)
             FROM unnest((SELECT range_agg(tstzrange(c.start_time, c.start_time + c.duration_ms * interval '1 ms') *
                                           tstzrange(o.start_time, o.start_time + o.duration_ms * interval '1 ms'))
                            FROM own c WHERE c.parent_span_id = o.span_id AND NOT c.is_segment)) r), 0) AS self_time_ms
    FROM own o)
SELECT row_number() OVER (ORDER BY path COLLATE "C")::int AS ordinal, depth, span_id, is_orphan,
       round(self_time_ms::numeric, 3) AS self_time_ms
  FROM tree JOIN self USING (span_id);
SELECT count(*), max(depth) > 20 AS deep, count(*) FILTER (WHERE is_orphan) > 20 AS orphans,
       count(*) FILTER (WHERE self_time_ms < 5) > 100 AS parents FROM expected;
(SELECT ordinal, depth, span_id, is_orphan, round(self_time_ms::numeric, 3) FROM apm.trace(pg_temp.trace_no(7))
 EXCEPT TABLE expected) LIMIT 5;
(TABLE expected
 EXCEPT SELECT ordinal, depth, span_id, is_orphan, round(self_time_ms::numeric, 3) FROM apm.trace(pg_temp.trace_no(7))) LIMIT 5;

-- A chain of 100,000 spans, each the parent of the next.
INSERT INTO s SELECT 8, 910001, 1, i, nullif(i - 1, 0), 'op', '', 0, 200000 - i, 'ok' FROM generate_series(1, 100000) i;
CALL pg_temp.store();
SELECT count(*), count(DISTINCT span_id), max(depth), bool_and(ordinal = depth + 1 AND pg_temp.no(span_id) = ordinal) AS in_order,
       bool_or(is_orphan) AS orphans, sum(self_time_ms)
  FROM apm.trace(pg_temp.trace_no(8));
SELECT count(*) FROM apm.waterfall(pg_temp.trace_no(8));
-- The same bitten into its own tail.
UPDATE _apm.fixture_spans SET parent_span_id = pg_temp.span_no(100000)
 WHERE trace_id = pg_temp.trace_no(8) AND span_id = pg_temp.span_no(1);
SELECT count(*), count(DISTINCT span_id), max(depth), count(*) FILTER (WHERE is_orphan) AS orphans FROM apm.trace(pg_temp.trace_no(8));

-- Values at the edges, and values missing.
INSERT INTO _apm.fixture_spans (project_id, trace_id, span_id, start_time, duration_ms) VALUES
  (910001, pg_temp.trace_no(9), pg_temp.span_no(1), '4713-01-01 BC', 'Infinity'),
  (910001, pg_temp.trace_no(9), pg_temp.span_no(2), '294276-12-31', 1e300),
  (910001, pg_temp.trace_no(9), pg_temp.span_no(3), '2001-01-09', 'NaN'),
  (910001, pg_temp.trace_no(9), pg_temp.span_no(4), '2001-01-09', -5),
  (NULL, pg_temp.trace_no(9), NULL, NULL, NULL);
SELECT ordinal, project_id, span_id, start_time, offset_ms, duration_ms, self_time_ms, is_orphan FROM apm.trace(pg_temp.trace_no(9));
SELECT apm.waterfall(pg_temp.trace_no(9), 80);

-- Called for each row of a query, in the select list, with an empty
-- search_path, by id in any form; unknown and NULL ids give no rows.
SELECT n, count(span_id) FROM generate_series(1, 4) n LEFT JOIN LATERAL apm.trace(pg_temp.trace_no(n)) ON true GROUP BY n ORDER BY n;
SELECT (apm.trace('00000000-0000-0000-0000-000000000002')).op;
SET LOCAL search_path = '';
SELECT count(*) FROM apm.trace('00000000000000000000000000000002');
RESET search_path;
SELECT count(*) FROM apm.trace('4bf92f3577b34da6a3ce929d0e0e4736');
SELECT count(*) FROM apm.trace(NULL);

-- Objects of the caller's schemas do not stand in for those of the extension.
CREATE SCHEMA regress_trace_evil;
CREATE FUNCTION regress_trace_evil.eq(apm.trace_id, apm.trace_id) RETURNS boolean LANGUAGE sql RETURN true;
CREATE OPERATOR regress_trace_evil.= (LEFTARG = apm.trace_id, RIGHTARG = apm.trace_id, FUNCTION = regress_trace_evil.eq);
SET LOCAL search_path = regress_trace_evil, pg_catalog;
SELECT count(*) FROM apm.trace('00000000000000000000000000000002');
RESET search_path;

-- The caller's rights are what counts.
\set SHOW_CONTEXT never
CREATE ROLE regress_trace_nobody;
GRANT USAGE ON SCHEMA apm TO regress_trace_nobody;
SET LOCAL ROLE regress_trace_nobody;
SAVEPOINT denied;
SELECT count(*) FROM apm.trace('00000000000000000000000000000002');
ROLLBACK TO denied;
SELECT apm.waterfall('00000000000000000000000000000002');
ROLLBACK;
