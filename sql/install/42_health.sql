-- ---------------------------------------------------------------------------
-- health: sessions, check-ins of scheduled jobs, items kept as they came

CREATE TABLE apm.sessions (
  project_id     integer NOT NULL,
  session_row_id bigint GENERATED ALWAYS AS IDENTITY,
  session_id     uuid,
  user_key       text,
  release        text NOT NULL,
  environment    text,
  status         text NOT NULL CHECK (status IN ('ok', 'exited', 'crashed', 'abnormal', 'errored', 'unhandled')),
  started_at     timestamptz NOT NULL,
  duration_ms    float8,
  sequence       bigint NOT NULL,
  errors         integer NOT NULL,
  quantity       bigint NOT NULL CHECK (quantity > 0),
  received_at    timestamptz NOT NULL,
  PRIMARY KEY (project_id, session_row_id)
);
CREATE UNIQUE INDEX sessions_session_id ON apm.sessions (project_id, session_id) WHERE session_id IS NOT NULL;
CREATE INDEX sessions_started_at ON apm.sessions (project_id, started_at);
COMMENT ON TABLE apm.sessions IS 'Sessions: one row for each that has an id, in its last known state (an end is final, else the highest sequence counts), and rows of sessions that their sender counted (session_id NULL, quantity many); durations in milliseconds. Example: SELECT status, sum(quantity) FROM apm.sessions GROUP BY status';

CREATE TYPE _apm.session_row AS (
  project_id  integer,
  session_id  uuid,
  user_key    text,
  release     text,
  environment text,
  status      text,
  started_at  timestamptz,
  duration_ms float8,
  sequence    bigint,
  errors      integer,
  quantity    bigint,
  received_at timestamptz
);
COMMENT ON TYPE _apm.session_row IS 'Row of apm.sessions as apm.ingest hands it over';

CREATE TABLE apm.monitors (
  project_id        integer NOT NULL,
  slug              text NOT NULL,
  schedule_type     text CHECK (schedule_type IN ('crontab', 'interval')),
  schedule          text,
  period            interval CHECK (period > '0'),
  margin_minutes    float8,
  runtime_minutes   float8,
  timezone          text,
  failure_threshold integer,
  recovery_threshold integer,
  config            jsonb,
  created_at        timestamptz NOT NULL,
  updated_at        timestamptz NOT NULL,
  PRIMARY KEY (project_id, slug)
);
COMMENT ON TABLE apm.monitors IS 'Scheduled jobs that check in: schedule is a crontab line, period the interval; margin and runtime limits in minutes, NULL where none was sent. Example: SELECT slug, schedule, period FROM apm.monitors';

CREATE TABLE apm.check_ins (
  project_id  integer NOT NULL,
  check_in_id uuid NOT NULL,
  monitor     text NOT NULL,
  environment text,
  status      text NOT NULL CHECK (status IN ('in_progress', 'ok', 'error')),
  started_at  timestamptz NOT NULL,
  finished_at timestamptz,
  duration_ms float8,
  release     text,
  trace_id    apm.trace_id,
  PRIMARY KEY (project_id, check_in_id)
);
CREATE INDEX check_ins_monitor ON apm.check_ins (project_id, monitor, started_at);
COMMENT ON TABLE apm.check_ins IS 'Runs of scheduled jobs, one row each: in_progress until its end is reported; durations in milliseconds. Example: SELECT monitor, status, started_at FROM apm.check_ins ORDER BY started_at DESC';

CREATE TABLE apm.raw_items (
  project_id  integer NOT NULL,
  raw_item_id bigint GENERATED ALWAYS AS IDENTITY,
  received_at timestamptz NOT NULL,
  event_id    uuid,
  ordinal     integer NOT NULL,
  type        text NOT NULL,
  header      jsonb NOT NULL,
  payload     bytea NOT NULL,
  PRIMARY KEY (project_id, raw_item_id)
);
ALTER TABLE apm.raw_items ALTER payload SET STORAGE EXTERNAL;
CREATE INDEX raw_items_received_at ON apm.raw_items (project_id, received_at);
COMMENT ON TABLE apm.raw_items IS 'Items of types that are not decoded (attachments, profiles, logs, replays and unknown ones) as they came, kept while pg_apm.keep_raw_items is on. Example: SELECT type, count(*), sum(length(payload)) AS bytes FROM apm.raw_items GROUP BY type';

CREATE TYPE _apm.raw_item AS (
  project_id  integer,
  received_at timestamptz,
  event_id    uuid,
  ordinal     integer,
  type        text,
  header      jsonb,
  payload     bytea
);
COMMENT ON TYPE _apm.raw_item IS 'Row of apm.raw_items as apm.ingest hands it over';

CREATE FUNCTION _apm.cron_next(text, timestamp) RETURNS timestamp
  AS 'MODULE_PATHNAME', 'apm_cron_next' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.cron_next(text, timestamp) IS 'First matching minute of a crontab line after a local time; NULL if it is no crontab line or never matches';

-- A local time that a clock change skips is moved by the change; of one that
-- comes twice the later is meant, unless that is not after the given time.
CREATE FUNCTION apm.cron_next(schedule text, after timestamptz DEFAULT now(), timezone text DEFAULT 'UTC') RETURNS timestamptz
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN n.next AT TIME ZONE cron_next.timezone > cron_next.after THEN n.next AT TIME ZONE cron_next.timezone
              ELSE _apm.cron_next(cron_next.schedule, n.next) AT TIME ZONE cron_next.timezone END
    FROM (SELECT _apm.cron_next(cron_next.schedule, cron_next.after AT TIME ZONE cron_next.timezone) AS next) n
$$;
COMMENT ON FUNCTION apm.cron_next(text, timestamptz, text) IS 'Next time a crontab line (five fields: minute, hour, day, month, weekday; or @daily and the like) matches after a moment, in a time zone; NULL if the text is no crontab line. Example: SELECT apm.cron_next(''0 3 * * mon-fri'', now(), ''Europe/Vienna'')';

-- What a monitor_config says, as far as it makes sense; the rest stays in config.
CREATE FUNCTION _apm.store_monitor(new_project integer, new_slug text, sent jsonb, at timestamptz) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  kind   text := sent #>> '{schedule,type}';
  value  text := sent #>> '{schedule,value}';
  unit   text := sent #>> '{schedule,unit}';
  zone   text := sent ->> 'timezone';
  length interval;
BEGIN
  IF EXISTS (SELECT FROM apm.monitors m
              WHERE m.project_id = new_project AND m.slug = new_slug AND (sent IS NULL OR m.config = sent)) THEN
    RETURN;
  END IF;
  IF kind = 'crontab' AND _apm.cron_next(value, '2000-01-01'::timestamp) IS NULL THEN
    kind := NULL;
  ELSIF kind = 'interval' THEN
    IF value ~ '^[1-9][0-9]{0,5}$' AND unit IN ('minute', 'hour', 'day', 'week', 'month', 'year') THEN
      length := (value || ' ' || unit)::interval;
    ELSE
      kind := NULL;
    END IF;
  ELSIF kind <> 'crontab' THEN
    kind := NULL;
  END IF;
  BEGIN
    PERFORM at AT TIME ZONE zone;
  EXCEPTION WHEN data_exception THEN
    zone := NULL;
  END;
  INSERT INTO apm.monitors AS m (project_id, slug, schedule_type, schedule, period, margin_minutes, runtime_minutes,
                                 timezone, failure_threshold, recovery_threshold, config, created_at, updated_at)
    VALUES (new_project, new_slug, kind, CASE WHEN kind = 'crontab' THEN value END, length,
            CASE WHEN sent ->> 'checkin_margin' ~ '^[0-9]{1,6}(\.[0-9]+)?$' THEN (sent ->> 'checkin_margin')::float8 END,
            CASE WHEN sent ->> 'max_runtime' ~ '^[0-9]{1,6}(\.[0-9]+)?$' THEN (sent ->> 'max_runtime')::float8 END,
            zone,
            CASE WHEN sent ->> 'failure_issue_threshold' ~ '^[0-9]{1,6}$' THEN (sent ->> 'failure_issue_threshold')::integer END,
            CASE WHEN sent ->> 'recovery_threshold' ~ '^[0-9]{1,6}$' THEN (sent ->> 'recovery_threshold')::integer END,
            sent, at, at)
  ON CONFLICT (project_id, slug) DO UPDATE SET
    schedule_type = excluded.schedule_type, schedule = excluded.schedule, period = excluded.period,
    margin_minutes = excluded.margin_minutes, runtime_minutes = excluded.runtime_minutes, timezone = excluded.timezone,
    failure_threshold = excluded.failure_threshold, recovery_threshold = excluded.recovery_threshold,
    config = excluded.config, updated_at = excluded.updated_at
    WHERE excluded.config IS NOT NULL AND excluded.config IS DISTINCT FROM m.config
      AND (m.config IS NULL OR excluded.updated_at >= m.updated_at);
END
$$;
COMMENT ON FUNCTION _apm.store_monitor(integer, text, jsonb, timestamptz) IS 'Stores the monitor of a check-in, and what the check-in says of its schedule';

-- NULL: stored; else why not.
CREATE FUNCTION _apm.store_check_in(new_project integer, new_id uuid, new_monitor text, new_environment text, new_status text,
                                    new_duration_ms float8, new_release text, new_trace_id bytea, config jsonb, at timestamptz) RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  finished boolean := new_status <> 'in_progress';
BEGIN
  IF EXISTS (SELECT FROM apm.check_ins c
              WHERE c.project_id = new_project AND c.check_in_id = new_id AND c.monitor <> new_monitor) THEN
    RETURN 'superseded';
  END IF;
  PERFORM _apm.store_monitor(new_project, new_monitor, config, at);
  IF new_id IS NULL AND finished THEN
    SELECT c.check_in_id INTO new_id FROM apm.check_ins c
     WHERE c.project_id = new_project AND c.monitor = new_monitor AND c.status = 'in_progress'
       AND c.environment IS NOT DISTINCT FROM new_environment
     ORDER BY c.started_at DESC, c.check_in_id LIMIT 1;
  END IF;
  INSERT INTO apm.check_ins AS c (project_id, check_in_id, monitor, environment, status, started_at, finished_at,
                                  duration_ms, release, trace_id)
    VALUES (new_project, coalesce(new_id, gen_random_uuid()), new_monitor, new_environment, new_status,
            CASE WHEN finished THEN at - coalesce(new_duration_ms, 0) * interval '1 millisecond' ELSE at END,
            CASE WHEN finished THEN at END, CASE WHEN finished THEN new_duration_ms END,
            new_release, new_trace_id::apm.trace_id)
  ON CONFLICT (project_id, check_in_id) DO UPDATE SET
    status = excluded.status, finished_at = excluded.finished_at,
    duration_ms = coalesce(excluded.duration_ms, greatest(extract(epoch FROM excluded.finished_at - c.started_at)::float8 * 1000, 0)),
    release = coalesce(excluded.release, c.release), trace_id = coalesce(excluded.trace_id, c.trace_id)
    WHERE c.status = 'in_progress' AND excluded.status <> 'in_progress' AND c.monitor = excluded.monitor;
  IF FOUND THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT CASE WHEN c.status = new_status THEN 'duplicate' ELSE 'superseded' END
            FROM apm.check_ins c WHERE c.project_id = new_project AND c.check_in_id = new_id);
END
$$;
COMMENT ON FUNCTION _apm.store_check_in(integer, uuid, text, text, text, float8, text, bytea, jsonb, timestamptz) IS 'Stores a check-in or the end of one that is in progress; returns NULL, or duplicate or superseded if nothing changed';

CREATE FUNCTION apm.crash_free_rates(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
                                     project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL)
  RETURNS TABLE (project integer, release_name text, sessions bigint, crashed bigint, abnormal bigint, errored bigint,
                 crash_free_sessions float8, users bigint, crashed_users bigint, crash_free_users float8)
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.project_id, t.release, t.total, t.crashed, t.abnormal, t.errored,
         1 - t.crashed / t.total::float8,
         t.users, CASE WHEN t.users > 0 THEN t.crashed_users END, 1 - t.crashed_users / nullif(t.users, 0)::float8
    FROM (SELECT s.project_id, s.release, sum(s.quantity)::bigint AS total,
                 coalesce(sum(s.quantity) FILTER (WHERE s.status = 'crashed'), 0)::bigint AS crashed,
                 coalesce(sum(s.quantity) FILTER (WHERE s.status = 'abnormal'), 0)::bigint AS abnormal,
                 coalesce(sum(s.quantity) FILTER (WHERE s.status IN ('errored', 'unhandled')
                                                     OR s.errors > 0 AND s.status IN ('ok', 'exited')), 0)::bigint AS errored,
                 count(DISTINCT s.user_key) AS users,
                 count(DISTINCT s.user_key) FILTER (WHERE s.status = 'crashed') AS crashed_users
            FROM apm.sessions s
           WHERE _apm.check_window(crash_free_rates.since, crash_free_rates.until)
             AND (crash_free_rates.since IS NULL OR s.started_at >= crash_free_rates.since)
             AND (crash_free_rates.until IS NULL OR s.started_at < crash_free_rates.until)
             AND (crash_free_rates.project_id IS NULL OR s.project_id = crash_free_rates.project_id)
             AND (crash_free_rates.environment IS NULL OR s.environment = crash_free_rates.environment)
             AND (crash_free_rates.release IS NULL OR s.release = crash_free_rates.release)
           GROUP BY s.project_id, s.release) t
   ORDER BY t.project_id, t.total DESC, t.release
$$;
COMMENT ON FUNCTION apm.crash_free_rates(timestamptz, timestamptz, integer, text, text) IS 'Sessions that began in a time range, by release: how many crashed, ended abnormally or with errors, and the share (0 to 1) of sessions and of users without a crash; without users their share is NULL. Example: SELECT release_name, crash_free_sessions FROM apm.crash_free_rates(now() - interval ''7 days'')';

CREATE FUNCTION apm.monitor_status(project_id integer DEFAULT NULL, slug text DEFAULT NULL, environment text DEFAULT NULL,
                                   at timestamptz DEFAULT now())
  RETURNS TABLE (project integer, monitor text, environment_name text, state text, last_check_in_at timestamptz, last_status text,
                 last_duration_ms float8, expected_at timestamptz, late boolean, missed boolean, failed boolean,
                 timed_out boolean, never boolean)
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT x.project_id, x.slug, x.environment,
         CASE WHEN x.never THEN 'never' WHEN x.timed_out THEN 'timed_out' WHEN x.missed THEN 'missed'
              WHEN x.failed THEN 'failed' WHEN x.late THEN 'late'
              ELSE x.status END,
         x.started_at, x.status, x.duration_ms, x.expected_at, x.late, x.missed, x.failed, x.timed_out, x.never
    FROM (SELECT m.project_id, m.slug, l.environment, l.started_at, l.status, l.duration_ms, e.expected_at,
                 coalesce(monitor_status.at > e.expected_at AND monitor_status.at <= e.expected_at + g.margin, false) AS late,
                 coalesce(monitor_status.at > e.expected_at + g.margin, false) AS missed,
                 coalesce(f.status = 'error', false) AS failed,
                 coalesce(l.status = 'in_progress' AND monitor_status.at > l.started_at + g.runtime, false) AS timed_out,
                 l.started_at IS NULL AS never
            FROM apm.monitors m
           CROSS JOIN LATERAL (SELECT coalesce(m.margin_minutes, 1) * interval '1 minute' AS margin,
                                      coalesce(m.runtime_minutes, 30) * interval '1 minute' AS runtime) g
            LEFT JOIN LATERAL (SELECT DISTINCT ON (c.environment) c.environment, c.started_at,
                                      CASE WHEN c.finished_at > monitor_status.at THEN 'in_progress' ELSE c.status END AS status,
                                      CASE WHEN c.finished_at <= monitor_status.at THEN c.duration_ms END AS duration_ms
                                 FROM apm.check_ins c
                                WHERE c.project_id = m.project_id AND c.monitor = m.slug AND c.started_at <= monitor_status.at
                                  AND (monitor_status.environment IS NULL OR c.environment = monitor_status.environment)
                                ORDER BY c.environment, c.started_at DESC, c.check_in_id) l ON true
            LEFT JOIN LATERAL (SELECT c.status
                                 FROM apm.check_ins c
                                WHERE c.project_id = m.project_id AND c.monitor = m.slug AND c.status <> 'in_progress'
                                  AND c.environment IS NOT DISTINCT FROM l.environment AND c.finished_at <= monitor_status.at
                                ORDER BY c.started_at DESC, c.check_in_id LIMIT 1) f ON true
           CROSS JOIN LATERAL (SELECT CASE m.schedule_type
                                        WHEN 'interval' THEN coalesce(l.started_at, m.created_at) + m.period
                                        WHEN 'crontab' THEN apm.cron_next(m.schedule, coalesce(l.started_at, m.created_at),
                                                                          coalesce(m.timezone, 'UTC')) END AS expected_at) e
           WHERE (monitor_status.project_id IS NULL OR m.project_id = monitor_status.project_id)
             AND (monitor_status.slug IS NULL OR m.slug = monitor_status.slug)) x
   ORDER BY x.project_id, x.slug, x.environment
$$;
COMMENT ON FUNCTION apm.monitor_status(integer, text, text, timestamptz) IS 'State of scheduled jobs by environment: the last check-in, when the next was or is expected, whether it is late (within its margin), missed (beyond it), whether the last run failed or takes too long, and whether none ever came, as of a moment; durations in milliseconds. Example: SELECT monitor, state, expected_at FROM apm.monitor_status() WHERE state <> ''ok''';

CREATE FUNCTION apm.format_sentry_store(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'format_sentry_store' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION apm.format_sentry_store(internal) IS 'Handler of the format sentry_store: the JSON of one event or transaction. Example: SELECT handler FROM apm.formats';

INSERT INTO apm.formats (name, handler, description, builtin)
  VALUES ('sentry_store', 'apm.format_sentry_store(internal)', 'Single events as older SDKs of Sentry post them to /store/', true);

SELECT pg_catalog.pg_extension_config_dump('apm.sessions', '');
SELECT pg_catalog.pg_extension_config_dump('apm.sessions_session_row_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('apm.monitors', '');
SELECT pg_catalog.pg_extension_config_dump('apm.check_ins', '');
SELECT pg_catalog.pg_extension_config_dump('apm.raw_items', '');
SELECT pg_catalog.pg_extension_config_dump('apm.raw_items_raw_item_id_seq', '');
