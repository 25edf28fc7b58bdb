-- What apm.ingest computes of measurements and stores beside them.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.send(measurements text, browser text DEFAULT NULL, seconds float8 DEFAULT 2) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  id text := replace(gen_random_uuid()::text, '-', '');
BEGIN
  PERFORM apm.ingest(convert_to(E'{}\n{"type":"transaction"}\n' || replace(jsonb_build_object('type', 'transaction', 'event_id', id, 'transaction', 'page',
    'start_timestamp', 1795353165, 'timestamp', 1795353165 + seconds, 'contexts', jsonb_build_object(
       'trace', jsonb_build_object('trace_id', id, 'span_id', '0a1b2c3d4e5f6071'), 'browser', jsonb_build_object('name', browser)))::text,
    '"type": "transaction"', '"measurements": ' || measurements), 'UTF8'), 4405, '2026-11-22 13:13+00');
  RETURN (SELECT t.measurements FROM apm.transactions t WHERE event_id = id::uuid);
END
$$;
CREATE FUNCTION pg_temp.list(measurements jsonb, only_names text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(key || '=' || round((value ->> 'value')::numeric, 6) || coalesce(' ' || (value ->> 'unit'), ''), ', ' ORDER BY key COLLATE "C")
    FROM jsonb_each(measurements) WHERE key ~ only_names
$$;

-- The vectors of the reference: single vitals, and the totals 0.628118 and 0.409121.
SELECT v.vital, v.value, pg_temp.list(pg_temp.send(format('{"%s": {"value": %s, "unit": "millisecond"}}', v.vital, v.value)), '^score.(ratio|total)')
  FROM (VALUES (1, 'lcp', 1200), (2, 'lcp', 2400), (3, 'lcp', 2500), (4, 'lcp', 4000), (5, 'fcp', 1000), (6, 'cls', 0.05), (7, 'ttfb', 600), (8, 'inp', 350)) v(n, vital, value) ORDER BY n;
SELECT regexp_split_to_table(pg_temp.list(pg_temp.send('{"fcp": {"value": 1000}, "lcp": {"value": 2500}, "cls": {"value": 0.05}, "ttfb": {"value": 600}}', 'Chrome')), ', ');
SELECT pg_temp.list(pg_temp.send('{"lcp": {"value": 2500}, "ttfb": {"value": 600}}'), 'total');
-- Browsers that do not measure some, and those of phones.
SELECT browser, pg_temp.list(m, 'weight|total'), abs(apm.measurement(m, 'score.total') - apm.performance_score(m - 'score.total', browser)) < 1e-12 AS same
  FROM (SELECT browser, pg_temp.send('{"fcp": {"value": 1000}, "lcp": {"value": 2500}, "cls": {"value": 0.05}, "ttfb": {"value": 600}, "inp": {"value": 350}}', browser) AS m
          FROM (VALUES ('Firefox'), ('Safari'), ('Mobile Safari'), ('Chrome Mobile'), ('Lynx')) b(browser)) s;
-- The browser told from its agent: weights of what it measures tell which it is.
CREATE FUNCTION pg_temp.agent(agent text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  id text := md5(agent);
BEGIN
  PERFORM apm.ingest(convert_to(E'{}\n{"type":"transaction"}\n'::text || jsonb_build_object('event_id', id, 'transaction', 'page', 'start_timestamp', 1795353165, 'timestamp', 1795353166,
    'measurements', '{"lcp": {"value": 2500}, "cls": {"value": 0.05}, "ttfb": {"value": 600}}'::jsonb, 'request', jsonb_build_object('headers', jsonb_build_object('User-Agent', agent)),
    'contexts', jsonb_build_object('trace', jsonb_build_object('trace_id', id, 'span_id', '0a1b2c3d4e5f6071'))), 'UTF8'), 4405, '2026-11-22 13:13+00');
  RETURN (SELECT (SELECT b FROM unnest('{Chrome,Firefox,Safari,Chrome Mobile,Firefox Mobile,Mobile Safari}'::text[]) WITH ORDINALITY x(b, n)
                            WHERE apm.performance_score(t.measurements - 'score.total', b) = apm.measurement(t.measurements, 'score.total') ORDER BY n LIMIT 1)
            FROM apm.transactions t WHERE event_id = id::uuid);
END
$$;
SELECT pg_temp.agent('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36') AS chrome,
       pg_temp.agent('Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36') AS chrome_mobile,
       pg_temp.agent('Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0') AS firefox,
       pg_temp.agent('Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0') AS firefox_mobile,
       pg_temp.agent('Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15') AS safari,
       pg_temp.agent('Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1') AS mobile_safari,
       pg_temp.agent('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0') AS edge_is_like,
       pg_temp.agent('curl/8.5') AS any_is_like;
-- Parts add up, and readers use what is stored.
SELECT abs(sum(score) - 0.628118) < 1e-6 AS adds_up, string_agg(vital, ',' ORDER BY vital) AS vitals
  FROM apm.performance_scores(pg_temp.send('{"fcp": {"value": 1000}, "lcp": {"value": 2500}, "cls": {"value": 0.05}, "ttfb": {"value": 600}}', 'Chrome'));
SELECT apm.performance_score('{"lcp": {"value": 2500}, "score.total": {"value": 0.25}, "score.weight.lcp": {"value": 1}, "score.ratio.lcp": {"value": 0.25}}'), apm.performance_score('{"lcp": {"value": 2400}}');

-- Frames and stalls; units as sent.
SELECT pg_temp.list(pg_temp.send('{"frames_total": {"value": 60, "unit": "none"}, "frames_slow": {"value": 6}, "frames_frozen": {"value": 1.5, "unit": ""}, "stall_total_time": {"value": 500, "unit": "millisecond"}}'));
SELECT pg_temp.list(pg_temp.send('{"frames_total": {"value": 0}, "frames_slow": {"value": 0}, "stall_total_time": {"value": 0.5, "unit": "second"}}'));
SELECT pg_temp.list(pg_temp.send('{"stall_total_time": {"value": 5}}', seconds => 0));
SELECT pg_temp.list(pg_temp.send('{"cart.value": {"value": 129.95, "unit": "euro"}, "memory.used": {"value": 1048576, "unit": "byte"}, "no unit": {"value": 1}}'));
-- Known names lose their capitals, the right spelling counts; others stay.
SELECT pg_temp.list(pg_temp.send('{"ttfb.requestTime": {"value": 57}, "LCP": {"value": 1}, "lcp": {"value": 1200}, "cartValue": {"value": 3}}'), '^[^s]');
-- What a sender says of the score is computed anew; without vitals it stays.
SELECT pg_temp.list(pg_temp.send('{"lcp": {"value": 1200}, "score.total": {"value": 99}}'), 'total'), pg_temp.list(pg_temp.send('{"score.total": {"value": 99}}'));
-- Nothing is computed of nothing, or of what is no number.
SELECT pg_temp.send('{}'), pg_temp.send('{"lcp": {"value": null}, "fcp": {"value": "fast"}, "cls": 3}'), pg_temp.send('null');
SELECT pg_temp.list(pg_temp.send('{"lcp": {"value": 1e400}, "\u0041\"\\": {"value": 1}, "fcp": {"value": 1e-320}}'), '^[^sl]');
SELECT apm.measurement(m, 'lcp') > 1e300 AS kept, m ? 'A"\' AS name FROM pg_temp.send('{"lcp": {"value": 1e400}, "\u0041\"\\": {"value": 1}}') m;
-- Readers return what was sent; the step can be switched off.
SET pg_apm.derive_measurements = off;
SELECT pg_temp.list(pg_temp.send('{"ttfb.requestTime": {"value": 57}, "lcp": {"value": 1200, "unit": "millisecond"}}'));
RESET pg_apm.derive_measurements;

DELETE FROM apm.transactions WHERE project_id = 4405;
DELETE FROM _apm.span_batches WHERE project_id = 4405;
DELETE FROM _apm.outcome_log WHERE project_id = 4405;
DELETE FROM _apm.seen WHERE project_id = 4405;
DELETE FROM _apm.page_vitals WHERE project_id = 4405;
DELETE FROM apm.project_keys WHERE project_id = 4405;
DELETE FROM apm.projects WHERE project_id = 4405;
