-- Aggregates over the same arguments share one state, and the room that states
-- take in memory is the room that the planner expects.
\set VERBOSITY default
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- What the server asks for before it lets two aggregates share: the same
-- transition from the same beginning, and finals that leave the state alone.
CREATE TEMP TABLE family AS
  SELECT a.aggtransfn::regprocedure::text AS transition, p.proargtypes, array_agg(p.oid::regprocedure ORDER BY p.oid::regprocedure::text COLLATE "C") AS members,
         bool_and(a.aggfinalmodify = 'r' AND a.aggserialfn = 0 AND a.aggkind = 'n') AS sharable, count(DISTINCT (a.aggtranstype, coalesce(a.agginitval, ''))) AS beginnings
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
   WHERE p.pronamespace = 'apm'::regnamespace AND a.aggtranstype IN ('bigint[]'::regtype, 'float8[]'::regtype, 'apm.hll'::regtype, 'apm.sketch'::regtype)
   GROUP BY a.aggtransfn, p.proargtypes;
SELECT members FROM family WHERE array_length(members, 1) > 1 ORDER BY members[1]::text COLLATE "C";
SELECT members AS do_not_share FROM family WHERE NOT sharable OR beginnings <> 1;

-- And what it does: every state has its arguments computed once a row, so a
-- function that counts its calls says how many states there are.
CREATE TABLE sharing AS SELECT i FROM generate_series(1, 100) i;
CREATE FUNCTION pg_temp.seen(x anyelement) RETURNS anyelement LANGUAGE plpgsql STABLE AS 'BEGIN RETURN x; END';
CREATE FUNCTION pg_temp.example(t oid) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE t WHEN 'float8'::regtype THEN '(1 + i)::float8' WHEN 'text'::regtype THEN '(i % 7)::text' WHEN 'boolean'::regtype THEN 'i % 3 = 0' WHEN 'integer'::regtype THEN '1 + i % 5'
    WHEN 'apm.span_status'::regtype THEN '''ok''::apm.span_status' WHEN 'apm.span_status[]'::regtype THEN '''{ok}''::apm.span_status[]'
    WHEN 'apm.hll'::regtype THEN '''010100000200000000000000''::apm.hll' WHEN 'apm.sketch'::regtype THEN '''01000000''::apm.sketch' END $$;
-- Calls of pg_temp.seen, once an argument, while these aggregates run in one query; in hundreds, the number of rows.
CREATE FUNCTION pg_temp.states(members regprocedure[], OUT states numeric) LANGUAGE plpgsql AS $$
DECLARE
  calls text;
  earlier bigint;
BEGIN
  SELECT string_agg(format('%s(%s)', p.oid::regproc, (SELECT string_agg(CASE WHEN place = 1 THEN format('pg_temp.seen(%s)', CASE WHEN p.proname = 'count_web_vitals' THEN 'i::float8' ELSE pg_temp.example(t) END)
                                                             WHEN t = 'text'::regtype AND place > 1 THEN (ARRAY['''lcp''', '''good'''])[place - 1] ELSE pg_temp.example(t) END, ', ' ORDER BY place)
                                                        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, place))), ', ')
    INTO calls FROM unnest(members) m JOIN pg_proc p ON p.oid = m;
  SELECT f.calls INTO earlier FROM pg_stat_xact_user_functions f WHERE f.funcname = 'seen';
  EXECUTE format('SELECT %s FROM sharing', calls);
  SELECT (f.calls - coalesce(earlier, 0)) / 100.0 INTO states FROM pg_stat_xact_user_functions f WHERE f.funcname = 'seen';
END $$;
SET track_functions = 'pl';
SELECT array_length(members, 1) AS aggregates, members[1] AS first, round(pg_temp.states(members), 2) AS states FROM family ORDER BY members[1]::text COLLATE "C";
-- Other arguments, other states: the count would see it.
SELECT round(pg_temp.states(ARRAY['apm.p50(float8)', 'apm.apdex(float8)', 'apm.estimate_count(float8)', 'apm.p95(float8)']::regprocedure[]), 2) AS states;
RESET track_functions;

-- Room: the bytes of a state of a hundred values, as the server's allocator
-- hands them out (powers of two from 8 bytes up to 8 kB), against SSPACE.
CREATE SCHEMA aggregate_states;
CREATE TEMP TABLE room AS
  SELECT row_number() OVER (ORDER BY p.oid::regprocedure::text COLLATE "C") AS n, p.oid::regprocedure AS aggregate, p.proargtypes, a.aggtransspace AS declared,
         format('SFUNC = %s, STYPE = %s %s', a.aggtransfn, a.aggtranstype::regtype, ', INITCOND = ' || quote_literal(a.agginitval)) AS definition
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid
   WHERE p.pronamespace IN ('apm'::regnamespace, '_apm'::regnamespace) AND a.aggtranstype IN ('bigint[]'::regtype, 'float8[]'::regtype, 'apm.hll'::regtype, 'apm.sketch'::regtype);
CREATE TABLE aggregate_states.input AS
  SELECT i, (1 + i::bigint * i * 7919 % 60013) / 100.0::float8 AS v, 1 + i % 7 / 4.0::float8 AS w, 'id:' || i AS u, 'ok'::apm.span_status AS s,
         (SELECT apm.sketch_agg((1 + i::bigint * k * 7919 % 60013) / 100.0) FROM generate_series(1, 40) k) AS q, (SELECT apm.hll_agg(format('id:%s', i * 10 + k)) FROM generate_series(1, 10) k) AS h
    FROM generate_series(1, 100) i;
CREATE FUNCTION pg_temp.state_bytes(r room) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  bytes int;
BEGIN
  EXECUTE format('CREATE AGGREGATE aggregate_states.of_%s(%s) (%s)', r.n, oidvectortypes(r.proargtypes), r.definition);
  EXECUTE format('SELECT pg_column_size(aggregate_states.of_%s(%s)) FROM aggregate_states.input', r.n,
    (SELECT string_agg(CASE t WHEN 'float8'::regtype THEN CASE place WHEN 1 THEN 'v' ELSE 'w' END WHEN 'text'::regtype THEN CASE place WHEN 1 THEN 'u' WHEN 2 THEN '''lcp''' ELSE '''good''' END
                         WHEN 'boolean'::regtype THEN 'i % 2 = 0' WHEN 'integer'::regtype THEN '5' WHEN 'apm.span_status'::regtype THEN 's' WHEN 'apm.span_status[]'::regtype THEN '''{ok}'''
                         WHEN 'apm.hll'::regtype THEN 'h' WHEN 'apm.sketch'::regtype THEN 'q' END, ', ' ORDER BY place)
       FROM unnest(r.proargtypes::oid[]) WITH ORDINALITY a (t, place))) INTO bytes;
  RETURN CASE WHEN bytes > 8192 THEN bytes ELSE 2 ^ ceil(log(2, bytes)) END;
END $$;
CREATE TEMP TABLE measured AS SELECT aggregate, declared, pg_temp.state_bytes(room) AS taken FROM room;
SELECT declared, taken, count(*) AS aggregates, min(aggregate::text COLLATE "C") AS one_of_them, declared BETWEEN taken / 2 AND taken * 2 AS honest
  FROM measured GROUP BY 1, 2 ORDER BY 1, 2;

-- Many groups that all grow at once, in little memory: the planner knows how
-- many fit, so that the rest goes to disk before those in memory are large.
CREATE TABLE aggregate_states.rows AS
  SELECT i, i % 2000 AS k, (1 + i::bigint * i * 7919 % 60013) / 100.0::float8 AS v, 1 + i % 7 / 4.0::float8 AS w, 'id:' || i % 50021 AS u FROM generate_series(1, 200000) i;
ANALYZE aggregate_states.rows;
SET enable_sort = off;
SET work_mem = '512kB';
SET hash_mem_multiplier = 1;
CREATE FUNCTION pg_temp.memory(call text, OUT strategy text, OUT spills boolean, OUT times_allowed float8) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) SELECT k, %s FROM aggregate_states.rows GROUP BY k', call) INTO plan;
  plan := plan->0->'Plan';
  strategy := plan->>'Strategy';
  spills := (plan->>'HashAgg Batches')::int > 1;
  times_allowed := (plan->>'Peak Memory Usage')::float8 / 512;
END $$;
SELECT call, strategy, spills, times_allowed < 3 AS bounded
  FROM unnest(ARRAY['apm.p95(v)', 'apm.sketch_agg(v)', 'apm.sketch_agg(v, w)', 'apm.count_unique(u)', 'apm.user_misery(u, v)', 'apm.p95(v), apm.count_unique(u), apm.apdex(v), apm.estimate_avg(v, w)']) call, pg_temp.memory(call);
DROP SCHEMA aggregate_states CASCADE;
DROP TABLE sharing;
