-- ---------------------------------------------------------------------------
-- breakdown: durations of packed spans by op, category and group
--
-- The aggregates read the columns that they need out of apm.spanset and never
-- unpack it.  Their state is apm.breakdown itself, so that it can be stored
-- and merged like a sketch.

CREATE TYPE apm.breakdown;

CREATE FUNCTION apm.breakdown_in(cstring) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION apm.breakdown_out(apm.breakdown) RETURNS cstring
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
CREATE FUNCTION apm.breakdown_recv(internal) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION apm.breakdown_send(apm.breakdown) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;

-- Aligned as the counters of its working form are.
CREATE TYPE apm.breakdown (
  INPUT = apm.breakdown_in,
  OUTPUT = apm.breakdown_out,
  RECEIVE = apm.breakdown_recv,
  SEND = apm.breakdown_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = double,
  STORAGE = external
);
COMMENT ON TYPE apm.breakdown IS 'Durations of spans, in milliseconds, by a key: one apm.sketch for each op, category or span group; mergeable; text form \x and hexadecimal digits. Example: SELECT k.key, apm.percentile(k.durations, 0.95) FROM (SELECT apm.durations_by_op(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';
COMMENT ON FUNCTION apm.breakdown_in(cstring) IS 'Input function of apm.breakdown: \x and hexadecimal digits of its compact form, checked in full. Example: d::text::apm.breakdown';
COMMENT ON FUNCTION apm.breakdown_out(apm.breakdown) IS 'Output function of apm.breakdown: \x and hexadecimal digits of its compact form, without loss. Example: apm.durations_by_op(spans)::text';
COMMENT ON FUNCTION apm.breakdown_recv(internal) IS 'Binary input function of apm.breakdown: its compact form, checked in full. Example: COPY … FROM … (FORMAT binary)';
COMMENT ON FUNCTION apm.breakdown_send(apm.breakdown) IS 'Binary output function of apm.breakdown: its compact form. Example: COPY … TO … (FORMAT binary)';

CREATE FUNCTION apm.by_key(breakdown apm.breakdown, OUT key text, OUT spans bigint, OUT total_ms float8, OUT durations apm.sketch)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'breakdown_by_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 20;
COMMENT ON FUNCTION apm.by_key(apm.breakdown) IS 'A breakdown as rows, one a key (NULL first, then in order of bytes): number of spans, their total and the sketch of their durations or self times, in milliseconds. Example: SELECT k.key, k.spans, k.total_ms, apm.percentile(k.durations, 0.95) AS p95_ms FROM (SELECT apm.durations_by_op(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';

CREATE FUNCTION _apm.breakdown_add_durations_by_op(apm.breakdown, apm.spanset) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION _apm.breakdown_add_durations_by_category(apm.breakdown, apm.spanset) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION _apm.breakdown_add_durations_by_group(apm.breakdown, apm.spanset) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION _apm.breakdown_add_self_times_by_op(apm.breakdown, apm.spanset) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION _apm.breakdown_add_self_times_by_category(apm.breakdown, apm.spanset) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION _apm.breakdown_add_self_times_by_group(apm.breakdown, apm.spanset) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION _apm.breakdown_combine(apm.breakdown, apm.breakdown) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200;
CREATE FUNCTION _apm.breakdown_final(apm.breakdown) RETURNS apm.breakdown
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;

CREATE AGGREGATE apm.durations_by_op(spans apm.spanset) (
  SFUNC = _apm.breakdown_add_durations_by_op, STYPE = apm.breakdown, SSPACE = 16000,
  FINALFUNC = _apm.breakdown_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.breakdown_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.durations_by_op(apm.spanset) IS 'Durations of packed spans by op, in milliseconds, without unpacking them; NULL if there is no span. Example: SELECT k.key AS op, apm.percentile(k.durations, 0.95) AS p95_ms FROM (SELECT apm.durations_by_op(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';

CREATE AGGREGATE apm.durations_by_category(spans apm.spanset) (
  SFUNC = _apm.breakdown_add_durations_by_category, STYPE = apm.breakdown, SSPACE = 16000,
  FINALFUNC = _apm.breakdown_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.breakdown_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.durations_by_category(apm.spanset) IS 'Durations of packed spans by category, in milliseconds, without unpacking them; NULL if there is no span. Example: SELECT k.key AS category, k.spans, k.total_ms FROM (SELECT apm.durations_by_category(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';

CREATE AGGREGATE apm.durations_by_group(spans apm.spanset) (
  SFUNC = _apm.breakdown_add_durations_by_group, STYPE = apm.breakdown, SSPACE = 64000,
  FINALFUNC = _apm.breakdown_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.breakdown_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.durations_by_group(apm.spanset) IS 'Durations of packed spans by span group, in milliseconds, without unpacking them; NULL if there is no span. Example: SELECT k.key AS span_group, k.spans, apm.percentile(k.durations, 0.95) AS p95_ms FROM (SELECT apm.durations_by_group(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';

CREATE AGGREGATE apm.self_times_by_op(spans apm.spanset) (
  SFUNC = _apm.breakdown_add_self_times_by_op, STYPE = apm.breakdown, SSPACE = 16000,
  FINALFUNC = _apm.breakdown_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.breakdown_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.self_times_by_op(apm.spanset) IS 'Self times of packed spans by op, in milliseconds, without unpacking them; spans of unknown self time do not count, NULL if there is no other. Example: SELECT k.key AS op, k.total_ms FROM (SELECT apm.self_times_by_op(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';

CREATE AGGREGATE apm.self_times_by_category(spans apm.spanset) (
  SFUNC = _apm.breakdown_add_self_times_by_category, STYPE = apm.breakdown, SSPACE = 16000,
  FINALFUNC = _apm.breakdown_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.breakdown_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.self_times_by_category(apm.spanset) IS 'Self times of packed spans by category, in milliseconds, without unpacking them: where the time goes; spans of unknown self time do not count, NULL if there is no other. Example: SELECT k.key AS category, k.total_ms FROM (SELECT apm.self_times_by_category(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';

CREATE AGGREGATE apm.self_times_by_group(spans apm.spanset) (
  SFUNC = _apm.breakdown_add_self_times_by_group, STYPE = apm.breakdown, SSPACE = 64000,
  FINALFUNC = _apm.breakdown_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.breakdown_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.self_times_by_group(apm.spanset) IS 'Self times of packed spans by span group, in milliseconds, without unpacking them; spans of unknown self time do not count, NULL if there is no other. Example: SELECT k.key AS span_group, k.total_ms FROM (SELECT apm.self_times_by_group(spans) AS d FROM _apm.span_batches) s, apm.by_key(s.d) k';

CREATE AGGREGATE apm.breakdown_merge(breakdown apm.breakdown) (
  SFUNC = _apm.breakdown_combine, STYPE = apm.breakdown, SSPACE = 16000,
  FINALFUNC = _apm.breakdown_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.breakdown_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.breakdown_merge(apm.breakdown) IS 'Union of stored breakdowns, key by key, the same whatever the order; NULLs are skipped, an empty group gives NULL. Example: SELECT apm.breakdown_merge(durations) FROM hourly';

-- The slowest spans.  The state is a plain row, which travels as any row does.

CREATE TYPE _apm.slowest AS (n integer, floor_us bigint, spans apm.spanset);
COMMENT ON TYPE _apm.slowest IS 'State of apm.slowest_spans: how many spans to keep, the duration in microseconds that one must reach (-1 while there is room), and those kept';

CREATE FUNCTION _apm.slowest_add(_apm.slowest, apm.spanset, integer) RETURNS _apm.slowest
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
CREATE FUNCTION _apm.slowest_combine(_apm.slowest, _apm.slowest) RETURNS _apm.slowest
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200;
CREATE FUNCTION _apm.slowest_final(_apm.slowest) RETURNS apm.spanset
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE AGGREGATE apm.slowest_spans(spans apm.spanset, n integer) (
  SFUNC = _apm.slowest_add, STYPE = _apm.slowest, SSPACE = 4096,
  FINALFUNC = _apm.slowest_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.slowest_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.slowest_spans(apm.spanset, integer) IS 'The n slowest of packed spans (1 to 10,000), slowest first, the earlier first where durations are equal, packed again; sets without one of them are not unpacked; NULL if there is no set. Example: SELECT s.op, s.description, s.duration_ms FROM (SELECT apm.slowest_spans(spans, 20) AS slowest FROM _apm.span_batches) x, apm.unnest(x.slowest) s';
