-- Rollups of spans: the four readers give the same answers from them as from rows.
\set VERBOSITY terse
SET timezone = 'UTC';
SET client_min_messages = warning;
SELECT _apm.restart_rollups('spans', '-infinity');
SELECT count(_apm.make_partition('span_batches', d::date)) AS partitions FROM generate_series('2011-05-01'::date, '2011-05-03', '1 day') d;

-- Segment b of 6 spans, every 8 minutes for three days; two projects, 7 names.
CREATE FUNCTION pg_temp.store(first int, last int, shift interval DEFAULT '0') RETURNS bigint LANGUAGE sql AS $$
  WITH stored AS (
    INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
    SELECT 4600 + b % 2, lpad(to_hex(b), 32, '0')::apm.trace_id, lpad(to_hex(b * 100 + 1), 16, '0')::apm.span_id,
           '2011-05-01 00:01:30Z'::timestamptz + b * interval '8 minutes' + shift, CASE WHEN b % 11 > 0 THEN 'GET /' || b % 7 END, CASE WHEN b % 4 = 0 THEN 'staging' ELSE 'production' END,
           'shop@' || b % 3, apm.spanset_agg(ROW(lpad(to_hex(b), 32, '0'), lpad(to_hex(b * 100 + i), 16, '0'), NULL, NULL, i = 1, o.op, d.description,
             (ARRAY['ok', 'ok', 'internal_error', 'cancelled', NULL])[1 + k / 12 % 5], '2011-05-01'::timestamptz,
             (1 + k * 7919 % 50021) / 10.0, CASE WHEN k % 11 > 0 THEN (k * 7919 % 50021) / 20.0 END, split_part(o.op, '.', 1),
             CASE WHEN d.description IS NOT NULL THEN substr(md5(apm.normalize_description(o.op, d.description)), 1, 16) END, 'manual',
             CASE split_part(o.op, '.', 1) WHEN 'db' THEN '{"db.system": "postgresql"}' WHEN 'http' THEN jsonb_build_object('http.response.status_code', 200 + k / 12 % 5 * 100)
               WHEN 'cache' THEN jsonb_build_object('cache.key', (ARRAY['user:', 'page:', ''])[1 + k / 12 % 3] || k, 'cache.hit', k / 12 % 2 = 0, 'cache.item_size', k % 999)
               WHEN 'queue' THEN jsonb_build_object('messaging.destination.name', 'orders ' || k / 12 % 2, 'messaging.message.receive.latency', (k % 1000) / 8.0, 'messaging.message.retry.count', k / 12 % 4) END)::apm.span)
      FROM generate_series(first, last) b, generate_series(1, 6) i, LATERAL (SELECT (b * 131 + i * 77) % 9973 AS k) r,
           LATERAL (SELECT (ARRAY['db', 'http.client', 'http.server', 'cache.get', 'queue.publish', 'queue.process', 'template.render', 'cache.put'])[1 + k % 8] AS op) o,
           LATERAL (SELECT CASE o.op WHEN 'db' THEN (ARRAY['SELECT * FROM t WHERE id = ', 'DELETE FROM u WHERE id = '])[1 + k / 8 % 2] || k
                                     WHEN 'http.client' THEN 'GET https://a' || k % 3 || (ARRAY['.shop.example/', '.example.test/'])[1 + k / 8 % 2] || k END AS description) d
     GROUP BY b RETURNING 1)
  SELECT count(*) FROM stored $$;
SELECT pg_temp.store(1, 535);

-- Rounds until nothing is left: another session may hold the horizon back for a moment.
CREATE FUNCTION pg_temp.roll(at timestamptz DEFAULT now()) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..1000 LOOP
    PERFORM _apm.roll('spans', at);
    EXIT WHEN (SELECT tail_rows + stale_hours FROM apm.rollup_status WHERE kind = 'spans') = 0;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN (SELECT tail_rows + stale_hours = 0 FROM apm.rollup_status WHERE kind = 'spans');
END $$;

-- Everything that the readers say for some windows and filters.
CREATE FUNCTION pg_temp.answers() RETURNS SETOF text LANGUAGE sql STABLE AS $$
  WITH w (n, since, until, project, env, rel, name) AS (VALUES
    (1, '2011-05-01'::timestamptz, '2011-05-04'::timestamptz, NULL::int, NULL, NULL, NULL), (2, '2011-05-01 03:00', '2011-05-02 05:00', 4600, NULL, NULL, NULL),
    (3, '2011-05-01 03:17:04.5', '2011-05-03 21:30:01', NULL, 'production', NULL, NULL), (4, '2011-05-02', '2011-05-03', 4601, NULL, 'shop@1', 'GET /3'),
    (5, '2011-05-02 10:10', '2011-05-02 10:50', NULL, NULL, NULL, NULL), (6, NULL, NULL, 4600, NULL, NULL, 'GET /1'))
  SELECT n || ' queries ' || q FROM w, LATERAL (SELECT * FROM apm.queries(since, until, project, env, rel, name) WHERE project_id IN (4600, 4601)) q
  UNION ALL SELECT n || ' requests ' || q FROM w, LATERAL (SELECT * FROM apm.requests(since, until, project, env, rel, name) WHERE project_id IN (4600, 4601)) q
  UNION ALL SELECT n || ' caches ' || q FROM w, LATERAL (SELECT * FROM apm.caches(since, until, project, env, rel, name) WHERE project_id IN (4600, 4601)) q
  UNION ALL SELECT n || ' queues ' || q FROM w, LATERAL (SELECT * FROM apm.queues(since, until, project, env, rel, name) WHERE project_id IN (4600, 4601)) q $$;
CREATE TEMP TABLE from_rows (line text);
CREATE FUNCTION pg_temp.compare(OUT lines bigint, OUT only_rows bigint, OUT only_rollups bigint) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE from_rows;
  SET LOCAL pg_apm.use_rollups = off;
  INSERT INTO from_rows SELECT pg_temp.answers();
  SET LOCAL pg_apm.use_rollups = on;
  SELECT count(*), count(*) FILTER (WHERE c.line IS NULL), count(*) FILTER (WHERE r.line IS NULL) INTO lines, only_rows, only_rollups
    FROM from_rows r FULL JOIN pg_temp.answers() c (line) ON c.line = r.line;
END $$;
-- Cells as they are stored, each merged, against cells made of rows.
CREATE FUNCTION pg_temp.cells_differ(OUT cells bigint, OUT differ bigint) LANGUAGE plpgsql AS $$
DECLARE
  t record;
  keys text;
  merged text;
  here bigint;
  wrong bigint;
BEGIN
  cells := 0; differ := 0;
  FOR t IN SELECT c.cube, c.store || w.suffix AS store, w.width FROM _apm.cubes c, (VALUES ('_hours', interval '1 hour'), ('_days', '1 day')) w (suffix, width) WHERE c.kind = 'spans' LOOP
    SELECT string_agg('c.' || k.name || '::text', ', ' ORDER BY k.place) FILTER (WHERE k.is_key), string_agg('(' || k.merged || ')::text', ', ' ORDER BY k.place) FILTER (WHERE NOT k.is_key)
      INTO keys, merged FROM _apm.cube_columns k WHERE k.cube = t.cube AND k.stored;
    EXECUTE format('WITH stored AS (SELECT ROW(c.bucket, %1$s, %2$s)::text AS line FROM %3$s c WHERE c.project_id IN (4600, 4601) GROUP BY c.bucket, %1$s),
        made AS (SELECT ROW(c.bucket, %1$s, %2$s)::text AS line FROM (SELECT m.slot AS bucket, m.* FROM (%4$s) m) c GROUP BY c.bucket, %1$s)
      SELECT count(*), count(*) FILTER (WHERE s.line IS NULL OR m.line IS NULL) FROM stored s FULL JOIN made m USING (line)', keys, merged, t.store,
      _apm.cells_of_rows(t.cube, format('_apm.bin(%L, t.end_time)', t.width), _apm.cell_columns(t.cube, true), _apm.cell_columns(t.cube, false), false, 't.project_id IN (4600, 4601)'))
      INTO here, wrong;
    cells := cells + here; differ := differ + wrong;
  END LOOP;
END $$;

SELECT * FROM pg_temp.compare();
SELECT pg_temp.roll('2011-05-02 12:00') AS rolled;
SELECT * FROM pg_temp.compare();
-- later days are closed from hours
SELECT pg_temp.roll() AS rolled;
SELECT * FROM pg_temp.compare();
SELECT cells > 500 AS many, differ FROM pg_temp.cells_differ();
SELECT count(*) > 0 AS hours, (SELECT count(*) > 0 FROM _apm.span_days WHERE project_id = 4600) AS days, (SELECT count(*) FROM _apm.span_minutes) AS minutes FROM _apm.span_hours WHERE project_id = 4600;

-- explain says where it was read from
SET client_min_messages = notice;
SELECT sum(queries) FROM apm.queries('2011-05-01', '2011-05-04', 4600, explain => true);
SELECT sum(requests) FROM apm.requests('2011-05-01 00:00', '2011-05-02 02:30', 4600, explain => true);
SELECT sum(operations) FROM apm.caches('2011-05-01 00:10', '2011-05-01 00:20', 4600, explain => true);
SET pg_apm.use_rollups = off;
SELECT sum(published + processed) FROM apm.queues('2011-05-01', '2011-05-04', 4600, explain => true);
RESET pg_apm.use_rollups;
-- cells of caches alone are told apart by transaction
SELECT sum(operations) FROM apm.caches('2011-05-01', '2011-05-04', 4600, transaction_name => 'GET /1', explain => true);
SELECT sum(queries) FROM apm.queries('2011-05-01', '2011-05-04', 4600, transaction_name => 'GET /1', explain => true);
SET client_min_messages = warning;

-- Cells come in parts when they take more memory than they may; together they say the same.
CREATE FUNCTION pg_temp.gathered(memory text) RETURNS TABLE (cell text, parts bigint) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('work_mem', memory, true);
  RETURN QUERY EXECUTE (
    SELECT format('SELECT ROW(c.width, c.bucket, %1$s, %2$s)::text, count(*) FROM _apm.gather_spans(
                     ''SELECT project_id, end_time, transaction_name, environment, release, spans FROM _apm.span_batches WHERE project_id IN (4600, 4601)'',
                     ''infinity'', ''infinity'', ''2011-05-03'') c GROUP BY c.width, c.bucket, %1$s',
                  string_agg('c.' || k.name, ', ' ORDER BY k.place) FILTER (WHERE k.is_key), string_agg(k.merged, ', ' ORDER BY k.place) FILTER (WHERE NOT k.is_key))
      FROM _apm.cube_columns k WHERE k.cube = 'spans' AND k.stored);
END $$;
SELECT count(*) = count(*) FILTER (WHERE a.cell = b.cell) AS same, sum(a.parts) = count(*) AS whole, sum(b.parts) > count(*) AS in_parts
  FROM pg_temp.gathered('64MB') a FULL JOIN pg_temp.gathered('64kB') b USING (cell);
SELECT * FROM _apm.gather_spans('SELECT 1, now()', 'infinity', 'infinity', 'infinity');
SELECT * FROM _apm.gather_spans('CREATE TABLE no_rows ()', 'infinity', 'infinity', 'infinity');
RESET work_mem;

-- Rows that came later, rows that changed, rows that went: before and after the next round.
SELECT pg_temp.store(1000, 1020, '-5 days');
SELECT * FROM pg_temp.compare();
SELECT pg_temp.roll() AS rolled;
SELECT * FROM pg_temp.compare();
SELECT differ FROM pg_temp.cells_differ();
UPDATE _apm.span_batches SET transaction_name = 'GET /3' WHERE project_id = 4601 AND end_time BETWEEN '2011-05-02 03:00' AND '2011-05-02 05:30';
DELETE FROM _apm.span_batches WHERE project_id = 4600 AND end_time BETWEEN '2011-05-03 03:00' AND '2011-05-03 04:30';
SELECT * FROM pg_temp.compare();
SELECT pg_temp.roll() AS rolled;
SELECT * FROM pg_temp.compare();
SELECT differ FROM pg_temp.cells_differ();
-- many small rounds: what is appended is merged now and then
DO $$
BEGIN
  FOR i IN 1..20 LOOP
    PERFORM pg_temp.store(1500 + i, 1500 + i, '-8 days');
    COMMIT;
    PERFORM _apm.roll('spans');
    COMMIT;
  END LOOP;
END $$;
SELECT pg_temp.roll() AS rolled;
SELECT * FROM pg_temp.compare();
SELECT differ FROM pg_temp.cells_differ();
-- another definition of failure holds for what is rolled up, too
INSERT INTO apm.failure_rules (project_id, failing) VALUES (4601, '{cancelled}');
SELECT * FROM pg_temp.compare();
DELETE FROM apm.failure_rules WHERE project_id = 4601;
-- made anew
SELECT apm.rebuild_rollups(4600, '2011-05-01', '2011-05-04') > 40 AS rebuilt;
SELECT * FROM pg_temp.compare();
SELECT differ FROM pg_temp.cells_differ();

-- Retention of rows leaves the rollups standing.
CREATE TEMP TABLE before AS SELECT * FROM apm.queries('2011-05-01', '2011-05-03') WHERE project_id IN (4600, 4601);
CREATE FUNCTION pg_temp.release(until timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..1000 LOOP
    IF _apm.release_rows('spans', until) THEN
      RETURN true;
    END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN false;
END $$;
SELECT pg_temp.release('2011-05-02') AS released;
DROP TABLE _apm.span_batches_20110501;
SELECT count(*) AS queries, count(*) FILTER (WHERE b::text IS DISTINCT FROM a::text) AS differ
  FROM before b FULL JOIN (SELECT * FROM apm.queries('2011-05-01', '2011-05-03') WHERE project_id IN (4600, 4601)) a USING (project_id, span_group, system);
SELECT apm.rebuild_rollups(4600, '2011-05-01', '2011-05-04') > 20 AS rebuilt;
SELECT count(*) AS queries, count(*) FILTER (WHERE b::text IS DISTINCT FROM a::text) AS differ
  FROM before b FULL JOIN (SELECT * FROM apm.queries('2011-05-01', '2011-05-03') WHERE project_id IN (4600, 4601)) a USING (project_id, span_group, system);

-- Past pg_apm.max_names, names come together; totals stay.
DELETE FROM _apm.rollup_floor WHERE kind = 'spans';
SELECT _apm.restart_rollups('spans', '-infinity');
DELETE FROM _apm.kept_names WHERE project_id IN (4600, 4601);
SET pg_apm.max_names = 3;
SELECT pg_temp.roll() AS rolled;
SELECT transaction_name, sum(operations) > 0 AS has_some FROM apm.caches('2011-05-02', '2011-05-03', 4600) GROUP BY 1 ORDER BY 1;
SELECT sum(operations) = (SELECT count(*) FROM apm.spans WHERE project_id = 4600 AND category = 'cache' AND segment_end_time >= '2011-05-02' AND segment_end_time < '2011-05-03') AS same_total
  FROM apm.caches('2011-05-02', '2011-05-03', 4600);
-- what does not tell names apart is the same as ever
CREATE TEMP TABLE folded AS SELECT 'rollups' AS source, q.* FROM apm.queries('2011-05-02', '2011-05-04') q WHERE project_id IN (4600, 4601);
SET pg_apm.use_rollups = off;
INSERT INTO folded SELECT 'rows', q.* FROM apm.queries('2011-05-02', '2011-05-04') q WHERE project_id IN (4600, 4601);
RESET pg_apm.use_rollups;
SELECT count(DISTINCT span_group) AS groups, count(DISTINCT (f.project_id, f.span_group, f.description, f.queries, f.p95_ms, f.total_ms, f.self_ms, f.time_spent_percentage)) = count(*) / 2 AS same FROM folded f;
RESET pg_apm.max_names;

DROP TABLE _apm.span_batches_20110502, _apm.span_batches_20110503;
DELETE FROM _apm.kept_names WHERE project_id IN (4600, 4601);
DELETE FROM _apm.span_batches WHERE project_id IN (4600, 4601);
SELECT _apm.restart_rollups('spans', '-infinity');
SELECT (SELECT count(*) FROM _apm.span_hours) + (SELECT count(*) FROM _apm.span_days) + (SELECT count(*) FROM _apm.span_total_hours) + (SELECT count(*) FROM _apm.span_total_days) AS left_over;
