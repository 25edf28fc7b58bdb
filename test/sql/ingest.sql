-- apm.ingest and apm.ingest_batch: what is stored, what is refused, what is said.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.tx(event text, span text, name text DEFAULT 'GET /a', spans text DEFAULT '[]',
                           start_s numeric DEFAULT 1767571200, ms numeric DEFAULT 250) RETURNS bytea
LANGUAGE sql AS $$
  SELECT convert_to(format(
    E'{"event_id":"%s"}\n{"type":"transaction"}\n{"type":"transaction","transaction":"%s","start_timestamp":%s,"timestamp":%s,"contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"%s","op":"http.server","status":"ok"}},"user":{"id":7},"spans":%s}\n',
    event, name, start_s, start_s + ms / 1000, span, spans), 'UTF8')
$$;

SELECT project_id, public_key ~ '^[0-9a-f]{32}$' AS key FROM apm.create_project('ingest test', 4101);

-- one transaction with a child span, then the same again
SELECT * FROM apm.ingest(pg_temp.tx('11111111111111111111111111111111', '00000000000000a1', 'GET /a',
  '[{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b1","parent_span_id":"00000000000000a1","op":"db","description":"SELECT 1","start_timestamp":1767571200.05,"timestamp":1767571200.15,"data":{"db.system":"postgresql"}}]'), 4101);
SELECT * FROM apm.ingest(pg_temp.tx('11111111111111111111111111111111', '00000000000000a1'), 4101);
SELECT event_id, trace_id, span_id, name, op, status, start_time AT TIME ZONE 'UTC' AS start_time,
       duration_ms, user_key, span_count, weight
  FROM apm.transactions WHERE project_id = 4101;
SELECT transaction_name, span_id, parent_span_id, segment_id, is_segment, op, description, duration_ms,
       self_time_ms, attributes
  FROM apm.spans WHERE project_id = 4101 ORDER BY start_time;

-- a batch: repeated within itself, one NULL body, one broken one, each neighbour stays
SELECT ordinality, event_id, accepted, rejected, skipped, problems
  FROM apm.ingest_batch(
    ARRAY[pg_temp.tx('22222222222222222222222222222222', '00000000000000a2'), NULL, '\x00'::bytea,
          pg_temp.tx('22222222222222222222222222222222', '00000000000000a2'),
          pg_temp.tx('33333333333333333333333333333333', '00000000000000a3', 'GET /b'), ''::bytea],
    ARRAY[4101, 4101, 4101, 4101, 4101, 4101],
    array_fill('2026-01-05 00:00:01+00'::timestamptz, ARRAY[6])) WITH ORDINALITY;
SELECT name, received_at AT TIME ZONE 'UTC' AS received_at FROM apm.transactions
 WHERE project_id = 4101 AND event_id <> '11111111111111111111111111111111' ORDER BY name;
-- another project keeps its own
SELECT accepted, skipped FROM apm.ingest(pg_temp.tx('22222222222222222222222222222222', '00000000000000a2'), 4102);

-- times far off have partitions of their own
SELECT accepted FROM apm.ingest(pg_temp.tx('44444444444444444444444444444444', '00000000000000a4', 'past', '[]', 1000), 4101);
SELECT accepted FROM apm.ingest(pg_temp.tx('55555555555555555555555555555555', '00000000000000a5', 'future', '[]', 1773480413250, 250000), 4101);
SELECT name, tableoid::regclass AS part FROM apm.transactions
 WHERE project_id = 4101 AND name IN ('past', 'future') ORDER BY name;
SET pg_apm.max_partitions = 1;
SELECT * FROM apm.ingest(pg_temp.tx('66666666666666666666666666666666', '00000000000000a6', 'limit', '[]', 1499999999), 4101);
RESET pg_apm.max_partitions;

-- unknown projects
SET client_min_messages = notice;
SELECT accepted FROM apm.ingest(pg_temp.tx('22222222222222222222222222222222', '00000000000000a2'), 4103);
SELECT accepted FROM apm.ingest(pg_temp.tx('33333333333333333333333333333333', '00000000000000a3'), 4103);
SET client_min_messages = warning;
-- whoever may make projects may do as the hint says
SET ROLE apm_admin;
UPDATE apm.projects SET name = 'named' WHERE project_id = 4103 RETURNING name;
RESET ROLE;
SET pg_apm.auto_create_projects = off;
SELECT * FROM apm.ingest(pg_temp.tx('22222222222222222222222222222222', '00000000000000a2'), 4104);
RESET pg_apm.auto_create_projects;
SELECT * FROM apm.ingest(pg_temp.tx('22222222222222222222222222222222', '00000000000000a2'), -1);

-- one bad span: lenient drops it, strict refuses the transaction
SELECT accepted, rejected, problems FROM apm.ingest(pg_temp.tx('77777777777777777777777777777777', '00000000000000a7', 'bad span',
  '[null,{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00000000000000b7","start_timestamp":1767571200.05,"timestamp":1767571200.15}]'), 4101);
SET pg_apm.validation = strict;
SELECT accepted, rejected, problems FROM apm.ingest(pg_temp.tx('88888888888888888888888888888888', '00000000000000a8', 'bad span', '[null]'), 4101);
RESET pg_apm.validation;
SELECT category, outcome, reason, sum(quantity) FROM apm.outcomes
 WHERE project_id BETWEEN 4101 AND 4104 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- wrong arguments
SELECT * FROM apm.ingest('x', NULL);
SELECT * FROM apm.ingest('x', 4101, 'infinity');
SELECT * FROM apm.ingest('x', 4101, now(), 'protobuf');
SELECT * FROM apm.ingest('x', 4101, now(), NULL);
SELECT * FROM apm.ingest_batch(ARRAY['x'::bytea, 'y'], ARRAY[4101], ARRAY[now(), now()]);
SELECT * FROM apm.ingest_batch(ARRAY['x'::bytea], ARRAY[NULL::int], ARRAY[now()]);
SELECT * FROM apm.ingest_batch(NULL, ARRAY[4101], ARRAY[now()]);
SELECT * FROM apm.ingest_batch(ARRAY[['x'::bytea]], ARRAY[4101], ARRAY[now()]);
SELECT count(*) FROM apm.ingest_batch('{}', '{}', '{}');
SELECT * FROM apm.create_project('', 4105);
SELECT * FROM apm.create_project('again', 4101);
SELECT * FROM apm.create_project('zero', 0);
SELECT apm.register_format('nonsense', 'pg_catalog.now()'::regprocedure);
SELECT apm.register_format('nonsense', '1'::regprocedure);
SELECT apm.register_format('Not a name', 'apm.format_sentry(internal)'::regprocedure);
SELECT apm.register_format('sentry', 'apm.format_sentry(internal)'::regprocedure);
SELECT apm.unregister_format('sentry');

-- roles: a writer stores and reads nothing, a reader reads and stores nothing
SET ROLE apm_writer;
SELECT accepted FROM apm.ingest(pg_temp.tx('99999999999999999999999999999999', '00000000000000a9'), 4101);
SELECT count(*) FROM apm.transactions;
SET ROLE apm_reader;
SELECT count(*) > 0 AS readable FROM apm.spans;
SELECT * FROM apm.ingest('x', 4101);
INSERT INTO apm.projects VALUES (4199, 'x');
RESET ROLE;

-- a DSN in the header that names another project than the argument
CREATE FUNCTION pg_temp.with_dsn(body bytea, project int) RETURNS bytea LANGUAGE sql AS $$
  SELECT convert_to(regexp_replace(convert_from(body, 'UTF8'), '^[{]', format('{"dsn":"https://%s@apm.test/%s",', repeat('a', 32), project)), 'UTF8')
$$;
SELECT accepted, rejected, problems FROM apm.ingest(pg_temp.with_dsn(pg_temp.tx('dd000000000000000000000000000001', '00000000000000d1'), 4101), 4101);
SELECT accepted, rejected, problems FROM apm.ingest(pg_temp.with_dsn(pg_temp.tx('dd000000000000000000000000000002', '00000000000000d2'), 9), 4101);
SET pg_apm.validation = strict;
SELECT accepted, rejected FROM apm.ingest(pg_temp.with_dsn(pg_temp.tx('dd000000000000000000000000000003', '00000000000000d3'), 4101), 4101);
SELECT event_id, accepted, rejected, problems
  FROM apm.ingest_batch(ARRAY[pg_temp.tx('dd000000000000000000000000000004', '00000000000000d4'),
                              pg_temp.with_dsn(pg_temp.tx('dd000000000000000000000000000005', '00000000000000d5', 'GET /a', '[null]'), 9),
                              pg_temp.tx('dd000000000000000000000000000006', '00000000000000d6')],
                        ARRAY[4101, 4101, 4101], array_fill('2026-01-05 00:00:01+00'::timestamptz, ARRAY[3]));
RESET pg_apm.validation;
SELECT event_id, project_id FROM apm.transactions WHERE event_id::text LIKE 'dd%' ORDER BY 1;

DELETE FROM apm.transactions WHERE project_id BETWEEN 4101 AND 4104;
DELETE FROM _apm.span_batches WHERE project_id BETWEEN 4101 AND 4104;
DELETE FROM _apm.outcome_log WHERE project_id BETWEEN -1 AND 4104;
DELETE FROM _apm.seen WHERE project_id BETWEEN 4101 AND 4104;
DELETE FROM apm.project_keys WHERE project_id BETWEEN 4101 AND 4104;
DELETE FROM apm.projects WHERE project_id BETWEEN 4101 AND 4104;
