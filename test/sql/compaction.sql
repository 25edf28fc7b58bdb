-- Compaction rewrites days, hence a database of its own.
SELECT current_database() AS here \gset
CREATE DATABASE apm_compaction TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c apm_compaction
SET client_min_messages = warning;
CREATE EXTENSION pg_apm;
-- A worker, if there is one, leaves the maintenance to this session
DO $$ BEGIN PERFORM pg_advisory_lock(hashtext('pg_apm maintain'), 0); END $$;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT count(_apm.make_partition('span_batches', d::date)) FROM generate_series(timestamp '2026-01-05', '2026-01-07', '1 day') d;

CREATE FUNCTION spans(k int, p int, at timestamptz) RETURNS apm.spanset LANGUAGE sql AS $$
  SELECT apm.spanset_agg(ROW(md5('c' || k)::apm.trace_id, lpad(to_hex(k * 1000 + p * 10 + i + 1), 16, 'f')::apm.span_id,
                             CASE WHEN i > 0 THEN lpad(to_hex(k * 1000 + 1), 16, 'f') END, CASE WHEN k % 5 > 0 THEN lpad(to_hex(k + 1), 16, 'a') END,
                             i = 0 AND p = 0, CASE WHEN i < 4 THEN 'op ' || i END, 'SELECT ' || i, (ARRAY['ok', 'internal_error', NULL])[1 + i % 3], at - i * interval '1 ms',
                             i * 1.5, i, 'db', 'g' || i, 'auto', jsonb_build_object('part', p, 'rows', i * 1.50))::apm.span)
    FROM generate_series(0, 3) i
$$;
-- Segments in up to five parts, a second apart; every fifth without the segment's id.
CREATE PROCEDURE fill(day date, first int, last int) LANGUAGE sql AS $$
  INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
    SELECT 1 + k % 2, md5('c' || k)::apm.trace_id, CASE WHEN k % 5 > 0 THEN lpad(to_hex(k + 1), 16, 'a') END::apm.span_id, t.at, 'GET /' || k % 3,
           CASE WHEN k % 4 > 0 THEN 'production' END, NULL, spans(k, p, t.at)
      FROM generate_series(first, last) k, generate_series(0, k % 5) p, LATERAL (SELECT day::timestamptz + k % 400 * interval '3 min' + p * interval '1 s' AS at) t
$$;
CALL fill('2026-01-05', 0, 399);
CALL fill('2026-01-07', 1000, 1399);
-- one row each: nothing to gain
INSERT INTO _apm.span_batches (project_id, trace_id, end_time, spans)
  SELECT 3, md5('d' || k)::apm.trace_id, '2026-01-06 10:00', spans(k, 0, '2026-01-06 10:00') FROM generate_series(1, 10) k;

-- What a span says, but for the end of its part.
CREATE VIEW said AS SELECT to_jsonb(s) - 'segment_end_time' AS span, date_trunc('hour', s.segment_end_time) AS hour FROM apm.spans s;
CREATE TABLE before AS SELECT * FROM said;
CREATE FUNCTION differences() RETURNS TABLE (spans bigint, missing bigint, surplus bigint) LANGUAGE sql AS $$
  SELECT (SELECT count(*) FROM said), (SELECT count(*) FROM (TABLE before EXCEPT ALL TABLE said) m), (SELECT count(*) FROM (TABLE said EXCEPT ALL TABLE before) m)
$$;
CREATE FUNCTION shape(part regclass) RETURNS TABLE (what text) LANGUAGE sql AS $$
  SELECT format('%s %s %s', attname, format_type(atttypid, atttypmod), attstorage) || CASE WHEN attnotnull THEN ' not null' ELSE '' END || coalesce(' ' || pg_get_expr(adbin, adrelid), '')
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = part AND attnum > 0
  UNION ALL SELECT replace(pg_get_indexdef(indexrelid), part::text, 'part') FROM pg_index WHERE indrelid = part
  UNION ALL SELECT regexp_replace(pg_get_triggerdef(oid), part::text, 'part') FROM pg_trigger WHERE tgrelid = part
  UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = part AND contype <> 'n'
  UNION ALL SELECT 'member' FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = part AND deptype = 'e'
  UNION ALL SELECT relpersistence::text || ' ' || relowner::regrole || ' ' || relispartition FROM pg_class WHERE oid = part
$$;
CREATE TABLE made AS SELECT regexp_replace(what, '\d{8}', 'day') AS what FROM shape('_apm.span_batches_20260105');

-- Steps until nothing is left to do; other sessions of the server may hold snapshots for a moment.
CREATE PROCEDURE run(step text, most int DEFAULT 60) LANGUAGE plpgsql AS $$
DECLARE
  r text;
BEGIN
  FOR i IN 1 .. most LOOP
    SELECT string_agg(result, '; ') INTO r FROM apm.maintain() WHERE task ~ '^compaction' AND result <> 'nothing to do';
    COMMIT;
    EXIT WHEN r ~ step OR r IS NULL AND step = '';
    PERFORM pg_sleep(0.01);
  END LOOP;
  RAISE NOTICE '%', regexp_replace(regexp_replace(regexp_replace(r, ', [0-9]+ % less with new words', ''), '[0-9]+ bytes instead of [0-9]+', '… bytes', 'g'), '[0-9]+ rows until [0-9:]+$', 'rows until …');
END
$$;
RESET client_min_messages;
-- not before its time
SET pg_apm.compact_after = '20000d';
SELECT task, result FROM apm.maintain() WHERE task ~ 'compaction';
SET pg_apm.compact_after = -1;
SELECT task, result FROM apm.maintain() WHERE task ~ 'compaction';
SET pg_apm.compact_after = '1d';

-- The newest day first
CALL run('of');
SELECT kind, relation, day FROM apm.storage() WHERE day = '2026-01-07' ORDER BY relation;
CALL run('complete');
SELECT * FROM differences();
CALL run('instead');
SELECT * FROM differences();
SELECT count(*) AS row_count, sum(apm.span_count(spans)) AS span_count FROM _apm.span_batches WHERE end_time >= '2026-01-07';
CALL run('nothing to gain');
SELECT day, state, rows_before, rows_after, bytes_after < bytes_before AS smaller FROM apm.compactions ORDER BY day;
SELECT day, bytes_before > total_bytes AS smaller FROM apm.storage() WHERE kind = 'spans' AND day >= '2026-01-06' ORDER BY day;

-- What changes while the copy is made is not lost: before its bucket is copied and after
SET pg_apm.compact_time = '1ms';
CALL run('of');
CALL run('until');
SELECT count(*) FROM _apm.compaction_changes;
SELECT copied_until < '2026-01-05 20:00' AS goes_on FROM apm.compactions WHERE state = 'copying';
CALL fill('2026-01-05', 400, 405);
INSERT INTO _apm.span_batches (project_id, trace_id, end_time, spans) VALUES (7, md5('late')::apm.trace_id, '2026-01-05 00:30', spans(9000, 0, '2026-01-05 00:30')),
                                                                            (7, md5('late')::apm.trace_id, '2026-01-05 23:30', spans(9001, 0, '2026-01-05 23:30'));
DELETE FROM _apm.span_batches WHERE trace_id = md5('c3')::apm.trace_id;
UPDATE _apm.span_batches SET transaction_name = 'renamed' WHERE trace_id = md5('c4')::apm.trace_id;
UPDATE _apm.span_batches SET end_time = '2026-01-05 12:00' WHERE trace_id = md5('c8')::apm.trace_id;
UPDATE _apm.span_batches SET end_time = '2026-01-06 12:00' WHERE trace_id = md5('c9')::apm.trace_id;
BEGIN;
DELETE FROM _apm.span_batches;
ROLLBACK;
SELECT DISTINCT date_trunc('hour', bucket) AS bucket FROM _apm.compaction_changes ORDER BY 1;
DROP TABLE before;
CREATE TABLE before AS SELECT * FROM said;
RESET pg_apm.compact_time;
CALL run('complete');
SELECT * FROM differences();
-- and after it is complete
INSERT INTO _apm.span_batches (project_id, trace_id, end_time, spans) VALUES (7, md5('later')::apm.trace_id, '2026-01-05 00:40', spans(9002, 0, '2026-01-05 00:40'));
DROP TABLE before;
CREATE TABLE before AS SELECT * FROM said;
CALL run('instead');
SELECT * FROM differences();
SELECT count(*) FROM apm.spans WHERE trace_id IN (md5('late')::apm.trace_id, md5('later')::apm.trace_id);
SELECT count(*) FROM _apm.compaction_changes;
-- A compacted day is like any other
SELECT count(*) AS lines, count(*) FILTER (WHERE regexp_replace(what, '\d{8}', 'day') NOT IN (SELECT what FROM made)) AS new FROM shape('_apm.span_batches_20260105');
SELECT count(*) FROM made;
SELECT conname FROM pg_constraint WHERE conrelid = '_apm.span_batches_20260105'::regclass AND contype <> 'n';
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT 1 FROM _apm.span_batches WHERE trace_id = md5('c10')::apm.trace_id AND end_time >= '2026-01-05' AND end_time < '2026-01-06';
RESET enable_seqscan;
SELECT DISTINCT stored_xid FROM _apm.span_batches_20260107;
SELECT * FROM apm.trace_bounds(md5('c14')::apm.trace_id);
CALL fill('2026-01-05', 500, 503);

-- What the database learns later makes days worth it that have nothing to join
SELECT day, state FROM apm.compactions WHERE day = '2026-01-06';
SELECT _apm.learn_words() IS NOT NULL AS learned;
DROP TABLE before;
CREATE TABLE before AS SELECT * FROM said;
CALL run('complete');
CALL run('instead');
SELECT * FROM differences();
SELECT count(*) AS segments, count(_apm.lexicon_of(spans)) AS with_words FROM _apm.span_batches WHERE end_time >= '2026-01-06' AND end_time < '2026-01-07';

-- Emptied, dropped and left over
TRUNCATE _apm.span_batches;
DELETE FROM _apm.compactions WHERE day = '2026-01-05';
CALL fill('2026-01-05', 600, 619);
CALL run('of');
CALL run('complete');
TRUNCATE _apm.span_batches;
CALL run('complete');
CALL run('instead');
SELECT count(*) FROM apm.spans;
CALL fill('2026-01-05', 700, 719);
DELETE FROM _apm.compactions WHERE day = '2026-01-05';
CALL run('complete');
SELECT apm.set_retention('spans', '1 day');
SELECT task, result ~ 'dropped 3 days' AS dropped FROM apm.maintain() WHERE task = 'retention of spans';
SELECT to_regclass('_apm.span_batches_20260105_new');
CREATE TABLE _apm.span_batches_20260101_new ();
ALTER EXTENSION pg_apm ADD TABLE _apm.span_batches_20260101_new;
SELECT result FROM apm.maintain() WHERE task ~ 'copying';
SELECT to_regclass('_apm.span_batches_20260105_new'), to_regclass('_apm.span_batches_20260101_new');
SELECT count(*) FROM apm.compactions;

\c :here
DROP DATABASE apm_compaction;
