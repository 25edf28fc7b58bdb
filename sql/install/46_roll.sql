-- ---------------------------------------------------------------------------
-- roll: rows into cells, cells of hours into days, stale hours anew
--
-- All of it runs under one advisory lock and a lock on the row of
-- _apm.rollup_state; readers are never stopped, since bound, cells and marks
-- change together.

CREATE INDEX kept_names_closed ON _apm.kept_names (kind, day) WHERE name = '<< other >>';

CREATE TABLE _apm.late_cells (
  kind     text NOT NULL,
  width    interval NOT NULL,
  bucket   timestamptz NOT NULL,
  noted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE _apm.late_cells IS 'Hours and days whose cells got rows after they were closed, one note a round: merged now and then';

CREATE FUNCTION _apm.kept_since(kind text) RETURNS timestamptz
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN coalesce((SELECT f.kept_since FROM _apm.rollup_floor f WHERE f.kind = kept_since.kind), '-infinity'::timestamptz);
COMMENT ON FUNCTION _apm.kept_since(text) IS 'Rows before it were dropped by retention';

-- Keeps as many of the names of some rows as pg_apm.max_names allows for a
-- project and day, the most frequent first; returns whether any name of these
-- days is folded.
CREATE FUNCTION _apm.keep_names(kind text, condition text, first_day date, last_day date) RETURNS boolean
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  c _apm.cubes;
BEGIN
  SELECT * INTO c FROM _apm.cubes u WHERE u.kind = keep_names.kind AND u.folds_names ORDER BY u.cube LIMIT 1;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  EXECUTE format($sql$
    INSERT INTO _apm.kept_names (kind, project_id, day, name)
      SELECT DISTINCT $2, f.project_id, f.day, CASE WHEN f.kept + f.place <= $1 THEN f.name ELSE '<< other >>' END
        FROM (SELECT r.project_id, r.day, r.name,
                     row_number() OVER (PARTITION BY r.project_id, r.day ORDER BY r.n DESC, r.name COLLATE "C") AS place,
                     (SELECT count(*) FROM _apm.kept_names k WHERE k.kind = $2 AND k.project_id = r.project_id AND k.day = r.day) AS kept
                FROM (SELECT t.project_id, (t.end_time AT TIME ZONE 'UTC')::date AS day, %1$s AS name, count(*) AS n
                        FROM %2$s t WHERE %3$s AND %1$s <> '<< other >>'
                       GROUP BY 1, 2, 3) r
               WHERE NOT EXISTS (SELECT FROM _apm.kept_names k
                                  WHERE k.kind = $2 AND k.project_id = r.project_id AND k.day = r.day AND k.name IN (r.name, '<< other >>'))) f$sql$,
    c.name_column, c.relation, condition)
    USING coalesce(current_setting('pg_apm.max_names', true), '2000')::integer, keep_names.kind;
  RETURN EXISTS (SELECT FROM _apm.kept_names k WHERE k.kind = keep_names.kind AND k.name = '<< other >>' AND k.day BETWEEN first_day AND last_day);
END
$$;
COMMENT ON FUNCTION _apm.keep_names(text, text, date, date) IS 'Decides which names have cells of their own';

CREATE FUNCTION _apm.merged_measures(cube text) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN (SELECT pg_catalog.string_agg(k.merged, ', ' ORDER BY k.place) FROM _apm.cube_columns k
           WHERE k.cube = merged_measures.cube AND k.stored AND NOT k.is_key);
COMMENT ON FUNCTION _apm.merged_measures(text) IS 'Aggregates that merge the stored measures of cells c';

-- Several rows of a cell become one.
CREATE FUNCTION _apm.merge_cells(cube text, store text, condition text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  keys text := array_to_string(_apm.cell_columns(cube, true), ', ');
  measures text := array_to_string(_apm.cell_columns(cube, false), ', ');
  merged text := _apm.merged_measures(cube);
BEGIN
  EXECUTE format('WITH c AS (DELETE FROM %1$s c WHERE %2$s RETURNING c.*)
                  INSERT INTO %1$s (bucket, %3$s, %4$s) SELECT c.bucket, %3$s, %5$s FROM c GROUP BY c.bucket, %3$s',
                 store, condition, keys, measures, merged);
END
$$;
COMMENT ON FUNCTION _apm.merge_cells(text, text, text) IS 'Merges the rows of each cell c that a condition names';

-- Cells of a wider bucket from those of a narrower one.
CREATE FUNCTION _apm.widen_cells(cube text, narrow text, wide text, width interval, condition text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  keys text := array_to_string(_apm.cell_columns(cube, true), ', ');
  measures text := array_to_string(_apm.cell_columns(cube, false), ', ');
  merged text := _apm.merged_measures(cube);
BEGIN
  EXECUTE format('INSERT INTO %1$s (bucket, %2$s, %3$s) SELECT _apm.bin(%4$L, c.bucket), %2$s, %5$s FROM %6$s c WHERE %7$s GROUP BY 1, %2$s',
                 wide, keys, measures, width, merged, narrow, condition);
END
$$;
COMMENT ON FUNCTION _apm.widen_cells(text, text, text, interval, text) IS 'Cells of hours from those of minutes, or of days from those of hours';

-- Appends cells of the rows t that a condition names, all widths in one pass:
-- minutes of rows from minutes_since on, hours and days of those before
-- hours_until and days_until.  Where a cube has no function that gathers them,
-- hours and days are merged from the narrowest cells.
CREATE FUNCTION _apm.append_cells(cube text, fold boolean, condition text,
    minutes_since timestamptz, hours_until timestamptz, days_until timestamptz, note_late boolean) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  c _apm.cubes;
  keys text[] := _apm.cell_columns(cube, true);
  measures text[] := _apm.cell_columns(cube, false);
  key_list text := array_to_string(keys, ', ');
  columns text := array_to_string('bucket'::text || keys || measures, ', ');
  cells text;
BEGIN
  SELECT * INTO STRICT c FROM _apm.cubes u WHERE u.cube = append_cells.cube;
  fold := fold AND c.folds_names;
  IF c.gather IS NOT NULL THEN
    cells := format('cells AS MATERIALIZED (SELECT * FROM %s(%L, %L, %L, %L))', c.gather,
                    format('SELECT %s FROM %s t%s WHERE %s',
                           _apm.measured_sql(replace(c.gather_rows, '{name}', _apm.folded_name(c.name_column, fold)), NULL),
                           c.relation, _apm.fold_joins(cube, fold), condition),
                    minutes_since, hours_until, days_until);
  ELSE
    cells := format($sql$
      fine AS MATERIALIZED (%1$s),
      cells AS MATERIALIZED (
        SELECT 1 AS width, c.slot AS bucket, %2$s, %3$s FROM fine c WHERE c.slot >= %5$L
        UNION ALL SELECT 60, _apm.bin('1 hour', c.slot), %2$s, %4$s FROM fine c WHERE c.slot < %6$L GROUP BY 2, %2$s
        UNION ALL SELECT 1440, _apm.bin('1 day', c.slot), %2$s, %4$s FROM fine c WHERE c.slot < %7$L GROUP BY 2, %2$s)$sql$,
      _apm.cells_of_rows(cube, format('_apm.bin(CASE WHEN t.end_time >= %L THEN interval ''1 minute'' ELSE ''1 hour'' END, t.end_time)', minutes_since),
                         keys, measures, fold, condition),
      key_list, array_to_string(measures, ', '), _apm.merged_measures(cube), minutes_since, hours_until, days_until);
  END IF;
  EXECUTE format($sql$
    WITH %1$s,
      minutes AS (INSERT INTO %2$s_minutes (%3$s) SELECT %3$s FROM cells WHERE width = 1),
      hours AS (INSERT INTO %2$s_hours (%3$s) SELECT %3$s FROM cells WHERE width = 60),
      late AS (INSERT INTO _apm.late_cells (kind, width, bucket)
                 SELECT DISTINCT %4$L, make_interval(mins => width), bucket FROM cells WHERE width > 1 AND %5$L)
    INSERT INTO %2$s_days (%3$s) SELECT %3$s FROM cells WHERE width = 1440$sql$,
    cells, c.store, columns, c.kind, note_late);
END
$$;
COMMENT ON FUNCTION _apm.append_cells(text, boolean, text, timestamptz, timestamptz, timestamptz, boolean) IS 'Aggregates rows and appends them as cells; note_late notes the hours and days that got some in _apm.late_cells';

-- Hours that are over get cells of their own, then days; minutes go after two
-- days.  Called before rows are rolled up, so that old ones skip the minutes.
CREATE FUNCTION _apm.close_buckets(kind text, at timestamptz) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s _apm.rollup_state;
  u _apm.cubes;
  late record;
  next_hours timestamptz;
  next_days timestamptz;
  next_minutes timestamptz;
BEGIN
  SELECT * INTO STRICT s FROM _apm.rollup_state r WHERE r.kind = close_buckets.kind;
  next_hours := greatest(s.hours_until, _apm.bin('1 hour', at - interval '5 minutes'));
  next_days := greatest(s.days_until, _apm.bin('1 day', at - interval '15 minutes'));
  next_minutes := greatest(s.minutes_since, _apm.bin('1 hour', at - interval '48 hours'));
  FOR u IN SELECT * FROM _apm.cubes c WHERE c.kind = close_buckets.kind ORDER BY c.cube LOOP
    IF next_hours > s.hours_until THEN
      PERFORM _apm.merge_cells(u.cube, u.store || '_minutes',
                               format('c.bucket >= %L AND c.bucket < %L', s.hours_until, next_hours));
      PERFORM _apm.widen_cells(u.cube, u.store || '_minutes', u.store || '_hours', '1 hour',
                               format('c.bucket >= %L AND c.bucket < %L', s.hours_until, next_hours));
    END IF;
    IF next_days > s.days_until THEN
      PERFORM _apm.widen_cells(u.cube, u.store || '_hours', u.store || '_days', '1 day',
                               format('c.bucket >= %L AND c.bucket < %L', s.days_until, next_days));
    END IF;
    IF next_minutes > s.minutes_since THEN
      EXECUTE format('DELETE FROM %s WHERE bucket < %L', u.store || '_minutes', next_minutes);
    END IF;
    -- Many additions to a bucket, or old ones: worth rewriting it.
    FOR late IN SELECT l.width, l.bucket FROM _apm.late_cells l WHERE l.kind = close_buckets.kind
                 GROUP BY l.width, l.bucket HAVING count(*) >= 16 OR min(l.noted_at) < now() - interval '10 minutes'
    LOOP
      PERFORM _apm.merge_cells(u.cube, u.store || CASE late.width WHEN '1 day' THEN '_days' ELSE '_hours' END,
                               format('c.bucket = %L', late.bucket));
    END LOOP;
  END LOOP;
  DELETE FROM _apm.late_cells l
   WHERE l.kind = close_buckets.kind
     AND (l.width, l.bucket) IN (SELECT m.width, m.bucket FROM _apm.late_cells m WHERE m.kind = close_buckets.kind
                                  GROUP BY m.width, m.bucket HAVING count(*) >= 16 OR min(m.noted_at) < now() - interval '10 minutes');
  UPDATE _apm.rollup_state r
     SET hours_until = next_hours, days_until = next_days, minutes_since = next_minutes
   WHERE r.kind = close_buckets.kind;
END
$$;
COMMENT ON FUNCTION _apm.close_buckets(text, timestamptz) IS 'Closes hours and days that are over, drops minutes that are old, merges what was added late';

-- Cells of stale hours, anew.  The marks go first and the rows are read with a
-- later snapshot: what changes in between leaves its own mark.
CREATE FUNCTION _apm.rebuild_hours(kind text, floor_time timestamptz) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  s _apm.rollup_state;
  u _apm.cubes;
  stale record;
  everywhere boolean := false;
  projects integer[] := '{}';
  project_list integer[] := '{}';
  hour_list timestamptz[] := '{}';
  more_projects integer[];
  more_hours timestamptz[];
  condition text;
  fold boolean := false;
  rebuilt bigint := 0;
BEGIN
  FOR stale IN
    WITH gone AS (DELETE FROM _apm.stale_hours h WHERE h.kind = rebuild_hours.kind RETURNING h.project_id, h.hour)
    SELECT DISTINCT g.project_id, g.hour FROM gone g WHERE g.hour IS NULL OR g.hour >= floor_time
  LOOP
    IF stale.hour IS NOT NULL THEN
      project_list := project_list || stale.project_id;
      hour_list := hour_list || stale.hour;
    ELSIF stale.project_id IS NULL THEN
      everywhere := true;
    ELSE
      projects := projects || stale.project_id;
    END IF;
  END LOOP;
  SELECT * INTO STRICT s FROM _apm.rollup_state r WHERE r.kind = rebuild_hours.kind;
  FOR u IN SELECT * FROM _apm.cubes c WHERE c.kind = rebuild_hours.kind AND (everywhere OR projects <> '{}') LOOP
    EXECUTE format($sql$
      SELECT array_agg(x.project_id), array_agg(x.hour)
        FROM (SELECT c.project_id, c.bucket AS hour FROM %1$s_hours c WHERE c.bucket >= $1 AND ($2 OR c.project_id = ANY ($3))
              UNION SELECT c.project_id, _apm.bin('1 hour', c.bucket) FROM %1$s_minutes c WHERE c.bucket >= $1 AND ($2 OR c.project_id = ANY ($3))) x$sql$,
      u.store) INTO more_projects, more_hours USING floor_time, everywhere, projects;
    project_list := project_list || more_projects;
    hour_list := hour_list || more_hours;
  END LOOP;

  FOR stale IN SELECT x.hour, array_agg(DISTINCT x.project_id) AS ids
                 FROM unnest(project_list, hour_list) x (project_id, hour) GROUP BY x.hour ORDER BY x.hour
  LOOP
    condition := format('t.stored_xid < %s AND t.project_id = ANY (%L) AND t.end_time >= %L AND t.end_time < %L',
                        s.bound, stale.ids, stale.hour, stale.hour + interval '1 hour');
    fold := _apm.keep_names(rebuild_hours.kind, condition, (stale.hour AT TIME ZONE 'UTC')::date, (stale.hour AT TIME ZONE 'UTC')::date);
    FOR u IN SELECT * FROM _apm.cubes c WHERE c.kind = rebuild_hours.kind ORDER BY c.cube LOOP
      EXECUTE format('DELETE FROM %s_minutes WHERE project_id = ANY (%L) AND bucket >= %L AND bucket < %L',
                     u.store, stale.ids, stale.hour, stale.hour + interval '1 hour');
      EXECUTE format('DELETE FROM %s_hours WHERE project_id = ANY (%L) AND bucket = %L', u.store, stale.ids, stale.hour);
      PERFORM _apm.append_cells(u.cube, fold, condition, s.minutes_since, s.hours_until, '-infinity', false);
    END LOOP;
    rebuilt := rebuilt + cardinality(stale.ids);
  END LOOP;

  FOR stale IN SELECT _apm.bin('1 day', x.hour) AS day, array_agg(DISTINCT x.project_id) AS ids
                 FROM unnest(project_list, hour_list) x (project_id, hour) WHERE x.hour < s.days_until GROUP BY 1 ORDER BY 1
  LOOP
    FOR u IN SELECT * FROM _apm.cubes c WHERE c.kind = rebuild_hours.kind ORDER BY c.cube LOOP
      EXECUTE format('DELETE FROM %s_days WHERE project_id = ANY (%L) AND bucket = %L', u.store, stale.ids, stale.day);
      PERFORM _apm.widen_cells(u.cube, u.store || '_hours', u.store || '_days', '1 day',
                               format('c.project_id = ANY (%L) AND c.bucket >= %L AND c.bucket < %L', stale.ids, stale.day, stale.day + interval '1 day'));
    END LOOP;
  END LOOP;
  RETURN rebuilt;
END
$$;
COMMENT ON FUNCTION _apm.rebuild_hours(text, timestamptz) IS 'Makes the cells of stale hours anew from their rows; returns how many hours of projects. Called under the roller''s lock';

-- Forgets all cells that rows can give again: transaction ids of another
-- cluster mean nothing.
CREATE FUNCTION _apm.restart_rollups(kind text, floor_time timestamptz) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  u _apm.cubes;
BEGIN
  FOR u IN SELECT * FROM _apm.cubes c WHERE c.kind = restart_rollups.kind LOOP
    EXECUTE format('DELETE FROM %s_minutes', u.store);
    EXECUTE format('DELETE FROM %s_hours WHERE bucket >= %L', u.store, floor_time);
    EXECUTE format('DELETE FROM %s_days', u.store);
  END LOOP;
  DELETE FROM _apm.kept_names k WHERE k.kind = restart_rollups.kind AND k.day >= (floor_time AT TIME ZONE 'UTC')::date;
  DELETE FROM _apm.stale_hours h WHERE h.kind = restart_rollups.kind;
  DELETE FROM _apm.late_cells l WHERE l.kind = restart_rollups.kind;
  UPDATE _apm.rollup_state r
     SET bound = 0, system_identifier = _apm.system_identifier(),
         hours_until = CASE WHEN r.hours_until = 'infinity' THEN r.hours_until ELSE floor_time END, days_until = '-infinity',
         minutes_since = CASE WHEN r.minutes_since = 'infinity' THEN r.minutes_since ELSE floor_time END
   WHERE r.kind = restart_rollups.kind;
END
$$;
COMMENT ON FUNCTION _apm.restart_rollups(text, timestamptz) IS 'Empties the rollups of a kind, but for what retention left without rows';

-- Looks after the partitions that rows were rolled up from: index ranges, and
-- statistics without which the first plans would read all of them.
CREATE FUNCTION _apm.tend_partitions(relation regclass, since timestamptz, until timestamptz) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  SET lock_timeout = '100ms' SET default_statistics_target = 10
AS $$
DECLARE
  leaf record;
BEGIN
  FOR leaf IN
    SELECT DISTINCT c.oid::regclass AS name, c.reltuples < 0 AND pg_relation_size(c.oid) > 1000000 AS unknown,
           (SELECT x.indexrelid::regclass FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam
             WHERE x.indrelid = c.oid AND m.amname = 'brin' AND x.indisvalid LIMIT 1) AS brin
      FROM pg_class c JOIN pg_inherits h ON h.inhrelid = c.oid
     WHERE h.inhparent = relation AND c.relkind = 'r' AND c.relname ~ '_[0-9]{8}$'
       AND right(c.relname, 8) BETWEEN to_char(since AT TIME ZONE 'UTC', 'YYYYMMDD') AND to_char(until AT TIME ZONE 'UTC', 'YYYYMMDD')
  LOOP
    BEGIN
      IF leaf.brin IS NOT NULL THEN
        PERFORM brin_summarize_new_values(leaf.brin);
      END IF;
      IF leaf.unknown THEN
        -- no plan depends on statistics of documents, which take longest
        EXECUTE format('ANALYZE (SKIP_LOCKED) %s (%s)', leaf.name,
                       (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
                         WHERE a.attrelid = leaf.name AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage <> 'e'
                           AND a.atttypid NOT IN ('jsonb'::regtype, 'apm.spanset'::regtype)));
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _apm.tend_partitions(regclass, timestamptz, timestamptz) IS 'Summarizes new ranges of the partitions of these days, and analyzes those that never were';

-- Partitions that somebody attached by hand get triggers like those of the
-- others.  A partition of a dump that is being restored has none for a while,
-- too: its own come last, and must not meet ours, not even those that an
-- earlier restore left.  So the names of ours belong to this database, and ours
-- go as soon as there are others.
CREATE FUNCTION _apm.watch_suffix() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT '_' || left(encode(sha256(concat(_apm.system_identifier(), ' ', d.oid)::bytea), 'hex'), 8)
    FROM pg_database d WHERE d.datname = current_database()
$$;
COMMENT ON FUNCTION _apm.watch_suffix() IS 'What the names of triggers end in that the roller adds to partitions';

CREATE FUNCTION _apm.partition_triggers(relation regclass, OUT partition regclass, OUT ours bigint, OUT others bigint) RETURNS SETOF record
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT h.inhrelid, count(t.oid) FILTER (WHERE right(t.tgname, 9) = s.suffix), count(t.oid) FILTER (WHERE right(t.tgname, 9) <> s.suffix)
    FROM _apm.watch_suffix() s (suffix) CROSS JOIN pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
         LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgfoid = '_apm.mark_stale'::regproc
   WHERE h.inhparent = relation AND c.relkind = 'r'
   GROUP BY h.inhrelid
$$;
COMMENT ON FUNCTION _apm.partition_triggers(regclass) IS 'How many triggers that make hours stale each partition has, of the roller and of its own';

-- A partition that is gone a moment later, or in use, is for the next round.
CREATE FUNCTION _apm.watch_partitions(relation regclass, kind text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  SET lock_timeout = '100ms'
AS $$
DECLARE
  leaf text;
BEGIN
  FOR leaf IN SELECT p.partition::text FROM _apm.partition_triggers(relation) p WHERE p.ours = 0 AND p.others = 0 LOOP
    BEGIN
      PERFORM _apm.watch_changes(leaf::regclass, kind, _apm.watch_suffix());
    EXCEPTION WHEN lock_not_available OR undefined_table THEN
      NULL;
    END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _apm.watch_partitions(regclass, text) IS 'Triggers for partitions that have none';

-- Dropping a trigger stops readers until the round ends, so this comes last.
CREATE FUNCTION _apm.unwatch_partitions(relation regclass) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  SET lock_timeout = '100ms'
AS $$
DECLARE
  leaf text;
BEGIN
  FOR leaf IN SELECT p.partition::text FROM _apm.partition_triggers(relation) p WHERE p.ours > 0 AND p.others >= 3 LOOP
    BEGIN
      EXECUTE format('DROP TRIGGER pg_apm_updated%1$s ON %2$s; DROP TRIGGER pg_apm_deleted%1$s ON %2$s; DROP TRIGGER pg_apm_truncated%1$s ON %2$s',
                     _apm.watch_suffix(), leaf);
    EXCEPTION WHEN lock_not_available OR undefined_table OR undefined_object THEN
      NULL;
    END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION _apm.unwatch_partitions(regclass) IS 'Drops the triggers that the roller gave to partitions that have their own by now';

-- Plans are made before there are statistics of what just came: no scan of a
-- whole partition, and hashing instead of sorting by text.
CREATE FUNCTION _apm.roll(kind text DEFAULT 'transactions', at timestamptz DEFAULT now()) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1
  SET enable_seqscan = off SET enable_sort = off SET enable_incremental_sort = off SET work_mem = '64MB'
  SET jit = off
AS $$
DECLARE
  s _apm.rollup_state;
  u _apm.cubes;
  tail record;
  horizon bigint;
  floor_time timestamptz;
  relation regclass;
  condition text;
  fold boolean := false;
  noted boolean := false;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('pg_apm rollup'), hashtext(roll.kind)) THEN
    RETURN NULL;
  END IF;
  SELECT * INTO s FROM _apm.rollup_state r WHERE r.kind = roll.kind FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there are no rollups of kind "%"', roll.kind USING ERRCODE = 'undefined_object';
  END IF;
  floor_time := _apm.kept_since(roll.kind);
  horizon := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
  condition := format('t.stored_xid >= %s AND t.stored_xid < %s', s.bound, horizon);
  IF s.bound = 0 OR s.system_identifier <> _apm.system_identifier() OR s.bound > horizon THEN
    PERFORM _apm.restart_rollups(roll.kind, floor_time);
    condition := format('t.stored_xid < %s AND t.end_time >= %L', horizon, floor_time);
  END IF;
  PERFORM _apm.close_buckets(roll.kind, at);
  SELECT * INTO s FROM _apm.rollup_state r WHERE r.kind = roll.kind;

  SELECT c.relation INTO relation FROM _apm.cubes c WHERE c.kind = roll.kind LIMIT 1;
  PERFORM _apm.watch_partitions(relation, roll.kind);
  EXECUTE format('SELECT count(*) AS n, min(t.end_time) AS first_at, max(t.end_time) AS last_at FROM %s t WHERE %s', relation, condition)
    INTO tail;
  IF tail.n > 0 THEN
    condition := format('%s AND t.end_time >= %L AND t.end_time <= %L', condition, tail.first_at, tail.last_at);
    fold := _apm.keep_names(roll.kind, condition, (tail.first_at AT TIME ZONE 'UTC')::date, (tail.last_at AT TIME ZONE 'UTC')::date);
    IF fold AND roll.kind = 'transactions' THEN
      PERFORM _apm.count_folded(condition);
    END IF;
    FOR u IN SELECT * FROM _apm.cubes c WHERE c.kind = roll.kind ORDER BY c.cube LOOP
      PERFORM _apm.append_cells(u.cube, fold, condition, s.minutes_since, s.hours_until, s.days_until,
                                u.condition = 'true' AND NOT noted);
      noted := noted OR u.condition = 'true';
    END LOOP;
  END IF;
  UPDATE _apm.rollup_state r SET bound = horizon, rolled_at = clock_timestamp() WHERE r.kind = roll.kind;
  PERFORM _apm.rebuild_hours(roll.kind, floor_time);
  IF tail.n > 0 THEN
    PERFORM _apm.tend_partitions(relation, tail.first_at, tail.last_at);
    PERFORM _apm.unwatch_partitions(relation);
  END IF;
  RETURN tail.n;
END
$$;
COMMENT ON FUNCTION _apm.roll(text, timestamptz) IS 'One round: closes what is over by a moment, rolls up the rows of ended transactions, rebuilds stale hours. Returns how many rows, or NULL while another session is at it';

-- Names that were folded show in apm.outcomes.
CREATE FUNCTION _apm.count_folded(condition text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format($sql$
    INSERT INTO _apm.outcome_log (project_id, category, outcome, reason, quantity)
      SELECT t.project_id, 'transaction', 'repaired', 'names', count(*)
        FROM apm.transactions t
             JOIN _apm.kept_names o ON o.kind = 'transactions' AND o.project_id = t.project_id AND o.day = (t.end_time AT TIME ZONE 'UTC')::date AND o.name = '<< other >>'
             LEFT JOIN _apm.kept_names k ON k.kind = 'transactions' AND k.project_id = t.project_id AND k.day = (t.end_time AT TIME ZONE 'UTC')::date AND k.name = t.name
       WHERE %s AND t.name IS NOT NULL AND k.name IS NULL
       GROUP BY t.project_id$sql$, condition);
END
$$;
COMMENT ON FUNCTION _apm.count_folded(text) IS 'Counts rows that have no cells of their own name';

-- For retention: makes sure that the rows before a moment are rolled up and
-- their cells are right, and from then on lets these cells stand.  False while
-- transactions that may hold such rows are open; then nothing may be dropped.
CREATE FUNCTION _apm.release_rows(kind text, until timestamptz) RETURNS boolean
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
DECLARE
  relation regclass;
  open_rows boolean;
BEGIN
  until := _apm.bin('1 day', until);
  IF _apm.roll(release_rows.kind) IS NULL
     OR until > (SELECT r.hours_until FROM _apm.rollup_state r WHERE r.kind = release_rows.kind) THEN
    RETURN false;
  END IF;
  SELECT c.relation INTO relation FROM _apm.cubes c WHERE c.kind = release_rows.kind LIMIT 1;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE t.end_time < %L AND t.stored_xid >= %s)', relation, until,
                 (SELECT r.bound FROM _apm.rollup_state r WHERE r.kind = release_rows.kind)) INTO open_rows;
  IF open_rows OR EXISTS (SELECT FROM _apm.stale_hours h WHERE h.kind = release_rows.kind AND coalesce(h.hour, '-infinity') < until) THEN
    RETURN false;
  END IF;
  INSERT INTO _apm.rollup_floor AS f (kind, kept_since) VALUES (release_rows.kind, until)
    ON CONFLICT ON CONSTRAINT rollup_floor_pkey DO UPDATE SET kept_since = greatest(f.kept_since, excluded.kept_since);
  RETURN true;
END
$$;
COMMENT ON FUNCTION _apm.release_rows(text, timestamptz) IS 'Whether the rows before a day may be dropped: they are rolled up, and from now on these rollups stand for them';

CREATE FUNCTION apm.rebuild_rollups(project_id integer DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
  RETURNS bigint
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
#variable_conflict use_variable
DECLARE
  k record;
  floor_time timestamptz;
  rebuilt bigint := 0;
BEGIN
  PERFORM _apm.check_window(since, until);
  FOR k IN SELECT c.kind AS name, min(c.relation) AS relation, array_agg(c.store) AS stores FROM _apm.cubes c
            WHERE c.kind IN (SELECT r.kind FROM _apm.rollup_state r) GROUP BY c.kind ORDER BY c.kind LOOP
    PERFORM pg_advisory_xact_lock(hashtext('pg_apm rollup'), hashtext(k.name));
    floor_time := _apm.kept_since(k.name);
    PERFORM _apm.roll(k.name);
    EXECUTE format($sql$
      INSERT INTO _apm.stale_hours (kind, project_id, hour)
        SELECT %1$L, t.project_id, _apm.bin('1 hour', t.end_time) FROM %2$s t
         WHERE t.end_time >= $1 AND t.end_time < $2 AND ($3 IS NULL OR t.project_id = $3)
        UNION
        SELECT %1$L, x.project_id, x.bucket FROM (%3$s) x
         WHERE x.bucket >= $1 AND x.bucket < $2 AND ($3 IS NULL OR x.project_id = $3)$sql$,
      k.name, k.relation,
      (SELECT string_agg(format('SELECT project_id, bucket FROM %s_hours UNION ALL SELECT project_id, _apm.bin(''1 hour'', bucket) FROM %1$s_minutes', st), ' UNION ALL ')
         FROM unnest(k.stores) st))
      USING greatest(floor_time, coalesce(_apm.bin('1 hour', since), '-infinity')), coalesce(until, 'infinity'), project_id;
    rebuilt := rebuilt + _apm.rebuild_hours(k.name, floor_time);
  END LOOP;
  RETURN rebuilt;
END
$$;
COMMENT ON FUNCTION apm.rebuild_rollups(integer, timestamptz, timestamptz) IS 'Makes the rollups of the hours from since to until anew from their rows; NULL means every project and all times; hours whose rows were dropped by retention stand. Returns the number of hours of projects that were rebuilt. Needed after partitions were changed behind the extension''s back. Example: SELECT apm.rebuild_rollups(1, now() - interval ''1 day'', now())';

-- The tail is counted, which takes as long as reading it.
CREATE FUNCTION _apm.tail_of(kind text, OUT row_count bigint, OUT oldest_at timestamptz)
  LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  relation regclass;
BEGIN
  SELECT c.relation INTO relation FROM _apm.cubes c WHERE c.kind = tail_of.kind LIMIT 1;
  EXECUTE format('SELECT count(*), %s FROM %s t WHERE t.stored_xid >= %s',
                 CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = 'received_at' AND NOT a.attisdropped)
                      THEN 'min(t.received_at)' ELSE 'NULL::timestamptz' END,
                 relation, (SELECT r.bound FROM _apm.rollup_state r WHERE r.kind = tail_of.kind))
    INTO row_count, oldest_at;
END
$$;
COMMENT ON FUNCTION _apm.tail_of(text) IS 'How many rows are not rolled up yet, and when the oldest of them came';

CREATE VIEW apm.rollup_status WITH (security_invoker = true) AS
  SELECT s.kind, s.bound > 0 AND s.system_identifier = _apm.system_identifier() AS usable,
         t.row_count AS tail_rows, CASE WHEN t.row_count > 0 THEN now() - coalesce(t.oldest_at, s.rolled_at) END AS tail_age,
         (SELECT count(*) FROM (SELECT DISTINCT h.project_id, h.hour FROM _apm.stale_hours h WHERE h.kind = s.kind) h) AS stale_hours,
         s.rolled_at, s.hours_until, s.days_until, s.minutes_since, f.kept_since
    FROM _apm.rollup_state s LEFT JOIN _apm.rollup_floor f ON f.kind = s.kind CROSS JOIN LATERAL _apm.tail_of(s.kind) t;
COMMENT ON VIEW apm.rollup_status IS 'How far the rollups of each kind of rows are: tail_rows were not rolled up yet, the oldest of them since tail_age; stale_hours are read from rows until the next round; hours and days before hours_until and days_until have cells of their own, minutes since minutes_since; rows before kept_since were dropped and only their rollups stand. Without rounds (of the worker, or apm.maintain()) the tail grows and answers stay right, but slow. Example: SELECT kind, tail_rows, tail_age, stale_hours FROM apm.rollup_status';
