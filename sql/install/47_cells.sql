-- ---------------------------------------------------------------------------
-- cells: one place that says where an answer is read from
--
-- The cells of a window are whole days, hours and minutes as they are stored,
-- and for everything else rows aggregated in the same way: the edges, the tail
-- that is not yet rolled up, stale hours.  All of it is one statement, so one
-- snapshot; constants are written into it, so that partitions prune.

CREATE TYPE _apm.cell_plan AS (
  cells  text,
  counts text,
  source text,
  reason text,
  lost   tstzmultirange
);
COMMENT ON TYPE _apm.cell_plan IS 'SQL that gives cells, SQL that counts what it reads, whether rollups are used, and when rows would be read that retention has dropped';

CREATE FUNCTION _apm.all_users(users apm.hll, other_users apm.hll) RETURNS apm.hll
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN other_users IS NULL THEN users WHEN users IS NULL THEN other_users
              ELSE (SELECT apm.hll_merge(h) FROM unnest(ARRAY[users, other_users]) h) END
$$;
COMMENT ON FUNCTION _apm.all_users(apm.hll, apm.hll) IS 'Users of cells, measured or not';

-- Filters of keys as SQL: over stored cells c, or over rows t.
CREATE FUNCTION _apm.key_filter(cube text, filters jsonb, of_rows boolean) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN coalesce((SELECT pg_catalog.string_agg(pg_catalog.format(' AND %s = %L',
                            CASE WHEN of_rows THEN k.from_rows ELSE 'c.' || k.name END, f.value), '' ORDER BY k.place)
                     FROM pg_catalog.jsonb_each_text(pg_catalog.jsonb_strip_nulls(filters)) f
                          JOIN _apm.cube_columns k ON k.cube = key_filter.cube AND k.is_key AND k.name = f.key), '');
COMMENT ON FUNCTION _apm.key_filter(text, jsonb, boolean) IS 'Conditions for the keys of a cube that are given';

CREATE FUNCTION _apm.row_keys(cube text, filters jsonb) RETURNS jsonb
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN coalesce((SELECT pg_catalog.jsonb_object_agg(f.key, f.value)
                     FROM pg_catalog.jsonb_each(filters) f
                          JOIN _apm.cube_columns k ON k.cube = row_keys.cube AND k.is_key AND k.name = f.key
                    WHERE k.from_rows ~ '^t\.[a-z_]+$'), '{}'::jsonb);
COMMENT ON FUNCTION _apm.row_keys(text, jsonb) IS 'Filters of keys that are columns of the relation itself';

CREATE TYPE _apm.cell_ranges AS (
  day_from    timestamptz,
  day_to      timestamptz,
  hour_from   timestamptz,
  hour_to     timestamptz,
  cell_from   timestamptz,
  cell_to     timestamptz
);
COMMENT ON TYPE _apm.cell_ranges IS 'Parts of a window: days within hours within cells; what of the cells are not hours are minutes';

-- The largest parts of [since, until) that closed days, hours and minutes
-- cover, if their widths divide that of the slots.
CREATE FUNCTION _apm.split_window(s _apm.rollup_state, since timestamptz, until timestamptz, width interval, with_minutes boolean)
  RETURNS _apm.cell_ranges
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  r _apm.cell_ranges;
  step numeric := extract(epoch FROM width);
BEGIN
  r.hour_from := _apm.bin_up('1 hour', since);
  r.hour_to := least(_apm.bin('1 hour', until), s.hours_until);
  IF step % 3600 <> 0 OR r.hour_from >= r.hour_to THEN
    r.hour_to := r.hour_from;
  END IF;
  r.day_from := _apm.bin_up('1 day', r.hour_from);
  r.day_to := least(_apm.bin('1 day', r.hour_to), s.days_until);
  IF step % 86400 <> 0 OR r.day_from >= r.day_to THEN
    r.day_to := r.day_from;
  END IF;
  r.cell_from := greatest(_apm.bin_up('1 minute', since), s.minutes_since);
  r.cell_to := _apm.bin('1 minute', until);
  IF NOT with_minutes OR step % 60 <> 0 OR r.cell_from >= r.cell_to THEN
    r.cell_from := r.hour_from;
    r.cell_to := r.hour_to;
  ELSIF r.hour_from < r.hour_to THEN
    -- Minutes go on where hours begin or end, or not at all.
    IF r.cell_to < r.hour_to OR r.cell_from > r.hour_to THEN
      r.cell_to := r.hour_to;
    END IF;
    r.cell_from := least(r.cell_from, r.hour_from);
  END IF;
  RETURN r;
END
$$;
COMMENT ON FUNCTION _apm.split_window(_apm.rollup_state, timestamptz, timestamptz, interval, boolean) IS 'Which parts of a window are read from days, hours and minutes';

-- A range less another one within it, so that an index finds each part.
CREATE FUNCTION _apm.outside(what text, low timestamptz, high timestamptz, inner_low timestamptz, inner_high timestamptz) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT '(' || string_agg(format('%1$s >= %2$L AND %1$s < %3$L', what, r.a, r.b), ' OR ') || ')'
    FROM (SELECT low AS a, CASE WHEN inner_low < inner_high THEN inner_low ELSE high END AS b
          UNION ALL SELECT inner_high, high WHERE inner_low < inner_high) r
   WHERE r.a < r.b
$$;
COMMENT ON FUNCTION _apm.outside(text, timestamptz, timestamptz, timestamptz, timestamptz) IS 'Condition for [low, high) without [inner_low, inner_high); NULL if nothing is left';

-- Why rows must be read instead of cells; NULL: nothing stands against cells.
CREATE FUNCTION _apm.cells_problem(c _apm.cubes, s _apm.rollup_state, since timestamptz, until timestamptz, filters jsonb) RETURNS text
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  project integer := filters ->> 'project_id';
  wanted text := filters ->> 'transaction_name';
BEGIN
  IF s.bound = 0 OR s.system_identifier IS DISTINCT FROM _apm.system_identifier() THEN
    RETURN 'No rows have been rolled up on this cluster yet.';
  END IF;
  IF EXISTS (SELECT FROM _apm.stale_hours h
              WHERE h.kind = c.kind AND h.hour IS NULL AND (h.project_id IS NULL OR project IS NULL OR h.project_id = project)) THEN
    RETURN 'Thresholds changed since the rollups were made.';
  END IF;
  IF (SELECT count(*) FROM (SELECT DISTINCT h.project_id, h.hour FROM _apm.stale_hours h
                             WHERE h.kind = c.kind AND h.hour >= _apm.bin('1 hour', since) AND h.hour < until
                               AND (project IS NULL OR h.project_id = project) LIMIT 501) x) > 500 THEN
    RETURN 'More than 500 hours changed since the rollups were made.';
  END IF;
  IF c.folds_names AND wanted IS NOT NULL
     AND EXISTS (SELECT FROM _apm.kept_names o
                  WHERE o.kind = c.kind AND o.name = '<< other >>' AND o.day >= (since AT TIME ZONE 'UTC')::date AND o.day <= (until AT TIME ZONE 'UTC')::date
                    AND (project IS NULL OR o.project_id = project)
                    AND NOT EXISTS (SELECT FROM _apm.kept_names k WHERE k.kind = o.kind AND k.project_id = o.project_id AND k.day = o.day AND k.name = wanted)) THEN
    RETURN 'The transaction has no rollups of its own, see pg_apm.max_names.';
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _apm.cells_problem(_apm.cubes, _apm.rollup_state, timestamptz, timestamptz, jsonb) IS 'What stands against reading cells now';

-- Whether names of these days are folded where names are a key.
CREATE FUNCTION _apm.names_folded(kind text, since timestamptz, until timestamptz, project integer) RETURNS boolean
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM _apm.kept_names o
                  WHERE o.kind = names_folded.kind AND o.name = '<< other >>' AND o.day >= (since AT TIME ZONE 'UTC')::date
                    AND o.day <= (until AT TIME ZONE 'UTC')::date AND (project IS NULL OR o.project_id = project));
COMMENT ON FUNCTION _apm.names_folded(text, timestamptz, timestamptz, integer) IS 'Whether a project has more names in a window than have cells';

-- Of the cubes over the same rows the one with the fewest keys that has all the
-- columns asked for: names that the cube given does not have play no part.
CREATE FUNCTION _apm.narrowest_cube(cube text, columns text[]) RETURNS _apm.cubes
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT u FROM _apm.cubes c JOIN _apm.cubes u ON u.kind = c.kind AND u.source = c.source AND u.condition = c.condition
   WHERE c.cube = narrowest_cube.cube
     AND NOT EXISTS (SELECT FROM _apm.cube_columns k WHERE k.cube = c.cube AND k.name = ANY (columns)
                        AND NOT EXISTS (SELECT FROM _apm.cube_columns x WHERE x.cube = u.cube AND x.name = k.name))
   ORDER BY (SELECT count(*) FROM _apm.cube_columns k WHERE k.cube = u.cube AND k.is_key), u.cube LIMIT 1;
END;
COMMENT ON FUNCTION _apm.narrowest_cube(text, text[]) IS 'Where a cube, or one with fewer keys that says the same, is read from';

-- What of [low, high), but for the cells of [inner_low, inner_high), lies before
-- the rows that are kept.
CREATE FUNCTION _apm.lost_times(kind text, low timestamptz, high timestamptz, inner_low timestamptz, inner_high timestamptz) RETURNS tstzmultirange
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN low < least(high, _apm.kept_since(kind))
              THEN tstzmultirange(tstzrange(low, least(high, _apm.kept_since(kind))))
                   - CASE WHEN inner_low < inner_high THEN tstzmultirange(tstzrange(inner_low, inner_high)) ELSE '{}' END
              ELSE '{}' END;
COMMENT ON FUNCTION _apm.lost_times(text, timestamptz, timestamptz, timestamptz, timestamptz) IS 'Parts of a window that are not read from cells and whose rows retention has dropped';

-- Slots of a width (NULL: none), the keys and measures asked for, and filters
-- by key: {"project_id": 1}.  Constants are written in a form that reads the
-- same everywhere.  A threshold other than the one in force, or
-- why_rows, what speaks against rollups, reads rows.
CREATE FUNCTION _apm.cells(cube text, since timestamptz, until timestamptz, width interval, keys text[], measures text[],
                           filters jsonb, threshold float8 DEFAULT NULL, why_rows text DEFAULT NULL) RETURNS _apm.cell_plan
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
DECLARE
  plan _apm.cell_plan;
  c _apm.cubes;
  s _apm.rollup_state;
  r _apm.cell_ranges;
  low timestamptz := coalesce(since, '-infinity');
  high timestamptz := coalesce(until, 'infinity');
  standing timestamptz;
  fold boolean := false;
  ids integer[];
  hours timestamptz[];
  is_stale text;
  is_stale_day text;
  of_rows text;
  of_cells text;
  columns text;
  parts text[] := '{}';
  counts text[] := '{0,0,0,0}';
  conditions text[];
  names text[];
  wanted boolean[];
  i integer;
BEGIN
  c := _apm.narrowest_cube(cells.cube, keys || measures || ARRAY(SELECT jsonb_object_keys(jsonb_strip_nulls(filters))));
  SELECT * INTO s FROM _apm.rollup_state x WHERE x.kind = c.kind;
  of_rows := _apm.key_filter(c.cube, filters, true);
  of_cells := _apm.key_filter(c.cube, filters, false);
  plan.source := 'rollups';
  IF threshold IS NOT NULL THEN
    IF threshold <= 0 OR threshold >= 'Infinity' THEN
      RAISE EXCEPTION 'threshold_ms must be a finite number above 0'
        USING ERRCODE = 'invalid_parameter_value', HINT = 'It is in milliseconds; NULL means the one of apm.thresholds, else 300.';
    END IF;
    plan.source := 'rows';
    plan.reason := 'Rollups hold the configured thresholds only.';
  ELSIF why_rows IS NOT NULL THEN
    plan.source := 'rows';
    plan.reason := why_rows;
  ELSIF NOT coalesce(current_setting('pg_apm.use_rollups', true), 'on')::boolean THEN
    plan.source := 'rows';
    plan.reason := 'The setting pg_apm.use_rollups is off.';
  ELSIF extract(epoch FROM width) % 60 <> 0 THEN
    plan.source := 'rows';
    plan.reason := 'The step is not a multiple of minutes.';
  ELSE
    plan.reason := _apm.cells_problem(c, s, low, high, filters);
    fold := c.folds_names AND (keys @> '{transaction_name}' OR filters ->> 'transaction_name' = '<< other >>')
            AND _apm.names_folded(c.kind, low, high, (filters ->> 'project_id')::integer);
  END IF;
  IF filters ->> 'transaction_name' = '<< other >>' AND fold THEN
    of_rows := _apm.key_filter(c.cube, filters - 'transaction_name', true)
               || format(' AND %1$s IS NOT NULL AND (%1$s = ''<< other >>'' OR o.name IS NOT NULL AND k.name IS NULL)', c.name_column);
  END IF;

  -- Where nothing may be read from cells but what retention left without rows.
  IF plan.source = 'rollups' AND plan.reason IS NOT NULL THEN
    standing := least(high, greatest(low, _apm.kept_since(c.kind)));
    s.hours_until := standing;
    IF s.bound = 0 OR s.system_identifier IS DISTINCT FROM _apm.system_identifier() THEN
      s.days_until := '-infinity';
    END IF;
    IF standing <= low THEN
      plan.source := 'rows';
    END IF;
  END IF;

  r := _apm.split_window(s, low, coalesce(standing, high), width, standing IS NULL);
  plan.lost := _apm.lost_times(c.kind, low, high, CASE WHEN plan.source <> 'rows' THEN r.cell_from END, r.cell_to);
  IF plan.source = 'rows' OR r.cell_from >= r.cell_to THEN
    IF plan.source <> 'rows' THEN
      plan.reason := coalesce(plan.reason, 'The window holds no whole minute, hour or day that was rolled up.');
    END IF;
    plan.source := 'rows';
    conditions := ARRAY[format('t.end_time >= %L AND t.end_time < %L', low, high)];
  ELSE
    conditions := array_remove(ARRAY[_apm.outside('t.end_time', low, high, r.cell_from, r.cell_to)], NULL);
    IF standing IS NULL THEN
      conditions := conditions || format('t.end_time >= %L AND t.end_time < %L AND t.stored_xid >= %s', r.cell_from, r.cell_to, s.bound);
      SELECT array_agg(x.project_id), array_agg(x.hour) INTO ids, hours
        FROM (SELECT DISTINCT h.project_id, h.hour FROM _apm.stale_hours h
               WHERE h.kind = c.kind AND h.hour >= _apm.bin('1 hour', r.cell_from) AND h.hour < r.cell_to
                 AND (filters ->> 'project_id' IS NULL OR h.project_id = (filters ->> 'project_id')::integer)) x;
    END IF;
    IF ids IS NOT NULL THEN
      conditions := conditions || format('t.end_time >= %L AND t.end_time < %L AND t.stored_xid < %s AND t.project_id = ANY (%L)
          AND (t.project_id, _apm.bin(''1 hour'', t.end_time)) IN (SELECT * FROM unnest(%4$L::integer[], %5$L::timestamptz[]))',
        greatest(r.cell_from, (SELECT min(h) FROM unnest(hours) h)), least(r.cell_to, (SELECT max(h) + interval '1 hour' FROM unnest(hours) h)),
        s.bound, ids, hours);
      is_stale := format(' AND (c.project_id, _apm.bin(''1 hour'', c.bucket)) NOT IN (SELECT * FROM unnest(%L::integer[], %L::timestamptz[]))', ids, hours);
      is_stale_day := format('(c.project_id, _apm.bin(''1 day'', c.bucket)) IN (SELECT i, _apm.bin(''1 day'', h) FROM unnest(%L::integer[], %L::timestamptz[]) x (i, h))', ids, hours);
    END IF;
    columns := concat_ws(', ', CASE WHEN width IS NOT NULL THEN format('_apm.bin(%L, c.bucket) AS slot', width) END,
                         (SELECT string_agg(coalesce(k.from_cells || ' AS ' || k.name, 'c.' || k.name), ', ' ORDER BY NOT k.is_key, k.place)
                            FROM _apm.cube_columns k WHERE k.cube = c.cube AND k.name = ANY (CASE WHEN k.is_key THEN keys ELSE measures END)));
    -- Days with stale hours are read from hours.
    names := ARRAY[
      format('%s_days c WHERE c.bucket >= %L AND c.bucket < %L%s%s', c.store, r.day_from, r.day_to, ' AND NOT ' || is_stale_day, of_cells),
      format('%s_hours c WHERE (%s)%s%s', c.store,
             concat_ws(' OR ', _apm.outside('c.bucket', r.hour_from, r.hour_to, r.day_from, r.day_to),
                       format('c.bucket >= %L AND c.bucket < %L AND ', r.day_from, r.day_to) || is_stale_day), is_stale, of_cells),
      format('%s_minutes c WHERE %s%s%s', c.store, _apm.outside('c.bucket', r.cell_from, r.cell_to, r.hour_from, r.hour_to), is_stale, of_cells)];
    wanted := ARRAY[r.day_from < r.day_to,
                    ids IS NOT NULL AND r.hour_from < r.hour_to OR _apm.outside('', r.hour_from, r.hour_to, r.day_from, r.day_to) IS NOT NULL,
                    _apm.outside('', r.cell_from, r.cell_to, r.hour_from, r.hour_to) IS NOT NULL];
    FOR i IN 1..3 LOOP
      IF wanted[i] THEN
        parts := parts || format('SELECT %s FROM %s', columns, names[i]);
        counts[i] := format('(SELECT count(*) FROM %s)', names[i]);
      END IF;
    END LOOP;
  END IF;
  FOR i IN 1..coalesce(cardinality(conditions), 0) LOOP
    parts := parts || _apm.cells_of_rows(c.cube, CASE WHEN width IS NULL THEN '' ELSE format('_apm.bin(%L, t.end_time)', width) END,
                                         keys, measures, fold, conditions[i] || of_rows, threshold);
    counts[4] := counts[4] || format(' + (SELECT count(*) FROM %s t WHERE %s%s)', c.relation, conditions[i],
                                     _apm.key_filter(c.cube, _apm.row_keys(c.cube, filters) - CASE WHEN fold THEN 'transaction_name' ELSE '' END, true));
  END LOOP;
  plan.cells := array_to_string(parts, ' UNION ALL ');
  plan.counts := 'SELECT ' || array_to_string(counts, ', ');
  RETURN plan;
END
$$;
COMMENT ON FUNCTION _apm.cells(text, timestamptz, timestamptz, interval, text[], text[], jsonb, float8, text) IS 'SQL of cells for a window, read from rollups as far as they hold it';

-- Vitals of pages, and those that wait for theirs.
CREATE FUNCTION _apm.vital_cells(since timestamptz, until timestamptz, keys text[], measures text[], filters jsonb) RETURNS _apm.cell_plan
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
DECLARE
  plan _apm.cell_plan := _apm.cells('vitals', since, until, NULL, keys, measures, filters);
BEGIN
  plan.cells := plan.cells || ' UNION ALL ' ||
    _apm.cells_of_rows('waiting vitals', '', keys, measures, false,
                       format('t.end_time >= %L AND t.end_time < %L%s', coalesce(since, '-infinity'), coalesce(until, 'infinity'),
                              _apm.key_filter('waiting vitals', filters, true)));
  RETURN plan;
END
$$;
COMMENT ON FUNCTION _apm.vital_cells(timestamptz, timestamptz, text[], text[], jsonb) IS 'SQL of cells of web vitals, those included whose page is not stored or not known';

CREATE FUNCTION _apm.explain_cells(plan _apm.cell_plan, started timestamptz) RETURNS void
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  spent numeric := round(extract(epoch FROM clock_timestamp() - started) * 1000, 1);
  day_cells bigint;
  hour_cells bigint;
  minute_cells bigint;
  row_count bigint;
BEGIN
  EXECUTE plan.counts INTO day_cells, hour_cells, minute_cells, row_count;
  RAISE NOTICE '%', CASE WHEN plan.source = 'rows' THEN format('read from rows: %s rows', row_count)
                         ELSE format('read from rollups: %s day cells, %s hour cells, %s minute cells, and %s rows',
                                     day_cells, hour_cells, minute_cells, row_count) END
    USING DETAIL = concat_ws(' ', plan.reason,
                             CASE WHEN NOT isempty(plan.lost) THEN format('Retention has dropped the rows before %s: of them only rollups are left.', upper(plan.lost)) END,
                             format('It took %s ms.', spent));
END
$$;
COMMENT ON FUNCTION _apm.explain_cells(_apm.cell_plan, timestamptz) IS 'Says in a NOTICE where an answer was read from and what it cost';

-- The measures of a cube that an expression over cells c names.
CREATE FUNCTION _apm.measures_named(cube text, expression text) RETURNS text[]
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN (SELECT pg_catalog.array_agg(k.name ORDER BY k.place) FROM _apm.cube_columns k
           WHERE k.cube = measures_named.cube AND NOT k.is_key
             AND (k.name = 'n' OR expression ~ ('\mc\.' || k.name || '\M')));
COMMENT ON FUNCTION _apm.measures_named(text, text) IS 'Measures that an expression over cells needs';

-- Cells for a metric that was parsed.  One that rollups do not hold has no
-- cells, only what explain says.
CREATE FUNCTION _apm.metric_cells(p record, since timestamptz, until timestamptz, width interval, project_id integer,
    transaction_name text, op text, environment text, release text) RETURNS _apm.cell_plan
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
DECLARE
  plan _apm.cell_plan;
  cube text := CASE WHEN p.vital IS NULL THEN 'transactions' ELSE 'vitals' END;
BEGIN
  IF p.rollup_sql IS NOT NULL THEN
    RETURN _apm.cells(cube, since, until, width, '{}',
                      _apm.measures_named(cube, concat_ws(' ', p.rollup_sql, p.rollup_samples_sql, p.rollup_bound_sql)),
                      jsonb_build_object('project_id', project_id, 'transaction_name', transaction_name, 'op', op,
                                         'environment', environment, 'release', release, 'vital', p.vital));
  END IF;
  plan.source := 'rows';
  plan.reason := 'Rollups do not hold this metric.';
  plan.lost := _apm.lost_times('transactions', coalesce(since, '-infinity'), coalesce(until, 'infinity'), NULL, NULL);
  plan.counts := format('SELECT 0, 0, 0, (SELECT count(*) FROM apm.transactions t WHERE t.end_time >= %L AND t.end_time < %L%s)',
                        coalesce(since, '-infinity'), coalesce(until, 'infinity'),
                        _apm.key_filter('transactions', jsonb_build_object('project_id', project_id, 'transaction_name', transaction_name,
                                        'op', op, 'environment', environment, 'release', release), true));
  RETURN plan;
END
$$;
COMMENT ON FUNCTION _apm.metric_cells(record, timestamptz, timestamptz, interval, integer, text, text, text, text) IS 'Where a metric is read from';
