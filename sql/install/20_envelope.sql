-- ---------------------------------------------------------------------------
-- envelope: reading bodies as SDKs send them, without storing anything
--
-- STABLE, not IMMUTABLE: they obey pg_apm.validation and pg_apm.max_json_depth.

CREATE FUNCTION apm.envelope_header(body bytea) RETURNS jsonb
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.envelope_header(bytea) IS 'Header of an envelope; NULL if the body is none. Example: SELECT apm.envelope_header(body) ->> ''sent_at'' FROM bodies';

CREATE FUNCTION apm.envelope_items(body bytea, OUT ordinal integer, OUT type text, OUT header jsonb, OUT payload bytea)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 2;
COMMENT ON FUNCTION apm.envelope_items(bytea) IS 'Items of an envelope as they stand in it, counted from 1; no rows if the body is none. Example: SELECT i.type, length(i.payload) AS bytes FROM bodies, apm.envelope_items(body) i';

CREATE FUNCTION apm.envelope_transactions(body bytea) RETURNS SETOF apm.transaction
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
COMMENT ON FUNCTION apm.envelope_transactions(bytea) IS 'Transactions of an envelope: its transaction items and the segment spans of its span containers; durations in milliseconds. Example: SELECT t.name, t.duration_ms FROM bodies, apm.envelope_transactions(body) t';

CREATE FUNCTION apm.envelope_spans(body bytea) RETURNS SETOF apm.span
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION apm.envelope_spans(bytea) IS 'Spans of an envelope, the root span of each transaction included; durations in milliseconds. Example: SELECT s.op, s.description, s.duration_ms FROM bodies, apm.envelope_spans(body) s';

CREATE FUNCTION apm.envelope_errors(body bytea) RETURNS SETOF apm.error_event
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
COMMENT ON FUNCTION apm.envelope_errors(bytea) IS 'Error and message events of an envelope; type is NULL for a message without exception. Example: SELECT e.type, e.value FROM bodies, apm.envelope_errors(body) e';

CREATE FUNCTION apm.envelope_problems(body bytea, OUT ordinal integer, OUT type text, OUT reason text, OUT detail text)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
COMMENT ON FUNCTION apm.envelope_problems(bytea) IS 'What of an envelope is rejected, skipped, dropped or repaired, and why; ordinal 0 means the envelope as a whole, positions are bytes from 0. Example: SELECT p.* FROM bodies, apm.envelope_problems(body) p';

CREATE FUNCTION apm.parse_dsn(dsn text, OUT scheme text, OUT public_key text, OUT secret text, OUT host text,
                              OUT port integer, OUT path text, OUT project_id integer, OUT endpoint text)
  RETURNS record
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.parse_dsn(text) IS 'Parts of the DSN that an SDK is configured with, and the URL it posts envelopes to; port is NULL where the scheme''s own is meant. Example: SELECT project_id, host FROM apm.parse_dsn(''https://0123456789abcdef0123456789abcdef@apm.example.test/42'')';
