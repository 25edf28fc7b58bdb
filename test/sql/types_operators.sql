-- Operators of apm.trace_id and apm.span_id, with the default search_path and
-- with an empty one.
CREATE TEMP TABLE a (n int, t apm.trace_id, s apm.span_id);
INSERT INTO a SELECT i, md5('t' || i)::apm.trace_id, left(md5('s' || i), 16)::apm.span_id FROM generate_series(1, 2000) i;
INSERT INTO a VALUES (2001, NULL, NULL);
CREATE TEMP TABLE b AS SELECT * FROM a WHERE n % 3 = 0 OR n > 1990;
CREATE INDEX a_t ON a (t);
CREATE INDEX a_s ON a (s);
CREATE INDEX b_t ON b USING hash (t);
CREATE INDEX b_s ON b USING hash (s);
ANALYZE a, b;

-- The statements of this test, run under one search_path; each gives a number.
CREATE FUNCTION pg_temp.statements() RETURNS TABLE (what text, trace_id bigint, span_id bigint) LANGUAGE plpgsql AS $$
DECLARE
  statement text;
  result bigint;
BEGIN
  FOREACH statement IN ARRAY ARRAY[
    'SELECT n FROM pg_temp.a WHERE ID = LITERAL',
    'SELECT n FROM pg_temp.a WHERE LITERAL = ID',
    'SELECT count(*) FROM pg_temp.a WHERE ID <> LITERAL',
    'SELECT count(*) FROM pg_temp.a WHERE ID < LITERAL',
    'SELECT count(*) FROM pg_temp.a WHERE ID <= LITERAL',
    'SELECT count(*) FROM pg_temp.a WHERE ID > LITERAL',
    'SELECT count(*) FROM pg_temp.a WHERE ID >= LITERAL',
    'SELECT count(*) FROM pg_temp.a WHERE ID BETWEEN LITERAL AND MAXIMUM',
    'SELECT count(*) FROM pg_temp.a WHERE ID IN (LITERAL, MAXIMUM)',
    'SELECT count(*) FROM pg_temp.a WHERE ID NOT IN (LITERAL, MAXIMUM)',
    'SELECT count(*) FROM pg_temp.a WHERE ID = ANY (ARRAY[LITERAL, MAXIMUM]::TYPE[])',
    'SELECT count(*) FROM pg_temp.a WHERE ID = ANY (''{}'')',
    'SELECT count(*) FROM pg_temp.a WHERE ID IN (SELECT ID FROM pg_temp.b)',
    'SELECT count(*) FROM pg_temp.a WHERE ID NOT IN (SELECT ID FROM pg_temp.b WHERE n <= 2000) ',
    'SELECT count(*) FROM pg_temp.a JOIN pg_temp.b USING (ID)',
    'SELECT count(*) FROM pg_temp.a NATURAL JOIN (SELECT ID FROM pg_temp.b) b',
    'SELECT count(*) FROM pg_temp.a FULL JOIN pg_temp.b USING (ID)',
    'SELECT count(*) FROM pg_temp.a WHERE ID IS DISTINCT FROM LITERAL',
    'SELECT count(*) FROM pg_temp.a WHERE ID IS NOT DISTINCT FROM NULL',
    'SELECT count(nullif(ID, LITERAL)) FROM pg_temp.a',
    'SELECT count(*) FROM pg_temp.a WHERE CASE ID WHEN LITERAL THEN true ELSE false END',
    'SELECT count(*) FROM pg_temp.a WHERE ROW(ID, n) = ROW(LITERAL, 7)',
    'SELECT count(*) FROM pg_temp.a WHERE ROW(ID, n) < ROW(LITERAL, 7)',
    'SELECT count(DISTINCT ID) FROM pg_temp.a',
    'SELECT count(*) FROM (SELECT ID FROM pg_temp.a GROUP BY ID) g',
    'SELECT count(*) FROM (SELECT ID FROM pg_temp.a UNION SELECT ID FROM pg_temp.b) g',
    'SELECT count(*) FROM (SELECT ID FROM pg_temp.a EXCEPT SELECT ID FROM pg_temp.b) g',
    'SELECT count(*) FROM (SELECT ID FROM pg_temp.a INTERSECT SELECT ID FROM pg_temp.b) g',
    'SELECT n FROM pg_temp.a ORDER BY ID LIMIT 1',
    'SELECT n FROM pg_temp.a ORDER BY ID DESC NULLS LAST LIMIT 1',
    'SELECT array_position((SELECT array_agg(ID ORDER BY n) FROM pg_temp.a), LITERAL)',
    'SELECT count(*) FROM (SELECT rank() OVER (ORDER BY ID) r FROM pg_temp.a) w WHERE r > 1000'
  ] LOOP
    what := btrim(replace(statement, 'pg_temp.', ''));
    EXECUTE replace(replace(replace(replace(statement, 'LITERAL', quote_literal(md5('t7'))),
      'MAXIMUM', quote_literal('ffffffffffffffffffffffffffffffff')), 'TYPE', 'apm.trace_id'), 'ID', 't') INTO trace_id;
    EXECUTE replace(replace(replace(replace(statement, 'LITERAL', quote_literal(left(md5('s7'), 16))),
      'MAXIMUM', quote_literal('ffffffffffffffff')), 'TYPE', 'apm.span_id'), 'ID', 's') INTO span_id;
    RETURN NEXT;
  END LOOP;
END
$$;
SELECT * FROM pg_temp.statements();
-- The truth, from text.
SELECT (SELECT count(*) FROM a WHERE t::text COLLATE "C" < md5('t7')) AS t_less, (SELECT count(*) FROM a WHERE s::text COLLATE "C" < left(md5('s7'), 16)) AS s_less,
       (SELECT n FROM a ORDER BY t::text COLLATE "C" LIMIT 1) AS t_first, (SELECT n FROM a ORDER BY s::text COLLATE "C" LIMIT 1) AS s_first,
       (SELECT count(*) FROM b WHERE n <= 2000) AS both;

-- The same under an empty search_path.
CREATE TEMP TABLE by_default AS SELECT * FROM pg_temp.statements();
SET search_path = '';
SELECT count(*) AS statements, count(*) FILTER (WHERE s.trace_id IS DISTINCT FROM d.trace_id OR s.span_id IS DISTINCT FROM d.span_id) AS different
  FROM pg_temp.statements() s JOIN pg_temp.by_default d USING (what);
RESET search_path;

-- Order is that of the text form, also above the sign bit.
SELECT bool_and(tn = tt) AS trace_ids, bool_and(sn = st) AS span_ids
  FROM (SELECT row_number() OVER (ORDER BY t) tn, row_number() OVER (ORDER BY t::text COLLATE "C") tt,
               row_number() OVER (ORDER BY s) sn, row_number() OVER (ORDER BY s::text COLLATE "C") st
          FROM a WHERE n <= 2000) o;
SELECT '7fffffffffffffff'::apm.span_id < '8000000000000000'::apm.span_id AS less,
       apm.span_id_cmp('8000000000000000', '7fffffffffffffff'), apm.span_id_cmp('7fffffffffffffff', '8000000000000000'),
       apm.trace_id_cmp('80000000000000000000000000000000', '7fffffffffffffffffffffffffffffff'),
       apm.trace_id_cmp('80000000000000000000000000000000', '80000000000000000000000000000000');

-- Every operator against the comparison of text, every pair of 60 rows.
SELECT bool_and(((x.t = y.t), (x.t <> y.t), (x.t < y.t), (x.t <= y.t), (x.t > y.t), (x.t >= y.t)) =
                ((xt = yt), (xt <> yt), (xt < yt), (xt <= yt), (xt > yt), (xt >= yt))) AS trace_ids,
       bool_and(((x.s = y.s), (x.s <> y.s), (x.s < y.s), (x.s <= y.s), (x.s > y.s), (x.s >= y.s)) =
                ((xs = ys), (xs <> ys), (xs < ys), (xs <= ys), (xs > ys), (xs >= ys))) AS span_ids,
       bool_and((x.t = y.t) = (apm.trace_id_hash_extended(x.t, 5) = apm.trace_id_hash_extended(y.t, 5)) AND
                (x.s = y.s) = (apm.span_id_hash_extended(x.s, 5) = apm.span_id_hash_extended(y.s, 5))) AS hashes,
       bool_and(apm.trace_id_hash(x.t) = apm.trace_id_hash_extended(x.t, 0)::bit(32)::int AND
                apm.span_id_hash(x.s) = apm.span_id_hash_extended(x.s, 0)::bit(32)::int) AS seed_zero
  FROM a x, a y, LATERAL (SELECT x.t::text COLLATE "C" xt, y.t::text COLLATE "C" yt, x.s::text COLLATE "C" xs, y.s::text COLLATE "C" ys) c
 WHERE x.n <= 60 AND y.n <= 60;

-- Plans: indexes of both kinds, hash and merge joins, hashed grouping.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT n FROM a WHERE t = 'e4da3b7fbbce2345d7772b0674a318d5';
EXPLAIN (COSTS OFF) SELECT n FROM a WHERE s IN ('e4da3b7fbbce2345', 'ffffffffffffffff');
EXPLAIN (COSTS OFF) SELECT n FROM a WHERE t >= 'e4da3b7fbbce2345d7772b0674a318d5' AND t < 'f4da3b7fbbce2345d7772b0674a318d5';
EXPLAIN (COSTS OFF) SELECT n FROM b WHERE t = 'e4da3b7fbbce2345d7772b0674a318d5';
EXPLAIN (COSTS OFF) SELECT n FROM b WHERE s = 'e4da3b7fbbce2345';
SELECT n FROM a WHERE t = md5('t1234')::apm.trace_id;
SELECT n FROM b WHERE s = left(md5('s1998'), 16)::apm.span_id;
RESET enable_seqscan;
RESET enable_bitmapscan;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_nestloop = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM a JOIN b USING (t, s);
SELECT count(*) FROM a JOIN b USING (t, s);
SET enable_mergejoin = on;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM a JOIN b USING (s);
SELECT count(*) FROM a JOIN b USING (s);
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT t, count(*) FROM a GROUP BY t;
RESET enable_indexscan;
RESET enable_indexonlyscan;
RESET enable_nestloop;
RESET enable_hashjoin;
RESET enable_sort;

-- Estimates use statistics: an equality is expected to match one row of 2,001.
CREATE FUNCTION pg_temp.estimate(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan -> 0 -> 'Plan' -> 'Plan Rows';
END
$$;
SELECT pg_temp.estimate($$SELECT FROM a WHERE t = 'e4da3b7fbbce2345d7772b0674a318d5'$$) AS trace_id,
       pg_temp.estimate($$SELECT FROM a WHERE s = 'e4da3b7fbbce2345'$$) AS span_id;

-- Hash partitioning and unique keys.
CREATE TEMP TABLE parted (t apm.trace_id, s apm.span_id, PRIMARY KEY (t, s)) PARTITION BY HASH (t, s);
CREATE TEMP TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TEMP TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT t, s FROM a WHERE n <= 2000;
INSERT INTO parted SELECT t, s FROM a WHERE n <= 10 ON CONFLICT (t, s) DO NOTHING;
SELECT count(*), count(*) FILTER (WHERE tableoid = 'parted_0'::regclass) BETWEEN 800 AND 1200 AS spread FROM parted;
EXPLAIN (COSTS OFF) SELECT FROM parted WHERE t = 'e4da3b7fbbce2345d7772b0674a318d5' AND s = 'e4da3b7fbbce2345';
INSERT INTO parted SELECT t, s FROM a WHERE n = 1;
CREATE TEMP TABLE ranged (t apm.trace_id) PARTITION BY RANGE (t);
CREATE TEMP TABLE ranged_low PARTITION OF ranged FOR VALUES FROM (MINVALUE) TO ('80000000000000000000000000000000');
EXPLAIN (COSTS OFF) SELECT FROM ranged WHERE t > '90000000000000000000000000000000';

-- Comparison tells nothing about its arguments, so it may run below the
-- security barrier of a view; what may fail does not.
SELECT p.oid::regprocedure AS not_leakproof
  FROM pg_amproc f JOIN pg_opfamily o ON o.oid = f.amprocfamily JOIN pg_proc p ON p.oid = f.amproc
 WHERE o.opfname IN ('trace_id_ops', 'trace_id_hash_ops', 'span_id_ops', 'span_id_hash_ops') AND NOT p.proleakproof
UNION ALL
SELECT p.oid::regprocedure
  FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 WHERE o.oprleft IN ('apm.trace_id'::regtype, 'apm.span_id'::regtype) AND NOT p.proleakproof;
SELECT count(*) AS operators FROM pg_operator
 WHERE oprleft IN ('apm.trace_id'::regtype, 'apm.span_id'::regtype) AND oprright = oprleft AND oprresult = 'bool'::regtype
   AND oprcom <> 0 AND oprnegate <> 0 AND oprrest <> 0 AND oprjoin <> 0;
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c WHERE opcname ~ '^(trace|span)_id' ORDER BY opcname;
CREATE TEMP VIEW barrier WITH (security_barrier) AS SELECT * FROM a WHERE n > 5;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT n FROM barrier WHERE t = 'e4da3b7fbbce2345d7772b0674a318d5';
RESET enable_seqscan;
RESET enable_bitmapscan;
