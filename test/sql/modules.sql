-- apm.queries, apm.requests, apm.caches and apm.queues against plain SQL over
-- the view apm.spans.  All in a transaction that is rolled back.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET client_min_messages = warning;
BEGIN;
CREATE TABLE modules_part PARTITION OF _apm.span_batches FOR VALUES FROM ('2011-04-01') TO ('2011-04-02');
-- Spans of every kind.  Attributes as SDKs write them: numbers as numbers and
-- as text, values with their type, keys alone and in lists, and nonsense.
INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
  SELECT 4500 + b % 2, lpad(to_hex(b), 32, '0')::apm.trace_id, lpad(to_hex(b * 100 + 1), 16, '0')::apm.span_id,
         '2011-04-01 00:00Z'::timestamptz + b * interval '20 seconds', 'GET /' || b % 5, CASE WHEN b % 4 = 0 THEN 'staging' ELSE 'production' END,
         'shop@' || b % 3, apm.spanset_agg(ROW(lpad(to_hex(b), 32, '0'), lpad(to_hex(b * 100 + i), 16, '0'), NULL, NULL, i = 1, o.op, d.description,
           (ARRAY['ok', 'ok', 'ok', 'internal_error', 'cancelled', NULL])[1 + v % 6], '2011-04-01 00:00Z'::timestamptz + b * interval '20 seconds',
           (1 + k * 7919 % 50021) / 10.0, CASE WHEN k % 11 > 0 THEN (k * 7919 % 50021) / 20.0 END, split_part(o.op, '.', 1),
           substr(md5(apm.normalize_description(o.op, d.description, d.system)), 1, 16), 'manual',
           CASE split_part(o.op, '.', 1)
             WHEN 'db' THEN jsonb_build_object(CASE WHEN v % 2 = 0 THEN 'db.system' ELSE 'db.system.name' END, d.system)
             WHEN 'http' THEN CASE v % 4 WHEN 0 THEN jsonb_build_object('http.response.status_code', 200 + v % 5 * 100) WHEN 1 THEN jsonb_build_object('http.status_code', (200 + v % 5 * 100)::text)
               WHEN 2 THEN jsonb_build_object('http.response.status_code', jsonb_build_object('type', 'integer', 'value', 200 + v % 5 * 100)) ELSE '{"http.response.status_code": "none"}' END
             WHEN 'cache' THEN jsonb_build_object('cache.key', CASE v % 3 WHEN 0 THEN to_jsonb('user:' || v) WHEN 1 THEN jsonb_build_array('page/' || v, 'other') ELSE '"plain"' END,
               'cache.hit', CASE WHEN v % 3 = 0 THEN to_jsonb(v % 2 = 0) WHEN v % 3 = 1 THEN to_jsonb((v % 2 = 0)::text) ELSE 'null' END) || CASE WHEN v % 5 > 0 THEN jsonb_build_object('cache.item_size', v % 4096) ELSE '{}' END
             WHEN 'queue' THEN jsonb_build_object('messaging.destination.name', CASE WHEN v % 7 > 0 THEN 'orders ' || v % 3 END, 'messaging.message.receive.latency', (v % 1000) / 8.0) || CASE WHEN v % 2 = 0 THEN jsonb_build_object('messaging.message.retry.count', v % 4) ELSE '{}' END
           END)::apm.span)
    FROM generate_series(1, 900) b, generate_series(1, 12) i, LATERAL (SELECT (b * 131 + i * 7) % 9973 AS k, (b * 131 + i * 7) % 9973 / 12 AS v) r,
         LATERAL (SELECT (ARRAY['db', 'db.sql.query', 'http.client', 'http.server', 'cache.get', 'cache.put', 'queue.publish', 'queue.process', 'queue.task.celery', 'template.render', 'db', 'queue.receive'])[1 + k % 12] AS op) o,
         LATERAL (SELECT CASE WHEN o.op LIKE 'db%' THEN (ARRAY['postgresql', 'mysql', 'mongodb'])[1 + k / 12 % 3] END AS system,
           CASE WHEN o.op LIKE 'db%' THEN CASE k / 12 % 4 WHEN 0 THEN 'SELECT * FROM t WHERE id = ' || k WHEN 1 THEN 'UPDATE t SET a = ''x' || k || ''' WHERE id = 1' WHEN 2 THEN 'DELETE FROM u WHERE id IN (1, ' || k || ')' END
                WHEN o.op LIKE 'http%' THEN CASE k / 12 % 3 WHEN 0 THEN 'GET https://api' || k % 3 || '.shop.example/x/' || k WHEN 1 THEN 'POST https://pay.example.test/' || k END
                ELSE 'something ' || k END AS description) d
   GROUP BY b;
CREATE TEMP TABLE spans ON COMMIT DROP AS
  SELECT s.*, a.system, a.http_status, a.hit, a.key_prefix, a.item_size, a.destination, a.latency_ms, a.retries
    FROM apm.spans s, LATERAL (SELECT
           coalesce(attributes ->> 'db.system', attributes ->> 'db.system.name') AS system,
           (regexp_match(coalesce(attributes #>> '{http.response.status_code,value}', attributes ->> 'http.response.status_code', attributes ->> 'http.status_code'), '^\d+$'))[1]::int AS http_status,
           (attributes ->> 'cache.hit')::boolean AS hit,
           (regexp_match(coalesce(attributes #>> '{cache.key,0}', attributes ->> 'cache.key'), '^([^:/]+)[:/]'))[1] AS key_prefix,
           (attributes ->> 'cache.item_size')::int AS item_size, attributes ->> 'messaging.destination.name' AS destination,
           (attributes ->> 'messaging.message.receive.latency')::float8 AS latency_ms, (attributes ->> 'messaging.message.retry.count')::int AS retries) a
   WHERE s.segment_end_time >= '2011-04-01' AND s.segment_end_time < '2011-04-02';
SELECT count(*) AS spans, count(*) FILTER (WHERE category = 'db') AS queries, count(*) FILTER (WHERE op = 'http.client') AS requests,
       count(*) FILTER (WHERE category = 'cache') AS caches, count(*) FILTER (WHERE category = 'queue') AS queues FROM spans;
CREATE TEMP VIEW total AS SELECT project_id, sum(self_time_ms) AS self_ms FROM spans GROUP BY project_id;
CREATE FUNCTION pg_temp.same(a float8, b float8, error float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN a IS NULL OR b IS NULL THEN a IS NULL AND b IS NULL ELSE abs(a - b) <= error * greatest(abs(a), abs(b), 1e-9) END $$;

-- queries
CREATE TEMP TABLE queries_truth ON COMMIT DROP AS
  SELECT project_id, span_group, system, count(*) AS n, avg(duration_ms) AS mean, sum(duration_ms) AS total, sum(self_time_ms) AS self_ms,
         percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration_ms) AS p, array_agg(DISTINCT apm.normalize_description(op, description, system)) AS descriptions
    FROM spans WHERE category = 'db' GROUP BY 1, 2, 3;
SELECT count(*) AS groups, sum(t.n) AS spans, count(*) FILTER (WHERE q.queries = t.n AND pg_temp.same(q.epm, t.n / 1440.0)) AS counts,
       count(*) FILTER (WHERE ARRAY[q.description] = t.descriptions) AS descriptions,
       count(*) FILTER (WHERE pg_temp.same(q.avg_ms, t.mean) AND pg_temp.same(q.total_ms, t.total) AND pg_temp.same(q.self_ms, t.self_ms)) AS totals,
       count(*) FILTER (WHERE pg_temp.same(q.p50_ms, p[1], 0.01) AND pg_temp.same(q.p95_ms, p[2], 0.01)) AS percentiles,
       count(*) FILTER (WHERE pg_temp.same(q.time_spent_percentage, t.self_ms / total.self_ms)) AS shares
  FROM queries_truth t JOIN total USING (project_id) FULL JOIN apm.queries('2011-04-01', '2011-04-02') q
       ON q.project_id = t.project_id AND q.span_group IS NOT DISTINCT FROM t.span_group AND q.system IS NOT DISTINCT FROM t.system;
SELECT project_id, span_group, description, system, queries, round(total_ms::numeric, 1) AS total_ms, round(time_spent_percentage::numeric, 4) AS share
  FROM apm.queries('2011-04-01', '2011-04-02', max_rows => 5);

-- requests
CREATE TEMP TABLE requests_truth ON COMMIT DROP AS
  SELECT project_id, CASE WHEN description LIKE '%shop.example%' THEN '*.shop.example' WHEN description LIKE '%pay.example%' THEN '*.example.test' END AS domain,
         count(*) AS n, avg(duration_ms) AS mean, sum(duration_ms) AS total, sum(self_time_ms) AS self_ms, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration_ms) AS p,
         (count(*) FILTER (WHERE http_status / 100 = 3))::float8 / count(http_status) AS r3, (count(*) FILTER (WHERE http_status / 100 = 4))::float8 / count(http_status) AS r4,
         (count(*) FILTER (WHERE http_status / 100 = 5))::float8 / count(http_status) AS r5
    FROM spans WHERE op = 'http.client' GROUP BY 1, 2;
SELECT count(*) AS domains, sum(t.n) AS spans, count(*) FILTER (WHERE q.requests = t.n AND pg_temp.same(q.epm, t.n / 1440.0)) AS counts,
       count(*) FILTER (WHERE pg_temp.same(q.avg_ms, t.mean) AND pg_temp.same(q.total_ms, t.total) AND pg_temp.same(q.self_ms, t.self_ms)) AS totals,
       count(*) FILTER (WHERE pg_temp.same(q.p50_ms, p[1], 0.01) AND pg_temp.same(q.p95_ms, p[2], 0.01)) AS percentiles,
       count(*) FILTER (WHERE pg_temp.same(q.rate_3xx, r3) AND pg_temp.same(q.rate_4xx, r4) AND pg_temp.same(q.rate_5xx, r5)) AS rates,
       count(*) FILTER (WHERE pg_temp.same(q.time_spent_percentage, t.self_ms / total.self_ms)) AS shares
  FROM requests_truth t JOIN total USING (project_id) FULL JOIN apm.requests('2011-04-01', '2011-04-02') q
       ON q.project_id = t.project_id AND q.domain IS NOT DISTINCT FROM t.domain;
SELECT project_id, domain, requests, round(rate_3xx::numeric, 3) AS rate_3xx, round(rate_4xx::numeric, 3) AS rate_4xx, round(rate_5xx::numeric, 3) AS rate_5xx FROM apm.requests('2011-04-01', '2011-04-02');

-- caches
CREATE TEMP TABLE caches_truth ON COMMIT DROP AS
  SELECT project_id, transaction_name, op, key_prefix, count(*) AS n, avg(duration_ms) AS mean, sum(self_time_ms) AS self_ms, avg(item_size)::float8 AS size,
         avg(CASE WHEN NOT hit THEN 1.0 WHEN hit THEN 0.0 END)::float8 AS miss_rate, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95
    FROM spans WHERE category = 'cache' GROUP BY 1, 2, 3, 4;
SELECT count(*) AS rows, sum(t.n) AS spans, count(*) FILTER (WHERE q.operations = t.n AND pg_temp.same(q.epm, t.n / 1440.0)) AS counts,
       count(*) FILTER (WHERE pg_temp.same(q.avg_ms, t.mean) AND pg_temp.same(q.self_ms, t.self_ms) AND pg_temp.same(q.p95_ms, t.p95, 0.01)) AS times,
       count(*) FILTER (WHERE pg_temp.same(q.miss_rate, t.miss_rate)) AS miss_rates, count(*) FILTER (WHERE pg_temp.same(q.avg_item_size, t.size)) AS sizes,
       count(*) FILTER (WHERE pg_temp.same(q.time_spent_percentage, t.self_ms / total.self_ms)) AS shares
  FROM caches_truth t JOIN total USING (project_id) FULL JOIN apm.caches('2011-04-01', '2011-04-02') q
       ON q.project_id = t.project_id AND q.transaction_name = t.transaction_name AND q.op = t.op AND q.key_prefix IS NOT DISTINCT FROM t.key_prefix;
SELECT project_id, op, key_prefix, operations, round(miss_rate::numeric, 3) AS miss_rate, round(avg_item_size::numeric, 1) AS avg_item_size
  FROM apm.caches('2011-04-01', '2011-04-02', project_id => 4500, transaction_name => 'GET /1');

-- queues
CREATE TEMP TABLE queues_truth ON COMMIT DROP AS
  SELECT project_id, destination, count(*) FILTER (WHERE op = 'queue.publish') AS published, count(*) FILTER (WHERE op IN ('queue.process', 'queue.task.celery')) AS processed,
         avg(latency_ms) AS latency, avg(retries)::float8 AS retries, sum(self_time_ms) AS self_ms,
         avg(duration_ms) FILTER (WHERE op IN ('queue.process', 'queue.task.celery')) AS mean,
         avg(CASE WHEN status = 'internal_error' THEN 1.0 ELSE 0 END) FILTER (WHERE op IN ('queue.process', 'queue.task.celery')) AS errors,
         percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE op IN ('queue.process', 'queue.task.celery')) AS p95
    FROM spans WHERE category = 'queue' GROUP BY 1, 2;
SELECT count(*) AS queues, sum(t.published + t.processed) AS messages, count(*) FILTER (WHERE q.published = t.published AND q.processed = t.processed
         AND pg_temp.same(q.published_epm, t.published / 1440.0) AND pg_temp.same(q.processed_epm, t.processed / 1440.0)) AS counts,
       count(*) FILTER (WHERE pg_temp.same(q.avg_latency_ms, t.latency) AND pg_temp.same(q.avg_retries, t.retries) AND pg_temp.same(q.error_rate, t.errors)) AS rates,
       count(*) FILTER (WHERE pg_temp.same(q.avg_ms, t.mean) AND pg_temp.same(q.p95_ms, t.p95, 0.01) AND pg_temp.same(q.self_ms, t.self_ms)) AS times,
       count(*) FILTER (WHERE pg_temp.same(q.time_spent_percentage, t.self_ms / total.self_ms)) AS shares
  FROM queues_truth t JOIN total USING (project_id) FULL JOIN apm.queues('2011-04-01', '2011-04-02') q
       ON q.project_id = t.project_id AND q.destination IS NOT DISTINCT FROM t.destination;
SELECT project_id, destination, published, processed, round(avg_latency_ms::numeric, 3) AS latency, round(avg_retries::numeric, 3) AS retries, round(error_rate::numeric, 3) AS errors
  FROM apm.queues('2011-04-01', '2011-04-02', environment => 'staging', release => 'shop@1');
-- failure is what the project says it is
INSERT INTO apm.failure_rules (project_id, failing) VALUES (4500, '{cancelled}');
SELECT count(*) AS queues, count(*) FILTER (WHERE pg_temp.same(q.error_rate, t.errors)) AS as_the_rule_says
  FROM (SELECT destination, avg(CASE WHEN status = 'cancelled' THEN 1.0 ELSE 0 END) AS errors FROM spans
         WHERE project_id = 4500 AND op IN ('queue.process', 'queue.task.celery') GROUP BY 1) t
       JOIN apm.queues('2011-04-01', '2011-04-02', project_id => 4500) q ON q.destination IS NOT DISTINCT FROM t.destination;

-- filters, order, limit, and a window that excludes its end
SELECT (SELECT sum(queries) FROM apm.queries('2011-04-01', '2011-04-02', 4501, 'staging', 'shop@2', 'GET /4')) IS NOT DISTINCT FROM
       (SELECT sum(1) FROM spans WHERE category = 'db' AND project_id = 4501 AND environment = 'staging' AND release = 'shop@2' AND transaction_name = 'GET /4') AS filtered;
SELECT (SELECT sum(requests) FROM apm.requests('2011-04-01', '2011-04-02', 4501, 'production', 'shop@2', 'GET /3')) =
       (SELECT count(*) FROM spans WHERE op = 'http.client' AND project_id = 4501 AND environment = 'production' AND release = 'shop@2' AND transaction_name = 'GET /3') AS filtered;
SELECT (SELECT sum(queries) FROM apm.queries('2011-04-01 01:00', '2011-04-01 02:00')) =
       (SELECT count(*) FROM spans WHERE category = 'db' AND segment_end_time >= '2011-04-01 01:00' AND segment_end_time < '2011-04-01 02:00') AS window_excludes_its_end;
SELECT bool_and(self_ms <= before) AS ordered FROM (SELECT self_ms, lag(self_ms, 1, self_ms) OVER () AS before FROM apm.caches('2011-04-01', '2011-04-02')) o;
SELECT (SELECT count(*) FROM apm.requests('2011-04-01', '2011-04-02', max_rows => 1)), (SELECT count(*) FROM apm.caches('2011-04-01', '2011-04-02', max_rows => 3)),
       (SELECT count(*) FROM apm.queues('2011-04-01', '2011-04-02', max_rows => 2));
SELECT (SELECT count(*) FROM apm.queries('2011-04-02', '2011-04-03')) AS queries_of_nothing, (SELECT count(*) FROM apm.queues('2011-04-02', '2011-04-03')) AS queues_of_nothing;
SAVEPOINT s;
SELECT * FROM apm.queries('2011-04-03', '2011-04-01');
ROLLBACK TO s;
SELECT * FROM _apm.module_spans('\x0100', 'assets');
ROLLBACK TO s;
-- without arguments
SELECT (SELECT count(*) >= 0 FROM apm.queries()), (SELECT count(*) >= 0 FROM apm.requests()), (SELECT count(*) >= 0 FROM apm.caches()), (SELECT count(*) >= 0 FROM apm.queues());
-- in parallel the answers are the same
CREATE TEMP TABLE serial ON COMMIT DROP AS SELECT * FROM apm.queries('2011-04-01', '2011-04-02');
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
SELECT count(*) AS different FROM (SELECT * FROM serial EXCEPT SELECT * FROM apm.queries('2011-04-01', '2011-04-02')) d;

-- Absurd numbers neither stop a sum nor count; long strings are cut between characters.
INSERT INTO _apm.span_batches (project_id, trace_id, end_time, transaction_name, spans)
  SELECT 4502, '00000000000000000000000000000001', '2011-04-01 12:00Z', 'absurd', apm.spanset_agg(ROW('00000000000000000000000000000001', lpad(to_hex(i), 16, '0'), NULL, NULL, false,
           CASE WHEN i <= 4 THEN 'queue.process' ELSE 'cache.get' END, repeat('é', 700), 'ok', '2011-04-01', 1e15, 1e15, CASE WHEN i <= 4 THEN 'queue' ELSE 'cache' END, NULL, NULL,
           CASE WHEN i <= 4 THEN jsonb_build_object('messaging.destination.name', repeat('ü', 150), 'messaging.message.receive.latency', 10::numeric ^ (i * 5), 'messaging.message.retry.count', CASE WHEN i = 1 THEN -1 ELSE 9e300 END)
                ELSE jsonb_build_object('cache.item_size', '1e400'::numeric) END)::apm.span) FROM generate_series(1, 6) i;
SELECT length(destination) AS length, processed, avg_latency_ms, avg_retries, self_ms, round(time_spent_percentage::numeric, 3) AS share FROM apm.queues('2011-04-01', '2011-04-02', 4502);
SELECT operations, avg_item_size, self_ms FROM apm.caches('2011-04-01', '2011-04-02', 4502);
SELECT max(length(m.description)) AS longest FROM modules_part p, _apm.module_spans(p.spans, 'all') m;

-- Every span with its kind, for whoever wants them all.
SELECT m.module, count(*) AS spans, count(m.label) AS labels, count(m.description) AS descriptions
  FROM modules_part p, _apm.module_spans(p.spans, 'all') m WHERE p.project_id <> 4502 GROUP BY 1 ORDER BY 1;
ROLLBACK;
