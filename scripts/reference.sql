-- Writes docs/reference.md: every public object with its comment.
WITH object (section, ordinal, name, comment) AS (
  SELECT 'Types', 1, format('%I.%I', n.nspname, t.typname), obj_description(t.oid, 'pg_type')
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE n.nspname = 'apm' AND t.typelem = 0 AND (t.typrelid = 0 OR c.relkind = 'c')
  UNION ALL
  SELECT 'Relations', 2, format('%I.%I', n.nspname, c.relname), obj_description(c.oid, 'pg_class')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = 'apm' AND c.relkind IN ('r', 'p', 'v')
  UNION ALL
  SELECT CASE p.prokind WHEN 'a' THEN 'Aggregates' WHEN 'p' THEN 'Procedures' ELSE 'Functions' END, CASE p.prokind WHEN 'a' THEN 3 WHEN 'p' THEN 5 ELSE 4 END,
         format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_arguments(p.oid))
           || CASE WHEN pg_get_function_result(p.oid) IS NOT NULL THEN ' → ' || pg_get_function_result(p.oid) ELSE '' END,
         obj_description(p.oid, 'pg_proc')
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = 'apm'
     -- functions behind operators, casts and input and output stand in psql's \df
     AND NOT EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid)
     AND NOT EXISTS (SELECT FROM pg_cast k WHERE k.castfunc = p.oid)
     AND NOT EXISTS (SELECT FROM pg_type t WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend))
     AND NOT EXISTS (SELECT FROM pg_amproc a WHERE a.amproc = p.oid)
), line AS (
  SELECT ordinal, '' AS name, E'\n## ' || section || E'\n' AS text FROM object GROUP BY section, ordinal
  UNION ALL
  SELECT ordinal, name, '* `' || name || '`: ' || coalesce(regexp_replace(comment, ' Example: (.*)$', ' `\1`'), '') FROM object
)
SELECT E'# Reference\n\nEvery public object of pg_apm with its comment and an example. Durations are milliseconds.\n'
       || string_agg(text, E'\n' ORDER BY ordinal, name COLLATE "C") FROM line;
