-- ---------------------------------------------------------------------------
-- access: the three roles, shared by all databases of the cluster

DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['apm_reader', 'apm_writer', 'apm_admin'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
      EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
END
$$;
GRANT apm_reader TO apm_admin;
GRANT apm_writer TO apm_admin;

GRANT USAGE ON SCHEMA apm, _apm TO apm_reader, apm_writer, apm_admin;
GRANT SELECT ON ALL TABLES IN SCHEMA apm TO apm_reader;
GRANT SELECT ON _apm.span_batches, _apm.outcome_log, _apm.page_vitals, _apm.vital_rows,
  _apm.kinds, _apm.retention, _apm.maintenance, _apm.compactions TO apm_reader;
GRANT SELECT ON _apm.cubes, _apm.cube_columns, _apm.rollup_state, _apm.rollup_floor, _apm.stale_hours, _apm.kept_names,
  _apm.transaction_minutes, _apm.transaction_hours, _apm.transaction_days,
  _apm.transaction_total_minutes, _apm.transaction_total_hours, _apm.transaction_total_days,
  _apm.vital_minutes, _apm.vital_hours, _apm.vital_days TO apm_reader;
GRANT SELECT ON _apm.span_minutes, _apm.span_hours, _apm.span_days,
  _apm.span_total_minutes, _apm.span_total_hours, _apm.span_total_days TO apm_reader;

-- Everything that writes: nobody by default.
DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN
    SELECT p.oid FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname IN ('apm', '_apm') AND p.provolatile = 'v'
  LOOP
    EXECUTE pg_catalog.format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', f);
    EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO apm_admin', f);
  END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION apm.ingest(bytea, integer, timestamptz, text) TO apm_writer;
GRANT EXECUTE ON FUNCTION apm.ingest_batch(bytea[], integer[], timestamptz[], text) TO apm_writer;
REVOKE EXECUTE ON FUNCTION apm.authenticate(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apm.authenticate(text, text, text) TO apm_writer;
GRANT EXECUTE ON PROCEDURE apm.ingest_from(regclass, name, name, name, name, integer, text, integer, boolean) TO apm_writer;
GRANT EXECUTE ON FUNCTION _apm.bulk_begin(regclass, name, name, name, name, integer, integer, boolean) TO apm_writer;
GRANT EXECUTE ON FUNCTION _apm.bulk_step(regclass, name, name, name, name, integer, text, integer) TO apm_writer;
GRANT SELECT, INSERT, UPDATE ON _apm.bulk_loads TO apm_writer;
GRANT SELECT ON _apm.bulk_loads TO apm_reader;
GRANT SELECT ON apm.bulk_loads TO apm_writer;
GRANT INSERT, UPDATE, DELETE ON apm.metrics, apm.thresholds, apm.failure_rules, apm.scrub_rules TO apm_admin;
GRANT UPDATE (name) ON apm.projects TO apm_admin;

-- Only code of the extension that rewrites rolled rows may mark them so.
REVOKE EXECUTE ON FUNCTION _apm.store_as_rolled(boolean) FROM apm_admin;
