-- The state machine as SQL sees it, and the worker's view of time.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.rule(direction text, critical float8, warning float8, resolve float8, min_samples int, no_data text,
                             fire_after int, resolve_after int, needs_samples bool DEFAULT true)
  RETURNS apm.alert_rules LANGUAGE sql AS $$
  SELECT jsonb_populate_record(NULL::apm.alert_rules, to_jsonb(r)) FROM
    (SELECT direction, critical, warning, resolve, min_samples, no_data, fire_after, resolve_after, needs_samples) r $$;
-- Walks through values; NULL is an empty window, NaN a failure.
CREATE FUNCTION pg_temp.walk(r apm.alert_rules, measured float8[], samples bigint[] DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  s apm.alert_states;
  step record;
  told text[];
BEGIN
  s.state := 'no_data';
  FOR i IN 1 .. cardinality(measured) LOOP
    step := _apm.alert_step(r, s, nullif(measured[i], 'NaN'), coalesce(samples[i], 10), measured[i] = 'NaN');
    s.state := step.new_state; s.severity := step.new_severity;
    s.warning_breaches := step.warning_breaches; s.critical_breaches := step.critical_breaches;
    s.calm := step.calm; s.recoveries := step.recoveries;
    told := told || concat_ws('/', s.state, s.severity, step.verdict, step.transition);
  END LOOP;
  RETURN array_to_string(told, ' ');
END $$;
SELECT pg_temp.walk(pg_temp.rule('above', 100, 80, 60, 1, 'keep', 1, 1), '{50,90,120,70,59,NULL,NaN,50}');
SELECT pg_temp.walk(pg_temp.rule('below', 0.5, NULL, NULL, 1, 'alert', 2, 2), '{0.4,0.4,NULL,0.5,0.6}');
SELECT pg_temp.walk(pg_temp.rule('above', 100, NULL, NULL, 5, 'no_data', 1, 1), '{120,120,NULL,50,50}', '{4,5,0,4,6}');
-- A metric that needs no samples, such as count(), is judged however few they are.
SELECT pg_temp.walk(pg_temp.rule('below', 3, NULL, NULL, 5, 'keep', 1, 1, false), '{0,4}', '{0,4}');
SELECT pg_temp.walk(pg_temp.rule('sideways', 1, NULL, NULL, 1, 'keep', 1, 1), '{0}');
SELECT pg_temp.walk(pg_temp.rule('above', 1, NULL, NULL, 1, 'forget', 1, 1), '{0}');
SELECT _apm.alert_step(NULL, NULL, 1, 1, false);

-- When a rule is due again: a tenth of the interval, at most a second, is let pass.
SET timezone = 'UTC';
SELECT every, early, _apm.is_due('2026-01-01 00:00', every, '2026-01-01 00:00'::timestamptz + every - early) AS due,
       _apm.is_due('2026-01-01 00:00', every, '2026-01-01 00:00'::timestamptz + every - early - interval '1 us') AS due_before,
       _apm.next_due('2026-01-01 00:00', every) = '2026-01-01 00:00'::timestamptz + every AS exact
  FROM (VALUES (interval '1 s', interval '100 ms'), ('5 s', '500 ms'), ('1 min', '1 s'), ('1 day', '1 s')) v (every, early);
SELECT _apm.is_due(NULL, '1 min', '2000-01-01');

SELECT _apm.closest_name('chekout', '{payments,checkout,check,NULL}'), _apm.closest_name('x', '{payments,checkout}') IS NULL AS none,
       _apm.closest_name('añb', '{anb}'), _apm.closest_name('a', '{}') IS NULL AS empty, _apm.closest_name('same', '{sane,same}');
