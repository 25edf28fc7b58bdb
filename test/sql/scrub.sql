-- Secrets out of what apm.ingest stores: by key, by pattern, by project.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT project_id FROM apm.create_project('scrub', 4311);
SELECT project_id FROM apm.create_project('scrub, other', 4312);

CREATE FUNCTION pg_temp.tx(event text, user_json text, data text DEFAULT '{}') RETURNS bytea LANGUAGE sql AS $$
  SELECT convert_to(format(
    E'{"event_id":"%1$s"}\n{"type":"transaction"}\n{"type":"transaction","transaction":"/login?token=abc","start_timestamp":1767571200,"timestamp":1767571200.25,"contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"%2$s","op":"http.server","data":%4$s},"app":{"api_key":"k-1","name":"shop"}},"tags":{"session_token":"t-1","colour":"red"},"user":%3$s,"request":{"url":"https://u:p@shop.test/login","headers":[["Authorization","Bearer x"],["Accept","a"]],"cookies":"sid=1","data":"{\\"password\\":\\"hunter2\\"}"},"spans":[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b1","parent_span_id":"%2$s","op":"http.client","description":"GET https://ann:pw@pay.test/?card=4111111111111111","start_timestamp":1767571200.05,"timestamp":1767571200.15,"data":{"http.request.header.authorization":"Basic eA==","http.request.method":"GET","client.address":"10.1.2.3","gen_ai.usage.input_tokens":12}}]}\n',
    md5(event), left(md5('s' || event), 16), user_json, data), 'UTF8')
$$;

-- the built-in rules
SELECT accepted, rejected, jsonb_path_query_array(problems, '$[*].reason') AS reasons, problems -> 0 ->> 'outcome' AS outcome,
       (problems -> 0 ->> 'quantity')::int AS quantity
  FROM apm.ingest(pg_temp.tx('1', '{"email":"ann@shop.test","ip_address":"10.1.2.3"}'), 4311);
SELECT name, tags, user_key, jsonb_pretty(contexts - 'trace') AS contexts FROM apm.transactions WHERE project_id = 4311;
SELECT op, description, attributes FROM apm.spans WHERE project_id = 4311 ORDER BY start_time;
-- what was stored before is not counted again
SELECT skipped, jsonb_path_query_array(problems, '$[*].reason') AS reasons
  FROM apm.ingest(pg_temp.tx('1', '{}'), 4311);

-- an error
SELECT accepted, problems -> 0 ->> 'reason' AS reason, (problems -> 0 ->> 'quantity')::int AS quantity
  FROM apm.ingest(convert_to(E'{"event_id":"' || md5('e1') || E'"}\n{"type":"event"}\n' ||
    '{"timestamp":1767571200,"exception":{"values":[{"type":"E","value":"login with password=hunter2 failed","stacktrace":{"frames":[{"function":"f","vars":{"passwd":"x","n":1}}]}}]},' ||
    '"tags":{"card":"4111 1111 1111 1111"},"modules":{"jsonwebtoken":"9.0"},"extra":{"environ":{"PGPASSWORD":"x","AWS_SECRET_ACCESS_KEY":"y","PWD":"/app","DATABASE_URL":"postgres://u:p@db/x"}},' ||
    '"user":{"id":4111111111111111}}' || E'\n', 'UTF8'), 4311);
SELECT value, tags, data - 'exception' - 'user' AS data, data #> '{exception,values,0,stacktrace,frames,0,vars}' AS vars, data -> 'user' AS "user",
       user_key ~ '^id:[0-9a-f]{16}$' AS hashed
  FROM apm.errors WHERE project_id = 4311;

-- a span container
SELECT accepted, problems -> 0 ->> 'reason' AS reason, problems -> 0 ->> 'type' AS type
  FROM apm.ingest(convert_to(E'{}\n{"type":"span","item_count":1,"content_type":"application/vnd.sentry.items.span.v2+json"}\n' ||
    '{"version":2,"items":[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000c1","name":"/x","status":"ok","is_segment":true,"start_timestamp":1767571200,"end_timestamp":1767571201,' ||
    '"attributes":{"db.password":{"type":"string","value":"x"},"user.id":{"type":"string","value":"7"}}}]}' || E'\n', 'UTF8'), 4311);
SELECT attributes FROM apm.spans WHERE project_id = 4311 AND span_id = '00000000000000c1';

-- a span id that would be a right card number
SELECT accepted, problems
  FROM apm.ingest(convert_to(E'{}\n{"type":"span","item_count":1,"content_type":"application/vnd.sentry.items.span.v2+json"}\n' ||
    '{"version":2,"items":[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"4111111111111111","name":"/x","status":"ok","is_segment":true,"start_timestamp":1767571200,"end_timestamp":1767571201,' ||
    '"attributes":{"sentry.segment.id":{"type":"string","value":"4111111111111111"}}}]}' || E'\n', 'UTF8'), 4311);
SELECT span_id, attributes FROM apm.spans WHERE project_id = 4311 AND span_id = '4111111111111111';

-- rules of one project: IP addresses and e-mail addresses out, cards in
INSERT INTO apm.scrub_rules (project_id, kind, expression, enabled) VALUES
  (4312, 'pattern', '@ip', true), (4312, 'key', 'Email', true), (4312, 'key', 'colour', true),
  (4312, 'pattern', '@creditcard', false), (4312, 'pattern', 's[a-z]*p\.test', true),
  (NULL, 'key', 'colour', false), (NULL, 'key', 'app.name', false);
SELECT accepted FROM apm.ingest_batch(
  ARRAY[pg_temp.tx('2', '{"email":"ann@shop.test"}'), pg_temp.tx('3', '{"ip_address":"10.1.2.3"}'),
        pg_temp.tx('4', '{"email":"ann@shop.test"}'), pg_temp.tx('5', '{"id":"10.1.2.3"}'), pg_temp.tx('6', '{"id":"ann"}'),
        pg_temp.tx('7', '{"email":"ann@shop.test"}')],
  ARRAY[4312, 4312, 4312, 4312, 4312, 4311], array_fill('2026-01-05 00:00:01+00'::timestamptz, ARRAY[6]));
SELECT tags, contexts -> 'user' AS "user", contexts #>> '{request,url}' AS url, regexp_replace(user_key, ':[0-9a-f]{16}$', ':hash') AS user_key
  FROM apm.transactions WHERE project_id = 4312 ORDER BY event_id = md5('2')::uuid DESC, event_id = md5('3')::uuid DESC,
       event_id = md5('4')::uuid DESC, event_id = md5('5')::uuid DESC;
SELECT description, attributes ->> 'client.address' AS address FROM apm.spans
 WHERE project_id = 4312 AND op = 'http.client' LIMIT 1;
-- one user is one hash, which is not the hash of the address alone
SELECT count(*), count(DISTINCT user_key), bool_or(user_key = 'email:' || left(encode(sha256('email:ann@shop.test'), 'hex'), 16)) AS unsalted
  FROM apm.transactions WHERE project_id = 4312 AND user_key LIKE 'email:%';
SELECT user_key FROM apm.transactions WHERE project_id = 4311 AND event_id = md5('7')::uuid;

-- a session's user, and an item that is kept as it came
SET pg_apm.keep_raw_items = on;
SELECT accepted, rejected, skipped, jsonb_path_query_array(problems, '$[*].type') AS scrubbed
  FROM apm.ingest(convert_to(E'{}\n{"type":"session"}\n{"sid":"00000000-0000-0000-0000-000000004312","did":"10.1.2.3","started":"2026-01-05T00:00:00Z","status":"exited","attrs":{"release":"1"}}\n'
    '{"type":"log","item_count":1,"content_type":"application/vnd.sentry.items.log+json"}\n{"items":[{"body":"token=abc","attributes":{"api_key":{"type":"string","value":"x"}}}]}\n'
    '{"type":"attachment","length":10}\n{password=\n', 'UTF8'), 4312);
RESET pg_apm.keep_raw_items;
SELECT user_key ~ '^[0-9a-f]{16}$' AS hashed FROM apm.sessions WHERE project_id = 4312;
SELECT type, convert_from(payload, 'UTF8') AS payload FROM apm.raw_items WHERE project_id = 4312 ORDER BY ordinal;

-- what check-ins say of their schedule; headers of items that are kept
SELECT accepted, jsonb_path_query_array(problems, '$[*].reason') AS reasons
  FROM apm.ingest(convert_to(E'{}\n{"type":"check_in"}\n' ||
    '{"monitor_slug":"nightly","status":"ok","monitor_config":{"schedule":{"type":"crontab","value":"0 3 * * *"},"checkin_margin":5,"owner":"card 4111111111111111","api_key":"k"}}', 'UTF8'), 4311);
SELECT schedule, margin_minutes, config FROM apm.monitors WHERE project_id = 4311;
SET pg_apm.keep_raw_items = on;
SELECT accepted, problems -> 0 ->> 'type' AS type, problems -> 0 ->> 'reason' AS reason, (problems -> 0 ->> 'quantity')::int AS quantity
  FROM apm.ingest(convert_to(E'{}\n{"type":"attachment","length":4,"filename":"4111111111111111.txt","session_token":"t"}\nfree\n', 'UTF8'), 4311);
RESET pg_apm.keep_raw_items;
SELECT header, convert_from(payload, 'UTF8') AS payload FROM apm.raw_items WHERE project_id = 4311 AND type = 'attachment' AND header ? 'session_token';
-- off for a project, for all, by setting
INSERT INTO apm.scrub_rules (project_id, kind, expression, enabled) VALUES (NULL, 'key', '@password', false);
SELECT apm.scrub_json('{"password": "x", "url": "http://u:p@h/"}'), apm.scrub_text('password=x 4111111111111111'),
       apm.scrub_text('4111111111111111', 4312);
INSERT INTO apm.scrub_rules (project_id, kind, expression, enabled) VALUES (4311, 'key', '@password', true);
SELECT apm.scrub_json('{"password": "x"}', 4311), apm.scrub_json(NULL), apm.scrub_text(NULL, 1), apm.scrub_text('', 1);
SET pg_apm.scrub_data = off;
SELECT accepted, problems FROM apm.ingest(pg_temp.tx('8', '{"id":"4111111111111111"}'), 4311);
SELECT name, user_key, tags, contexts #>> '{request,data}' AS data FROM apm.transactions WHERE event_id = md5('8')::uuid;
RESET pg_apm.scrub_data;
SELECT category, outcome, reason, sum(quantity) FROM apm.outcomes
 WHERE project_id IN (4311, 4312) AND outcome = 'repaired' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- rules that cannot be
INSERT INTO apm.scrub_rules (kind, expression) VALUES ('pattern', '(');
INSERT INTO apm.scrub_rules (kind, expression) VALUES ('pattern', 'x*');
INSERT INTO apm.scrub_rules (kind, expression) VALUES ('pattern', '@nonsense');
INSERT INTO apm.scrub_rules (kind, expression) VALUES ('key', '@password');
INSERT INTO apm.scrub_rules (kind, expression) VALUES ('value', 'x');

DELETE FROM apm.scrub_rules;
DELETE FROM apm.transactions WHERE project_id IN (4311, 4312);
DELETE FROM apm.sessions WHERE project_id IN (4311, 4312);
DELETE FROM apm.raw_items WHERE project_id IN (4311, 4312);
DELETE FROM apm.check_ins WHERE project_id IN (4311, 4312);
DELETE FROM apm.monitors WHERE project_id IN (4311, 4312);
DELETE FROM apm.errors WHERE project_id IN (4311, 4312);
DELETE FROM _apm.span_batches WHERE project_id IN (4311, 4312);
DELETE FROM _apm.outcome_log WHERE project_id IN (4311, 4312);
DELETE FROM _apm.seen WHERE project_id IN (4311, 4312);
DELETE FROM apm.project_keys WHERE project_id IN (4311, 4312);
DELETE FROM apm.projects WHERE project_id IN (4311, 4312);
