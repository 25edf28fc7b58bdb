-- ---------------------------------------------------------------------------
-- storage: what takes how many bytes

CREATE FUNCTION apm.storage(detail text DEFAULT 'table')
  RETURNS TABLE (kind text, relation text, day date, row_count bigint, heap_bytes bigint, toast_bytes bigint,
                 index_bytes bigint, total_bytes bigint, bytes_before bigint)
  LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
#variable_conflict use_column
BEGIN
  IF detail IS NULL OR detail NOT IN ('table', 'kind', 'total') THEN
    RAISE EXCEPTION 'detail "%" is unknown', coalesce(detail, 'NULL')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It is "table", "kind" or "total".';
  END IF;
  RETURN QUERY
    WITH one AS (
      SELECT CASE WHEN k.kind IS NOT NULL THEN k.kind
                  WHEN c.oid = '_apm.seen'::regclass THEN 'identities'
                  WHEN EXISTS (SELECT FROM _apm.cubes u, unnest('{_minutes,_hours,_days}'::text[]) w WHERE c.oid = to_regclass(u.store || w)) THEN 'rollups'
                  ELSE 'other' END AS kind,
             c.oid::regclass::text AS relation,
             CASE WHEN isfinite(p.low) AND isfinite(p.high) THEN p.low::date
                  WHEN d.day IS NOT NULL THEN d.day END AS day,
             c.reltuples, c.relpages, pg_relation_size(c.oid) AS main_bytes,
             pg_table_size(c.oid) AS table_bytes, coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS toast_bytes,
             pg_indexes_size(c.oid) AS index_bytes
        FROM pg_class c
        LEFT JOIN _apm.partitions() p ON p.part = c.oid
        LEFT JOIN _apm.compactions d ON c.oid = to_regclass('_apm.' || _apm.compact_table(d.day, true))
        LEFT JOIN _apm.kinds k ON k.kind = 'spans' AND d.day IS NOT NULL OR k.kind = p.kind OR c.oid = k.relation::regclass AND NOT k.daily
       WHERE c.relkind = 'r' AND c.relnamespace IN ('apm'::regnamespace, '_apm'::regnamespace)
          OR c.oid = p.part),
    sized AS (
      SELECT o.kind, o.relation, o.day, o.table_bytes - o.toast_bytes AS heap_bytes, o.toast_bytes, o.index_bytes,
             o.table_bytes + o.index_bytes AS total_bytes,
             (SELECT c.bytes_before FROM _apm.compactions c WHERE c.day = o.day AND o.relation = '_apm.' || _apm.compact_table(c.day, false) AND c.state = 'done') AS bytes_before,
             CASE WHEN o.main_bytes = 0 THEN 0
                  WHEN o.reltuples >= 0 AND o.relpages > 0
                  THEN (o.reltuples / o.relpages * (o.main_bytes / current_setting('block_size')::bigint))::bigint END AS row_count
        FROM one o)
    SELECT CASE WHEN detail <> 'total' THEN s.kind END, CASE WHEN detail = 'table' THEN s.relation END,
           CASE WHEN detail = 'table' THEN s.day END,
           CASE WHEN count(*) = count(s.row_count) THEN sum(s.row_count)::bigint END,
           sum(s.heap_bytes)::bigint, sum(s.toast_bytes)::bigint, sum(s.index_bytes)::bigint, sum(s.total_bytes)::bigint,
           sum(s.bytes_before)::bigint
      FROM sized s
     GROUP BY 1, 2, 3
     ORDER BY 1, 3 DESC NULLS LAST, 2;
END
$$;
COMMENT ON FUNCTION apm.storage(text) IS 'Bytes on disk of everything stored. detail: a row for each table and day (''table''), for each kind of data (''kind''), or one (''total''). row_count is the planner''s estimate, NULL where a table was never analyzed; heap, out-of-line values (toast) and indexes in bytes add up to total_bytes; bytes_before is what compacted days took before. Example: SELECT kind, pg_size_pretty(total_bytes) FROM apm.storage(''kind'')';
