-- What every object of the extension keeps to.  Each query lists what does not.
CREATE TEMP VIEW member AS
  SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
   WHERE d.deptype = 'e' AND e.extname = 'pg_apm';
CREATE TEMP VIEW function AS
  SELECT p.*, p.oid::regprocedure::text AS signature, p.pronamespace = 'apm'::regnamespace AS is_public
    FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
CREATE TEMP VIEW relation AS
  SELECT c.*, c.oid::regclass::text AS name, c.relnamespace = 'apm'::regnamespace AS is_public
    FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;
-- Types that have a name of their own, not the rows of tables, not arrays.
CREATE TEMP VIEW type AS
  SELECT t.*, t.oid::regtype::text AS name, t.typnamespace = 'apm'::regnamespace AS is_public
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
     AND t.typcategory <> 'A' AND coalesce(c.relkind, 'c') = 'c';
-- Names of arguments, of output columns, of columns and of attributes.
CREATE TEMP VIEW label AS
  SELECT f.signature AS object, n.name, (coalesce(f.proallargtypes, string_to_array(f.proargtypes::text, ' ')::oid[]))[n.place::int] AS type, f.is_public
    FROM function f, unnest(f.proargnames) WITH ORDINALITY n(name, place) WHERE n.name <> ''
  UNION ALL
  SELECT c.oid::regclass::text, a.attname, a.atttypid, c.relnamespace = 'apm'::regnamespace
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE c.oid IN (SELECT r.oid FROM relation r WHERE r.relkind IN ('r', 'p', 'v', 'm') UNION ALL SELECT t.typrelid FROM type t);
-- The views see something.
SELECT (SELECT count(*) > 50 FROM function) AS functions, (SELECT count(*) > 5 FROM relation) AS relations,
       (SELECT count(*) > 6 FROM type) AS types, (SELECT count(*) > 100 FROM label) AS labels;

-- The extension depends on no schema that anybody may drop, and the data with it.
SELECT extnamespace::regnamespace AS schema FROM pg_extension WHERE extname = 'pg_apm';

-- pg_restore --jobs loads the tables of an extension in any order, while foreign keys hold.
SELECT c.conrelid::regclass, c.conname FROM pg_constraint c JOIN pg_extension e ON e.extname = 'pg_apm'
 WHERE c.contype = 'f' AND c.conrelid = ANY (e.extconfig) AND c.confrelid = ANY (e.extconfig);

-- Everything lies in the two schemas; only operators stand in pg_catalog.
SELECT pg_describe_object(classid, objid, 0) AS elsewhere
  FROM member, pg_identify_object(classid, objid, 0) i
 WHERE i.schema NOT IN ('apm', '_apm') AND NOT (i.type = 'operator' AND i.schema = 'pg_catalog')
 ORDER BY 1;

-- Every public object has a comment that ends with an example.
SELECT o.kind, o.object, o.comment FROM (
  SELECT 'function' AS kind, signature AS object, obj_description(oid, 'pg_proc') AS comment FROM function WHERE is_public
  UNION ALL
  SELECT 'type', name, obj_description(oid, 'pg_type') FROM type WHERE is_public
  UNION ALL
  SELECT 'relation', name, obj_description(oid, 'pg_class') FROM relation WHERE is_public AND relkind IN ('r', 'p', 'v', 'm', 'f')) o
 WHERE o.comment IS NULL OR o.comment !~ '\mExample: \S.*$'
 ORDER BY 1, 2;
-- An example is about the object: it names it, or the type or operator it serves.
SELECT signature, substring(obj_description(oid, 'pg_proc') FROM 'Example: (.*)$') AS example
  FROM function f
 WHERE is_public AND prokind IN ('f', 'p', 'a') AND prorettype NOT IN ('cstring'::regtype, 'internal'::regtype)
   AND NOT EXISTS (SELECT FROM pg_type t WHERE f.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend))
   AND NOT EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = f.oid)
   AND NOT EXISTS (SELECT FROM pg_cast c WHERE c.castfunc = f.oid)
   AND NOT EXISTS (SELECT FROM pg_aggregate a WHERE f.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn, a.aggserialfn, a.aggdeserialfn))
   AND obj_description(oid, 'pg_proc') !~ ('Example: .*\m' || proname || '\M')
 ORDER BY 1;

-- Names of arguments and columns need no quotes, but for those that a panel of
-- Grafana demands.
SELECT object, name FROM label LEFT JOIN pg_get_keywords() k ON k.word = lower(name)
 WHERE k.catcode IN ('R', 'T') OR name <> lower(name) AND object <> 'apm.grafana_trace(apm.trace_id)'
 ORDER BY 1, 2;
SELECT object, name FROM label
 WHERE quote_ident(name) <> name AND name !~ '^[a-z_][a-z0-9_]*$' AND object <> 'apm.grafana_trace(apm.trace_id)'
 ORDER BY 1, 2;

-- No function has the name of a type: with one argument it would be a cast.
SELECT signature FROM function f WHERE is_public AND EXISTS (SELECT FROM pg_type t WHERE t.typname = f.proname AND t.typnamespace = 'apm'::regnamespace)
 ORDER BY 1;

-- A name stands for one function when every argument is an untyped literal.
-- Where the overloads differ in taking a state or what it is made of, the first
-- argument is a column and has a type.
CREATE FUNCTION pg_temp.ambiguous() RETURNS TABLE (call text) LANGUAGE plpgsql AS $$
BEGIN
  FOR call IN
    WITH form AS (
      SELECT proname, n, proargtypes[0]::regtype AS first FROM function f, generate_series(pronargs::int - pronargdefaults, pronargs) n
       WHERE is_public AND n > 0),
    overloaded AS (
      SELECT proname, n, bool_or(first = ANY ('{apm.sketch,apm.hll,apm.spanset}'::regtype[])) AS state FROM form
       GROUP BY proname, n HAVING count(*) > 1)
    SELECT DISTINCT format('apm.%I(%s)', proname, array_to_string(CASE WHEN state THEN 'NULL::' || first ELSE 'NULL' END ||
                                                                  array_fill('NULL'::text, ARRAY[n - 1]), ', '))
      FROM form JOIN overloaded USING (proname, n) ORDER BY 1
  LOOP
    BEGIN
      EXECUTE 'EXPLAIN SELECT ' || call;
    EXCEPTION
      WHEN ambiguous_function THEN RETURN NEXT;
      WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END
$$;
SELECT * FROM pg_temp.ambiguous();

-- Durations are float8 in milliseconds, moments timestamptz.
SELECT object, name, format_type(type, NULL) FROM label
 WHERE is_public AND (name ~ '_ms$' AND type NOT IN ('float8'::regtype, 'float8[]'::regtype)
   OR name ~ '(_time|_at|^since|^until)$' AND type NOT IN ('timestamptz'::regtype, 'timestamptz[]'::regtype, 'interval'::regtype)
   OR name ~ '^(trace_id|span_id|parent_span_id|segment_id)$' AND type NOT IN ('apm.trace_id'::regtype, 'apm.span_id'::regtype))
 ORDER BY 1, 2;
SELECT object, name FROM label WHERE type = 'timestamp'::regtype ORDER BY 1, 2;

-- What does not write is marked so; what writes is not for everybody.
SELECT signature, provolatile, proparallel FROM function
 WHERE is_public AND prokind <> 'p' AND provolatile = 'v' AND has_function_privilege('public', oid, 'EXECUTE')
 ORDER BY 1;
-- The mark of commit order is immutable in name only.
SELECT signature, provolatile, proparallel FROM function WHERE provolatile = 'i' AND proparallel <> 's' ORDER BY 1;
-- Reading is kept from parallel queries only where an exception is caught,
-- which takes a subtransaction.
SELECT signature, provolatile, proparallel FROM function
 WHERE is_public AND provolatile = 's' AND proparallel = 'u' AND prosrc !~ '\mEXCEPTION\s+WHEN\M'
 ORDER BY 1;

-- Aggregates: never an internal state, always combined, plain final functions.
SELECT f.signature, a.aggtranstype::regtype, a.aggcombinefn FROM function f JOIN pg_aggregate a ON a.aggfnoid = f.oid
 WHERE a.aggtranstype = 'internal'::regtype OR a.aggcombinefn = 0 OR a.aggfinalmodify <> 'r' OR f.proparallel <> 's'
    OR EXISTS (SELECT FROM pg_proc t WHERE t.oid IN (a.aggtransfn, a.aggcombinefn) AND t.proisstrict)
 ORDER BY 1;

-- Input and output functions leave NULL to the server.
SELECT t.name, p.oid::regprocedure FROM type t JOIN pg_proc p ON p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend)
 WHERE NOT p.proisstrict AND t.typtype = 'b' ORDER BY 1, 2;

-- Functions that run with the owner's rights pin their search_path; those in
-- SQL whose text is parsed when they run pin it too, or name every schema.
SELECT signature FROM function
 WHERE prosecdef AND NOT coalesce(array_to_string(proconfig, ' '), '') ~ 'search_path=pg_catalog, pg_temp'
 ORDER BY 1;
SELECT f.signature FROM function f JOIN pg_language l ON l.oid = f.prolang
 WHERE l.lanname IN ('sql', 'plpgsql') AND f.prosqlbody IS NULL AND f.prosrc ~* '\m(from|join|into|update)\s+(?!only\M|set\M)[a-z_]+\s*(\s|;|$)'
   AND NOT coalesce(array_to_string(f.proconfig, ' '), '') ~ 'search_path='
   AND EXISTS (SELECT FROM regexp_matches(f.prosrc, '\m(?:from|join|into|update)\s+([a-z_]+)\M(?!\.)(?!\()', 'gi') r JOIN relation c ON c.relname = r[1])
 ORDER BY 1;

-- Views that read tables do it with the rights of who asks.
SELECT name FROM relation r WHERE relkind = 'v' AND NOT coalesce(array_to_string(reloptions, ' '), '') ~ 'security_invoker=(true|on)'
   AND EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                WHERE w.ev_class = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.oid)
 ORDER BY 1;

-- No triggers but those by which changed rows make rollups stale, no unlogged
-- tables: neither would work on distributed ones.
SELECT r.name, t.tgname FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
 WHERE NOT t.tgisinternal AND t.tgfoid NOT IN ('_apm.mark_stale'::regproc, '_apm.mark_thresholds'::regproc) ORDER BY 1;
SELECT name FROM relation WHERE relpersistence <> 'p' ORDER BY 1;

-- Tables and their sequences are dumped, but for those of rollups that are made
-- again from rows, and the definitions of the rollups.
SELECT name, relkind FROM relation
 WHERE relkind IN ('r', 'p', 'S') AND NOT oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'pg_apm')
 ORDER BY 1;
