-- apm.spanset_agg under every kind of plan, and its states by every way.
SET TIME ZONE 'UTC';

-- g: 40 groups of very different size; every fifth span is NULL.
CREATE TABLE spanset_source (g int, n int, s apm.span);
INSERT INTO spanset_source
SELECT floor(sqrt(i))::int % 40, i,
       CASE WHEN i % 5 > 0 THEN ROW(
         '4bf92f3577b34da6a3ce929d0e0e4736', lpad(to_hex(i), 16, '0'), NULL, NULL, i % 3 = 0, 'op ' || i % 6,
         CASE WHEN i % 2 = 0 THEN repeat(chr(97 + i % 26), i % 300) END, 'ok', timestamptz '2026-01-05' + i * interval '1 ms',
         i / 8.0, NULL, NULL, NULL, NULL, jsonb_build_object('n', i))::apm.span END
  FROM generate_series(1, 6000) i;
ANALYZE spanset_source;

-- What a set holds, whatever the order: a checksum over its spans.
CREATE FUNCTION pg_temp.content(apm.spanset) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT count(*) || ' ' || md5(string_agg(s::text, ',' ORDER BY s.span_id)) FROM apm.unnest($1) s
$$;
-- A span with a NULL inside is neither NULL nor NOT NULL, hence the long form.
CREATE TEMP TABLE truth AS
  SELECT g, count(*) || ' ' || md5(string_agg(s::text, ',' ORDER BY (s).span_id)) AS content
    FROM spanset_source WHERE s IS DISTINCT FROM NULL GROUP BY g;
SELECT count(*), sum(split_part(content, ' ', 1)::int) FROM truth;

-- The results of a plan against the truth.
PREPARE compare AS
  SELECT count(*) AS groups, count(*) FILTER (WHERE pg_temp.content(r.spans) IS DISTINCT FROM t.content) AS wrong
    FROM (SELECT g, apm.spanset_agg(s) AS spans FROM spanset_source GROUP BY g OFFSET 0) r FULL JOIN truth t USING (g);

SET max_parallel_workers_per_gather = 0;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT g, apm.spanset_agg(s) FROM spanset_source GROUP BY g;
EXECUTE compare;
SET work_mem = '64kB';
EXECUTE compare;
RESET work_mem;
RESET enable_sort;
SET enable_hashagg = off;
EXPLAIN (COSTS OFF) SELECT g, apm.spanset_agg(s) FROM spanset_source GROUP BY g;
EXECUTE compare;
RESET enable_hashagg;

SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT g, apm.spanset_agg(s) FROM spanset_source GROUP BY g;
EXECUTE compare;
SET parallel_leader_participation = off;
EXECUTE compare;
RESET parallel_leader_participation;
EXPLAIN (COSTS OFF) SELECT apm.spanset_agg(s) FROM spanset_source;
SELECT pg_temp.content(apm.spanset_agg(s)) =
       (SELECT count(*) || ' ' || md5(string_agg(s::text, ',' ORDER BY (s).span_id)) FROM spanset_source WHERE s IS DISTINCT FROM NULL) AS same
  FROM spanset_source;
RESET max_parallel_workers_per_gather;

-- Grouping sets, DISTINCT and FILTER, windows whose frame grows.
SELECT GROUPING(g) AS total, count(*) AS groups, sum(apm.span_count(spans))
  FROM (SELECT g, apm.spanset_agg(s) AS spans FROM spanset_source GROUP BY ROLLUP (g)) x GROUP BY GROUPING SETS ((), (g)) HAVING g IS NULL OR g = 7
  ORDER BY 1, 2, 3;
SELECT apm.span_count(apm.spanset_agg(DISTINCT s)), apm.span_count(apm.spanset_agg(s) FILTER (WHERE n <= 10)) FROM
  (SELECT s, n FROM spanset_source WHERE n < 50 UNION ALL SELECT s, n FROM spanset_source WHERE n < 50) x;
SELECT n, apm.span_count(apm.spanset_agg(s) OVER (ORDER BY n)) AS so_far,
       apm.span_count(apm.spanset_agg(s) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) AS of_two
  FROM spanset_source WHERE n BETWEEN 4 AND 9;

-- States leave their process as text and binary when partial aggregates run
-- elsewhere: an aggregate without a final function shows them.
CREATE AGGREGATE pg_temp.partial_state(apm.span) (SFUNC = _apm.spanset_agg_transition, STYPE = apm.spanset);
CREATE AGGREGATE pg_temp.merge_states(apm.spanset) (SFUNC = _apm.spanset_agg_combine, STYPE = apm.spanset,
  FINALFUNC = _apm.spanset_agg_final);
CREATE TEMP TABLE state AS SELECT g, n % 3 AS part, pg_temp.partial_state(s) AS state FROM spanset_source GROUP BY 1, 2;
SELECT count(*) AS states, count(*) FILTER (WHERE apm.span_count(state) <> apm.span_count(state::text::apm.spanset)) AS count_differs,
       count(*) FILTER (WHERE pg_temp.content(state) <> pg_temp.content(state::text::apm.spanset)) AS text_differs,
       count(*) FILTER (WHERE pg_temp.content(state) <> pg_temp.content(apm.spanset_send(state)::apm.spanset)) AS send_differs
  FROM state;
SELECT count(*) AS groups, count(*) FILTER (WHERE pg_temp.content(m.spans) IS DISTINCT FROM t.content) AS wrong
  FROM (SELECT g, pg_temp.merge_states(CASE part WHEN 0 THEN state ELSE state::text::apm.spanset END) AS spans
          FROM state GROUP BY g) m FULL JOIN truth t USING (g);
SELECT pg_temp.merge_states(NULL::apm.spanset) IS NULL AS nothing FROM generate_series(1, 3);
-- The stored states are as they were: nobody wrote into them.
SELECT count(*) FILTER (WHERE pg_temp.content(x.state) IS DISTINCT FROM pg_temp.content(state.state)) AS changed
  FROM state JOIN (SELECT g, n % 3 AS part, apm.spanset_agg(s) AS state FROM spanset_source GROUP BY 1, 2) x USING (g, part);

-- The functions of the aggregate are of no use outside of it.
\set VERBOSITY default
SELECT _apm.spanset_agg_transition(NULL, s) FROM spanset_source WHERE n = 1;
SELECT _apm.spanset_agg_combine('\x0100', '\x0100');
SELECT _apm.spanset_agg_final('\x0100');

-- Spans that cannot be packed are refused by the rule that input obeys.
CREATE FUNCTION pg_temp.pack(apm.span) RETURNS int LANGUAGE sql AS 'SELECT apm.span_count(apm.spanset_agg($1))';
SELECT pg_temp.pack(ROW(NULL, '0000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, now(), 1, NULL, NULL, NULL, NULL, NULL)::apm.span);
SELECT pg_temp.pack(ROW('00000000000000000000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, NULL, now(), 1, NULL, NULL, NULL, NULL, NULL)::apm.span);
SELECT pg_temp.pack(ROW('00000000000000000000000000000001', '0000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, 'infinity', 1, NULL, NULL, NULL, NULL, NULL)::apm.span);
SELECT pg_temp.pack(ROW('00000000000000000000000000000001', '0000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, now(), -1, NULL, NULL, NULL, NULL, NULL)::apm.span);
SELECT pg_temp.pack(ROW('00000000000000000000000000000001', '0000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, '294000-01-01', 4e14, NULL, NULL, NULL, NULL, NULL)::apm.span);
SELECT pg_temp.pack(ROW('00000000000000000000000000000001', '0000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, now(), 'NaN', NULL, NULL, NULL, NULL, NULL)::apm.span);
SELECT pg_temp.pack(ROW('00000000000000000000000000000001', '0000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, now(), 1, NULL, NULL, NULL, NULL,
  (repeat('[', 200) || repeat(']', 200))::jsonb)::apm.span);
SELECT pg_temp.pack(ROW('00000000000000000000000000000001', '0000000000000001', NULL, NULL, NULL, NULL, NULL, NULL, '4714-11-24 00:00:00 BC', 0, NULL, NULL, NULL, NULL, NULL)::apm.span);

DROP TABLE spanset_source;
