-- Evaluating alert rules over stored transactions.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
INSERT INTO apm.projects (project_id, name) VALUES (702, 'evaluated'), (703, 'dropped later');
CREATE TABLE public.alert_evaluate_part PARTITION OF apm.transactions FOR VALUES FROM ('2001-03-01') TO ('2001-03-02');

-- One transaction a second from 10:00 to 12:00; slow from 10:30 to 10:40,
-- somewhat slow until 10:50; nothing from 11:10 to 11:20.
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, environment, release, status, start_time, end_time, duration_ms)
SELECT 702, lpad(to_hex(i), 32, '0')::apm.trace_id, lpad(to_hex(i), 16, '0')::apm.span_id,
       CASE i % 2 WHEN 0 THEN 'GET /even' ELSE 'GET /odd' END, 'http.server', 'prod', '1.0',
       CASE WHEN i % 10 = 0 THEN 'internal_error' ELSE 'ok' END::apm.span_status, t, t,
       CASE WHEN t >= '2001-03-01 10:30' AND t < '2001-03-01 10:40' THEN 2000 + i % 7
            WHEN t >= '2001-03-01 10:40' AND t < '2001-03-01 10:50' THEN 700 + i % 7
            ELSE 100 + i % 7 END
  FROM generate_series(1, 7200) i, LATERAL (SELECT '2001-03-01 10:00'::timestamptz + i * interval '1 s' - interval '1 s' AS t) c
 WHERE NOT (t >= '2001-03-01 11:10' AND t < '2001-03-01 11:20');

SELECT apm.create_alert('slow', 'p95(duration)', 702, critical => 1000, warning => 500, resolve => 300, time_window => '5 min', enabled => false) > 0 AS ok;
CREATE FUNCTION pg_temp.run(rule text, since timestamptz, until timestamptz, step interval)
  RETURNS TABLE (at time, value numeric, samples bigint, verdict text, state text, severity text, transition text, error text) LANGUAGE sql AS $$
  SELECT e.evaluated_at::time, round(e.value::numeric, CASE WHEN e.value > 10 THEN -1 ELSE 2 END), e.samples, e.verdict, e.state, e.severity, e.transition, e.error
    FROM generate_series(since, until, step) t, apm.evaluate_alerts(t, rule) e $$;
SELECT * FROM pg_temp.run('slow', '2001-03-01 10:00', '2001-03-01 11:25', '5 min');

-- The values are those of the rows, the window's start included and its end not.
SELECT count(*) AS evaluations,
       count(*) FILTER (WHERE e.samples IS DISTINCT FROM truth.n) AS wrong_counts,
       count(*) FILTER (WHERE abs(e.value - truth.p95) > 0.01 * truth.p95 OR (e.value IS NULL) <> (truth.p95 IS NULL)) AS wrong_values,
       count(*) FILTER (WHERE e.window_end <> e.evaluated_at OR e.window_start <> e.evaluated_at - interval '5 min') AS wrong_windows
  FROM apm.alert_evaluations e JOIN apm.alert_rules r USING (rule_id),
       LATERAL (SELECT count(*) AS n, percentile_cont(0.95) WITHIN GROUP (ORDER BY t.duration_ms) AS p95
                  FROM apm.transactions t
                 WHERE t.project_id = 702 AND t.end_time >= e.evaluated_at - interval '5 min' AND t.end_time < e.evaluated_at) truth
 WHERE r.name = 'slow';

-- One incident with its whole story, and a row in the outbox for each part.
SELECT rule_name, project_id, metric, status, severity, highest_severity, opened_at, round(opened_value::numeric, -1) AS opened_value, resolved_at,
       round(resolved_value::numeric, -1) AS resolved_value, resolution FROM apm.incidents WHERE project_id = 702;
SELECT happened_at, transition, v.severity, previous_severity, round(value::numeric, -1) AS value, samples
  FROM apm.incident_events v JOIN apm.incidents USING (incident_id) WHERE project_id = 702 ORDER BY event_id;
SELECT n.payload ->> 'transition' AS transition, n.payload ->> 'status' AS status, n.payload ->> 'state' AS state,
       n.payload ->> 'severity' AS severity, (n.payload ->> 'incident_id')::bigint = n.incident_id AS incident,
       n.payload ->> 'rule' AS rule, n.idempotency_key = n.payload ->> 'idempotency_key' AS key
  FROM apm.notifications n JOIN apm.incidents USING (incident_id) WHERE project_id = 702 ORDER BY notification_id;

-- Repeating changes nothing; time never runs backwards.
CREATE TEMP TABLE before AS
  SELECT (SELECT jsonb_agg(to_jsonb(e) ORDER BY evaluated_at) FROM apm.alert_evaluations e JOIN apm.alert_rules r USING (rule_id) WHERE name = 'slow') AS evaluations,
         (SELECT jsonb_agg(to_jsonb(s)) FROM apm.alert_states s JOIN apm.alert_rules r USING (rule_id) WHERE name = 'slow') AS states,
         (SELECT jsonb_agg(to_jsonb(i)) FROM apm.incidents i WHERE project_id = 702) AS incidents,
         (SELECT count(*) FROM apm.incident_events) AS events, (SELECT count(*) FROM apm.notifications) AS notifications;
SELECT * FROM pg_temp.run('slow', '2001-03-01 10:30', '2001-03-01 10:50', '5 min');
SELECT * FROM apm.evaluate_alerts('2001-03-01 10:31', 'slow');
SELECT * FROM apm.evaluate_alerts('2000-01-01', 'slow');
SELECT b.evaluations = (SELECT jsonb_agg(to_jsonb(e) ORDER BY evaluated_at) FROM apm.alert_evaluations e JOIN apm.alert_rules r USING (rule_id) WHERE name = 'slow') AS evaluations,
       b.states = (SELECT jsonb_agg(to_jsonb(s)) FROM apm.alert_states s JOIN apm.alert_rules r USING (rule_id) WHERE name = 'slow') AS states,
       b.incidents = (SELECT jsonb_agg(to_jsonb(i)) FROM apm.incidents i WHERE project_id = 702) AS incidents,
       b.events = (SELECT count(*) FROM apm.incident_events) AS events, b.notifications = (SELECT count(*) FROM apm.notifications) AS notifications
  FROM before b;

-- A preview tells the same as the evaluations, and writes nothing.
SELECT apm.alter_alert('slow', every => '5 min') > 0 AS ok;
SELECT count(*) AS compared, count(*) FILTER (WHERE (p.value, p.samples, p.verdict, p.state, p.severity, p.transition)
                                      IS DISTINCT FROM (e.value, e.samples, e.verdict, e.state, e.severity, e.transition)) AS different
  FROM apm.preview_alert('slow', '2001-03-01 10:00', '2001-03-01 11:25') p
       JOIN (apm.alert_evaluations e JOIN apm.alert_rules r USING (rule_id)) ON e.evaluated_at = p.evaluated_at AND r.name = 'slow';
SELECT count(*) FROM apm.preview_alert('slow', '2001-03-01 10:00', '2001-03-01 10:04');
SELECT apm.preview_alert('slow', '2001-03-01 10:00', '2001-03-01 09:00');
SELECT apm.preview_alert('slow', '2001-03-01 10:00', '2002-03-01 10:00');
SELECT apm.preview_alert('slow', '-infinity', '2002-03-01 10:00');
SELECT apm.preview_alert('slow', '2001-03-01 10:00', 'infinity');
SELECT apm.preview_alert('slwo');

-- Filters; count() has a value in an empty window, nothing else has.
SELECT apm.create_alert('odd', 'count()', 702, critical => 1000, transaction_name => 'GET /odd', op => 'http.server',
                        environment => 'prod', release => '1.0', enabled => false) > 0 AS ok;
SELECT apm.create_alert('elsewhere', 'count()', 702, critical => 1000, environment => 'test', enabled => false) > 0 AS ok;
SELECT apm.create_alert('silent', 'count()', 702, 'below', critical => 1, enabled => false) > 0 AS ok;
SELECT apm.create_alert('failing', 'failure_rate()', 702, critical => 0.05, no_data => 'ok', enabled => false) > 0 AS ok;
SELECT apm.create_alert('unsatisfied', 'apdex(300)', 702, 'below', critical => 0.6, warning => 0.8, no_data => 'no_data', enabled => false) > 0 AS ok;
SELECT apm.create_alert('rare', 'p50(duration)', 702, critical => 1000, min_samples => 400, enabled => false) > 0 AS ok;
SELECT * FROM pg_temp.run('odd', '2001-03-01 10:05', '2001-03-01 10:05', '1 min');
SELECT * FROM pg_temp.run('elsewhere', '2001-03-01 10:05', '2001-03-01 10:05', '1 min');
SELECT * FROM pg_temp.run('silent', '2001-03-01 11:05', '2001-03-01 11:25', '5 min');
SELECT * FROM pg_temp.run('failing', '2001-03-01 11:10', '2001-03-01 11:20', '5 min');
SELECT * FROM pg_temp.run('unsatisfied', '2001-03-01 10:30', '2001-03-01 11:25', '5 min') WHERE verdict <> 'ok' OR state <> 'ok';
SELECT * FROM pg_temp.run('rare', '2001-03-01 10:35', '2001-03-01 10:35', '1 min');
SELECT apm.alter_alert('rare', min_samples => 300) > 0 AS ok;
SELECT * FROM pg_temp.run('rare', '2001-03-01 10:36', '2001-03-01 10:36', '1 min');

-- Changing thresholds keeps an incident, another question ends it.
SELECT apm.alter_alert('rare', critical => 1500) > 0 AS ok;
SELECT status, resolution FROM apm.incidents WHERE rule_name = 'rare';
SELECT apm.alter_alert('rare', metric => 'p75(duration)') > 0 AS ok;
SELECT status, resolution, resolved_at FROM apm.incidents WHERE rule_name = 'rare';
SELECT state, severity, incident_id, evaluated_at FROM apm.alert_states JOIN apm.alert_rules USING (rule_id) WHERE name = 'rare';
SELECT * FROM pg_temp.run('rare', '2001-03-01 10:36', '2001-03-01 10:37', '1 min');
SELECT apm.drop_alert('rare');
SELECT incident_id - min(incident_id) OVER () AS nth, status, resolution, metric FROM apm.incidents WHERE rule_name = 'rare' ORDER BY 1;

-- A rule that cannot be measured is in error, keeps its incident, stops nobody.
-- All in one transaction: a worker must not come across enabled rules.
BEGIN;
SELECT apm.create_alert('orphan', 'count()', 703, critical => -1, every => '1 h') > 0 AS ok;
SELECT apm.create_alert('healthy', 'count()', 702, critical => 1000, every => '1 h') > 0 AS ok;
SELECT rule_name, value, verdict, state, severity, transition, error FROM apm.evaluate_alerts('2001-03-01 11:00') WHERE rule_name IN ('orphan', 'healthy') ORDER BY 1;
DELETE FROM apm.projects WHERE project_id = 703;
-- not due, then due
SELECT count(*) FROM apm.evaluate_alerts('2001-03-01 11:59:58') WHERE rule_name IN ('orphan', 'healthy');
SELECT rule_name, value, verdict, state, severity, transition, error FROM apm.evaluate_alerts('2001-03-01 12:00') WHERE rule_name IN ('orphan', 'healthy') ORDER BY 1;
SELECT rule_name, value, verdict, state, severity, transition, error FROM apm.evaluate_alerts('2001-03-01 12:00', 'orphan');
INSERT INTO apm.projects (project_id, name) VALUES (703, 'back again');
SELECT rule_name, value, verdict, state, severity, transition, error FROM apm.evaluate_alerts('2001-03-01 12:00:01', 'orphan');
SELECT apm.alter_alert('orphan', enabled => false) > 0 AS ok;
SELECT rule_name FROM apm.evaluate_alerts('2001-03-01 14:00') WHERE rule_name IN ('orphan', 'healthy') ORDER BY 1;
-- Whoever looks far ahead is told what that means.
SET client_min_messages = notice;
SELECT rule_name FROM apm.evaluate_alerts('2101-01-01', 'healthy');
SET client_min_messages = warning;
SELECT apm.alter_alert('healthy', enabled => false) > 0 AS ok;
COMMIT;
SELECT apm.evaluate_alerts(NULL);
SELECT apm.evaluate_alerts('infinity', 'healthy');
SELECT apm.evaluate_alerts(rule => 'helthy');

-- A metric runs with the rights of the rule's owner, also for a superuser.
CREATE ROLE regress_apm_admin IN ROLE apm_admin;
CREATE FUNCTION public.alert_evaluate_who() RETURNS float8 LANGUAGE sql AS 'SELECT CASE current_user WHEN ''regress_apm_admin'' THEN 1 ELSE 2 END';
SELECT apm.register_metric('alert_evaluate_who', 'max(public.alert_evaluate_who())');
SET ROLE regress_apm_admin;
SELECT apm.create_alert('who', 'alert_evaluate_who()', 702, critical => 1000, enabled => false) > 0 AS ok;
RESET ROLE;
SELECT value, error FROM apm.evaluate_alerts('2001-03-01 11:00', 'who');
SELECT DISTINCT value FROM apm.preview_alert('who', '2001-03-01 11:00', '2001-03-01 11:01');
SELECT apm.alter_alert('who', critical => 1) > 0 AS ok;
SELECT value, severity FROM apm.evaluate_alerts('2001-03-01 11:01', 'who');
UPDATE apm.alert_rules SET owner = 'nobody of that name' WHERE name = 'who';
SELECT state, severity, error FROM apm.evaluate_alerts('2001-03-01 11:02', 'who');
SELECT apm.drop_alert('who');
DELETE FROM apm.metrics WHERE name = 'alert_evaluate_who';
DROP FUNCTION public.alert_evaluate_who();
DROP ROLE regress_apm_admin;

SELECT apm.drop_alert(name) FROM apm.alert_rules WHERE project_id IN (702, 703);
DELETE FROM apm.notifications n USING apm.incidents i WHERE n.incident_id = i.incident_id AND i.project_id IN (702, 703);
DELETE FROM apm.incident_events e USING apm.incidents i WHERE e.incident_id = i.incident_id AND i.project_id IN (702, 703);
DELETE FROM apm.incidents WHERE project_id IN (702, 703);
DELETE FROM apm.projects WHERE project_id IN (702, 703);
DROP TABLE public.alert_evaluate_part;
