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
