-- Cells gathered in C say the same as the SQL of _apm.cube_columns, for rows that nobody would wish for, too.
\set VERBOSITY terse
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE TEMP TABLE there AS SELECT inhrelid FROM pg_inherits WHERE inhparent IN ('apm.transactions'::regclass, '_apm.span_batches'::regclass);
SELECT count(_apm.make_partition(t, d)) AS partitions
  FROM unnest('{transactions,span_batches}'::text[]) t, unnest('{1960-01-01,1985-10-26,2012-02-29,2012-03-01,2012-12-31,2150-01-01}'::date[]) d;

-- Moments: before 1970 and 2000, after 2100, at edges of minutes, hours and days, without beginning or end.
CREATE TEMP TABLE moments AS SELECT row_number() OVER () - 1 AS i, at FROM unnest('{-infinity,2012-03-01 10:00,2012-02-29 23:59:59.999999,2012-03-01 00:00,
  4714-11-24 00:00 BC,0001-01-01 00:00:01,1969-12-31 23:59:59.5,1985-10-26 01:21,1985-10-26 01:20:59.999999,2012-03-01 10:00:30,2012-12-31 12:34:56.789,
  2012-03-01 10:59:59.999999,2012-03-01 11:00,2100-01-01,2150-06-01 13:13,294276-12-31 23:00,2012-03-01 23:30,infinity,2012-03-01 10:01}'::timestamptz[]) at;

INSERT INTO apm.transactions (project_id, trace_id, span_id, start_time, end_time, name, op, status, environment, release, user_key, duration_ms, measurements)
  SELECT 4700 + k % 3, lpad(to_hex(k + 1), 32, '0')::apm.trace_id, lpad(to_hex(k + 1), 16, '0')::apm.span_id, m.at, m.at,
         (ARRAY[NULL, '', '<< other >>', 'GET /a', 'GET /b', 'get /a', 'GET /ä', ' ', repeat('long name ', 2000)])[1 + k / 3 % 9],
         (ARRAY[NULL, '', 'http.server', 'task'])[1 + k / 5 % 4],
         CASE WHEN k % 7 > 0 THEN (enum_range(NULL::apm.span_status))[1 + k / 7 % cardinality(enum_range(NULL::apm.span_status))] END,
         (ARRAY[NULL, '', 'production', 'Production'])[1 + k / 11 % 4], (ARRAY['shop@1', NULL, '', repeat('é', 900)])[1 + k / 13 % 4],
         (ARRAY[NULL, '', 'u1', 'u2', 'u' || k, repeat('user ', 1000), 'U1'])[1 + k % 7],
         (ARRAY[0, '-0', -5, 'NaN', 'Infinity', '-Infinity', 299.99999999999994, 300, 300.00000000000006, 1200, 1200.0000000000002, 5e-324, 1e-310, 1e308, 0.001, 77, 8000.5]::float8[])[1 + k % 17],
         (ARRAY[NULL, '{}', '{"lcp": {"value": 2500, "unit": "millisecond"}}', '{"lcp": {"value": 0}}', '{"lcp": {"value": -1}}', '{"lcp": {"value": "x"}}', '{"lcp": null}', '{"lcp": {"value": 1e300}}', '[]']::jsonb[])[1 + k % 9]
    FROM generate_series(0, 4000) k JOIN moments m ON m.i = k % 19;
-- one cell with more users and values than any state holds one by one
INSERT INTO apm.transactions (project_id, trace_id, span_id, start_time, end_time, name, duration_ms, user_key)
  SELECT 4703, lpad(to_hex(k), 32, '0')::apm.trace_id, lpad(to_hex(k), 16, '0')::apm.span_id, '2012-12-31', '2012-12-31', 'GET /many', k % 3 * k / 7.0, 'user ' || k % 5000
    FROM generate_series(1, 12000) k;

-- Sets of spans: none, few, or too many for the short way; with times that add up to more than a sum may hold.
CREATE FUNCTION pg_temp.spans(k int, n int) RETURNS apm.spanset LANGUAGE sql AS $$
  SELECT apm.spanset_agg(ROW(lpad(to_hex(k + 1), 32, '0'), lpad(to_hex(k * 1000 + i), 16, '0'), NULL, NULL, i = 1,
           (ARRAY[NULL, '', 'db', 'db.query', 'http.client', 'http.client.x', 'http.server', 'HTTP.client', 'cache.get', 'queue.publish', 'ui'])[1 + h % 11],
           (ARRAY[NULL, '', 'a', 'b', 'SELECT ' || h, repeat('é', 700), 'x' || repeat('é', 700), 'é', 'Z'])[1 + h / 11 % 9],
           CASE WHEN h % 3 > 0 THEN (enum_range(NULL::apm.span_status))[1 + h % cardinality(enum_range(NULL::apm.span_status))] END, '2012-03-01'::timestamptz,
           (ARRAY[0, 0.001, 3, 12.345, 250000, 300000.001, 3999999999999999, 536870.912, 268435.456])[1 + h % 9],
           (ARRAY[NULL, 0, 0.001, 3, 3999999999999999, 99999.999])[1 + h / 9 % 6],
           (ARRAY[NULL, '', 'db', 'http', 'cache', 'cache', 'queue', 'queue', 'ui', 'DB'])[1 + h / 3 % 10],
           (ARRAY[NULL, '', '0123456789abcdef', '0123456789ABCDEF', 'group'])[1 + h / 7 % 5], 'manual',
           (ARRAY[NULL, '{}', '{"db.system": "postgresql"}', '{"db.system.name": "", "cache.key": ":x"}', '{"db.system": {"value": "mysql", "type": "string"}}',
             '{"cache.key": ["user:1", "b"], "cache.hit": true, "cache.item_size": 9e15}', '{"cache.key": "", "cache.hit": "False", "cache.item_size": "12.5"}',
             '{"cache.key": 17, "cache.hit": 1, "cache.item_size": 1e400}', '{"cache.hit": null, "cache.item_size": -1}', '{"http.response.status_code": 299.5}',
             '{"http.status_code": "404"}', '{"http.response.status_code": 500, "status_code": 301}', '{"http.response.status_code": "NaN"}',
             '{"messaging.destination.name": "orders", "messaging.message.receive.latency": 0.0005, "messaging.message.retry.count": 2.5}',
             '{"messaging.message.receive.latency": 9e15, "messaging.message.retry.count": 9000000000000000}', '{"messaging.destination.name": {"value": ["q\u0041"]}}',
             jsonb_build_object('messaging.destination.name', repeat('ü', 199), 'db.system', 'x' || repeat('ü', 150), 'cache.key', repeat('é', 500))]::jsonb[])[1 + h / 2 % 17])::apm.span ORDER BY i)
    FROM generate_series(1, n) i, LATERAL (SELECT (k * 131 + i * 7919) % 100003 AS h) r $$;
INSERT INTO _apm.span_batches (project_id, trace_id, end_time, transaction_name, environment, release, spans)
  SELECT 4700 + k % 3, lpad(to_hex(k + 1), 32, '0')::apm.trace_id, m.at, (ARRAY[NULL, '', '<< other >>', 'GET /a', 'GET /b', repeat('long name ', 2000)])[1 + k / 3 % 6],
         (ARRAY[NULL, '', 'production'])[1 + k / 5 % 3], (ARRAY['shop@1', NULL, ''])[1 + k / 7 % 3],
         CASE WHEN k % 23 = 0 THEN '\x0100' WHEN k % 101 = 0 THEN pg_temp.spans(k, 700) ELSE pg_temp.spans(k, 1 + k % 40) END
    FROM generate_series(1, 300) k JOIN moments m ON m.i = k % 19;
-- texts that are all empty, said to be compressed, behind rows that have some
INSERT INTO _apm.span_batches (project_id, trace_id, end_time, spans)
  SELECT 4705, '0000000000000000000000000000abcd', '2012-03-01 13:00', '\x010193400ad007014001010001400101000000000000000000000000000000000100004e4846740900000000000000000002010140010001'
    FROM generate_series(1, 2);
SELECT m.module, m.description = '' AS empty FROM _apm.span_batches b, _apm.module_spans(b.spans, 'queries') m WHERE b.project_id = 4705;
-- a cell that holds no spans
INSERT INTO _apm.span_batches (project_id, trace_id, end_time, spans) VALUES (4704, '0000000000000000000000000000abcd', '2012-03-01 10:00:01', '\x0100');

-- Names that have cells of their own, where there are more than may have.
INSERT INTO _apm.kept_names (kind, project_id, day, name)
  SELECT k, 4700, d, n FROM unnest('{transactions,spans}'::text[]) k, unnest('{2012-03-01,2012-02-29,-infinity,1985-10-26}'::date[]) d, unnest('{"<< other >>",GET /a,""}'::text[]) n;

-- Both ways for one cube, of all three widths; what no bucket holds has no cells.
CREATE FUNCTION pg_temp.compare(of_cube text, fold boolean, memory text, OUT cells bigint, OUT parts bigint, OUT differ bigint) LANGUAGE plpgsql AS $$
DECLARE
  condition constant text := $c$t.project_id BETWEEN 4700 AND 4709 AND t.end_time < 'infinity'$c$;
  c _apm.cubes;
  keys text;
  merged text;
  of_rows text;
BEGIN
  SELECT * INTO c FROM _apm.cubes u WHERE u.cube = of_cube;
  fold := fold AND c.folds_names;
  SELECT string_agg('c.' || k.name, ', ' ORDER BY k.place) FILTER (WHERE k.is_key), string_agg('(' || k.merged || ')::text', ', ' ORDER BY k.place) FILTER (WHERE NOT k.is_key)
    INTO keys, merged FROM _apm.cube_columns k WHERE k.cube = of_cube AND k.stored;
  SELECT string_agg(format('SELECT %s AS width, slot AS bucket, r.* FROM (%s) r', extract(epoch FROM w)::int / 60,
                           _apm.cells_of_rows(of_cube, format('_apm.bin(%L, t.end_time)', w), _apm.cell_columns(of_cube, true), _apm.cell_columns(of_cube, false), fold, condition)), ' UNION ALL ')
    INTO of_rows FROM unnest('{1 minute,1 hour,1 day}'::interval[]) w;
  PERFORM set_config('work_mem', memory, true);
  EXECUTE format('WITH made AS (SELECT ROW(c.width, c.bucket, %1$s)::text AS key, ROW(%2$s)::text AS line, count(*) AS parts FROM %3$s(%4$L, ''-infinity'', ''infinity'', ''infinity'') c GROUP BY c.width, c.bucket, %1$s),
      said AS (SELECT ROW(c.width, c.bucket, %1$s)::text AS key, ROW(%2$s)::text AS line FROM (%5$s) c GROUP BY c.width, c.bucket, %1$s)
    SELECT count(*), sum(m.parts), count(*) FILTER (WHERE m.line IS DISTINCT FROM s.line) FROM made m FULL JOIN said s USING (key)', keys, merged, c.gather,
    format('SELECT %s FROM %s t%s WHERE %s', _apm.measured_sql(replace(c.gather_rows, '{name}', _apm.folded_name(c.name_column, fold)), NULL), c.relation, _apm.fold_joins(of_cube, fold), condition), of_rows)
    INTO cells, parts, differ;
END $$;
CREATE FUNCTION pg_temp.compare_all(cubes text[] DEFAULT '{transactions,transaction_totals,spans,span_totals}', folds boolean[] DEFAULT '{f,t}', memory text DEFAULT '64MB') RETURNS TABLE (cube text, folded boolean, many boolean, in_parts boolean, differ bigint) LANGUAGE sql AS $$
  SELECT n, f, x.cells > 100, x.parts > x.cells, x.differ
    FROM unnest(cubes) WITH ORDINALITY n (n, o), unnest(folds) f, LATERAL pg_temp.compare(n, f, memory) x ORDER BY o, f $$;
SELECT * FROM pg_temp.compare_all();
-- in parts
SELECT * FROM pg_temp.compare_all(folds => '{f}', memory => '512kB');
-- at thresholds of one's own: for projects, for names, on another value
INSERT INTO apm.thresholds VALUES (4700, NULL, 'lcp', 1000), (4700, 'GET /*', 'duration', 77), (4700, '<< other >>', 'duration', 1e300), (4701, 'GET /a', 'lcp', 2500), (4702, NULL, 'duration', 5e-324);
SELECT * FROM pg_temp.compare_all('{transactions,transaction_totals}');

-- What the moments are: rows of the one before do not show in the buckets of the next.
SELECT c.width, c.bucket, sum(c.n) AS n FROM _apm.gather_transaction_totals(
    $$SELECT 4700, m.at, NULL, NULL, NULL, NULL, NULL::apm.span_status, 5::float8, 5::float8, 300::float8, NULL FROM moments m WHERE m.i IN (0, 1, 4, 15, 17, 18) ORDER BY m.i$$,
    'infinity', 'infinity', '2012-03-02') c GROUP BY 1, 2 ORDER BY 1, 2;

-- Other queries are refused, and an error within leaves nothing behind.
SELECT * FROM _apm.gather_span_totals('', 'infinity', 'infinity', 'infinity');
SELECT * FROM _apm.gather_span_totals('DELETE FROM _apm.span_batches RETURNING project_id, end_time, transaction_name, environment, release, spans', 'infinity', 'infinity', 'infinity');
SELECT * FROM _apm.gather_span_totals('SELECT project_id, end_time, transaction_name, environment, release, trace_id FROM _apm.span_batches', 'infinity', 'infinity', 'infinity');
SELECT count(*) FROM _apm.gather_span_totals('SELECT project_id, end_time, transaction_name, environment, release, spans FROM _apm.span_batches WHERE 1 / (project_id - 4702) < 2 AND project_id BETWEEN 4700 AND 4709', 'infinity', 'infinity', 'infinity');
SELECT count(*) FROM _apm.gather_span_totals(NULL, 'infinity', 'infinity', 'infinity');
SELECT count(*) FROM _apm.gather_span_totals('SELECT NULL::int, NULL::timestamptz, NULL, NULL, NULL, NULL::apm.spanset', '-infinity', 'infinity', 'infinity');
SELECT count(*) FROM _apm.gather_span_totals('SELECT 4700, now(), NULL, NULL, NULL, NULL::apm.spanset', '-infinity', 'infinity', 'infinity');

DELETE FROM apm.thresholds WHERE project_id BETWEEN 4700 AND 4709;
DELETE FROM _apm.kept_names WHERE project_id BETWEEN 4700 AND 4709;
DELETE FROM apm.transactions WHERE project_id BETWEEN 4700 AND 4709;
DELETE FROM _apm.span_batches WHERE project_id BETWEEN 4700 AND 4709;
DO $$
DECLARE
  made regclass;
BEGIN
  FOR made IN SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent IN ('apm.transactions'::regclass, '_apm.span_batches'::regclass) AND h.inhrelid NOT IN (SELECT t.inhrelid FROM there t) LOOP
    EXECUTE format('DROP TABLE %s', made);
  END LOOP;
END $$;
SELECT _apm.restart_rollups('transactions', '-infinity'), _apm.restart_rollups('spans', '-infinity');
SELECT (SELECT count(*) FROM _apm.transaction_hours) + (SELECT count(*) FROM _apm.span_hours) + (SELECT count(*) FROM _apm.kept_names WHERE project_id BETWEEN 4700 AND 4709) AS left_over;
