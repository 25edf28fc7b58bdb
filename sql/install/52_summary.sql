-- ---------------------------------------------------------------------------
-- summary: all there is to say about one transaction

CREATE FUNCTION apm.transaction_summary(name text,
    since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    project_id integer DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL,
    threshold_ms float8 DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (transactions bigint, epm float8, p50_ms float8, p75_ms float8, p90_ms float8, p95_ms float8, p99_ms float8,
    max_ms float8, avg_ms float8, total_ms float8, failures bigint, failure_rate float8, apdex float8,
    users bigint, miserable_users bigint, user_misery float8, first_seen timestamptz, last_seen timestamptz,
    statuses jsonb, releases jsonb, vitals jsonb, errors jsonb)
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  started constant timestamptz := clock_timestamp();
  filters constant jsonb := jsonb_build_object('project_id', project_id, 'transaction_name', name, 'environment', environment, 'release', release);
  plan _apm.cell_plan;
  of_vitals _apm.cell_plan;
BEGIN
  IF name IS NULL THEN
    RAISE EXCEPTION 'argument "name" must not be null'
      USING ERRCODE = 'null_value_not_allowed', HINT = 'SELECT transaction_name FROM apm.endpoints() lists the names.';
  END IF;
  PERFORM _apm.check_window(since, until);
  plan := _apm.cells('transactions', since, until, NULL, '{status,release}',
                     '{n,failures,measured,satisfied,tolerable,frustrated,first_at,last_at,sketch,users,other_users}',
                     filters, transaction_summary.threshold_ms);
  of_vitals := _apm.cells('vitals', since, until, NULL, '{vital}', '{n,scored,score,sketch}', filters);
  RETURN QUERY EXECUTE format($sql$
    WITH c AS MATERIALIZED (%s),
         m AS (SELECT sum(c.n)::bigint AS n, sum(c.failures)::bigint AS failures,
                      CASE WHEN sum(c.n) > 0 THEN _apm.apdex_final(ARRAY[sum(c.satisfied), sum(c.tolerable),
                                                    sum(c.satisfied + c.tolerable + c.frustrated)]::bigint[]) END AS apdex,
                      min(c.first_at) AS first_at, max(c.last_at) AS last_at, apm.sketch_merge(c.sketch) AS sketch,
                      apm.hll_merge(c.users) AS users, apm.hll_merge(c.other_users) AS other_users
                 FROM c),
         v AS (SELECT v.vital, sum(v.n)::bigint AS n, apm.percentile(apm.sketch_merge(v.sketch), 0.75) AS p75,
                      sum(v.score)::float8 / 1e9 / nullif(sum(v.scored), 0)::float8 AS score
                 FROM (%s) v GROUP BY v.vital),
         e AS (SELECT e.type, count(*) AS n, max(e.event_time) AS last_at FROM apm.errors e
                WHERE e.transaction_name = $2 AND e.event_time >= $3 AND e.event_time < $4
                  AND ($5 IS NULL OR e.project_id = $5) AND ($6 IS NULL OR e.environment = $6) AND ($7 IS NULL OR e.release = $7)
                GROUP BY e.type ORDER BY count(*) DESC, e.type LIMIT 5)
    SELECT coalesce(m.n, 0), m.n * 60 / $1, apm.percentile(m.sketch, 0.5), apm.percentile(m.sketch, 0.75), apm.percentile(m.sketch, 0.9),
           apm.percentile(m.sketch, 0.95), apm.percentile(m.sketch, 0.99), apm.max_value(m.sketch), apm.mean_value(m.sketch),
           apm.sum_value(m.sketch), m.failures, m.failures::float8 / m.n, m.apdex,
           apm.distinct_count(_apm.all_users(m.users, m.other_users)), apm.marked_count(m.users), apm.misery(m.users), m.first_at, m.last_at,
           (SELECT jsonb_object_agg(coalesce(s.status::text, 'none'), s.n) FROM (SELECT c.status, sum(c.n) AS n FROM c GROUP BY c.status) s),
           (SELECT jsonb_object_agg(coalesce(s.release, ''), s.n) FROM (SELECT c.release, sum(c.n) AS n FROM c GROUP BY c.release) s),
           (SELECT jsonb_object_agg(v.vital, jsonb_build_object('p75', v.p75, 'rating', apm.web_vital_rating(v.vital, v.p75),
                                                                'samples', v.n, 'score', v.score)) FROM v),
           (SELECT jsonb_agg(jsonb_build_object('type', e.type, 'count', e.n, 'last_seen', e.last_at) ORDER BY e.n DESC, e.type) FROM e)
      FROM m$sql$, plan.cells, of_vitals.cells)
    USING nullif(_apm.window_seconds(since, until), 0), name, coalesce(since, '-infinity'), coalesce(until, 'infinity'),
          project_id, environment, release;
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION apm.transaction_summary(text, timestamptz, timestamptz, integer, text, text, float8, boolean) IS 'One row about one transaction in [since, until): durations in milliseconds, epm in transactions per minute of the window, rates, Apdex and misery from 0 to 1 at the threshold in milliseconds (without one, at that of apm.thresholds), numbers by status and by release, web vitals with their 75th percentile (milliseconds; cls has no unit), and the five most frequent types of errors that name the transaction. Without any, transactions is 0 and all else NULL. explain says in a NOTICE whether rollups or rows were read. Example: SELECT p95_ms, failure_rate, statuses FROM apm.transaction_summary(''POST /api/checkout'', now() - interval ''7 days'')';
