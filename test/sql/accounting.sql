-- What came in equals what was accepted, rejected and skipped: for every body of
-- test/data/envelopes, in both modes, in results and in outcomes.
\getenv dir PG_ABS_SRCDIR
\set dir :dir '/data/envelopes'
SET client_min_messages = warning;
CREATE TEMP TABLE body AS
  SELECT row_number() OVER (ORDER BY name COLLATE "C") AS n, name, name LIKE '%.store.json' AS store,
         pg_read_binary_file(:'dir' || '/' || name) AS body
    FROM pg_ls_dir(:'dir') name WHERE name ~ '^[0-9]{3}-';
-- Items as the framing tells them; a body that is refused as a whole counts as one,
-- in strict mode one whose DSN names another project as well.
CREATE TEMP TABLE came AS
  SELECT n, name, CASE WHEN store OR apm.envelope_header(body) IS NULL THEN 1
                       ELSE (SELECT count(*)::int FROM apm.envelope_items(body)) END AS items,
         NOT store AND apm.envelope_header(body) ? 'dsn' AS has_dsn
    FROM body;

-- Stores all bodies as a project's and says which do not add up, in results or outcomes.
CREATE FUNCTION pg_temp.differences(project int) RETURNS TABLE (name text, items bigint, counted bigint)
LANGUAGE plpgsql AS $$
DECLARE
  is_strict boolean := current_setting('pg_apm.validation') = 'strict';
  before bigint := (SELECT coalesce(sum(quantity), 0) FROM apm.outcomes o WHERE o.project_id = project AND o.category = 'item');
BEGIN
  CREATE TEMP TABLE result AS
    SELECT b.n, r.accepted, r.rejected, r.skipped
      FROM (SELECT store, array_agg(n ORDER BY n) AS ns, array_agg(body ORDER BY n) AS bodies FROM body GROUP BY store) s,
           LATERAL apm.ingest_batch(bodies, array_fill(project, ARRAY[cardinality(bodies)]),
                                    array_fill('2026-11-23 00:00+00'::timestamptz, ARRAY[cardinality(bodies)]),
                                    CASE WHEN store THEN 'sentry_store' ELSE 'sentry' END) WITH ORDINALITY AS
             r (event_id, accepted, rejected, skipped, problems, place),
           LATERAL (SELECT s.ns[r.place] AS n) b;
  RETURN QUERY
    WITH came AS (SELECT b.n, b.name, CASE WHEN is_strict AND b.has_dsn THEN 1 ELSE b.items END AS items FROM pg_temp.came b)
    SELECT c.name, c.items::bigint, r.accepted::bigint + r.rejected + r.skipped
      FROM came c LEFT JOIN result r USING (n)
     WHERE r.accepted + r.rejected + r.skipped IS DISTINCT FROM c.items
    UNION ALL
    SELECT 'outcomes, ' || x.outcome, x.result, x.outcomes
      FROM (SELECT v.outcome, v.result, (SELECT coalesce(sum(quantity), 0)::bigint FROM apm.outcomes o
                                  WHERE o.project_id = project AND o.category = 'item' AND o.outcome = v.outcome) AS outcomes
              FROM (SELECT sum(accepted) AS a, sum(rejected) AS r, sum(skipped) AS s FROM result) t,
                   LATERAL (VALUES ('accepted', t.a), ('rejected', t.r), ('skipped', t.s)) v(outcome, result)) x
     WHERE x.result <> x.outcomes AND before = 0
    UNION ALL
    SELECT 'all outcomes', (SELECT sum(c.items) FROM came c), sum(o.quantity)::bigint - before
      FROM apm.outcomes o WHERE o.project_id = project AND o.category = 'item'
    HAVING sum(o.quantity) - before <> (SELECT sum(c.items) FROM came c);
  CREATE TEMP TABLE IF NOT EXISTS summary (project int, accepted bigint, rejected bigint, skipped bigint);
  INSERT INTO summary SELECT project, sum(accepted), sum(rejected), sum(skipped) FROM result;
  DROP TABLE result;
END
$$;
SELECT * FROM pg_temp.differences(4211);
SET pg_apm.validation = strict;
SELECT * FROM pg_temp.differences(4212);
RESET pg_apm.validation;
-- once more, now that everything is there
SELECT * FROM pg_temp.differences(4211);
-- keeping what is not decoded
SET pg_apm.keep_raw_items = on;
SELECT * FROM pg_temp.differences(4213);
RESET pg_apm.keep_raw_items;
SELECT count(*) AS bodies, sum(items) AS items FROM came;
SELECT *, accepted + rejected + skipped AS items FROM summary;

-- Raw items are those that were skipped, with their bytes; the same in outcomes.
SELECT r.type, count(*), sum(length(r.payload)) AS bytes, bool_and(r.header ->> 'type' = r.type) AS header FROM apm.raw_items r
 WHERE project_id = 4213 GROUP BY 1 ORDER BY 1;
SELECT * FROM (SELECT category, sum(quantity) FROM apm.outcomes WHERE project_id = 4213 AND outcome = 'accepted' AND category LIKE '%\_bytes' GROUP BY 1) kept
 FULL JOIN (SELECT category, sum(quantity) FROM apm.outcomes WHERE project_id = 4211 AND outcome = 'skipped' AND category LIKE '%\_bytes' GROUP BY 1) skipped USING (category)
 WHERE kept.sum * 2 IS DISTINCT FROM skipped.sum;  -- project 4211 saw them twice
SELECT count(*) AS wrong FROM apm.raw_items r
 WHERE project_id = 4213 AND NOT EXISTS (SELECT FROM body b, apm.envelope_items(b.body) i WHERE i.ordinal = r.ordinal AND i.payload = r.payload AND i.header = r.header);

-- What SDKs threw away, as their reports say.
WITH sent AS (
  SELECT e ->> 'category' AS category, e ->> 'reason' AS reason, sum((e ->> 'quantity')::bigint) AS quantity
    FROM body b, apm.envelope_items(b.body) i, jsonb_array_elements(convert_from(i.payload, 'UTF8')::jsonb -> 'discarded_events') e
   WHERE i.type = 'client_report' GROUP BY 1, 2),
stored AS (SELECT category, reason, sum(quantity) AS quantity FROM apm.outcomes WHERE project_id = 4211 AND outcome = 'client_discard' GROUP BY 1, 2)
SELECT * FROM sent FULL JOIN stored USING (category, reason) WHERE sent.quantity IS DISTINCT FROM stored.quantity;

DELETE FROM apm.transactions WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM _apm.page_vitals WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM apm.errors WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM _apm.span_batches WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM apm.sessions WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM apm.check_ins WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM apm.monitors WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM apm.raw_items WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM _apm.outcome_log WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM _apm.seen WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM apm.project_keys WHERE project_id BETWEEN 4211 AND 4213;
DELETE FROM apm.projects WHERE project_id BETWEEN 4211 AND 4213;
