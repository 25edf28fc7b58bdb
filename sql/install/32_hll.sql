-- ---------------------------------------------------------------------------
-- hll: distinct counts, exact to 4,096 values, mergeable

CREATE TYPE apm.hll;

CREATE FUNCTION apm.hll_in(cstring) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
CREATE FUNCTION apm.hll_out(apm.hll) RETURNS cstring
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 90;
CREATE FUNCTION apm.hll_recv(internal) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
CREATE FUNCTION apm.hll_send(apm.hll) RETURNS bytea
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 30;

CREATE TYPE apm.hll (
  INPUT = apm.hll_in,
  OUTPUT = apm.hll_out,
  RECEIVE = apm.hll_recv,
  SEND = apm.hll_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = double,
  STORAGE = extended
);
COMMENT ON TYPE apm.hll IS 'Mergeable number of distinct values: exact up to 4,096, beyond that with a standard error of 0.81 %; each value may carry a mark. At most 32 KiB as a set, 12 KiB (24 with marks) beyond. Example: SELECT date_trunc(''hour'', end_time), apm.hll_agg(user_key) FROM apm.transactions GROUP BY 1';
COMMENT ON FUNCTION apm.hll_in(cstring) IS 'Input function of apm.hll: hexadecimal digits as hll_out writes them, checked. Example: ''01010000''::apm.hll';
COMMENT ON FUNCTION apm.hll_out(apm.hll) IS 'Output function of apm.hll: hexadecimal digits, without loss. Example: SELECT apm.hll_agg(user_key)::text FROM apm.transactions';
COMMENT ON FUNCTION apm.hll_recv(internal) IS 'Binary input function of apm.hll, checked. Example: COPY … FROM … (FORMAT binary)';
COMMENT ON FUNCTION apm.hll_send(apm.hll) IS 'Binary output function of apm.hll. Example: COPY … TO … (FORMAT binary)';

CREATE FUNCTION apm.distinct_count(hll apm.hll) RETURNS bigint
  AS 'MODULE_PATHNAME', 'hll_distinct_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION apm.distinct_count(apm.hll) IS 'Number of distinct values, a count; exact up to 4,096. Example: SELECT apm.distinct_count(apm.hll_agg(user_key)) FROM apm.transactions';

CREATE FUNCTION apm.marked_count(hll apm.hll) RETURNS bigint
  AS 'MODULE_PATHNAME', 'hll_marked_count' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION apm.marked_count(apm.hll) IS 'Number of distinct values marked at least once, a count; 0 for one made without marks. Example: SELECT apm.marked_count(apm.hll_agg(user_key, duration_ms > 1200)) FROM apm.transactions';

CREATE FUNCTION apm.standard_error(hll apm.hll) RETURNS float8
  AS 'MODULE_PATHNAME', 'hll_standard_error' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 30;
COMMENT ON FUNCTION apm.standard_error(apm.hll) IS 'Relative standard error of the counts of this set, a ratio: 0 where they are exact, else 0.0081. Example: SELECT apm.standard_error(apm.hll_agg(user_key)) FROM apm.transactions';

-- Not STRICT: else the first input would itself be the state.
CREATE FUNCTION _apm.hll_accum(apm.hll, text) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 4;
CREATE FUNCTION _apm.hll_accum_marked(apm.hll, text, boolean) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
CREATE FUNCTION _apm.hll_combine(apm.hll, apm.hll) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 70;
CREATE FUNCTION _apm.hll_final(apm.hll) RETURNS apm.hll
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 300;

CREATE AGGREGATE apm.hll_agg(val text) (
  SFUNC = _apm.hll_accum, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = _apm.hll_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.hll_agg(text) IS 'Distinct values as a mergeable apm.hll; NULLs are skipped, NULL if there is no value. Example: SELECT apm.hll_agg(user_key) FROM apm.transactions';

CREATE AGGREGATE apm.hll_agg(val text, mark boolean) (
  SFUNC = _apm.hll_accum_marked, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = _apm.hll_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.hll_agg(text, boolean) IS 'Distinct values, and those marked at least once, as a mergeable apm.hll; a NULL mark is none. Counts are read by apm.distinct_count and apm.marked_count. Example: SELECT apm.hll_agg(user_key, status = ''internal_error'') FROM apm.transactions';

CREATE AGGREGATE apm.hll_merge(hll apm.hll) (
  SFUNC = _apm.hll_combine, STYPE = apm.hll, SSPACE = 8192,
  FINALFUNC = _apm.hll_final, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.hll_merge(apm.hll) IS 'Union of stored distinct counts, the same bytes in any order; NULLs are skipped. Its count is read by apm.distinct_count. Example: SELECT apm.distinct_count(apm.hll_merge(users)) FROM (SELECT apm.hll_agg(user_key) AS users FROM apm.transactions GROUP BY name) h';

CREATE AGGREGATE apm.count_unique(val text) (
  SFUNC = _apm.hll_accum, STYPE = apm.hll, SSPACE = 2048,
  FINALFUNC = apm.distinct_count, FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.hll_combine, PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.count_unique(text) IS 'Number of distinct values, compared byte by byte; exact up to 4,096, then with a standard error of 0.81 %; NULLs are skipped, NULL if there is no value. Example: SELECT name, apm.count_unique(user_key) FROM apm.transactions GROUP BY name';
