-- Rollups: every reader gives the same answer from cells and from rows, and
-- every cell says what its rows say, whatever happens to the rows.
SET client_min_messages = warning;
SET timezone = 'UTC';
INSERT INTO apm.projects (project_id, name) VALUES (4611, 'rolled'), (4612, 'rolled, too');
SELECT count(_apm.make_partition('transactions', day::date)) FROM generate_series('2001-03-01'::date, '2001-03-05', '1 day') day;
-- One made by hand.
CREATE TABLE _apm.transactions_20010306 PARTITION OF apm.transactions FOR VALUES FROM ('2001-03-06 00:00Z') TO ('2001-03-07 00:00Z');
-- From the beginning, whatever was rolled up here before.
UPDATE _apm.rollup_state SET bound = 0 WHERE kind = 'transactions';

CREATE FUNCTION pg_temp.load(first integer, last integer, at timestamptz, step interval) RETURNS void LANGUAGE sql AS $$
  INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms, environment, release,
                                user_key, measurements, contexts)
  SELECT 4611 + (i % 3 = 0)::int, md5(i::text)::uuid::apm.trace_id, '00000000000000a1', CASE WHEN i % 41 > 0 THEN 'GET /' || i % 5 END,
         CASE i % 5 WHEN 0 THEN 'pageload' ELSE 'http.server' END,
         CASE WHEN i % 11 = 0 THEN 'internal_error' WHEN i % 13 = 0 THEN 'not_found' WHEN i % 7 > 0 THEN 'ok' END::apm.span_status,
         at + i * step, at + i * step, CASE WHEN i % 997 = 0 THEN -1 ELSE (1 + (i * 7919 % 100003) / 37.0)::numeric(12, 3) END,
         CASE WHEN i % 4 > 0 THEN 'production' END, 'shop@' || i % 2, CASE WHEN i % 17 > 0 THEN 'u' || i % 61 END,
         CASE WHEN i % 5 = 0 THEN jsonb_build_object('lcp', jsonb_build_object('value', 400 + i * 31 % 5000),
                                                     'fp', jsonb_build_object('value', i % 900), 'cls', jsonb_build_object('value', i % 300 / 1000.0)) END,
         CASE WHEN i % 10 = 0 THEN '{"browser": {"name": "Chrome Mobile"}}'::jsonb END
    FROM generate_series(first, last) i
$$;
-- Rounds until nothing is left: another session may hold the horizon back for a moment.
CREATE FUNCTION pg_temp.roll(at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  n bigint := 0;
BEGIN
  FOR i IN 1..1000 LOOP
    n := n + _apm.roll('transactions', at);
    EXIT WHEN (SELECT tail_rows + stale_hours FROM apm.rollup_status WHERE kind = 'transactions') = 0;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN CASE WHEN n > 0 THEN 'rolled' ELSE 'nothing new' END;
END $$;

-- Readers, with windows that begin and end anywhere.
CREATE TEMP TABLE reader (query text);
INSERT INTO reader
  SELECT format(q, w) FROM unnest(ARRAY[
    $$SELECT * FROM apm.endpoints(%s)$$, $$SELECT * FROM apm.web_vitals(%s)$$, $$SELECT * FROM apm.transaction_summary('GET /0', %s)$$,
    $$SELECT s, m, v.* FROM (VALUES ('1 day'::interval, 'p95()'), ('1 hour', 'failure_rate()'), ('3 hours', 'p75(lcp)'), ('5 minutes', 'count()'), ('90 minutes', 'epm()')) x (s, m),
        LATERAL apm.timeseries(x.m, %s, step => x.s) v WHERE samples > 0$$]) q,
    unnest(ARRAY[$$'2001-03-01', '2001-03-07'$$, $$'2001-03-01 07:13:21.5', '2001-03-05 11:47:03.25'$$,
                 $$'2001-03-04 09:30', '2001-03-04 10:15'$$, $$'2001-03-02 00:00', '2001-03-02 09:00:00.000001'$$]) w;
INSERT INTO reader VALUES
  ($$SELECT * FROM apm.endpoints('2001-03-01 03:00', '2001-03-05', project_id => 4612, environment => 'production', release => 'shop@1')$$),
  ($$SELECT * FROM apm.pages('2001-03-01 03:00', '2001-03-04 10:17')$$),
  ($$SELECT * FROM apm.web_vitals('2001-03-01 03:00', '2001-03-04 10:17', project_id => 4611, transaction_name => 'GET /0')$$),
  ($$SELECT m.metric, v.* FROM unnest('{count(),epm(),eps(),floored_epm(),last_seen(),p50(),p75(duration),p90(),p95(),p99(),p100(),avg(),sum(),min(),max(),any(),
       "percentile(duration, 0.123)",count_unique(user),failure_rate(),failure_count(),apdex(),user_misery(),count_miserable(),p75(lcp),avg(cls),max(fp),
       "count_web_vitals(lcp, good)","count_web_vitals(cls, any)",performance_score(lcp),count_scores(fp),apdex(500),p95(span_count)}'::text[]) m (metric),
       LATERAL apm.metric_value(m.metric, '2001-03-01 07:13:21.5', '2001-03-04 10:14:03') v$$),
  ($$SELECT v.* FROM unnest('{count(),p95(),apdex(),count_unique(user),p75(cls)}'::text[]) m (metric),
       LATERAL apm.metric_value(m.metric, NULL, '2001-03-05', 4612, 'GET /0', 'pageload', 'production', 'shop@0') v$$);
CREATE FUNCTION pg_temp.answer(query text, rollups boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  found text;
BEGIN
  PERFORM set_config('pg_apm.use_rollups', rollups::text, true);
  EXECUTE format('SELECT string_agg(q::text, E''\n'') FROM (%s) q', query) INTO found;
  RETURN found;
END $$;
CREATE FUNCTION pg_temp.differences() RETURNS TABLE (readers bigint, answers bigint, different bigint, which text) LANGUAGE sql AS $$
  SELECT count(*), count(a.rows), count(*) FILTER (WHERE a.rows IS DISTINCT FROM a.cells), min(query) FILTER (WHERE a.rows IS DISTINCT FROM a.cells)
    FROM reader, LATERAL (SELECT pg_temp.answer(query, false), pg_temp.answer(query, true) OFFSET 0) a (rows, cells)
$$;

-- Cells computed without the extension's help, from the rows that are rolled up.
CREATE TEMP VIEW rolled_rows AS
  SELECT t.*, CASE WHEN o.name IS NULL OR k.name IS NOT NULL THEN t.name WHEN t.name IS NOT NULL THEN '<< other >>' END AS cell_name,
         coalesce(h.threshold_ms, 300) AS threshold,
         CASE WHEN h.metric = 'lcp' THEN (t.measurements #>> '{lcp,value}')::float8 ELSE t.duration_ms END AS v
    FROM apm.transactions t LEFT JOIN apm.thresholds h ON h.project_id = t.project_id
         LEFT JOIN _apm.kept_names o ON o.project_id = t.project_id AND o.day = (t.end_time AT TIME ZONE 'UTC')::date AND o.name = '<< other >>'
         LEFT JOIN _apm.kept_names k ON k.project_id = t.project_id AND k.day = (t.end_time AT TIME ZONE 'UTC')::date AND k.name = t.name
   WHERE t.stored_xid < (SELECT bound FROM _apm.rollup_state WHERE kind = 'transactions') AND t.end_time < '2001-04-01';
CREATE FUNCTION pg_temp.wrong_cells() RETURNS TABLE (store text, cells bigint, missing bigint, extra bigint) LANGUAGE plpgsql SET jit = off AS $$
DECLARE
  l record;
  t record;
  keys constant text := 'project_id, bucket, transaction_name, op, environment, release';
BEGIN
  FOR l IN SELECT * FROM _apm.rollup_state, LATERAL (VALUES ('minutes', '1 minute'::interval, minutes_since, 'infinity'::timestamptz),
             ('hours', '1 hour', '-infinity', hours_until), ('days', '1 day', '-infinity', days_until)) w (level, width, low, high)
            WHERE kind = 'transactions'
  LOOP
    FOR t IN SELECT * FROM (VALUES ('transaction_', keys, 'cell_name, op,'), ('transaction_total_', 'project_id, bucket, environment, release', '')) c (prefix, keys, named) LOOP
    store := t.prefix || l.level;
    EXECUTE format($q$
      WITH truth AS (
        SELECT project_id, date_bin(%1$L, end_time, '2000-01-01Z') AS bucket, %6$s environment, release, status, count(*), count(user_key), count(v),
               count(*) FILTER (WHERE v >= 0 AND v <= threshold), count(*) FILTER (WHERE v >= 0 AND v > threshold AND v <= 4 * threshold),
               count(*) FILTER (WHERE v > 4 * threshold AND v <> 'NaN'), min(end_time), max(end_time), apm.sketch_agg(duration_ms)::text,
               count(DISTINCT user_key), count(DISTINCT user_key) FILTER (WHERE v > 4 * threshold AND v <> 'NaN')
          FROM rolled_rows WHERE end_time >= %2$L AND end_time < %3$L GROUP BY project_id, 2, %6$s environment, release, status),
      stored AS (
        SELECT %4$s, status, sum(n)::bigint, sum(user_rows)::bigint, sum(measured)::bigint, sum(satisfied)::bigint, sum(tolerable)::bigint, sum(frustrated)::bigint,
               min(first_at), max(last_at), apm.sketch_merge(sketch)::text,
               coalesce(apm.distinct_count(_apm.all_users(apm.hll_merge(users), apm.hll_merge(other_users))), 0), coalesce(apm.marked_count(apm.hll_merge(users)), 0)
          FROM _apm.%5$s WHERE bucket < '2001-04-01' GROUP BY %4$s, status)
      SELECT (SELECT count(*) FROM stored), (SELECT count(*) FROM (TABLE truth EXCEPT ALL TABLE stored) x), (SELECT count(*) FROM (TABLE stored EXCEPT ALL TABLE truth) x)$q$,
      l.width, l.low, l.high, t.keys, store, t.named) INTO cells, missing, extra;
    RETURN NEXT;
    END LOOP;
    store := 'vital_' || l.level;
    EXECUTE format($q$
      WITH v AS (SELECT r.project_id, r.end_time, r.cell_name, r.op, r.environment, r.release, m.vital, (m.value ->> 'value')::float8 AS x, r.contexts #>> '{browser,name}' AS b
                   FROM rolled_rows r, jsonb_each(r.measurements) m (vital, value)),
      truth AS (
        SELECT project_id, date_bin(%1$L, end_time, '2000-01-01Z') AS bucket, cell_name, op, environment, release, vital, count(*),
               count(*) FILTER (WHERE x < CASE vital WHEN 'lcp' THEN 2500 WHEN 'fp' THEN 1000 ELSE 0.1 END),
               count(*) FILTER (WHERE x >= CASE vital WHEN 'lcp' THEN 4000 WHEN 'fp' THEN 3000 ELSE 0.25 END),
               count(*) FILTER (WHERE vital <> 'fp'), coalesce(sum(round(apm.vital_score(vital, x, b) * 1e9)::bigint), 0), apm.sketch_agg(x)::text
          FROM v WHERE end_time >= %2$L AND end_time < %3$L GROUP BY 1, 2, 3, 4, 5, 6, 7),
      stored AS (SELECT %4$s, vital, sum(n)::bigint, sum(good)::bigint, sum(poor)::bigint, sum(scored)::bigint, sum(score), apm.sketch_merge(sketch)::text
                   FROM _apm.%5$s WHERE bucket < '2001-04-01' GROUP BY %4$s, vital)
      SELECT (SELECT count(*) FROM stored), (SELECT count(*) FROM (TABLE truth EXCEPT ALL TABLE stored) x), (SELECT count(*) FROM (TABLE stored EXCEPT ALL TABLE truth) x)$q$,
      l.width, l.low, l.high, keys, store) INTO cells, missing, extra;
    RETURN NEXT;
  END LOOP;
END $$;
\set VERBOSITY terse

-- Nothing is rolled up yet.
SELECT pg_temp.load(1, 2500, '2001-03-01', '2 minutes');
SELECT * FROM pg_temp.differences();
-- Constants survive whatever a session writes its times in.
BEGIN;
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL timezone = 'America/Los_Angeles';
SET LOCAL intervalstyle = 'iso_8601';
SELECT samples FROM apm.metric_value('count()', '0001-01-01 BC', '2001-03-02 00:00Z');
SELECT sum(samples) FROM apm.timeseries('count()', '2001-03-01 00:00Z', '2001-03-02 00:00Z', '1 day');
COMMIT;
-- A round; three days and some hours are over.
SELECT pg_temp.roll('2001-03-04 10:20');
SELECT hours_until, days_until, minutes_since, usable FROM apm.rollup_status WHERE kind = 'transactions';
SELECT * FROM pg_temp.wrong_cells();
SELECT * FROM pg_temp.differences();
SET client_min_messages = notice;
SELECT samples FROM apm.metric_value('p95()', '2001-03-01 07:13:21.5', '2001-03-04 10:12:42', explain => true);
SELECT count(*) FROM apm.endpoints('2001-03-01', '2001-03-04', threshold_ms => 500, explain => true);
SELECT count(*) FROM apm.endpoints('2001-03-02', '2001-03-03', explain => true);
SELECT count(*) FROM apm.timeseries('count()', '2001-03-02', '2001-03-02 01:00', '10 seconds', explain => true);
SELECT count(*) FROM apm.timeseries('avg(span_count)', '2001-03-02', '2001-03-02 01:00', '1 hour', explain => true);
SELECT count(*) FROM apm.timeseries('p75(lcp)', '2001-03-04 08:00', '2001-03-04 10:00', '5 minutes', explain => true);
SELECT count(*) FROM apm.web_vitals('2001-03-01', '2001-03-05', explain => true);
SELECT count(*) FROM apm.pages('2001-03-01', '2001-03-05', explain => true);
SELECT transactions FROM apm.transaction_summary('GET /0', '2001-03-01', '2001-03-05', explain => true);
SET client_min_messages = warning;

-- Late data for closed hours and days, and data of hours to come: as tail, then rolled up.
SELECT pg_temp.load(3001, 3300, '2001-02-01 22:00:17', '13 minutes');
INSERT INTO _apm.transactions_20010302 (project_id, trace_id, span_id, name, start_time, end_time, duration_ms, user_key)
  VALUES (4611, md5('leaf')::uuid::apm.trace_id, '00000000000000a1', 'GET /1', '2001-03-02 11:00Z', '2001-03-02 11:00Z', 77, 'leaf');
COPY apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms) FROM stdin;
4611	4bf92f3577b34da6a3ce929d0e0e4736	00000000000000a1	GET /2	2001-03-01 12:00+00	2001-03-01 12:00+00	NaN
4612	4bf92f3577b34da6a3ce929d0e0e4737	00000000000000a1	GET /2	2001-03-06 23:59:59.999999+00	2001-03-06 23:59:59.999999+00	1
\.
SELECT tail_rows, stale_hours FROM apm.rollup_status WHERE kind = 'transactions';
SELECT * FROM pg_temp.differences();
SELECT pg_temp.roll('2001-03-04 10:20');
SELECT * FROM pg_temp.wrong_cells();
SELECT * FROM pg_temp.differences();

-- Rows that change: their hours are read from rows until the next round.
UPDATE apm.transactions SET duration_ms = duration_ms * 2, status = 'aborted' WHERE project_id = 4611 AND end_time BETWEEN '2001-03-02 08:30' AND '2001-03-02 11:30';
DELETE FROM apm.transactions WHERE project_id = 4612 AND end_time BETWEEN '2001-03-04 09:50' AND '2001-03-04 10:05';
UPDATE _apm.transactions_20010303 SET name = 'GET /renamed' WHERE project_id = 4611 AND end_time < '2001-03-03 02:00';
DELETE FROM _apm.transactions_20010301 WHERE user_key = 'u7';
UPDATE apm.transactions SET end_time = end_time + interval '1 day 3 hours 20 seconds' WHERE project_id = 4611 AND end_time BETWEEN '2001-03-01 05:00' AND '2001-03-01 05:59';
SELECT project_id, hour FROM (SELECT DISTINCT project_id, hour FROM _apm.stale_hours WHERE hour > '2001-03-01 23:00' AND project_id IN (4611, 4612)) h ORDER BY 2, 1;
SELECT * FROM pg_temp.differences();
SET client_min_messages = notice;
SELECT samples FROM apm.metric_value('p95()', '2001-03-01', '2001-03-05', 4612, explain => true);
SET client_min_messages = warning;
SELECT pg_temp.roll('2001-03-04 10:20');
SELECT * FROM pg_temp.wrong_cells();
SELECT * FROM pg_temp.differences();
-- Its triggers have names of this database: those of a dump go in beside them, and ours then go.
SELECT regexp_replace(tgname, '_[0-9a-f]{8}$', '_…') AS tgname FROM pg_trigger WHERE tgrelid = '_apm.transactions_20010306'::regclass ORDER BY 1;
SELECT _apm.watch_changes('_apm.transactions_20010306', 'transactions');
SELECT _apm.watch_partitions('apm.transactions', 'transactions'), _apm.unwatch_partitions('apm.transactions');
SELECT tgname FROM pg_trigger WHERE tgrelid = '_apm.transactions_20010306'::regclass ORDER BY 1;
UPDATE _apm.transactions_20010306 SET duration_ms = 3;
SELECT * FROM pg_temp.differences();
SELECT pg_temp.roll('2001-03-04 10:20');
-- A change that is rolled back leaves no mark.
BEGIN;
DELETE FROM apm.transactions WHERE project_id = 4611;
SELECT * FROM pg_temp.differences();
ROLLBACK;
SELECT stale_hours FROM apm.rollup_status WHERE kind = 'transactions';

-- A threshold changes what cells count; a failure rule does not.
INSERT INTO apm.thresholds VALUES (4611, NULL, 'duration', 1000), (4612, NULL, 'lcp', 2000);
SELECT * FROM pg_temp.differences();
SET client_min_messages = notice;
SELECT samples FROM apm.metric_value('apdex()', '2001-03-01', '2001-03-05', 4612, explain => true);
SET client_min_messages = warning;
SELECT pg_temp.roll('2001-03-04 10:20');
SELECT * FROM pg_temp.wrong_cells();
SELECT * FROM pg_temp.differences();
INSERT INTO apm.failure_rules VALUES (4611, '{not_found}');
SELECT * FROM pg_temp.differences();
SELECT stale_hours FROM apm.rollup_status WHERE kind = 'transactions';
DELETE FROM apm.failure_rules WHERE project_id = 4611;
DELETE FROM apm.thresholds WHERE project_id IN (4611, 4612);
SELECT pg_temp.roll('2001-03-04 10:20');
SELECT * FROM pg_temp.differences();

-- More names than may have cells of their own: three of each project and day.
SET pg_apm.max_names = 3;
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
  SELECT 4612, md5('n' || i)::uuid::apm.trace_id, '00000000000000a1', 'GET /name' || i % 5, t, t, i
    FROM (SELECT i, '2001-03-05 10:00Z'::timestamptz + i * interval '1 minute' AS t FROM generate_series(0, 22) i) s;
SELECT pg_temp.roll('2001-03-05 10:10');
RESET pg_apm.max_names;
SELECT name FROM _apm.kept_names WHERE project_id = 4612 AND day = '2001-03-05' ORDER BY 1;
SELECT * FROM pg_temp.wrong_cells();
SELECT transaction_name, transactions, avg_ms FROM apm.endpoints('2001-03-05', '2001-03-06');
SET client_min_messages = notice;
SELECT value FROM apm.metric_value('count()', '2001-03-05', '2001-03-06', transaction_name => 'GET /name1', explain => true);
SELECT value FROM apm.metric_value('count()', '2001-03-05', '2001-03-06', transaction_name => 'GET /name4', explain => true);
SELECT value FROM apm.metric_value('count()', '2001-03-05', '2001-03-06', transaction_name => '<< other >>', explain => true);
SET client_min_messages = warning;
SELECT quantity FROM apm.outcomes WHERE project_id = 4612 AND reason = 'names';
-- The choice is closed; the tail and changed rows follow it.
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
  VALUES (4612, md5('late')::uuid::apm.trace_id, '00000000000000a1', 'GET /late', '2001-03-05 10:03Z', '2001-03-05 10:03Z', 5);
UPDATE apm.transactions SET name = 'GET /changed' WHERE project_id = 4612 AND end_time = '2001-03-05 10:00';
SELECT transaction_name, transactions FROM apm.endpoints('2001-03-05', '2001-03-06');
SELECT value FROM apm.metric_value('count()', '2001-03-05', '2001-03-06', transaction_name => '<< other >>');
SELECT pg_temp.roll('2001-03-05 10:10');
SELECT transaction_name, transactions FROM apm.endpoints('2001-03-05', '2001-03-06');
SELECT * FROM pg_temp.wrong_cells();
DELETE FROM apm.transactions WHERE project_id = 4612 AND end_time >= '2001-03-05' AND end_time < '2001-03-06';
SELECT pg_temp.roll('2001-03-05 10:10');

-- Time goes on: everything is closed, minutes are gone, late additions are merged.
SELECT pg_temp.load(3301, 3400, '2001-01-30 06:00:17', '13 minutes');
SELECT pg_temp.roll('2001-03-09 12:00');
UPDATE _apm.late_cells SET noted_at = noted_at - interval '1 hour';
SELECT pg_temp.roll('2001-03-09 12:00');
SELECT count(*) AS minutes FROM _apm.transaction_minutes WHERE bucket < '2001-03-07';
SELECT count(*) = count(DISTINCT (project_id, bucket, transaction_name, op, environment, release, status)) AS merged FROM _apm.transaction_days WHERE bucket < '2001-03-07';
SELECT * FROM pg_temp.wrong_cells();
SELECT * FROM pg_temp.differences();
SET client_min_messages = notice;
SELECT samples FROM apm.metric_value('p95()', '2001-03-01 00:00', '2001-03-04', explain => true);
SET client_min_messages = warning;
UPDATE apm.transactions SET release = 'shop@9' WHERE project_id = 4611 AND end_time BETWEEN '2001-03-02' AND '2001-03-02 00:30';
SELECT * FROM pg_temp.differences();
SELECT pg_temp.roll('2001-03-09 12:00');
SELECT * FROM pg_temp.wrong_cells();
TRUNCATE _apm.transactions_20010304;
SELECT * FROM pg_temp.differences();
SELECT pg_temp.roll('2001-03-09 12:00');
SELECT * FROM pg_temp.wrong_cells();

-- Cells that somebody spoilt are made anew.
DELETE FROM _apm.transaction_days WHERE bucket = '2001-03-03';
UPDATE _apm.vital_hours SET n = n + 1 WHERE bucket BETWEEN '2001-03-03' AND '2001-03-03 05:00';
SELECT different > 0 AS seen FROM pg_temp.differences();
SELECT apm.rebuild_rollups(4612, '2001-03-03', '2001-03-04'), apm.rebuild_rollups(since => '2001-03-03', until => '2001-03-04');
SELECT * FROM pg_temp.wrong_cells();
SELECT * FROM pg_temp.differences();
SELECT apm.rebuild_rollups(4612, '2001-03-04', '2001-03-03');

-- Another cluster: ids of transactions mean nothing there.
UPDATE _apm.rollup_state SET system_identifier = 1 WHERE kind = 'transactions';
SELECT usable FROM apm.rollup_status WHERE kind = 'transactions';
SELECT * FROM pg_temp.differences();
SET client_min_messages = notice;
SELECT count(*) FROM apm.endpoints('2001-03-02', '2001-03-03', explain => true);
SET client_min_messages = warning;
SELECT pg_temp.roll('2001-03-09 12:00');
SELECT * FROM pg_temp.wrong_cells();
SELECT * FROM pg_temp.differences();

-- Rows go, rollups stand: also when they are made anew.
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
  VALUES (4612, md5('last')::uuid::apm.trace_id, '00000000000000a1', 'GET /last', '2001-03-02 10:03Z', '2001-03-02 10:03Z', 5);
CREATE TEMP TABLE before AS
  SELECT query, pg_temp.answer(query, true) AS answer FROM (VALUES ($$SELECT * FROM apm.endpoints('2001-03-01', '2001-03-07')$$),
    ($$SELECT * FROM apm.timeseries('p95()', '2001-03-01', '2001-03-07', '1 hour')$$), ($$SELECT * FROM apm.web_vitals('2001-03-01 05:00', '2001-03-07')$$)) q (query);
CREATE FUNCTION pg_temp.release(until timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..1000 LOOP
    IF _apm.release_rows('transactions', until) THEN
      RETURN true;
    END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN false;
END $$;
SELECT pg_temp.release('2001-03-03 07:00');
SELECT kept_since FROM apm.rollup_status WHERE kind = 'transactions';
DROP TABLE _apm.transactions_20010301, _apm.transactions_20010302;
SELECT count(*) FILTER (WHERE pg_temp.answer(query, true) = answer) AS same, count(*) FILTER (WHERE pg_temp.answer(query, false) = answer) AS from_rows FROM before;
UPDATE _apm.rollup_state SET system_identifier = 1 WHERE kind = 'transactions';
SELECT count(*) FILTER (WHERE pg_temp.answer(query, true) = answer) AS same FROM before;
SELECT pg_temp.roll('2001-03-09 12:00');
SELECT count(*) FILTER (WHERE pg_temp.answer(query, true) = answer) AS same FROM before;
INSERT INTO apm.thresholds VALUES (4611, 'GET /nowhere', 'duration', 1);
SELECT count(*) FILTER (WHERE pg_temp.answer(query, true) = answer) AS same FROM before;
SELECT apm.rebuild_rollups(since => '2001-03-01', until => '2001-03-03');
SELECT count(*) FILTER (WHERE pg_temp.answer(query, true) = answer) AS same FROM before;
-- What is neither in rollups nor in rows is not known, and not 0: cut hours, steps that divide no hour, metrics and thresholds of rows.
SELECT bucket, value, samples FROM apm.timeseries('count()', '2001-03-02 21:13', '2001-03-03 01:40', '1 hour', 4611);
SELECT bucket, samples, p50_ms IS NULL AS unknown FROM apm.duration_percentiles('2001-03-02 21:13', '2001-03-03 01:40', '1 hour', 4611);
SELECT value IS NULL AS unknown, count(*), min(bucket), max(bucket) FROM apm.timeseries('count()', '2001-03-02 23:00', '2001-03-03 01:00', '7 minutes', 4611) GROUP BY 1 ORDER BY 3;
SELECT bucket, value IS NULL AS unknown, samples IS NULL AS unknown_samples FROM apm.timeseries('avg(span_count)', '2001-03-02 22:00', '2001-03-03 02:00', '1 hour', 4611);
SELECT lost FROM _apm.cells('transactions', '2001-03-02 21:13', '2001-03-04', NULL, '{}', '{n}', '{}');
SELECT lost FROM _apm.cells('transactions', '2001-03-03', '2001-03-04', NULL, '{}', '{n}', '{}');
SELECT lost FROM _apm.cells('transactions', NULL, NULL, NULL, '{}', '{n}', '{}', 500);
-- Who may read rows may read rollups; nobody else rolls.
SET ROLE apm_reader;
SELECT count(*) > 0 AS endpoints FROM apm.endpoints('2001-03-01', '2001-03-07');
SELECT usable FROM apm.rollup_status WHERE kind = 'transactions';
SELECT _apm.roll();
SELECT apm.rebuild_rollups();
RESET ROLE;

DROP TABLE _apm.transactions_20010303, _apm.transactions_20010304, _apm.transactions_20010305, _apm.transactions_20010306;
DELETE FROM apm.thresholds WHERE project_id = 4611;
DELETE FROM _apm.rollup_floor WHERE kind = 'transactions';
DELETE FROM _apm.transaction_days WHERE project_id IN (4611, 4612);
DELETE FROM _apm.transaction_hours WHERE project_id IN (4611, 4612);
DELETE FROM _apm.transaction_minutes WHERE project_id IN (4611, 4612);
DELETE FROM _apm.transaction_total_days WHERE project_id IN (4611, 4612);
DELETE FROM _apm.transaction_total_hours WHERE project_id IN (4611, 4612);
DELETE FROM _apm.transaction_total_minutes WHERE project_id IN (4611, 4612);
DELETE FROM _apm.vital_days WHERE project_id IN (4611, 4612);
DELETE FROM _apm.vital_hours WHERE project_id IN (4611, 4612);
DELETE FROM _apm.vital_minutes WHERE project_id IN (4611, 4612);
DELETE FROM _apm.kept_names WHERE project_id IN (4611, 4612);
DELETE FROM _apm.stale_hours WHERE project_id IN (4611, 4612);
DELETE FROM _apm.outcome_log WHERE project_id IN (4611, 4612);
DELETE FROM apm.projects WHERE project_id IN (4611, 4612);
