-- What apm.ingest changes before it stores: clocks, ages, names, groups.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.tx(n int, start_s numeric, sent text DEFAULT NULL, name text DEFAULT 'n', source text DEFAULT 'custom') RETURNS bytea
LANGUAGE sql AS $$
  SELECT convert_to(format(
    E'{"event_id":"%s"%s}\n{"type":"transaction"}\n{"transaction":"%s","transaction_info":{"source":"%s"},"start_timestamp":%s,"timestamp":%s,"contexts":{"trace":{"trace_id":"%s","span_id":"00000000000000a1","op":"http.server"}},"spans":[{"trace_id":"%s","span_id":"00000000000000a2","parent_span_id":"00000000000000a1","op":"db","description":"SELECT * FROM t WHERE id = %s","start_timestamp":%s,"timestamp":%s}]}\n',
    md5('normalize' || n), coalesce(',"sent_at":"' || sent || '"', ''), name, source, start_s, start_s + 1.5, md5('t' || n), md5('t' || n),
    n, start_s + 0.25, start_s + 0.5), 'UTF8')
$$;
CREATE FUNCTION pg_temp.store(body bytea, received timestamptz DEFAULT '2026-01-05 12:00:00+00', OUT accepted int, OUT changes text) LANGUAGE sql AS $$
  SELECT r.accepted, (SELECT string_agg(p->>'reason' || ' ' || (p->>'quantity'), ', ') FROM jsonb_array_elements(r.problems) p)
    FROM apm.ingest(body, 4201, received) r
$$;
-- 2026-01-05 11:59:58 is 1767614398
SELECT 'in time' AS what, s.* FROM pg_temp.store(pg_temp.tx(1, 1767614398, '2026-01-05T12:00:00Z', 'in time')) s
UNION ALL SELECT '54 minutes off', s.* FROM pg_temp.store(pg_temp.tx(2, 1767614398, '2026-01-05T11:06:00Z', '54 minutes off')) s
UNION ALL SELECT 'an hour slow', s.* FROM pg_temp.store(pg_temp.tx(3, 1767614398 - 3600, '2026-01-05T11:00:00Z', 'an hour slow')) s
UNION ALL SELECT 'two days fast', s.* FROM pg_temp.store(pg_temp.tx(4, 1767614398 + 172800, '2026-01-07T12:00:00Z', 'two days fast')) s
UNION ALL SELECT 'no sent_at', s.* FROM pg_temp.store(pg_temp.tx(5, 1767614398 - 3600, NULL, 'no sent_at')) s;
SET pg_apm.correct_clock_drift = off;
SELECT 'switched off' AS what, s.* FROM pg_temp.store(pg_temp.tx(6, 1767614398 - 3600, '2026-01-05T11:00:00Z', 'switched off')) s;
RESET pg_apm.correct_clock_drift;
SET pg_apm.max_past = '30d';
SET pg_apm.max_future = '60s';
SELECT 'too old' AS what, s.* FROM pg_temp.store(pg_temp.tx(7, 1767614398 - 31 * 86400, NULL, 'too old')) s
UNION ALL SELECT 'old enough', s.* FROM pg_temp.store(pg_temp.tx(8, 1767614398 - 29 * 86400, NULL, 'old enough')) s
UNION ALL SELECT 'too new', s.* FROM pg_temp.store(pg_temp.tx(9, 1767614398 + 120, NULL, 'too new')) s;
RESET pg_apm.max_past;
RESET pg_apm.max_future;
SELECT t.name, t.end_time AT TIME ZONE 'UTC' AS end_time, t.duration_ms, s.start_time - t.start_time AS child_after, s.duration_ms AS child_ms
  FROM apm.transactions t JOIN apm.spans s USING (project_id, trace_id)
 WHERE t.project_id = 4201 AND NOT s.is_segment ORDER BY t.event_id = md5('normalize1')::uuid DESC, t.name;

-- names: the counted one in the transaction, the sent one in the segment span
SELECT DISTINCT (pg_temp.store(pg_temp.tx(20 + i, 1767614398, NULL, n, src))).accepted
  FROM (VALUES (1, '/users/1234/orders', 'url'), (2, '/users/1234', 'route'), (3, '/x/4bf92f3577b34da6a3ce929d0e0e4736', 'url'),
               (4, '/1234', 'url'), (5, '/u/1', 'url')) v (i, n, src);
SELECT t.name, t.source, s.description AS sent
  FROM apm.transactions t JOIN apm.spans s USING (project_id, trace_id)
 WHERE t.project_id = 4201 AND s.is_segment AND t.name LIKE '/%' ORDER BY s.description, t.name;
SET pg_apm.normalize_names = off;
SELECT s.accepted FROM pg_temp.store(pg_temp.tx(30, 1767614398, NULL, '/switched/1234', 'url')) s;
RESET pg_apm.normalize_names;
SELECT name, source FROM apm.transactions WHERE project_id = 4201 AND name LIKE '/switched%';

-- groups: one for statements that differ in their literals
SELECT category, count(*), count(DISTINCT description) AS descriptions, count(DISTINCT span_group) AS groups,
       bool_and(span_group = left(md5(apm.normalize_description(op, description)), 16)) AS as_documented
  FROM apm.spans WHERE project_id = 4201 AND op = 'db' GROUP BY category;
SELECT apm.normalize_description('http.client', 'GET https://api.shop.example/x?y=1'), apm.normalize_description('db', 'GET k', 'redis'),
       apm.normalize_description('resource.script', 'https://cdn.shop.example/assets/app.3f2a91bc.js'),
       apm.normalize_description('file.read', '/tmp/x.pdf'), apm.normalize_description('function', 'f') IS NULL AS none,
       apm.normalize_description(NULL, 'x') IS NULL AS no_op, apm.normalize_name('/users/1234');

-- each step alone, switched off
CREATE FUNCTION pg_temp.page(n int) RETURNS TABLE (name text, category text, grouped boolean) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM apm.ingest(convert_to(E'{}\n{"type":"span","content_type":"application/vnd.sentry.items.span.v2+json"}\n' || replace(format(
    '{"items":[{"trace_id":"%1$s","span_id":"%2$s","name":"Pageload","status":"ok","is_segment":true,"start_timestamp":1767614398,"end_timestamp":1767614399,
      "attributes":{"sentry.op":{"type":"string","value":"pageload"},"sentry.segment.name.source":{"type":"string","value":"url"},"url.path":{"type":"string","value":"/cart/1234"}}},
      {"trace_id":"%1$s","span_id":"%3$s","name":"SELECT * FROM t WHERE id = 7","status":"ok","start_timestamp":1767614398,"end_timestamp":1767614399,
      "attributes":{"sentry.op":{"type":"string","value":"db"},"sentry.segment.id":{"type":"string","value":"%2$s"}}}]}',
    md5('page' || page.n), left(md5('page' || page.n), 16), right(md5('page' || page.n), 16)), E'\n', ''), 'UTF8'), 4201);
  RETURN QUERY SELECT t.name, s.category, s.span_group IS NOT NULL FROM apm.transactions t JOIN apm.spans s USING (project_id, trace_id)
    WHERE t.project_id = 4201 AND t.trace_id::text = md5('page' || page.n) AND NOT s.is_segment;
END
$$;
SELECT * FROM pg_temp.page(1);
SET pg_apm.name_by_path = off;
SELECT * FROM pg_temp.page(2);
RESET pg_apm.name_by_path;
SET pg_apm.group_spans = off;
SELECT * FROM pg_temp.page(3);
RESET pg_apm.group_spans;
SET pg_apm.infer_categories = off;
SELECT * FROM pg_temp.page(4);
RESET pg_apm.infer_categories;
SELECT name, setting FROM pg_settings WHERE name ~ '^pg_apm[.](correct|derive|group|infer|name_|normalize|scrub)' ORDER BY name;

DELETE FROM apm.transactions WHERE project_id = 4201;
DELETE FROM _apm.span_batches WHERE project_id = 4201;
DELETE FROM _apm.outcome_log WHERE project_id = 4201;
DELETE FROM _apm.seen WHERE project_id = 4201;
DELETE FROM _apm.page_vitals WHERE project_id = 4201;
DELETE FROM apm.project_keys WHERE project_id = 4201;
DELETE FROM apm.projects WHERE project_id = 4201;
