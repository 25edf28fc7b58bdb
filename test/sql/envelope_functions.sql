-- Reading envelopes in SQL: each function, its settings and its answers to bad input.
\set VERBOSITY default
SET client_min_messages = warning;
SET TimeZone = 'UTC';

-- A body from lines; \n stands between them as in an envelope.
CREATE FUNCTION pg_temp.body(VARIADIC lines text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT convert_to(array_to_string(lines, E'\n'), 'UTF8')
$$;
CREATE FUNCTION pg_temp.tx(spans text DEFAULT '[]', rest text DEFAULT '') RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT pg_temp.body(
    '{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","dsn":"https://k@apm.example.test/42","sdk":{"name":"sdk.x","version":"1"}}',
    '{"type":"transaction"}',
    '{"transaction":"GET /a","start_timestamp":1767571200.25,"timestamp":"2026-01-05T00:00:00.5Z","contexts":{"trace":'
      '{"trace_id":"4BF92F3577B34DA6A3CE929D0E0E4736","span_id":"00000000000000a1","op":"http.server","status":"not_found",'
      '"data":{"http.response.status_code":404,"sentry.sample_rate":0.5}}},"spans":' || spans || rest || '}')
$$;

-- header and items
SELECT apm.envelope_header(pg_temp.body('{"sent_at":"x","trace":{"a":"\u0000\ud800"}}')) AS header;
SELECT apm.envelope_header('not an envelope'), apm.envelope_header(''), apm.envelope_header(NULL);
SELECT * FROM apm.envelope_items(pg_temp.body('{}', '{"type":"attachment","length":3,"filename":"f"}', 'a' || chr(10) || 'b',
                                              '{"type":"event"}', '{}', ''));
SELECT ordinal, type, header, length(payload) FROM apm.envelope_items('\x7b7d0a7b2274797065223a2261222c226c656e677468223a337d0a000aff0a');
SELECT count(*) FROM apm.envelope_items('{}');
SELECT count(*) FROM apm.envelope_items('nothing');

-- one transaction in every form
\x on
SELECT * FROM apm.envelope_transactions(pg_temp.tx('[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b1",'
  '"parent_span_id":"00000000000000a1","op":"db","description":"SELECT 1","status":"ok","origin":"auto.db","exclusive_time":1.25,'
  '"start_timestamp":1767571200.3,"timestamp":1767571200.4,"data":{"db.system":"postgresql"}}]',
  ',"tags":{"a":1},"user":{"email":"a@example.test"},"release":"r","environment":"e","platform":"python","measurements":{"lcp":{"value":1.5}}'));
\x off
SELECT span_id, parent_span_id, segment_id, is_segment, op, description, status, start_time, duration_ms, self_time_ms, origin, attributes
  FROM apm.envelope_spans(pg_temp.tx('[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b1",'
  '"parent_span_id":"00000000000000a1","op":"db","description":"SELECT 1","status":"ok","origin":"auto.db","exclusive_time":1.25,'
  '"start_timestamp":1767571200.3,"timestamp":1767571200.4,"data":{"db.system":"postgresql"}}]'));
\x on
SELECT * FROM apm.envelope_errors(pg_temp.body('{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}', '{"type":"event"}',
  '{"timestamp":1767571200,"exception":{"values":[{"type":"KeyError","value":"k","mechanism":{"handled":false}}]},"transaction":"/a",'
  '"contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a1"}},"fingerprint":["x",2],'
  '"tags":[["k","v"]],"extra":{"n":12345678901234567890123},"user":{"id":7}}'));
\x off
SELECT type, value, level, handled, event_time FROM apm.envelope_errors(pg_temp.body('{}', '{"type":"event"}', '{"message":"hello"}'));

-- problems: strict and lenient
SET pg_apm.validation = strict;
SELECT * FROM apm.envelope_problems(pg_temp.tx('[null,{},null]'));
SELECT count(*) FROM apm.envelope_transactions(pg_temp.tx('[null,{},null]'));
SET pg_apm.validation = lenient;
SELECT * FROM apm.envelope_problems(pg_temp.tx('[null,{},null]'));
SELECT count(*) FROM apm.envelope_transactions(pg_temp.tx('[null,{},null]'));
SELECT * FROM apm.envelope_problems(pg_temp.body('{"a":"\u0000"}', '{"type":"session"}', '{}', '{"type":"quantum"}', '{}',
  '{"type":"event"}', '{"message":"\ud800\u0000\u0000"}', '{"type":"event"}', '{"message":}'));
SELECT body, p.* FROM (VALUES ('{}'), (''), ('{'), (E'{}\r\n'), (E'{}\n{"type":"x","length":9}\nabc')) v(body),
  apm.envelope_problems(convert_to(body, 'UTF8')) p;
SELECT p.* FROM apm.envelope_problems('\x1f8b0800') p;
-- a depth of 20,000 is refused, not followed
SELECT * FROM apm.envelope_problems(pg_temp.tx('[]', ',"extra":' || repeat('[', 20000) || repeat(']', 20000)));
SET pg_apm.max_json_depth = 8;
SELECT reason FROM apm.envelope_problems(pg_temp.tx('[]', ',"extra":[[[[[[[[]]]]]]]]'));
RESET pg_apm.max_json_depth;
-- a million items
SELECT count(*), max(ordinal) FROM apm.envelope_items(convert_to('{}' || repeat(E'\n{"type":"x"}\n', 1000000), 'UTF8'));
SELECT count(*), min(reason), max(reason) FROM apm.envelope_problems(convert_to('{}' || repeat(E'\n{"type":"x"}\n', 1000000), 'UTF8'));

-- what several functions ask about one body is decoded once: whatever is asked before, the answers are those of this body
CREATE TEMP TABLE bodies (n int, body bytea);
ALTER TABLE bodies ALTER body SET STORAGE EXTERNAL;
INSERT INTO bodies
  SELECT n, pg_temp.tx(format('[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"%s","start_timestamp":1767571200.3,"timestamp":1767571200.4},%s]',
                              lpad(n::text, 16, '0'), CASE WHEN n % 2 = 0 THEN 'null' ELSE '   1' END),
                       format(',"release":"r%s","extra":"%s"', n, repeat('x', CASE n WHEN 5 THEN 100000 WHEN 6 THEN 10 ELSE 5000 END)))
    FROM generate_series(1, 6) n;
SELECT n, (SELECT release FROM apm.envelope_transactions(body)), (SELECT count(*) FROM apm.envelope_problems(body)) AS problems,
       (SELECT min(span_id::text) FROM apm.envelope_spans(body)), (SELECT count(*) FROM apm.envelope_errors(body)) AS errors,
       (SELECT release FROM apm.envelope_transactions(body || ''::bytea)) AS copied, (SELECT span_count FROM apm.envelope_transactions(body))
  FROM bodies ORDER BY n;
SELECT a.n, b.n, (SELECT release FROM apm.envelope_transactions(a.body)), (SELECT release FROM apm.envelope_transactions(b.body)),
       (SELECT min(span_id::text) FROM apm.envelope_spans(a.body))
  FROM bodies a JOIN bodies b ON b.n BETWEEN a.n AND a.n + 1 ORDER BY 1, 2;
-- but not under other settings
SELECT n, (SELECT count(*) FROM apm.envelope_spans(body)) AS lenient, set_config('pg_apm.validation', 'strict', true),
       (SELECT count(*) FROM apm.envelope_spans(body)) AS strict, set_config('pg_apm.validation', 'lenient', true),
       (SELECT count(*) FROM apm.envelope_spans(body)) AS lenient, set_config('pg_apm.max_event_size', '1000', true),
       (SELECT reason FROM apm.envelope_problems(body)), set_config('pg_apm.max_event_size', '1000000', true)
  FROM bodies WHERE n IN (1, 5, 6) ORDER BY n;
SELECT (SELECT count(*) FROM apm.envelope_problems(body)), set_config('pg_apm.keep_raw_items', 'on', true),
       (SELECT count(*) FROM apm.envelope_problems(body)), set_config('pg_apm.keep_raw_items', 'off', true)
  FROM (SELECT pg_temp.body('{}', '{"type":"quantum"}', '{}') AS body OFFSET 0) b;
-- nor after the row has changed
DO $$
BEGIN
  FOR i IN 1 .. 3 LOOP
    RAISE INFO '%', (SELECT release FROM bodies, apm.envelope_transactions(body) WHERE n = 1);
    UPDATE bodies SET body = convert_to(replace(convert_from(body, 'UTF8'), '"release":"', '"release":"' || i), 'UTF8') WHERE n = 1;
    RAISE INFO '%', (SELECT release FROM bodies, apm.envelope_transactions(body) WHERE n = 1);
  END LOOP;
END $$;
DROP TABLE bodies;

-- the functions can be planned and run in any clause
SELECT count(*) FROM generate_series(1, 3) g, apm.envelope_spans(pg_temp.tx()) s WHERE s.is_segment;
SELECT (apm.envelope_transactions(pg_temp.tx())).name;
SELECT count(*) FROM apm.envelope_transactions(NULL);
SELECT proname, provolatile, proisstrict, proparallel FROM pg_proc
 WHERE pronamespace = 'apm'::regnamespace AND (proname LIKE 'envelope\_%' OR proname IN ('parse_dsn', 'dsn')) ORDER BY 1;

-- DSNs
SELECT d.* FROM (VALUES ('https://0123456789abcdef0123456789abcdef@apm.example.test/42'),
                        ('http://key.no-cache:secret@localhost:8000/a/b/7/'),
                        ('https://key@[2001:db8::1]:443/1')) v(dsn), apm.parse_dsn(dsn) d;
SELECT * FROM apm.parse_dsn('https://apm.example.test/42');
SELECT * FROM apm.parse_dsn('https://secretkey@apm.example.test/99999999999');
SELECT apm.parse_dsn(NULL);
INSERT INTO apm.projects (project_id, name) VALUES (4201, 'dsn test');
INSERT INTO apm.project_keys (public_key, project_id, enabled, created_at) VALUES
  ('00000000000000000000000000004201', 4201, false, '2026-01-01'),
  ('00000000000000000000000000004202', 4201, true, '2026-01-02'),
  ('00000000000000000000000000004203', 4201, true, '2026-01-03');
SELECT apm.dsn(4201, host) FROM (VALUES ('apm.example.test'), ('http://localhost:8000/'), ('apm.example.test/prefix')) v(host);
SELECT (apm.parse_dsn(apm.dsn(4201, 'http://localhost:8000'))).*;
SELECT apm.dsn(4202, 'apm.example.test');
DELETE FROM apm.project_keys WHERE project_id = 4201;
DELETE FROM apm.projects WHERE project_id = 4201;
