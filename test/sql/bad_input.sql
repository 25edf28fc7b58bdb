-- Bodies that nobody should send: each has its answer, none costs more than it weighs.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.bytes(head text, filler text, n int, tail text DEFAULT '') RETURNS bytea
LANGUAGE sql AS $$ SELECT convert_to(head || repeat(filler, n) || tail, 'UTF8') $$;
CREATE FUNCTION pg_temp.answer(body bytea, format text DEFAULT 'sentry')
RETURNS TABLE (accepted int, rejected int, skipped int, outcome text, reason text, quantity bigint, hint_at bigint)
LANGUAGE sql AS $$
  SELECT r.accepted, r.rejected, r.skipped, p ->> 'outcome', p ->> 'reason', (p ->> 'quantity')::bigint, (p ->> 'offset')::bigint
    FROM apm.ingest(body, 4221, '2026-11-23 00:00+00', format) r LEFT JOIN LATERAL jsonb_array_elements(r.problems) p ON true
$$;

-- compressed: gzip, zlib, zstd; brotli has no mark
SELECT * FROM pg_temp.answer('\x1f8b0800000000000003');
SELECT * FROM pg_temp.answer('\x789cab56');
SELECT * FROM pg_temp.answer('\x28b52ffd2004');
SELECT * FROM pg_temp.answer('\x0b02807b7d03');
SELECT * FROM pg_temp.answer('\x1f8b0800000000000003', 'sentry_store');
SELECT problems FROM apm.ingest('\x1f8b0800', 4221);
-- formats
SELECT * FROM pg_temp.answer('{}', 'otlp_http');
SELECT * FROM pg_temp.answer('{}', '');
SELECT * FROM pg_temp.answer('{}', NULL);
-- an envelope given as a single event, and the other way round
SELECT * FROM pg_temp.answer(E'{}\n{"type":"event"}\n{"message":"m"}', 'sentry_store');
SELECT * FROM pg_temp.answer('{"message":"m","level":"info"}');
-- nothing, and next to nothing
SELECT * FROM pg_temp.answer(NULL);
SELECT * FROM pg_temp.answer('');
SELECT body, a.* FROM (VALUES ('\x00'::bytea), ('\x0a'), ('{'), ('\x20'), ('\xff'), ('\x1f'), ('0')) v(body), pg_temp.answer(body) a;
SELECT body, a.* FROM (VALUES ('\x00'::bytea), ('\x0a'), ('{'), ('0'), (''), (NULL)) v(body), pg_temp.answer(body, 'sentry_store') a;
SELECT * FROM pg_temp.answer(E'{}\n');
-- arrays that do not fit
SELECT * FROM apm.ingest_batch(ARRAY['{}'::bytea], ARRAY[4221, 4221], ARRAY[now()]);
SELECT * FROM apm.ingest_batch(ARRAY['{}'::bytea], ARRAY[4221], ARRAY[]::timestamptz[]);
SELECT accepted, rejected, skipped FROM apm.ingest_batch(ARRAY[NULL, '{}'::bytea, NULL], ARRAY[4221, 4221, 4221], ARRAY[now(), NULL, now()]);

-- 200 MB of blanks in an attachment; a body beyond the limit, to all who may get it; 20 MB in a header, as an event
SELECT accepted, rejected, skipped, problems FROM apm.ingest(pg_temp.bytes(E'{}\n{"type":"attachment"}\n', repeat(' ', 10000), 20000), 4221);
SELECT category, outcome, reason, quantity FROM apm.outcomes WHERE project_id = 4221 AND category LIKE '%\_bytes';
WITH large AS MATERIALIZED (SELECT pg_temp.bytes(E'{}\n{"type":"attachment"}\n', repeat(' ', 4096), 51200) AS body)
SELECT a.*, p.reason, p.detail, apm.envelope_header(body) AS header, (SELECT count(*) FROM apm.envelope_items(body)) AS items
  FROM large, pg_temp.answer(body) a, apm.envelope_problems(body) p;
SELECT * FROM pg_temp.answer(pg_temp.bytes('{', repeat(' ', 10000), 2000));
SELECT * FROM pg_temp.answer(pg_temp.bytes(E'{}\n{"type":"event"}\n{', repeat(' ', 10000), 2000, '}'));
SELECT * FROM pg_temp.answer(pg_temp.bytes('{', repeat(' ', 10000), 2000, '}'), 'sentry_store');

-- 20,000 levels: in the header, an item's header, an event, a span, a session, a report, a check-in, a store event
SELECT * FROM pg_temp.answer(pg_temp.bytes('{"a":', '[', 20000, repeat(']', 20000) || '}'));
SELECT * FROM pg_temp.answer(pg_temp.bytes(E'{}\n{"type":"event","a":', '[', 20000, repeat(']', 20000) || E'}\n{}'));
SELECT t.type, a.* FROM unnest('{event,transaction,span,session,sessions,client_report,check_in}'::text[]) t(type),
       pg_temp.answer(pg_temp.bytes(E'{}\n{"type":"' || t.type || E'"}\n{"a":', '[', 20000, repeat(']', 20000) || '}')) a;
SELECT * FROM pg_temp.answer(pg_temp.bytes('{"extra":', '{"a":', 20000, '1' || repeat('}', 20001)), 'sentry_store');
SELECT * FROM pg_temp.answer(pg_temp.bytes(E'{}\n{"type":"event"}\n{"a":', '[', 20000));

-- a million items: of nothing, of unknown types, of events that are none
SELECT * FROM pg_temp.answer(pg_temp.bytes('{}', E'\n{"type":"attachment"}\n', 1000000));
SELECT * FROM pg_temp.answer(pg_temp.bytes('{}', E'\n{"type":"event"}\n', 1000000));
SELECT accepted, rejected, skipped, jsonb_array_length(problems) AS problems
  FROM apm.ingest(convert_to('{}' || (SELECT string_agg(E'\n{"type":"t' || g || E'"}\n', '') FROM generate_series(1, 100000) g), 'UTF8'), 4221);
SELECT * FROM pg_temp.answer(pg_temp.bytes(E'{}\n{"type":"session"}\n', E'{"sid":"96cd1ac8d3b64bc5b7655a7925ba5fa6","started":1,"attrs":{"release":"r"}}\n{"type":"session"}\n', 1000, '{}'));
-- none of it made anything
SELECT category, outcome, reason, sum(quantity) FROM apm.outcomes WHERE project_id = 4221 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

DELETE FROM apm.sessions WHERE project_id = 4221;
DELETE FROM apm.errors WHERE project_id = 4221;
DELETE FROM _apm.outcome_log WHERE project_id = 4221;
DELETE FROM _apm.seen WHERE project_id = 4221;
DELETE FROM apm.project_keys WHERE project_id = 4221;
DELETE FROM apm.projects WHERE project_id = 4221;
