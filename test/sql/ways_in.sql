-- Credentials of requests, keys that can be switched off, and bulk load.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT project_id FROM apm.create_project('ways in', 4301);
SELECT project_id FROM apm.create_project('ways in, other', 4302);
UPDATE apm.project_keys SET public_key = '0123456789abcdef0123456789abcdef' WHERE project_id = 4301;
UPDATE apm.project_keys SET public_key = 'fedcba9876543210fedcba9876543210' WHERE project_id = 4302;

-- each kind of credentials alone
SELECT * FROM apm.authenticate('Sentry sentry_key=0123456789abcdef0123456789abcdef, sentry_version=7, sentry_client=x/1');
SELECT t.h, a.* FROM (VALUES
  ('sentry sentry_version=7,sentry_key=0123456789abcdef0123456789abcdef,sentry_secret=s,other=1'),
  ('X-Sentry-Auth: SENTRY  sentry_key=0123456789ABCDEF0123456789ABCDEF'),
  ('Authorization: Sentry sentry_key=fedcba9876543210fedcba9876543210 ,sentry_version=2.0'),
  ('Sentry sentry_key=0123456789abcdef0123456789abcdef.no-cache'),
  ('Basic ' || encode('0123456789abcdef0123456789abcdef:', 'base64')),
  ('basic ' || encode('fedcba9876543210fedcba9876543210', 'base64')),
  ('Sentry sentry_key=0123456789abcdef0123456789abcdef, sentry_version=8'),
  ('Sentry sentry_key=0123456789abcdef0123456789abcdef, sentry_version=new'),
  ('Sentry sentry_version=7'),
  ('Sentry sentry_key=short'),
  ('Sentry sentry_key=0123456789abcdef0123456789abcdef, sentry_key=fedcba9876543210fedcba9876543210'),
  ('Sentry sentry_key=0123456789abcdef0123456789abcdeg'),
  ('Sentry sentry_key=00000000000000000000000000000000'),
  ('Bearer 0123456789abcdef0123456789abcdef'),
  ('Basic !'), ('Sentry'), ('sentry_key=0123456789abcdef0123456789abcdef'), (''), ('  '), (NULL)) t(h), apm.authenticate(t.h) a;
SELECT t.q, a.* FROM (VALUES
  ('sentry_key=0123456789abcdef0123456789abcdef&sentry_version=7'),
  ('?a=b&sentry_version=7&sentry%5Fkey=0123456789abcdef0123456789abcde%66&sentry_client=x%2F1'),
  ('sentry_version=7'), ('a=b&c'), ('?'), ('&&=&'), ('sentry_key=%'), ('sentry_key=fedcba9876543210fedcba9876543210&sentry_version=70000000000')) t(q),
  apm.authenticate(query => t.q) a;
SELECT t.d, a.* FROM (VALUES
  ('https://0123456789abcdef0123456789abcdef@apm.example.test/4301'),
  ('https://0123456789abcdef0123456789abcdef:secret@apm.example.test:8443/some/path/4301'),
  ('https://0123456789abcdef0123456789abcdef@apm.example.test/4302'),
  ('https://00000000000000000000000000000000@apm.example.test/4301'),
  ('https://apm.example.test/4301'), ('nonsense')) t(d), apm.authenticate(dsn => t.d) a;

-- more than one kind: a header excludes a query string, a DSN must agree
SELECT * FROM apm.authenticate('Sentry sentry_key=0123456789abcdef0123456789abcdef', 'sentry_key=0123456789abcdef0123456789abcdef');
SELECT * FROM apm.authenticate('Bearer x', 'sentry_key=0123456789abcdef0123456789abcdef');
SELECT * FROM apm.authenticate('Sentry sentry_key=0123456789abcdef0123456789abcdef', 'a=b');
SELECT * FROM apm.authenticate('Sentry sentry_key=0123456789abcdef0123456789abcdef', NULL, 'https://0123456789abcdef0123456789abcdef@h/4301');
SELECT * FROM apm.authenticate(NULL, 'sentry_key=0123456789abcdef0123456789abcdef', 'https://fedcba9876543210fedcba9876543210@h/4302');
SELECT * FROM apm.authenticate(NULL, 'sentry_key=0123456789abcdef0123456789abcdef', 'https://0123456789abcdef0123456789abcdef@h/4302');
SELECT * FROM apm.authenticate();

-- keys
SELECT apm.disable_key('0123456789ABCDEF0123456789ABCDEF');
SELECT * FROM apm.authenticate(query => 'sentry_key=0123456789abcdef0123456789abcdef');
SELECT apm.dsn(4301, 'h') IS NULL AS no_dsn;
SELECT apm.create_key(4301) AS second \gset
SELECT :'second' ~ '^[0-9a-f]{32}$' AS made, apm.dsn(4301, 'h') = format('https://%s@h/4301', :'second') AS in_dsn;
SELECT * FROM apm.authenticate(dsn => apm.dsn(4301, 'h'));
SELECT apm.enable_key('0123456789abcdef0123456789abcdef');
SELECT * FROM apm.authenticate(query => 'sentry_key=0123456789abcdef0123456789abcdef');
SELECT apm.disable_key('00000000000000000000000000000000');
SELECT apm.create_key(4399);
SELECT apm.create_key(NULL) IS NULL AS nothing;

-- who may
SET ROLE apm_writer;
SELECT * FROM apm.authenticate(query => 'sentry_key=0123456789abcdef0123456789abcdef');
SELECT apm.create_key(4301);
SET ROLE apm_reader;
SELECT * FROM apm.authenticate();
SELECT count(*) FROM _apm.secrets;
RESET ROLE;

-- bulk load
CREATE FUNCTION pg_temp.tx(n integer) RETURNS bytea LANGUAGE sql AS $$
  SELECT convert_to(format(
    E'{"event_id":"%s"}\n{"type":"transaction"}\n{"type":"transaction","transaction":"GET /bulk","start_timestamp":1767571200,"timestamp":1767571200.25,"contexts":{"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"%s"}}}\n',
    md5('bulk' || n), lpad(to_hex(n), 16, '0')), 'UTF8')
$$;
CREATE TABLE bulk_bodies (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea, project_id integer, received_at timestamptz);
INSERT INTO bulk_bodies (body, project_id, received_at)
  SELECT pg_temp.tx(n), 4301 + n % 2, '2026-01-05 00:00:01+00' FROM generate_series(1, 25) n;
UPDATE bulk_bodies SET body = 'x' WHERE id = 3;
UPDATE bulk_bodies SET body = NULL WHERE id = 4;
UPDATE bulk_bodies SET project_id = NULL WHERE id = 5;
UPDATE bulk_bodies SET received_at = 'infinity' WHERE id = 6;
UPDATE bulk_bodies SET body = pg_temp.tx(8), project_id = 4301 WHERE id = 10;
CALL apm.ingest_from('bulk_bodies', batch_size => 7);
SELECT relation, key_column, last_key, rows_done, accepted, rejected, skipped, finished_at >= started_at AS finished
  FROM apm.bulk_loads;
SELECT project_id, count(*), count(DISTINCT event_id) FROM apm.transactions
 WHERE project_id IN (4301, 4302) GROUP BY 1 ORDER BY 1;
-- again: nothing is left; new rows go on; from the start: all is known
CALL apm.ingest_from('bulk_bodies');
SELECT rows_done, accepted, rejected, skipped FROM apm.bulk_loads;
INSERT INTO bulk_bodies (body, project_id) SELECT pg_temp.tx(n), 4301 FROM generate_series(26, 28) n;
CALL apm.ingest_from('bulk_bodies', batch_size => 1);
SELECT last_key, rows_done, accepted, rejected, skipped FROM apm.bulk_loads;
CALL apm.ingest_from('bulk_bodies', restart => true);
SELECT last_key, rows_done, accepted, rejected, skipped FROM apm.bulk_loads;

-- a crash in the middle: what a batch stored and how far it came are one
-- transaction, so a step that is undone is done again, and once
CREATE TABLE bulk_crash (k text COLLATE "C" NOT NULL UNIQUE, "the body" bytea);
INSERT INTO bulk_crash SELECT 'k' || lpad(n::text, 4, '0'), pg_temp.tx(1000 + n) FROM generate_series(1, 20) n;
SELECT _apm.bulk_begin('bulk_crash', 'the body', NULL, NULL, NULL, 8, 4302, false);
SELECT _apm.bulk_step('bulk_crash', 'the body', NULL, NULL, 'k', 8, 'sentry', 4302);
BEGIN;
SELECT _apm.bulk_step('bulk_crash', 'the body', NULL, NULL, 'k', 8, 'sentry', 4302);
ROLLBACK;
SELECT last_key, rows_done, accepted, skipped, finished_at FROM apm.bulk_loads WHERE relation = 'public.bulk_crash';
CALL apm.ingest_from('bulk_crash', 'the body', NULL, NULL, batch_size => 8, project_id => 4302);
SELECT last_key, rows_done, accepted, skipped, finished_at IS NULL AS running FROM apm.bulk_loads WHERE relation = 'public.bulk_crash';
SELECT count(*), count(DISTINCT event_id) FROM apm.transactions
 WHERE project_id = 4302 AND event_id IN (SELECT md5('bulk' || 1000 + n)::uuid FROM generate_series(1, 20) n);

-- another table of the same name is not taken for the one that was loaded
DROP TABLE bulk_crash;
CREATE TABLE bulk_crash (k text COLLATE "C" NOT NULL UNIQUE, "the body" bytea);
INSERT INTO bulk_crash SELECT 'a' || n, pg_temp.tx(1100 + n) FROM generate_series(1, 2) n;
CALL apm.ingest_from('bulk_crash', 'the body', NULL, NULL, project_id => 4302);
CALL apm.ingest_from('bulk_crash', 'the body', NULL, NULL, project_id => 4302, restart => true);
SELECT last_key, rows_done, accepted FROM apm.bulk_loads WHERE relation = 'public.bulk_crash';
-- a copy of the database knows its tables by their names
UPDATE _apm.bulk_loads SET relation_oid = 1, system_identifier = 1 WHERE relation = 'public.bulk_crash';
CALL apm.ingest_from('bulk_crash', 'the body', NULL, NULL, project_id => 4302);
SELECT last_key, rows_done, relation_oid = 'bulk_crash'::regclass AS known FROM _apm.bulk_loads WHERE relation = 'public.bulk_crash';

-- wrong arguments
CREATE TABLE bulk_wrong (id integer, body text, project_id integer, received_at timestamptz);
CALL apm.ingest_from('bulk_wrong');
ALTER TABLE bulk_wrong ALTER body TYPE bytea USING NULL;
CALL apm.ingest_from('bulk_wrong');
CALL apm.ingest_from('bulk_wrong', key_column => 'id');
CALL apm.ingest_from('bulk_wrong', received_column => 'id');
CALL apm.ingest_from('bulk_wrong', project_column => 'no');
CALL apm.ingest_from('bulk_wrong', batch_size => 0);
CALL apm.ingest_from(NULL);
CALL apm.ingest_from('bulk_bodies', format => 'nonsense', restart => true);
SELECT rows_done FROM apm.bulk_loads WHERE relation = 'public.bulk_bodies';

DROP TABLE bulk_bodies, bulk_crash, bulk_wrong;
DELETE FROM _apm.bulk_loads;
DELETE FROM apm.transactions WHERE project_id IN (4301, 4302);
DELETE FROM _apm.span_batches WHERE project_id IN (4301, 4302);
DELETE FROM _apm.outcome_log WHERE project_id IN (0, 4301, 4302);
DELETE FROM _apm.seen WHERE project_id IN (4301, 4302);
DELETE FROM apm.project_keys WHERE project_id IN (4301, 4302);
DELETE FROM apm.projects WHERE project_id IN (4301, 4302);
