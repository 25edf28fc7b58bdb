-- ---------------------------------------------------------------------------
-- spanset: packed, columnar, versioned set of spans

CREATE TYPE apm.spanset;

CREATE FUNCTION apm.spanset_in(cstring) RETURNS apm.spanset
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.spanset_out(apm.spanset) RETURNS cstring
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.spanset_recv(internal) RETURNS apm.spanset
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.spanset_send(apm.spanset) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE apm.spanset (
  INPUT = apm.spanset_in,
  OUTPUT = apm.spanset_out,
  RECEIVE = apm.spanset_recv,
  SEND = apm.spanset_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = int4,
  STORAGE = extended
);
COMMENT ON TYPE apm.spanset IS 'Packed set of spans, each column stored together; text form \x and hexadecimal digits of the bytes. Example: SELECT s.op, s.duration_ms FROM apm.unnest(spans) s';
COMMENT ON FUNCTION apm.spanset_in(cstring) IS 'Input function of apm.spanset: \x and hexadecimal digits. Example: ''\x0100''::apm.spanset';
COMMENT ON FUNCTION apm.spanset_out(apm.spanset) IS 'Output function of apm.spanset: \x and hexadecimal digits. Example: spans::text';
COMMENT ON FUNCTION apm.spanset_recv(internal) IS 'Binary input function of apm.spanset: the packed bytes, fully checked. Example: COPY … FROM … (FORMAT binary)';
COMMENT ON FUNCTION apm.spanset_send(apm.spanset) IS 'Binary output function of apm.spanset: the packed bytes. Example: COPY … TO … (FORMAT binary)';

CREATE FUNCTION apm.unnest(spans apm.spanset) RETURNS SETOF apm.span
  AS 'MODULE_PATHNAME', 'spanset_unnest' LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION apm.unnest(apm.spanset) IS 'The spans of a packed set, one row each, in the order they were packed; durations in milliseconds. Example: SELECT s.op, s.duration_ms FROM _apm.span_batches b, apm.unnest(b.spans) s';
