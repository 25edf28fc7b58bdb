-- Alert rules: what is refused, altering, clearing, dropping.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
INSERT INTO apm.projects (project_id, name) VALUES (701, 'rules');

-- Wrong arguments are refused at once.
SELECT apm.create_alert('a', 'p95(duratoin)', 701, critical => 1);
SELECT apm.create_alert('a', 'p95(duration', 701, critical => 1);
SELECT apm.create_alert('a', NULL, 701, critical => 1);
SELECT apm.create_alert('a', '', 701, critical => 1);
SELECT apm.create_alert(NULL, 'count()', 701, critical => 1);
SELECT apm.create_alert('  ', 'count()', 701, critical => 1);
SELECT apm.create_alert(E'two\nlines', 'count()', 701, critical => 1);
SELECT apm.create_alert(repeat('x', 201), 'count()', 701, critical => 1);
SELECT apm.create_alert('a', 'count()', 70100, critical => 1);
SELECT apm.create_alert('a', 'count()', NULL, critical => 1);
SELECT apm.create_alert('a', 'count()', 701);
SELECT apm.create_alert('a', 'count()', 701, resolve => 1);
SELECT apm.create_alert('a', 'count()', 701, direction => 'over', critical => 1);
SELECT apm.create_alert('a', 'count()', 701, direction => NULL, critical => 1);
SELECT apm.create_alert('a', 'count()', 701, critical => 1, no_data => 'zero');
SELECT apm.create_alert('a', 'count()', 701, critical => 'NaN');
SELECT apm.create_alert('a', 'count()', 701, critical => 'Infinity');
SELECT apm.create_alert('a', 'count()', 701, critical => 1, resolve => '-Infinity');
SELECT apm.create_alert('a', 'count()', 701, critical => 100, warning => 101);
SELECT apm.create_alert('a', 'apdex(300)', 701, 'below', critical => 0.8, warning => 0.7);
SELECT apm.create_alert('a', 'count()', 701, critical => 100, resolve => 101);
SELECT apm.create_alert('a', 'count()', 701, critical => 100, warning => 50, resolve => 60);
SELECT apm.create_alert('a', 'apdex(300)', 701, 'below', critical => 0.8, resolve => 0.7);
SELECT apm.create_alert('a', 'count()', 701, critical => 1, time_window => '59 seconds');
SELECT apm.create_alert('a', 'count()', 701, critical => 1, time_window => '32 days');
SELECT apm.create_alert('a', 'count()', 701, critical => 1, time_window => NULL);
SELECT apm.create_alert('a', 'count()', 701, critical => 1, every => '999 ms');
SELECT apm.create_alert('a', 'count()', 701, critical => 1, every => '-1 min');
SELECT apm.create_alert('a', 'count()', 701, critical => 1, min_samples => 0);
SELECT apm.create_alert('a', 'count()', 701, critical => 1, enabled => NULL);
SELECT count(*) FROM apm.alert_rules WHERE project_id = 701;

-- Right ones; the limits themselves are allowed.
CREATE TEMP TABLE rule (id bigint);
INSERT INTO rule SELECT apm.create_alert('limits', 'count()', 701, critical => 5, warning => 5, resolve => 5,
  time_window => '1 min', every => '1 second', enabled => false);
INSERT INTO rule SELECT apm.create_alert('long', 'p95(duration)', 701, 'below', critical => 1, warning => 2, resolve => 3,
  time_window => '31 days', every => '1 day', transaction_name => 'GET /', op => 'http.server', environment => 'prod',
  release => '1.0', min_samples => 20, no_data => 'alert', enabled => false);
BEGIN;  -- unseen by a worker, since enabled
INSERT INTO rule SELECT apm.create_alert('defaults', 'failure_rate()', 701, critical => 0.1);
SELECT id = rule_id AS same_id, name, metric, direction AS dir, critical, warning, resolve, time_window, every, transaction_name AS tx,
       op, environment AS env, release, min_samples AS min, no_data, enabled, fire_after AS fa, resolve_after AS ra, needs_samples AS needs
  FROM apm.alert_rules JOIN rule ON rule_id = id ORDER BY name;
SELECT name, state, severity, evaluated_at FROM apm.alert_states JOIN apm.alert_rules USING (rule_id) WHERE project_id = 701 ORDER BY name;
SELECT apm.drop_alert('defaults');
COMMIT;
SELECT apm.create_alert('long', 'count()', 701, critical => 1);
SELECT owner = current_user AS is_mine FROM apm.alert_rules WHERE name = 'long';

-- The table itself refuses what the functions refuse.
\set VERBOSITY terse
UPDATE apm.alert_rules SET critical = NULL, warning = NULL WHERE name = 'long';
UPDATE apm.alert_rules SET warning = 0.5 WHERE name = 'long';
UPDATE apm.alert_rules SET critical = 'NaN' WHERE name = 'limits';

\set VERBOSITY default
-- Altering: NULL leaves as it is, clear sets to NULL, anything is checked again.
SELECT apm.alter_alert('long') = id FROM rule JOIN apm.alert_rules ON id = rule_id WHERE name = 'long';
SELECT apm.alter_alert('lang', critical => 1);
SELECT apm.alter_alert('something else altogether', critical => 1);
SELECT apm.alter_alert(NULL, critical => 1);
SELECT apm.alter_alert('long', clear => '{critical,warning}');
SELECT apm.alter_alert('long', clear => '{metric}');
SELECT apm.alter_alert('long', direction => 'above');
SELECT apm.alter_alert('long', metric => 'p95x()');
SELECT apm.alter_alert('long', project_id => 70100);
SELECT apm.alter_alert('long', fire_after => 0);
SELECT apm.alter_alert('long', new_name => 'limits');
SELECT apm.alter_alert('long', direction => 'above', critical => 3, warning => 2, resolve => 1) IS NOT NULL AS ok;
SELECT apm.alter_alert('long', critical => 5, clear => '{warning,resolve,op,release}', fire_after => 3, resolve_after => 2,
  new_name => 'longer', metric => 'count()', min_samples => 7) IS NOT NULL AS ok;
SELECT name, metric, direction AS dir, critical, warning, resolve, time_window, every, transaction_name AS tx, op, environment AS env,
       release, min_samples AS min, no_data, enabled, fire_after AS fa, resolve_after AS ra, needs_samples AS needs
  FROM apm.alert_rules WHERE name IN ('long', 'longer');
SELECT apm.alter_alert('longer', new_name => 'longer') IS NOT NULL AS ok;

-- A rule in words.
SELECT aspect, regexp_replace(regexp_replace(detail, 'id \d+|owner .*$| since .*', '…', 'g'), 'no worker, .*', 'no worker, …') AS detail
  FROM apm.explain_alert('longer') WHERE aspect <> 'query';
SELECT aspect, detail FROM apm.explain_alert('limits') WHERE aspect IN ('measures', 'fires', 'resolves', 'empty window');
SELECT apm.explain_alert('limit');
-- Its query runs as it stands.
SELECT detail AS query FROM apm.explain_alert('longer') WHERE aspect = 'query' \gset
:query;

-- Dropping.
SELECT apm.drop_alert('nothing');
SELECT apm.drop_alert(name) FROM apm.alert_rules WHERE project_id = 701 ORDER BY name;
SELECT count(*) FROM apm.alert_rules WHERE project_id = 701;
SELECT count(*) FROM apm.alert_states WHERE rule_id IN (SELECT id FROM rule);
DELETE FROM apm.projects WHERE project_id = 701;

-- Rights: who may not, may not; the metric runs with the rights of the owner.
CREATE ROLE regress_apm_reader IN ROLE apm_reader;
SET ROLE regress_apm_reader;
SELECT apm.create_alert('x', 'count()', 1, critical => 1);
SELECT apm.alter_alert('x');
SELECT apm.drop_alert('x');
SELECT * FROM apm.evaluate_alerts();
SELECT count(*) >= 0 AS readable FROM apm.alert_rules;
SELECT count(*) AS rows FROM apm.worker_status;
RESET ROLE;
DROP ROLE regress_apm_reader;
