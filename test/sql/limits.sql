-- Limits: what is beyond one is refused or cut, counted and said; readers cut nothing.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.tx(span text, name text DEFAULT 'GET /', op text DEFAULT 'http.server', more text DEFAULT '', spans text DEFAULT '[]') RETURNS bytea
LANGUAGE sql AS $$
  SELECT convert_to(format(E'{"event_id":"%s"}\n{"type":"transaction"}\n{"transaction":"%s","start_timestamp":1767571200,"timestamp":1767571201,"contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"%s","op":"%s"}},%s"spans":%s}\n',
                           md5(span), name, lpad(span, 16, '0'), op, more, spans), 'UTF8')
$$;
CREATE FUNCTION pg_temp.child(n int, op text DEFAULT 'db', data text DEFAULT '{}') RETURNS text
LANGUAGE sql AS $$
  SELECT format('{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"%s","op":"%s","start_timestamp":1767571200.1,"timestamp":1767571200.2,"data":%s}',
                lpad(to_hex(n + 4096), 16, '0'), op, data)
$$;
CREATE FUNCTION pg_temp.said(body bytea) RETURNS TABLE (accepted int, rejected int, skipped int, said text)
LANGUAGE sql AS $$
  SELECT r.accepted, r.rejected, r.skipped,
         (SELECT string_agg(format('%s %s %s %s', p ->> 'type', p ->> 'outcome', p ->> 'reason', p ->> 'quantity'), ', ') FROM jsonb_array_elements(r.problems) p)
    FROM apm.ingest(body, 4241, '2026-01-05 00:00+00') r
$$;
SELECT apm.envelope_header('{}');  -- loads the library
SELECT name, setting, unit FROM pg_settings WHERE name ~ '^pg_apm.max_.*(size|length|spans|sessions|attributes)$' ORDER BY 1;

-- texts are cut on a character, and end in dots; just as long is not too long
SELECT * FROM pg_temp.said(pg_temp.tx('a1', repeat('é', 200), repeat('o', 128), '"environment":"' || repeat('e', 64) || '","release":"' || repeat('r', 200) || '",'));
SELECT * FROM pg_temp.said(pg_temp.tx('a2', repeat('é', 201), repeat('o', 129), '"environment":"' || repeat('e', 65) || '","release":"' || repeat('r', 201) || '",'));
SELECT * FROM pg_temp.said(pg_temp.tx('a3', more => '"tags":{"' || repeat('k', 200) || '":"' || repeat('v', 200) || '","' || repeat('K', 201) || '":"x","b":"' || repeat('w', 201) || '","c":"d"},'));
SELECT span_id, length(name), right(name, 5), length(op), right(op, 5), length(environment), right(environment, 5), length(release), right(release, 5)
  FROM apm.transactions WHERE project_id = 4241 ORDER BY span_id;
SELECT key, length(key), length(value), right(value, 5) FROM apm.transactions, jsonb_each_text(tags) WHERE project_id = 4241 ORDER BY key COLLATE "C";
SELECT length(transaction_name) AS name, length(environment) AS environment, length(release) AS release, length(op) AS op FROM apm.spans WHERE project_id = 4241 AND span_id = '00000000000000a2';
SELECT length(name), length(op), length(environment) FROM apm.envelope_transactions(pg_temp.tx('a2', repeat('é', 201), repeat('o', 129), '"environment":"' || repeat('e', 65) || '",'));
SELECT * FROM pg_temp.said(convert_to(E'{}\n{"type":"event"}\n{"timestamp":1767571200,"exception":[{"type":"E","value":"' || repeat('ü', 8193) || '"}]}', 'UTF8'));
SELECT length(value), right(value, 5) FROM apm.errors WHERE project_id = 4241;
-- ops and origins of children; how many attributes and spans are kept
SELECT * FROM pg_temp.said(pg_temp.tx('a4', spans => '[' || pg_temp.child(1, repeat('p', 130)) || ']'));
SET pg_apm.max_span_attributes = 2;
SET pg_apm.max_spans = 3;
SELECT * FROM pg_temp.said(pg_temp.tx('a5', spans => '[' || pg_temp.child(2, data => '{"a":1,"b":2}') || ',' || pg_temp.child(3, data => '{"a":1,"b":2,"c":3,"d":[4]}') || ',' || pg_temp.child(4) || ',' || pg_temp.child(5) || ']'));
SELECT span_id, is_segment, length(op), attributes FROM apm.spans WHERE project_id = 4241 AND segment_id IN ('00000000000000a4', '00000000000000a5') ORDER BY 1;
SELECT span_count FROM apm.transactions WHERE project_id = 4241 AND span_id = '00000000000000a5';
RESET pg_apm.max_span_attributes;
RESET pg_apm.max_spans;
-- a container's segment stays, wherever it stands
SET pg_apm.max_spans = 2;
SELECT * FROM pg_temp.said(convert_to((SELECT E'{}\n{"type":"span","content_type":"application/vnd.sentry.items.span.v2+json"}\n{"items":[' ||
  string_agg(format('{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4737","span_id":"%s","name":"n%s","status":"ok","is_segment":%s,"start_timestamp":1767571200,"end_timestamp":1767571201,"attributes":{"sentry.segment.id":{"type":"string","value":"0000000000000005"}}}',
                    lpad(n::text, 16, '0'), n, (n = 5)::text), ',' ORDER BY n) || ']}' FROM generate_series(1, 5) n), 'UTF8'));
SELECT span_id, is_segment FROM apm.spans WHERE project_id = 4241 AND trace_id = '4bf92f3577b34da6a3ce929d0e0e4737' ORDER BY 1;
SELECT name, span_count FROM apm.transactions WHERE project_id = 4241 AND trace_id = '4bf92f3577b34da6a3ce929d0e0e4737';
RESET pg_apm.max_spans;
-- no limit at all
SET pg_apm.max_name_length = 0;
SELECT * FROM pg_temp.said(pg_temp.tx('a6', repeat('n', 500)));
SELECT length(name) FROM apm.transactions WHERE project_id = 4241 AND span_id = '00000000000000a6';
RESET pg_apm.max_name_length;

-- sizes and counts: the item is refused, its neighbours stay; readers say the same
SET pg_apm.max_event_size = 100;
SELECT * FROM pg_temp.said(pg_temp.tx('a7'));
SELECT ordinal, type, reason FROM apm.envelope_problems(pg_temp.tx('a7'));
SELECT count(*) FROM apm.envelope_transactions(pg_temp.tx('a7'));
SELECT * FROM pg_temp.said(convert_to(E'{}\n{"type":"event"}\n{"message":"' || repeat('x', 100) || E'"}\n{"type":"event"}\n{"message":"short","timestamp":1767571200}', 'UTF8'));
RESET pg_apm.max_event_size;
SELECT * FROM pg_temp.said(convert_to('{}' || (SELECT string_agg(E'\n{"type":"span"}\n' || pg_temp.child(100 + g), '') FROM generate_series(1, 27) g), 'UTF8'));
SELECT * FROM pg_temp.said(convert_to('{}' || (SELECT string_agg(format(E'\n{"type":"session"}\n{"sid":"%s","started":1767571200,"attrs":{"release":"r"}}', md5(g::text)), '') FROM generate_series(1, 102) g), 'UTF8'));
SELECT * FROM pg_temp.said(convert_to(E'{}\n{"type":"sessions"}\n{"aggregates":[' || (SELECT string_agg('{"started":1767571200,"exited":1}', ',') FROM generate_series(1, 101)) || ']}', 'UTF8'));
SELECT * FROM pg_temp.said(convert_to(E'{}\n{"type":"sessions"}\n{"aggregates":[' || (SELECT string_agg('{"started":1767571200,"exited":1}', ',') FROM generate_series(1, 101)) || '],"attrs":{"release":"r"}}', 'UTF8'));
-- what was there before is not cut again; a secret is recognized before its text is cut
SELECT * FROM pg_temp.said(pg_temp.tx('a2', repeat('é', 201), repeat('o', 129), '"environment":"' || repeat('e', 65) || '","release":"' || repeat('r', 201) || '",'));
SELECT * FROM pg_temp.said(convert_to(E'{}\n{"type":"event"}\n{"timestamp":1767571200,"transaction":"secret","exception":[{"type":"E","value":"' || repeat('x ', 4090) || '4111111111111111"}]}', 'UTF8'));
SELECT length(value), right(value, 20) FROM apm.errors WHERE project_id = 4241 AND transaction_name = 'secret';
-- a list of tags
SELECT * FROM pg_temp.said(pg_temp.tx('a9', more => '"tags":[' || repeat('["a","b"],', 100002) || '["c","d"]],'));
SELECT * FROM pg_temp.said(convert_to(E'{}\n{"type":"event"}\n{"timestamp":1767571200,"tags":[' || repeat('["a","b"],', 99999) || '["c","d"]]}', 'UTF8'));
SELECT tags FROM apm.transactions WHERE project_id = 4241 AND span_id = '00000000000000a9' UNION ALL SELECT tags FROM apm.errors WHERE project_id = 4241 AND tags ? 'c';
SET pg_apm.max_envelope_size = 300;
SELECT * FROM pg_temp.said(pg_temp.tx('a8', repeat('n', 300)));
SELECT apm.envelope_header(pg_temp.tx('a8', repeat('n', 300))), (SELECT count(*) FROM apm.envelope_items(pg_temp.tx('a8', repeat('n', 300))));
RESET pg_apm.max_envelope_size;
SELECT category, outcome, reason, sum(quantity) FROM apm.outcomes WHERE project_id = 4241 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

DELETE FROM apm.transactions WHERE project_id = 4241;
DELETE FROM apm.errors WHERE project_id = 4241;
DELETE FROM _apm.span_batches WHERE project_id = 4241;
DELETE FROM apm.sessions WHERE project_id = 4241;
DELETE FROM _apm.outcome_log WHERE project_id = 4241;
DELETE FROM _apm.seen WHERE project_id = 4241;
DELETE FROM apm.project_keys WHERE project_id = 4241;
DELETE FROM apm.projects WHERE project_id = 4241;
