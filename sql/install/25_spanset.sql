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
  STORAGE = external
);
COMMENT ON TYPE apm.spanset IS 'Packed set of spans, each column stored together; text form \x and hexadecimal digits of the bytes. Example: SELECT s.op, s.duration_ms FROM apm.unnest(spans) s';
COMMENT ON FUNCTION apm.spanset_in(cstring) IS 'Input function of apm.spanset: \x and hexadecimal digits. Example: ''\x0100''::apm.spanset';
COMMENT ON FUNCTION apm.spanset_out(apm.spanset) IS 'Output function of apm.spanset: \x and hexadecimal digits. Example: spans::text';
COMMENT ON FUNCTION apm.spanset_recv(internal) IS 'Binary input function of apm.spanset: the packed bytes, fully checked. Example: COPY … FROM … (FORMAT binary)';
COMMENT ON FUNCTION apm.spanset_send(apm.spanset) IS 'Binary output function of apm.spanset: the packed bytes. Example: COPY … TO … (FORMAT binary)';

CREATE FUNCTION apm.spanset_to_bytea(apm.spanset) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.spanset_to_bytea(apm.spanset) IS 'Cast to bytea: the packed bytes. Example: length(spans::bytea)';
CREATE FUNCTION apm.spanset_from_bytea(bytea) RETURNS apm.spanset
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.spanset_from_bytea(bytea) IS 'Cast from bytea: packed bytes, fully checked. Example: b::apm.spanset';
CREATE CAST (apm.spanset AS bytea) WITH FUNCTION apm.spanset_to_bytea(apm.spanset);
CREATE CAST (bytea AS apm.spanset) WITH FUNCTION apm.spanset_from_bytea(bytea);

-- Reading.  Rows of apm.span hold oids of status labels, hence STABLE.

CREATE FUNCTION _apm.spanset_unnest_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.spanset_unnest_support(internal) IS 'Planner support: how many rows apm.unnest gives, and which columns of them a query uses';

CREATE FUNCTION apm.unnest(spans apm.spanset) RETURNS SETOF apm.span
  AS 'MODULE_PATHNAME', 'spanset_unnest' LANGUAGE C STABLE STRICT PARALLEL SAFE
  COST 10 ROWS 10 SUPPORT _apm.spanset_unnest_support;
COMMENT ON FUNCTION apm.unnest(apm.spanset) IS 'The spans of a packed set, one row each, in the order in which they were packed; durations in milliseconds. Example: SELECT s.op, s.duration_ms FROM _apm.span_batches b, apm.unnest(b.spans) s';

-- What the planner makes of apm.unnest in a query that uses some columns only.
CREATE FUNCTION _apm.unnest_columns(spans apm.spanset, columns integer) RETURNS SETOF apm.span
  AS 'MODULE_PATHNAME', 'spanset_unnest_columns' LANGUAGE C STABLE STRICT PARALLEL SAFE
  COST 5 ROWS 10 SUPPORT _apm.spanset_unnest_support;
COMMENT ON FUNCTION _apm.unnest_columns(apm.spanset, integer) IS 'As apm.unnest, but only the columns of the mask are read; the others hold nothing of meaning';

CREATE FUNCTION apm.span_count(spans apm.spanset) RETURNS integer
  AS 'MODULE_PATHNAME', 'spanset_span_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.span_count(apm.spanset) IS 'How many spans a packed set holds, from its header alone. Example: SELECT sum(apm.span_count(spans)) FROM _apm.span_batches';

CREATE FUNCTION apm.start_time(spans apm.spanset) RETURNS timestamptz
  AS 'MODULE_PATHNAME', 'spanset_start_time' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.start_time(apm.spanset) IS 'Earliest start of the spans, exact to the microsecond; NULL if there are none. Example: SELECT apm.start_time(spans) FROM _apm.span_batches';

CREATE FUNCTION apm.end_time(spans apm.spanset) RETURNS timestamptz
  AS 'MODULE_PATHNAME', 'spanset_end_time' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.end_time(apm.spanset) IS 'Latest end of the spans, exact to the microsecond; NULL if there are none. Example: SELECT apm.end_time(spans) FROM _apm.span_batches';

CREATE FUNCTION apm.time_range(spans apm.spanset) RETURNS tstzrange
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE WHEN apm.span_count(spans) OPERATOR(pg_catalog.>) 0
    THEN pg_catalog.tstzrange(apm.start_time(spans), apm.end_time(spans), '[]') END;
COMMENT ON FUNCTION apm.time_range(apm.spanset) IS 'From the earliest start to the latest end of the spans, both included; NULL if there are none. Example: SELECT apm.time_range(spans) FROM _apm.span_batches';

CREATE FUNCTION apm.ops(spans apm.spanset) RETURNS text[]
  AS 'MODULE_PATHNAME', 'spanset_ops' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.ops(apm.spanset) IS 'The different ops of the spans, in byte order, without NULL. Example: SELECT apm.ops(spans) FROM _apm.span_batches';

CREATE FUNCTION apm.find_span(spans apm.spanset, span_id apm.span_id) RETURNS apm.span
  AS 'MODULE_PATHNAME', 'spanset_find_span' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION apm.find_span(apm.spanset, apm.span_id) IS 'The first span with this id, or NULL; durations in milliseconds. Example: SELECT (apm.find_span(spans, ''00f067aa0ba902b7'')).op FROM _apm.span_batches';

CREATE FUNCTION apm.spans_of_op(spans apm.spanset, op text) RETURNS SETOF apm.span
  AS 'MODULE_PATHNAME', 'spanset_spans_of_op' LANGUAGE C STABLE STRICT PARALLEL SAFE
  COST 10 ROWS 3;
COMMENT ON FUNCTION apm.spans_of_op(apm.spanset, text) IS 'The spans with this op; sets without it are not unpacked; durations in milliseconds. Example: SELECT s.description, s.duration_ms FROM _apm.span_batches b, apm.spans_of_op(b.spans, ''db'') s';

-- The aggregate.  Its state is the value type itself.

CREATE FUNCTION _apm.spanset_agg_transition(apm.spanset, apm.span) RETURNS apm.spanset
  AS 'MODULE_PATHNAME', 'spanset_agg_transition' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.spanset_agg_transition(apm.spanset, apm.span) IS 'Transition function of apm.spanset_agg';
CREATE FUNCTION _apm.spanset_agg_combine(apm.spanset, apm.spanset) RETURNS apm.spanset
  AS 'MODULE_PATHNAME', 'spanset_agg_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.spanset_agg_combine(apm.spanset, apm.spanset) IS 'Combine function of apm.spanset_agg';
CREATE FUNCTION _apm.spanset_agg_final(apm.spanset) RETURNS apm.spanset
  AS 'MODULE_PATHNAME', 'spanset_agg_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.spanset_agg_final(apm.spanset) IS 'Final function of apm.spanset_agg';

CREATE AGGREGATE apm.spanset_agg(span apm.span) (
  SFUNC = _apm.spanset_agg_transition,
  STYPE = apm.spanset,
  SSPACE = 4096,
  COMBINEFUNC = _apm.spanset_agg_combine,
  FINALFUNC = _apm.spanset_agg_final,
  FINALFUNC_MODIFY = READ_ONLY,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.spanset_agg(apm.span) IS 'Packs spans into one set, NULLs left out; NULL if there is none. Example: SELECT apm.spanset_agg(s) FROM apm.envelope_spans(body) s';

-- Lexicons: what the database has learned from its own spans.  Values that
-- were packed with one need it; leaving the database they are packed anew.

CREATE TABLE _apm.lexicons (
  id      bigint PRIMARY KEY,
  words   bytea NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE _apm.lexicons IS 'Words and text that stored spans refer to, by a hash of the content; rows are never changed or deleted';
SELECT pg_catalog.pg_extension_config_dump('_apm.lexicons', '');

CREATE FUNCTION _apm.with_newest_lexicon(spans apm.spanset) RETURNS apm.spanset
  AS 'MODULE_PATHNAME', 'spanset_with_newest_lexicon' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.with_newest_lexicon(apm.spanset) IS 'The set packed with the newest lexicon of the database, for storing it here';

CREATE FUNCTION _apm.lexicon_of(spans apm.spanset) RETURNS bigint
  AS 'MODULE_PATHNAME', 'spanset_lexicon' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.lexicon_of(apm.spanset) IS 'The lexicon that a set was packed with; NULL if it needs none';

CREATE FUNCTION _apm.lexicon_make(words text[], learned text) RETURNS bytea
  AS 'MODULE_PATHNAME', 'lexicon_make' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.lexicon_make(text[], text) IS 'A lexicon of these words and this text, as bytes';

CREATE FUNCTION _apm.lexicon_number(words bytea) RETURNS bigint
  AS 'MODULE_PATHNAME', 'lexicon_number' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION _apm.lexicon_number(bytea) IS 'The id that stands for a lexicon''s content';

CREATE FUNCTION _apm.pieces(spans apm.spanset, OUT is_word boolean, OUT piece text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'spanset_pieces' LANGUAGE C STABLE STRICT PARALLEL SAFE
  COST 10 ROWS 100;
COMMENT ON FUNCTION _apm.pieces(apm.spanset) IS 'What a lexicon can learn from a set: strings of its columns (words), descriptions and members of attributes (text)';
