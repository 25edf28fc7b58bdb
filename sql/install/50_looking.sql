-- ---------------------------------------------------------------------------
-- looking: what dashboards and analysts read first
--
-- Every function works without arguments: the last 24 hours of everything.
-- Windows are [since, until) on the end time of transactions.

CREATE FUNCTION apm.endpoints(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    max_rows integer DEFAULT NULL, threshold_ms float8 DEFAULT NULL)
  RETURNS TABLE (project_id integer, transaction_name text, op text, transactions bigint, epm float8,
    p50_ms float8, p75_ms float8, p95_ms float8, p99_ms float8, avg_ms float8, failure_rate float8,
    apdex float8, users bigint, miserable_users bigint, user_misery float8, total_ms float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT t.project_id, t.name, t.op, count(*),
         count(*) * 60 / nullif(extract(epoch FROM endpoints.until - endpoints.since)::float8, 0),
         apm.p50(t.duration_ms), apm.p75(t.duration_ms), apm.p95(t.duration_ms), apm.p99(t.duration_ms),
         avg(t.duration_ms), apm.share(apm.is_failure(t.project_id, t.status)), apm.apdex(m.val, m.threshold),
         apm.count_unique(t.user_key), apm.count_miserable(t.user_key, m.val, m.threshold),
         apm.user_misery(t.user_key, m.val, m.threshold), sum(t.duration_ms)
    FROM apm.transactions t
         CROSS JOIN LATERAL (SELECT
           CASE WHEN endpoints.threshold_ms IS NULL
                THEN apm.threshold_value(t.project_id, t.name, t.duration_ms, t.measurements)
                ELSE t.duration_ms END,
           coalesce(endpoints.threshold_ms, apm.threshold_ms(t.project_id, t.name))) m (val, threshold)
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
COMMENT ON FUNCTION apm.endpoints(timestamptz, timestamptz, integer, text, text, integer, float8) IS 'One row an endpoint for the transactions that ended in [since, until), the one with most total time first; durations in milliseconds, epm in transactions per minute of the window, the failure rate by apm.failure_rules, Apdex and misery from 0 to 1 at the threshold in milliseconds (without one, at that of apm.thresholds, else 300 ms); users are NULL where no transaction has one. Example: SELECT transaction_name, transactions, p95_ms, failure_rate, apdex FROM apm.endpoints(now() - interval ''1 hour'')';

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
         avg(coalesce(apm.measurement(t.measurements, 'score.ratio.' || v.vital), apm.vital_score(v.vital, m.val, t.browser)))
    FROM _apm.vital_rows t
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
COMMENT ON FUNCTION apm.web_vitals(timestamptz, timestamptz, integer, text, text, text) IS 'One row a web vital for the pages that ended in [since, until), vitals whose page is not known included: number of values, 75th percentile (milliseconds; cls has no unit) and its rating, counts of good, meh and poor ones, mean score from 0 to 1. Example: SELECT * FROM apm.web_vitals(now() - interval ''7 days'')';

CREATE FUNCTION apm.pages(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    max_rows integer DEFAULT NULL)
  RETURNS TABLE (project_id integer, transaction_name text, samples bigint, score float8, opportunity float8,
    lcp_score float8, fcp_score float8, cls_score float8, ttfb_score float8, inp_score float8)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH weights (vital, weight) AS (VALUES ('lcp', 0.30::float8), ('fcp', 0.15), ('cls', 0.15), ('ttfb', 0.10), ('inp', 0.30)),
       page AS (
         SELECT t.project_id, t.name, w.vital, w.weight, count(s.ratio) AS n, sum(s.ratio) AS total
           FROM _apm.vital_rows t CROSS JOIN weights w
                CROSS JOIN LATERAL (SELECT coalesce(apm.measurement(t.measurements, 'score.ratio.' || w.vital),
                                                    apm.vital_score(w.vital, apm.measurement(t.measurements, w.vital), t.browser))) s (ratio)
          WHERE s.ratio IS NOT NULL
            AND _apm.check_window(pages.since, pages.until)
            AND (pages.since IS NULL OR t.end_time >= pages.since)
            AND (pages.until IS NULL OR t.end_time < pages.until)
            AND (pages.project_id IS NULL OR t.project_id = pages.project_id)
            AND (pages.environment IS NULL OR t.environment = pages.environment)
            AND (pages.release IS NULL OR t.release = pages.release)
          GROUP BY t.project_id, t.name, w.vital, w.weight),
       site AS (SELECT p.vital, sum(p.n) AS n FROM page p GROUP BY p.vital),
       present AS (SELECT sum(w.weight) AS weight FROM weights w WHERE w.vital IN (SELECT s.vital FROM site s)),
       scored AS (
         SELECT p.project_id, p.name, max(p.n) AS n,
                sum((p.n - p.total) / s.n * p.weight) / (SELECT weight FROM present) AS opportunity,
                max(p.total / p.n) FILTER (WHERE p.vital = 'lcp') AS lcp, max(p.total / p.n) FILTER (WHERE p.vital = 'fcp') AS fcp,
                max(p.total / p.n) FILTER (WHERE p.vital = 'cls') AS cls, max(p.total / p.n) FILTER (WHERE p.vital = 'ttfb') AS ttfb,
                max(p.total / p.n) FILTER (WHERE p.vital = 'inp') AS inp
           FROM page p JOIN site s ON s.vital = p.vital GROUP BY p.project_id, p.name)
  SELECT c.project_id, c.name, c.n, apm.page_score(c.lcp, c.fcp, c.cls, c.ttfb, c.inp), c.opportunity,
         c.lcp, c.fcp, c.cls, c.ttfb, c.inp
    FROM scored c
   ORDER BY c.opportunity DESC, c.project_id, c.name
   LIMIT pages.max_rows;
END;
COMMENT ON FUNCTION apm.pages(timestamptz, timestamptz, integer, text, text, integer) IS 'One row a page that sent web vitals in [since, until), the one with most to gain first: score and those of its vitals from 0 to 1, opportunity as the share of the whole site''s missing score that this page is responsible for, samples of the vital that has most. Example: SELECT transaction_name, score, opportunity FROM apm.pages(now() - interval ''7 days'')';
