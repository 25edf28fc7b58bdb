-- From envelopes of two services to one trace.
\pset format unaligned
\pset tuples_only on
SET TIME ZONE 'UTC';
SET datestyle = 'ISO, YMD';
SET client_min_messages = warning;
BEGIN;
SELECT apm.create_project('front', 910011) IS NOT NULL, apm.create_project('back', 910012) IS NOT NULL;

-- An envelope of one item; times in it are seconds after a fixed moment.
CREATE FUNCTION pg_temp.envelope(type text, payload jsonb) RETURNS bytea LANGUAGE sql IMMUTABLE
  RETURN convert_to(format(E'{}\n{"type":"%s"}\n%s\n', $1, $2), 'UTF8');
CREATE FUNCTION pg_temp.span(id text, parent text, op text, description text, begins numeric, ends numeric, status text DEFAULT 'ok')
RETURNS jsonb LANGUAGE sql IMMUTABLE
  RETURN jsonb_build_object('trace_id', '5b8aa5a2d2c872e8321cf37308d69df2', 'span_id', id, 'parent_span_id', parent, 'op', op,
    'description', description, 'start_timestamp', 1767571200 + begins, 'timestamp', 1767571200 + ends, 'status', status);
CREATE FUNCTION pg_temp.transaction(event text, name text, root jsonb, spans jsonb) RETURNS bytea LANGUAGE sql IMMUTABLE
  RETURN pg_temp.envelope('transaction', jsonb_build_object('event_id', event, 'type', 'transaction', 'transaction', name,
    'platform', 'python', 'start_timestamp', root -> 'start_timestamp', 'timestamp', root -> 'timestamp',
    'contexts', jsonb_build_object('trace', root), 'spans', spans));
CREATE FUNCTION pg_temp.error(event text, span text, type text, value text, at numeric) RETURNS bytea LANGUAGE sql IMMUTABLE
  RETURN pg_temp.envelope('event', jsonb_build_object('event_id', event, 'level', 'error', 'platform', 'python',
    'timestamp', 1767571200 + at, 'contexts', jsonb_build_object('trace', jsonb_build_object(
      'trace_id', '5b8aa5a2d2c872e8321cf37308d69df2', 'span_id', span)),
    'exception', jsonb_build_object('values', jsonb_build_array(jsonb_build_object('type', type, 'value', value)))));

-- The service behind arrives first.
SELECT accepted, rejected FROM apm.ingest_batch(
  ARRAY[
    pg_temp.error(md5('3'), 'b2b2b2b2b2b2b2b2', 'UniqueViolation', 'duplicate key', 0.190),
    pg_temp.transaction(md5('2'), 'POST /api/orders',
      pg_temp.span('b0b0b0b0b0b0b0b0', 'a1a1a1a1a1a1a1a1', 'http.server', NULL, 0.060, 0.210, 'internal_error'),
      jsonb_build_array(
        pg_temp.span('b1b1b1b1b1b1b1b1', 'b0b0b0b0b0b0b0b0', 'db', 'SELECT 1', 0.062, 0.064),
        pg_temp.span('b2b2b2b2b2b2b2b2', 'b0b0b0b0b0b0b0b0', 'db', 'INSERT INTO orders', 0.180, 0.190, 'already_exists'))),
    pg_temp.transaction(md5('1'), '/orders',
      pg_temp.span('a0a0a0a0a0a0a0a0', NULL, 'http.server', NULL, 0, 0.250, 'internal_error'),
      jsonb_build_array(
        pg_temp.span('a1a1a1a1a1a1a1a1', 'a0a0a0a0a0a0a0a0', 'http.client', 'POST http://back/api/orders', 0.050, 0.220, 'internal_error'),
        pg_temp.span('a2a2a2a2a2a2a2a2', 'a0a0a0a0a0a0a0a0', 'template', 'error.html', 0.221, 0.2495))),
    pg_temp.error(md5('4'), 'ffffffffffffffff', 'LookupError', 'no such span', 0.230)],
  ARRAY[910012, 910012, 910011, 910011],
  array_fill(timestamptz '2026-01-05 00:00:05+00', ARRAY[4]));
SELECT apm.waterfall('5b8aa5a2d2c872e8321cf37308d69df2');
\pset format aligned
\pset tuples_only off
SELECT ordinal, repeat('  ', depth) || coalesce(op, '') AS op, project_id, transaction_name, duration_ms, self_time_ms, errors
  FROM apm.trace('5b8aa5a2d2c872e8321cf37308d69df2');
-- Nothing is missing, and self time is what was stored: each segment came whole.
SELECT count(*) AS spans, count(t.span_id) AS listed, count(*) FILTER (WHERE s.self_time_ms IS DISTINCT FROM t.self_time_ms) AS different
  FROM apm.spans s LEFT JOIN apm.trace('5b8aa5a2d2c872e8321cf37308d69df2') t USING (span_id)
 WHERE s.trace_id = '5b8aa5a2d2c872e8321cf37308d69df2';
-- A reader may look.
SET LOCAL ROLE apm_reader;
SELECT count(*) FROM apm.trace('5b8aa5a2d2c872e8321cf37308d69df2');
SELECT count(*) FROM apm.waterfall('5b8aa5a2d2c872e8321cf37308d69df2');
ROLLBACK;
