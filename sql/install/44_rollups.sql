-- ---------------------------------------------------------------------------
-- rollups: cells of minutes, hours and days that always say what the rows say
--
-- A cube is a relation rolled up: its keys, its measures, and three tables of
-- cells.  A cell may be spread over several rows of its table; whoever reads
-- merges them, so that the roller only ever appends.  Every measure is
-- associative and free of order: a sum of integers, a minimum, a sketch.

CREATE FUNCTION _apm.system_identifier() RETURNS bigint
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.system_identifier() IS 'Identifier of this cluster, on which transaction ids mean something';

CREATE TABLE _apm.cubes (
  cube        text PRIMARY KEY,
  kind        text NOT NULL,
  relation    text NOT NULL,
  name_column text NOT NULL,
  source      text NOT NULL,
  condition   text NOT NULL DEFAULT 'true',
  store       text NOT NULL,
  folds_names boolean NOT NULL DEFAULT false,
  gather      text,
  gather_rows text
);
COMMENT ON TABLE _apm.cubes IS 'What is rolled up: kind says whose bound in _apm.rollup_state holds; source is a FROM clause in which t is the relation, with columns end_time and stored_xid; name_column the transaction name in it; store is the prefix of the three tables of cells. gather, if there is one, is a function that makes cells for all three of them out of the columns gather_rows of the relation alone ({name} stands for the transaction name), where else the expressions of _apm.cube_columns would';

CREATE TABLE _apm.cube_columns (
  cube       text NOT NULL REFERENCES _apm.cubes,
  place      integer NOT NULL,
  name       text NOT NULL,
  is_key     boolean NOT NULL DEFAULT false,
  stored     boolean NOT NULL DEFAULT true,
  from_rows  text NOT NULL,
  from_cells text,
  merged     text,
  PRIMARY KEY (cube, name)
);
COMMENT ON TABLE _apm.cube_columns IS 'Columns of cells: an expression over rows t (for measures an aggregate), one over stored cells c where it is not the column itself, and for measures the aggregate that merges cells c. {value} and {threshold} stand for what apm.thresholds says';

CREATE TABLE _apm.rollup_state (
  kind              text PRIMARY KEY,
  bound             bigint NOT NULL DEFAULT 0,
  system_identifier bigint NOT NULL DEFAULT _apm.system_identifier(),
  hours_until       timestamptz NOT NULL DEFAULT '-infinity',
  days_until        timestamptz NOT NULL DEFAULT '-infinity',
  minutes_since     timestamptz NOT NULL DEFAULT '-infinity',
  rolled_at         timestamptz
);
COMMENT ON TABLE _apm.rollup_state IS 'How far rollups are: they hold the rows whose stored_xid lies below bound, on the cluster named; hours and days before hours_until and days_until have cells, minutes since minutes_since. Not dumped: a restored database rolls up its rows anew';

CREATE TABLE _apm.rollup_floor (
  kind       text PRIMARY KEY,
  kept_since timestamptz NOT NULL
);
COMMENT ON TABLE _apm.rollup_floor IS 'Rows before kept_since were dropped by retention: their rollups stand and are never rebuilt';

CREATE TABLE _apm.stale_hours (
  kind       text NOT NULL,
  project_id integer,
  hour       timestamptz
);
CREATE INDEX stale_hours_kind ON _apm.stale_hours (kind, hour);
COMMENT ON TABLE _apm.stale_hours IS 'Hours whose cells no longer say what the rows say: read from rows until they are rebuilt. NULL stands for all. Appended without unique key, so that writers never wait for each other';

CREATE TABLE _apm.kept_names (
  kind       text NOT NULL,
  project_id integer NOT NULL,
  day        date NOT NULL,
  name       text NOT NULL,
  PRIMARY KEY (kind, project_id, day, name)
);
COMMENT ON TABLE _apm.kept_names IS 'Transaction names that have cells of their own on a day, for each kind by itself, since each has a roller of its own; the row << other >> says that there were more than pg_apm.max_names, and from then on the choice is closed';

CREATE TABLE _apm.transaction_minutes (
  project_id       integer NOT NULL,
  bucket           timestamptz NOT NULL,
  transaction_name text,
  op               text,
  environment      text,
  release          text,
  status           apm.span_status,
  n                bigint NOT NULL,
  user_rows        bigint NOT NULL,
  measured         bigint NOT NULL,
  satisfied        bigint NOT NULL,
  tolerable        bigint NOT NULL,
  frustrated       bigint NOT NULL,
  first_at         timestamptz NOT NULL,
  last_at          timestamptz NOT NULL,
  sketch           apm.sketch,
  users            apm.hll,
  other_users      apm.hll
);
CREATE TABLE _apm.transaction_hours (LIKE _apm.transaction_minutes);
CREATE TABLE _apm.transaction_days (LIKE _apm.transaction_minutes);
CREATE INDEX transaction_minutes_bucket ON _apm.transaction_minutes (bucket, project_id);
CREATE INDEX transaction_hours_bucket ON _apm.transaction_hours (bucket, project_id);
CREATE INDEX transaction_days_bucket ON _apm.transaction_days (bucket, project_id);
COMMENT ON TABLE _apm.transaction_minutes IS 'Cells of transactions by minute, kept for two days; users: those measured, the miserable ones marked; other_users: those without a measured value';
COMMENT ON TABLE _apm.transaction_hours IS 'Cells of transactions by hour';
COMMENT ON TABLE _apm.transaction_days IS 'Cells of transactions by day (UTC)';

CREATE TABLE _apm.transaction_total_minutes (
  project_id       integer NOT NULL,
  bucket           timestamptz NOT NULL,
  environment      text,
  release          text,
  status           apm.span_status,
  n                bigint NOT NULL,
  user_rows        bigint NOT NULL,
  measured         bigint NOT NULL,
  satisfied        bigint NOT NULL,
  tolerable        bigint NOT NULL,
  frustrated       bigint NOT NULL,
  first_at         timestamptz NOT NULL,
  last_at          timestamptz NOT NULL,
  sketch           apm.sketch,
  users            apm.hll,
  other_users      apm.hll
);
CREATE TABLE _apm.transaction_total_hours (LIKE _apm.transaction_total_minutes);
CREATE TABLE _apm.transaction_total_days (LIKE _apm.transaction_total_minutes);
CREATE INDEX transaction_total_minutes_bucket ON _apm.transaction_total_minutes (bucket, project_id);
CREATE INDEX transaction_total_hours_bucket ON _apm.transaction_total_hours (bucket, project_id);
CREATE INDEX transaction_total_days_bucket ON _apm.transaction_total_days (bucket, project_id);
COMMENT ON TABLE _apm.transaction_total_minutes IS 'Cells of transactions whatever their names and ops by minute, kept for two days: a fraction of the cells, for what asks for neither';
COMMENT ON TABLE _apm.transaction_total_hours IS 'Cells of transactions whatever their names and ops by hour';
COMMENT ON TABLE _apm.transaction_total_days IS 'Cells of transactions whatever their names and ops by day (UTC)';

CREATE TABLE _apm.vital_minutes (
  project_id       integer NOT NULL,
  bucket           timestamptz NOT NULL,
  transaction_name text,
  op               text,
  environment      text,
  release          text,
  vital            text NOT NULL,
  n                bigint NOT NULL,
  good             bigint NOT NULL,
  meh              bigint NOT NULL,
  poor             bigint NOT NULL,
  scored           bigint NOT NULL,
  score            bigint NOT NULL,
  sketch           apm.sketch
);
CREATE TABLE _apm.vital_hours (LIKE _apm.vital_minutes);
CREATE TABLE _apm.vital_days (LIKE _apm.vital_minutes);
CREATE INDEX vital_minutes_bucket ON _apm.vital_minutes (bucket, project_id);
CREATE INDEX vital_hours_bucket ON _apm.vital_hours (bucket, project_id);
CREATE INDEX vital_days_bucket ON _apm.vital_days (bucket, project_id);
COMMENT ON TABLE _apm.vital_minutes IS 'Cells of web vitals by minute, kept for two days; score in units of 1e-9, so that sums do not depend on their order';
COMMENT ON TABLE _apm.vital_hours IS 'Cells of web vitals by hour';
COMMENT ON TABLE _apm.vital_days IS 'Cells of web vitals by day (UTC)';

CREATE AGGREGATE _apm.apdex_counts(v float8, threshold_ms float8) (
  SFUNC = _apm.apdex_accum, STYPE = bigint[], SSPACE = 64, INITCOND = '{0,0,0}',
  COMBINEFUNC = _apm.counters_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE _apm.apdex_counts(float8, float8) IS 'Values satisfied, tolerable, and all';

INSERT INTO _apm.cubes (cube, kind, relation, name_column, source, condition, store, folds_names) VALUES
  ('transactions', 'transactions', 'apm.transactions', 't.name', 'apm.transactions t', 'true', '_apm.transaction', true),
  ('vitals', 'transactions', 'apm.transactions', 't.name',
   $$apm.transactions t CROSS JOIN LATERAL (SELECT t.contexts -> 'browser' ->> 'name' OFFSET 0) b (browser)
     CROSS JOIN (VALUES ('lcp'), ('inp'), ('cls'), ('fcp'), ('ttfb'), ('fid'), ('fp')) w (vital)
     CROSS JOIN LATERAL (SELECT apm.measurement(t.measurements, w.vital) OFFSET 0) v (val)$$,
   't.measurements IS NOT NULL AND v.val IS NOT NULL', '_apm.vital', true);

INSERT INTO _apm.cube_columns (cube, place, name, is_key, stored, from_rows, from_cells, merged) VALUES
  ('transactions', 1, 'project_id', true, true, 't.project_id', NULL, NULL),
  ('transactions', 2, 'transaction_name', true, true, 't.name', NULL, NULL),
  ('transactions', 3, 'op', true, true, 't.op', NULL, NULL),
  ('transactions', 4, 'environment', true, true, 't.environment', NULL, NULL),
  ('transactions', 5, 'release', true, true, 't.release', NULL, NULL),
  ('transactions', 6, 'status', true, true, 't.status', NULL, NULL),
  ('transactions', 7, 'n', false, true, 'count(*)', NULL, 'sum(c.n)::bigint'),
  ('transactions', 8, 'user_rows', false, true, 'count(t.user_key)', NULL, 'sum(c.user_rows)::bigint'),
  ('transactions', 9, 'measured', false, true, 'count({value})', NULL, 'sum(c.measured)::bigint'),
  ('transactions', 10, 'satisfied', false, true, '(_apm.apdex_counts({value}, {threshold}))[1]', NULL, 'sum(c.satisfied)::bigint'),
  ('transactions', 11, 'tolerable', false, true, '(_apm.apdex_counts({value}, {threshold}))[2]', NULL, 'sum(c.tolerable)::bigint'),
  ('transactions', 12, 'frustrated', false, true,
   '(_apm.apdex_counts({value}, {threshold}))[3] - (_apm.apdex_counts({value}, {threshold}))[1] - (_apm.apdex_counts({value}, {threshold}))[2]',
   NULL, 'sum(c.frustrated)::bigint'),
  ('transactions', 13, 'first_at', false, true, 'min(t.end_time)', NULL, 'min(c.first_at)'),
  ('transactions', 14, 'last_at', false, true, 'max(t.end_time)', NULL, 'max(c.last_at)'),
  ('transactions', 15, 'sketch', false, true, 'apm.sketch_agg(t.duration_ms)', NULL, 'apm.sketch_merge(c.sketch)'),
  ('transactions', 16, 'users', false, true, '_apm.misery_agg(t.user_key, {value}, {threshold})', NULL, 'apm.hll_merge(c.users)'),
  ('transactions', 17, 'other_users', false, true,
   $$apm.hll_agg(t.user_key, false) FILTER (WHERE ({value} > 0 AND {value} <> 'NaN') IS NOT TRUE)$$, NULL, 'apm.hll_merge(c.other_users)'),
  ('transactions', 18, 'failures', false, false, 'count(*) FILTER (WHERE apm.is_failure(t.project_id, t.status))',
   'CASE WHEN apm.is_failure(c.project_id, c.status) THEN c.n ELSE 0 END', 'sum(c.failures)::bigint'),
  ('vitals', 1, 'project_id', true, true, 't.project_id', NULL, NULL),
  ('vitals', 2, 'transaction_name', true, true, 't.name', NULL, NULL),
  ('vitals', 3, 'op', true, true, 't.op', NULL, NULL),
  ('vitals', 4, 'environment', true, true, 't.environment', NULL, NULL),
  ('vitals', 5, 'release', true, true, 't.release', NULL, NULL),
  ('vitals', 6, 'vital', true, true, 'w.vital', NULL, NULL),
  ('vitals', 7, 'n', false, true, 'count(*)', NULL, 'sum(c.n)::bigint'),
  ('vitals', 8, 'good', false, true, 'count(*) FILTER (WHERE apm.web_vital_rating(w.vital, v.val) = ''good'')', NULL, 'sum(c.good)::bigint'),
  ('vitals', 9, 'meh', false, true, 'count(*) FILTER (WHERE apm.web_vital_rating(w.vital, v.val) = ''meh'')', NULL, 'sum(c.meh)::bigint'),
  ('vitals', 10, 'poor', false, true, 'count(*) FILTER (WHERE apm.web_vital_rating(w.vital, v.val) = ''poor'')', NULL, 'sum(c.poor)::bigint'),
  ('vitals', 11, 'scored', false, true, 'count({score})', NULL, 'sum(c.scored)::bigint'),
  ('vitals', 12, 'score', false, true,
   'coalesce(sum(round({score} * 1e9)::bigint), 0)::bigint', NULL, 'sum(c.score)::bigint'),
  ('vitals', 13, 'sketch', false, true, 'apm.sketch_agg(v.val)', NULL, 'apm.sketch_merge(c.sketch)');

-- A score that was stored with the vital counts, else one is computed.
UPDATE _apm.cube_columns SET from_rows = pg_catalog.replace(from_rows, '{score}',
  $$coalesce(apm.measurement(t.measurements, 'score.ratio.' || w.vital), apm.vital_score(w.vital, v.val, b.browser))$$) WHERE cube = 'vitals';

-- Vitals whose page is not stored or not known are read from rows.  They look
-- like those of pages.
INSERT INTO _apm.cubes (cube, kind, relation, name_column, source, condition, store)
  SELECT 'waiting vitals', 'none', '_apm.page_vitals', 't.name',
         pg_catalog.replace(pg_catalog.replace(c.source, 'apm.transactions t CROSS',
           '(SELECT p.project_id, p.observed_at AS end_time, p.transaction_name AS name, NULL::text AS op, p.environment, p.release,
                    p.vitals AS measurements, p.browser FROM _apm.page_vitals p WHERE p.page_end IS NULL) t CROSS'),
           $$t.contexts -> 'browser' ->> 'name'$$, 't.browser'),
         c.condition, c.store
    FROM _apm.cubes c WHERE c.cube = 'vitals';
INSERT INTO _apm.cube_columns (cube, place, name, is_key, stored, from_rows, from_cells, merged)
  SELECT 'waiting vitals', c.place, c.name, c.is_key, c.stored, c.from_rows, c.from_cells, c.merged FROM _apm.cube_columns c WHERE c.cube = 'vitals';

-- Totals are the same without names and ops.
INSERT INTO _apm.cubes (cube, kind, relation, name_column, source, condition, store)
  SELECT 'transaction_totals', c.kind, c.relation, c.name_column, c.source, c.condition, '_apm.transaction_total' FROM _apm.cubes c WHERE c.cube = 'transactions';
INSERT INTO _apm.cube_columns (cube, place, name, is_key, stored, from_rows, from_cells, merged)
  SELECT 'transaction_totals', k.place, k.name, k.is_key, k.stored, k.from_rows, k.from_cells, k.merged
    FROM _apm.cube_columns k WHERE k.cube = 'transactions' AND k.name NOT IN ('transaction_name', 'op');

CREATE FUNCTION _apm.gather_transactions(query text, minutes_since timestamptz, hours_until timestamptz, days_until timestamptz,
    OUT width integer, OUT bucket timestamptz, OUT project_id integer, OUT transaction_name text, OUT op text,
    OUT environment text, OUT release text, OUT status apm.span_status, OUT n bigint, OUT user_rows bigint, OUT measured bigint,
    OUT satisfied bigint, OUT tolerable bigint, OUT frustrated bigint, OUT first_at timestamptz, OUT last_at timestamptz,
    OUT sketch apm.sketch, OUT users apm.hll, OUT other_users apm.hll)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 10000;
COMMENT ON FUNCTION _apm.gather_transactions(text, timestamptz, timestamptz, timestamptz) IS 'Cells of transactions, width in minutes, from the rows of a query (project_id, end_time, name, op, environment, release, status, duration_ms, measured value, threshold, user_key), all in one pass: minutes from minutes_since on, hours and days of rows before hours_until and days_until. A cell may come in parts';

CREATE FUNCTION _apm.gather_transaction_totals(query text, minutes_since timestamptz, hours_until timestamptz, days_until timestamptz,
    OUT width integer, OUT bucket timestamptz, OUT project_id integer,
    OUT environment text, OUT release text, OUT status apm.span_status, OUT n bigint, OUT user_rows bigint, OUT measured bigint,
    OUT satisfied bigint, OUT tolerable bigint, OUT frustrated bigint, OUT first_at timestamptz, OUT last_at timestamptz,
    OUT sketch apm.sketch, OUT users apm.hll, OUT other_users apm.hll)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 10000;
COMMENT ON FUNCTION _apm.gather_transaction_totals(text, timestamptz, timestamptz, timestamptz) IS 'Cells of all transactions, from the same rows as _apm.gather_transactions';

UPDATE _apm.cubes SET gather = pg_catalog.concat('_apm.gather_', cube),
  gather_rows = 't.project_id, t.end_time, {name}, t.op, t.environment, t.release, t.status, t.duration_ms, {value}, {threshold}::float8, t.user_key'
  WHERE cube IN ('transactions', 'transaction_totals');

INSERT INTO _apm.rollup_state (kind) VALUES ('transactions');

-- Only what cannot be made again from the rows goes into a dump.
SELECT pg_catalog.pg_extension_config_dump('_apm.rollup_floor', '');
SELECT pg_catalog.pg_extension_config_dump('_apm.transaction_hours', 'WHERE bucket < (SELECT kept_since FROM _apm.rollup_floor WHERE kind = ''transactions'')');
SELECT pg_catalog.pg_extension_config_dump('_apm.transaction_total_hours', 'WHERE bucket < (SELECT kept_since FROM _apm.rollup_floor WHERE kind = ''transactions'')');
SELECT pg_catalog.pg_extension_config_dump('_apm.vital_hours', 'WHERE bucket < (SELECT kept_since FROM _apm.rollup_floor WHERE kind = ''transactions'')');
SELECT pg_catalog.pg_extension_config_dump('_apm.kept_names', 'WHERE day < (SELECT f.kept_since FROM _apm.rollup_floor f WHERE f.kind = kept_names.kind)::date');

-- ---- what makes hours stale -------------------------------------------------

-- After UPDATE, DELETE and before TRUNCATE, on the parents and on every
-- partition.  Rows that were not yet rolled up make their hours stale as well:
-- the roller may be taking them up now.
CREATE FUNCTION _apm.mark_stale() RETURNS trigger
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  marked constant text := 'INSERT INTO _apm.stale_hours (kind, project_id, hour)
    SELECT DISTINCT $1, r.project_id, date_bin(''1 hour'', r.end_time, ''2000-01-03 00:00Z'') FROM %s r
     WHERE r.end_time >= coalesce((SELECT f.kept_since FROM _apm.rollup_floor f WHERE f.kind = $1), ''-infinity'')
       AND EXISTS (SELECT FROM _apm.rollup_state s WHERE s.kind = $1)';
BEGIN
  IF _apm.stores_as_rolled() THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE format(marked, 'ONLY ' || TG_RELID::regclass) USING TG_ARGV[0];
  ELSIF TG_OP = 'DELETE' THEN
    EXECUTE format(marked, 'old_rows') USING TG_ARGV[0];
  ELSE
    EXECUTE format(marked, '(SELECT project_id, end_time FROM old_rows UNION ALL SELECT project_id, end_time FROM new_rows)')
      USING TG_ARGV[0];
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _apm.mark_stale() IS 'Trigger: hours of rows that change are read from rows until they are rebuilt';

CREATE FUNCTION _apm.watch_changes(relation regclass, kind text, suffix text DEFAULT '') RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                    FOR EACH STATEMENT EXECUTE FUNCTION _apm.mark_stale(%L)', 'pg_apm_updated' || suffix, relation, kind);
  EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
                    FOR EACH STATEMENT EXECUTE FUNCTION _apm.mark_stale(%L)', 'pg_apm_deleted' || suffix, relation, kind);
  EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION _apm.mark_stale(%L)', 'pg_apm_truncated' || suffix, relation, kind);
END
$$;
COMMENT ON FUNCTION _apm.watch_changes(regclass, text, text) IS 'Triggers by which changed rows make their hours stale';

SELECT _apm.watch_changes('apm.transactions', 'transactions');
SELECT _apm.watch_changes('_apm.span_batches', 'spans');

-- Cells hold Apdex and misery at the threshold in force: when that changes,
-- the hours of the projects concerned say something else.
CREATE FUNCTION _apm.mark_thresholds() RETURNS trigger
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO _apm.stale_hours (kind) VALUES ('transactions');
  ELSE
    INSERT INTO _apm.stale_hours (kind, project_id)
      SELECT DISTINCT 'transactions', p.id
        FROM (VALUES (CASE WHEN TG_OP <> 'INSERT' THEN OLD.project_id END, TG_OP <> 'INSERT'),
                     (CASE WHEN TG_OP <> 'DELETE' THEN NEW.project_id END, TG_OP <> 'DELETE')) p (id, concerned)
       WHERE p.concerned;
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _apm.mark_thresholds() IS 'Trigger: a changed threshold makes the hours of its project stale';
CREATE TRIGGER pg_apm_changed AFTER INSERT OR UPDATE OR DELETE ON apm.thresholds
  FOR EACH ROW EXECUTE FUNCTION _apm.mark_thresholds();
CREATE TRIGGER pg_apm_truncated AFTER TRUNCATE ON apm.thresholds
  FOR EACH STATEMENT EXECUTE FUNCTION _apm.mark_thresholds();

-- ---- SQL of cells -------------------------------------------------------------

-- What is measured against which threshold; cheap expressions where no rule is set.
CREATE FUNCTION _apm.measured_sql(expression text, threshold float8) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN pg_catalog.strpos(expression, '{') = 0 THEN expression
              WHEN threshold IS NOT NULL
              THEN pg_catalog.replace(pg_catalog.replace(expression, '{value}', 't.duration_ms'),
                     '{threshold}', pg_catalog.quote_literal(threshold) || '::float8')
              WHEN EXISTS (SELECT FROM apm.thresholds)
              THEN pg_catalog.replace(pg_catalog.replace(expression,
                     '{value}', 'apm.threshold_value(t.project_id, t.name, t.duration_ms, t.measurements)'),
                     '{threshold}', 'apm.threshold_ms(t.project_id, t.name)')
              ELSE pg_catalog.replace(pg_catalog.replace(expression, '{value}', 't.duration_ms'), '{threshold}', '300') END;
COMMENT ON FUNCTION _apm.measured_sql(text, float8) IS 'An expression of _apm.cube_columns with the measured value and its threshold put in';

CREATE FUNCTION _apm.bin(width interval, at timestamptz) RETURNS timestamptz
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN pg_catalog.date_bin(width, at, timestamptz '2000-01-03 00:00:00+00');
COMMENT ON FUNCTION _apm.bin(interval, timestamptz) IS 'Beginning of the bucket of a width in which a moment lies; buckets are counted from a Monday in UTC';

CREATE FUNCTION _apm.bin_up(width interval, at timestamptz) RETURNS timestamptz
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE WHEN _apm.bin(width, at) = at THEN at ELSE _apm.bin(width, at) + width END;
COMMENT ON FUNCTION _apm.bin_up(interval, timestamptz) IS 'The moment, if a bucket of the width begins with it, else the beginning of the next one';

-- Names without cells of their own become << other >> if fold.
CREATE FUNCTION _apm.folded_name(name text, fold boolean) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN fold
              THEN pg_catalog.format('CASE WHEN o.name IS NULL OR k.name IS NOT NULL THEN %1$s WHEN %1$s IS NOT NULL THEN ''<< other >>'' END', name)
              ELSE name END;
COMMENT ON FUNCTION _apm.folded_name(text, boolean) IS 'An expression of the transaction name in rows t, names without cells of their own folded, which needs _apm.fold_joins';

CREATE FUNCTION _apm.fold_joins(cube text, fold boolean) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN fold THEN (SELECT pg_catalog.format('
                  LEFT JOIN _apm.kept_names o ON o.kind = %1$L AND o.project_id = t.project_id AND o.day = (t.end_time AT TIME ZONE ''UTC'')::date AND o.name = ''<< other >>''
                  LEFT JOIN _apm.kept_names k ON k.kind = %1$L AND k.project_id = t.project_id AND k.day = (t.end_time AT TIME ZONE ''UTC'')::date AND k.name = %2$s',
                  c.kind, c.name_column) FROM _apm.cubes c WHERE c.cube = fold_joins.cube)
              ELSE '' END;
COMMENT ON FUNCTION _apm.fold_joins(text, boolean) IS 'Joins that say which names of rows t have cells of their own';

-- SELECT of slot, keys and measures, aggregated from the rows that a condition
-- names.
CREATE FUNCTION _apm.cells_of_rows(cube text, slot text, keys text[], measures text[], fold boolean, condition text, threshold float8 DEFAULT NULL) RETURNS text
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  c _apm.cubes;
  list text;
  groups text;
BEGIN
  SELECT * INTO c FROM _apm.cubes u WHERE u.cube = cells_of_rows.cube;
  SELECT string_agg(format('%s AS %I', _apm.measured_sql(
           CASE WHEN k.name = 'transaction_name' THEN _apm.folded_name(k.from_rows, fold) ELSE k.from_rows END, threshold), k.name),
           ', ' ORDER BY NOT k.is_key, k.place)
    INTO list FROM _apm.cube_columns k
   WHERE k.cube = c.cube AND k.name = ANY (CASE WHEN k.is_key THEN keys ELSE measures END);
  SELECT string_agg(i::text, ', ') INTO groups FROM generate_series(1, cardinality(keys) + (slot <> '')::int) i;
  RETURN format('SELECT %s%s FROM %s%s WHERE %s AND %s %s',
                CASE WHEN slot <> '' THEN slot || ' AS slot, ' END, list, c.source, _apm.fold_joins(c.cube, fold),
                c.condition, condition, coalesce('GROUP BY ' || groups, 'HAVING count(*) > 0'));
END
$$;
COMMENT ON FUNCTION _apm.cells_of_rows(text, text, text[], text[], boolean, text, float8) IS 'SQL that aggregates cells from rows t of a cube''s relation';

CREATE FUNCTION _apm.cell_columns(cube text, keys boolean) RETURNS text[]
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN (SELECT pg_catalog.array_agg(k.name ORDER BY k.place) FROM _apm.cube_columns k
           WHERE k.cube = cell_columns.cube AND k.is_key = keys AND k.stored);
COMMENT ON FUNCTION _apm.cell_columns(text, boolean) IS 'Stored keys, or measures, of a cube';
