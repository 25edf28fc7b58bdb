-- The data of the benchmark, as functions.  Random numbers come from random()
-- after setseed, durations are whole microseconds in milliseconds.

CREATE SCHEMA bench;

-- Durations around 100 ms, log-normal.
CREATE FUNCTION bench.duration(i bigint) RETURNS float8 LANGUAGE sql VOLATILE PARALLEL SAFE AS
$$ SELECT floor(100000 * exp(0.7 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) + 1) / 1000 $$;

-- Value i of n of group g of one kind of data for the table of errors.
CREATE FUNCTION bench.draw(kind text, g int, i int, n int) RETURNS float8 LANGUAGE sql VOLATILE PARALLEL SAFE AS
$$ SELECT CASE kind
     WHEN 'log-normal' THEN 100 * exp(0.7 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))
     WHEN 'heavy-tailed' THEN 1 / power(1 - random(), 1.25)
     WHEN 'bimodal' THEN CASE WHEN random() < 0.93 THEN 2 + 0.1 * random() ELSE 4000 + 900 * random() END
     WHEN 'constant' THEN 123.457
     ELSE CASE CASE WHEN g = 0 THEN i ELSE g END % 4
       -- both sides of the edges of buckets
       WHEN 0 THEN 2.0::float8 ^ floor(8 * random()) * (1 + floor(128 * random()) / 128) * (1 + (round(random()) - 0.5) * 4.5e-16)
       -- every order of magnitude, the large ones first
       WHEN 1 THEN 10::float8 ^ (300 - 600.0 * i / n)
       -- gaps right beside the median and the quartiles
       WHEN 2 THEN (ARRAY[1e-3, 1, 1e4, 1e9])[1 + i % 4]
       -- one value but for a single outlier
       ELSE CASE WHEN i = n THEN 1e12 ELSE 7 END
     END
   END $$;

-- An envelope with a transaction of ten spans, or of so many: the segment and
-- its children.
-- level 0: ids and times alone; 1: with op, description, status and origin;
-- 2: with 200 bytes of attributes a span as well.
CREATE FUNCTION bench.envelope(n int, level int, ended timestamptz, spans int DEFAULT 10) RETURNS bytea LANGUAGE sql VOLATILE AS
$$
WITH ids AS MATERIALIZED (
  SELECT md5('trace ' || n || ' ' || level) AS trace_id, replace(gen_random_uuid()::text, '-', '') AS event_id,
         lpad(to_hex(hashint8extended(n, 1)), 16, '0') AS root, ceil(bench.duration(n) * 1000)::bigint + 1000 AS took_us,
         (extract(epoch FROM ended) * 1000000)::bigint AS ended_us
), spans AS (
  SELECT string_agg(concat(
           '{"trace_id":"', trace_id, '","span_id":"', lpad(to_hex(hashint8extended(n, 100 + k)), 16, '0'),
           '","parent_span_id":"', CASE WHEN k % 3 = 1 THEN root ELSE lpad(to_hex(hashint8extended(n, 99 + k)), 16, '0') END,
           '","start_timestamp":', trim_scale(round((ended_us - took_us + took_us * k / (envelope.spans + 2)) / 1000000.0, 6)),
           ',"timestamp":', trim_scale(round((ended_us - took_us + took_us * k / (envelope.spans + 2) + 1 + floor(random() * random() * took_us / (envelope.spans + 2))::bigint) / 1000000.0, 6)),
           CASE WHEN level > 0 THEN concat(
             ',"op":"', o.op, '","description":"', replace(o.description, '%', (ARRAY['orders', 'users', 'products', 'carts', 'prices', 'stock', 'reviews', 'payments'])[1 + pick % 8]),
             '","status":"', CASE WHEN pick % 50 = 0 THEN 'internal_error' ELSE 'ok' END, '","origin":"', o.origin, '"') END,
           CASE WHEN level > 1 THEN concat(
             ',"data":{"db.system":"postgresql","db.name":"shop","server.address":"10.0.', pick % 4, '.', pick % 23,
             '","server.port":5432,"thread.id":"', 139000000000 + pick * 4096, '","thread.name":"worker-', pick % 16,
             '","code.function":"load_', pick % 40, '","code.lineno":', pick, ',"rows":', pick % 77, '}') END,
           '}'), ',' ORDER BY k) AS list
    FROM ids, generate_series(1, envelope.spans - 1) k,
         LATERAL (SELECT floor(random() * 1000)::int + 0 * k AS pick) p,
         LATERAL (SELECT * FROM (VALUES
           (0, 'db', 'SELECT id, name, state FROM % WHERE owner = $1 ORDER BY made_at DESC LIMIT $2', 'auto.db.asyncpg'),
           (1, 'db', 'UPDATE % SET state = $1, changed_at = now() WHERE id = $2', 'auto.db.asyncpg'),
           (2, 'db', 'INSERT INTO % (owner, state, made_at) VALUES ($1, $2, $3) RETURNING id', 'auto.db.asyncpg'),
           (3, 'cache.get', '%:page', 'auto.cache.redis'),
           (4, 'http.client', 'GET https://inner.example.test/%', 'auto.http.httpx'),
           (5, 'serialize', '%.json', 'manual'),
           (6, 'view.render', '%/list.html', 'auto.view.jinja'),
           (7, 'middleware', 'auth', 'auto.middleware'),
           (8, 'queue.publish', 'tasks.%', 'auto.queue.celery'),
           (9, 'file.read', '/var/cache/%', 'auto.file')) v (no, op, description, origin) WHERE no = pick % 10) o
)
SELECT convert_to(concat(
  '{"event_id":"', event_id, '","sent_at":"', to_char(ended AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), E'"}\n{"type":"transaction"}\n',
  '{"event_id":"', event_id, '","type":"transaction","platform":"python","transaction":"GET /api/', n % 50, '","transaction_info":{"source":"route"},',
  '"start_timestamp":', trim_scale(round((ended_us - took_us) / 1000000.0, 6)), ',"timestamp":', trim_scale(round(ended_us / 1000000.0, 6)),
  ',"release":"shop@4.', n % 3, '.0","environment":"production"',
  CASE WHEN level > 1 THEN concat(',"server_name":"api-', n % 5, '","user":{"id":"', n % 9973, '"},"tags":{"zone":"', n % 4, '","plan":"free","locale":"de-CH"},',
    '"request":{"url":"https://shop.example.test/api/', n % 50, '","method":"GET","headers":{"Accept":"application/json","User-Agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"}},',
    '"sdk":{"name":"sentry.python.fastapi","version":"2.47.0","integrations":["argv","asyncpg","atexit","dedupe","excepthook","fastapi","httpx","logging","modules","redis","starlette","stdlib","threading"]},',
    '"modules":{', (SELECT string_agg(format('"package-%s":"%s.%s.%s"', m, m % 7, m % 11, m % 5), ',') FROM generate_series(1, 60) m), '}') END,
  ',"contexts":{"runtime":{"name":"CPython","version":"3.12.4"},"trace":{"trace_id":"', trace_id, '","span_id":"', root, '"',
  CASE WHEN level > 0 THEN concat(',"op":"http.server","origin":"auto.http.starlette","status":"', CASE WHEN n % 40 = 0 THEN 'internal_error' ELSE 'ok' END, '"') END,
  CASE WHEN level > 1 THEN ',"data":{"http.request.method":"GET","http.response.status_code":200,"url.path":"/api","client.address":"203.0.113.9","http.route":"/api","network.protocol.version":"1.1","thread.name":"MainThread"}' END,
  '}},"spans":[', list, E']}\n'), 'UTF8')
  FROM ids, spans
$$;

CREATE TABLE bench.bodies (n int, batch int, project_id int, received_at timestamptz, body bytea);
ALTER TABLE bench.bodies ALTER body SET STORAGE EXTERNAL;
CREATE INDEX ON bench.bodies (n);
CREATE INDEX ON bench.bodies (batch);

-- Fills bench.bodies with envelopes in batches of 1,000, all of one day.
CREATE FUNCTION bench.fill(envelopes int, level int, spans int DEFAULT 10) RETURNS void LANGUAGE sql AS
$$
TRUNCATE bench.bodies;
INSERT INTO bench.bodies
  SELECT n, (n - 1) / 1000, 1, ended, bench.envelope(n, level, ended, spans)
    FROM generate_series(1, envelopes) n,
         LATERAL (SELECT date_trunc('day', now(), 'UTC') - interval '1 day' + n * (interval '20 hours' / envelopes) + interval '1 hour' AS ended) e;
$$;

-- Takes all of bench.bodies in, 1,000 a batch; returns what was accepted.
CREATE FUNCTION bench.ingest_batch(wanted int) RETURNS bigint LANGUAGE sql AS
$$
SELECT sum(r.accepted)
  FROM (SELECT array_agg(body) AS bodies, array_agg(project_id) AS project_ids, array_agg(received_at) AS received_at
          FROM bench.bodies WHERE batch = wanted) b,
       apm.ingest_batch(b.bodies, b.project_ids, b.received_at) r
$$;

-- The same without taking in: what collecting the bodies costs.
CREATE FUNCTION bench.collect_batch(wanted int) RETURNS bigint LANGUAGE sql AS
$$
SELECT cardinality(bodies) + cardinality(project_ids) + cardinality(received_at)
  FROM (SELECT array_agg(body) AS bodies, array_agg(project_id) AS project_ids, array_agg(received_at) AS received_at
          FROM bench.bodies WHERE batch = wanted) b
$$;

CREATE FUNCTION bench.empty_store() RETURNS void LANGUAGE sql AS
$$ TRUNCATE apm.transactions, apm.errors, _apm.span_batches, _apm.seen, _apm.outcome_log $$;

-- Bytes of a table with its partitions and TOAST tables, or of their indexes.
CREATE FUNCTION bench.bytes(name regclass, of_indexes boolean) RETURNS bigint LANGUAGE sql AS
$$
SELECT sum(CASE WHEN of_indexes THEN pg_indexes_size(c.oid)
                ELSE pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid <> 0 THEN pg_relation_size(c.reltoastrelid) ELSE 0 END END)::bigint
  FROM pg_class c
 WHERE c.oid = name OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = name)
$$;

-- One heap row a span, attributes as jsonb; and the same as text.
CREATE TABLE bench.spans (project_id int NOT NULL, LIKE apm.span);
CREATE TABLE bench.spans_text AS SELECT * FROM bench.spans;
ALTER TABLE bench.spans_text ALTER attributes TYPE text;
CREATE TABLE bench.transactions (LIKE apm.transactions);
CREATE TABLE bench.transactions_text AS SELECT * FROM bench.transactions;
ALTER TABLE bench.transactions_text ALTER measurements TYPE text, ALTER tags TYPE text, ALTER contexts TYPE text;
CREATE INDEX ON bench.spans (project_id, start_time);
CREATE INDEX ON bench.spans (trace_id);
CREATE INDEX ON bench.spans_text (project_id, start_time);
CREATE INDEX ON bench.spans_text (trace_id);
CREATE INDEX ON bench.transactions (project_id, end_time);
CREATE INDEX ON bench.transactions (trace_id);
CREATE INDEX ON bench.transactions_text (project_id, end_time);
CREATE INDEX ON bench.transactions_text (trace_id);
