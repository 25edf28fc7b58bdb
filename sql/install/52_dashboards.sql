-- ---------------------------------------------------------------------------
-- dashboards: what only they ask for

-- The lists of a dashboard's variables, from rollups as far as they hold them.
CREATE FUNCTION _apm.names_seen(key_name text)
  RETURNS TABLE (project_id integer, name text, first_seen timestamptz, last_seen timestamptz)
  LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT c.project_id, c.%1$I, min(c.first_at), max(c.last_at) FROM (%2$s) c
                                WHERE c.%1$I IS NOT NULL GROUP BY c.project_id, c.%1$I', key_name,
    (_apm.cells('transactions', NULL, NULL, NULL, ARRAY['project_id', key_name], '{first_at,last_at}', '{}')).cells);
END
$$;
COMMENT ON FUNCTION _apm.names_seen(text) IS 'Values of one key of the cells of transactions, by project, with the ends of the first and of the last transaction';

CREATE VIEW apm.environments WITH (security_invoker = true) AS
  SELECT s.project_id, s.name AS environment, s.first_seen, s.last_seen FROM _apm.names_seen('environment') s;
COMMENT ON VIEW apm.environments IS 'Environments that stored transactions name, by project, with the ends of the first and of the last one. Example: SELECT environment, last_seen FROM apm.environments WHERE project_id = 1';

CREATE VIEW apm.releases WITH (security_invoker = true) AS
  SELECT s.project_id, s.name AS release, s.first_seen, s.last_seen FROM _apm.names_seen('release') s;
COMMENT ON VIEW apm.releases IS 'Releases that stored transactions name, by project, with the ends of the first and of the last one. Example: SELECT release, first_seen FROM apm.releases WHERE project_id = 1 ORDER BY first_seen DESC LIMIT 5';

-- Several percentiles of one merged sketch: one pass where apm.timeseries
-- would take one for each.
CREATE FUNCTION apm.duration_percentiles(since timestamptz DEFAULT now() - interval '24 hours', until timestamptz DEFAULT now(),
    step interval DEFAULT NULL, project_id integer DEFAULT NULL, transaction_name text DEFAULT NULL,
    op text DEFAULT NULL, environment text DEFAULT NULL, release text DEFAULT NULL, explain boolean DEFAULT false)
  RETURNS TABLE (bucket timestamptz, samples bigint, p50_ms float8, p75_ms float8, p95_ms float8, p99_ms float8)
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  started constant timestamptz := clock_timestamp();
  width constant interval := _apm.series_step(since, until, step);
  plan constant _apm.cell_plan := _apm.cells('transactions', since, until, width, '{}', '{n,sketch}',
    jsonb_build_object('project_id', project_id, 'transaction_name', transaction_name, 'op', op, 'environment', environment, 'release', release));
BEGIN
  RETURN QUERY EXECUTE format($sql$
    WITH m AS (SELECT c.slot, sum(c.n)::bigint AS n, apm.sketch_merge(c.sketch) AS sketch FROM (%s) c GROUP BY c.slot)
    SELECT b.bucket, CASE WHEN NOT l.lost THEN coalesce(m.n, 0) END, apm.percentile(m.sketch, 0.5), apm.percentile(m.sketch, 0.75),
           apm.percentile(m.sketch, 0.95), apm.percentile(m.sketch, 0.99)
      FROM generate_series(_apm.bin($3, $1), $2, $3) b (bucket)
           CROSS JOIN LATERAL (SELECT $4 && tstzrange(b.bucket, b.bucket + $3)) l (lost)
           LEFT JOIN m ON m.slot = b.bucket AND NOT l.lost
     WHERE b.bucket < $2
     ORDER BY b.bucket$sql$, plan.cells)
    USING since, until, width, plan.lost;
  IF explain THEN
    PERFORM _apm.explain_cells(plan, started);
  END IF;
END
$$;
COMMENT ON FUNCTION apm.duration_percentiles(timestamptz, timestamptz, interval, integer, text, text, text, text, boolean) IS 'Percentiles of the durations of transactions over time, in milliseconds, in the buckets of apm.timeseries, with the number of transactions behind them; NULL where there are none, and where rows would have to be read that retention has dropped. Costs a third of three calls of apm.timeseries. Example: SELECT bucket, p50_ms, p95_ms FROM apm.duration_percentiles(now() - interval ''6 hours'', now(), ''5 minutes'')';

-- A list of what a name says: [{"key": …, "value": …}, …], NULL values left out.
CREATE FUNCTION _apm.key_values(object jsonb) RETURNS jsonb
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(jsonb_build_object('key', e.key, 'value', e.value) ORDER BY e.key), '[]')
    FROM jsonb_each(object) e WHERE e.value <> 'null';
END;
COMMENT ON FUNCTION _apm.key_values(jsonb) IS 'The members of an object as an array of {"key", "value"}; an empty array for NULL';

-- The columns have the names, and the types, by which Grafana's panel "Traces"
-- finds them.  It shows nothing at all when one span has no id: errors that
-- name no span of the trace stay out.  What a trace holds twice comes once; ids
-- are sorted as text, since pg_upgrade makes functions before operator classes.
CREATE FUNCTION apm.grafana_trace(trace_id apm.trace_id)
  RETURNS TABLE ("traceID" text, "spanID" text, "parentSpanID" text, "operationName" text, "serviceName" text,
    "serviceTags" jsonb, "startTime" float8, duration float8, "statusCode" integer, "statusMessage" text, tags jsonb)
  LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 2000 ROWS 100
BEGIN ATOMIC
  WITH one AS MATERIALIZED (
    SELECT DISTINCT ON (t.project_id, t.span_id::text) t.*
      FROM apm.trace(grafana_trace.trace_id) t
     WHERE t.kind = 'span'
     ORDER BY t.project_id, t.span_id::text, t.ordinal
  ), detail AS MATERIALIZED (
    SELECT DISTINCT ON (s.project_id, s.span_id::text) s.project_id, s.span_id, s.environment, s.release, s.origin, s.attributes
      FROM apm.spans s
     WHERE s.trace_id = grafana_trace.trace_id
     ORDER BY s.project_id, s.span_id::text, s.segment_end_time
  )
  SELECT grafana_trace.trace_id::text, o.span_id::text, o.parent_span_id::text,
         concat_ws(' ', o.op, CASE WHEN o.is_segment THEN coalesce(nullif(o.transaction_name, ''), o.description)
                                   ELSE nullif(o.description, '') END),
         coalesce(p.name, 'project ' || o.project_id),
         _apm.key_values(jsonb_build_object('project_id', o.project_id, 'environment', d.environment, 'release', d.release)),
         extract(epoch FROM o.start_time)::float8 * 1000, o.duration_ms,
         CASE WHEN o.errors > 0 OR apm.is_failure(o.project_id, o.status) THEN 2 WHEN o.status = 'ok' THEN 1 ELSE 0 END,
         o.status::text,
         _apm.key_values(coalesce(d.attributes, '{}')
           || jsonb_build_object('self_time_ms', o.self_time_ms, 'status', o.status, 'origin', d.origin,
                                 'errors', nullif(o.errors, 0), 'is_orphan', nullif(o.is_orphan, false)))
    FROM one o
         LEFT JOIN detail d ON d.project_id = o.project_id AND d.span_id = o.span_id
         LEFT JOIN apm.projects p ON p.project_id = o.project_id
   ORDER BY o.ordinal;
END;
COMMENT ON FUNCTION apm.grafana_trace(apm.trace_id) IS 'The spans of a trace in the columns that Grafana''s panel "Traces" reads: "startTime" in milliseconds since 1970, duration in milliseconds, "statusCode" 2 for a failure or a span with errors, 1 for ok, else 0; tags and "serviceTags" are arrays of {"key", "value"}. Example: SELECT * FROM apm.grafana_trace(''4bf92f3577b34da6a3ce929d0e0e4736'')';
