-- ---------------------------------------------------------------------------
-- plugin: the registry of formats

CREATE TABLE apm.formats (
  name        text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]*$'),
  handler     text NOT NULL,
  description text NOT NULL,
  builtin     boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE apm.formats IS 'Payload formats that apm.ingest takes; handler is a function (internal) RETURNS internal that returns an ApmFormat of pg_apm_plugin.h. Example: SELECT name, description FROM apm.formats';

CREATE FUNCTION _apm.check_format_handler(handler regprocedure, name text) RETURNS void
  AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION _apm.check_format_handler(regprocedure, text) IS 'Raises an error unless the function returns a format of this version';

CREATE FUNCTION apm.register_format(format_name text, handler regprocedure, description text DEFAULT '') RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF format_name !~ '^[a-z][a-z0-9_]*$' THEN
    RAISE EXCEPTION 'the name of a format consists of lower-case letters, digits and underscores'
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Such as otlp_json.';
  END IF;
  IF EXISTS (SELECT FROM apm.formats f WHERE f.name = format_name) THEN
    RAISE EXCEPTION 'format "%" exists already', format_name
      USING ERRCODE = 'duplicate_object', HINT = 'Unless it is built in, apm.unregister_format() removes it.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_proc
                  WHERE oid = handler::oid AND prorettype = 'internal'::regtype AND proargtypes = '2281'::oidvector) THEN
    RAISE EXCEPTION 'function % is not a format handler', handler
      USING ERRCODE = 'invalid_object_definition',
            HINT = 'Declare it as FUNCTION f(internal) RETURNS internal LANGUAGE C.';
  END IF;
  PERFORM _apm.check_format_handler(handler, format_name);
  INSERT INTO apm.formats (name, handler, description)
    VALUES (format_name,
            (SELECT format('%I.%I(internal)', n.nspname, p.proname)
               FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE p.oid = register_format.handler::oid),
            register_format.description);
END
$$;
COMMENT ON FUNCTION apm.register_format(text, regprocedure, text) IS 'Adds a payload format; its handler is called once to check that it fits this version. Example: SELECT apm.register_format(''otlp'', ''my_otlp_handler(internal)''::regprocedure, ''OTLP/JSON traces'')';

CREATE FUNCTION apm.unregister_format(format_name text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  DELETE FROM apm.formats f WHERE f.name = format_name AND NOT f.builtin;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'format "%" does not exist or is built in', format_name
      USING ERRCODE = 'undefined_object',
            HINT = 'SELECT name, builtin FROM apm.formats lists them.';
  END IF;
END
$$;
COMMENT ON FUNCTION apm.unregister_format(text) IS 'Removes a payload format that was registered; built-in ones stay. Example: SELECT apm.unregister_format(''otlp'')';
