-- The mark of commit order: the id of the storing transaction, written by
-- nobody, kept by updates.
SET client_min_messages = warning;
CREATE TABLE public.co_marks (step text, xid bigint);
INSERT INTO apm.projects (project_id, name) VALUES (4601, 'commit order');
SELECT _apm.make_partition(t, d) IS NOT NULL AS made
  FROM unnest(ARRAY['transactions', 'span_batches']) t, unnest(ARRAY['2001-02-03', '2001-02-04']::date[]) d;
PREPARE store(text, timestamptz) AS
  INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
  VALUES (4601, md5($1)::uuid::apm.trace_id, '00000000000000a1', $1, $2, $2, 1);

-- Every way to store fills it; a plan that was made in another transaction too.
BEGIN;
EXECUTE store('prepared', '2001-02-03 10:00Z');
INSERT INTO public.co_marks SELECT 'prepared', (pg_current_xact_id()::text)::bigint;
COMMIT;
BEGIN;
EXECUTE store('prepared again', '2001-02-03 10:00Z');
INSERT INTO public.co_marks SELECT 'prepared again', (pg_current_xact_id()::text)::bigint;
COMMIT;
BEGIN;
INSERT INTO _apm.transactions_20010203 (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
  VALUES (4601, md5('leaf')::uuid::apm.trace_id, '00000000000000a1', 'leaf', '2001-02-03 11:00Z', '2001-02-03 11:00Z', 1);
SAVEPOINT s;
EXECUTE store('subtransaction', '2001-02-03 10:00Z');
RELEASE s;
COPY apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms) FROM stdin;
4601	4bf92f3577b34da6a3ce929d0e0e4736	00000000000000a1	copied	2001-02-03 12:00+00	2001-02-03 12:00+00	1
\.
INSERT INTO public.co_marks
  SELECT s, (pg_current_xact_id()::text)::bigint FROM unnest('{leaf,subtransaction,copied}'::text[]) s;
COMMIT;
SELECT t.name, t.stored_xid = m.xid AS right
  FROM public.co_marks m LEFT JOIN apm.transactions t ON t.project_id = 4601 AND t.name = m.step ORDER BY m.xid, m.step;
BEGIN;
SELECT accepted FROM apm.ingest(convert_to(E'{"event_id":"0a55be3f33f14e1d9d2a7c4a2b0ddd01"}\n{"type":"transaction"}\n'
  || '{"transaction":"ingested","start_timestamp":981194400,"timestamp":981194401,"contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4737","span_id":"00000000000000a2"}}}' || E'\n', 'UTF8'), 4601);
SELECT t.stored_xid = (pg_current_xact_id()::text)::bigint AS transaction,
       b.stored_xid = (pg_current_xact_id()::text)::bigint AS spans
  FROM apm.transactions t JOIN _apm.span_batches b USING (project_id, trace_id) WHERE t.project_id = 4601 AND t.name = 'ingested';
COMMIT;

-- Nobody writes it.
INSERT INTO apm.transactions (project_id, trace_id, span_id, start_time, end_time, duration_ms, stored_xid)
  VALUES (4601, '4bf92f3577b34da6a3ce929d0e0e4736', '00000000000000a1', '2001-02-03', '2001-02-03', 1, 1);
COPY apm.transactions (project_id, stored_xid) FROM stdin;
\.
UPDATE apm.transactions SET stored_xid = 1 WHERE project_id = 4601;
-- What COPY (and so a dump) takes along has no mark.
SELECT count(*) AS generated FROM pg_attribute
 WHERE attrelid IN ('apm.transactions'::regclass, '_apm.transactions_20010203'::regclass, '_apm.span_batches'::regclass, '_apm.span_batches_20010203'::regclass)
   AND attname = 'stored_xid' AND attgenerated = 's';
COPY (SELECT stored_xid > 0 AS other FROM _apm.transactions_20010203 WHERE name = 'leaf') TO STDOUT;
COPY _apm.span_batches_20010204 TO STDOUT WITH (FORMAT csv, HEADER);

-- Updates keep it; a row that goes to another partition may keep it or be
-- stored anew, which depends on the server's version and both are right.
UPDATE apm.transactions SET name = upper(name), duration_ms = 2 WHERE project_id = 4601 AND name <> 'ingested';
SELECT count(*) AS kept FROM apm.transactions t JOIN public.co_marks m ON t.name = upper(m.step) AND t.stored_xid = m.xid WHERE t.project_id = 4601;
BEGIN;
UPDATE apm.transactions SET end_time = end_time + interval '1 day' WHERE project_id = 4601 AND name = 'LEAF';
SELECT t.stored_xid IN (m.xid, (pg_current_xact_id()::text)::bigint) AS known, t.tableoid::regclass
  FROM apm.transactions t JOIN public.co_marks m ON m.step = 'leaf' WHERE t.project_id = 4601 AND t.name = 'LEAF';
COMMIT;

-- Rows that were rolled up before: marked 0, for one transaction.
BEGIN;
SELECT _apm.store_as_rolled();
EXECUTE store('rolled', '2001-02-04 10:00Z');
COMMIT;
EXECUTE store('after commit', '2001-02-04 10:00Z');
BEGIN;
SELECT _apm.store_as_rolled();
ROLLBACK;
EXECUTE store('after rollback', '2001-02-04 10:00Z');
BEGIN;
SAVEPOINT s;
SELECT _apm.store_as_rolled();
ROLLBACK TO s;
EXECUTE store('after rollback to', '2001-02-04 10:00Z');
SAVEPOINT s;
SELECT _apm.store_as_rolled();
SAVEPOINT t;
RELEASE s;
EXECUTE store('after release', '2001-02-04 10:00Z');
SAVEPOINT u;
ROLLBACK TO u;
EXECUTE store('after another rollback to', '2001-02-04 10:00Z');
SELECT _apm.store_as_rolled(false);
EXECUTE store('switched off', '2001-02-04 10:00Z');
COMMIT;
SELECT name, stored_xid = 0 AS rolled FROM apm.transactions
 WHERE project_id = 4601 AND end_time = '2001-02-04 10:00Z' ORDER BY stored_xid, name;
SELECT _apm.stores_as_rolled();
SET ROLE apm_admin;
SELECT _apm.store_as_rolled();
RESET ROLE;

-- Each partition can find rows by it.
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) ~ 'USING brin \(stored_xid, end_time\)' AS brin FROM pg_index
 WHERE indrelid IN ('_apm.transactions_20010203'::regclass, '_apm.span_batches_20010203'::regclass) AND indexrelid::regclass::text ~ 'stored_xid' ORDER BY 1;

DROP TABLE _apm.transactions_20010203, _apm.transactions_20010204, _apm.span_batches_20010203, _apm.span_batches_20010204;
DELETE FROM _apm.seen WHERE project_id = 4601;
DELETE FROM _apm.outcome_log WHERE project_id = 4601;
DELETE FROM apm.project_keys WHERE project_id = 4601;
DELETE FROM apm.projects WHERE project_id = 4601;
DROP TABLE public.co_marks;
DEALLOCATE store;
