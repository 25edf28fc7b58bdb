-- ---------------------------------------------------------------------------
-- retention: how long each kind of data is kept, and apm.maintain(), which
-- makes partitions ahead and drops what is older

CREATE VIEW _apm.kinds (kind, relation, time_column, daily) AS
  VALUES ('transactions', 'apm.transactions', 'end_time', true),
         ('spans', '_apm.span_batches', 'end_time', true),
         ('errors', 'apm.errors', 'event_time', true),
         ('sessions', 'apm.sessions', 'started_at', false),
         ('check_ins', 'apm.check_ins', 'started_at', false),
         ('raw_items', 'apm.raw_items', 'received_at', false),
         ('outcomes', '_apm.outcome_log', 'noted_at', false),
         ('rollups', '_apm.transaction_hours', 'bucket', false),
         ('alert_history', 'apm.alert_evaluations', 'evaluated_at', false);
COMMENT ON VIEW _apm.kinds IS 'Kinds of data that retention knows; daily: partitioned by UTC days of the time column, else deleted by rows';

-- Every partition of the daily kinds with its bounds.  own: made by pg_apm, and
-- complete.  While a dump is being restored, indexes and then triggers come
-- last: until then nobody may drop, add or rewrite anything.
CREATE FUNCTION _apm.partitions(OUT kind text, OUT part regclass, OUT low timestamptz, OUT high timestamptz, OUT own boolean)
  RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD'
AS $$
  SELECT k.kind, c.oid::regclass,
         CASE WHEN b.bound[1] = 'MINVALUE' THEN '-infinity' ELSE trim('''' FROM b.bound[1]) END::timestamptz,
         CASE WHEN b.bound[2] = 'MAXVALUE' THEN 'infinity' ELSE trim('''' FROM b.bound[2]) END::timestamptz,
         c.relnamespace = '_apm'::regnamespace AND c.relname ~ ('^' || split_part(k.relation, '.', 2) || '_([0-9]{8,}|past|future)$')
           AND to_regclass(format('_apm.%I', c.relname || '_trace_id')) IS NOT NULL
           AND (k.kind = 'errors' OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'pg_apm_updated'))
    FROM _apm.kinds k
    JOIN pg_inherits i ON i.inhparent = k.relation::regclass
    JOIN pg_class c ON c.oid = i.inhrelid
   CROSS JOIN LATERAL (SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \((.*)\) TO \((.*)\)') AS bound) b
   WHERE k.daily
$$;
COMMENT ON FUNCTION _apm.partitions() IS 'Partitions of the kinds that have daily ones, with the bounds [low, high)';

CREATE TABLE _apm.retention (
  kind           text PRIMARY KEY,
  age            interval CHECK (age > '0'),
  size_bytes     bigint CHECK (size_bytes > 0),
  refused_before timestamptz,
  purged_until   timestamptz,
  changed_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE _apm.retention IS 'Kinds of data that are not kept for ever. refused_before: days before it were dropped, rows for them are refused; purged_until: rows before it were deleted';

CREATE VIEW apm.retention WITH (security_invoker = true) AS
  SELECT k.kind, r.age, r.size_bytes, r.refused_before, r.changed_at
    FROM _apm.kinds k LEFT JOIN _apm.retention r USING (kind);
COMMENT ON VIEW apm.retention IS 'How long each kind of data is kept: by age, by size (bytes on disk with indexes), whichever comes first; both NULL: for ever. refused_before: whole days before it were dropped, and what arrives for them is refused. Example: SELECT kind, age, pg_size_pretty(size_bytes) FROM apm.retention';

-- Rows of a table: exact where that is quick, else as the planner estimates.
CREATE FUNCTION _apm.count_rows(relation regclass) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  n     bigint;
  pages bigint := pg_relation_size(relation) / current_setting('block_size')::bigint;
BEGIN
  SELECT (c.reltuples / c.relpages * pages)::bigint INTO n
    FROM pg_class c WHERE c.oid = relation AND c.reltuples >= 0 AND c.relpages > 0 AND pages > 4096;
  IF n IS NULL THEN
    EXECUTE format('SELECT count(*) FROM %s', relation) INTO n;
  END IF;
  RETURN n;
END
$$;
COMMENT ON FUNCTION _apm.count_rows(regclass) IS 'Rows of a table: counted up to 32 MB or if it was never analyzed, else estimated';

-- What the retention of a daily kind does without: whole days of the past,
-- the oldest first.  A day that has not ended is never dropped.
CREATE FUNCTION _apm.expired_days(wanted text) RETURNS TABLE (part regclass, high timestamptz, bytes bigint)
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.part, p.high, p.bytes
    FROM (SELECT s.part, s.high, s.own, s.bytes, sum(s.bytes) OVER (ORDER BY s.low DESC) AS newer
            FROM (SELECT q.part, q.low, q.high, q.own, pg_total_relation_size(q.part) AS bytes
                    FROM _apm.partitions() q WHERE q.kind = wanted) s) p
    JOIN _apm.retention r ON r.kind = wanted
   WHERE p.own AND p.high <= now() AND (p.high <= now() - r.age OR p.newer > r.size_bytes)
   ORDER BY p.high
$$;
COMMENT ON FUNCTION _apm.expired_days(text) IS 'Partitions that the next apm.maintain() drops by the retention of a kind, with their bytes on disk';

-- Rows of a kind older than a moment, at most so many; returns how many went.
CREATE FUNCTION _apm.purge_rows(relation regclass, time_column text, before timestamptz, most integer) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE %2$I < $1 LIMIT $2))', relation, time_column)
    USING before, most;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END
$$;
COMMENT ON FUNCTION _apm.purge_rows(regclass, text, timestamptz, integer) IS 'Deletes rows whose time lies before a moment, at most so many; returns how many';

-- Incidents that were resolved before a moment, with their events and notifications.
CREATE FUNCTION _apm.purge_incidents(before timestamptz, most integer) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  old bigint[] := ARRAY(SELECT i.incident_id FROM apm.incidents i WHERE i.resolved_at < before LIMIT most);
BEGIN
  DELETE FROM apm.notifications n WHERE n.incident_id = ANY (old);
  DELETE FROM apm.incident_events e WHERE e.incident_id = ANY (old);
  DELETE FROM apm.incidents i WHERE i.incident_id = ANY (old);
  RETURN cardinality(old);
END
$$;
COMMENT ON FUNCTION _apm.purge_incidents(timestamptz, integer) IS 'Deletes incidents that were resolved before a moment; returns how many';

-- Cells before a moment, of days whose rows were dropped: while there are rows,
-- their cells must say what they say.
CREATE FUNCTION _apm.expired_cells(before timestamptz) RETURNS TABLE (cells regclass, until timestamptz)
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT (u.store || w)::regclass, least(before, _apm.kept_since(u.kind))
    FROM _apm.cubes u, unnest('{_minutes,_hours,_days}'::text[]) w
$$;
COMMENT ON FUNCTION _apm.expired_cells(timestamptz) IS 'Tables of rollups, with the moment up to which the next apm.maintain() deletes of each, if those before a moment are too old';

CREATE FUNCTION _apm.purge_cells(before timestamptz, most integer) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  c record;
  n bigint := 0;
BEGIN
  FOR c IN SELECT * FROM _apm.expired_cells(before) LOOP
    n := n + _apm.purge_rows(c.cells, 'bucket', c.until, most);
  END LOOP;
  RETURN n;
END
$$;
COMMENT ON FUNCTION _apm.purge_cells(timestamptz, integer) IS 'Deletes rollups before a moment, as far as their rows were dropped; returns how many';

-- Before which moment rows of a kind without partitions are too old.  Rollups go
-- by whole days: hours and minutes of a day must say what its day says.
CREATE FUNCTION _apm.purge_before(wanted text) RETURNS timestamptz
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
  SELECT date_trunc(CASE wanted WHEN 'rollups' THEN 'day' ELSE 'hour' END, now() - r.age)
    FROM _apm.retention r WHERE r.kind = wanted AND r.age IS NOT NULL
$$;
COMMENT ON FUNCTION _apm.purge_before(text) IS 'The moment before which rows of a kind without partitions are too old; NULL if it is kept for ever';

-- Rows are deleted hour by hour, a bounded number in each run.
CREATE FUNCTION _apm.purge_kind(wanted text) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  most constant integer := 50000;
  r    _apm.retention;
  k    _apm.kinds;
  until timestamptz;
  n    bigint;
BEGIN
  SELECT * INTO r FROM _apm.retention t WHERE t.kind = wanted AND t.age IS NOT NULL;
  SELECT * INTO k FROM _apm.kinds t WHERE t.kind = wanted;
  until := _apm.purge_before(wanted);
  IF until IS NULL OR until <= r.purged_until THEN
    RETURN NULL;
  END IF;
  n := CASE WHEN wanted = 'rollups' THEN _apm.purge_cells(until, most)
            ELSE _apm.purge_rows(k.relation, k.time_column, until, most) END;
  IF wanted = 'alert_history' THEN
    n := n + _apm.purge_incidents(until, most);
  END IF;
  -- cells are not done while their rows are kept
  IF n < most AND wanted <> 'rollups' THEN
    UPDATE _apm.retention t SET purged_until = until WHERE t.kind = wanted;
  END IF;
  RETURN nullif(format('deleted %s rows', n), 'deleted 0 rows');
END
$$;
COMMENT ON FUNCTION _apm.purge_kind(text) IS 'Deletes rows of a kind without partitions that are older than its retention; says how many';

CREATE FUNCTION _apm.retention_notice(wanted text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  k     _apm.kinds;
  c     record;
  m     bigint;
  n     bigint;
  bytes bigint;
  days  bigint;
BEGIN
  SELECT * INTO k FROM _apm.kinds t WHERE t.kind = wanted;
  IF k.daily THEN
    SELECT count(*), coalesce(sum(_apm.count_rows(e.part)), 0), coalesce(sum(e.bytes), 0) INTO days, n, bytes
      FROM _apm.expired_days(wanted) e;
    RAISE NOTICE 'the next apm.maintain() will drop % rows of %: % days, % bytes', n, wanted, days, bytes;
  ELSE
    n := 0;
    bytes := 0;
    FOR c IN SELECT e.cells AS relation, e.until FROM _apm.expired_cells(_apm.purge_before(wanted)) e WHERE wanted = 'rollups'
             UNION ALL SELECT k.relation::regclass, _apm.purge_before(wanted) WHERE wanted <> 'rollups' LOOP
      EXECUTE format('SELECT count(*) FROM %s WHERE %I < $1', c.relation, k.time_column) INTO m USING c.until;
      n := n + m;
      IF m > 0 THEN
        bytes := bytes + pg_total_relation_size(c.relation) * m / greatest(_apm.count_rows(c.relation), m);
      END IF;
    END LOOP;
    RAISE NOTICE 'the next apm.maintain() will delete % rows of %: about % bytes', n, wanted, bytes;
  END IF;
END
$$;
COMMENT ON FUNCTION _apm.retention_notice(text) IS 'Says in a NOTICE what the next apm.maintain() will drop of a kind';

CREATE FUNCTION apm.set_retention(kind text, age interval DEFAULT NULL, size text DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
  k _apm.kinds;
  similar_kind text;
  bytes bigint;
BEGIN
  SELECT * INTO k FROM _apm.kinds t WHERE t.kind = set_retention.kind;
  IF NOT FOUND THEN
    similar_kind := _apm.closest_name(kind, ARRAY(SELECT t.kind FROM _apm.kinds t ORDER BY t.kind));
    RAISE EXCEPTION 'kind of data "%" is unknown', coalesce(kind, 'NULL')
      USING ERRCODE = 'invalid_parameter_value',
            HINT = CASE WHEN similar_kind IS NOT NULL THEN format('Perhaps you meant "%s".', similar_kind)
                        ELSE 'SELECT kind FROM apm.retention lists the kinds.' END;
  END IF;
  IF (age > '0' AND age <= '1000 years') IS FALSE THEN
    RAISE EXCEPTION 'argument "age" must be positive and at most 1000 years'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out to keep the data for ever.';
  END IF;
  BEGIN
    bytes := pg_size_bytes(size);
  EXCEPTION WHEN invalid_parameter_value THEN
    RAISE EXCEPTION 'argument "size" is not a size'
      USING ERRCODE = 'invalid_parameter_value', DETAIL = SQLERRM, HINT = 'For example ''50 GB''.';
  END;
  IF bytes <= 0 THEN
    RAISE EXCEPTION 'argument "size" must be positive'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'For example ''50 GB''.';
  END IF;
  IF bytes IS NOT NULL AND NOT k.daily THEN
    RAISE EXCEPTION 'the retention of % goes by age only', kind
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Only kinds with daily partitions can be kept to a size: transactions, spans, errors.';
  END IF;
  IF age IS NULL AND bytes IS NULL THEN
    DELETE FROM _apm.retention t WHERE t.kind = set_retention.kind;
    RETURN;
  END IF;
  INSERT INTO _apm.retention AS t (kind, age, size_bytes) VALUES (kind, age, bytes)
    ON CONFLICT ON CONSTRAINT retention_pkey DO UPDATE
    SET age = excluded.age, size_bytes = excluded.size_bytes, purged_until = NULL, changed_at = now();
  PERFORM _apm.retention_notice(kind);
END
$$;
COMMENT ON FUNCTION apm.set_retention(text, interval, text) IS 'Sets how long a kind of data is kept: by age, and for transactions, spans and errors also by size on disk; whichever comes first, without either for ever (the default). Whole days are dropped, by apm.maintain(); a NOTICE says how many rows and bytes the next run will drop. Rollups older than their age are deleted by whole days, once the rows are gone that they stand for. Kinds: SELECT kind FROM apm.retention. Example: SELECT apm.set_retention(''spans'', ''30 days'', ''200 GB'')';

SELECT pg_catalog.pg_extension_config_dump('_apm.retention', '');
