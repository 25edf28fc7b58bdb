-- pg_apm: assembled by the Makefile from sql/install/*.sql
\echo Use "CREATE EXTENSION pg_apm" to load this file. \quit

DO $$
BEGIN
  IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'pg_apm needs a database whose encoding is UTF8, this one is %',
      pg_catalog.current_setting('server_encoding')
      USING ERRCODE = 'feature_not_supported',
            HINT = 'Create one with: CREATE DATABASE name ENCODING ''UTF8'' TEMPLATE template0;';
  END IF;
END
$$;

CREATE SCHEMA apm;
COMMENT ON SCHEMA apm IS 'pg_apm: application performance monitoring; everything in here is public and documented';
CREATE SCHEMA _apm;
COMMENT ON SCHEMA _apm IS 'pg_apm: private tables and helpers; may change in any version';
