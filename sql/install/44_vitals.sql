-- ---------------------------------------------------------------------------
-- vitals: web vitals that arrive apart from their page

CREATE TYPE _apm.page_vital AS (
  project_id       integer,
  trace_id         apm.trace_id,
  span_id          apm.span_id,
  page_end         timestamptz,
  vitals           jsonb,
  observed_at      timestamptz,
  transaction_name text,
  environment      text,
  release          text,
  browser          text
);
COMMENT ON TYPE _apm.page_vital IS 'Row of _apm.page_vitals as apm.ingest hands it over';

CREATE TABLE _apm.page_vitals (LIKE _apm.page_vital);
ALTER TABLE _apm.page_vitals
  ALTER project_id SET NOT NULL,
  ALTER trace_id SET NOT NULL,
  ALTER span_id SET NOT NULL,
  ALTER observed_at SET NOT NULL,
  ADD PRIMARY KEY (project_id, trace_id, span_id);
CREATE INDEX page_vitals_waiting ON _apm.page_vitals (project_id, observed_at) WHERE page_end IS NULL;
CREATE INDEX page_vitals_observed_at ON _apm.page_vitals (observed_at);
COMMENT ON TABLE _apm.page_vitals IS 'Where pages and web vitals that arrive apart meet: page_end is set once the page is stored (such rows may go after pg_apm.seen_horizon), vitals are what came apart; without page_end they wait, or their SDK does not say which page was meant, and they count under transaction_name';

CREATE FUNCTION _apm.merge_measurements(measurements jsonb, vitals jsonb) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'apm_merge_measurements' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.merge_measurements(jsonb, jsonb) IS 'Measurements with web vitals added, of each the larger';

CREATE FUNCTION _apm.merge_measurements(measurements jsonb, vitals jsonb, duration_ms float8, browser text) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'apm_merge_measurements' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.merge_measurements(jsonb, jsonb, float8, text) IS 'Measurements with web vitals added, of each the larger, and while pg_apm.derive_measurements is on with what is computed of them';

-- Planned anew each time, that only the partitions of these pages are touched.
CREATE FUNCTION _apm.add_vitals(pages _apm.page_vital[]) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  first_end timestamptz;
  last_end  timestamptz;
BEGIN
  SELECT min(v.page_end), max(v.page_end) INTO first_end, last_end FROM unnest(pages) v;
  EXECUTE $sql$
    UPDATE apm.transactions t
       SET measurements = _apm.merge_measurements(t.measurements, v.vitals, t.duration_ms,
                                                  coalesce(t.contexts -> 'browser' ->> 'name', v.browser))
      FROM unnest($1) v
     WHERE t.project_id = v.project_id AND t.trace_id = v.trace_id AND t.span_id = v.span_id
       AND t.end_time = v.page_end AND t.end_time BETWEEN $2 AND $3
       AND _apm.merge_measurements(t.measurements, v.vitals) IS DISTINCT FROM t.measurements
  $sql$ USING pages, first_end, last_end;
END
$$;
COMMENT ON FUNCTION _apm.add_vitals(_apm.page_vital[]) IS 'Adds web vitals to the stored transactions of their pages';

-- What has web vitals: pages, and vitals that have none (yet).
CREATE VIEW _apm.vital_rows WITH (security_invoker = true) AS
  SELECT t.project_id, t.end_time, t.name, t.environment, t.release, t.measurements,
         t.contexts -> 'browser' ->> 'name' AS browser
    FROM apm.transactions t
  UNION ALL
  SELECT p.project_id, p.observed_at, p.transaction_name, p.environment, p.release, p.vitals, p.browser
    FROM _apm.page_vitals p WHERE p.page_end IS NULL;
COMMENT ON VIEW _apm.vital_rows IS 'Measurements of transactions, and web vitals whose page is not stored or not known';

SELECT pg_catalog.pg_extension_config_dump('_apm.page_vitals', '');
