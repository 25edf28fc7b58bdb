-- ---------------------------------------------------------------------------
-- types: trace_id, span_id, span_status and the three row types
--
-- The operators lie in pg_catalog, so that they resolve whatever the
-- search_path: WHERE trace_id = '…', IN, JOIN USING and IS DISTINCT FROM look
-- them up by name.

CREATE TYPE apm.trace_id;

CREATE FUNCTION apm.trace_id_in(cstring) RETURNS apm.trace_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.trace_id_out(apm.trace_id) RETURNS cstring
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.trace_id_recv(internal) RETURNS apm.trace_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.trace_id_send(apm.trace_id) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE apm.trace_id (
  INPUT = apm.trace_id_in,
  OUTPUT = apm.trace_id_out,
  RECEIVE = apm.trace_id_recv,
  SEND = apm.trace_id_send,
  INTERNALLENGTH = 16,
  ALIGNMENT = char,
  STORAGE = plain
);
COMMENT ON TYPE apm.trace_id IS 'Id of a trace: 16 bytes, not all zero; text form 32 lower-case hex digits, dashes and upper case accepted. Example: ''4bf92f3577b34da6a3ce929d0e0e4736''::apm.trace_id';
COMMENT ON FUNCTION apm.trace_id_in(cstring) IS 'Input function of apm.trace_id. Example: ''4bf92f3577b34da6a3ce929d0e0e4736''::apm.trace_id';
COMMENT ON FUNCTION apm.trace_id_out(apm.trace_id) IS 'Output function of apm.trace_id: 32 lower-case hex digits. Example: trace_id::text';
COMMENT ON FUNCTION apm.trace_id_recv(internal) IS 'Binary input function of apm.trace_id: 16 bytes. Example: COPY … FROM … (FORMAT binary)';
COMMENT ON FUNCTION apm.trace_id_send(apm.trace_id) IS 'Binary output function of apm.trace_id: 16 bytes. Example: COPY … TO … (FORMAT binary)';

CREATE TYPE apm.span_id;

CREATE FUNCTION apm.span_id_in(cstring) RETURNS apm.span_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.span_id_out(apm.span_id) RETURNS cstring
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.span_id_recv(internal) RETURNS apm.span_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION apm.span_id_send(apm.span_id) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE apm.span_id (
  INPUT = apm.span_id_in,
  OUTPUT = apm.span_id_out,
  RECEIVE = apm.span_id_recv,
  SEND = apm.span_id_send,
  INTERNALLENGTH = 8,
  PASSEDBYVALUE,
  ALIGNMENT = double,
  STORAGE = plain
);
COMMENT ON TYPE apm.span_id IS 'Id of a span: 8 bytes, not all zero; text form 16 lower-case hex digits, upper case accepted. Example: ''00f067aa0ba902b7''::apm.span_id';
COMMENT ON FUNCTION apm.span_id_in(cstring) IS 'Input function of apm.span_id. Example: ''00f067aa0ba902b7''::apm.span_id';
COMMENT ON FUNCTION apm.span_id_out(apm.span_id) IS 'Output function of apm.span_id: 16 lower-case hex digits. Example: span_id::text';
COMMENT ON FUNCTION apm.span_id_recv(internal) IS 'Binary input function of apm.span_id: 8 bytes. Example: COPY … FROM … (FORMAT binary)';
COMMENT ON FUNCTION apm.span_id_send(apm.span_id) IS 'Binary output function of apm.span_id: 8 bytes. Example: COPY … TO … (FORMAT binary)';

CREATE FUNCTION apm.trace_id_eq(apm.trace_id, apm.trace_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_eq(apm.trace_id, apm.trace_id) IS 'Implementation of =: equal, comparing trace ids, byte by byte. Example: a.trace_id = b.trace_id';
CREATE FUNCTION apm.trace_id_ne(apm.trace_id, apm.trace_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_ne(apm.trace_id, apm.trace_id) IS 'Implementation of <>: not equal, comparing trace ids, byte by byte. Example: a.trace_id <> b.trace_id';
CREATE FUNCTION apm.trace_id_lt(apm.trace_id, apm.trace_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_lt(apm.trace_id, apm.trace_id) IS 'Implementation of <: less than, comparing trace ids, byte by byte. Example: a.trace_id < b.trace_id';
CREATE FUNCTION apm.trace_id_le(apm.trace_id, apm.trace_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_le(apm.trace_id, apm.trace_id) IS 'Implementation of <=: less than or equal, comparing trace ids, byte by byte. Example: a.trace_id <= b.trace_id';
CREATE FUNCTION apm.trace_id_gt(apm.trace_id, apm.trace_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_gt(apm.trace_id, apm.trace_id) IS 'Implementation of >: greater than, comparing trace ids, byte by byte. Example: a.trace_id > b.trace_id';
CREATE FUNCTION apm.trace_id_ge(apm.trace_id, apm.trace_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_ge(apm.trace_id, apm.trace_id) IS 'Implementation of >=: greater than or equal, comparing trace ids, byte by byte. Example: a.trace_id >= b.trace_id';
CREATE FUNCTION apm.trace_id_cmp(apm.trace_id, apm.trace_id) RETURNS integer
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_cmp(apm.trace_id, apm.trace_id) IS 'Order of two trace_ids for btree: -1, 0 or 1. Example: apm.trace_id_cmp(a.trace_id, b.trace_id)';
CREATE FUNCTION apm.trace_id_hash(apm.trace_id) RETURNS integer
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_hash(apm.trace_id) IS 'Hash of a trace_id for hash joins and grouping. Example: apm.trace_id_hash(trace_id)';
CREATE FUNCTION apm.trace_id_hash_extended(apm.trace_id, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_hash_extended(apm.trace_id, bigint) IS 'Seeded 64-bit hash of a trace_id, for hash partitioning. Example: apm.trace_id_hash_extended(trace_id, 0)';

CREATE OPERATOR pg_catalog.= (
  LEFTARG = apm.trace_id, RIGHTARG = apm.trace_id, FUNCTION = apm.trace_id_eq,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (apm.trace_id, apm.trace_id) IS 'equal';
CREATE OPERATOR pg_catalog.<> (
  LEFTARG = apm.trace_id, RIGHTARG = apm.trace_id, FUNCTION = apm.trace_id_ne,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (apm.trace_id, apm.trace_id) IS 'not equal';
CREATE OPERATOR pg_catalog.< (
  LEFTARG = apm.trace_id, RIGHTARG = apm.trace_id, FUNCTION = apm.trace_id_lt,
  COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (apm.trace_id, apm.trace_id) IS 'less than';
CREATE OPERATOR pg_catalog.<= (
  LEFTARG = apm.trace_id, RIGHTARG = apm.trace_id, FUNCTION = apm.trace_id_le,
  COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (apm.trace_id, apm.trace_id) IS 'less than or equal';
CREATE OPERATOR pg_catalog.> (
  LEFTARG = apm.trace_id, RIGHTARG = apm.trace_id, FUNCTION = apm.trace_id_gt,
  COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (apm.trace_id, apm.trace_id) IS 'greater than';
CREATE OPERATOR pg_catalog.>= (
  LEFTARG = apm.trace_id, RIGHTARG = apm.trace_id, FUNCTION = apm.trace_id_ge,
  COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (apm.trace_id, apm.trace_id) IS 'greater than or equal';

CREATE OPERATOR CLASS apm.trace_id_ops DEFAULT FOR TYPE apm.trace_id USING btree AS
  OPERATOR 1 pg_catalog.<,
  OPERATOR 2 pg_catalog.<=,
  OPERATOR 3 pg_catalog.=,
  OPERATOR 4 pg_catalog.>=,
  OPERATOR 5 pg_catalog.>,
  FUNCTION 1 apm.trace_id_cmp(apm.trace_id, apm.trace_id);
CREATE OPERATOR CLASS apm.trace_id_hash_ops DEFAULT FOR TYPE apm.trace_id USING hash AS
  OPERATOR 1 pg_catalog.=,
  FUNCTION 1 apm.trace_id_hash(apm.trace_id),
  FUNCTION 2 apm.trace_id_hash_extended(apm.trace_id, bigint);

CREATE FUNCTION apm.trace_id_to_uuid(apm.trace_id) RETURNS uuid
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_to_uuid(apm.trace_id) IS 'Cast to uuid: the same 16 bytes. Example: trace_id::uuid';
CREATE FUNCTION apm.trace_id_from_uuid(uuid) RETURNS apm.trace_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_from_uuid(uuid) IS 'Cast from uuid: the same 16 bytes; all zero is refused. Example: x::uuid::apm.trace_id';
CREATE CAST (apm.trace_id AS uuid) WITH FUNCTION apm.trace_id_to_uuid(apm.trace_id) AS ASSIGNMENT;
CREATE CAST (uuid AS apm.trace_id) WITH FUNCTION apm.trace_id_from_uuid(uuid) AS ASSIGNMENT;
CREATE FUNCTION apm.trace_id_to_bytea(apm.trace_id) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_to_bytea(apm.trace_id) IS 'Cast to bytea: the raw bytes, big-endian. Example: trace_id::bytea';
CREATE FUNCTION apm.trace_id_from_bytea(bytea) RETURNS apm.trace_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_from_bytea(bytea) IS 'Cast from bytea: the raw bytes, big-endian; all zero is refused. Example: x::bytea::apm.trace_id';
CREATE CAST (apm.trace_id AS bytea) WITH FUNCTION apm.trace_id_to_bytea(apm.trace_id) AS ASSIGNMENT;
CREATE CAST (bytea AS apm.trace_id) WITH FUNCTION apm.trace_id_from_bytea(bytea) AS ASSIGNMENT;
CREATE FUNCTION apm.trace_id_to_text(apm.trace_id) RETURNS text
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_to_text(apm.trace_id) IS 'Cast to text: hex digits. Example: trace_id::text';
CREATE FUNCTION apm.trace_id_from_text(text) RETURNS apm.trace_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.trace_id_from_text(text) IS 'Cast from text: hex digits; all zero is refused. Example: x::text::apm.trace_id';
CREATE CAST (apm.trace_id AS text) WITH FUNCTION apm.trace_id_to_text(apm.trace_id) AS ASSIGNMENT;
CREATE CAST (text AS apm.trace_id) WITH FUNCTION apm.trace_id_from_text(text) AS ASSIGNMENT;

CREATE FUNCTION apm.span_id_eq(apm.span_id, apm.span_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_eq(apm.span_id, apm.span_id) IS 'Implementation of =: equal, comparing span ids, as unsigned numbers. Example: a.span_id = b.span_id';
CREATE FUNCTION apm.span_id_ne(apm.span_id, apm.span_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_ne(apm.span_id, apm.span_id) IS 'Implementation of <>: not equal, comparing span ids, as unsigned numbers. Example: a.span_id <> b.span_id';
CREATE FUNCTION apm.span_id_lt(apm.span_id, apm.span_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_lt(apm.span_id, apm.span_id) IS 'Implementation of <: less than, comparing span ids, as unsigned numbers. Example: a.span_id < b.span_id';
CREATE FUNCTION apm.span_id_le(apm.span_id, apm.span_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_le(apm.span_id, apm.span_id) IS 'Implementation of <=: less than or equal, comparing span ids, as unsigned numbers. Example: a.span_id <= b.span_id';
CREATE FUNCTION apm.span_id_gt(apm.span_id, apm.span_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_gt(apm.span_id, apm.span_id) IS 'Implementation of >: greater than, comparing span ids, as unsigned numbers. Example: a.span_id > b.span_id';
CREATE FUNCTION apm.span_id_ge(apm.span_id, apm.span_id) RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_ge(apm.span_id, apm.span_id) IS 'Implementation of >=: greater than or equal, comparing span ids, as unsigned numbers. Example: a.span_id >= b.span_id';
CREATE FUNCTION apm.span_id_cmp(apm.span_id, apm.span_id) RETURNS integer
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_cmp(apm.span_id, apm.span_id) IS 'Order of two span_ids for btree: -1, 0 or 1. Example: apm.span_id_cmp(a.span_id, b.span_id)';
CREATE FUNCTION apm.span_id_hash(apm.span_id) RETURNS integer
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_hash(apm.span_id) IS 'Hash of a span_id for hash joins and grouping. Example: apm.span_id_hash(span_id)';
CREATE FUNCTION apm.span_id_hash_extended(apm.span_id, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_hash_extended(apm.span_id, bigint) IS 'Seeded 64-bit hash of a span_id, for hash partitioning. Example: apm.span_id_hash_extended(span_id, 0)';

CREATE OPERATOR pg_catalog.= (
  LEFTARG = apm.span_id, RIGHTARG = apm.span_id, FUNCTION = apm.span_id_eq,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (apm.span_id, apm.span_id) IS 'equal';
CREATE OPERATOR pg_catalog.<> (
  LEFTARG = apm.span_id, RIGHTARG = apm.span_id, FUNCTION = apm.span_id_ne,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (apm.span_id, apm.span_id) IS 'not equal';
CREATE OPERATOR pg_catalog.< (
  LEFTARG = apm.span_id, RIGHTARG = apm.span_id, FUNCTION = apm.span_id_lt,
  COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (apm.span_id, apm.span_id) IS 'less than';
CREATE OPERATOR pg_catalog.<= (
  LEFTARG = apm.span_id, RIGHTARG = apm.span_id, FUNCTION = apm.span_id_le,
  COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (apm.span_id, apm.span_id) IS 'less than or equal';
CREATE OPERATOR pg_catalog.> (
  LEFTARG = apm.span_id, RIGHTARG = apm.span_id, FUNCTION = apm.span_id_gt,
  COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (apm.span_id, apm.span_id) IS 'greater than';
CREATE OPERATOR pg_catalog.>= (
  LEFTARG = apm.span_id, RIGHTARG = apm.span_id, FUNCTION = apm.span_id_ge,
  COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (apm.span_id, apm.span_id) IS 'greater than or equal';

CREATE OPERATOR CLASS apm.span_id_ops DEFAULT FOR TYPE apm.span_id USING btree AS
  OPERATOR 1 pg_catalog.<,
  OPERATOR 2 pg_catalog.<=,
  OPERATOR 3 pg_catalog.=,
  OPERATOR 4 pg_catalog.>=,
  OPERATOR 5 pg_catalog.>,
  FUNCTION 1 apm.span_id_cmp(apm.span_id, apm.span_id);
CREATE OPERATOR CLASS apm.span_id_hash_ops DEFAULT FOR TYPE apm.span_id USING hash AS
  OPERATOR 1 pg_catalog.=,
  FUNCTION 1 apm.span_id_hash(apm.span_id),
  FUNCTION 2 apm.span_id_hash_extended(apm.span_id, bigint);

CREATE FUNCTION apm.span_id_to_bytea(apm.span_id) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_to_bytea(apm.span_id) IS 'Cast to bytea: the raw bytes, big-endian. Example: span_id::bytea';
CREATE FUNCTION apm.span_id_from_bytea(bytea) RETURNS apm.span_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_from_bytea(bytea) IS 'Cast from bytea: the raw bytes, big-endian; all zero is refused. Example: x::bytea::apm.span_id';
CREATE CAST (apm.span_id AS bytea) WITH FUNCTION apm.span_id_to_bytea(apm.span_id) AS ASSIGNMENT;
CREATE CAST (bytea AS apm.span_id) WITH FUNCTION apm.span_id_from_bytea(bytea) AS ASSIGNMENT;
CREATE FUNCTION apm.span_id_to_text(apm.span_id) RETURNS text
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_to_text(apm.span_id) IS 'Cast to text: hex digits. Example: span_id::text';
CREATE FUNCTION apm.span_id_from_text(text) RETURNS apm.span_id
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_id_from_text(text) IS 'Cast from text: hex digits; all zero is refused. Example: x::text::apm.span_id';
CREATE CAST (apm.span_id AS text) WITH FUNCTION apm.span_id_to_text(apm.span_id) AS ASSIGNMENT;
CREATE CAST (text AS apm.span_id) WITH FUNCTION apm.span_id_from_text(text) AS ASSIGNMENT;

CREATE TYPE apm.span_status AS ENUM (
  'ok',
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal_error',
  'unavailable',
  'data_loss',
  'unauthenticated'
);
COMMENT ON TYPE apm.span_status IS 'Outcome of a span, by the names of the gRPC codes 0 to 16 in that order. Example: ''internal_error''::apm.span_status';

CREATE TYPE apm.span AS (
  trace_id       apm.trace_id,
  span_id        apm.span_id,
  parent_span_id apm.span_id,
  segment_id     apm.span_id,
  is_segment     boolean,
  op             text,
  description    text,
  status         apm.span_status,
  start_time     timestamptz,
  duration_ms    float8,
  self_time_ms   float8,
  category       text,
  span_group     text,
  origin         text,
  attributes     jsonb
);
COMMENT ON TYPE apm.span IS 'One timed operation of a trace; durations in milliseconds. Example: SELECT (s).op, (s).duration_ms FROM apm.envelope_spans(body) s';

CREATE TYPE apm.transaction AS (
  project_id     integer,
  event_id       uuid,
  trace_id       apm.trace_id,
  span_id        apm.span_id,
  parent_span_id apm.span_id,
  name           text,
  source         text,
  op             text,
  status         apm.span_status,
  start_time     timestamptz,
  end_time       timestamptz,
  duration_ms    float8,
  environment    text,
  release        text,
  platform       text,
  sdk            text,
  user_key       text,
  http_method    text,
  http_status    integer,
  measurements   jsonb,
  tags           jsonb,
  contexts       jsonb,
  sample_rate    float8,
  weight         float8,
  span_count     integer,
  received_at    timestamptz
);
COMMENT ON TYPE apm.transaction IS 'The segment span of one service''s work, with its event; durations in milliseconds. Example: SELECT name, duration_ms FROM apm.envelope_transactions(body)';

CREATE TYPE apm.error_event AS (
  project_id       integer,
  event_id         uuid,
  trace_id         apm.trace_id,
  span_id          apm.span_id,
  level            text,
  type             text,
  value            text,
  culprit          text,
  handled          boolean,
  transaction_name text,
  release          text,
  environment      text,
  user_key         text,
  fingerprint      text[],
  event_time       timestamptz,
  tags             jsonb,
  data             jsonb
);
COMMENT ON TYPE apm.error_event IS 'One error or message event; type is NULL for a message without exception. Example: SELECT type, value FROM apm.envelope_errors(body)';
