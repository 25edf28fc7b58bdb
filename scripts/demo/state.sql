SELECT r.name, s.state, s.severity, round(s.value) AS p95_ms, s.samples, s.evaluated_at
  FROM apm.alert_rules r JOIN apm.alert_states s USING (rule_id);

SELECT running, last_tick, lag, last_error FROM apm.worker_status;
