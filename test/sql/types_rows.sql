-- Row types: names, types and order of their attributes, and the tables that
-- are made of them.
SELECT c.relname AS type, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'apm'::regnamespace AND c.relkind = 'c' AND c.relname IN ('span', 'transaction', 'error_event')
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY c.relname, a.attnum;

-- Columns of a relation that differ from the attributes of a type at the same
-- place; columns that the relation has behind them are left out.
CREATE FUNCTION pg_temp.differences(relation regclass, type regtype)
RETURNS TABLE (place bigint, attribute text, "column" text) LANGUAGE sql BEGIN ATOMIC
  WITH columns AS (
    SELECT attrelid, row_number() OVER (PARTITION BY attrelid ORDER BY attnum) AS place,
           format('%s %s', attname, format_type(atttypid, atttypmod)) AS is
      FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped)
  SELECT t.place, t.is, r.is
    FROM columns t LEFT JOIN columns r ON r.attrelid = relation AND r.place = t.place
   WHERE t.attrelid = (SELECT typrelid FROM pg_type WHERE oid = type) AND r.is IS DISTINCT FROM t.is;
END;
SELECT * FROM pg_temp.differences('apm.transactions', 'apm.transaction');
SELECT * FROM pg_temp.differences('apm.errors', 'apm.error_event');
SELECT attname AS added FROM pg_attribute
 WHERE attrelid = 'apm.transactions'::regclass AND attnum > 0 AND NOT attisdropped
   AND attnum > (SELECT count(*) FROM pg_attribute WHERE attrelid = 'apm.transaction'::regclass AND attnum > 0 AND NOT attisdropped);
-- The comparison itself sees a difference.
CREATE TEMP TABLE other (LIKE apm.error_event);
ALTER TABLE other DROP COLUMN level, ALTER COLUMN value TYPE varchar(10), DROP COLUMN data, ADD COLUMN more int;
SELECT count(*) > 10 AS seen FROM pg_temp.differences('other', 'apm.error_event');

-- The view of spans: its own columns, then those of the type.
SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = 'apm.spans'::regclass AND attnum > 0
   AND attnum <= (SELECT attnum - 1 FROM pg_attribute WHERE attrelid = 'apm.spans'::regclass AND attname = 'trace_id');
SELECT t.attname, format_type(t.atttypid, t.atttypmod), format_type(v.atttypid, v.atttypmod)
  FROM pg_attribute t LEFT JOIN pg_attribute v ON v.attrelid = 'apm.spans'::regclass AND v.attname = t.attname
 WHERE t.attrelid = 'apm.span'::regclass AND t.attnum > 0
   AND (v.attnum - t.attnum, v.atttypid) IS DISTINCT FROM
       ((SELECT attnum - 1 FROM pg_attribute WHERE attrelid = 'apm.spans'::regclass AND attname = 'trace_id'), t.atttypid);

-- Rows survive their text form.
CREATE TEMP TABLE kept (e apm.error_event, s apm.span);
INSERT INTO kept VALUES
  (ROW(1, NULL, '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', 'error', 'E', 'v"\,(', NULL, false, NULL, '', NULL,
       NULL, '{a,"b c"}', '2026-01-05 00:00+00', '{"k": "v"}', NULL),
   ROW('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', NULL, '00f067aa0ba902b7', true, 'db', E'SELECT\n1', 'ok',
       '2026-01-05 00:00:00.000001+00', 0.001, 1e-3, NULL, NULL, 'auto', '{}'));
SELECT e::text::apm.error_event IS NOT DISTINCT FROM e AS error_event, s::text::apm.span IS NOT DISTINCT FROM s AS span FROM kept;
