-- A trace by its id alone: which days it is of
\set VERBOSITY default
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.part(trace text, span text, t timestamptz) RETURNS bytea LANGUAGE sql AS $$
  SELECT convert_to(format(
    E'{}\n{"type":"transaction"}\n{"transaction":"GET /","start_timestamp":%1$s,"timestamp":%1$s,'
    || '"contexts":{"trace":{"trace_id":"%2$s","span_id":"%3$s","op":"http.server","status":"ok"}}}' || E'\n'
    || E'{"type":"event"}\n{"timestamp":%1$s,"message":"m","contexts":{"trace":{"trace_id":"%2$s","span_id":"%3$s"}}}' || E'\n',
    extract(epoch FROM t), md5(trace), span), 'UTF8')
$$;
SELECT accepted FROM apm.ingest_batch(ARRAY[
  pg_temp.part('bounds 1', '00000000000000a1', '2021-03-01 23:59:59.5+00'),
  pg_temp.part('bounds 1', '00000000000000a2', '2021-03-02 00:00:01+00'),
  pg_temp.part('bounds 1', '00000000000000a3', '2021-03-04 12:00:00+00'),
  pg_temp.part('bounds 2', '00000000000000a4', '2021-03-02 10:00:00+00')], '{4802,4802,4803,4802}', array_fill(now(), ARRAY[4]));
RESET client_min_messages;
SELECT * FROM apm.trace_bounds(md5('bounds 1')::apm.trace_id);
SELECT * FROM apm.trace_bounds(md5('bounds 2')::apm.trace_id);
SELECT * FROM apm.trace_bounds(md5('bounds 3')::apm.trace_id);
SELECT apm.trace_bounds(NULL) IS NULL AS is_null;
-- always what the rows say
SELECT count(*) AS traces, count(*) FILTER (WHERE (first_end_time, last_end_time) IS DISTINCT FROM (low, high)) AS differences
  FROM (SELECT trace_id, min(end_time) AS low, max(end_time) AS high FROM _apm.span_batches
         WHERE end_time >= '2021-03-01' AND end_time < '2021-03-05' GROUP BY trace_id) t, apm.trace_bounds(t.trace_id);
-- the functions that look at a trace see all of it
SELECT project_id, span_id, start_time, errors FROM apm.trace(md5('bounds 1')::apm.trace_id);
SELECT count(*) FROM apm.trace(md5('bounds 3')::apm.trace_id);
-- within a transaction, rows of its own count
BEGIN;
DELETE FROM _apm.span_batches WHERE trace_id = md5('bounds 1')::apm.trace_id AND end_time < '2021-03-02';
SELECT * FROM apm.trace_bounds(md5('bounds 1')::apm.trace_id);
ROLLBACK;
-- a partition without index may hold anything
CREATE TABLE public.unindexed PARTITION OF _apm.span_batches FOR VALUES FROM ('2021-04-01 00:00:00+00') TO ('2021-04-02 00:00:00+00');
SELECT * FROM apm.trace_bounds(md5('bounds 2')::apm.trace_id);
SELECT count(*) FROM apm.trace(md5('bounds 2')::apm.trace_id);
CREATE INDEX ON public.unindexed (project_id, trace_id);
CREATE INDEX ON public.unindexed (trace_id) WHERE project_id = 1;
SELECT first_end_time FROM apm.trace_bounds(md5('bounds 2')::apm.trace_id);
CREATE INDEX ON public.unindexed (trace_id, project_id);
SELECT first_end_time FROM apm.trace_bounds(md5('bounds 2')::apm.trace_id);
DROP TABLE public.unindexed;
-- who may not read, may not ask
CREATE ROLE apm_bounds_nobody;
GRANT USAGE ON SCHEMA apm TO apm_bounds_nobody;
SET ROLE apm_bounds_nobody;
SELECT * FROM apm.trace_bounds(md5('bounds 2')::apm.trace_id);
SET ROLE apm_reader;
SELECT * FROM apm.trace_bounds(md5('bounds 2')::apm.trace_id);
RESET ROLE;
REVOKE USAGE ON SCHEMA apm FROM apm_bounds_nobody;
DROP ROLE apm_bounds_nobody;

DELETE FROM _apm.span_batches WHERE project_id IN (4802, 4803);
DELETE FROM apm.transactions WHERE project_id IN (4802, 4803);
DELETE FROM apm.errors WHERE project_id IN (4802, 4803);
DELETE FROM apm.project_keys WHERE project_id IN (4802, 4803);
DELETE FROM apm.projects WHERE project_id IN (4802, 4803);
