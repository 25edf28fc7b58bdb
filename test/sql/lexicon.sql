-- Lexicons: spans packed with what the database has learned are the same
-- spans, and stand for themselves when they leave it.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT project_id FROM apm.create_project('lexicon', 77001);

-- Spans that repeat: queries, groups and attributes of a shop.
CREATE FUNCTION pg_temp.body(n int) RETURNS bytea LANGUAGE sql AS $$
SELECT convert_to(format(E'{}\n{"type":"transaction"}\n{"event_id":"%s","type":"transaction","transaction":"GET /orders","start_timestamp":%s,"timestamp":%s,'
  || '"contexts":{"trace":{"trace_id":"%1$s","span_id":"00000000000000aa","op":"http.server"}},"spans":[%4$s]}' || E'\n',
  md5('lexicon' || n), 4102600000 + n, 4102600001 + n,
  (SELECT string_agg(format('{"trace_id":"%s","span_id":"%s","parent_span_id":"00000000000000aa","op":"%s","description":"%s","origin":"auto.shop.%s",'
            || '"start_timestamp":%s,"timestamp":%s,"data":{"db.system":"postgresql","shop.zone":"zone %s","shop.rows":%s,"shop.tags":["a","b,c"],"shop.text":"dé, \"q\""}}',
            md5('lexicon' || n), lpad(to_hex(1000 * n + k), 16, '0'), (ARRAY['db', 'shop.price', 'cache.get'])[1 + k % 3],
            (ARRAY['SELECT name, price FROM articles WHERE article_id = $1 ORDER BY name', 'price of a basket', 'articles:front page'])[1 + k % 3],
            k % 3, 4102600000 + n, 4102600000.5 + n, k % 4, n), ',') FROM generate_series(1, 9) k)), 'UTF8') $$;
CREATE FUNCTION pg_temp.take_in(low int, high int) RETURNS bigint LANGUAGE sql AS $$
SELECT sum(r.accepted) FROM (SELECT array_agg(pg_temp.body(n) ORDER BY n) AS b FROM generate_series(low, high) n) s,
  apm.ingest_batch(s.b, array_fill(77001, ARRAY[cardinality(s.b)]), array_fill('2100-01-05 12:00Z'::timestamptz, ARRAY[cardinality(s.b)])) r $$;

-- Nothing stored: nothing to learn from.
SELECT count(*) FROM _apm.lexicons;
SELECT pg_temp.take_in(1, 30);
SELECT count(_apm.lexicon_of(b.spans)) AS with_lexicon FROM _apm.span_batches b WHERE project_id = 77001;
CREATE TEMP TABLE before AS SELECT s.* FROM apm.spans s WHERE project_id = 77001;

BEGIN;
SELECT _apm.learn_words(1000) IS NOT NULL AS learned;
SELECT _apm.lexicon_number(words) = id AS id_of_content FROM _apm.lexicons;
-- Learned again from the same: the same.
SELECT _apm.learn_words(1000) = (SELECT id FROM _apm.lexicons) AS same;
SELECT count(*) FROM _apm.lexicons;

-- What a set offers: each string of its columns, descriptions, members of its attributes.
SELECT is_word, piece, count(*) FROM _apm.span_batches b, _apm.pieces(b.spans) WHERE project_id = 77001 GROUP BY 1, 2 HAVING count(*) >= 30 AND piece !~ '^[0-9a-f]{16}$' ORDER BY is_word DESC, piece COLLATE "C";

-- New spans are packed with it, smaller, and read the same; what is in the
-- text form needs no lexicon.
SELECT pg_temp.take_in(31, 60);
SELECT _apm.lexicon_of(b.spans) IS NOT NULL AS with_lexicon, count(*), sum(apm.span_count(b.spans)) AS spans,
       round(avg(pg_column_size(b.spans)), -2) AS bytes
  FROM _apm.span_batches b WHERE project_id = 77001 GROUP BY 1 ORDER BY 1;
SELECT count(*) AS different
  FROM _apm.span_batches b
 WHERE project_id = 77001 AND (SELECT array_agg(s ORDER BY span_id) FROM apm.unnest(b.spans) s)
       IS DISTINCT FROM (SELECT array_agg(s ORDER BY span_id) FROM apm.unnest(b.spans::text::apm.spanset) s);
SELECT count(*) AS different FROM _apm.span_batches b
 WHERE project_id = 77001 AND (_apm.with_newest_lexicon(b.spans)::text <> b.spans::text OR b.spans::text NOT LIKE '\\x01%'
       OR _apm.lexicon_of(_apm.with_newest_lexicon(b.spans)) IS NULL OR _apm.lexicon_of(b.spans::bytea::apm.spanset) IS NOT NULL);

-- Those of the second half equal those of the first but for ids and times.
SELECT count(*) AS different FROM (
  SELECT op, description, origin, category, span_group, status, duration_ms, self_time_ms, attributes - 'shop.rows', count(*) FROM apm.spans s WHERE project_id = 77001 AND trace_id IN (SELECT trace_id FROM before) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
  EXCEPT
  SELECT op, description, origin, category, span_group, status, duration_ms, self_time_ms, attributes - 'shop.rows', count(*) FROM apm.spans s WHERE project_id = 77001 AND trace_id NOT IN (SELECT trace_id FROM before) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) d;
-- The other readers of a set.
SELECT apm.ops(b.spans), apm.span_count(b.spans), (apm.find_span(b.spans, lpad(to_hex(31001), 16, '0')::apm.span_id)).description,
       (SELECT count(*) FROM apm.spans_of_op(b.spans, 'shop.price')), apm.end_time(b.spans)
  FROM _apm.span_batches b WHERE project_id = 77001 AND trace_id = md5('lexicon31')::apm.trace_id;

-- Direct aggregates, and readers that look at the start of a value first: over
-- sets with a lexicon and without, also out of line.
CREATE TEMP TABLE sets (spans apm.spanset);
ALTER TABLE sets ALTER spans SET STORAGE EXTERNAL;
INSERT INTO sets SELECT b.spans FROM _apm.span_batches b WHERE project_id = 77001;
INSERT INTO sets SELECT _apm.with_newest_lexicon(apm.spanset_agg(s)) FROM apm.spans s0, LATERAL (SELECT
    ROW(s0.trace_id, s0.span_id, s0.parent_span_id, s0.segment_id, s0.is_segment, s0.op, s0.description, s0.status, s0.start_time, s0.duration_ms,
        s0.self_time_ms, s0.category, s0.span_group, s0.origin, s0.attributes)::apm.span AS s) r WHERE project_id = 77001;
SELECT count(*) AS sets, count(_apm.lexicon_of(spans)) AS with_lexicon, max(pg_column_size(spans)) > 4000 AS out_of_line FROM sets;
SELECT d.by, count(*) AS keys, sum(d.spans) AS spans FROM (
  SELECT 'op' AS by, k.key, k.spans, k.durations::text FROM (SELECT apm.durations_by_op(spans) d FROM sets) s, apm.by_key(s.d) k
  UNION ALL SELECT 'group', k.key, k.spans, k.durations::text FROM (SELECT apm.durations_by_group(spans) d FROM sets) s, apm.by_key(s.d) k
  UNION ALL SELECT 'category', k.key, k.spans, k.durations::text FROM (SELECT apm.self_times_by_category(spans) d FROM sets) s, apm.by_key(s.d) k) d
 WHERE (d.by, coalesce(d.key, ''), d.spans, d.durations) IN (
  SELECT 'op', coalesce(u.op, ''), count(*), apm.sketch_agg(u.duration_ms)::text FROM sets, apm.unnest(spans) u GROUP BY u.op
  UNION ALL SELECT 'group', coalesce(u.span_group, ''), count(*), apm.sketch_agg(u.duration_ms)::text FROM sets, apm.unnest(spans) u GROUP BY u.span_group
  UNION ALL SELECT 'category', coalesce(u.category, ''), count(*), apm.sketch_agg(u.self_time_ms)::text FROM sets, apm.unnest(spans) u GROUP BY u.category)
 GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT u.op) AS ops, count(DISTINCT u.span_group) AS groups, count(DISTINCT u.category) AS categories, count(*) FROM sets, apm.unnest(spans) u;
SELECT count(*) AS slowest FROM apm.unnest((SELECT apm.slowest_spans(spans, 7) FROM sets));
SELECT q.description, q.queries FROM apm.queries('2100-01-01', '2100-01-04', 77001) q;

-- Bytes that need a lexicon do not come in from outside.
\set VERBOSITY default
SAVEPOINT s;
SELECT '\x020000000100'::apm.spanset;
ROLLBACK TO s;
SELECT '\x02000000'::apm.spanset;
ROLLBACK TO s;
SELECT _apm.lexicon_make(array_fill('w'::text, ARRAY[20000]), '');
ROLLBACK TO s;
SELECT length(_apm.lexicon_make('{}', repeat('x', 70000)));
ROLLBACK TO s;
SELECT _apm.lexicon_make('{ab,NULL,c}', 'text');
-- Learning from nothing.
DELETE FROM _apm.span_batches WHERE project_id = 77001;
ROLLBACK;

SELECT count(*) FROM _apm.lexicons;
DELETE FROM _apm.span_batches WHERE project_id = 77001;
DELETE FROM apm.transactions WHERE project_id = 77001;
DELETE FROM _apm.seen WHERE project_id = 77001;
DELETE FROM _apm.outcome_log WHERE project_id = 77001;
DELETE FROM apm.project_keys WHERE project_id = 77001;
DELETE FROM apm.projects WHERE project_id = 77001;
