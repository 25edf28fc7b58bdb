-- Percentile aggregates against avg and percentile_cont, on one table of rows.
--
--   psql -qAt -v size=2000000 -v rounds=5 -f test/bench/sketch_aggregates.sql
--
-- Queries are interleaved, and the figure is the median of the backend's time
-- on the processor (/proc/self/schedstat, so Linux and a superuser are needed):
-- what else the machine does hardly shows.  Prints Markdown.
\if :{?size} \else \set size 2000000 \endif
\if :{?rounds} \else \set rounds 5 \endif
\set ON_ERROR_STOP on
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '512MB';
SET client_min_messages = warning;

DROP TABLE IF EXISTS bench_sketch;
CREATE UNLOGGED TABLE bench_sketch AS
  SELECT i % 1000 AS k1000, (i % 1440) * 50 + (i::bigint * 7919 / 1440 % 50)::int AS k72000,
         (exp(4.6 + 0.7 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) * 1000)::int / 1000.0::float8 AS v
    FROM generate_series(1, :size) i;
VACUUM ANALYZE bench_sketch;

CREATE FUNCTION pg_temp.processor_ns(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1);
BEGIN
  EXECUTE query;
  RETURN split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - before;
END $$;

CREATE TEMP TABLE bench_queries (groups text, name text, query text);
INSERT INTO bench_queries
  SELECT groups, name, format('SELECT %s FROM bench_sketch%s', list, ' GROUP BY ' || key)
    FROM (VALUES ('1', NULL), ('1,000', 'k1000'), ('72,000', 'k72000')) g(groups, key),
         (VALUES ('count(v)', 'count(v)'), ('avg', 'avg(v)'), ('apm.p95', 'apm.p95(v)'),
                 ('five percentiles', 'apm.p50(v), apm.p75(v), apm.p90(v), apm.p95(v), apm.p99(v)'),
                 ('apm.sketch_agg', 'apm.sketch_agg(v)'),
                 ('percentile_cont', 'percentile_cont(0.95) WITHIN GROUP (ORDER BY v)')) q(name, list);
CREATE TEMP TABLE bench_times (groups text, name text, ns bigint);
SELECT format('INSERT INTO bench_times SELECT groups, name, pg_temp.processor_ns(query) FROM bench_queries WHERE groups = %L AND name = %L', groups, name)
  FROM generate_series(0, :rounds) round, bench_queries ORDER BY round \gexec

\echo '| groups | query | ns a row | against avg | percentile_cont against it |'
\echo '| --- | --- | --- | --- | --- |'
SELECT format('| %s | %s | %s | %s | %s |', m.groups, m.name, round(m.ns / :size, 1), round(m.ns / a.ns, 2), round(c.ns / m.ns, 2))
  FROM (SELECT groups, name, (percentile_cont(0.5) WITHIN GROUP (ORDER BY ns))::numeric AS ns FROM bench_times GROUP BY groups, name) m
  JOIN (SELECT groups, (percentile_cont(0.5) WITHIN GROUP (ORDER BY ns))::numeric AS ns FROM bench_times WHERE name = 'avg' GROUP BY groups) a USING (groups)
  JOIN (SELECT groups, (percentile_cont(0.5) WITHIN GROUP (ORDER BY ns))::numeric AS ns FROM bench_times WHERE name = 'percentile_cont' GROUP BY groups) c USING (groups)
  ORDER BY length(m.groups), m.ns;
DROP TABLE bench_sketch;
