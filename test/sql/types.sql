-- Ids of traces and spans, statuses: input, output, casts, binary form.
\set VERBOSITY default

-- Text form: 32 or 16 lower-case digits; upper case and dashes are read.
SELECT t, t::apm.trace_id FROM unnest(ARRAY[
  '4bf92f3577b34da6a3ce929d0e0e4736', '4BF92F3577B34DA6A3CE929D0E0E4736', '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
  '4bf92f3577b34da6-a3ce929d0e0e4736', '00000000000000000000000000000001', 'ffffffffffffffffffffffffffffffff']) t;
SELECT t, t::apm.span_id FROM unnest(ARRAY['00f067aa0ba902b7', '00F067AA0BA902B7', '0000000000000001', 'ffffffffffffffff']) t;
SELECT NULL::apm.trace_id IS NULL, NULL::apm.span_id IS NULL;

SELECT ''::apm.trace_id;
SELECT '00000000000000000000000000000000'::apm.trace_id;
SELECT '00000000-0000-0000-0000-000000000000'::apm.trace_id;
SELECT '4bf92f3577b34da6a3ce929d0e0e473'::apm.trace_id;
SELECT '4bf92f3577b34da6a3ce929d0e0e47361'::apm.trace_id;
SELECT '4bf92f3577b34da6a3ce929d0e0e473g'::apm.trace_id;
SELECT ' 4bf92f3577b34da6a3ce929d0e0e4736'::apm.trace_id;
SELECT '-4bf92f3577b34da6a3ce929d0e0e4736'::apm.trace_id;
SELECT '4bf92f35--77b34da6a3ce929d0e0e4736'::apm.trace_id;
SELECT '{4bf92f35-77b3-4da6-a3ce-929d0e0e4736}'::apm.trace_id;
SELECT ('4bf92f3577b34da6a3ce929d0e0e473é'::text)::apm.trace_id;
SELECT ('x' || repeat('é', 5000))::apm.trace_id;
SELECT ''::apm.span_id;
SELECT '0000000000000000'::apm.span_id;
SELECT '00f067aa0ba902b'::apm.span_id;
SELECT '00f067aa0ba902b71'::apm.span_id;
SELECT '00f067aa-0ba902b7'::apm.span_id;
SELECT 'x0f067aa0ba902b7'::apm.span_id;
SELECT '1'::apm.span_id;

-- Casts there and back, explicit and by assignment.
WITH v(id) AS (VALUES ('4bf92f3577b34da6a3ce929d0e0e4736'::apm.trace_id))
SELECT id::uuid, id::bytea, id::text, id::uuid::apm.trace_id = id AS uuid, id::bytea::apm.trace_id = id AS bytea,
       id::text::apm.trace_id = id AS text, id::varchar::text = id::text AS varchar FROM v;
WITH v(id) AS (VALUES ('00f067aa0ba902b7'::apm.span_id))
SELECT id::bytea, id::text, id::bytea::apm.span_id = id AS bytea, id::text::apm.span_id = id AS text FROM v;
CREATE TEMP TABLE assigned (t apm.trace_id, s apm.span_id, u uuid, b bytea, x text);
INSERT INTO assigned VALUES ('4bf92f35-77b3-4da6-a3ce-929d0e0e4736'::uuid, '\x00f067aa0ba902b7'::bytea);
UPDATE assigned SET u = t, b = s, x = t;
SELECT * FROM assigned;
INSERT INTO assigned (t) VALUES ('\x4bf92f3577b34da6a3ce929d0e0e4736'::bytea), ('4bf92f3577b34da6a3ce929d0e0e4736'::text);
SELECT count(*), count(DISTINCT t) FROM assigned;
SELECT '\x'::bytea::apm.trace_id;
SELECT '\x4bf92f3577b34da6a3ce929d0e0e47'::bytea::apm.trace_id;
SELECT '\x00000000000000000000000000000000'::bytea::apm.trace_id;
SELECT '00000000-0000-0000-0000-000000000000'::uuid::apm.trace_id;
SELECT '\x00f067aa0ba902b7ff'::bytea::apm.span_id;
SELECT '\x0000000000000000'::bytea::apm.span_id;

-- Binary form: COPY there and back, and refusal of what is not an id.
CREATE TEMP TABLE ids (n int, t apm.trace_id, s apm.span_id, st apm.span_status);
INSERT INTO ids SELECT i, md5('trace ' || i)::apm.trace_id, left(md5('span ' || i), 16)::apm.span_id, st
  FROM generate_series(1, 300) i
  JOIN LATERAL (SELECT (enum_range(NULL::apm.span_status))[1 + i % 17]) e(st) ON true;
INSERT INTO ids VALUES (301, NULL, NULL, NULL);
SELECT encode(apm.trace_id_send(t), 'hex') = t::text AND encode(apm.span_id_send(s), 'hex') = s::text AS sent, count(*)
  FROM ids GROUP BY 1 ORDER BY 1;
CREATE TEMP TABLE copies (LIKE ids);
\copy ids TO 'results/types_ids.copy' (FORMAT binary)
\copy copies FROM 'results/types_ids.copy' (FORMAT binary)
SELECT count(*), (SELECT count(*) FROM (TABLE ids EXCEPT ALL TABLE copies) d) AS lost FROM copies;
\copy (SELECT 1, uuid '00000000-0000-0000-0000-000000000000', 1::bigint, NULL::text) TO 'results/types_ids.copy' (FORMAT binary)
\copy copies FROM 'results/types_ids.copy' (FORMAT binary)
\copy (SELECT 1, uuid '4bf92f35-77b3-4da6-a3ce-929d0e0e4736', 0::bigint, NULL::text) TO 'results/types_ids.copy' (FORMAT binary)
\copy copies FROM 'results/types_ids.copy' (FORMAT binary)
\copy (SELECT 1, 'short'::bytea, 1::bigint, NULL::text) TO 'results/types_ids.copy' (FORMAT binary)
\copy copies FROM 'results/types_ids.copy' (FORMAT binary)
\copy (SELECT 1, 'seventeen bytes !'::bytea, 1::bigint, NULL::text) TO 'results/types_ids.copy' (FORMAT binary)
\copy copies FROM 'results/types_ids.copy' (FORMAT binary)
\copy ids TO 'results/types_ids.copy'
\copy copies FROM 'results/types_ids.copy'
SELECT count(*), count(DISTINCT copies) FROM copies;

-- Statuses: the names of the gRPC codes, in their order.
SELECT enumlabel, row_number() OVER (ORDER BY enumsortorder) - 1 AS code
  FROM pg_enum WHERE enumtypid = 'apm.span_status'::regtype ORDER BY enumsortorder;
SELECT 'internal_error'::apm.span_status > 'ok';
SELECT 'INTERNAL_ERROR'::apm.span_status;

-- Layout: fixed width, no TOAST; the span id by value.
SELECT typname, typlen, typbyval, typalign, typstorage, typcategory FROM pg_type
 WHERE oid IN ('apm.trace_id'::regtype, 'apm.span_id'::regtype) ORDER BY typname;
SELECT pg_column_size('4bf92f3577b34da6a3ce929d0e0e4736'::apm.trace_id), pg_column_size('00f067aa0ba902b7'::apm.span_id);
