-- Retention drops data, hence a database of its own.
\set VERBOSITY default
SELECT current_database() AS here \gset
CREATE DATABASE apm_retention TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c apm_retention
SET client_min_messages = warning;
CREATE EXTENSION pg_apm;
RESET client_min_messages;
SET timezone = 'UTC';
SET pg_apm.compact_after = -1;

-- One transaction of two spans, and one error, n days ago.
CREATE FUNCTION pg_temp.body(n integer, name text DEFAULT 'GET /') RETURNS bytea LANGUAGE sql AS $$
  SELECT convert_to(format(
    E'{"event_id":"%s"}\n{"type":"transaction"}\n{"transaction":"%s","start_timestamp":%s,"timestamp":%s,'
    || '"contexts":{"trace":{"trace_id":"%s","span_id":"00000000000000aa","op":"http.server","status":"ok"}},"spans":['
    || '{"trace_id":"%s","span_id":"00000000000000ab","parent_span_id":"00000000000000aa","op":"db","start_timestamp":%s,"timestamp":%s}]}'
    || E'\n', md5('e' || n || name), name, s - 1, s, md5('t' || n), md5('t' || n), s - 0.75, s - 0.5), 'UTF8')
    FROM (SELECT extract(epoch FROM date_trunc('day', now() - n * interval '1 day') + interval '12 hours')) t (s)
$$;
CREATE FUNCTION pg_temp.error(n integer) RETURNS bytea LANGUAGE sql AS $$
  SELECT convert_to(format(
    E'{"event_id":"%s"}\n{"type":"event"}\n{"exception":{"values":[{"type":"E","value":"v"}]},"timestamp":%s}' || E'\n', md5('x' || n), s), 'UTF8')
    FROM (SELECT extract(epoch FROM date_trunc('day', now() - n * interval '1 day') + interval '12 hours')) t (s)
$$;
CREATE FUNCTION pg_temp.days(wanted text) RETURNS TABLE (partitions bigint, oldest interval, newest interval) LANGUAGE sql AS $$
  SELECT count(*), date_trunc('day', now()) - min(low), date_trunc('day', now()) - max(low) FROM _apm.partitions() WHERE kind = wanted
$$;
SET client_min_messages = warning;
SELECT sum(accepted) AS accepted
  FROM (SELECT array_agg(pg_temp.body(n)) || array_agg(pg_temp.error(n)) AS b FROM generate_series(1, 20) n) s,
       apm.ingest_batch(b, array_fill(1, ARRAY[40]), array_fill(now(), ARRAY[40]));
RESET client_min_messages;

-- Nothing is dropped unasked; partitions of the next two days are made.
SELECT task, result FROM apm.maintain();
SELECT * FROM pg_temp.days('transactions');
SELECT task, result FROM apm.maintain() WHERE task = 'partitions ahead';
SELECT kind, age, size_bytes, refused_before FROM apm.retention ORDER BY kind;

-- What cannot be meant
SELECT apm.set_retention('tansactions', '1 day');
SELECT apm.set_retention('metrics', '1 day');
SELECT apm.set_retention(NULL, '1 day');
SELECT apm.set_retention('spans', '-1 day');
SELECT apm.set_retention('spans', '0');
SELECT apm.set_retention('spans', '5000 years');
SELECT apm.set_retention('spans', size => '0 kB');
SELECT apm.set_retention('spans', size => 'much');
SELECT apm.set_retention('sessions', size => '1 GB');

-- By age: whole days that are older than that, by kind
SELECT apm.set_retention('transactions', '30 days');
SET client_min_messages = warning;
SELECT apm.set_retention('transactions', '11 days');
SELECT apm.set_retention('spans', '5 days');
RESET client_min_messages;
SELECT count(*) AS days, sum(_apm.count_rows(part)) AS rows FROM _apm.expired_days('transactions');
SELECT task, regexp_replace(result, 'before .*: ([0-9]+ rows), [0-9]+ bytes', 'before …: \1') AS result
  FROM apm.maintain() WHERE task ~ '(transactions|spans|errors)$';
SELECT (SELECT date_trunc('day', now()) - min(date_trunc('day', end_time)) FROM apm.transactions) AS transactions,
       (SELECT date_trunc('day', now()) - min(date_trunc('day', segment_end_time)) FROM apm.spans) AS spans,
       (SELECT date_trunc('day', now()) - min(date_trunc('day', event_time)) FROM apm.errors) AS errors;
SELECT kind, date_trunc('day', now()) - refused_before AS refused_before FROM apm.retention WHERE refused_before IS NOT NULL ORDER BY kind;
SELECT task, result FROM apm.maintain() WHERE result <> 'nothing to do';

-- What comes for a dropped day is refused and counted; where only spans were
-- dropped, the transaction is kept.  Neither makes a partition.
SELECT accepted, rejected, problems FROM apm.ingest(pg_temp.body(15, 'late'), 1);
SELECT accepted, rejected, problems FROM apm.ingest(pg_temp.body(8, 'late'), 1);
SELECT accepted, rejected FROM apm.ingest(pg_temp.body(3, 'late'), 1);
SELECT accepted, rejected FROM apm.ingest(pg_temp.error(19), 1);
SELECT (SELECT count(*) FROM apm.transactions WHERE name = 'late') AS transactions,
       (SELECT count(*) FROM apm.spans WHERE transaction_name = 'late') AS spans;
SELECT category, outcome, reason, quantity FROM apm.outcomes WHERE reason = 'retention' ORDER BY 1, 2;
-- so is what never had a partition and would be dropped at once, and a clock at 1970
SELECT accepted, rejected FROM apm.ingest(pg_temp.body(5000, 'late'), 1);
SELECT accepted, rejected FROM apm.ingest(pg_temp.body(20500, 'late'), 1);
SELECT * FROM pg_temp.days('transactions');
SELECT * FROM pg_temp.days('spans');
-- a batch keeps what it can
SELECT ordinality, accepted, rejected
  FROM apm.ingest_batch(ARRAY[pg_temp.body(15, 'b'), pg_temp.body(2, 'b'), pg_temp.body(16, 'b'), pg_temp.body(1, 'b')],
                        ARRAY[1, 1, 1, 1], array_fill(now(), ARRAY[4])) WITH ORDINALITY;

-- Kept for ever again: late data is stored again
SELECT apm.set_retention('transactions');
SELECT apm.set_retention('spans');
SELECT accepted, rejected FROM apm.ingest(pg_temp.body(15, 'again'), 1);
SELECT kind, age, size_bytes FROM apm.retention WHERE age IS NOT NULL OR size_bytes IS NOT NULL;

-- By size: the newest days that fit into it, never today's
SELECT sum(pg_total_relation_size(part)) AS five_days FROM _apm.partitions() WHERE kind = 'errors' AND low > now() - interval '6 days' \gset
SET client_min_messages = warning;
SELECT apm.set_retention('errors', size => :'five_days');
RESET client_min_messages;
SELECT regexp_replace(result, 'before .*: ([0-9]+ rows), [0-9]+ bytes', 'before …: \1') AS result
  FROM apm.maintain() WHERE task = 'retention of errors';
SELECT * FROM pg_temp.days('errors');
SELECT rejected, problems -> 0 ->> 'reason' AS reason FROM apm.ingest(pg_temp.error(25), 1);
SET client_min_messages = warning;
SELECT apm.set_retention('errors', size => '1');
RESET client_min_messages;
SELECT count(*) AS dropped FROM apm.maintain() WHERE task = 'retention of errors' AND result ~ '^dropped';
SELECT * FROM pg_temp.days('errors');

-- Kinds without partitions lose rows
INSERT INTO apm.sessions (project_id, release, status, started_at, sequence, errors, quantity, received_at)
  SELECT 1, 'r', 'ok', now() - n * interval '1 day', 1, 0, 1, now() FROM generate_series(0, 9) n;
INSERT INTO apm.alert_evaluations (rule_id, evaluated_at, window_start, window_end, verdict, state)
  SELECT 1, now() - n * interval '1 day', now(), now(), 'ok', 'ok' FROM generate_series(0, 9) n;
INSERT INTO apm.incidents (incident_id, rule_id, rule_name, project_id, metric, status, severity, highest_severity, opened_at, resolved_at, resolution)
  VALUES (1, 1, 'r', 1, 'count()', 'resolved', 'critical', 'critical', now() - interval '9 days', now() - interval '8 days', 'recovered'),
         (2, 1, 'r', 1, 'count()', 'open', 'critical', 'critical', now() - interval '7 days', NULL, NULL);
INSERT INTO apm.incident_events (event_id, incident_id, happened_at, transition) VALUES (1, 1, now(), 'opened'), (2, 2, now(), 'opened');
INSERT INTO apm.notifications (idempotency_key, incident_id, event_id, payload) VALUES ('k1', 1, 1, '{}'), ('k2', 2, 2, '{}');
SET client_min_messages = warning;
SELECT apm.set_retention('sessions', '84 hours');
SELECT apm.set_retention('alert_history', '84 hours');
RESET client_min_messages;
SELECT task, result FROM apm.maintain() WHERE result <> 'nothing to do';
SELECT (SELECT count(*) FROM apm.sessions) AS sessions, (SELECT count(*) FROM apm.alert_evaluations) AS evaluations,
       (SELECT array_agg(incident_id) FROM apm.incidents) AS incidents, (SELECT array_agg(event_id) FROM apm.incident_events) AS events,
       (SELECT array_agg(idempotency_key) FROM apm.notifications) AS notifications;
SELECT task, result FROM apm.maintain() WHERE result <> 'nothing to do';

-- Rollups outlive their rows, until their own time comes; never before the rows go
SELECT date_trunc('day', now()) - kept_since AS kept_since FROM apm.rollup_status WHERE kind = 'transactions';
SELECT count(*) FILTER (WHERE bucket < date_trunc('day', now()) - interval '11 days') AS standing, count(*) FILTER (WHERE bucket >= date_trunc('day', now()) - interval '11 days') AS within FROM _apm.transaction_hours;
-- by whole days, so that hours and days go on saying the same
SELECT now() - (date_trunc('day', now()) - interval '14 days' + interval '12:30') AS into_a_day \gset
SET client_min_messages = warning;
SELECT apm.set_retention('rollups', :'into_a_day');
RESET client_min_messages;
SELECT count(*) AS to_go FROM _apm.transaction_hours WHERE bucket < date_trunc('day', now()) - interval '14 days';
SELECT task, result ~ '^deleted' AS deleted FROM apm.maintain() WHERE result <> 'nothing to do';
SELECT a.n = b.n AS same, a.days FROM
  (SELECT sum(t.value) AS n, count(*) FILTER (WHERE t.value > 0) AS days FROM apm.timeseries('count()', date_trunc('day', now()) - interval '30 days', date_trunc('day', now()), '1 day') t) a,
  (SELECT sum(t.value) AS n FROM apm.timeseries('count()', date_trunc('day', now()) - interval '30 days', date_trunc('day', now()), '1 hour') t) b;
SET client_min_messages = warning;
SELECT apm.set_retention('rollups', '1 day');
RESET client_min_messages;
SELECT task, result ~ '^deleted' AS deleted FROM apm.maintain() WHERE result <> 'nothing to do';
SELECT count(*) FILTER (WHERE bucket < date_trunc('day', now()) - interval '11 days') AS standing, count(*) FILTER (WHERE bucket >= date_trunc('day', now()) - interval '11 days') AS within FROM _apm.transaction_hours;
SELECT apm.set_retention('rollups');

-- Identities are forgotten after their horizon
SELECT count(*) > 0 AS known FROM _apm.seen;
UPDATE _apm.seen SET seen_at = now() - interval '26 hours';
UPDATE _apm.maintenance SET done_until = NULL;
INSERT INTO _apm.seen VALUES (1, gen_random_uuid(), now() - interval '23 hours');
SELECT result ~ '^deleted' AS deleted FROM apm.maintain() WHERE task = 'identities';
SELECT count(*) FROM _apm.seen;

-- A task that fails stops no other, and is remembered.
UPDATE _apm.retention SET purged_until = NULL;
ALTER TABLE apm.sessions RENAME TO mislaid;
INSERT INTO apm.alert_evaluations (rule_id, evaluated_at, window_start, window_end, verdict, state)
  VALUES (1, now() - interval '5 days', now(), now(), 'ok', 'ok');
SELECT task, result FROM apm.maintain() WHERE result <> 'nothing to do';
ALTER TABLE apm.mislaid RENAME TO sessions;
SELECT task, result FROM apm.maintain() WHERE result <> 'nothing to do';
SELECT task, result, error, failed_at IS NOT NULL AS failed FROM apm.maintenance WHERE error IS NOT NULL;

-- It is one transaction's work, of a role that may do it.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM apm.maintain();
ROLLBACK;
SET ROLE apm_writer;
SELECT * FROM apm.maintain();
SELECT apm.set_retention('spans', '1 day');
SET ROLE apm_reader;
SELECT count(*) FROM apm.retention;
SELECT count(*) > 5 AS tasks FROM apm.maintenance;
SET ROLE apm_admin;
SELECT count(*) > 5 AS tasks FROM apm.maintain();
RESET ROLE;

-- A partition somebody made by hand is neither covered twice nor dropped.
DO $$
DECLARE
  part regclass;
BEGIN
  FOR part IN SELECT p.part FROM _apm.partitions() p WHERE p.kind = 'transactions' AND p.low > now() LOOP
    EXECUTE format('DROP TABLE %s', part);
  END LOOP;
  EXECUTE format('CREATE TABLE public.later PARTITION OF apm.transactions FOR VALUES FROM (%L) TO (MAXVALUE)', date_trunc('day', now()) + interval '1 day');
  EXECUTE 'CREATE TABLE public.earlier PARTITION OF apm.transactions FOR VALUES FROM (MINVALUE) TO (''2001-01-01 00:00:00+00'')';
END
$$;
SET client_min_messages = warning;
SELECT apm.set_retention('transactions', '1 day');
RESET client_min_messages;
SELECT task, regexp_replace(result, ': ([0-9]+ rows), [0-9]+ bytes', '') ~ '^dropped [0-9]+ days' AS dropped
  FROM apm.maintain() WHERE task IN ('partitions ahead', 'retention of transactions');
SELECT to_regclass('public.earlier'), to_regclass('public.later');
\c :here
DROP DATABASE apm_retention;
