-- Statuses as they are mapped, and ops and statuses that were not sent.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.span(n int, status text, attributes jsonb DEFAULT '{}', segment bool DEFAULT true) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object('trace_id', repeat('e', 32), 'span_id', lpad(n::text, 16, '0'), 'name', n::text, 'status', status, 'is_segment', segment,
    'start_timestamp', 1795353165.5, 'end_timestamp', 1795353166.5,
    'attributes', (SELECT coalesce(jsonb_object_agg(key, jsonb_build_object('type', 'string', 'value', value)), '{}') FROM jsonb_each(attributes))))
$$;
CREATE FUNCTION pg_temp.send(VARIADIC spans jsonb[]) RETURNS text LANGUAGE sql AS $$
  SELECT format('%s accepted, %s rejected', accepted, rejected) FROM apm.ingest(convert_to(E'{}\n{"type":"span","content_type":"application/vnd.sentry.items.span.v2+json"}\n'::text
    || jsonb_build_object('items', to_jsonb(spans)), 'UTF8'), 4406, '2026-11-22 13:13+00')
$$;

-- span v2: ok and error, refined where an SDK says more; unset is no status
CREATE TEMP TABLE given (n int, status text, attributes jsonb, expected text);
INSERT INTO given VALUES
  (101, 'ok', '{}', 'ok'), (102, 'error', '{}', 'internal_error'), (103, 'unset', '{}', NULL), (104, NULL, '{}', NULL), (105, 'fine', '{}', 'unknown'),
  (106, 'not_found', '{}', 'not_found'), (107, 'error', '{"sentry.status": "unavailable"}', 'unavailable'),
  (108, 'error', '{"sentry.status.message": "deadline_exceeded"}', 'deadline_exceeded'), (109, 'error', '{"sentry.status.message": "Connection refused"}', 'internal_error'),
  (110, 'ok', '{"sentry.status": "nonsense"}', 'ok'), (111, 'unset', '{"sentry.status": "aborted"}', 'aborted'),
  -- what was sent counts, whatever the HTTP status is
  (112, 'ok', '{"http.response.status_code": 500}', 'ok'), (113, 'error', '{"http.response.status_code": 404}', 'internal_error'),
  (114, 'unset', '{"http.response.status_code": 404}', 'not_found');
SELECT pg_temp.send(VARIADIC array_agg(pg_temp.span(n, status, attributes))) FROM given;
SELECT n, g.status AS sent, g.attributes, t.status, s.status AS of_span FROM given g
  LEFT JOIN apm.transactions t ON t.project_id = 4406 AND t.span_id::text = lpad(n::text, 16, '0')
  LEFT JOIN apm.spans s ON s.project_id = 4406 AND s.span_id = t.span_id ORDER BY n;
SELECT count(*) AS wrong FROM given g LEFT JOIN apm.transactions t ON t.project_id = 4406 AND t.span_id::text = lpad(n::text, 16, '0')
 WHERE t.span_id IS NULL OR t.status::text IS DISTINCT FROM g.expected;

-- HTTP statuses, as the published table has them
CREATE TEMP TABLE http (code int, name text);
INSERT INTO http SELECT c, CASE WHEN c < 400 THEN 'ok' WHEN c = 401 THEN 'unauthenticated' WHEN c = 403 THEN 'permission_denied' WHEN c = 404 THEN 'not_found'
    WHEN c = 409 THEN 'already_exists' WHEN c = 413 THEN 'failed_precondition' WHEN c = 429 THEN 'resource_exhausted' WHEN c = 499 THEN 'cancelled'
    WHEN c < 500 THEN 'invalid_argument' WHEN c = 501 THEN 'unimplemented' WHEN c = 503 THEN 'unavailable' WHEN c = 504 THEN 'deadline_exceeded' ELSE 'internal_error' END
  FROM generate_series(100, 599) c;
SELECT pg_temp.send(VARIADIC array_agg(pg_temp.span(1000 + code, NULL, jsonb_build_object('sentry.op', 'http.client', 'http.response.status_code', code), false))) FROM http;
SELECT count(*), count(*) FILTER (WHERE s.status::text = h.name) AS as_published FROM http h
  JOIN apm.spans s ON s.project_id = 4406 AND s.span_id::text = lpad((1000 + code)::text, 16, '0');

-- spans without status: those of HTTP only; texts, older names, nonsense
CREATE TEMP TABLE other (n int, attributes jsonb, expected text);
INSERT INTO other VALUES (201, '{"sentry.op": "db", "http.response.status_code": 500}', NULL), (202, '{"sentry.op": "http.client"}', NULL),
  (203, '{"sentry.op": "http.client", "http.response.status_code": "503"}', 'unavailable'), (204, '{"sentry.op": "http.client", "http.status_code": 404}', 'not_found'),
  (205, '{"sentry.op": "http.client", "status_code": 404, "http.response.status_code": 200}', 'ok'), (206, '{"sentry.op": "http.client", "http.response.status_code": 0}', NULL),
  (207, '{"sentry.op": "http.client", "http.response.status_code": "many"}', NULL), (208, '{"sentry.op": "http.client", "http.response.status_code": 99}', NULL);
SELECT pg_temp.send(VARIADIC array_agg(pg_temp.span(n, NULL, attributes, false))) FROM other;
SELECT n, o.attributes, s.status, s.status::text IS NOT DISTINCT FROM expected AS right FROM other o
  JOIN apm.spans s ON s.project_id = 4406 AND s.span_id::text = lpad(n::text, 16, '0') ORDER BY n;

-- ops
CREATE TEMP TABLE ops (n int, attributes jsonb, segment bool, expected text);
INSERT INTO ops VALUES (301, '{"db.system": "postgresql", "http.request.method": "GET"}', false, 'db'), (302, '{"db.system.name": "redis"}', false, 'db'),
  (303, '{"http.request.method": "GET"}', false, 'http.client'), (304, '{"http.request.method": "GET"}', true, 'http.server'),
  (305, '{"http.request.method": "GET", "sentry.kind": "client"}', true, 'http.client'), (306, '{"http.method": "GET", "sentry.kind": "server"}', false, 'http.server'),
  (307, '{"ui.component_name": "Cart"}', false, 'ui'), (308, '{"resource.render_blocking_status": "blocking"}', false, 'resource'),
  (309, '{"messaging.system": "kafka"}', false, 'queue'), (310, '{"rpc.system": "grpc"}', false, 'rpc'), (311, '{"colour": "red"}', false, NULL),
  (312, '{"sentry.op": "custom", "db.system": "postgresql"}', false, 'custom'), (313, '{"http.request.method": "POST", "http.response.status_code": 502}', true, 'http.server');
SELECT pg_temp.send(VARIADIC array_agg(pg_temp.span(n, NULL, attributes, segment))) FROM ops;
SELECT n, o.attributes, segment, s.op, s.category, s.op IS NOT DISTINCT FROM expected AS right FROM ops o
  JOIN apm.spans s ON s.project_id = 4406 AND s.span_id::text = lpad(n::text, 16, '0') ORDER BY n;
SELECT span_id, op, status, http_status FROM apm.transactions WHERE project_id = 4406 AND span_id::text ~ '3[0-9][0-9]$' ORDER BY 1;

-- a transaction item; readers return what was sent; both can be switched off
CREATE FUNCTION pg_temp.tx(id text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT convert_to(E'{}\n{"type":"transaction"}\n'::text || jsonb_build_object('event_id', repeat(id, 32), 'transaction', 'GET /', 'start_timestamp', 1795353165, 'timestamp', 1795353166,
    'contexts', jsonb_build_object('trace', jsonb_build_object('trace_id', repeat(id, 32), 'span_id', repeat(id, 16), 'data', '{"http.request.method": "GET"}'::jsonb),
                                   'response', '{"status_code": 404}'::jsonb)), 'UTF8')
$$;
SELECT accepted FROM apm.ingest(pg_temp.tx('1'), 4406, '2026-11-22 13:13+00');
SET pg_apm.infer_ops = off;
SELECT accepted FROM apm.ingest(pg_temp.tx('2'), 4406, '2026-11-22 13:13+00');
SET pg_apm.infer_statuses = off;
SELECT accepted FROM apm.ingest(pg_temp.tx('3'), 4406, '2026-11-22 13:13+00');
RESET pg_apm.infer_ops;
RESET pg_apm.infer_statuses;
SELECT t.event_id, t.op, t.status, t.http_status, s.op AS span_op, s.status AS span_status
  FROM apm.transactions t JOIN apm.spans s USING (project_id, trace_id, span_id) WHERE project_id = 4406 AND event_id IS NOT NULL ORDER BY 1;
SELECT op, status, http_status FROM apm.envelope_transactions(pg_temp.tx('1'));

DELETE FROM apm.transactions WHERE project_id = 4406;
DELETE FROM _apm.span_batches WHERE project_id = 4406;
DELETE FROM _apm.outcome_log WHERE project_id = 4406;
DELETE FROM _apm.seen WHERE project_id = 4406;
DELETE FROM _apm.page_vitals WHERE project_id = 4406;
DELETE FROM apm.project_keys WHERE project_id = 4406;
DELETE FROM apm.projects WHERE project_id = 4406;
