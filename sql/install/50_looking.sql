-- ---------------------------------------------------------------------------
-- looking: what dashboards and analysts read first
--
-- Every function works without arguments: the last 24 hours of everything.
-- Windows are [since, until) on the end time of transactions.

CREATE FUNCTION _apm.check_rows(max_rows integer) RETURNS integer
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF max_rows < 0 THEN
    RAISE EXCEPTION 'max_rows must not be negative'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out for all rows.';
  END IF;
  RETURN max_rows;
END
$$;
COMMENT ON FUNCTION _apm.check_rows(integer) IS 'The number of rows to return, after a check';

-- What endpoints can be sorted by: nothing for which users must be merged.
CREATE FUNCTION _apm.endpoint_order(order_by text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  sorting text := CASE order_by
    WHEN 'total_ms' THEN 'apm.sum_value(m.sketch)' WHEN 'avg_ms' THEN 'apm.mean_value(m.sketch)'
    WHEN 'p50_ms' THEN 'apm.percentile(m.sketch, 0.5)' WHEN 'p75_ms' THEN 'apm.percentile(m.sketch, 0.75)'
    WHEN 'p95_ms' THEN 'apm.percentile(m.sketch, 0.95)' WHEN 'p99_ms' THEN 'apm.percentile(m.sketch, 0.99)'
    WHEN 'transactions' THEN 'm.n' WHEN 'failure_rate' THEN 'm.failures::float8 / m.n' END;
BEGIN
  IF sorting IS NULL THEN
    RAISE EXCEPTION 'endpoints cannot be sorted by %', coalesce(quote_literal(order_by), 'NULL')
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'One of total_ms, avg_ms, p50_ms, p75_ms, p95_ms, p99_ms, transactions, failure_rate; for other columns sort the result.';
  END IF;
  RETURN sorting || ' DESC, m.project_id, m.transaction_name, m.op';
END
$$;
COMMENT ON FUNCTION _apm.endpoint_order(text) IS 'ORDER BY of merged endpoints m';

-- Behind the public function, whose columns have the names of its arguments.
-- Merging users costs more than all else together: where only so many rows are
-- returned, it is done for these alone, in a second pass over the cells.
CREATE FUNCTION _apm.read_endpoints(since timestamptz, until timestamptz, project_id integer, environment text, release text, max_rows integer, threshold_ms float8, explain boolean, order_by text)
  RETURNS TABLE (project integer, transaction_name text, op text, transactions bigint, epm float8,
    p50_ms float8, p75_ms float8, p95_ms float8, p99_ms float8, avg_ms float8, failure_rate float8,
    apdex float8, users bigint, miserable_users bigint, user_misery float8, total_ms float8)
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  started constant timestamptz := clock_timestamp();
  sorting constant text := _apm.endpoint_order(order_by);
  users_merged constant text := 'apm.hll_merge(c.users) AS users, apm.hll_merge(c.other_users) AS other_users';
  merged constant text := $sql$
    SELECT c.project_id, c.transaction_name, c.op, sum(c.n)::bigint AS n, sum(c.failures)::bigint AS failures,
           _apm.apdex_final(ARRAY[sum(c.satisfied), sum(c.tolerable), sum(c.satisfied + c.tolerable + c.frustrated)]::bigint[]) AS apdex,
           apm.sketch_merge(c.sketch) AS sketch%s FROM %s GROUP BY c.project_id, c.transaction_name, c.op$sql$;
  plan _apm.cell_plan;
  source text;
BEGIN
  PERFORM _apm.check_window(since, until);
  plan := _apm.cells('transactions', since, until, NULL, '{project_id,transaction_name,op}',
                     '{n,failures,satisfied,tolerable,frustrated,sketch,users,other_users}',
                     jsonb_build_object('project_id', read_endpoints.project_id, 'environment', read_endpoints.environment, 'release', read_endpoints.release),
                     read_endpoints.threshold_ms);
  IF max_rows IS NULL THEN
    source := format(merged, ', ' || users_merged, '(' || plan.cells || ') c');
  ELSE
    source := format($sql$
      WITH c AS MATERIALIZED (%s), m AS (%s),
           r AS MATERIALIZED (SELECT s.*, row_number() OVER () AS place FROM (SELECT m.* FROM m ORDER BY %s LIMIT $2) s),
           u AS (SELECT r.place, %s
                   FROM r JOIN c ON (coalesce(c.transaction_name, ''), c.project_id) = (coalesce(r.transaction_name, ''), r.project_id)
                                    AND c.transaction_name IS NOT DISTINCT FROM r.transaction_name AND c.op IS NOT DISTINCT FROM r.op
                  GROUP BY r.place)
      SELECT r.*, u.users, u.other_users FROM r JOIN u ON u.place = r.place$sql$,
      plan.cells, format(merged, '', 'c'), sorting, users_merged);
  END IF;
  RETURN QUERY EXECUTE format($sql$
    SELECT m.project_id, m.transaction_name, m.op, m.n, m.n * 60 / $1,
           apm.percentile(m.sketch, 0.5), apm.percentile(m.sketch, 0.75), apm.percentile(m.sketch, 0.95), apm.percentile(m.sketch, 0.99),
           apm.mean_value(m.sketch), m.failures::float8 / m.n, m.apdex, apm.distinct_count(_apm.all_users(m.users, m.other_users)),
           apm.marked_count(m.users), apm.misery(m.users), apm.sum_value(m.sketch)
      FROM (%s) m ORDER BY %s LIMIT $2$sql$, source, sorting)
    USING nullif(_apm.window_seconds(since, until), 0), _apm.check_rows(max_rows);
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION _apm.read_endpoints(timestamptz, timestamptz, integer, text, text, integer, float8, boolean, text) IS 'What apm.endpoints returns';

CREATE FUNCTION apm.endpoints(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    max_rows integer DEFAULT NULL, threshold_ms float8 DEFAULT NULL, explain boolean DEFAULT false, order_by text DEFAULT 'total_ms')
  RETURNS TABLE (project_id integer, transaction_name text, op text, transactions bigint, epm float8,
    p50_ms float8, p75_ms float8, p95_ms float8, p99_ms float8, avg_ms float8, failure_rate float8,
    apdex float8, users bigint, miserable_users bigint, user_misery float8, total_ms float8)
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT * FROM _apm.read_endpoints(endpoints.since, endpoints.until, endpoints.project_id, endpoints.environment, endpoints.release, endpoints.max_rows, endpoints.threshold_ms, endpoints.explain, endpoints.order_by)
$$;
COMMENT ON FUNCTION apm.endpoints(timestamptz, timestamptz, integer, text, text, integer, float8, boolean, text) IS 'One row an endpoint for the transactions that ended in [since, until), the one with most total time first, or with the most of another column that order_by names (avg_ms, p50_ms, p75_ms, p95_ms, p99_ms, transactions, failure_rate); a few rows cost much less than all, since users are counted for these alone; durations in milliseconds, epm in transactions per minute of the window, the failure rate by apm.failure_rules, Apdex and misery from 0 to 1 at the threshold in milliseconds (without one, at that of apm.thresholds, else 300 ms); users are NULL where no transaction has one. Names beyond pg_apm.max_names come together as << other >> where rollups are read; explain says in a NOTICE whether they were. Example: SELECT transaction_name, transactions, p95_ms, failure_rate, apdex FROM apm.endpoints(now() - interval ''1 hour'')';

-- The difference of two timestamps wraps around beyond 292,000 years: seconds
-- are subtracted, not timestamps.
CREATE FUNCTION _apm.series_points(since timestamptz, until timestamptz, width interval) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN ceil((extract(epoch FROM until) - extract(epoch FROM _apm.bin(width, since))) / extract(epoch FROM width));
COMMENT ON FUNCTION _apm.series_points(timestamptz, timestamptz, interval) IS 'How many buckets of a width a window meets. Example: SELECT _apm.series_points(now() - interval ''1 day'', now(), ''1 hour'')';

-- The step of a series over a window: the one asked for, if it is usable, else
-- the finest of the usual widths that gives at most 300 points.
CREATE FUNCTION _apm.series_step(since timestamptz, until timestamptz, step interval) RETURNS interval
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET jit = off
AS $$
DECLARE
  max_points constant integer := 11000;
  width interval := step;
  points float8;
BEGIN
  IF since IS NULL OR until IS NULL OR NOT isfinite(since) OR NOT isfinite(until) THEN
    RAISE EXCEPTION 'since and until must be finite points in time'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'A series has a point for every step between them; leave them out for the last 24 hours.';
  END IF;
  PERFORM _apm.check_window(since, until);
  IF width IS NULL THEN
    SELECT w INTO width
      FROM unnest('{1s,5s,10s,30s,1min,5min,10min,30min,1h,3h,6h,12h,1d,7d}'::interval[]) w
     WHERE _apm.series_points(since, until, w) <= 300
     ORDER BY w LIMIT 1;
    width := coalesce(width, interval '28 days');
  END IF;
  IF extract(month FROM width) <> 0 OR extract(year FROM width) <> 0 THEN
    RAISE EXCEPTION 'step must not contain months or years'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Months differ in length; use days, such as ''30 days''.';
  END IF;
  IF width <= interval '0' THEN
    RAISE EXCEPTION 'step must be above 0'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Such as ''5 minutes''.';
  END IF;
  -- Buckets of any length have to begin somewhere in what timestamptz can hold.
  IF width > interval '36500 days' THEN
    RAISE EXCEPTION 'step must not be longer than 36500 days'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'For one number over the whole window there is apm.metric_value().';
  END IF;
  points := _apm.series_points(since, until, width);
  IF points > max_points THEN
    -- A window may begin within a bucket and so meet one more than it is long.
    RAISE EXCEPTION 'a step of % gives % points, more than %', width, points, max_points
      USING ERRCODE = 'program_limit_exceeded',
            HINT = format('Use a step of at least %s, or a shorter window.',
                          justify_hours(make_interval(secs => ceil(_apm.window_seconds(since, until) / (max_points - 1)))));
  END IF;
  RETURN width;
END
$$;
COMMENT ON FUNCTION _apm.series_step(timestamptz, timestamptz, interval) IS 'The step of a time series, after checks of the window and the step';

CREATE FUNCTION apm.timeseries(metric text DEFAULT 'count()',
    since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    step interval DEFAULT NULL, project_id integer DEFAULT NULL, transaction_name text DEFAULT NULL,
    op text DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (bucket timestamptz, value float8, samples bigint)
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- A Monday: weeks begin on one.
  origin constant timestamptz := '2000-01-03 00:00:00+00';
  started constant timestamptz := clock_timestamp();
  width interval;
  p record;
  plan _apm.cell_plan;
  source text;
BEGIN
  width := _apm.series_step(since, until, step);
  -- The first and the last bucket may lie in the window in part only: a rate
  -- divides by that part.
  p := _apm.metric_parse(metric, window_sql => $sql$extract(epoch FROM least(c.slot + $8, $2) - greatest(c.slot, $1))::pg_catalog.float8$sql$);
  plan := _apm.metric_cells(p, since, until, width, project_id, transaction_name, op, environment, release);
  IF plan.cells IS NOT NULL THEN
    source := format('SELECT c.slot AS bucket, %s AS value, %s AS samples FROM (%s) c GROUP BY c.slot',
                     p.rollup_sql, p.rollup_samples_sql, plan.cells);
  ELSE
    p := _apm.metric_parse(metric, window_sql => $sql$extract(epoch FROM
           least(date_bin($8, t.end_time, $9) + $8, $2) - greatest(date_bin($8, t.end_time, $9), $1))::pg_catalog.float8$sql$);
    source := format('SELECT date_bin($8, t.end_time, $9) AS bucket, %s AS value, %s AS samples
                        FROM apm.transactions t WHERE %s GROUP BY date_bin($8, t.end_time, $9)', p.value_sql, p.samples_sql,
                     _apm.transaction_filter(since, until, project_id, transaction_name, op, environment, release));
  END IF;
  RETURN QUERY EXECUTE format($sql$
    WITH m AS (%s)
    SELECT b.bucket, CASE WHEN l.lost THEN NULL WHEN m.bucket IS NULL THEN $10 ELSE m.value END,
           CASE WHEN NOT l.lost THEN coalesce(m.samples, 0) END
      FROM generate_series(date_bin($8, $1, $9), $2, $8) b (bucket) LEFT JOIN m ON m.bucket = b.bucket
           CROSS JOIN LATERAL (SELECT $11 && tstzrange(b.bucket, b.bucket + $8)) l (lost)
     WHERE b.bucket < $2
     ORDER BY b.bucket$sql$, source)
    USING since, until, project_id, transaction_name, op, environment, release, width, origin, p.empty_value, plan.lost;
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION apm.timeseries(text, timestamptz, timestamptz, interval, integer, text, text, text, text, boolean) IS 'A metric over time, in the metric''s unit: one row a step, at most 11,000, buckets that begin at multiples of the step in UTC (weeks on Monday), with the number of transactions behind each value; buckets without any have NULL, for count() 0; where rows would have to be read that retention has dropped, both are NULL. Without step, one that gives at most 300 points. Steps of whole minutes, hours or days read rollups where these hold the metric; explain says so in a NOTICE. Example: SELECT * FROM apm.timeseries(''p95(duration)'', now() - interval ''6 hours'', now(), ''5 minutes'')';

CREATE FUNCTION apm.web_vitals(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    transaction_name text DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (vital text, samples bigint, p75 float8, rating text, good bigint, meh bigint, poor bigint, score float8)
  LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 7
  SET search_path = pg_catalog, pg_temp
  SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  started constant timestamptz := clock_timestamp();
  plan _apm.cell_plan;
BEGIN
  PERFORM _apm.check_window(since, until);
  plan := _apm.vital_cells(since, until, '{vital}', '{n,good,meh,poor,scored,score,sketch}',
                     jsonb_build_object('project_id', web_vitals.project_id, 'environment', web_vitals.environment,
                                        'release', web_vitals.release, 'transaction_name', web_vitals.transaction_name));
  -- A vital of which no value is rated has no counts of ratings.
  RETURN QUERY EXECUTE format($sql$
    SELECT m.vital, m.n, m.p75, apm.web_vital_rating(m.vital, m.p75),
           CASE WHEN m.rated > 0 THEN m.good END, CASE WHEN m.rated > 0 THEN m.meh END, CASE WHEN m.rated > 0 THEN m.poor END, m.score
      FROM (SELECT c.vital, sum(c.n)::bigint AS n, apm.percentile(apm.sketch_merge(c.sketch), 0.75) AS p75,
                   sum(c.good)::bigint AS good, sum(c.meh)::bigint AS meh, sum(c.poor)::bigint AS poor, sum(c.good + c.meh + c.poor) AS rated,
                   sum(c.score)::float8 / 1e9 / nullif(sum(c.scored), 0)::float8 AS score
              FROM (%s) c GROUP BY c.vital) m
     ORDER BY array_position('{lcp,inp,cls,fcp,ttfb,fid,fp}', m.vital)$sql$, plan.cells);
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION apm.web_vitals(timestamptz, timestamptz, integer, text, text, text, boolean) IS 'One row a web vital for the pages that ended in [since, until), vitals whose page is not known included: number of values, 75th percentile (milliseconds; cls has no unit) and its rating, counts of good, meh and poor ones, mean score from 0 to 1. explain says in a NOTICE whether rollups or rows were read. Example: SELECT * FROM apm.web_vitals(now() - interval ''7 days'')';

-- Behind the public function, whose columns have the names of its arguments.
CREATE FUNCTION _apm.read_pages(since timestamptz, until timestamptz, project_id integer, environment text, release text, max_rows integer, explain boolean)
  RETURNS TABLE (project integer, transaction_name text, samples bigint, score float8, opportunity float8,
    lcp_score float8, fcp_score float8, cls_score float8, ttfb_score float8, inp_score float8)
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  started constant timestamptz := clock_timestamp();
  plan _apm.cell_plan;
BEGIN
  PERFORM _apm.check_window(since, until);
  plan := _apm.vital_cells(since, until, '{project_id,transaction_name,vital}', '{n,scored,score}',
                     jsonb_build_object('project_id', read_pages.project_id, 'environment', read_pages.environment, 'release', read_pages.release));
  RETURN QUERY EXECUTE format($sql$
    WITH page AS (
           SELECT c.project_id, c.transaction_name AS name, w.vital, w.weight, sum(c.scored)::bigint AS n, sum(c.score)::float8 / 1e9 AS total
             FROM (%s) c JOIN (VALUES ('lcp', 0.30::float8), ('fcp', 0.15), ('cls', 0.15), ('ttfb', 0.10), ('inp', 0.30)) w (vital, weight)
                         ON w.vital = c.vital
            GROUP BY c.project_id, c.transaction_name, w.vital, w.weight HAVING sum(c.scored) > 0),
         site AS (SELECT p.vital, p.weight, sum(p.n) AS n FROM page p GROUP BY p.vital, p.weight),
         present AS (SELECT sum(s.weight ORDER BY s.vital) AS weight FROM site s),
         scored AS (
           SELECT p.project_id, p.name, max(p.n) AS n,
                  sum((p.n - p.total) / s.n * p.weight ORDER BY p.vital) / (SELECT weight FROM present) AS opportunity,
                  max(p.total / p.n) FILTER (WHERE p.vital = 'lcp') AS lcp, max(p.total / p.n) FILTER (WHERE p.vital = 'fcp') AS fcp,
                  max(p.total / p.n) FILTER (WHERE p.vital = 'cls') AS cls, max(p.total / p.n) FILTER (WHERE p.vital = 'ttfb') AS ttfb,
                  max(p.total / p.n) FILTER (WHERE p.vital = 'inp') AS inp
             FROM page p JOIN site s ON s.vital = p.vital GROUP BY p.project_id, p.name)
    SELECT c.project_id, c.name, c.n, apm.page_score(c.lcp, c.fcp, c.cls, c.ttfb, c.inp), c.opportunity,
           c.lcp, c.fcp, c.cls, c.ttfb, c.inp
      FROM scored c
     ORDER BY c.opportunity DESC, c.project_id, c.name
     LIMIT $1$sql$, plan.cells)
    USING _apm.check_rows(max_rows);
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION _apm.read_pages(timestamptz, timestamptz, integer, text, text, integer, boolean) IS 'What apm.pages returns';

CREATE FUNCTION apm.pages(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    max_rows integer DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (project_id integer, transaction_name text, samples bigint, score float8, opportunity float8,
    lcp_score float8, fcp_score float8, cls_score float8, ttfb_score float8, inp_score float8)
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT * FROM _apm.read_pages(pages.since, pages.until, pages.project_id, pages.environment, pages.release, pages.max_rows, pages.explain)
$$;
COMMENT ON FUNCTION apm.pages(timestamptz, timestamptz, integer, text, text, integer, boolean) IS 'One row a page that sent web vitals in [since, until), the one with most to gain first: score and those of its vitals from 0 to 1, opportunity as the share of the whole site''s missing score that this page is responsible for, samples of the vital that has most. explain says in a NOTICE whether rollups or rows were read. Example: SELECT transaction_name, score, opportunity FROM apm.pages(now() - interval ''7 days'')';
