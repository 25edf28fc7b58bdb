-- apm.waterfall: a trace as text.
\getenv srcdir PG_ABS_SRCDIR
\set fixture :srcdir '/data/trace_fixture.sql'
\pset format unaligned
\pset tuples_only on
SET TIME ZONE 'UTC';
SET datestyle = 'ISO, YMD';
BEGIN;
\i :fixture

-- A page load, two services behind it, errors in both.
INSERT INTO s VALUES
  (1, 910001, 1, 1, NULL, 'pageload', '/checkout', 0, 1900, 'ok'),
  (1, 910001, 1, 2, 1, 'resource.script', 'https://static.shop.test/app.3f9c.js', 35, 180, NULL),
  (1, 910001, 1, 3, 1, 'http.client', 'POST https://api.shop.test/orders', 520, 1290, 'internal_error'),
  (1, 910001, 1, 4, 1, 'ui.long-task', 'Main UI thread blocked', 1822.5, 61, NULL),
  (1, 910002, 16, 16, 3, 'http.server', 'POST /orders', 541, 1242, 'internal_error'),
  (1, 910002, 16, 17, 16, 'middleware.auth', 'Session', 541.4, 3.21, NULL),
  (1, 910002, 16, 18, 16, 'db.sql.query', E'SELECT *\n  FROM users\n WHERE id = $1', 545, 12.4, 'ok'),
  (1, 910002, 16, 19, 16, 'db.sql.query', 'SELECT id, sku, quantity FROM cart_items WHERE cart_id = $1 ORDER BY position', 558, 7.91, 'ok'),
  (1, 910002, 16, 20, 16, 'http.client', 'POST https://payments.test/v1/charge', 731, 1020, 'unavailable'),
  (1, 910002, 16, 21, 16, 'cache.get', 'rates:EUR', 1760, 0.184, 'ok'),
  (1, 910003, 32, 32, 20, 'http.server', 'POST /v1/charge', 740, 1001, 'internal_error'),
  (1, 910003, 32, 33, 32, 'db.sql.query', 'INSERT INTO charges VALUES (%s)', 742, 3.5, 'ok'),
  (1, 910003, 32, 34, 32, 'http.client', 'POST https://bank.test/authorize', 750, 990, 'deadline_exceeded');
CALL pg_temp.store();
INSERT INTO apm.errors (project_id, trace_id, span_id, level, type, value, event_time) VALUES
  (910003, pg_temp.trace_no(1), pg_temp.span_no(34), 'error', 'ConnectTimeout', 'bank.test did not answer within 990 ms', pg_temp.at(1740)),
  (910002, pg_temp.trace_no(1), pg_temp.span_no(16), 'error', 'PaymentError', 'charge of order 8841 failed', pg_temp.at(1782));
SELECT apm.waterfall(pg_temp.trace_no(1));
SELECT * FROM apm.waterfall(pg_temp.trace_no(1), 150);
SELECT apm.waterfall(pg_temp.trace_no(1), width => 60);
SELECT apm.waterfall(pg_temp.trace_no(1), 40);

-- Orphans, errors without a span, more errors than are listed, other levels.
INSERT INTO s VALUES
  (2, 910002, 1, 1, NULL, 'task', 'nightly', 1000, 80, 'cancelled'),
  (2, 910002, 1, 2, 99, 'db', 'lost child', 1010, 20, 'not_found'),
  (2, 910002, 1, 3, 2, 'db', 'child of the lost one', 1012, 0, NULL),
  (2, 910002, 1, 4, 3, NULL, NULL, 1012, 0.0004, NULL);
CALL pg_temp.store();
INSERT INTO apm.errors (project_id, trace_id, span_id, level, type, value, event_time)
SELECT 910002, pg_temp.trace_no(2), pg_temp.span_no(1), 'error', 'KeyError', 'missing key ' || i, pg_temp.at(1020 + i)
  FROM generate_series(1, 6) i;
INSERT INTO apm.errors (project_id, trace_id, span_id, level, type, value, event_time) VALUES
  (910002, pg_temp.trace_no(2), pg_temp.span_no(4), 'warning', NULL, 'disk nearly full', pg_temp.at(1015)),
  (910002, pg_temp.trace_no(2), NULL, 'error', 'ValueError', 'raised outside of any span, with a text that goes on and on and on and on and on', pg_temp.at(1500)),
  (910002, pg_temp.trace_no(2), pg_temp.span_no(77), 'fatal', NULL, NULL, pg_temp.at(900));
SELECT apm.waterfall(pg_temp.trace_no(2));

-- Only an error.
INSERT INTO apm.errors (project_id, trace_id, span_id, level, type, value, event_time) VALUES
  (910004, pg_temp.trace_no(3), pg_temp.span_no(1), 'error', 'OSError', 'no space left', pg_temp.at(0));
SELECT apm.waterfall(pg_temp.trace_no(3));

-- Wide, combining, invisible and control characters: bars stay in their column.
INSERT INTO s VALUES
  (4, 910002, 1, 1, NULL, 'http.server', 'GET /日本語/検索', 0, 100, 'ok'),
  (4, 910002, 1, 2, 1, 'db', '데이터베이스에서 사용자를 모두 읽어 오는 아주 긴 설명', 0, 50, 'ok'),
  (4, 910002, 1, 3, 1, 'job', 'deploy 🚀🚀 done', 50, 50, 'ok'),
  (4, 910002, 1, 4, 1, 'e' || repeat(U&'\0301', 40), U&'cafe\0301 re\0301sume\0301', 50, 25, 'ok'),
  (4, 910002, 1, 5, 1, E'tab\tbell\x07', E'\u202Eright to left\u202C \u200Bzero\uFEFF\r\n\r\n  \u0085 next\x7f', 50, 25, 'ok'),
  (4, 910002, 1, 6, 1, E'\x1b[31mred\x1b[0m', repeat(E'\n', 1000) || 'after blank lines', 75, 25, 'ok'),
  (4, 910002, 1, 7, 1, 'long', repeat('x', 100000), 75, 25, 'ok'),
  (4, 910002, 1, 8, 1, U&'\200B', U&'\0301', 75, 25, 'ok');
CALL pg_temp.store();
SELECT apm.waterfall(pg_temp.trace_no(4));
SELECT apm.waterfall(pg_temp.trace_no(4), 45);

-- Nothing lasts, and clocks disagree.
INSERT INTO s VALUES
  (5, 910002, 1, 1, NULL, 'a', 'instant', 0, 0, 'ok'),
  (6, 910002, 1, 1, NULL, 'a', 'parent', 200, 100, 'ok'),
  (6, 910003, 2, 2, 1, 'b', 'clock behind', 0, 50, 'ok'),
  (6, 910003, 2, 3, 2, 'c', 'ends after its parent', 40, 4000000, 'ok');
CALL pg_temp.store();
SELECT apm.waterfall(pg_temp.trace_no(5), 50);
SELECT apm.waterfall(pg_temp.trace_no(6), 70);

-- Gaps: from 100 ms on, against the latest end of the elder siblings, not in
-- a browser, not before another service's work.
INSERT INTO s VALUES
  (7, 910002, 1, 1, NULL, 'http.server', 'gaps', 0, 1000, 'ok'),
  (7, 910002, 1, 2, 1, 'a', 'long', 0, 500, 'ok'),
  (7, 910002, 1, 3, 1, 'b', 'short', 10, 10, 'ok'),
  (7, 910002, 1, 4, 1, 'c', 'no gap before this', 599.999, 0.001, 'ok'),
  (7, 910002, 1, 5, 1, 'd', 'gap before this', 700, 10, 'ok'),
  (7, 910003, 16, 16, 1, 'queue', 'other service', 900, 10, 'ok'),
  (7, 910001, 32, 32, 1, 'ui.action', 'browser', 920, 80, 'ok'),
  (7, 910001, 32, 33, 32, 'ui', 'early', 500, 1, 'ok'),
  (7, 910001, 32, 34, 33, 'ui', 'nested', 500, 1, 'ok'),
  (7, 910001, 32, 35, 33, 'ui', 'nested', 940, 1, 'ok'),
  (7, 910001, 32, 36, 32, 'ui', 'late', 980, 1, 'ok');
CALL pg_temp.store();
SELECT apm.waterfall(pg_temp.trace_no(7), 80);

-- Deeper than the indentation goes; the depth is written instead.
INSERT INTO s SELECT 8, 910002, 1, i, nullif(i - 1, 0), 'op', 'level ' || i - 1, i, 200 - 2 * i, 'ok' FROM generate_series(1, 60) i;
INSERT INTO s SELECT 8, 910002, 1, 100 + i, i, 'second', 'child of ' || i - 1, 199 - i, 1, 'ok' FROM generate_series(10, 60, 10) i;
CALL pg_temp.store();
SELECT apm.waterfall(pg_temp.trace_no(8), 64);

-- A line is never wider than asked for, at any width.
SELECT n, width, line
  FROM generate_series(1, 8) n, generate_series(40, 400, 15) width, apm.waterfall(pg_temp.trace_no(n), width) line
 WHERE n <> 4 AND length(line) > width;

-- What there is not.
SELECT apm.waterfall('4BF92F35-77b3-4da6-a3ce-929d0e0e4736');
SELECT count(*) FROM apm.waterfall(NULL);
SELECT count(*) FROM apm.waterfall(pg_temp.trace_no(1), NULL);
ROLLBACK;

\set VERBOSITY default
SELECT apm.waterfall('4bf92f3577b34da6a3ce929d0e0e4736', 39);
SELECT apm.waterfall('4bf92f3577b34da6a3ce929d0e0e4736', 401);
SELECT apm.waterfall('not a trace');
