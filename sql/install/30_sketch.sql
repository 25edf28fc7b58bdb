-- ---------------------------------------------------------------------------
-- sketch: mergeable quantile sketch, its aggregates and accessors
--
-- The state of every aggregate is apm.sketch itself, so that partial states
-- can travel between nodes; all transition functions are written for that
-- (src/sketch/README.md) and are of no use outside an aggregate.

CREATE TYPE apm.sketch;

CREATE FUNCTION apm.sketch_in(cstring) RETURNS apm.sketch
  AS 'MODULE_PATHNAME', 'apm_sketch_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 600;
CREATE FUNCTION apm.sketch_out(apm.sketch) RETURNS cstring
  AS 'MODULE_PATHNAME', 'apm_sketch_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
CREATE FUNCTION apm.sketch_recv(internal) RETURNS apm.sketch
  AS 'MODULE_PATHNAME', 'apm_sketch_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 600;
CREATE FUNCTION apm.sketch_send(apm.sketch) RETURNS bytea
  AS 'MODULE_PATHNAME', 'apm_sketch_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

-- Storage external: the bytes are packed already, compression is wasted time.
CREATE TYPE apm.sketch (
  INPUT = apm.sketch_in,
  OUTPUT = apm.sketch_out,
  RECEIVE = apm.sketch_recv,
  SEND = apm.sketch_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = int4,
  STORAGE = external
);
COMMENT ON TYPE apm.sketch IS 'Quantile sketch of a group of values, in the unit of the values (milliseconds for durations): exact to 32 values, relative error at most 1 % beyond, mergeable; text form hexadecimal. Example: SELECT apm.percentile(apm.sketch_agg(duration_ms), 0.95) FROM apm.transactions';
COMMENT ON FUNCTION apm.sketch_in(cstring) IS 'Input function of apm.sketch: hexadecimal digits of its compact form, checked in full. Example: apm.sketch_agg(v)::text::apm.sketch';
COMMENT ON FUNCTION apm.sketch_out(apm.sketch) IS 'Output function of apm.sketch: lower-case hexadecimal digits of its compact form, without loss. Example: apm.sketch_agg(v)::text';
COMMENT ON FUNCTION apm.sketch_recv(internal) IS 'Binary input function of apm.sketch: its compact form, checked in full. Example: COPY … FROM … (FORMAT binary)';
COMMENT ON FUNCTION apm.sketch_send(apm.sketch) IS 'Binary output function of apm.sketch: its compact form. Example: COPY … TO … (FORMAT binary)';

-- Transition, combine and final functions.  A cost of 1 stands for 10 ns, as a
-- sketch of 100 durations is read; SSPACE is what a state of so many takes.
CREATE FUNCTION _apm.sketch_add(apm.sketch, float8) RETURNS apm.sketch
  AS 'MODULE_PATHNAME', 'apm_sketch_add' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1;
CREATE FUNCTION _apm.sketch_add(apm.sketch, float8, float8) RETURNS apm.sketch
  AS 'MODULE_PATHNAME', 'apm_sketch_add_weighted' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1;
CREATE FUNCTION _apm.sketch_combine(apm.sketch, apm.sketch) RETURNS apm.sketch
  AS 'MODULE_PATHNAME', 'apm_sketch_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 150;
CREATE FUNCTION _apm.sketch_final(apm.sketch) RETURNS apm.sketch
  AS 'MODULE_PATHNAME', 'apm_sketch_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 300;
CREATE FUNCTION _apm.sketch_p50_final(apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_p50_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
CREATE FUNCTION _apm.sketch_p75_final(apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_p75_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
CREATE FUNCTION _apm.sketch_p90_final(apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_p90_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
CREATE FUNCTION _apm.sketch_p95_final(apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_p95_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
CREATE FUNCTION _apm.sketch_p99_final(apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_p99_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;

CREATE AGGREGATE apm.sketch_agg(value float8) (
  SFUNC = _apm.sketch_add,
  STYPE = apm.sketch,
  SSPACE = 768,
  FINALFUNC = _apm.sketch_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.sketch_agg(value float8) IS 'Sketch of a group of values, in their unit; NULLs are skipped, an empty group gives NULL. Example: SELECT op, apm.sketch_agg(duration_ms) FROM apm.spans GROUP BY op';

CREATE AGGREGATE apm.sketch_agg(value float8, weight float8) (
  SFUNC = _apm.sketch_add,
  STYPE = apm.sketch,
  SSPACE = 3072,
  FINALFUNC = _apm.sketch_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.sketch_agg(value float8, weight float8) IS 'Sketch of a group of sampled values, in their unit; weight is how many values one stands for, 1 divided by the sample rate, rounded to 1/1000; rows where either is NULL or weight is 0 are skipped, an empty group gives NULL. Example: SELECT apm.percentile(apm.sketch_agg(duration_ms, weight), 0.95) FROM apm.transactions';

CREATE AGGREGATE apm.sketch_merge(sketch apm.sketch) (
  SFUNC = _apm.sketch_combine,
  STYPE = apm.sketch,
  SSPACE = 1024,
  FINALFUNC = _apm.sketch_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.sketch_merge(sketch apm.sketch) IS 'Sketch of all the values of several sketches, the same whatever the order; NULLs are skipped, an empty group gives NULL. Example: SELECT apm.percentile(apm.sketch_merge(durations), 0.95) FROM hourly';

CREATE AGGREGATE apm.p50(value float8) (
  SFUNC = _apm.sketch_add,
  STYPE = apm.sketch,
  SSPACE = 768,
  FINALFUNC = _apm.sketch_p50_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.p50(value float8) IS 'Median in the unit of the values, between neighbouring ranks as percentile_cont; exact to 32 values, within 1 % beyond; NULLs are skipped, an empty group gives NULL. Example: SELECT op, apm.p50(duration_ms) FROM apm.spans GROUP BY op';

CREATE AGGREGATE apm.p75(value float8) (
  SFUNC = _apm.sketch_add,
  STYPE = apm.sketch,
  SSPACE = 768,
  FINALFUNC = _apm.sketch_p75_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.p75(value float8) IS '75th percentile in the unit of the values, between neighbouring ranks as percentile_cont; exact to 32 values, within 1 % beyond; NULLs are skipped, an empty group gives NULL. Example: SELECT op, apm.p75(duration_ms) FROM apm.spans GROUP BY op';

CREATE AGGREGATE apm.p90(value float8) (
  SFUNC = _apm.sketch_add,
  STYPE = apm.sketch,
  SSPACE = 768,
  FINALFUNC = _apm.sketch_p90_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.p90(value float8) IS '90th percentile in the unit of the values, between neighbouring ranks as percentile_cont; exact to 32 values, within 1 % beyond; NULLs are skipped, an empty group gives NULL. Example: SELECT op, apm.p90(duration_ms) FROM apm.spans GROUP BY op';

CREATE AGGREGATE apm.p95(value float8) (
  SFUNC = _apm.sketch_add,
  STYPE = apm.sketch,
  SSPACE = 768,
  FINALFUNC = _apm.sketch_p95_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.p95(value float8) IS '95th percentile in the unit of the values, between neighbouring ranks as percentile_cont; exact to 32 values, within 1 % beyond; NULLs are skipped, an empty group gives NULL. Example: SELECT op, apm.p95(duration_ms) FROM apm.spans GROUP BY op';

CREATE AGGREGATE apm.p99(value float8) (
  SFUNC = _apm.sketch_add,
  STYPE = apm.sketch,
  SSPACE = 768,
  FINALFUNC = _apm.sketch_p99_final,
  FINALFUNC_MODIFY = READ_ONLY,
  COMBINEFUNC = _apm.sketch_combine,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE apm.p99(value float8) IS '99th percentile in the unit of the values, between neighbouring ranks as percentile_cont; exact to 32 values, within 1 % beyond; NULLs are skipped, an empty group gives NULL. Example: SELECT op, apm.p99(duration_ms) FROM apm.spans GROUP BY op';

-- Questions to a sketch; each reads the stored bytes as far as it needs

CREATE FUNCTION apm.percentile(sketch apm.sketch, p float8) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_percentile' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 150;
COMMENT ON FUNCTION apm.percentile(sketch apm.sketch, p float8) IS 'Percentile of the values of a sketch, in their unit, for p from 0 to 1, between neighbouring ranks as percentile_cont; exact to 32 values, within 1 % beyond. Example: apm.percentile(durations, 0.95)';

CREATE FUNCTION apm.percentiles(sketch apm.sketch, p float8[]) RETURNS float8[]
  AS 'MODULE_PATHNAME', 'apm_sketch_percentiles' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION apm.percentiles(sketch apm.sketch, p float8[]) IS 'Several percentiles of the values of a sketch, in their unit, each p from 0 to 1, in the order of the argument; NULL for NULL. Example: apm.percentiles(durations, ARRAY[0.5, 0.95, 0.99])';

CREATE FUNCTION apm.percentile_rank(sketch apm.sketch, value float8) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_percentile_rank' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION apm.percentile_rank(sketch apm.sketch, value float8) IS 'Share of the values of a sketch, 0 to 1, that are at most this value; exact to 32 values. Example: apm.percentile_rank(durations, 300)';

CREATE FUNCTION apm.apdex(sketch apm.sketch, threshold_ms float8) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_apdex' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION apm.apdex(sketch apm.sketch, threshold_ms float8) IS 'Apdex of durations in milliseconds, 0 to 1: values to the threshold count 1, to four times the threshold 0.5; exact to 32 values, beyond that the two buckets in which the thresholds lie are shared out evenly. Example: apm.apdex(durations, 300)';

CREATE FUNCTION apm.num_values(sketch apm.sketch) RETURNS bigint
  AS 'MODULE_PATHNAME', 'apm_sketch_num_values' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION apm.num_values(sketch apm.sketch) IS 'Number of values in a sketch, each counted once whatever its weight; exact. Example: apm.num_values(durations)';

CREATE FUNCTION apm.total_weight(sketch apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_total_weight' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION apm.total_weight(sketch apm.sketch) IS 'Total weight of the values of a sketch, the number of values that a sample stands for; without weights the number of values. Example: apm.total_weight(durations)';

CREATE FUNCTION apm.min_value(sketch apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_min_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION apm.min_value(sketch apm.sketch) IS 'Smallest value of a sketch, in the unit of the values; exact. Example: apm.min_value(durations)';

CREATE FUNCTION apm.max_value(sketch apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_max_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION apm.max_value(sketch apm.sketch) IS 'Largest value of a sketch, in the unit of the values; exact. Example: apm.max_value(durations)';

CREATE FUNCTION apm.mean_value(sketch apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_mean_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 6;
COMMENT ON FUNCTION apm.mean_value(sketch apm.sketch) IS 'Weighted mean of the values of a sketch, in their unit, to 1e-9 a value. Example: apm.mean_value(durations)';

CREATE FUNCTION apm.sum_value(sketch apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_sum_value' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 6;
COMMENT ON FUNCTION apm.sum_value(sketch apm.sketch) IS 'Weighted sum of the values of a sketch, in their unit, to 1e-9 a value; the same whatever the order of adding and merging. Example: apm.sum_value(durations)';

CREATE FUNCTION apm.relative_error(sketch apm.sketch) RETURNS float8
  AS 'MODULE_PATHNAME', 'apm_sketch_relative_error' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION apm.relative_error(sketch apm.sketch) IS 'Bound of the relative error of percentiles of this sketch: 0 where they are exact, else 0.01. Example: apm.relative_error(durations)';

-- Histograms
CREATE FUNCTION apm.histogram(sketch apm.sketch, OUT lower_bound float8, OUT upper_bound float8, OUT value_count float8)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'apm_sketch_histogram' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 200;
COMMENT ON FUNCTION apm.histogram(apm.sketch) IS 'Histogram of a sketch as rows in ascending order, bounds in the unit of the values: a row for each bucket that is not empty, from lower_bound up to upper_bound, with the number (weight) of its values; for a sketch of up to 32 values a row for each value. Example: SELECT * FROM apm.histogram((SELECT apm.sketch_agg(duration_ms) FROM apm.spans))';

CREATE FUNCTION apm.histogram_text(sketch apm.sketch) RETURNS text
  AS 'MODULE_PATHNAME', 'apm_sketch_histogram_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION apm.histogram_text(apm.sketch) IS 'Histogram of a sketch as lines of text for reading in psql, bounds in the unit of the values. Example: SELECT apm.histogram_text(apm.sketch_agg(duration_ms)) FROM apm.spans';

CREATE FUNCTION apm.sketch_from_histogram(bounds float8[], counts bigint[]) RETURNS apm.sketch
  AS 'MODULE_PATHNAME', 'apm_sketch_from_histogram' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 200;
COMMENT ON FUNCTION apm.sketch_from_histogram(float8[], bigint[]) IS 'Sketch of a histogram that something else counted: ascending bounds in the unit of the values and a count for each interval between them, or one more at each end where those are open; values are taken to lie evenly in their interval. Example: apm.sketch_from_histogram(ARRAY[0, 100, 250, 500], ARRAY[12, 40, 3])';
