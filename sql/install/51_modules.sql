-- ---------------------------------------------------------------------------
-- modules: queries, requests, caches and queues, out of the spans inside of
-- transactions
--
-- Every function works without arguments: the last 24 hours of everything.
-- Windows are [since, until) on the end time of the segment that a span
-- belongs to.

CREATE FUNCTION _apm.has_module_spans(spans apm.spanset, module text) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION _apm.has_module_spans(apm.spanset, text) IS 'Whether a packed set has spans of the category of queries, requests, caches or queues';

CREATE FUNCTION _apm.module_spans(spans apm.spanset, wanted text,
    OUT module text, OUT op text, OUT category text, OUT span_group text, OUT label text, OUT description text,
    OUT status apm.span_status, OUT duration_ms float8, OUT self_time_ms float8, OUT http_status float8,
    OUT cache_hit boolean, OUT item_size float8, OUT latency_ms float8, OUT retries float8)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50 ROWS 5;
COMMENT ON FUNCTION _apm.module_spans(apm.spanset, text) IS 'The spans of a packed set that are queries, requests, caches or queues, or all, with what their attributes say. label: the database system, the beginning of the cache''s key, the queue';

CREATE FUNCTION _apm.self_time_us(spans apm.spanset) RETURNS bigint
  AS 'MODULE_PATHNAME', 'spanset_self_time_us' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION _apm.self_time_us(apm.spanset) IS 'Self time of all spans of a packed set together, in microseconds, at most 9e18';

-- Rollups of spans.  Unlike transactions they have no minutes: for two days
-- these would take a large part of what the spans themselves take.  Hours have
-- cells as soon as something is rolled up, hence no end of closed hours, and
-- parts of hours at the edges of a window are read from rows.

CREATE TABLE _apm.span_hours (
  project_id       integer NOT NULL,
  bucket           timestamptz NOT NULL,
  transaction_name text,
  environment      text,
  release          text,
  module           text,
  op               text,
  category         text,
  span_group       text,
  label            text,
  status           apm.span_status,
  n                bigint NOT NULL,
  sketch           apm.sketch,
  self_us          bigint NOT NULL,
  self_sketch      apm.sketch,
  description      text,
  responses        bigint NOT NULL,
  redirects        bigint NOT NULL,
  client_errors    bigint NOT NULL,
  server_errors    bigint NOT NULL,
  hits             bigint NOT NULL,
  misses           bigint NOT NULL,
  sized            bigint NOT NULL,
  bytes            bigint NOT NULL,
  waited           bigint NOT NULL,
  wait_us          bigint NOT NULL,
  delivered        bigint NOT NULL,
  retries          bigint NOT NULL
);
CREATE TABLE _apm.span_minutes (LIKE _apm.span_hours);
CREATE TABLE _apm.span_days (LIKE _apm.span_hours);
CREATE INDEX span_hours_bucket ON _apm.span_hours (bucket, project_id);
CREATE INDEX span_days_bucket ON _apm.span_days (bucket, project_id);
COMMENT ON TABLE _apm.span_hours IS 'Cells of spans by hour: sketches of durations and self times in milliseconds, sums in microseconds and bytes, and what attributes said: of so many responses so many were redirects, …; description: one of the group';
COMMENT ON TABLE _apm.span_days IS 'Cells of spans by day (UTC)';
COMMENT ON TABLE _apm.span_minutes IS 'Always empty: spans have no minutes';

CREATE TABLE _apm.span_total_hours (
  project_id       integer NOT NULL,
  bucket           timestamptz NOT NULL,
  transaction_name text,
  environment      text,
  release          text,
  n                bigint NOT NULL,
  self_us          bigint NOT NULL
);
CREATE TABLE _apm.span_total_minutes (LIKE _apm.span_total_hours);
CREATE TABLE _apm.span_total_days (LIKE _apm.span_total_hours);
CREATE INDEX span_total_hours_bucket ON _apm.span_total_hours (bucket, project_id);
CREATE INDEX span_total_days_bucket ON _apm.span_total_days (bucket, project_id);
COMMENT ON TABLE _apm.span_total_hours IS 'Number and self time of all spans by hour, whatever their kind: what a share is a share of';
COMMENT ON TABLE _apm.span_total_days IS 'Number and self time of all spans by day (UTC)';
COMMENT ON TABLE _apm.span_total_minutes IS 'Always empty: spans have no minutes';

-- Sums end at 9e18, lest a sender of absurd times stops the roller; all that
-- is added is not negative, so that merging keeps to it.
--
-- Where rows are read for one kind alone, its name stands in the place of all.
--
-- Cells of caches are told apart by transaction, others are not: there would be
-- nearly as many of them as spans.  Who asks for the queries of one transaction
-- reads rows, by any_transaction_name.
INSERT INTO _apm.cubes (cube, kind, relation, name_column, source, condition, store, folds_names) VALUES
  ('spans', 'spans', '_apm.span_batches', 't.transaction_name', '_apm.span_batches t CROSS JOIN LATERAL _apm.module_spans(t.spans, ''all'') m',
   '_apm.has_module_spans(t.spans, ''all'')', '_apm.span', true),
  ('span_totals', 'spans', '_apm.span_batches', 't.transaction_name', '_apm.span_batches t', 'true', '_apm.span_total', true);

INSERT INTO _apm.cube_columns (cube, place, name, is_key, stored, from_rows, from_cells, merged) VALUES
  ('spans', 1, 'project_id', true, true, 't.project_id', NULL, NULL),
  ('spans', 2, 'transaction_name', true, true, 'CASE WHEN m.module = ''caches'' THEN t.transaction_name END', NULL, NULL),
  ('spans', 2, 'any_transaction_name', true, false, 't.transaction_name', NULL, NULL),
  ('spans', 3, 'environment', true, true, 't.environment', NULL, NULL),
  ('spans', 4, 'release', true, true, 't.release', NULL, NULL),
  ('spans', 5, 'module', true, true, 'm.module', NULL, NULL),
  ('spans', 6, 'op', true, true, 'm.op', NULL, NULL),
  ('spans', 7, 'category', true, true, 'm.category', NULL, NULL),
  ('spans', 8, 'span_group', true, true, 'm.span_group', NULL, NULL),
  ('spans', 9, 'label', true, true, 'm.label', NULL, NULL),
  ('spans', 10, 'status', true, true, 'm.status', NULL, NULL),
  ('spans', 11, 'n', false, true, 'count(*)', NULL, 'sum(c.n)::bigint'),
  ('spans', 12, 'sketch', false, true, 'apm.sketch_agg(m.duration_ms)', NULL, 'apm.sketch_merge(c.sketch)'),
  ('spans', 13, 'self_us', false, true, 'least(coalesce(sum(round(m.self_time_ms * 1000)::bigint), 0), 9000000000000000000)::bigint', NULL, 'least(sum(c.self_us), 9000000000000000000)::bigint'),
  ('spans', 14, 'self_sketch', false, true, 'apm.sketch_agg(m.self_time_ms)', NULL, 'apm.sketch_merge(c.self_sketch)'),
  ('spans', 15, 'description', false, true, 'min(m.description COLLATE "C")', NULL, 'min(c.description COLLATE "C")'),
  ('spans', 16, 'responses', false, true, 'count(m.http_status)', NULL, 'sum(c.responses)::bigint'),
  ('spans', 17, 'redirects', false, true, 'count(*) FILTER (WHERE m.http_status >= 300 AND m.http_status < 400)', NULL, 'sum(c.redirects)::bigint'),
  ('spans', 18, 'client_errors', false, true, 'count(*) FILTER (WHERE m.http_status >= 400 AND m.http_status < 500)', NULL, 'sum(c.client_errors)::bigint'),
  ('spans', 19, 'server_errors', false, true, 'count(*) FILTER (WHERE m.http_status >= 500 AND m.http_status < 600)', NULL, 'sum(c.server_errors)::bigint'),
  ('spans', 20, 'hits', false, true, 'count(*) FILTER (WHERE m.cache_hit)', NULL, 'sum(c.hits)::bigint'),
  ('spans', 21, 'misses', false, true, 'count(*) FILTER (WHERE NOT m.cache_hit)', NULL, 'sum(c.misses)::bigint'),
  ('spans', 22, 'sized', false, true, 'count(m.item_size)', NULL, 'sum(c.sized)::bigint'),
  ('spans', 23, 'bytes', false, true, 'least(coalesce(sum(round(m.item_size)::bigint), 0), 9000000000000000000)::bigint', NULL, 'least(sum(c.bytes), 9000000000000000000)::bigint'),
  ('spans', 24, 'waited', false, true, 'count(m.latency_ms)', NULL, 'sum(c.waited)::bigint'),
  ('spans', 25, 'wait_us', false, true, 'least(coalesce(sum(round(m.latency_ms * 1000)::bigint), 0), 9000000000000000000)::bigint', NULL, 'least(sum(c.wait_us), 9000000000000000000)::bigint'),
  ('spans', 26, 'delivered', false, true, 'count(m.retries)', NULL, 'sum(c.delivered)::bigint'),
  ('spans', 27, 'retries', false, true, 'least(coalesce(sum(round(m.retries)::bigint), 0), 9000000000000000000)::bigint', NULL, 'least(sum(c.retries), 9000000000000000000)::bigint'),
  ('spans', 28, 'failures', false, false, 'count(*) FILTER (WHERE apm.is_failure(t.project_id, m.status))',
   'CASE WHEN apm.is_failure(c.project_id, c.status) THEN c.n ELSE 0 END', 'sum(c.failures)::bigint'),
  ('span_totals', 1, 'project_id', true, true, 't.project_id', NULL, NULL),
  ('span_totals', 2, 'transaction_name', true, true, 't.transaction_name', NULL, NULL),
  ('span_totals', 3, 'environment', true, true, 't.environment', NULL, NULL),
  ('span_totals', 4, 'release', true, true, 't.release', NULL, NULL),
  ('span_totals', 5, 'n', false, true, 'sum(apm.span_count(t.spans))::bigint', NULL, 'sum(c.n)::bigint'),
  ('span_totals', 6, 'self_us', false, true,
   'least(sum(_apm.self_time_us(t.spans)), 9000000000000000000)::bigint', NULL, 'least(sum(c.self_us), 9000000000000000000)::bigint');

CREATE FUNCTION _apm.gather_spans(query text, minutes_since timestamptz, hours_until timestamptz, days_until timestamptz,
    OUT width integer, OUT bucket timestamptz, OUT project_id integer, OUT environment text, OUT release text,
    OUT transaction_name text, OUT module text, OUT op text, OUT category text, OUT span_group text, OUT label text, OUT status apm.span_status,
    OUT n bigint, OUT sketch apm.sketch, OUT self_us bigint, OUT self_sketch apm.sketch, OUT description text,
    OUT responses bigint, OUT redirects bigint, OUT client_errors bigint, OUT server_errors bigint, OUT hits bigint, OUT misses bigint,
    OUT sized bigint, OUT bytes bigint, OUT waited bigint, OUT wait_us bigint, OUT delivered bigint, OUT retries bigint)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 10000;
COMMENT ON FUNCTION _apm.gather_spans(text, timestamptz, timestamptz, timestamptz) IS 'Cells of spans, width in minutes, from the rows of a query (project_id, end_time, transaction_name, environment, release, spans), all in one pass: see _apm.gather_transactions';

CREATE FUNCTION _apm.gather_span_totals(query text, minutes_since timestamptz, hours_until timestamptz, days_until timestamptz,
    OUT width integer, OUT bucket timestamptz, OUT project_id integer, OUT environment text, OUT release text,
    OUT transaction_name text, OUT n bigint, OUT self_us bigint)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 10000;
COMMENT ON FUNCTION _apm.gather_span_totals(text, timestamptz, timestamptz, timestamptz) IS 'Cells of all spans, from the same rows as _apm.gather_spans';
UPDATE _apm.cubes SET gather = '_apm.gather_' || cube,
  gather_rows = 't.project_id, t.end_time, {name}, t.environment, t.release, t.spans' WHERE kind = 'spans';

INSERT INTO _apm.rollup_state (kind, hours_until, minutes_since) VALUES ('spans', 'infinity', 'infinity');

-- Only what cannot be made again from the rows goes into a dump.
SELECT pg_catalog.pg_extension_config_dump('_apm.span_hours', 'WHERE bucket < (SELECT kept_since FROM _apm.rollup_floor WHERE kind = ''spans'')');
SELECT pg_catalog.pg_extension_config_dump('_apm.span_total_hours', 'WHERE bucket < (SELECT kept_since FROM _apm.rollup_floor WHERE kind = ''spans'')');

-- What the four functions below have in common: cells of one kind, merged by
-- the keys that are asked for.
CREATE FUNCTION _apm.span_cells(wanted text, keys text[], since timestamptz, until timestamptz, project integer,
    environment text, release text, transaction_name text, explain boolean,
    OUT project_id integer, OUT transaction text, OUT op text, OUT span_group text, OUT label text, OUT description text,
    OUT n bigint, OUT durations apm.sketch, OUT self_us bigint, OUT failures bigint,
    OUT responses bigint, OUT redirects bigint, OUT client_errors bigint, OUT server_errors bigint,
    OUT hits bigint, OUT misses bigint, OUT sized bigint, OUT bytes bigint,
    OUT waited bigint, OUT wait_us bigint, OUT delivered bigint, OUT retries bigint)
  RETURNS SETOF record
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  started constant timestamptz := clock_timestamp();
  measures constant text[] := '{n,sketch,self_us,description,failures,responses,redirects,client_errors,server_errors,hits,misses,sized,bytes,waited,wait_us,delivered,retries}';
  plan _apm.cell_plan;
BEGIN
  PERFORM _apm.check_window(since, until);
  plan := _apm.cells('spans', since, until, NULL, keys, measures,
                     jsonb_build_object('project_id', project, 'environment', environment, 'release', release, 'module', wanted,
                                        CASE WHEN wanted = 'caches' THEN 'transaction_name' ELSE 'any_transaction_name' END, transaction_name),
                     NULL, CASE WHEN wanted <> 'caches' AND transaction_name IS NOT NULL
                                THEN format('Rollups do not tell the %s of one transaction apart.', wanted) END);
  plan.cells := replace(plan.cells, 't.spans, ''all''', 't.spans, ' || quote_literal(wanted));
  RETURN QUERY EXECUTE format('SELECT %s, %s FROM (%s) c GROUP BY %s',
    (SELECT string_agg(CASE WHEN k = ANY (keys) THEN 'c.' || k ELSE 'NULL' || CASE k WHEN 'project_id' THEN '::integer' ELSE '::text' END END, ', ' ORDER BY i)
       FROM unnest('{project_id,transaction_name,op,span_group,label}'::text[]) WITH ORDINALITY x (k, i)),
    (SELECT string_agg(m.merged, ', ' ORDER BY x.i)
       FROM unnest('{description,n,sketch,self_us,failures,responses,redirects,client_errors,server_errors,hits,misses,sized,bytes,waited,wait_us,delivered,retries}'::text[])
              WITH ORDINALITY x (k, i) JOIN _apm.cube_columns m ON m.cube = 'spans' AND m.name = x.k),
    plan.cells, (SELECT string_agg('c.' || k, ', ') FROM unnest(keys) k));
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION _apm.span_cells(text, text[], timestamptz, timestamptz, integer, text, text, text, boolean) IS 'Queries, requests, caches or queues of a window, added up by some keys, from rollups as far as they hold them';

CREATE FUNCTION _apm.span_self_times(since timestamptz, until timestamptz, project integer,
    environment text, release text, transaction_name text, OUT project_id integer, OUT self_us bigint)
  RETURNS SETOF record
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM _apm.check_window(since, until);
  RETURN QUERY EXECUTE format('SELECT c.project_id, least(sum(c.self_us), 9000000000000000000)::bigint FROM (%s) c GROUP BY c.project_id',
    (_apm.cells('span_totals', since, until, NULL, '{project_id}', '{self_us}',
                jsonb_build_object('project_id', project, 'environment', environment, 'release', release,
                                   'transaction_name', transaction_name))).cells);
END
$$;
COMMENT ON FUNCTION _apm.span_self_times(timestamptz, timestamptz, integer, text, text, text) IS 'Self time of all spans of each project in a window, in microseconds';

CREATE FUNCTION apm.queries(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    transaction_name text DEFAULT NULL, max_rows integer DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (project_id integer, span_group text, description text, system text, queries bigint, epm float8,
    avg_ms float8, p50_ms float8, p95_ms float8, total_ms float8, self_ms float8, time_spent_percentage float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT c.project_id, c.span_group, apm.normalize_description(c.op, c.description, c.label), c.label, c.n,
         c.n * 60 / nullif(_apm.window_seconds(queries.since, queries.until), 0),
         apm.mean_value(c.durations), apm.percentile(c.durations, 0.5), apm.percentile(c.durations, 0.95),
         apm.sum_value(c.durations), c.self_us / 1000.0::float8, c.self_us / nullif(s.self_us, 0)::float8
    FROM (SELECT x.project_id, x.span_group, x.label, min(x.op COLLATE "C") AS op, min(x.description COLLATE "C") AS description,
                 sum(x.n)::bigint AS n, apm.sketch_merge(x.durations) AS durations, least(sum(x.self_us), 9000000000000000000)::bigint AS self_us
            FROM _apm.span_cells('queries', '{project_id,op,span_group,label}', queries.since, queries.until, queries.project_id, queries.environment,
                                 queries.release, queries.transaction_name, queries.explain) x
           GROUP BY x.project_id, x.span_group, x.label) c
         LEFT JOIN _apm.span_self_times(queries.since, queries.until, queries.project_id, queries.environment,
                                   queries.release, queries.transaction_name) s ON s.project_id = c.project_id
   ORDER BY c.self_us DESC, c.project_id, c.span_group, c.label
   LIMIT _apm.check_rows(queries.max_rows);
END;
COMMENT ON FUNCTION apm.queries(timestamptz, timestamptz, integer, text, text, text, integer, boolean) IS 'One row a group of database queries in segments that ended in [since, until), the one with most self time first: description without literals (of its first 1,000 bytes), database system, durations in milliseconds, epm in queries per minute of the window, time_spent_percentage as the share (0 to 1) of the self time of all spans of the project that the arguments select; those of one transaction_name are read from rows; explain says in a NOTICE whether rollups were read. Example: SELECT description, queries, p95_ms, time_spent_percentage FROM apm.queries(now() - interval ''1 hour'') LIMIT 10';

CREATE FUNCTION apm.requests(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    transaction_name text DEFAULT NULL, max_rows integer DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (project_id integer, domain text, requests bigint, epm float8,
    avg_ms float8, p50_ms float8, p95_ms float8, rate_3xx float8, rate_4xx float8, rate_5xx float8,
    total_ms float8, self_ms float8, time_spent_percentage float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT c.project_id, c.domain, c.n, c.n * 60 / nullif(_apm.window_seconds(requests.since, requests.until), 0),
         apm.mean_value(c.durations), apm.percentile(c.durations, 0.5), apm.percentile(c.durations, 0.95),
         c.redirects / nullif(c.responses, 0)::float8, c.client_errors / nullif(c.responses, 0)::float8,
         c.server_errors / nullif(c.responses, 0)::float8,
         apm.sum_value(c.durations), c.self_us / 1000.0::float8, c.self_us / nullif(s.self_us, 0)::float8
    FROM (SELECT x.project_id, d.domain, sum(x.n)::bigint AS n, apm.sketch_merge(x.durations) AS durations,
                 least(sum(x.self_us), 9000000000000000000)::bigint AS self_us, sum(x.responses)::bigint AS responses, sum(x.redirects)::bigint AS redirects,
                 sum(x.client_errors)::bigint AS client_errors, sum(x.server_errors)::bigint AS server_errors
            FROM _apm.span_cells('requests', '{project_id,op,span_group}', requests.since, requests.until, requests.project_id, requests.environment,
                                 requests.release, requests.transaction_name, requests.explain) x
                 CROSS JOIN LATERAL (SELECT regexp_replace(apm.normalize_description(x.op, x.description),
                                                           '^[[:alpha:]]+ +([a-z][a-z0-9+.-]*://)?', '')) d (domain)
           GROUP BY x.project_id, d.domain) c
         LEFT JOIN _apm.span_self_times(requests.since, requests.until, requests.project_id, requests.environment,
                                   requests.release, requests.transaction_name) s ON s.project_id = c.project_id
   ORDER BY c.self_us DESC, c.project_id, c.domain
   LIMIT _apm.check_rows(requests.max_rows);
END;
COMMENT ON FUNCTION apm.requests(timestamptz, timestamptz, integer, text, text, text, integer, boolean) IS 'One row a domain that HTTP requests were sent to in segments that ended in [since, until), the one with most self time first: durations in milliseconds, epm in requests per minute of the window, rates of 3xx, 4xx and 5xx (0 to 1) among requests whose status is known, time_spent_percentage as the share (0 to 1) of the self time of all spans of the project that the arguments select; those of one transaction_name are read from rows; explain says in a NOTICE whether rollups were read. Example: SELECT domain, requests, p95_ms, rate_5xx FROM apm.requests(now() - interval ''1 hour'')';

CREATE FUNCTION apm.caches(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    transaction_name text DEFAULT NULL, max_rows integer DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (project_id integer, transaction_name text, op text, key_prefix text, operations bigint, epm float8,
    miss_rate float8, avg_item_size float8, avg_ms float8, p50_ms float8, p95_ms float8,
    total_ms float8, self_ms float8, time_spent_percentage float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT c.project_id, c.transaction_name, c.op, c.label, c.n, c.n * 60 / nullif(_apm.window_seconds(caches.since, caches.until), 0),
         c.misses / nullif(c.hits + c.misses, 0)::float8, c.bytes / nullif(c.sized, 0)::float8,
         apm.mean_value(c.durations), apm.percentile(c.durations, 0.5), apm.percentile(c.durations, 0.95),
         apm.sum_value(c.durations), c.self_us / 1000.0::float8, c.self_us / nullif(s.self_us, 0)::float8
    FROM (SELECT x.project_id, x.transaction AS transaction_name, x.op, x.label, sum(x.n)::bigint AS n, apm.sketch_merge(x.durations) AS durations,
                 least(sum(x.self_us), 9000000000000000000)::bigint AS self_us, sum(x.hits)::bigint AS hits, sum(x.misses)::bigint AS misses,
                 sum(x.sized)::bigint AS sized, least(sum(x.bytes), 9000000000000000000)::bigint AS bytes
            FROM _apm.span_cells('caches', '{project_id,transaction_name,op,label}', caches.since, caches.until, caches.project_id, caches.environment,
                                 caches.release, caches.transaction_name, caches.explain) x
           GROUP BY x.project_id, x.transaction, x.op, x.label) c
         LEFT JOIN _apm.span_self_times(caches.since, caches.until, caches.project_id, caches.environment,
                                   caches.release, caches.transaction_name) s ON s.project_id = c.project_id
   ORDER BY c.self_us DESC, c.project_id, c.transaction_name, c.op, c.label
   LIMIT _apm.check_rows(caches.max_rows);
END;
COMMENT ON FUNCTION apm.caches(timestamptz, timestamptz, integer, text, text, text, integer, boolean) IS 'One row a transaction, cache operation and beginning of the key (before the first : or /) in segments that ended in [since, until), the one with most self time first: miss rate (0 to 1) among reads whose outcome is known, mean size of items in bytes, durations in milliseconds, epm in operations per minute of the window, time_spent_percentage as the share (0 to 1) of the self time of all spans of the project that the arguments select; explain says in a NOTICE whether rollups were read. Example: SELECT transaction_name, op, miss_rate, p95_ms FROM apm.caches(now() - interval ''1 hour'')';

CREATE FUNCTION apm.queues(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    transaction_name text DEFAULT NULL, max_rows integer DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (project_id integer, destination text, published bigint, processed bigint, published_epm float8, processed_epm float8,
    avg_latency_ms float8, avg_retries float8, error_rate float8, avg_ms float8, p50_ms float8, p95_ms float8,
    total_ms float8, self_ms float8, time_spent_percentage float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT c.project_id, c.label, c.published, c.processed,
         c.published * 60 / nullif(_apm.window_seconds(queues.since, queues.until), 0),
         c.processed * 60 / nullif(_apm.window_seconds(queues.since, queues.until), 0),
         c.wait_us / 1000.0::float8 / nullif(c.waited, 0), c.retries / nullif(c.delivered, 0)::float8,
         c.failures / nullif(c.processed, 0)::float8,
         apm.mean_value(c.durations), apm.percentile(c.durations, 0.5), apm.percentile(c.durations, 0.95),
         apm.sum_value(c.durations), c.self_us / 1000.0::float8, c.self_us / nullif(s.self_us, 0)::float8
    FROM (SELECT x.project_id, x.label,
                 coalesce(sum(x.n) FILTER (WHERE k.publishes), 0)::bigint AS published,
                 coalesce(sum(x.n) FILTER (WHERE k.processes), 0)::bigint AS processed,
                 sum(x.failures) FILTER (WHERE k.processes)::bigint AS failures,
                 apm.sketch_merge(x.durations) FILTER (WHERE k.processes) AS durations,
                 least(sum(x.self_us), 9000000000000000000)::bigint AS self_us, sum(x.waited)::bigint AS waited, least(sum(x.wait_us), 9000000000000000000)::bigint AS wait_us,
                 sum(x.delivered)::bigint AS delivered, least(sum(x.retries), 9000000000000000000)::bigint AS retries
            FROM _apm.span_cells('queues', '{project_id,op,label}', queues.since, queues.until, queues.project_id, queues.environment,
                                 queues.release, queues.transaction_name, queues.explain) x
                 CROSS JOIN LATERAL (SELECT x.op ~ '^queue\.(publish|create|submit)', x.op ~ '^queue\.(process|task)') k (publishes, processes)
           GROUP BY x.project_id, x.label) c
         LEFT JOIN _apm.span_self_times(queues.since, queues.until, queues.project_id, queues.environment,
                                   queues.release, queues.transaction_name) s ON s.project_id = c.project_id
   ORDER BY c.self_us DESC, c.project_id, c.label
   LIMIT _apm.check_rows(queues.max_rows);
END;
COMMENT ON FUNCTION apm.queues(timestamptz, timestamptz, integer, text, text, text, integer, boolean) IS 'One row a queue or topic in segments that ended in [since, until), the one with most self time first: messages published and processed, each also per minute of the window (epm), mean latency from publishing to receiving in milliseconds, mean number of retries, error rate (0 to 1) of processing by apm.failure_rules, durations of processing in milliseconds, time_spent_percentage as the share (0 to 1) of the self time of all spans of the project that the arguments select; those of one transaction_name are read from rows; explain says in a NOTICE whether rollups were read. Example: SELECT destination, published, processed, avg_latency_ms, error_rate FROM apm.queues(now() - interval ''1 hour'')';
