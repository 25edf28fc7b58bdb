-- docs/metrics.md and the catalog say the same.
\set page `cat "$PG_ABS_SRCDIR/../docs/metrics.md"`
\set calls `cd "$PG_ABS_SRCDIR/sql" && grep -o "apm\.[a-z0-9_]*(" *.sql | sort -u`
CREATE TEMP TABLE cells AS
  SELECT n, string_to_array(trim(BOTH '| ' FROM line), ' | ') AS cell FROM string_to_table(:'page', E'\n') WITH ORDINALITY l (line, n) WHERE line LIKE '| `%';
CREATE TEMP TABLE function_rows AS
  SELECT substring(cell[1] FROM 'apm\.([a-z0-9_]+)\(') AS name, cell FROM cells WHERE cell[1] LIKE '`apm.%';
CREATE TEMP TABLE metric_rows AS
  SELECT substring(cell[1] FROM '`([a-z0-9_]+)\(') AS name, substring(cell[1] FROM '\((.*)\)`') AS arguments, cell FROM cells WHERE cell[1] NOT LIKE '`apm.%';
SELECT (SELECT count(*) FROM function_rows) > 50 AS functions_read, (SELECT count(*) FROM metric_rows) > 40 AS metrics_read;

-- every aggregate and every immutable function that measures something
SELECT DISTINCT p.proname AS not_on_the_page
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'apm' AND (p.prokind = 'a' OR p.provolatile = 'i')
   AND p.proname !~ '_(in|out|recv|send)$' AND p.proname !~ '^(trace_id|span_id|span_status)'
   AND p.prorettype NOT IN ('internal'::regtype, 'apm.spanset'::regtype)
   AND 'apm.spanset'::regtype <> ALL (p.proargtypes) AND p.pronargs > 0
   AND NOT EXISTS (SELECT FROM function_rows f WHERE f.name = p.proname) ORDER BY 1;
SELECT f.name AS not_in_the_catalog FROM function_rows f
 WHERE NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'apm' AND p.proname = f.name);
SELECT f.name AS incomplete_row FROM function_rows f WHERE array_length(cell, 1) <> 5 OR '' = ANY (cell);
SELECT f.name AS not_in_its_test, cell[5] FROM function_rows f WHERE format('%s.sql:apm.%s(', cell[5], f.name) <> ALL (string_to_array(:'calls', E'\n'));

-- the registry, row by row
SELECT coalesce(m.name, r.name) AS metric_differs, m.arguments, r.arguments, m.unit, r.cell[3] AS unit_on_page, m.empty_value, r.cell[4] AS empty_on_page
  FROM (SELECT * FROM apm.metrics WHERE builtin) m FULL JOIN metric_rows r ON r.name = m.name
 WHERE (m.arguments, coalesce(m.unit, '–'), coalesce(m.empty_value::text, 'NULL'), m.description) IS DISTINCT FROM (r.arguments, r.cell[3], r.cell[4], r.cell[2]);

-- a metric without any transaction has the value that its row says
CREATE FUNCTION pg_temp.value_of(metric text, OUT value float8, OUT samples bigint) LANGUAGE sql AS $$
  SELECT * FROM apm.metric_value(metric, '2011-06-01', '2011-06-02', project_id => -1) $$;
SELECT m.name AS wrong_of_nothing, v.* FROM apm.metrics m, LATERAL pg_temp.value_of(_apm.metric_example(m.name, m.arguments)) v
 WHERE m.builtin AND (v.value IS DISTINCT FROM m.empty_value OR v.samples <> 0);
