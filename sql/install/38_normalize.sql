-- ---------------------------------------------------------------------------
-- normalize: what apm.ingest does to names and descriptions, as functions

CREATE FUNCTION apm.normalize_description(op text, description text, db_system text DEFAULT NULL) RETURNS text
  AS 'MODULE_PATHNAME', 'apm_normalize_description' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION apm.normalize_description(text, text, text) IS 'Description of a span without its variable parts, by the rules of its op; span_group is made of it; NULL when there is no rule. Example: SELECT apm.normalize_description(''db'', ''SELECT * FROM t WHERE id = 7'')';

CREATE FUNCTION apm.normalize_name(name text) RETURNS text
  AS 'MODULE_PATHNAME', 'apm_normalize_name' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION apm.normalize_name(text) IS 'Transaction name in which segments that hold ids, hashes or dates are starred. Example: SELECT apm.normalize_name(''/users/1234/orders'')';
