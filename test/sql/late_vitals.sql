-- Web vitals that arrive apart from their page: in the same envelope, a later
-- or an earlier one, on spans of containers and on standalone spans.
SET client_min_messages = warning;
SET timezone = 'UTC';
\getenv dir PG_ABS_SRCDIR
\set dir :dir '/data/envelopes'
CREATE FUNCTION pg_temp.sorted(measurements jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(key || '=' || round((value ->> 'value')::numeric, 4) || coalesce(' ' || (value ->> 'unit'), ''), ', ' ORDER BY key)
    FROM jsonb_each(measurements) WHERE key !~ '^score'
$$;
-- A container of one page load or one vital of it; ids are one digit repeated.
CREATE FUNCTION pg_temp.container(VARIADIC spans jsonb[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT convert_to(E'{}\n{"type":"span","content_type":"application/vnd.sentry.items.span.v2+json","item_count":'
    || cardinality(spans) || E'}\n' || jsonb_build_object('version', 2, 'items', to_jsonb(spans)), 'UTF8')
$$;
CREATE FUNCTION pg_temp.page(trace text, id text, extra jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('trace_id', repeat(trace, 32), 'span_id', repeat(id, 16), 'name', 'Pageload', 'status', 'ok', 'is_segment', true,
    'start_timestamp', 1795353165.5, 'end_timestamp', 1795353166.5, 'attributes', jsonb_build_object(
      'sentry.op', '{"type":"string","value":"pageload"}'::jsonb, 'url.path', '{"type":"string","value":"/shop"}'::jsonb,
      'browser.web_vital.ttfb.value', '{"type":"double","value":600}'::jsonb) || extra)
$$;
CREATE FUNCTION pg_temp.vital(trace text, id text, page text, vital text, v float8, op text DEFAULT NULL) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('trace_id', repeat(trace, 32), 'span_id', repeat(id, 16), 'parent_span_id', repeat(page, 16), 'name', 'vital',
    'status', 'ok', 'is_segment', false, 'start_timestamp', 1795353170.0, 'end_timestamp', 1795353170.1, 'attributes', jsonb_build_object(
      'sentry.op', jsonb_build_object('type', 'string', 'value', coalesce(op, 'ui.webvital.' || vital)),
      'sentry.segment.id', jsonb_build_object('type', 'string', 'value', repeat(page, 16)),
      'sentry.segment.name', '{"type":"string","value":"Pageload"}'::jsonb,
      'browser.web_vital.' || vital || '.value', jsonb_build_object('type', 'double', 'value', v)))
$$;
CREATE FUNCTION pg_temp.send(body bytea) RETURNS text LANGUAGE sql AS $$
  SELECT format('%s accepted, %s skipped', accepted, skipped) FROM apm.ingest(body, 4401, '2026-11-22 13:13+00')
$$;
CREATE VIEW pg_temp.stored AS
  SELECT left(trace_id::text, 1) AS trace, left(span_id::text, 1) AS span, name, pg_temp.sorted(measurements) AS measurements,
         round(apm.measurement(measurements, 'score.total')::numeric, 6) AS score
    FROM apm.transactions WHERE project_id = 4401 ORDER BY 1, 2;

-- later
SELECT pg_temp.send(pg_temp.container(pg_temp.page('1', 'a')));
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('1', 'b', 'a', 'lcp', 2500), pg_temp.vital('1', 'c', 'a', 'cls', 0.05)));
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('1', 'd', 'a', 'inp', 350, 'ui.interaction.click')));
-- before
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('2', 'b', 'a', 'lcp', 2500)));
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('2', 'c', 'a', 'cls', 0.05)));
SELECT samples, p75 FROM apm.web_vitals(NULL, NULL, 4401) WHERE vital = 'lcp';
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('2', 'd', 'a', 'inp', 350, 'ui.interaction.click'), pg_temp.page('2', 'a')));
-- all in one
SELECT pg_temp.send(pg_temp.container(pg_temp.page('3', 'a'), pg_temp.vital('3', 'b', 'a', 'lcp', 2500), pg_temp.vital('3', 'c', 'a', 'cls', 0.05),
                                      pg_temp.vital('3', 'd', 'a', 'inp', 350, 'ui.interaction.click')));
-- as bodies of one batch, each order; two pages of one trace
SELECT sum(accepted) FROM apm.ingest_batch(ARRAY[pg_temp.container(pg_temp.vital('4', 'b', 'a', 'lcp', 2500)), pg_temp.container(pg_temp.page('4', 'a')),
    pg_temp.container(pg_temp.page('4', 'f')), pg_temp.container(pg_temp.vital('4', 'c', 'a', 'cls', 0.05)),
    pg_temp.container(pg_temp.vital('4', 'd', 'a', 'inp', 350, 'ui.interaction.click'))],
  array_fill(4401, ARRAY[5]), array_fill('2026-11-22 13:13+00'::timestamptz, ARRAY[5]));
-- All the same; the score is made of the reference's scores for single vitals
-- (fcp is absent: weights 0.30, 0.15 and 0.10 of 0.55).
SELECT * FROM pg_temp.stored;
SELECT trace, span, abs(score - (0.469918 * 0.30 + 0.987807 * 0.15 + 0.226730 * 0.10) / 0.55) < 1e-5 AS as_reference FROM pg_temp.stored WHERE span = 'a';
-- samples are pages
SELECT vital, samples, p75 FROM apm.web_vitals(NULL, NULL, 4401);
SELECT transaction_name, samples, round(lcp_score::numeric, 6) AS lcp, round(inp_score::numeric, 6) AS inp FROM apm.pages(NULL, NULL, 4401);
SELECT apm.p75(apm.measurement(measurements, 'lcp')) FROM apm.transactions WHERE project_id = 4401;

-- The same span again counts once; a second span with the same vital: the
-- larger value, whatever the order; other measurements of late spans stay theirs.
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('1', 'b', 'a', 'lcp', 2500)));
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('1', 'e', 'a', 'lcp', 4000), pg_temp.vital('1', '6', 'a', 'lcp', 3000)));
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('1', '7', 'a', 'lcp', 100), pg_temp.vital('1', '8', 'a', 'rtt', 3), pg_temp.vital('1', '9', 'a', 'cls', -1)));
SELECT * FROM pg_temp.stored WHERE trace = '1';

-- What changes nothing does not touch the page.
CREATE TEMP TABLE version AS SELECT ctid AS place FROM apm.transactions WHERE project_id = 4401 AND trace_id = repeat('1', 32)::apm.trace_id;
SELECT pg_temp.send(pg_temp.container(pg_temp.vital('1', '2', 'a', 'lcp', 150)));
SELECT t.ctid = v.place AS untouched FROM apm.transactions t, version v WHERE project_id = 4401 AND trace_id = repeat('1', 32)::apm.trace_id;

-- Another project's page of the same ids is another page.
SELECT accepted FROM apm.ingest(pg_temp.container(pg_temp.vital('3', 'b', 'a', 'lcp', 9000)), 4402);
SELECT count(*) FROM pg_temp.stored WHERE measurements LIKE '%9000%';

-- Standalone spans: one names its page load, that of an older SDK stands for
-- itself and counts under the name of the page.
SELECT pg_temp.send(convert_to(E'{}\n{"type":"span"}\n' || ('{"trace_id":"44444444444444444444444444444444","span_id":"1111111111111111","segment_id":"1111111111111111",
 "is_segment":true,"op":"ui.webvital.lcp","start_timestamp":1795353165.5,"timestamp":1795353166.5,"exclusive_time":0,"measurements":{"lcp":{"value":1900,"unit":"millisecond"}},
 "data":{"sentry.pageload.span_id":"ffffffffffffffff","transaction":"/shop"}}'::jsonb)::text, 'UTF8'));
SELECT pg_temp.send(convert_to(E'{}\n{"type":"span"}\n' || ('{"trace_id":"55555555555555555555555555555555","span_id":"1111111111111111",
 "op":"ui.interaction.press","start_timestamp":1795353165.5,"timestamp":1795353166.5,"measurements":{"inp":{"value":100,"unit":"millisecond"}},
 "data":{"transaction":"/shop","release":"web@1","environment":"production"}}'::jsonb)::text, 'UTF8'));
SELECT * FROM pg_temp.stored WHERE trace = '4';
SELECT transaction_name, environment, release, page_end, vitals FROM _apm.page_vitals WHERE project_id = 4401 AND page_end IS NULL;
SELECT vital, samples, p75 FROM apm.web_vitals(NULL, NULL, 4401) WHERE vital = 'inp';
SELECT vital, samples FROM apm.web_vitals(NULL, NULL, 4401, release => 'web@1');
-- None of them is a transaction.
SELECT count(*) FROM apm.transactions WHERE project_id = 4401;

-- Captured bodies: the page loads of browser 11, and their vitals from later
-- envelopes, in both orders; INP of browsers 7 and 8.  What the bodies say,
-- read as plain JSON, is what is stored.
CREATE TEMP TABLE body AS
  SELECT name, pg_read_binary_file(:'dir' || '/' || name) AS body FROM pg_ls_dir(:'dir') name WHERE name ~ '-browser-.*[.]envelope$' ORDER BY 1;
CREATE TEMP TABLE sent AS
  SELECT DISTINCT s ->> 'trace_id' AS trace_id, s ->> 'span_id' AS span_id, substring(a.key FROM 'web_vital\.(.*)\.value') AS vital,
         (a.value ->> 'value')::float8 AS v, (s ->> 'is_segment')::bool AS own, s #>> '{attributes,sentry.segment.id,value}' AS page
    FROM body, apm.envelope_items(body) i, jsonb_array_elements(CASE WHEN i.header ->> 'content_type' LIKE '%span.v2%'
           THEN convert_from(i.payload, 'UTF8')::jsonb -> 'items' ELSE '[]' END) s, jsonb_each(s -> 'attributes') a
   WHERE a.key ~ '^browser\.web_vital\.(lcp|cls|inp|fcp|ttfb|fp)\.value$';
SELECT vital, own, count(*), count(*) FILTER (WHERE page IN (SELECT span_id FROM sent WHERE own)) AS with_page FROM sent GROUP BY 1, 2 ORDER BY 1, 2;
SELECT sum(rejected) FROM (SELECT array_agg(body ORDER BY name) AS b, count(*)::int AS n FROM body) x,
  apm.ingest_batch(b, array_fill(4403, ARRAY[n]), array_fill('2026-11-22 13:20+00'::timestamptz, ARRAY[n]));
SELECT sum(rejected) FROM (SELECT body FROM body ORDER BY name DESC) x, apm.ingest(body, 4404, '2026-11-22 13:20+00');
SELECT p.project_id, s.vital, count(*) AS sent, count(*) FILTER (WHERE apm.measurement(t.measurements, s.vital) = s.v) AS stored
  FROM (VALUES (4403), (4404)) p(project_id) CROSS JOIN sent s
  LEFT JOIN apm.transactions t ON t.project_id = p.project_id AND t.trace_id = s.trace_id::apm.trace_id
        AND t.span_id = (CASE WHEN own THEN s.span_id ELSE s.page END)::apm.span_id
 WHERE own OR s.page IN (SELECT span_id FROM sent WHERE own)
 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT a.vital, a.samples, a.p75, (a.samples, a.p75) IS NOT DISTINCT FROM (b.samples, b.p75) AS same
  FROM apm.web_vitals(NULL, NULL, 4403) a JOIN apm.web_vitals(NULL, NULL, 4404) b USING (vital);
SELECT transaction_name, samples, inp_score IS NOT NULL AS inp FROM apm.pages(NULL, NULL, 4403) ORDER BY 1;
SELECT count(*) AS differences FROM (SELECT trace_id, span_id, measurements FROM apm.transactions WHERE project_id = 4403
  EXCEPT SELECT trace_id, span_id, measurements FROM apm.transactions WHERE project_id = 4404) d;

DELETE FROM apm.transactions WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM apm.errors WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM apm.sessions WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM _apm.page_vitals WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM _apm.span_batches WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM _apm.outcome_log WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM _apm.seen WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM apm.project_keys WHERE project_id BETWEEN 4401 AND 4404;
DELETE FROM apm.projects WHERE project_id BETWEEN 4401 AND 4404;
