-- Every span of the captured and malformed envelopes, each body for a project
-- of its own: what is stored equals what the server's own JSON functions find in
-- the payloads, field by field.  What changes or adds fields is off; it has tests of its own.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL pg_apm.scrub_data = off;
SET LOCAL pg_apm.correct_clock_drift = off;
SET LOCAL pg_apm.infer_ops = off;
SET LOCAL pg_apm.infer_statuses = off;
SET LOCAL pg_apm.name_by_path = off;
SET LOCAL pg_apm.normalize_names = off;
\getenv dir PG_ABS_SRCDIR
\set dir :dir '/data/envelopes'
CREATE TEMP TABLE body ON COMMIT DROP AS
  SELECT 4400000 + (row_number() OVER (ORDER BY file COLLATE "C"))::int AS project, file, pg_read_binary_file(:'dir' || '/' || file) AS body
    FROM pg_ls_dir(:'dir') file WHERE file LIKE '%.envelope';
SELECT count(*) > 250 AS many_bodies, sum(r.accepted) > 150 AS many_items
  FROM (SELECT array_agg(body ORDER BY project) AS bodies, array_agg(project ORDER BY project) AS projects, count(*)::int AS n FROM body) b,
       LATERAL apm.ingest_batch(b.bodies, b.projects, array_fill('2026-11-23 00:00+00'::timestamptz, ARRAY[b.n])) r;

-- Payloads as documents: U+0000 and lone surrogates, which jsonb refuses, as U+FFFD
CREATE FUNCTION pg_temp.document(payload bytea) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  j jsonb;
BEGIN
  j := regexp_replace(regexp_replace(regexp_replace(convert_from(payload, 'UTF8'),
    '\\(u[dD][89abAB][0-9a-fA-F]{2})\\(u[dD][c-fC-F][0-9a-fA-F]{2})', '~\1~\2', 'g'),
    '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\ufffd', 'g'),
    '~(u[dD][89a-fA-F][0-9a-fA-F]{2})', '\\\1', 'g');
  RETURN j;
EXCEPTION WHEN invalid_text_representation OR character_not_in_repertoire OR statement_too_complex THEN
  RETURN NULL;
END
$$;
-- Seconds, exact: numbers have up to seven decimals, texts up to nine
CREATE FUNCTION pg_temp.seconds(t jsonb) RETURNS numeric LANGUAGE sql AS $$
  SELECT CASE jsonb_typeof(t)
    WHEN 'number' THEN t::numeric
    WHEN 'string' THEN extract(epoch FROM regexp_replace(substring(t #>> '{}' FROM '^\d{4}-.*'), '\.\d+', '')::timestamptz) + coalesce(substring(t #>> '{}' FROM '\.\d+')::numeric, 0) END
$$;
-- Where two numbers are half a microsecond apart, which were doubles once, these tell which is nearer
CREATE FUNCTION pg_temp.micros(since jsonb, until jsonb) RETURNS numeric LANGUAGE sql AS $$
  SELECT whole + (us - whole > 0.5 OR us - whole = 0.5 AND jsonb_typeof(since) = 'number' AND jsonb_typeof(until) = 'number'
                  AND (until::float8 - since::float8) * 1e6 > whole + 0.5)::int
    FROM (SELECT us, floor(us) FROM (SELECT (pg_temp.seconds(until) - pg_temp.seconds(since)) * 1000000) x (us)) y (us, whole)
$$;
CREATE TEMP TABLE item ON COMMIT DROP AS
  SELECT project, j, type = 'span' AS is_span, type = 'transaction' OR type = 'event' AND j ->> 'type' = 'transaction' AS is_transaction,
         coalesce(header ->> 'content_type', '') = 'application/vnd.sentry.items.span.v2+json' AS is_container
    FROM body, LATERAL apm.envelope_items(body) i, LATERAL pg_temp.document(payload) j
   WHERE type IN ('transaction', 'event', 'span') AND jsonb_typeof(j) = 'object';
-- A transaction and its children, spans by themselves, spans of a container
CREATE TEMP TABLE found ON COMMIT DROP AS
  SELECT project, true AS is_segment, j #>> '{contexts,trace,span_id}' AS segment_id, j #> '{contexts,trace}' AS s, j ->> 'transaction' AS description,
         j -> 'start_timestamp' AS since, j -> 'timestamp' AS until, j #>> '{contexts,trace,status}' AS status, j #> '{contexts,trace,data}' AS attributes
    FROM item WHERE is_transaction AND jsonb_typeof(j #> '{contexts,trace}') = 'object'
  UNION ALL
  SELECT project, coalesce((s ->> 'is_segment')::boolean, false), CASE WHEN is_transaction THEN j #>> '{contexts,trace,span_id}' ELSE s ->> 'segment_id' END,
         s, s ->> 'description', s -> 'start_timestamp', s -> 'timestamp', s ->> 'status',
         CASE WHEN s ?| '{data,tags,measurements}' THEN coalesce(s -> 'data', '{}') || jsonb_strip_nulls(jsonb_build_object('tags', nullif(s -> 'tags', '{}'), 'measurements', s -> 'measurements')) END
    FROM item, jsonb_array_elements(CASE WHEN is_span THEN jsonb_build_array(j) WHEN jsonb_typeof(j -> 'spans') = 'array' THEN j -> 'spans' END) s
   WHERE (is_transaction OR is_span AND NOT is_container) AND jsonb_typeof(s) = 'object'
  UNION ALL
  SELECT project, (s ->> 'is_segment')::boolean, CASE WHEN (s ->> 'is_segment')::boolean THEN s ->> 'span_id' ELSE a ->> 'sentry.segment.id' END,
         s || jsonb_build_object('op', a -> 'sentry.op', 'origin', a -> 'sentry.origin'), s ->> 'name', s -> 'start_timestamp', s -> 'end_timestamp',
         CASE s ->> 'status' WHEN 'error' THEN (SELECT coalesce(min(e::text), 'internal_error') FROM unnest(enum_range(NULL::apm.span_status)) e
                                                 WHERE e::text = coalesce(a ->> 'sentry.status', a ->> 'sentry.status.message')) ELSE s ->> 'status' END, a
    FROM item, jsonb_array_elements(CASE jsonb_typeof(j -> 'items') WHEN 'array' THEN j -> 'items' END) s,
         LATERAL (SELECT coalesce(jsonb_object_agg(key, value -> 'value'), '{}') || jsonb_strip_nulls(jsonb_build_object('links', s -> 'links'))
                    FROM jsonb_each(s -> 'attributes')) x (a)
   WHERE is_container;
CREATE TEMP TABLE truth ON COMMIT DROP AS
  SELECT project, translate(lower(s ->> 'trace_id'), '-', '') AS trace_id, lower(s ->> 'span_id') AS span_id, lower(s ->> 'parent_span_id') AS parent_span_id,
         lower(segment_id) AS segment_id, is_segment, s ->> 'op' AS op, description, CASE status WHEN '2' THEN 'unknown' ELSE status END AS status,
         round(pg_temp.seconds(since) * 1000000) AS start_us, pg_temp.micros(since, until) AS duration_us, s ->> 'origin' AS origin, attributes
    FROM found;

-- As stored, through both forms that leave the database, with words learned from them, and joined to one
SELECT _apm.learn_words() IS NOT NULL AS learned;
CREATE TEMP TABLE packed ON COMMIT DROP AS
  SELECT way, project_id AS project, v.spans
    FROM _apm.span_batches b, LATERAL (VALUES ('stored', spans), ('text', spans::text::apm.spanset), ('bytea', spans::bytea::apm.spanset),
                                              ('lexicon', _apm.with_newest_lexicon(spans))) v (way, spans) WHERE project_id > 4400000
  UNION ALL
  SELECT 'joined', b.project_id, apm.spanset_agg(s) FROM _apm.span_batches b, LATERAL apm.unnest(b.spans) s WHERE b.project_id > 4400000 GROUP BY b.project_id;
SELECT way, count(_apm.lexicon_of(spans)) > 100 AS has_lexicon, sum(apm.span_count(spans)) = (SELECT count(*) FROM truth) - 6 AS all_but_six
  FROM packed GROUP BY way ORDER BY way COLLATE "C";
CREATE TEMP TABLE unpacked ON COMMIT DROP AS
  SELECT way, project, s.trace_id::text, s.span_id::text, s.parent_span_id::text, s.segment_id::text, s.is_segment, s.op, s.description, s.status::text,
         extract(epoch FROM s.start_time) * 1000000 AS start_us, s.duration_ms::numeric * 1000 AS duration_us, s.origin, s.attributes
    FROM packed, LATERAL apm.unnest(spans) s;
-- What differs: the spans of five transactions that are refused, and one that is dropped
SELECT count(*) > 5000 AS many_spans FROM truth;
SELECT sign, file, span_id, string_agg(way, ' ' ORDER BY way COLLATE "C") AS ways
  FROM ((SELECT '-' AS sign, way, t.* FROM truth t, (SELECT DISTINCT way FROM packed) w EXCEPT ALL SELECT '-', u.* FROM unpacked u)
        UNION ALL (SELECT '+', u.* FROM unpacked u EXCEPT ALL SELECT '+', way, t.* FROM truth t, (SELECT DISTINCT way FROM packed) w)) d
  JOIN body USING (project) GROUP BY sign, file, span_id ORDER BY file COLLATE "C", span_id, sign;
ROLLBACK;
