-- Sessions, check-ins and client reports: what is stored of them, and what it says.
\set VERBOSITY default
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE FUNCTION pg_temp.item(type text, payload text, header text DEFAULT '{"sent_at":"2026-03-01T12:00:00Z"}') RETURNS bytea
LANGUAGE sql AS $$ SELECT convert_to(header || E'\n{"type":"' || type || E'"}\n' || payload || E'\n', 'UTF8') $$;
CREATE FUNCTION pg_temp.session(sid text, more text) RETURNS bytea
LANGUAGE sql AS $$
  SELECT pg_temp.item('session', format('{"sid":"%s","started":"2026-03-01T10:00:00Z","attrs":{"release":"shop@1.0","environment":"production"},%s}',
                                        md5(sid), more))
$$;
CREATE FUNCTION pg_temp.ingest(body bytea, at timestamptz DEFAULT '2026-03-01 12:00+00') RETURNS text
LANGUAGE sql AS $$
  SELECT format('%s accepted, %s rejected, %s skipped%s', accepted, rejected, skipped,
                (SELECT ': ' || string_agg(format('%s %s %s', p ->> 'type', p ->> 'outcome', p ->> 'reason'), ', ') FROM jsonb_array_elements(problems) p))
    FROM apm.ingest(body, 4231, at)
$$;

-- one session from its beginning to its end; an end is final
SELECT pg_temp.ingest(pg_temp.session('a', '"init":true,"status":"ok","did":"u1"'));
SELECT pg_temp.ingest(pg_temp.session('a', '"seq":2,"status":"ok","errors":3,"duration":10'));
SELECT pg_temp.ingest(pg_temp.session('a', '"seq":2,"status":"ok","errors":3,"duration":10'));
SELECT pg_temp.ingest(pg_temp.session('a', '"seq":1,"status":"ok","errors":1'));
SELECT status, user_key, errors, duration_ms, sequence FROM apm.sessions WHERE project_id = 4231;
SELECT pg_temp.ingest(pg_temp.session('a', '"seq":5,"status":"crashed","duration":12.5'));
SELECT pg_temp.ingest(pg_temp.session('a', '"seq":9,"status":"ok"'));
SELECT pg_temp.ingest(pg_temp.session('a', '"seq":5,"status":"crashed","duration":12.5'));
SELECT session_id, user_key, release, environment, status, started_at, duration_ms, sequence, errors, quantity FROM apm.sessions WHERE project_id = 4231;

-- whatever order the updates come in, one by one or in one batch, the same is left
CREATE TEMP TABLE session_update AS
  SELECT n, body FROM (VALUES (1, '"init":true'), (2, '"seq":3,"errors":1'), (3, '"seq":4,"status":"exited","errors":1,"duration":60'),
                              (4, '"seq":8,"status":"ok"'), (5, '"seq":6,"status":"abnormal","errors":2,"duration":70')) v(n, more),
              LATERAL (SELECT more AS body) b;
CREATE FUNCTION pg_temp.permutations(n int) RETURNS SETOF int[] LANGUAGE sql AS $$
  WITH RECURSIVE p(a) AS (SELECT '{}'::int[] UNION ALL SELECT a || g FROM p, generate_series(1, n) g WHERE NOT g = ANY (a))
  SELECT a FROM p WHERE cardinality(a) = n
$$;
CREATE TEMP TABLE shuffled AS SELECT row_number() OVER (ORDER BY a) AS p, a FROM pg_temp.permutations(5) a;
SELECT count(*), sum(accepted + skipped) AS updates, sum(rejected) AS rejected
  FROM shuffled, LATERAL (SELECT array_agg(pg_temp.session('p' || p, u.body) ORDER BY array_position(a, u.n)) AS bodies FROM session_update u) b,
       LATERAL apm.ingest_batch(bodies, array_fill(4232, ARRAY[5]), array_fill('2026-03-01 12:00+00'::timestamptz, ARRAY[5]));
SELECT count(*), status, duration_ms, sequence, errors FROM apm.sessions WHERE project_id = 4232 GROUP BY 2, 3, 4, 5;
SELECT count(*), sum(accepted + skipped) AS updates
  FROM (SELECT array_agg(pg_temp.session('q' || p, u.body) ORDER BY array_position(a, u.n), p) AS bodies FROM shuffled, session_update u) b,
       LATERAL apm.ingest_batch(bodies, array_fill(4232, ARRAY[600]), array_fill('2026-03-01 12:00+00'::timestamptz, ARRAY[600]));
SELECT count(*), status, duration_ms, sequence, errors FROM apm.sessions WHERE project_id = 4232 GROUP BY 2, 3, 4, 5;
-- in one batch each update meets what it would have met alone
SELECT accepted, rejected, skipped, problems -> 0 ->> 'reason' AS reason
  FROM apm.ingest_batch(ARRAY[pg_temp.session('r', '"init":true'), pg_temp.session('r', '"seq":5'), pg_temp.session('r', '"seq":4'),
                              pg_temp.session('r', '"seq":5'), pg_temp.session('r', '"seq":1,"status":"exited"')],
                        array_fill(4232, ARRAY[5]), array_fill(now(), ARRAY[5]));
DELETE FROM apm.sessions WHERE project_id = 4232;

-- buckets append; the same body again does not, the same numbers sent at another time do
SELECT pg_temp.ingest(pg_temp.item('sessions', '{"aggregates":[{"started":"2026-03-01T10:00:00Z","exited":18,"crashed":2},{"started":"2026-03-01T10:01:00Z","did":"u2","errored":1}],"attrs":{"release":"shop@1.0","environment":"production"}}'));
SELECT pg_temp.ingest(pg_temp.item('sessions', '{"aggregates":[{"started":"2026-03-01T10:00:00Z","exited":18,"crashed":2},{"started":"2026-03-01T10:01:00Z","did":"u2","errored":1}],"attrs":{"release":"shop@1.0","environment":"production"}}'));
SELECT pg_temp.ingest(pg_temp.item('sessions', '{"aggregates":[{"started":"2026-03-01T10:00:00Z","exited":18,"crashed":2}],"attrs":{"release":"shop@1.0","environment":"production"}}', '{"sent_at":"2026-03-01T12:00:01Z"}'));
SELECT pg_temp.ingest(pg_temp.item('sessions', '{"aggregates":[{"started":"2026-03-01T10:00:00Z","exited":5,"unhandled":1,"abnormal":2}],"attrs":{"release":"shop@2.0"}}'));
SELECT pg_temp.ingest(pg_temp.item('sessions', '{"aggregates":[]}'));
SELECT pg_temp.ingest(pg_temp.item('session', '{"started":1,"attrs":{"release":"r"}}'));
SELECT release, environment, user_key, status, started_at, errors, quantity FROM apm.sessions WHERE project_id = 4231 AND session_id IS NULL
 ORDER BY session_row_id;

-- crash-free rates against a plain count over one row a session
SELECT * FROM apm.crash_free_rates('2026-03-01', '2026-03-02', 4231);
WITH one AS (SELECT s.* FROM apm.sessions s, generate_series(1, quantity) WHERE project_id = 4231)
SELECT release, count(*) AS sessions, 1 - avg((status = 'crashed')::int)::float8 AS crash_free,
       (SELECT 1 - count(*) FILTER (WHERE bad)::float8 / nullif(count(*), 0) FROM (SELECT user_key, bool_or(status = 'crashed') AS bad FROM one u WHERE u.release = one.release AND user_key IS NOT NULL GROUP BY 1) x) AS users
  FROM one GROUP BY release ORDER BY release;
SELECT release_name, sessions FROM apm.crash_free_rates('2026-03-01', '2026-03-02', 4231, environment => 'production');
SELECT release_name, sessions, users, crash_free_users FROM apm.crash_free_rates('2026-03-01', '2026-03-02', 4231, release => 'shop@2.0');
SELECT * FROM apm.crash_free_rates('2026-03-02', '2026-03-03', 4231);
SELECT count(*) FROM apm.crash_free_rates() WHERE project = 4231;
SELECT count(*) FROM apm.crash_free_rates(NULL, NULL, 4231);
\set SHOW_CONTEXT never
SELECT count(*) FROM apm.crash_free_rates('2026-03-02', '2026-03-01', 4231);
\set SHOW_CONTEXT errors

-- a check-in and its end, twice; the end of the latest one in progress by the nil id
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"11111111111111111111111111111111","monitor_slug":"nightly","status":"in_progress","environment":"production","contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}},"monitor_config":{"schedule":{"type":"crontab","value":"0 3 * * *"},"checkin_margin":5,"max_runtime":10,"timezone":"Europe/Vienna","failure_issue_threshold":2,"recovery_threshold":1}}'), '2026-03-01 02:00:00+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"11111111111111111111111111111111","monitor_slug":"nightly","status":"in_progress","environment":"production"}'), '2026-03-01 02:00:01+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"11111111111111111111111111111111","monitor_slug":"nightly","status":"ok","environment":"production","release":"shop@1.0"}'), '2026-03-01 02:00:30+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"11111111111111111111111111111111","monitor_slug":"nightly","status":"ok","environment":"production","release":"shop@1.0"}'), '2026-03-01 02:00:30+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"11111111111111111111111111111111","monitor_slug":"nightly","status":"error"}'), '2026-03-01 02:00:40+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"11111111111111111111111111111111","monitor_slug":"other","status":"error"}'), '2026-03-01 02:00:40+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"22222222222222222222222222222222","monitor_slug":"queue","status":"in_progress","monitor_config":{"schedule":{"type":"interval","value":10,"unit":"minute"}}}'), '2026-03-01 04:00:00+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"33333333333333333333333333333333","monitor_slug":"queue","status":"in_progress"}'), '2026-03-01 04:10:00+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"00000000000000000000000000000000","monitor_slug":"queue","status":"error","duration":7.5}'), '2026-03-01 04:10:08+00');
SELECT pg_temp.ingest(pg_temp.item('check_in', '{"check_in_id":"00000000000000000000000000000000","monitor_slug":"queue","status":"error","duration":7.5}'), '2026-03-01 04:10:08+00');
SELECT check_in_id, monitor, environment, status, started_at, finished_at, duration_ms, release, trace_id FROM apm.check_ins
 WHERE project_id = 4231 ORDER BY started_at, check_in_id;
SELECT slug, schedule_type, schedule, period, margin_minutes, runtime_minutes, timezone, failure_threshold, recovery_threshold
  FROM apm.monitors WHERE project_id = 4231 ORDER BY slug;
-- schedules that make no sense are kept as sent, and not believed
SELECT count(pg_temp.ingest(pg_temp.item('check_in', format('{"monitor_slug":"odd%s","status":"ok","monitor_config":%s}', n, config)), '2026-03-01 05:00+00'))
  FROM unnest(ARRAY['{"schedule":{"type":"crontab","value":"61 * * * *"},"timezone":"Mars/Phobos"}', '{"schedule":{"type":"interval","value":0,"unit":"minute"}}',
                    '{"schedule":{"type":"interval","value":5,"unit":"fortnight"}}', '{"schedule":"daily","checkin_margin":-5,"max_runtime":"soon"}',
                    '{"schedule":{"type":"solar","value":"noon"}}', '{"schedule":{"type":"crontab"}}', '{"schedule":{"type":"interval","value":"2","unit":"week"},"timezone":"UTC"}']) WITH ORDINALITY c(config, n);
SELECT slug, schedule_type, schedule, period, margin_minutes, runtime_minutes, timezone, config FROM apm.monitors WHERE project_id = 4231 AND slug LIKE 'odd%' ORDER BY slug;

-- the state of monitors as time goes by
SELECT at, m.state, m.last_status, m.last_duration_ms, m.expected_at, m.late, m.missed, m.failed, m.timed_out
  FROM unnest('{2026-03-01 02:00:10+00,2026-03-01 02:00:35+00,2026-03-02 02:00:00+00,2026-03-02 02:04:00+00,2026-03-02 02:06:00+00}'::timestamptz[]) at,
       apm.monitor_status(4231, 'nightly', at => at) m ORDER BY at;
SELECT at, m.state, m.last_status, m.expected_at, m.late, m.missed, m.failed, m.timed_out, m.never
  FROM unnest('{2026-03-01 03:59+00,2026-03-01 04:00:05+00,2026-03-01 04:10:05+00,2026-03-01 04:20:10+00,2026-03-01 04:21:10+00,2026-03-01 04:40:01+00}'::timestamptz[]) at,
       apm.monitor_status(4231, 'queue', at => at) m ORDER BY at;
UPDATE apm.check_ins SET status = 'in_progress' WHERE project_id = 4231 AND monitor = 'queue' AND started_at = '2026-03-01 04:10+00';
SELECT at, m.state, m.timed_out FROM unnest('{2026-03-01 04:15+00,2026-03-01 04:41+00}'::timestamptz[]) at, apm.monitor_status(4231, 'queue', at => at) m ORDER BY at;
SELECT monitor, environment_name, state FROM apm.monitor_status(4231, environment => 'production', at => '2026-03-01 02:01+00') WHERE monitor IN ('nightly', 'queue');

-- crontab lines against a plain search, minute by minute
CREATE FUNCTION pg_temp.numbers(field text, low int, high int) RETURNS int[] LANGUAGE sql IMMUTABLE AS $$
  SELECT array_agg(v)
    FROM string_to_table(field, ',') part, regexp_match(part, '^(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?$') r,
         generate_series(coalesce(r[2]::int, low),
                         CASE WHEN r[3] IS NOT NULL THEN r[3]::int WHEN r[2] IS NOT NULL AND r[4] IS NULL THEN r[2]::int ELSE high END,
                         coalesce(r[4]::int, 1)) v
$$;
CREATE TEMP TABLE schedule AS
  SELECT line, pg_temp.numbers(f[1], 0, 59) AS minute, pg_temp.numbers(f[2], 0, 23) AS hour, pg_temp.numbers(f[3], 1, 31) AS day,
         pg_temp.numbers(f[4], 1, 12) AS month, pg_temp.numbers(f[5], 0, 6) AS weekday, f[3] LIKE '*%' OR f[5] LIKE '*%' AS star
    FROM unnest('{"* * * * *","*/7 * * * *","5 4 * * *","0 0 1 * *","30 2 * * 1-5","0 */5 1,15 * *","15 10 13 * 5","0 12 */10 * 3","59 23 28-31 * *","10-50/20 6-8 * * 0,6"}'::text[]) line,
         string_to_array(line, ' ') f;
SELECT count(*), count(*) FILTER (WHERE found IS DISTINCT FROM expected) AS different
  FROM schedule, unnest('{2026-01-31 23:58,2026-02-27 12:34:56,2026-02-01 00:00}'::timestamp[]) after,
       LATERAL (SELECT apm.cron_next(line, after AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS found) f,
       LATERAL (SELECT min(t) AS expected FROM generate_series(date_trunc('minute', after) + interval '1 minute', after + interval '30 days', interval '1 minute') t
                 WHERE date_part('minute', t) = ANY (minute) AND date_part('hour', t) = ANY (hour) AND date_part('month', t) = ANY (month)
                   AND CASE WHEN star THEN date_part('day', t) = ANY (day) AND date_part('dow', t) = ANY (weekday)
                            ELSE date_part('day', t) = ANY (day) OR date_part('dow', t) = ANY (weekday) END) e;
-- clocks that go forward and back
SELECT apm.cron_next('30 2 * * *', '2026-03-28 12:00+00', 'Europe/Vienna') AS skipped_hour,
       apm.cron_next('30 2 * * *', '2026-10-24 12:00+00', 'Europe/Vienna') AS repeated_hour,
       apm.cron_next('0 3 * * *', '2026-10-25 02:00+00', 'Europe/Vienna') AS day_after,
       apm.cron_next('0 9 * * mon', '2026-03-01 00:00+00', 'America/New_York') AS elsewhere;
SELECT apm.cron_next('every day', now()) AS none, apm.cron_next('0 0 30 2 *', now()) AS never;
SELECT apm.cron_next('* * * * *', now(), 'Mars/Phobos');

-- reports count what SDKs threw away, in words that are known
SELECT pg_temp.ingest(pg_temp.item('client_report', '{"timestamp":1,"discarded_events":[{"reason":"sample_rate","category":"transaction","quantity":3},{"reason":"made up","category":"' || repeat('x', 1000) || '","quantity":4}],"filtered_events":[{"reason":"web-crawlers","category":"error","quantity":5}]}', '{}'));
SELECT pg_temp.ingest(pg_temp.item('client_report', '{"timestamp":1,"discarded_events":[{"reason":"sample_rate","category":"transaction","quantity":3},{"reason":"made up","category":"' || repeat('x', 1000) || '","quantity":4}],"filtered_events":[{"reason":"web-crawlers","category":"error","quantity":5}]}', '{}'));
SELECT pg_temp.ingest(pg_temp.item('client_report', '{"timestamp":2,"discarded_events":[{"reason":"sample_rate","category":"transaction","quantity":3}]}', '{}'));
SELECT pg_temp.ingest(pg_temp.item('client_report', '{"discarded_events":[]}', '{}'));
SELECT category, outcome, reason, sum(quantity) FROM apm.outcomes WHERE project_id = 4231 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- single events as older SDKs post them
SELECT event_id, accepted, rejected, skipped FROM apm.ingest('{"event_id":"0123456789abcdef0123456789abcdef","message":"m","timestamp":1772366400}', 4231, format => 'sentry_store');
SELECT event_id, accepted, rejected, skipped FROM apm.ingest('{"event_id":"0123456789abcdef0123456789abcdef","message":"m","timestamp":1772366400}', 4231, format => 'sentry_store');
SELECT event_id, accepted, rejected, skipped FROM apm.ingest('{"type":"transaction","event_id":"0123456789abcdef0123456789abcdee","transaction":"GET /","start_timestamp":1772366400,"timestamp":1772366401,"contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000a1"}}}', 4231, format => 'sentry_store');
SELECT event_id, value, event_time FROM apm.errors WHERE project_id = 4231;
SELECT event_id, name, duration_ms FROM apm.transactions WHERE project_id = 4231;

DELETE FROM apm.transactions WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM apm.errors WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM _apm.span_batches WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM apm.sessions WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM apm.check_ins WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM apm.monitors WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM _apm.outcome_log WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM _apm.seen WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM apm.project_keys WHERE project_id BETWEEN 4231 AND 4232;
DELETE FROM apm.projects WHERE project_id BETWEEN 4231 AND 4232;
