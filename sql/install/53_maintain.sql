-- ---------------------------------------------------------------------------
-- maintain: what must be done now and then
--
-- One call is one transaction, and a lock lasts to its end.  Tasks that take
-- locks which others feel therefore come last, and have little time.

CREATE TABLE _apm.maintenance (
  task        text PRIMARY KEY,
  ran_at      timestamptz NOT NULL,
  duration_ms float8 NOT NULL,
  result      text NOT NULL,
  done_until  timestamptz,
  error       text,
  failed_at   timestamptz
);
COMMENT ON TABLE _apm.maintenance IS 'Each task of apm.maintain(): when it last ran, what came of it, its last error';

CREATE VIEW apm.maintenance WITH (security_invoker = true) AS
  SELECT task, ran_at, duration_ms, result, error, failed_at FROM _apm.maintenance;
COMMENT ON VIEW apm.maintenance IS 'Each task of apm.maintain(): when it last ran, for how many milliseconds, what came of it, and its last error. Example: SELECT task, ran_at, result FROM apm.maintenance';

-- Days with data go on: the next two get their partitions before the first row
-- arrives.
CREATE FUNCTION _apm.make_days_ahead() RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  d    record;
  made integer := 0;
BEGIN
  FOR d IN
    SELECT split_part(k.relation, '.', 2) AS name, current_date + n AS day
      FROM _apm.kinds k, generate_series(0, 2) n
     WHERE k.daily
       AND EXISTS (SELECT FROM _apm.partitions() p WHERE p.kind = k.kind AND p.own AND p.low <= now() AND p.high > now() - interval '1 day')
       AND NOT EXISTS (SELECT FROM _apm.partitions() p
                        WHERE p.kind = k.kind AND p.low < (current_date + n + 1)::timestamptz AND p.high > (current_date + n)::timestamptz)
     ORDER BY 2, 1
  LOOP
    IF _apm.make_partition(d.name, d.day) <> 0 THEN
      made := made + 1;
    END IF;
  END LOOP;
  RETURN nullif(format('made %s partitions', made), 'made 0 partitions');
END
$$;
COMMENT ON FUNCTION _apm.make_days_ahead() IS 'Makes the partitions of today and the next two days for kinds that got data yesterday or today';

-- Identities are kept at least as long as the setting says; they are looked
-- for once an hour, or once a minute where they are kept for less.
CREATE FUNCTION _apm.purge_seen() RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  most  constant integer := 200000;
  until timestamptz := now() - current_setting('pg_apm.seen_horizon')::interval;
  n     bigint;
BEGIN
  until := date_trunc(CASE WHEN now() - until < interval '1 hour' THEN 'minute' ELSE 'hour' END, until);
  IF until <= (SELECT m.done_until FROM _apm.maintenance m WHERE m.task = 'identities') THEN
    RETURN NULL;
  END IF;
  n := _apm.purge_rows('_apm.seen', 'seen_at', until, most);
  -- Pages that were stored recognize what comes apart for as long.
  DELETE FROM _apm.page_vitals WHERE page_end IS NOT NULL AND observed_at < until;
  IF n < most THEN
    UPDATE _apm.maintenance m SET done_until = until WHERE m.task = 'identities';
  END IF;
  RETURN nullif(format('deleted %s rows', n), 'deleted 0 rows');
END
$$;
COMMENT ON FUNCTION _apm.purge_seen() IS 'Deletes identities older than pg_apm.seen_horizon';

-- Locks a partitioned table alone, for whoever drops or swaps partitions.  A
-- request for this lock makes all others queue behind it, hence the short
-- wait: less than deadlock_timeout, so that it is never another who gives way.
-- Returns until when what was locked may stay so.
CREATE FUNCTION _apm.lock_parent(relation regclass, until timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  quarter interval := current_setting('pg_apm.lock_timeout')::interval / 4;
  wait    interval := least(quarter, until - clock_timestamp());
BEGIN
  IF wait < interval '1 millisecond' THEN
    RAISE EXCEPTION 'no time left for a lock' USING ERRCODE = 'lock_not_available';
  END IF;
  PERFORM set_config('lock_timeout', ceil(extract(epoch FROM wait) * 1000)::text, true);
  EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', relation);
  RETURN coalesce(until, clock_timestamp() + 2 * quarter);
END
$$;
COMMENT ON FUNCTION _apm.lock_parent(regclass, timestamptz) IS 'Locks a partitioned table for exclusive use, waiting for a quarter of pg_apm.lock_timeout at most; returns when its holder must have finished';

-- Sets how long the next lock is waited for: to the end of the time given.
CREATE FUNCTION _apm.lock_time_left(until timestamptz) RETURNS boolean
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  ms integer := extract(epoch FROM until - clock_timestamp()) * 1000;
BEGIN
  IF ms > 0 THEN
    PERFORM set_config('lock_timeout', ms::text, true);
  END IF;
  RETURN ms > 0;
END
$$;
COMMENT ON FUNCTION _apm.lock_time_left(timestamptz) IS 'Lets locks be waited for until a moment; false if it is over';

-- Drops the days of a kind that its retention does without.  What does not fit
-- into the time is left to the next run.
CREATE FUNCTION _apm.drop_days(wanted text, INOUT until timestamptz, OUT result text)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  days  record;
  i     integer := 0;
  last  timestamptz;
  bound bigint;
  late  boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM _apm.retention r WHERE r.kind = wanted) THEN
    RETURN;
  END IF;
  SELECT array_agg(e.part ORDER BY e.high) AS parts, array_agg(e.high ORDER BY e.high) AS highs, array_agg(e.bytes ORDER BY e.high) AS bytes,
         array_agg(_apm.count_rows(e.part) ORDER BY e.high) AS counts
    INTO days FROM _apm.expired_days(wanted) e;
  IF days.parts IS NULL THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM _apm.cubes c WHERE c.kind = wanted) THEN
    IF NOT _apm.release_rows(wanted, days.highs[cardinality(days.highs)]) THEN
      result := 'rows are not rolled up yet: left to the next run';
      RETURN;
    END IF;
    SELECT r.bound INTO bound FROM _apm.rollup_state r WHERE r.kind = wanted;
  END IF;
  until := _apm.lock_parent((SELECT k.relation FROM _apm.kinds k WHERE k.kind = wanted)::regclass, until);
  WHILE i < cardinality(days.parts) AND _apm.lock_time_left(until) LOOP
    -- a transaction that was open when rows were rolled up may have stored some here
    IF bound IS NOT NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE t.stored_xid >= %s)', days.parts[i + 1], bound) INTO late;
      EXIT WHEN late;
    END IF;
    i := i + 1;
    EXECUTE format('DROP TABLE %s', days.parts[i]);
    last := days.highs[i];
  END LOOP;
  IF wanted = 'transactions' THEN
    DELETE FROM _apm.page_vitals WHERE observed_at < last;
  END IF;
  UPDATE _apm.retention r SET refused_before = greatest(r.refused_before, last) WHERE r.kind = wanted;
  IF i = 0 THEN
    result := 'nothing could be dropped in time: left to the next run';
    RETURN;
  END IF;
  result := format('dropped %s days before %s: %s rows, %s bytes', i, last::date,
                   (SELECT sum(n) FROM unnest(days.counts[:i]) n), (SELECT sum(n) FROM unnest(days.bytes[:i]) n))
            || CASE WHEN i < cardinality(days.parts) THEN format('; %s days are left to the next run', cardinality(days.parts) - i) ELSE '' END;
END
$$;
COMMENT ON FUNCTION _apm.drop_days(text, timestamptz) IS 'Drops the partitions of a kind that its retention does without; returns until when its locks may be held, and what it did';

-- One task in a subtransaction of its own: its error stops nobody.
CREATE FUNCTION _apm.run_task(task text, statement text, INOUT until timestamptz, OUT result text, OUT duration_ms float8)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  began timestamptz := clock_timestamp();
  given timestamptz := until;
  failure text;
BEGIN
  INSERT INTO _apm.maintenance AS m (task, ran_at, duration_ms, result) VALUES (run_task.task, began, 0, '')
    ON CONFLICT ON CONSTRAINT maintenance_pkey DO NOTHING;
  BEGIN
    EXECUTE statement INTO until, result USING until;
    until := coalesce(until, given);
  EXCEPTION
    WHEN lock_not_available THEN
      until := given;
      result := 'others held the lock: left to the next run';
    WHEN OTHERS THEN
      until := given;
      failure := SQLERRM;
      result := 'failed: ' || failure;
      RAISE WARNING 'task "%" of apm.maintain() failed: %', task, failure;
  END;
  result := coalesce(result, 'nothing to do');
  duration_ms := extract(epoch FROM clock_timestamp() - began) * 1000;
  UPDATE _apm.maintenance AS m
     SET ran_at = began, duration_ms = run_task.duration_ms, result = run_task.result,
         error = coalesce(failure, m.error), failed_at = CASE WHEN failure IS NULL THEN m.failed_at ELSE began END
   WHERE m.task = run_task.task;
END
$$;
COMMENT ON FUNCTION _apm.run_task(text, text, timestamptz) IS 'Runs one task of apm.maintain() and notes what came of it';

-- The statements of the tasks, in their order, each giving a time (until when
-- the locks it took may be held, or NULL) and a text.
CREATE FUNCTION _apm.tasks() RETURNS TABLE (place bigint, task text, statement text)
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT row_number() OVER (), t.task, t.statement
    FROM (VALUES ('partitions ahead', 'SELECT NULL::timestamptz, _apm.make_days_ahead()'),
                 ('identities', 'SELECT NULL::timestamptz, _apm.purge_seen()')) t (task, statement)
  UNION ALL
  SELECT 50 + row_number() OVER (ORDER BY s.kind), 'rollups of ' || s.kind,
         format('SELECT NULL::timestamptz, nullif(format(''rolled up %%s rows'', coalesce(_apm.roll(%L), 0)), ''rolled up 0 rows'')', s.kind)
    FROM _apm.rollup_state s
  UNION ALL
  SELECT 80, 'words of spans', 'SELECT NULL::timestamptz, _apm.learn_in_time()'
  UNION ALL
  SELECT 90, 'compaction: copying', 'SELECT NULL::timestamptz, _apm.compact_step()'
  UNION ALL
  SELECT 100 + row_number() OVER (ORDER BY k.kind), 'retention of ' || k.kind, format('SELECT NULL::timestamptz, _apm.purge_kind(%L)', k.kind)
    FROM _apm.kinds k WHERE NOT k.daily
  UNION ALL
  SELECT 225, 'compaction: swapping', 'SELECT c.until, c.result FROM _apm.compact_finish($1) c'
  UNION ALL
  -- in the order in which ingest takes the locks of these tables
  SELECT 200 + 10 * row_number() OVER (ORDER BY k.kind DESC), 'retention of ' || k.kind, format('SELECT d.until, d.result FROM _apm.drop_days(%L, $1) d', k.kind)
    FROM _apm.kinds k WHERE k.daily
$$;
COMMENT ON FUNCTION _apm.tasks() IS 'Tasks of apm.maintain()';

CREATE FUNCTION apm.maintain() RETURNS TABLE (task text, result text, duration_ms float8)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET lock_timeout = 0
AS $$
#variable_conflict use_column
DECLARE
  t     record;
  r     record;
  until timestamptz;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'apm.maintain() needs a transaction of isolation level READ COMMITTED'
      USING ERRCODE = 'active_sql_transaction', HINT = 'Call it in a transaction of its own.';
  END IF;
  PERFORM FROM _apm.worker_state();    -- loads the library, and with it the settings
  IF NOT pg_try_advisory_xact_lock(hashtext('pg_apm maintain'), 0) THEN
    RETURN QUERY SELECT 'all', 'skipped: another session is at it', 0::float8;
    RETURN;
  END IF;
  FOR t IN SELECT s.task, s.statement FROM _apm.tasks() s ORDER BY s.place LOOP
    PERFORM set_config('lock_timeout', current_setting('pg_apm.lock_timeout'), true);
    r := _apm.run_task(t.task, t.statement, until);
    until := r.until;
    RETURN QUERY SELECT t.task, r.result, r.duration_ms;
  END LOOP;
END
$$;
COMMENT ON FUNCTION apm.maintain() IS 'Does what must be done now and then, the worker once a minute or any scheduler: makes partitions ahead, forgets identities older than pg_apm.seen_horizon, rolls up new rows, learns the words that spans are packed with, drops what apm.retention does without, compacts days of spans that are over (see apm.compactions), one step a run. One row a task: what came of it, in how many milliseconds. A task that fails stops no other; one that does not get its lock in time is tried in the next run; a second call at the same time does nothing. Example: SELECT * FROM apm.maintain()';

SELECT pg_catalog.pg_extension_config_dump('_apm.maintenance', 'WHERE false');
