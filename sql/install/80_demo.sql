-- ---------------------------------------------------------------------------
-- demo: the load of an invented shop, and the numbers that it must give
--
-- A load is a pure function of (seed, transactions, span_of_time, until): every
-- choice is a hash of the seed, the number of the trace and the name of the
-- draw, so that any part of it can be made again, alone and in any order.  The
-- ground truth is computed from the same plan by PostgreSQL's own aggregates
-- and never looks at what was stored.

CREATE TABLE _apm.demo_loads (
  seed         integer NOT NULL,
  traces       integer NOT NULL,
  since        timestamptz NOT NULL,
  until        timestamptz NOT NULL,
  slow_loaded  boolean NOT NULL,
  only_one     boolean PRIMARY KEY DEFAULT true CHECK (only_one)
);
COMMENT ON TABLE _apm.demo_loads IS 'The demo load that is in this database: what it was made from, and whether the part after the slow release is in';

CREATE TABLE _apm.demo_truth (
  project_id      integer NOT NULL,
  transaction     text NOT NULL,
  op              text NOT NULL,
  count           bigint NOT NULL,
  failures        bigint NOT NULL,
  errors          bigint NOT NULL,
  p50_ms          float8 NOT NULL,
  p75_ms          float8 NOT NULL,
  p95_ms          float8 NOT NULL,
  p99_ms          float8 NOT NULL,
  apdex_300       float8 NOT NULL,
  users           bigint,
  miserable_users bigint,
  user_misery     float8,
  PRIMARY KEY (project_id, transaction, op)
);
COMMENT ON TABLE _apm.demo_truth IS 'What the demo load holds, by its generator''s own count; durations in milliseconds, Apdex and misery at 300 ms; users are NULL where no transaction has one';

SELECT pg_catalog.pg_extension_config_dump('_apm.demo_loads', '');
SELECT pg_catalog.pg_extension_config_dump('_apm.demo_truth', '');

-- --- randomness ------------------------------------------------------------

-- A draw in (0, 1).  hashint8extended mixes both words well and is the same on
-- every platform.
CREATE FUNCTION _apm.demo_random(trace_seed bigint, draw integer) RETURNS float8
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN ((hashint8extended(draw, trace_seed) & 9007199254740991) + 0.5::float8) / 9007199254740992::float8;

-- A log-normal draw; takes the draws draw and draw + 1.
CREATE FUNCTION _apm.demo_lognormal(trace_seed bigint, draw integer, median float8, sigma float8) RETURNS float8
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN median * exp(sigma * sqrt(-2 * ln(_apm.demo_random(trace_seed, draw)))
                            * cos(2 * pi() * _apm.demo_random(trace_seed, draw + 1)));

-- 16 hex digits that name one thing of a trace.
CREATE FUNCTION _apm.demo_id(trace_seed bigint, tx_no integer, step integer, n integer) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN lpad(to_hex(hashint8extended(16777216 + tx_no * 65536 + step * 256 + n, trace_seed)), 16, '0');

-- Seconds with six decimals, as SDKs write timestamps.
CREATE FUNCTION _apm.demo_seconds(us bigint) RETURNS numeric
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN us::numeric * 0.000001;

-- --- the shop --------------------------------------------------------------

CREATE VIEW _apm.demo_services AS
  SELECT * FROM (VALUES
    ('frontend', 900001, 1, 'demo: frontend', 'javascript', 'sentry.javascript.react', '10.29.0'),
    ('api',      900002, 2, 'demo: api',      'python',     'sentry.python.fastapi',   '2.47.0'),
    ('worker',   900003, 3, 'demo: worker',   'python',     'sentry.python.celery',    '2.47.0')
  ) s (service, project_id, tx_no, project_name, platform, sdk_name, sdk_version);
COMMENT ON VIEW _apm.demo_services IS 'The three services of the demo''s shop, a project each';

-- weight: popularity; calls: what a page asks of the api, or what a request leaves to the worker.
CREATE VIEW _apm.demo_endpoints AS
  SELECT e.*, sum(weight) OVER w - weight AS low, sum(weight) OVER w AS high, sum(weight) OVER (PARTITION BY service) AS total
    FROM (VALUES
      ('frontend',  1, '/',                        30,  900, 0.40, 0.000, 0.000, 'GET /api/products'),
      ('frontend',  2, '/category/:slug',          22, 1050, 0.40, 0.000, 0.000, 'GET /api/products'),
      ('frontend',  3, '/product/:id',             20, 1200, 0.42, 0.000, 0.000, 'GET /api/products/{id}'),
      ('frontend',  4, '/search',                  11,  980, 0.38, 0.000, 0.000, 'GET /api/search'),
      ('frontend',  5, '/checkout',                 9, 1350, 0.40, 0.000, 0.000, 'POST /api/checkout'),
      ('frontend',  6, '/orders',                   8, 1100, 0.40, 0.000, 0.000, 'GET /api/orders'),
      ('api',       1, 'GET /api/products',        20,   46, 0.45, 0.004, 0.000, NULL),
      ('api',       2, 'GET /api/products/{id}',   17,   28, 0.40, 0.004, 0.025, NULL),
      ('api',       3, 'GET /api/search',          11,  120, 0.60, 0.008, 0.000, NULL),
      ('api',       4, 'POST /api/checkout',       10,  410, 0.35, 0.015, 0.000, 'tasks.ship_order'),
      ('api',       5, 'GET /api/cart',             9,   22, 0.35, 0.003, 0.000, NULL),
      ('api',       6, 'GET /api/orders',           8,  270, 0.40, 0.006, 0.000, NULL),
      ('api',       7, 'POST /api/cart',            8,   38, 0.40, 0.006, 0.000, 'tasks.reserve_stock'),
      ('api',       8, 'GET /api/recommendations',  6,  180, 0.70, 0.020, 0.000, NULL),
      ('api',       9, 'POST /api/login',           5,   95, 0.25, 0.008, 0.000, NULL),
      ('api',      10, 'GET /api/orders/{id}',      4,   33, 0.40, 0.004, 0.030, NULL),
      ('api',      11, 'PUT /api/account',          2,   64, 0.45, 0.008, 0.000, 'tasks.send_email'),
      ('worker',    1, 'tasks.ship_order',          1,  620, 0.50, 0.010, 0.000, NULL),
      ('worker',    2, 'tasks.reserve_stock',       1,   80, 0.55, 0.006, 0.000, NULL),
      ('worker',    3, 'tasks.send_email',          1,  240, 0.60, 0.012, 0.000, NULL)
    ) e (service, endpoint_no, name, weight, median_ms, sigma, error_rate, miss_rate, calls)
  WINDOW w AS (PARTITION BY service ORDER BY endpoint_no);
COMMENT ON VIEW _apm.demo_endpoints IS 'The endpoints, pages and tasks of the demo''s shop: popularity, median duration in milliseconds and its spread';

-- What happens inside a transaction: at and share are parts of its working
-- time; few to many repeats; upstream: the call that waits for somebody else.
CREATE VIEW _apm.demo_steps AS
  SELECT * FROM (VALUES
    ('pageload',                 1, 0, 'browser.request',  'https://shop.example.test/',                           0.00, 0.10,  1,  1, false, NULL),
    ('pageload',                 2, 0, 'resource.script',  'https://static.example.test/app.js',                   0.11, 0.16,  2,  4, false, NULL),
    ('pageload',                 3, 0, 'resource.css',     'https://static.example.test/shop.css',                 0.12, 0.05,  1,  1, false, NULL),
    ('pageload',                 4, 0, 'resource.img',     'https://static.example.test/photo.webp',               0.32, 0.50,  2,  8, false, NULL),
    ('pageload',                 5, 0, 'http.client',      NULL,                                                   0.30, 0.00,  1,  1, false, NULL),
    ('navigation',               5, 0, 'http.client',      NULL,                                                   0.05, 0.00,  1,  1, false, NULL),
    ('navigation',               6, 0, 'ui.react.render',  'Route',                                                0.55, 0.30,  1,  1, false, NULL),
    ('GET /api/products',        1, 0, 'cache.get',        'products:page',                                        0.05, 0.08,  1,  1, false, '{"cache.hit": false}'),
    ('GET /api/products',        2, 0, 'db',               'SELECT id, name, price FROM products ORDER BY rank LIMIT $1', 0.15, 0.45, 1, 1, false, '{"db.system": "postgresql"}'),
    ('GET /api/products',        3, 0, 'serialize',        'products.json',                                        0.66, 0.25,  1,  1, false, NULL),
    ('GET /api/products/{id}',   1, 0, 'cache.get',        'product',                                              0.06, 0.10,  1,  1, false, '{"cache.hit": true}'),
    ('GET /api/products/{id}',   2, 0, 'db',               'SELECT * FROM products WHERE id = $1',                 0.20, 0.40,  1,  2, false, '{"db.system": "postgresql"}'),
    ('GET /api/products/{id}',   3, 0, 'serialize',        'product.json',                                         0.66, 0.20,  1,  1, false, NULL),
    ('GET /api/search',          1, 0, 'http.client',      'POST https://search.example.test/query',               0.08, 0.58,  1,  1, true,  NULL),
    ('GET /api/search',          2, 0, 'db',               'SELECT id, name, price FROM products WHERE id = ANY ($1)', 0.68, 0.16, 1, 1, false, '{"db.system": "postgresql"}'),
    ('GET /api/search',          3, 0, 'serialize',        'results.json',                                         0.86, 0.10,  1,  1, false, NULL),
    ('POST /api/checkout',       1, 0, 'db',               'SELECT * FROM carts WHERE user_id = $1 FOR UPDATE',    0.03, 0.05,  1,  1, false, '{"db.system": "postgresql"}'),
    ('POST /api/checkout',       2, 0, 'function',         'price_basket',                                         0.09, 0.17,  1,  1, false, NULL),
    ('POST /api/checkout',       3, 2, 'db',               'SELECT sku, price, stock FROM products WHERE sku = ANY ($1)', 0.10, 0.09, 1, 1, false, '{"db.system": "postgresql"}'),
    ('POST /api/checkout',       4, 2, 'cache.get',        'promotions',                                           0.20, 0.04,  1,  1, false, '{"cache.hit": true}'),
    ('POST /api/checkout',       5, 0, 'http.client',      'POST https://pay.example.test/charges',                0.28, 0.40,  1,  1, true,  '{"http.request.method": "POST"}'),
    ('POST /api/checkout',       6, 0, 'db',               'INSERT INTO orders (user_id, total) VALUES ($1, $2) RETURNING id', 0.70, 0.08, 1, 1, false, '{"db.system": "postgresql"}'),
    ('POST /api/checkout',       7, 0, 'db',               'INSERT INTO order_items (order_id, sku, quantity) VALUES ($1, $2, $3)', 0.79, 0.12, 1, 5, false, '{"db.system": "postgresql"}'),
    ('POST /api/checkout',       8, 0, 'queue.publish',    'orders',                                               0.93, 0.03,  1,  1, false, '{"messaging.destination.name": "orders"}'),
    ('GET /api/cart',            1, 0, 'db',               'SELECT * FROM carts WHERE user_id = $1',               0.15, 0.55,  1,  1, false, '{"db.system": "postgresql"}'),
    ('GET /api/orders',          1, 0, 'db',               'SELECT * FROM orders WHERE user_id = $1 ORDER BY id DESC LIMIT $2', 0.03, 0.06, 1, 1, false, '{"db.system": "postgresql"}'),
    ('GET /api/orders',          2, 0, 'db',               'SELECT * FROM order_items WHERE order_id = $1',        0.10, 0.80, 10, 40, false, '{"db.system": "postgresql"}'),
    ('GET /api/orders',          3, 0, 'serialize',        'orders.json',                                          0.91, 0.07,  1,  1, false, NULL),
    ('POST /api/cart',           1, 0, 'db',               'SELECT stock FROM products WHERE sku = $1',            0.08, 0.30,  1,  1, false, '{"db.system": "postgresql"}'),
    ('POST /api/cart',           2, 0, 'db',               'INSERT INTO cart_items (cart_id, sku, quantity) VALUES ($1, $2, $3)', 0.42, 0.35, 1, 1, false, '{"db.system": "postgresql"}'),
    ('POST /api/cart',           3, 0, 'queue.publish',    'stock',                                                0.85, 0.06,  1,  1, false, '{"messaging.destination.name": "stock"}'),
    ('GET /api/recommendations', 1, 0, 'cache.get',        'recommendations',                                      0.03, 0.04,  1,  1, false, '{"cache.hit": false}'),
    ('GET /api/recommendations', 2, 0, 'http.client',      'GET https://taste.example.test/for-user',              0.09, 0.70,  1,  1, true,  '{"http.request.method": "GET"}'),
    ('GET /api/recommendations', 3, 0, 'cache.put',        'recommendations',                                      0.82, 0.05,  1,  1, false, NULL),
    ('POST /api/login',          1, 0, 'db',               'SELECT id, password_hash FROM users WHERE email = $1', 0.05, 0.15,  1,  1, false, '{"db.system": "postgresql"}'),
    ('POST /api/login',          2, 0, 'function',         'verify_password',                                      0.22, 0.68,  1,  1, false, NULL),
    ('GET /api/orders/{id}',     1, 0, 'db',               'SELECT * FROM orders WHERE id = $1',                   0.10, 0.30,  1,  1, false, '{"db.system": "postgresql"}'),
    ('GET /api/orders/{id}',     2, 0, 'db',               'SELECT * FROM order_items WHERE order_id = $1',        0.44, 0.35,  1,  1, false, '{"db.system": "postgresql"}'),
    ('PUT /api/account',         1, 0, 'db',               'UPDATE users SET name = $1, address = $2 WHERE id = $3', 0.12, 0.60, 1,  1, false, '{"db.system": "postgresql"}'),
    ('PUT /api/account',         2, 0, 'queue.publish',    'mail',                                                 0.86, 0.05,  1,  1, false, '{"messaging.destination.name": "mail"}'),
    ('tasks.ship_order',         1, 0, 'db',               'SELECT * FROM orders WHERE id = $1',                   0.04, 0.08,  1,  1, false, '{"db.system": "postgresql"}'),
    ('tasks.ship_order',         2, 0, 'http.client',      'POST https://parcels.example.test/labels',             0.14, 0.66,  1,  1, true,  '{"http.request.method": "POST"}'),
    ('tasks.ship_order',         3, 0, 'db',               'UPDATE orders SET state = $1 WHERE id = $2',           0.84, 0.10,  1,  1, false, '{"db.system": "postgresql"}'),
    ('tasks.reserve_stock',      1, 0, 'db',               'UPDATE products SET stock = stock - $1 WHERE sku = $2', 0.10, 0.70, 1,  3, false, '{"db.system": "postgresql"}'),
    ('tasks.send_email',         1, 0, 'template.render',  'account_changed.html',                                 0.05, 0.15,  1,  1, false, NULL),
    ('tasks.send_email',         2, 0, 'http.client',      'POST https://mail.example.test/send',                  0.22, 0.70,  1,  1, true,  '{"http.request.method": "POST"}')
  ) s (profile, step, parent_step, op, description, at, share, few, many, upstream, data);
COMMENT ON VIEW _apm.demo_steps IS 'The spans inside each endpoint of the demo''s shop, as parts of its working time';

-- --- the plan --------------------------------------------------------------

-- One row a transaction: everything that is random about it except the lengths
-- of its spans.  A trace starts in the browser or in the api, and what the api
-- leaves to the queue goes on in the worker.  work_us is the time in which the
-- service itself is busy, wait_us what its upstream call adds to that; from
-- 60 % of the period on, the release 4.2.0 makes POST /api/checkout wait for
-- the payment service.  The last minute stays free of new traces, so that
-- nothing ends after the period.
CREATE FUNCTION _apm.demo_plan(seed integer, traces integer, first_trace integer, last_trace integer, since timestamptz, until timestamptz)
  RETURNS TABLE (
    slow_part boolean, trace_seed bigint, trace_id text, tx_no integer, service text, project_id integer,
    span_id text, parent_span_id text, name text, op text, profile text, status text, http_status integer,
    start_us bigint, work_us bigint, wait_us bigint, call_us bigint, duration_us bigint,
    release text, environment text, user_no integer, browser_no integer, error_type text, error_value text,
    timed_out boolean, calls text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH trace AS (
    -- Arrivals: one a stratum, so that they are in order, bent to a daily wave.
    SELECT a.trace_seed, a.since_us + (a.position * a.period_us)::bigint AS at_us, a.position,
           a.position >= 0.6 AS slow_part,
           _apm.demo_random(a.trace_seed, 2) < 0.35 AS browser,
           CASE WHEN _apm.demo_random(a.trace_seed, 3) < 0.9
                THEN floor(exp(_apm.demo_random(a.trace_seed, 4) * ln(1201::float8)))::integer END AS user_no,
           floor(power(_apm.demo_random(a.trace_seed, 5), 1.7) * 5)::integer AS browser_no,
           CASE WHEN _apm.demo_random(a.trace_seed, 6) < 0.06 THEN 'staging' ELSE 'production' END AS environment
      FROM (SELECT s.trace_seed, s.since_us, s.period_us,
                   s.x - 0.6 / (2 * pi() * s.waves) * sin(2 * pi() * s.waves * s.x) AS position
              FROM (SELECT (seed::bigint << 32) + i AS trace_seed,
                           (extract(epoch FROM since) * 1000000)::bigint AS since_us,
                           (extract(epoch FROM until - since - interval '1 minute') * 1000000)::float8 AS period_us,
                           greatest(1, round(extract(epoch FROM until - since) / 86400))::float8 AS waves,
                           (i - 1 + _apm.demo_random((seed::bigint << 32) + i, 1)) / traces AS x
                      FROM generate_series(first_trace, last_trace) i) s) a
  ), request AS (
    -- The api's part of each trace, with the page that asks for it, if any.
    SELECT t.*, p.name AS page, p.median_ms AS page_median, p.sigma AS page_sigma,
           e.name, e.calls, e.miss_rate, u.step AS upstream_step,
           _apm.demo_random(t.trace_seed, 10) < CASE WHEN t.slow_part AND e.name = 'POST /api/checkout' THEN 0.05 ELSE e.error_rate END AS failed,
           u.step IS NOT NULL AND _apm.demo_random(t.trace_seed, 11) < 0.5 AS patient,
           _apm.demo_random(t.trace_seed, 12) < e.miss_rate AS missing,
           greatest(2000, _apm.demo_lognormal(t.trace_seed, 13, e.median_ms * 1000, e.sigma))::bigint AS work_us,
           5000 + (_apm.demo_random(t.trace_seed, 15) * 60000)::bigint AS network_us,
           _apm.demo_random(t.trace_seed, 16) < 0.65 AS pageload
      FROM trace t
      LEFT JOIN _apm.demo_endpoints p ON t.browser AND p.service = 'frontend'
            AND _apm.demo_random(t.trace_seed, 7) * p.total >= p.low AND _apm.demo_random(t.trace_seed, 7) * p.total < p.high
      JOIN _apm.demo_endpoints e ON e.service = 'api'
            AND CASE WHEN t.browser THEN e.name = p.calls
                     ELSE _apm.demo_random(t.trace_seed, 8) * e.total >= e.low AND _apm.demo_random(t.trace_seed, 8) * e.total < e.high END
      LEFT JOIN _apm.demo_steps u ON u.profile = e.name AND u.upstream
  ), answered AS (
    SELECT r.*, r.failed AND r.patient AS timed_out,
           CASE WHEN r.failed AND r.patient THEN 10000000 + (_apm.demo_random(r.trace_seed, 17) * 1500000)::bigint
                WHEN r.slow_part AND r.name = 'POST /api/checkout' THEN _apm.demo_lognormal(r.trace_seed, 18, 1100000, 0.35)::bigint
                ELSE 0 END AS wait_us,
           greatest(30000, _apm.demo_lognormal(r.trace_seed, 20,
             CASE WHEN r.pageload THEN r.page_median * (ARRAY[1.0, 1.6, 1.3, 1.1, 0.9])[r.browser_no + 1] ELSE 320 END * 1000, r.page_sigma))::bigint AS page_us
      FROM request r
  ), placed AS (
    SELECT a.*, a.work_us + a.wait_us AS api_us,
           CASE WHEN a.browser THEN a.at_us + (a.page_us * CASE WHEN a.pageload THEN 0.30 ELSE 0.05 END)::bigint + a.network_us / 2
                ELSE a.at_us END AS api_at_us
      FROM answered a
  ), work AS (
    -- One row for each service's part.
    SELECT p.*, 1 AS tx_no, p.page AS tx_name, CASE WHEN p.pageload THEN 'pageload' ELSE 'navigation' END AS op,
           p.at_us AS tx_at_us, p.page_us AS tx_work_us, 0::bigint AS tx_wait_us, p.api_us + p.network_us AS call_us,
           greatest(p.page_us, p.api_at_us - p.network_us / 2 + p.api_us + p.network_us + 2000 - p.at_us) AS tx_us,
           p.failed AS tx_failed, NULL::integer AS parent_step
      FROM placed p WHERE p.browser
    UNION ALL
    SELECT p.*, 2, p.name, 'http.server', p.api_at_us, p.work_us, p.wait_us, NULL, p.api_us, p.failed,
           CASE WHEN p.browser THEN 5 END
      FROM placed p
    UNION ALL
    SELECT p.*, 3, k.name, 'queue.process',
           p.api_at_us + p.wait_us + (p.work_us * (q.at + q.share))::bigint
             + least(5000000, _apm.demo_lognormal(p.trace_seed, 30, 180000, 1.0))::bigint,
           k.task_us, 0, NULL, k.task_us, _apm.demo_random(p.trace_seed, 34) < k.error_rate, q.step
      FROM placed p
      JOIN _apm.demo_steps q ON q.profile = p.name AND q.op = 'queue.publish'
      CROSS JOIN LATERAL (SELECT e.name, e.error_rate, greatest(3000, _apm.demo_lognormal(p.trace_seed, 32, e.median_ms * 1000, e.sigma))::bigint AS task_us
                            FROM _apm.demo_endpoints e WHERE e.service = 'worker' AND e.name = p.calls) k
     WHERE NOT p.failed AND NOT p.missing AND _apm.demo_random(p.trace_seed, 36) < 0.95
  )
  SELECT w.slow_part, w.trace_seed,
         _apm.demo_id(w.trace_seed, 0, 255, 0) || _apm.demo_id(w.trace_seed, 0, 255, 1),
         w.tx_no, s.service, s.project_id,
         _apm.demo_id(w.trace_seed, w.tx_no, 0, 0),
         -- The caller's span: the page's http.client or the api's queue.publish.
         CASE WHEN w.parent_step IS NOT NULL THEN _apm.demo_id(w.trace_seed, w.tx_no - 1, w.parent_step, 0) END,
         w.tx_name, w.op, CASE w.tx_no WHEN 1 THEN w.op ELSE w.tx_name END,
         CASE WHEN w.tx_failed AND w.timed_out AND w.tx_no = 2 THEN 'deadline_exceeded'
              WHEN w.tx_failed THEN 'internal_error'
              WHEN w.tx_no = 2 AND w.missing THEN 'not_found' ELSE 'ok' END,
         CASE WHEN w.tx_no <> 2 THEN NULL WHEN w.timed_out THEN 504 WHEN w.failed THEN 500 WHEN w.missing THEN 404 ELSE 200 END,
         w.tx_at_us, w.tx_work_us, w.tx_wait_us, w.call_us, w.tx_us,
         CASE w.tx_no WHEN 1 THEN CASE WHEN w.position < 0.45 THEN 'shop-web@7.3.1' ELSE 'shop-web@7.4.0' END
                      WHEN 2 THEN CASE WHEN w.position < 0.30 THEN 'shop-api@4.1.0' WHEN w.slow_part THEN 'shop-api@4.2.0' ELSE 'shop-api@4.1.1' END
                      ELSE 'shop-worker@2.0.3' END,
         w.environment, w.user_no, CASE w.tx_no WHEN 1 THEN w.browser_no END,
         CASE WHEN NOT w.tx_failed THEN NULL
              WHEN w.tx_no = 1 THEN 'HttpError'
              WHEN w.tx_no = 3 THEN 'RetryLimitExceeded'
              WHEN w.timed_out THEN 'UpstreamTimeout'
              ELSE (ARRAY['ConnectionError', 'ValueError', 'IntegrityError'])[1 + floor(_apm.demo_random(w.trace_seed, 40) * 3)::integer] END,
         CASE WHEN NOT w.tx_failed THEN NULL
              WHEN w.tx_no = 1 THEN 'request failed with status ' || CASE WHEN w.timed_out THEN 504 ELSE 500 END
              WHEN w.tx_no = 3 THEN 'gave up after 5 attempts'
              WHEN w.timed_out THEN 'no answer within 10 s'
              ELSE (ARRAY['connection reset by peer', 'quantity must be positive', 'duplicate key value violates unique constraint'])[1 + floor(_apm.demo_random(w.trace_seed, 40) * 3)::integer] END,
         w.tx_failed AND w.timed_out AND w.tx_no = 2,
         CASE w.tx_no WHEN 1 THEN w.name END
    FROM work w JOIN _apm.demo_services s USING (tx_no);
END;

-- --- the envelopes ---------------------------------------------------------

-- The spans of one transaction of the plan, as the list that an SDK sends.
-- Steps after the upstream call are moved by its wait; a failed request never
-- gets to them.
CREATE FUNCTION _apm.demo_spans(trace_seed bigint, trace_id text, tx_no integer, profile text, status text, calls text,
                                start_us bigint, work_us bigint, wait_us bigint, call_us bigint,
                                OUT spans json, OUT span_count bigint)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH step AS (
    SELECT s.*, start_us + (work_us * s.at)::bigint + CASE WHEN s.at > u.at THEN wait_us ELSE 0 END AS step_at_us,
           s.few + floor(_apm.demo_random(trace_seed, 100 + s.step) * (s.many - s.few + 1))::integer AS times
      FROM _apm.demo_steps s
      LEFT JOIN _apm.demo_steps u ON u.profile = s.profile AND u.upstream
     WHERE s.profile = demo_spans.profile
       AND (status NOT IN ('internal_error', 'deadline_exceeded') OR tx_no = 1 OR s.at <= coalesce(u.at, 0.8))
  ), placed AS (
    SELECT s.*, n, step_at_us + (work_us * s.share / times * n)::bigint AS at_us,
           CASE WHEN tx_no = 1 AND s.op = 'http.client' THEN call_us
                ELSE greatest(1, (work_us * s.share / times
                       * CASE WHEN s.upstream OR s.op IN ('function', 'queue.publish') THEN 1
                              ELSE 0.7 + 0.3 * _apm.demo_random(trace_seed, 200 + s.step * 64 + n) END)::bigint)
                     + CASE WHEN s.upstream THEN wait_us ELSE 0 END END AS took_us
      FROM step s CROSS JOIN LATERAL generate_series(0, times - 1) n
  )
  SELECT json_agg(json_build_object(
           'trace_id', trace_id,
           'span_id', _apm.demo_id(trace_seed, tx_no, step, n),
           'parent_span_id', _apm.demo_id(trace_seed, tx_no, parent_step, 0),
           'op', op,
           'description', coalesce(description, split_part(calls, ' ', 1) || ' https://shop.example.test' || split_part(calls, ' ', 2)),
           'status', CASE WHEN (upstream OR tx_no = 1 AND op = 'http.client') AND status IN ('internal_error', 'deadline_exceeded') THEN status ELSE 'ok' END,
           'start_timestamp', _apm.demo_seconds(at_us),
           'timestamp', _apm.demo_seconds(at_us + took_us),
           'origin', 'auto.demo',
           'data', coalesce(data, '{}')::json) ORDER BY at_us, step), count(*)
    FROM placed;
END;

-- Every envelope of a range of traces, with the moment it is sent.  Nothing in
-- it may be NULL where an SDK would leave the key out.
CREATE FUNCTION _apm.demo_envelopes(seed integer, traces integer, first_trace integer, last_trace integer, since timestamptz, until timestamptz)
  RETURNS TABLE (slow_part boolean, service text, project_id integer, kind text, span_count bigint, sent_us bigint, body bytea)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH tx AS (
    SELECT p.*, s.platform, json_build_object('name', s.sdk_name, 'version', s.sdk_version) AS sdk,
           start_us + duration_us AS end_us,
           CASE WHEN user_no IS NOT NULL THEN json_build_object('id', 'user-' || user_no,
             'email', 'user-' || user_no || '@example.test', 'ip_address', '198.51.100.' || user_no % 254 + 1) END AS "user",
           json_build_object('tier', CASE WHEN user_no % 9 = 0 THEN 'gold' ELSE 'basic' END) AS tags,
           CASE WHEN browser_no IS NOT NULL THEN (ARRAY['Chrome', 'Chrome Mobile', 'Mobile Safari', 'Firefox', 'Edge'])[browser_no + 1] END AS browser
      FROM _apm.demo_plan(seed, traces, first_trace, last_trace, since, until) p
      JOIN _apm.demo_services s USING (service)
  ), event AS (
    SELECT t.slow_part, t.service, t.project_id, 'transaction' AS kind, x.span_count, t.end_us, t.sdk, t.trace_id, t.release, t.environment,
           _apm.demo_id(trace_seed, tx_no, 253, 0) || _apm.demo_id(trace_seed, tx_no, 253, 1) AS event_id,
           json_build_object(
             'type', 'transaction',
             'transaction', name,
             'transaction_info', json_build_object('source', CASE tx_no WHEN 3 THEN 'task' ELSE 'route' END),
             'platform', platform,
             'start_timestamp', _apm.demo_seconds(start_us),
             'timestamp', _apm.demo_seconds(end_us),
             'release', release,
             'environment', environment,
             'sdk', sdk,
             'user', "user",
             'tags', tags,
             'request', CASE tx_no
               WHEN 1 THEN json_build_object('url', 'https://shop.example.test' || name)
               WHEN 2 THEN json_build_object('method', split_part(name, ' ', 1), 'url', 'https://shop.example.test' || split_part(name, ' ', 2)) END,
             'contexts', json_build_object(
               'trace', json_build_object('trace_id', trace_id, 'span_id', span_id, 'parent_span_id', parent_span_id,
                                          'op', op, 'status', status, 'origin', 'auto.demo'),
               'response', CASE tx_no WHEN 2 THEN json_build_object('status_code', http_status) END,
               'browser', CASE tx_no WHEN 1 THEN json_build_object('name', browser, 'version', '143.0') END,
               'runtime', CASE WHEN tx_no > 1 THEN json_build_object('name', 'CPython', 'version', '3.13.9') END),
             'measurements', CASE WHEN op = 'pageload' THEN json_build_object(
               'ttfb', json_build_object('value', round((work_us * (0.10 + 0.08 * _apm.demo_random(trace_seed, 50)) / 1000)::numeric, 1), 'unit', 'millisecond'),
               'fcp', json_build_object('value', round((work_us * (0.35 + 0.15 * _apm.demo_random(trace_seed, 51)) / 1000)::numeric, 1), 'unit', 'millisecond'),
               'lcp', json_build_object('value', round((work_us * (0.65 + 0.30 * _apm.demo_random(trace_seed, 52)) / 1000)::numeric, 1), 'unit', 'millisecond'),
               'cls', CASE WHEN browser LIKE 'Chrome%' THEN json_build_object('value', round(_apm.demo_lognormal(trace_seed, 53, 0.05, 1.0)::numeric, 4), 'unit', '') END,
               'inp', CASE WHEN browser LIKE 'Chrome%' THEN json_build_object('value', 8 * round(_apm.demo_lognormal(trace_seed, 55, 14, 0.6)), 'unit', 'millisecond') END) END
           ) AS payload, x.spans
      FROM tx t
     CROSS JOIN LATERAL _apm.demo_spans(trace_seed, trace_id, tx_no, profile, status, calls, start_us, work_us, wait_us, call_us) x
    UNION ALL
    SELECT t.slow_part, t.service, t.project_id, 'event', 0, t.end_us - 1000, t.sdk, t.trace_id, t.release, t.environment,
           _apm.demo_id(trace_seed, tx_no, 254, 0) || _apm.demo_id(trace_seed, tx_no, 254, 1),
           json_build_object(
             'level', 'error',
             'transaction', name,
             'platform', platform,
             'timestamp', _apm.demo_seconds(end_us - 1000),
             'release', release,
             'environment', environment,
             'sdk', sdk,
             'user', "user",
             'tags', tags,
             'contexts', json_build_object('trace', json_build_object('trace_id', trace_id,
               'span_id', CASE WHEN timed_out OR tx_no = 1 THEN _apm.demo_id(trace_seed, tx_no, u.step, 0) ELSE span_id END,
               'parent_span_id', CASE WHEN timed_out OR tx_no = 1 THEN span_id ELSE parent_span_id END)),
             'exception', json_build_object('values', json_build_array(json_build_object(
               'type', error_type, 'value', error_value,
               'mechanism', json_build_object('type', 'generic', 'handled', tx_no = 1),
               'stacktrace', json_build_object('frames', json_build_array(
                 json_build_object('module', 'shop.' || t.service, 'function', 'handle', 'filename', 'shop/' || t.service || '.py', 'lineno', 21, 'in_app', true),
                 json_build_object('module', 'shop.client', 'function', 'call', 'filename', 'shop/client.py', 'lineno', 58, 'in_app', true))))))
           ), NULL
      FROM tx t
      LEFT JOIN _apm.demo_steps u ON u.profile = t.profile AND (u.upstream OR t.tx_no = 1 AND u.op = 'http.client')
     WHERE error_type IS NOT NULL
  )
  SELECT slow_part, service, project_id, kind, span_count, end_us + 150000,
         convert_to(
           json_strip_nulls(json_build_object('event_id', event_id, 'sent_at', to_char(to_timestamp((end_us + 100000) / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
             'sdk', sdk, 'trace', json_build_object('trace_id', trace_id, 'release', release, 'environment', environment, 'sample_rate', '1', 'sampled', 'true')))::text
           || E'\n' || json_build_object('type', kind)::text || E'\n'
           -- The spans are spliced in before the closing brace: they have no nulls to strip.
           || CASE WHEN spans IS NULL THEN json_strip_nulls(payload)::text
                   ELSE left(json_strip_nulls(payload)::text, -1) || ',"spans":' || spans::text || '}' END || E'\n', 'UTF8')
    FROM event;
END;

-- --- the ground truth ------------------------------------------------------

-- What the parts that are loaded must give, from the plan alone.
CREATE FUNCTION _apm.demo_expect(load _apm.demo_loads)
  RETURNS SETOF _apm.demo_truth
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT t.project_id, t.name, t.op, count(*), count(*) FILTER (WHERE t.status <> 'ok'), count(t.error_type),
         percentile_cont(0.50) WITHIN GROUP (ORDER BY t.duration_us / 1000::float8),
         percentile_cont(0.75) WITHIN GROUP (ORDER BY t.duration_us / 1000::float8),
         percentile_cont(0.95) WITHIN GROUP (ORDER BY t.duration_us / 1000::float8),
         percentile_cont(0.99) WITHIN GROUP (ORDER BY t.duration_us / 1000::float8),
         (count(*) FILTER (WHERE t.duration_us <= 300000)
          + 0.5 * count(*) FILTER (WHERE t.duration_us > 300000 AND t.duration_us <= 1200000))::float8 / count(*),
         nullif(count(DISTINCT t.user_no), 0),
         CASE WHEN count(t.user_no) > 0 THEN count(DISTINCT t.user_no) FILTER (WHERE t.duration_us > 1200000) END,
         CASE WHEN count(t.user_no) > 0
              THEN (count(DISTINCT t.user_no) FILTER (WHERE t.duration_us > 1200000) + 5.8875::float8)
                   / (count(DISTINCT t.user_no) + 5.8875::float8 + 111.8625) END
    FROM _apm.demo_plan((load).seed, (load).traces, 1, (load).traces, (load).since, (load).until) t
   WHERE (load).slow_loaded OR NOT t.slow_part
   GROUP BY t.project_id, t.name, t.op;
END;

-- --- the two calls ---------------------------------------------------------

-- Sends the envelopes of one part through apm.ingest_batch, some hundred traces
-- a call; one row for each envelope.
CREATE FUNCTION _apm.demo_ingest(load _apm.demo_loads, part text)
  RETURNS TABLE (service text, kind text, span_count bigint, accepted bigint, rejected bigint, skipped bigint)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  batch CONSTANT integer := 400;
BEGIN
  FOR first_trace IN 1 .. load.traces BY batch LOOP
    RETURN QUERY
      WITH envelope AS MATERIALIZED (
        SELECT e.*, row_number() OVER (ORDER BY e.sent_us, e.project_id, e.kind) AS n
          FROM _apm.demo_envelopes(load.seed, load.traces, first_trace, least(first_trace + batch - 1, load.traces), load.since, load.until) e
         WHERE part = 'all' OR e.slow_part = (part = 'after')
      )
      SELECT e.service, e.kind, e.span_count, r.accepted::bigint, r.rejected::bigint, r.skipped::bigint
        FROM (SELECT array_agg(body ORDER BY n) AS bodies, array_agg(project_id ORDER BY n) AS projects,
                     array_agg(to_timestamp(sent_us / 1000000.0) ORDER BY n) AS times
                FROM envelope HAVING count(*) > 0) b
       CROSS JOIN LATERAL apm.ingest_batch(b.bodies, b.projects, b.times)
               WITH ORDINALITY AS r (event_id, accepted, rejected, skipped, problems, n)
        JOIN envelope e USING (n);
  END LOOP;
END;
$$;

CREATE FUNCTION apm.load_demo(seed integer DEFAULT 1, transactions integer DEFAULT 5000, span_of_time interval DEFAULT '24 hours',
                              until timestamptz DEFAULT now(), part text DEFAULT 'all')
  RETURNS TABLE (service text, project_id integer, transaction_count bigint, child_span_count bigint, error_count bigint,
                 accepted bigint, rejected bigint, skipped bigint)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  load _apm.demo_loads;
BEGIN
  IF seed IS NULL OR transactions IS NULL OR span_of_time IS NULL OR until IS NULL OR part IS NULL THEN
    RAISE EXCEPTION 'no argument of apm.load_demo may be NULL' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF part NOT IN ('all', 'before', 'after') THEN
    RAISE EXCEPTION 'unknown part of the demo load: "%"', part
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'The parts are "all", "before" and "after" (the slow release).';
  END IF;
  IF transactions NOT BETWEEN 100 AND 1000000 THEN
    RAISE EXCEPTION 'number of transactions is out of range: %', transactions
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It may lie between 100 and 1000000.';
  END IF;
  IF span_of_time NOT BETWEEN interval '10 minutes' AND interval '366 days' THEN
    RAISE EXCEPTION 'span of time is out of range: %', span_of_time
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It may lie between 10 minutes and 366 days.';
  END IF;
  IF until NOT BETWEEN '1972-01-01 00:00:00+00' AND '9999-01-01 00:00:00+00' THEN
    RAISE EXCEPTION 'end of the demo load is out of range: %', until
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It may lie between the years 1972 and 9998.';
  END IF;

  LOCK TABLE _apm.demo_loads IN EXCLUSIVE MODE;
  SELECT * INTO load FROM _apm.demo_loads;
  IF part = 'after' THEN
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the first part of the demo load is not in this database'
        USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = 'Load it first: SELECT * FROM apm.load_demo(part => ''before'');';
    ELSIF load.slow_loaded THEN
      RAISE EXCEPTION 'the demo load in this database is complete'
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Remove it first: SELECT apm.drop_demo();';
    END IF;
    load.slow_loaded := true;
    UPDATE _apm.demo_loads SET slow_loaded = true;
  ELSE
    IF FOUND THEN
      RAISE EXCEPTION 'this database holds a demo load'
        USING ERRCODE = 'duplicate_object', HINT = 'Remove it first: SELECT apm.drop_demo();';
    ELSIF EXISTS (SELECT FROM apm.projects p JOIN _apm.demo_services s USING (project_id)) THEN
      RAISE EXCEPTION 'a project id that the demo needs is taken'
        USING ERRCODE = 'duplicate_object',
              DETAIL = (SELECT format('Its projects are %s.', string_agg(s.project_id::text, ', ' ORDER BY s.project_id)) FROM _apm.demo_services s);
    END IF;
    -- A trace has 1.5 transactions on average.
    load := ROW (seed, ceil(transactions / 1.5), until - span_of_time, until, part = 'all', true);
    INSERT INTO _apm.demo_loads SELECT load.*;
    PERFORM apm.create_project(s.project_name, s.project_id) FROM _apm.demo_services s ORDER BY s.project_id;
  END IF;

  DELETE FROM _apm.demo_truth;
  INSERT INTO _apm.demo_truth SELECT * FROM _apm.demo_expect(load);
  RETURN QUERY
    SELECT s.service, s.project_id, count(*) FILTER (WHERE i.kind = 'transaction'), sum(i.span_count)::bigint,
           count(*) FILTER (WHERE i.kind = 'event'), sum(i.accepted)::bigint, sum(i.rejected)::bigint, sum(i.skipped)::bigint
      FROM _apm.demo_ingest(load, part) i JOIN _apm.demo_services s USING (service)
     GROUP BY s.service, s.project_id ORDER BY s.project_id;
END;
$$;
COMMENT ON FUNCTION apm.load_demo(integer, integer, interval, timestamptz, text) IS 'Fills three projects with the load of an invented shop that ends at until: a frontend, an api and a worker, with one slow release from 60 % of the period on. The same arguments give the same load. part "before" stops at that release, a later call with part "after" goes on with the same load and ignores the other arguments. Returns for each service what was made and what became of it, in numbers of transactions, child spans, errors and items. Example: SELECT * FROM apm.load_demo()';

-- Takes the tables from the catalog, children first, so that no table with a
-- project_id is forgotten, whichever part of the extension it belongs to.
CREATE FUNCTION apm.drop_demo() RETURNS bigint
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  projects CONSTANT integer[] := (SELECT array_agg(s.project_id) FROM _apm.demo_services s);
  removed  bigint := 0;
  deleted  bigint;
  rule     text;
  target   regclass;
BEGIN
  LOCK TABLE _apm.demo_loads IN EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM _apm.demo_loads) THEN
    RAISE NOTICE 'this database holds no demo load';
    RETURN 0;
  END IF;
  FOR rule IN SELECT r.name FROM apm.alert_rules r WHERE r.project_id = ANY (projects) ORDER BY r.rule_id LOOP
    PERFORM apm.drop_alert(rule);
  END LOOP;
  DELETE FROM apm.notifications n USING apm.incidents i WHERE i.incident_id = n.incident_id AND i.project_id = ANY (projects);
  DELETE FROM apm.incident_events e USING apm.incidents i WHERE i.incident_id = e.incident_id AND i.project_id = ANY (projects);
  FOR target IN
    WITH RECURSIVE tables AS (
      SELECT c.oid AS relid
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped
       WHERE n.nspname IN ('apm', '_apm') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ), depth AS (
      SELECT t.relid, 0 AS level FROM tables t
      UNION
      SELECT f.conrelid, d.level + 1
        FROM depth d JOIN pg_constraint f ON f.confrelid = d.relid AND f.contype = 'f' AND f.conrelid <> f.confrelid
    )
    SELECT t.relid FROM tables t JOIN depth d USING (relid) GROUP BY t.relid ORDER BY max(d.level) DESC, t.relid
  LOOP
    EXECUTE format('DELETE FROM %s WHERE project_id = ANY ($1)', target) USING projects;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF target = 'apm.transactions'::regclass THEN
      removed := deleted;
    END IF;
  END LOOP;
  DELETE FROM _apm.demo_loads;
  RETURN removed;
END;
$$;
COMMENT ON FUNCTION apm.drop_demo() IS 'Removes the demo load with its projects and all that belongs to them, alert rules too; returns the number of transactions removed. Example: SELECT apm.drop_demo()';
