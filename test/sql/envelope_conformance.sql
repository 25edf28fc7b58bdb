-- Every body of test/data/envelopes against its row of index.tsv, which a parser
-- of its own wrote.  What is printed besides totals is a difference.
\getenv dir PG_ABS_SRCDIR
\set dir :dir '/data/envelopes'
SET client_min_messages = warning;
SET TimeZone = 'UTC';

CREATE FUNCTION pg_temp.unescape(field text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(CASE part WHEN '\t' THEN E'\t' WHEN '\n' THEN E'\n' WHEN '\r' THEN E'\r'
                              WHEN '\\' THEN '\' WHEN '\0' THEN '<NUL>' ELSE part END, '' ORDER BY n)
    FROM regexp_matches(field, '\\.|[^\\]+', 'g') WITH ORDINALITY AS m(parts, n), unnest(parts) part
$$;

CREATE FUNCTION pg_temp.load(folder text)
RETURNS TABLE (file text, kind text, source text, encoding text, framing text, items text, accepted text, rejected text,
               transactions int, child_spans int, span_items int, errors int, tx_name text, tx_op text,
               tx_duration_ms float8, tx_trace_id text, details jsonb, body bytea)
LANGUAGE sql AS $$
  SELECT f[1], f[3], f[4], f[5], f[10], f[11], f[12], f[13], f[14]::int, f[15]::int, f[16]::int, f[17]::int,
         coalesce(pg_temp.unescape(f[18]), ''), coalesce(pg_temp.unescape(f[19]), ''), nullif(f[20], '')::float8,
         nullif(f[21], ''), nullif(replace(pg_temp.unescape(f[23]), '\u0000', '\ufffd'), '')::jsonb,
         pg_read_binary_file(folder || '/' || f[1])
    FROM string_to_table(pg_read_file(folder || '/index.tsv'), E'\n') WITH ORDINALITY AS l(line, n),
         string_to_array(line, E'\t') AS f
   WHERE n > 1 AND line <> ''
$$;

-- What our functions find in each body.
CREATE FUNCTION pg_temp.found(body bytea)
RETURNS TABLE (framing text, items text, accepted text, rejected text, transactions int, spans int, errors int,
               tx_name text, tx_op text, tx_duration_ms float8, tx_trace_id text)
LANGUAGE sql AS $$
  WITH item AS (SELECT * FROM apm.envelope_items(body)),
  problem AS (SELECT * FROM apm.envelope_problems(body)),
  first AS (
    SELECT * FROM (
      SELECT 1 AS pick, name, op, duration_ms, trace_id, n FROM apm.envelope_transactions(body) WITH ORDINALITY AS t
             (project_id, event_id, trace_id, span_id, parent_span_id, name, source, op, status, start_time, end_time,
              duration_ms, environment, release, platform, sdk, user_key, http_method, http_status, measurements, tags,
              contexts, sample_rate, weight, span_count, received_at, n)
      UNION ALL
      -- a standalone span speaks for an envelope without transactions, a child does not
      SELECT 2, s.description, s.op, s.duration_ms, s.trace_id, 1
        FROM apm.envelope_spans(body) s
       WHERE NOT EXISTS (SELECT FROM item WHERE header ->> 'content_type' LIKE '%span.v2+json')) x
    ORDER BY pick, n LIMIT 1)
  SELECT coalesce((SELECT reason FROM problem WHERE ordinal = 0 AND detail LIKE 'rejected:%'), 'ok'),
         coalesce((SELECT string_agg(type || ':' || n, ',' ORDER BY type COLLATE "C")
                     FROM (SELECT type, count(*) AS n FROM item GROUP BY type) x), ''),
         coalesce((SELECT string_agg(type || ':' || n, ',' ORDER BY type COLLATE "C")
                     FROM (SELECT type, count(*) AS n FROM item
                            WHERE ordinal NOT IN (SELECT ordinal FROM problem WHERE detail LIKE 'rejected:%')
                            GROUP BY type) x), ''),
         coalesce((SELECT string_agg(type || ':' || reason, ',' ORDER BY ordinal)
                     FROM problem WHERE ordinal > 0 AND detail LIKE 'rejected:%'), ''),
         (SELECT count(*)::int FROM apm.envelope_transactions(body)),
         (SELECT count(*)::int FROM apm.envelope_spans(body)),
         (SELECT count(*)::int FROM apm.envelope_errors(body) WHERE type IS NOT NULL),
         (SELECT name FROM first), (SELECT op FROM first), (SELECT duration_ms FROM first),
         (SELECT trace_id::text FROM first)
$$;

-- Differences, one row for each column of each file that is not as expected.
CREATE FUNCTION pg_temp.differences(folder text)
RETURNS TABLE (file text, field text, expected text, found text)
LANGUAGE sql AS $$
  SELECT e.file, d.field, d.expected, d.found
    FROM pg_temp.load(folder) e, pg_temp.found(e.body) f,
         LATERAL (
           SELECT (SELECT count(*)::int FROM jsonb_array_elements(e.details -> 'segments') s
                    WHERE (s ->> 'segment')::boolean) AS segments) g,
         LATERAL (VALUES
           ('framing', e.framing, f.framing),
           ('items', e.items, f.items),
           ('accepted', e.accepted, f.accepted),
           ('rejected', e.rejected, f.rejected),
           ('transactions', (e.transactions + coalesce(g.segments, 0))::text, f.transactions::text),
           ('spans', (e.transactions + e.child_spans + e.span_items)::text, f.spans::text),
           ('errors', e.errors::text, f.errors::text),
           ('tx_name', e.tx_name, coalesce(replace(f.tx_name, U&'\FFFD', '<NUL>'), '')),
           ('tx_op', e.tx_op, coalesce(f.tx_op, '')),
           ('tx_duration_ms', e.tx_duration_ms::text, f.tx_duration_ms::text),
           ('tx_trace_id', e.tx_trace_id, f.tx_trace_id)) AS d(field, expected, found)
   WHERE e.encoding = 'identity' AND e.file LIKE '%.envelope'
     AND d.expected IS DISTINCT FROM d.found
     AND (e.framing = 'ok' OR d.field NOT IN ('items', 'accepted', 'rejected'))  -- no rows of a body that is no envelope
   ORDER BY 1, 2
$$;

-- The same for what index.tsv tells of each single transaction and event.
CREATE FUNCTION pg_temp.detail_differences(folder text)
RETURNS TABLE (file text, field text, expected text, found text)
LANGUAGE sql AS $$
  SELECT e.file, d.field, d.expected, d.found
    FROM pg_temp.load(folder) e,
         jsonb_array_elements(coalesce(e.details -> 'transactions', '[]')) WITH ORDINALITY AS x(tx, n)
         LEFT JOIN LATERAL (
           SELECT t.*, row_number() OVER () AS n FROM apm.envelope_transactions(e.body) t
            WHERE e.encoding = 'identity' AND e.file LIKE '%.envelope') t USING (n),
         LATERAL (VALUES
           ('name', coalesce(nullif(tx ->> 'name', ''), '<unlabeled transaction>'), t.name),
           ('op', tx ->> 'op', t.op),
           ('status', CASE tx ->> 'status' WHEN '2' THEN 'unknown' ELSE tx ->> 'status' END, t.status::text),
           ('duration_ms', (tx ->> 'duration_ms')::float8::text, t.duration_ms::text),
           ('start', round((tx ->> 'start')::numeric, 6)::text, round(extract(epoch FROM t.start_time), 6)::text),
           ('trace_id', tx ->> 'trace_id', t.trace_id::text),
           ('span_id', tx ->> 'span_id', t.span_id::text),
           ('parent_span_id', tx ->> 'parent_span_id', t.parent_span_id::text),
           ('spans', tx ->> 'spans', (t.span_count - 1)::text),
           ('release', tx ->> 'release', t.release),
           ('environment', tx ->> 'environment', t.environment),
           ('user', tx ->> 'user', substr(t.user_key, strpos(t.user_key, ':') + 1)),
           ('measurements',
            (SELECT jsonb_object_agg(btrim(k), v) FROM jsonb_each(nullif(tx -> 'measurements', '{}')) m(k, v)
              WHERE jsonb_typeof(v) = 'number')::text,
            (SELECT jsonb_object_agg(k, v -> 'value') FROM jsonb_each(t.measurements) m(k, v))::text),
           ('event_id', coalesce(e.details ->> 'event_id', tx ->> 'event_id'), replace(t.event_id::text, '-', ''))) AS d(field, expected, found)
   WHERE e.encoding = 'identity' AND e.file LIKE '%.envelope' AND d.expected IS DISTINCT FROM d.found
  UNION ALL
  SELECT e.file, d.field, d.expected, d.found
    FROM pg_temp.load(folder) e,
         jsonb_array_elements(coalesce(e.details -> 'events', '[]')) WITH ORDINALITY AS x(ev, n)
         LEFT JOIN LATERAL (
           SELECT r.*, row_number() OVER () AS n FROM apm.envelope_errors(e.body) r
            WHERE e.encoding = 'identity' AND e.file LIKE '%.envelope') r USING (n),
         LATERAL (VALUES
           ('level', coalesce(ev ->> 'level', 'error'), r.level),
           ('type', ev -> 'exceptions' -> -1 ->> 0, nullif(r.type, '<unknown>')),
           ('value', coalesce(ev -> 'exceptions' -> -1 ->> 1, CASE WHEN r.type IS NULL THEN ev ->> 'message' END), r.value),
           ('trace_id', ev ->> 'trace_id', r.trace_id::text),
           ('transaction', ev ->> 'transaction', r.transaction_name),
           ('user', ev ->> 'user', substr(r.user_key, strpos(r.user_key, ':') + 1)),
           ('release', ev ->> 'release', r.release),
           ('environment', ev ->> 'environment', r.environment),
           ('time', round((ev ->> 'timestamp')::numeric, 6)::text, round(extract(epoch FROM r.event_time), 6)::text),
           -- the header's wins
           ('event_id', coalesce(e.details ->> 'event_id', ev ->> 'event_id'), replace(r.event_id::text, '-', ''))) AS d(field, expected, found)
   WHERE e.encoding = 'identity' AND e.file LIKE '%.envelope' AND d.expected IS DISTINCT FROM d.found
  ORDER BY 1, 2
$$;

CREATE FUNCTION pg_temp.all_differences(folder text)
RETURNS TABLE (file text, field text, expected text, found text)
LANGUAGE plpgsql AS $$
BEGIN
  IF pg_stat_file(folder || '/index.tsv', true) IS NOT NULL THEN
    RETURN QUERY
      SELECT * FROM (SELECT * FROM pg_temp.differences(folder)
                     UNION ALL SELECT * FROM pg_temp.detail_differences(folder)) d
       -- its DSN names another project than the request did, which only the server that took the request can see
       WHERE d.file <> '258-bad-header-dsn-mismatch.envelope';
  END IF;
END
$$;

SET pg_apm.validation = strict;
SELECT * FROM pg_temp.all_differences(:'dir');
SELECT count(*) AS bodies, count(*) FILTER (WHERE f.framing = 'ok') AS envelopes,
       sum(f.transactions) AS transactions, sum(f.spans) AS spans, sum(f.errors) AS errors,
       count(*) FILTER (WHERE f.rejected <> '') AS with_rejected
  FROM pg_temp.load(:'dir') e, pg_temp.found(e.body) f;
SELECT t.project_id, t.name FROM pg_temp.load(:'dir') e, apm.envelope_transactions(e.body) t
 WHERE e.file = '258-bad-header-dsn-mismatch.envelope';

-- The whole collection, where it lies beside the checkout: no differences either.
SELECT * FROM pg_temp.all_differences(:'dir' || '/../../../../shared/data/envelopes');

-- Compressed bodies, and bodies of the store endpoint, are no envelopes.
SELECT e.file, p.* FROM pg_temp.load(:'dir') e, apm.envelope_problems(e.body) p
 WHERE e.encoding <> 'identity' OR e.file NOT LIKE '%.envelope' ORDER BY 1;

-- What is repaired even in strict mode, and what is dropped.
SELECT e.file, p.* FROM pg_temp.load(:'dir') e, apm.envelope_problems(e.body) p
 WHERE p.detail NOT LIKE 'rejected:%' AND p.detail NOT LIKE 'skipped:%' ORDER BY 1;

-- Lenient mode: the bodies of which it keeps more, and how.
CREATE TEMP TABLE strict AS SELECT e.file, f.* FROM pg_temp.load(:'dir') e, pg_temp.found(e.body) f;
SET pg_apm.validation = lenient;
CREATE TEMP TABLE lenient AS SELECT e.file, f.* FROM pg_temp.load(:'dir') e, pg_temp.found(e.body) f;
SELECT s.file, concat_ws(' ', nullif(s.framing, 'ok'), nullif(s.rejected, '')) AS strict_refuses,
       l.transactions - s.transactions AS transactions, l.spans - s.spans AS spans,
       (SELECT string_agg(DISTINCT p.reason || ' (' || split_part(p.detail, ':', 1) || ')', ', ')
          FROM pg_temp.load(:'dir') e, apm.envelope_problems(e.body) p
         WHERE e.file = s.file AND p.detail NOT LIKE 'skipped:%') AS lenient_says
  FROM strict s JOIN lenient l USING (file)
 WHERE s IS DISTINCT FROM l ORDER BY 1;
SELECT count(*) AS fewer_in_lenient FROM strict s JOIN lenient l USING (file)
 WHERE l.transactions < s.transactions OR l.spans < s.spans OR l.errors < s.errors;
