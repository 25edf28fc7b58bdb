-- ---------------------------------------------------------------------------
-- looking: what dashboards and analysts read first
--
-- Every function works without arguments: the last 24 hours of everything.
-- Windows are [since, until) on the end time of transactions.

CREATE FUNCTION apm.endpoints(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    max_rows integer DEFAULT NULL, threshold_ms float8 DEFAULT 300)
  RETURNS TABLE (project_id integer, transaction_name text, op text, transactions bigint, epm float8,
    p50_ms float8, p75_ms float8, p95_ms float8, p99_ms float8, avg_ms float8, failure_rate float8,
    apdex float8, users bigint, miserable_users bigint, user_misery float8, total_ms float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT t.project_id, t.name, t.op, count(*),
         count(*) * 60 / nullif(extract(epoch FROM endpoints.until - endpoints.since)::float8, 0),
         apm.p50(t.duration_ms), apm.p75(t.duration_ms), apm.p95(t.duration_ms), apm.p99(t.duration_ms),
         avg(t.duration_ms), apm.failure_rate(t.status), apm.apdex(t.duration_ms, endpoints.threshold_ms),
         apm.count_unique(t.user_key), apm.count_miserable(t.user_key, t.duration_ms, endpoints.threshold_ms),
         apm.user_misery(t.user_key, t.duration_ms, endpoints.threshold_ms), sum(t.duration_ms)
    FROM apm.transactions t
   WHERE _apm.check_window(endpoints.since, endpoints.until)
     AND (endpoints.since IS NULL OR t.end_time >= endpoints.since)
     AND (endpoints.until IS NULL OR t.end_time < endpoints.until)
     AND (endpoints.project_id IS NULL OR t.project_id = endpoints.project_id)
     AND (endpoints.environment IS NULL OR t.environment = endpoints.environment)
     AND (endpoints.release IS NULL OR t.release = endpoints.release)
   GROUP BY t.project_id, t.name, t.op
   ORDER BY sum(t.duration_ms) DESC, t.project_id, t.name, t.op
   LIMIT endpoints.max_rows;
END;
COMMENT ON FUNCTION apm.endpoints(timestamptz, timestamptz, integer, text, text, integer, float8) IS 'One row an endpoint for the transactions that ended in [since, until), the one with most total time first; durations in milliseconds, epm in transactions per minute of the window, rates, Apdex and misery from 0 to 1 at the threshold in milliseconds; users are NULL where no transaction has one. Example: SELECT transaction_name, transactions, p95_ms, failure_rate, apdex FROM apm.endpoints(now() - interval ''1 hour'')';

CREATE FUNCTION apm.timeseries(metric text DEFAULT 'count()',
    since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    step interval DEFAULT NULL, project_id integer DEFAULT NULL, transaction_name text DEFAULT NULL,
    op text DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL)
  RETURNS TABLE (bucket timestamptz, value float8, samples bigint)
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- A Monday: weeks begin on one.
  origin constant timestamptz := '2000-01-03 00:00:00+00';
  max_points constant integer := 11000;
  width interval := step;
  points float8;
  p record;
BEGIN
  IF since IS NULL OR until IS NULL OR NOT isfinite(since) OR NOT isfinite(until) THEN
    RAISE EXCEPTION 'since and until must be finite points in time'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM _apm.check_window(since, until);
  -- The finest of the usual widths that gives at most 300 points.
  IF width IS NULL THEN
    SELECT w INTO width
      FROM unnest('{1s,5s,10s,30s,1min,5min,10min,30min,1h,3h,6h,12h,1d,7d}'::interval[]) w
     WHERE extract(epoch FROM until - since) <= 300 * extract(epoch FROM w)
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
  points := extract(epoch FROM until - since) / extract(epoch FROM width);
  IF points > max_points THEN
    RAISE EXCEPTION 'a step of % gives % points, more than %', width, ceil(points), max_points
      USING ERRCODE = 'program_limit_exceeded',
            HINT = format('Use a step of at least %s, or a shorter window.',
                          justify_interval(make_interval(secs => ceil(extract(epoch FROM until - since) / max_points)::float8)));
  END IF;
  -- The first and the last bucket may lie in the window in part only: a rate
  -- divides by that part.
  p := _apm.metric_parse(metric, window_sql => $sql$extract(epoch FROM
         least(date_bin($8, t.end_time, $9) + $8, $2) - greatest(date_bin($8, t.end_time, $9), $1))::pg_catalog.float8$sql$);
  RETURN QUERY EXECUTE format($sql$
    WITH m AS (
      SELECT date_bin($8, t.end_time, $9) AS bucket, %s AS value, %s AS samples
        FROM apm.transactions t WHERE %s GROUP BY date_bin($8, t.end_time, $9))
    SELECT b.bucket, CASE WHEN m.bucket IS NULL THEN $10 ELSE m.value END, coalesce(m.samples, 0)
      FROM generate_series(date_bin($8, $1, $9), $2, $8) b (bucket) LEFT JOIN m ON m.bucket = b.bucket
     WHERE b.bucket < $2
     ORDER BY b.bucket$sql$,
    p.value_sql, p.samples_sql,
    _apm.transaction_filter(since, until, project_id, transaction_name, op, environment, release))
    USING since, until, project_id, transaction_name, op, environment, release, width, origin, p.empty_value;
END
$$;
COMMENT ON FUNCTION apm.timeseries(text, timestamptz, timestamptz, interval, integer, text, text, text, text) IS 'A metric over time, in the metric''s unit: one row a step, buckets that begin at multiples of the step in UTC (weeks on Monday), with the number of transactions behind each value; buckets without any have NULL, for count() 0. Without step, one that gives at most 300 points. Example: SELECT * FROM apm.timeseries(''p95(duration)'', now() - interval ''6 hours'', now(), ''5 minutes'')';

CREATE FUNCTION apm.web_vitals(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    transaction_name text DEFAULT NULL)
  RETURNS TABLE (vital text, samples bigint, p75 float8, rating text, good bigint, meh bigint, poor bigint, score float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT v.vital, count(m.val), apm.p75(m.val), apm.web_vital_rating(v.vital, apm.p75(m.val)),
         apm.count_web_vitals(m.val, v.vital, 'good'), apm.count_web_vitals(m.val, v.vital, 'meh'),
         apm.count_web_vitals(m.val, v.vital, 'poor'),
         avg(apm.vital_score(v.vital, m.val, t.contexts -> 'browser' ->> 'name'))
    FROM apm.transactions t
         CROSS JOIN (VALUES (1, 'lcp'), (2, 'inp'), (3, 'cls'), (4, 'fcp'), (5, 'ttfb'), (6, 'fid'), (7, 'fp')) v (place, vital)
         CROSS JOIN LATERAL (SELECT apm.measurement(t.measurements, v.vital)) m (val)
   WHERE m.val IS NOT NULL
     AND _apm.check_window(web_vitals.since, web_vitals.until)
     AND (web_vitals.since IS NULL OR t.end_time >= web_vitals.since)
     AND (web_vitals.until IS NULL OR t.end_time < web_vitals.until)
     AND (web_vitals.project_id IS NULL OR t.project_id = web_vitals.project_id)
     AND (web_vitals.environment IS NULL OR t.environment = web_vitals.environment)
     AND (web_vitals.release IS NULL OR t.release = web_vitals.release)
     AND (web_vitals.transaction_name IS NULL OR t.name = web_vitals.transaction_name)
   GROUP BY v.place, v.vital
   ORDER BY v.place;
END;
COMMENT ON FUNCTION apm.web_vitals(timestamptz, timestamptz, integer, text, text, text) IS 'One row a web vital for the transactions that ended in [since, until): number of values, 75th percentile (milliseconds; cls has no unit) and its rating, counts of good, meh and poor ones, mean score from 0 to 1. Example: SELECT * FROM apm.web_vitals(now() - interval ''7 days'')';
