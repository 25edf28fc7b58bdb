-- All captured and malformed envelopes through one call of apm.ingest_batch in
-- strict mode, each for the project it was posted to: what is stored equals what an independent parser found in them
-- (test/data/envelopes/index.tsv), less repeated identities, and each of those
-- is reported as skipped.
SET client_min_messages = warning;
\getenv dir PG_ABS_SRCDIR
\set dir :dir '/data/envelopes'
CREATE FUNCTION pg_temp.unescape(field text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(CASE part WHEN '\t' THEN E'\t' WHEN '\n' THEN E'\n' WHEN '\r' THEN E'\r'
                              WHEN '\\' THEN '\' ELSE part END, '' ORDER BY n)
    FROM regexp_matches(field, '\\.|[^\\]+', 'g') WITH ORDINALITY AS m(parts, n), unnest(parts) part
$$;
CREATE TEMP TABLE line AS
  SELECT string_to_array(l, E'\t') AS f
    FROM string_to_table(convert_from(pg_read_binary_file(:'dir' || '/index.tsv'), 'UTF8'), E'\n') l WHERE l <> '';
CREATE TEMP TABLE found AS
  SELECT f[1] AS file, substring(f[6] FROM '/api/(\d+)/')::int AS project, f[9]::int AS status, f[10] AS framing, f[14]::int AS transactions, f[15]::int AS child_spans, f[16]::int AS span_items, f[17]::int AS errors,
         replace(nullif(pg_temp.unescape(f[23]), ''), '\u0000', '\ufffd')::json AS details
    FROM line WHERE f[1] LIKE '%.envelope' AND f[10] = 'ok';
CREATE TEMP TABLE body AS
  SELECT file, project, pg_read_binary_file(:'dir' || '/' || file) AS body FROM found JOIN pg_ls_dir(:'dir') d ON d = file;
SELECT count(*) > 250 AS many_bodies FROM body;

SET pg_apm.validation = strict;
CREATE TEMP TABLE result AS
  SELECT b.files[r.n] AS file, r.accepted, r.rejected, r.skipped, r.problems
    FROM (SELECT array_agg(file ORDER BY file) AS files, array_agg(body ORDER BY file) AS bodies, array_agg(project ORDER BY file) AS projects, count(*)::int AS n FROM body) b,
         apm.ingest_batch(b.bodies, b.projects, array_fill('2026-11-23 00:00+00'::timestamptz, ARRAY[b.n]))
           WITH ORDINALITY r (event_id, accepted, rejected, skipped, problems, n);

-- what Relay answers 400 to is refused as a whole
SELECT file, accepted, rejected, skipped, problems #>> '{0,reason}' AS reason FROM result JOIN found USING (file)
 WHERE status = 400 OR problems @> '[{"reason": "project_mismatch"}]' ORDER BY file;

-- what the independent parser found: an event by its id, a span by its trace and id
CREATE TEMP TABLE transaction_found AS
  SELECT file, project, coalesce(t ->> 'event_id', details ->> 'event_id') AS id, (t ->> 'spans')::int AS spans
    FROM found JOIN body USING (file, project), json_array_elements(coalesce(details -> 'transactions', '[]')) t;
CREATE TEMP TABLE segment_found AS
  SELECT file, project, s ->> 'trace_id' AS trace_id, s ->> 'span_id' AS span_id
    FROM found JOIN body USING (file, project), json_array_elements(coalesce(details -> 'segments', '[]')) s;
CREATE TEMP TABLE error_found AS
  SELECT file, project, coalesce(e ->> 'event_id', details ->> 'event_id') AS id FROM found JOIN body USING (file, project),
         json_array_elements(coalesce(details -> 'events', '[]')) e
   WHERE json_array_length(e -> 'exceptions') > 0;
-- the ids of spans sent as items: the parser counts them only, the readers
-- have been held against those counts; a transaction's spans come first
CREATE TEMP TABLE item_span AS
  SELECT file, project, s.trace_id, s.span_id
    FROM found JOIN body USING (file, project), apm.envelope_spans(body) WITH ORDINALITY
      s (trace_id, span_id, parent_span_id, segment_id, is_segment, op, description, status, start_time, duration_ms, self_time_ms, category, span_group, origin, attributes, n)
   WHERE span_items > 0 AND s.n > transactions + child_spans;
SELECT file, count(*), span_items FROM item_span JOIN found USING (file) GROUP BY file, span_items HAVING count(*) <> span_items;

SELECT 'transactions' AS what,
       (SELECT count(DISTINCT (project, id)) FROM transaction_found WHERE id IS NOT NULL)
         + (SELECT count(*) FROM transaction_found WHERE id IS NULL) + (SELECT count(DISTINCT (project, trace_id, span_id)) FROM segment_found) AS expected,
       (SELECT count(*) FROM apm.transactions WHERE project_id IN (42, 51, 61, 71, 77, 81)) AS stored
UNION ALL SELECT 'errors with a type', (SELECT count(DISTINCT (project, id)) FROM error_found),
       (SELECT count(*) FROM apm.errors WHERE project_id IN (42, 51, 61, 71, 77, 81) AND type IS NOT NULL)
UNION ALL SELECT 'all spans', (SELECT sum(1 + spans) FROM (SELECT DISTINCT ON (project, id) * FROM transaction_found ORDER BY project, id, file) t)
         + (SELECT count(DISTINCT (project, trace_id, span_id)) FROM item_span),
       (SELECT count(*) FROM apm.spans WHERE project_id IN (42, 51, 61, 71, 77, 81));

-- each repetition is said
SELECT (SELECT count(*) - count(DISTINCT (project, id)) FROM transaction_found) AS repeated_transactions,
       (SELECT coalesce(sum((p ->> 'quantity')::int), 0) FROM result, jsonb_array_elements(problems) p
         WHERE p ->> 'reason' = 'duplicate' AND p ->> 'type' = 'transaction') AS said;

DELETE FROM apm.transactions WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM _apm.page_vitals WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM apm.errors WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM _apm.span_batches WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM _apm.outcome_log WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM _apm.seen WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM apm.sessions WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM apm.check_ins WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM apm.monitors WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM apm.raw_items WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM apm.project_keys WHERE project_id IN (42, 51, 61, 71, 77, 81);
DELETE FROM apm.projects WHERE project_id IN (42, 51, 61, 71, 77, 81);
