-- apm.sketch: aggregates and accessors, against percentile_cont and friends
\set VERBOSITY default

CREATE FUNCTION pg_temp.near(a float8, b float8, tolerance float8) RETURNS boolean LANGUAGE sql IMMUTABLE
  AS $$ SELECT a = b OR abs(a - b) <= tolerance * abs(b) $$;

-- Whole microseconds, from integers alone, so that every platform draws the same.
CREATE TEMP TABLE numbers AS
  SELECT i, (1 + (i::bigint * i * 7919 + i::bigint * 104729) % 611953 % (1000 * (1 + i % 600))) / 1000.0::float8 AS v
  FROM generate_series(1, 20000) i;
CREATE INDEX ON numbers (i);
CREATE INDEX ON numbers (v);
ANALYZE numbers;
CREATE TEMP TABLE fractions AS
  SELECT unnest(ARRAY[0, 0.001, 0.01, 0.1, 0.25, 1/3.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1])::float8 AS p;

-- No values
SELECT apm.sketch_agg(v) IS NULL AS sketch, apm.sketch_agg(v, 1) IS NULL AS weighted,
       apm.p50(v) IS NULL AS p50, apm.p75(v) IS NULL AS p75, apm.p90(v) IS NULL AS p90,
       apm.p95(v) IS NULL AS p95, apm.p99(v) IS NULL AS p99
  FROM numbers WHERE false;
SELECT apm.p95(NULL) IS NULL AS p95, apm.sketch_agg(NULL, 1) IS NULL AS no_value,
       apm.sketch_agg(1, NULL) IS NULL AS no_weight, apm.sketch_agg(1, 0) IS NULL AS weight_zero,
       apm.sketch_merge(NULL) IS NULL AS merge;
SELECT apm.percentile(NULL, 0.5) IS NULL AS percentile, apm.num_values(NULL) IS NULL AS num_values,
       apm.histogram_text(NULL) IS NULL AS histogram_text;
SELECT count(*) FROM apm.histogram(NULL);

-- NULLs are skipped
SELECT apm.p50(v), apm.num_values(apm.sketch_agg(v))
  FROM unnest(ARRAY[NULL, 1, NULL, 2, 4, NULL]::float8[]) v;
SELECT apm.sketch_merge(s)::text = (SELECT apm.sketch_agg(v)::text FROM unnest(ARRAY[7.5, 5]) v) AS merged, apm.num_values(apm.sketch_merge(s))
  FROM (SELECT apm.sketch_agg(v) FROM (VALUES (1, 5.0::float8), (2, NULL), (3, 7.5)) g(g, v) GROUP BY g) s(s);

-- Up to 32 values: equal to percentile_cont, bit for bit
SELECT n, count(*) AS compared, count(*) FILTER (WHERE ours IS DISTINCT FROM exact) AS different,
       bool_and(error = 0) AS exact
  FROM (SELECT n, start, p, apm.percentile(s, p) AS ours, apm.relative_error(s) AS error,
               (SELECT percentile_cont(p) WITHIN GROUP (ORDER BY v) FROM numbers WHERE i BETWEEN start AND start + n - 1) AS exact
          FROM unnest(ARRAY[1, 2, 3, 5, 10, 31, 32]) n, generate_series(1, 8000, 997) start, fractions,
               LATERAL (SELECT apm.sketch_agg(v) FROM numbers WHERE i BETWEEN start AND start + n - 1) a(s)) x
  GROUP BY n ORDER BY n;

-- More: within 1 %, and the extremes exact
SELECT n, count(*) AS compared, count(*) FILTER (WHERE NOT pg_temp.near(ours, exact, 0.01)) AS outside,
       bool_and(ours = exact) FILTER (WHERE p IN (0, 1)) AS extremes_exact, max(error) AS bound
  FROM (SELECT n, p, apm.percentile(s, p) AS ours, apm.relative_error(s) AS error,
               (SELECT percentile_cont(p) WITHIN GROUP (ORDER BY v) FROM numbers WHERE i BETWEEN start AND start + n - 1) AS exact
          FROM unnest(ARRAY[33, 34, 100, 1000, 9000]) n, generate_series(1, 11000, 5003) start, fractions,
               LATERAL (SELECT apm.sketch_agg(v) FROM numbers WHERE i BETWEEN start AND start + n - 1) a(s)) x
  GROUP BY n ORDER BY n;

-- The aggregates are percentiles of the sketch
SELECT apm.p50(v) = apm.percentile(apm.sketch_agg(v), 0.5) AS p50,
       apm.p75(v) = apm.percentile(apm.sketch_agg(v), 0.75) AS p75,
       apm.p90(v) = apm.percentile(apm.sketch_agg(v), 0.9) AS p90,
       apm.p95(v) = apm.percentile(apm.sketch_agg(v), 0.95) AS p95,
       apm.p99(v) = apm.percentile(apm.sketch_agg(v), 0.99) AS p99
  FROM numbers;
SELECT apm.p50(v) AS p50, apm.p95(v) AS p95 FROM generate_series(1, 21) v;
SELECT apm.p50(v) FROM unnest(ARRAY[1.5, 2.5]::numeric[]) v;

-- Count, extremes, sum and mean
SELECT n, apm.num_values(s) = count AS count, apm.total_weight(s) = count AS weight,
       apm.min_value(s) = min AS min, apm.max_value(s) = max AS max,
       apm.sum_value(s)::numeric(30, 3) = sum AS sum, pg_temp.near(apm.mean_value(s), (sum / count)::float8, 1e-15) AS mean
  FROM unnest(ARRAY[1, 32, 33, 20000]) n,
       LATERAL (SELECT apm.sketch_agg(v), count(*), min(v), max(v), sum(v::numeric) FROM numbers WHERE i <= n) a(s, count, min, max, sum);

-- The order of a sum never shows, where that of floats does
SELECT sum(v) = 0 AS floats, apm.sum_value(apm.sketch_agg(v)) AS ours
  FROM (SELECT unnest(ARRAY[1e12, 0.1, -1e12]) FROM generate_series(1, 20)) v(v);

-- Arrays of fractions, of any shape
SELECT apm.percentiles(apm.sketch_agg(v), ARRAY[0.95, 0, NULL, 0.5, 1, 0.5]) FROM generate_series(1, 21) v;
SELECT apm.percentiles(apm.sketch_agg(v), ARRAY[[0.5, 0.95], [0.25, NULL]]) FROM generate_series(1, 21) v;
SELECT apm.percentiles(apm.sketch_agg(v), '{}') FROM generate_series(1, 21) v;
SELECT apm.percentiles(apm.sketch_agg(v), ARRAY[NULL]::float8[]) FROM generate_series(1, 21) v;
SELECT apm.percentiles(s, ps) = (SELECT array_agg(apm.percentile(s, p) ORDER BY o) FROM unnest(ps) WITH ORDINALITY u(p, o)) AS same
  FROM (SELECT apm.sketch_agg(v) FROM numbers) a(s), (VALUES (ARRAY[0.99, 0.5, 0.1, 0.5, 0, 1, 0.9995])) f(ps);

-- Fractions outside 0 to 1
SELECT apm.percentile(apm.sketch_agg(v), 95) FROM generate_series(1, 21) v;
SELECT apm.percentile(apm.sketch_agg(v), -0.1) FROM generate_series(1, 21) v;
SELECT apm.percentile(apm.sketch_agg(v), 'NaN') FROM generate_series(1, 21) v;
SELECT apm.percentiles(apm.sketch_agg(v), ARRAY[0.5, 1.5]) FROM generate_series(1, 21) v;

-- Rank: the share of values up to one
SELECT v, apm.percentile_rank(s, v) FROM (SELECT apm.sketch_agg(v) FROM generate_series(1, 20) v) a(s), unnest(ARRAY[0, 1, 10.5, 20, 'Infinity']::float8[]) v;
SELECT x, abs(ours - exact) < 0.01 AS near
  FROM (SELECT apm.sketch_agg(v) FROM numbers) a(s), unnest(ARRAY[0.5, 5, 50, 100, 300, 500]::float8[]) x,
       LATERAL (SELECT apm.percentile_rank(s, x), count(*) FILTER (WHERE v <= x)::float8 / count(*) FROM numbers) r(ours, exact) ORDER BY x;
SELECT apm.percentile_rank(s, apm.max_value(s)) AS max, apm.percentile_rank(s, apm.min_value(s)) > 0 AS min,
       apm.percentile_rank(s, apm.max_value(s) - 0.0001) < 1 AS below_max FROM (SELECT apm.sketch_agg(v) FROM numbers) a(s);

-- Apdex: up to t, up to 4 t, beyond
SELECT apm.apdex(apm.sketch_agg(v), 300) FROM unnest(ARRAY[100, 300, 301, 900, 1200, 1201, 5000]) v;
SELECT t, abs(ours - exact) < 0.01 AS near
  FROM (SELECT apm.sketch_agg(v) FROM numbers) a(s), unnest(ARRAY[1, 20, 75, 100, 10000]) t,
       LATERAL (SELECT apm.apdex(s, t), (count(*) FILTER (WHERE v <= t) + count(*) FILTER (WHERE v > t AND v <= 4 * t) / 2.0) / count(*) FROM numbers) r(ours, exact) ORDER BY t;
SELECT apm.apdex(apm.sketch_agg(1), 0);
SELECT apm.apdex(apm.sketch_agg(1), -5);
SELECT apm.apdex(apm.sketch_agg(1), 'NaN');

-- Weights: a whole weight is so many values
SELECT n, bool_and(apm.percentile(weighted, p) = apm.percentile(repeated, p)) AS same_percentiles,
       bool_and(apm.sum_value(weighted) = apm.sum_value(repeated)) AS same_sum,
       bool_and(apm.total_weight(weighted) = apm.num_values(repeated)) AS same_weight, min(apm.num_values(weighted)) AS values
  FROM unnest(ARRAY[5, 100]) n, fractions,
       LATERAL (SELECT apm.sketch_agg(v, 1 + i % 7) FROM numbers WHERE i <= n) w(weighted),
       LATERAL (SELECT apm.sketch_agg(v) FROM numbers, generate_series(0, i % 7) WHERE i <= n) r(repeated)
  GROUP BY n ORDER BY n;
-- A weight of 1 is none
SELECT n, apm.sketch_agg(v)::text = apm.sketch_agg(v, 1)::text AS same FROM unnest(ARRAY[20, 2000]) n, numbers WHERE i <= n GROUP BY n ORDER BY n;
-- Fractions of weights, rounded once to 1/1000
SELECT apm.total_weight(s), apm.num_values(s), apm.sum_value(s), apm.mean_value(s), apm.percentiles(s, ARRAY[0, 0.5, 1])
  FROM (SELECT apm.sketch_agg(v, w) FROM (VALUES (10, 1/3.0), (20, 0.0001), (30, 2.5)) x(v, w)) a(s);
SELECT apm.sketch_agg(1, -1);
SELECT apm.sketch_agg(1, 'NaN');
SELECT apm.sketch_agg(1, 'Infinity');
SELECT apm.sketch_agg(1, 1e13);
SELECT apm.sketch_agg(1, 9007199254740) FROM generate_series(1, 2);
SELECT apm.sketch_merge(s) FROM (SELECT apm.sketch_agg(1, 9007199254740)) a(s), generate_series(1, 2);

-- Values that are not usual: NaN is the largest, as for max; -0 is 0
SELECT apm.min_value(s), apm.max_value(s), apm.percentiles(s, ARRAY[0, 0.25, 0.5, 1]), apm.sum_value(s), apm.mean_value(s)
  FROM (SELECT apm.sketch_agg(v) FROM unnest(ARRAY['NaN', 3, 1, 2, 'Infinity']::float8[]) v) a(s);
SELECT apm.min_value(s), apm.max_value(s), apm.percentiles(s, ARRAY[0, 0.5, 0.98, 1]) AS p, apm.sum_value(s)
  FROM (SELECT apm.sketch_agg(v) FROM (SELECT 7.0::float8 FROM generate_series(1, 60) UNION ALL SELECT unnest(ARRAY['-Infinity', 'Infinity', '-Infinity']::float8[])) v(v)) a(s);
SELECT apm.sketch_agg(v)::text AS minus_zero FROM unnest(ARRAY['-0']::float8[]) v UNION ALL SELECT apm.sketch_agg(0)::text;
SELECT apm.percentiles(s, ARRAY[0, 0.25, 0.5, 0.75, 1]) FROM (SELECT apm.sketch_agg(v) FROM unnest(ARRAY[-3, 0, -1, 5, 0]::float8[]) v) a(s);
SELECT apm.min_value(s), apm.percentile(s, 0.5) AS p50, apm.max_value(s), apm.sum_value(s)
  FROM (SELECT apm.sketch_agg(v) FROM (SELECT 5e-324::float8 FROM generate_series(1, 20) UNION ALL SELECT -1e-310::float8 FROM generate_series(1, 20) UNION ALL SELECT 0) v(v)) a(s);
-- Any range of values costs a bounded state
SELECT apm.num_values(s), apm.percentile(s, 0.25) BETWEEN 0.99e-300 AND 1.01e-300 AS low, apm.percentile(s, 0.75) BETWEEN 0.99e300 AND 1.01e300 AS high, pg_column_size(s) < 100 AS small
  FROM (SELECT apm.sketch_agg(CASE WHEN i % 2 = 0 THEN 1e-300 ELSE 1e300 END * (1 + i % 3 / 1000.0)) FROM numbers) a(s);

-- Counters grow: 70,000 equal values among others, then four thousand million
SELECT apm.num_values(s), apm.percentile(s, 0.5), apm.sum_value(s)
  FROM (SELECT apm.sketch_agg(CASE WHEN i <= 70000 THEN 50.0 ELSE i END) FROM generate_series(1, 70040) i) a(s);
SELECT apm.num_values(s), apm.percentile(s, 0.5) BETWEEN 149.25 AND 150.75 AS p50
  FROM (SELECT apm.sketch_merge(s) FROM (SELECT apm.sketch_from_histogram(ARRAY[100, 200], ARRAY[4000000000])) a(s), generate_series(1, 3)) b(s);

-- Sizes, in bytes
SELECT n, pg_column_size(apm.sketch_agg(round((100 * exp(sqrt(2) * (hash % 2001 - 1000) / 1500.0))::numeric, 3)::float8)) <= target AS small
  FROM (VALUES (10, 30), (100, 95), (1000, 260), (10000, 600)) t(n, target),
       LATERAL (SELECT (i * 7919) % 100003 FROM generate_series(1, n) i) h(hash) GROUP BY n, target ORDER BY n;

-- Histograms
SELECT * FROM apm.histogram((SELECT apm.sketch_agg(v) FROM unnest(ARRAY[3, 1, 2, 3]) v));
SELECT * FROM apm.histogram((SELECT apm.sketch_agg(v, 2.5) FROM unnest(ARRAY[3, 1]) v));
SELECT count(*) > 100 AS rows, sum(value_count) AS values, min(lower_bound) = min(min) AS min, max(upper_bound) = min(max) AS max,
       bool_and(upper_bound <= lower_bound * (1 + 1/64.0)) AS narrow, bool_and(ascending) AS ascending
  FROM (SELECT h.*, lower_bound >= lag(upper_bound) OVER () AS ascending, a.* FROM
         (SELECT apm.sketch_agg(v), min(v), max(v) FROM numbers) a(s, min, max), apm.histogram(s) h) x;
SELECT count(*) FILTER (WHERE value_count <> (SELECT count(*) FROM numbers WHERE v >= lower_bound AND (v < upper_bound OR v = 600))) AS wrong
  FROM apm.histogram((SELECT apm.sketch_agg(v) FROM numbers)) WHERE upper_bound < 300;

\pset format unaligned
SELECT apm.histogram_text(apm.sketch_agg(v)) FROM numbers;
SELECT apm.histogram_text(apm.sketch_agg(100 + i % 40)) FROM generate_series(1, 400) i;
SELECT apm.histogram_text(apm.sketch_agg(v)) FROM unnest(ARRAY['Infinity', 'NaN', '-Infinity', -5, 3]::float8[]) v;
SELECT apm.histogram_text(apm.sketch_agg(7));
\pset format aligned

-- Sketches of histograms
SELECT apm.num_values(s), apm.percentiles(s, ARRAY[0, 0.5, 1]) FROM (SELECT apm.sketch_from_histogram(ARRAY[0, 10, 20], ARRAY[2, 2])) a(s);
SELECT apm.num_values(s), abs(apm.percentile(s, 0.5) - 500) <= 5 AS p50, abs(apm.percentile(s, 0.95) - 950) <= 9.5 AS p95, abs(apm.mean_value(s) - 500) < 1 AS mean
  FROM (SELECT apm.sketch_from_histogram(ARRAY[0, 1000], ARRAY[1000000])) a(s);
SELECT apm.percentiles(s, ARRAY[0, 1]) AS open_ends, apm.num_values(s) FROM (SELECT apm.sketch_from_histogram(ARRAY[100, 200], ARRAY[1, 1, 1])) a(s);
SELECT apm.percentiles(s, ARRAY[0, 1]) AS open_ends_below_zero FROM (SELECT apm.sketch_from_histogram(ARRAY[-100, 200], ARRAY[1, 0, 1])) a(s);
SELECT apm.num_values(s), abs(apm.percentile(s, 0.25) + 500) <= 5 AS p25, abs(apm.mean_value(s)) < 1 AS mean FROM (SELECT apm.sketch_from_histogram(ARRAY[-1000, 1000], ARRAY[100000])) a(s);
SELECT apm.sketch_from_histogram(ARRAY[0, 1], ARRAY[0]) IS NULL AS nothing;
SELECT apm.sketch_from_histogram(ARRAY[0, 1], ARRAY[1, 2]);
SELECT apm.sketch_from_histogram('{}', '{1}');
SELECT apm.sketch_from_histogram(ARRAY[0, 0], ARRAY[1]);
SELECT apm.sketch_from_histogram(ARRAY[0, 'Infinity']::float8[], ARRAY[1]);
SELECT apm.sketch_from_histogram(ARRAY[0, NULL], ARRAY[1]);
SELECT apm.sketch_from_histogram(ARRAY[-1e308, 1e308], ARRAY[1]);
SELECT apm.sketch_from_histogram(ARRAY[0, 1], ARRAY[-1]);
SELECT apm.sketch_from_histogram(ARRAY[0, 1], ARRAY[NULL]::bigint[]);
SELECT apm.sketch_from_histogram(ARRAY[0, 1], ARRAY[9223372036854775807]);
