-- What counts as a failure: a list in the call, or a rule of the project.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';

-- lists: against the definition, for every status and one row without
CREATE TEMP TABLE outcomes AS
  SELECT i, i % 3 AS grp, CASE WHEN i % 19 > 0 THEN (enum_range(NULL::apm.span_status))[1 + i % 17] END AS s, i % 4 / 2.0::float8 AS w
    FROM generate_series(1, 2000) i;
SELECT list, apm.failure_count(s, list::apm.span_status[]) = count(*) FILTER (WHERE s = ANY (list::apm.span_status[])) AS count,
       abs(apm.failure_rate(s, NULL, list::apm.span_status[]) - count(*) FILTER (WHERE s = ANY (list::apm.span_status[])) / count(*)::float8) < 1e-12 AS rate,
       abs(apm.failure_rate(s, w, list::apm.span_status[]) - coalesce(sum(w) FILTER (WHERE s = ANY (list::apm.span_status[])), 0) / sum(w)) < 1e-12 AS weighted
  FROM outcomes, unnest(ARRAY['{internal_error}', '{ok,cancelled,unknown}', '{}', '{not_found,internal_error,not_found,NULL}', '{{ok},{aborted}}']) list
 GROUP BY list ORDER BY list COLLATE "C";
-- without a list: all but ok, cancelled and unknown
SELECT apm.failure_count(s, NULL) = apm.failure_count(s) AS count, apm.failure_rate(s, NULL, NULL) = apm.failure_rate(s) AS rate,
       apm.failure_rate(s, w, NULL) = apm.failure_rate(s, w) AS weighted, apm.share(apm.is_failure(1, s)) = apm.failure_rate(s) AS is_failure FROM outcomes;
-- a list for each row
SELECT apm.failure_count(s, CASE grp WHEN 0 THEN '{ok}' WHEN 1 THEN '{internal_error}' END::apm.span_status[]) AS count,
       count(*) FILTER (WHERE CASE grp WHEN 0 THEN s = 'ok' WHEN 1 THEN s = 'internal_error' ELSE s NOT IN ('ok', 'cancelled', 'unknown') END) AS truth FROM outcomes;
SELECT apm.failure_count(s, '{ok}') IS NULL AS no_row, apm.failure_rate(s, NULL, '{ok}') IS NULL AS no_row_2 FROM outcomes WHERE false;
SELECT apm.failure_rate(s, -1, '{ok}') FROM outcomes;
SELECT apm.failure_count(s, '{okay}') FROM outcomes;

-- rules: the project's own, else that for all, else the default
BEGIN;
CREATE TABLE failures_part PARTITION OF apm.transactions FOR VALUES FROM ('2011-07-01') TO ('2011-07-02');
INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms)
  SELECT 4700 + i % 3, lpad(to_hex(i), 32, '0')::apm.trace_id, lpad(to_hex(i), 16, '0')::apm.span_id, 'GET /', 'http.server', s, '2011-07-01 12:00+00', '2011-07-01 12:00+00', i
    FROM outcomes;
CREATE VIEW pg_temp.answers AS
  SELECT e.project_id, e.failure_rate::numeric(6, 4) AS endpoint, r.value::numeric(6, 4) AS rate, c.value AS count, r.samples, t.value::numeric(6, 4) AS in_time
    FROM apm.endpoints('2011-07-01', '2011-07-02') e, LATERAL apm.metric_value('failure_rate()', '2011-07-01', '2011-07-02', e.project_id) r,
         LATERAL apm.metric_value('failure_count()', '2011-07-01', '2011-07-02', e.project_id) c,
         LATERAL apm.timeseries('failure_rate()', '2011-07-01', '2011-07-02', '1 day', e.project_id) t;
SELECT * FROM pg_temp.answers ORDER BY project_id;
INSERT INTO apm.failure_rules VALUES (4700, '{internal_error}'), (4701, '{}');
SELECT * FROM pg_temp.answers ORDER BY project_id;
INSERT INTO apm.failure_rules VALUES (NULL, '{not_found,ok}');
SELECT * FROM pg_temp.answers ORDER BY project_id;
SELECT project_id, count(*) FILTER (WHERE status = 'internal_error') AS internal_error, count(*) FILTER (WHERE status IN ('ok', 'not_found')) AS ok_not_found FROM failures_part GROUP BY project_id ORDER BY project_id;
SELECT p, apm.is_failure(p, 'internal_error') AS internal_error, apm.is_failure(p, 'ok') AS ok, apm.is_failure(p, NULL) AS none FROM unnest(ARRAY[4700, 4701, 4702, NULL]) p;
-- the example of an assertion is a failure by the same rule
SELECT apm.assert('failure_rate() < 1%', '2011-07-01', '2011-07-02', 4700);
ROLLBACK;
-- a change counts at once, also inside one function
BEGIN;
CREATE FUNCTION pg_temp.before_and_after(OUT before boolean, OUT after boolean, OUT gone boolean) LANGUAGE plpgsql AS $$
BEGIN
  before := apm.is_failure(4700, 'ok');
  INSERT INTO apm.failure_rules VALUES (4700, '{ok}');
  after := apm.is_failure(4700, 'ok');
  DELETE FROM apm.failure_rules WHERE project_id = 4700;
  gone := apm.is_failure(4700, 'ok');
END $$;
SELECT * FROM pg_temp.before_and_after();
SELECT * FROM pg_temp.before_and_after();
SAVEPOINT s;
INSERT INTO apm.failure_rules VALUES (4700, '{ok,NULL}');
ROLLBACK TO s;
INSERT INTO apm.failure_rules VALUES (4700, NULL);
ROLLBACK TO s;
INSERT INTO apm.failure_rules VALUES (0, '{ok}');
ROLLBACK TO s;
INSERT INTO apm.failure_rules VALUES (NULL, '{ok}'), (NULL, '{}');
ROLLBACK TO s;
-- administrators write, readers read
SET ROLE apm_admin;
INSERT INTO apm.failure_rules VALUES (4700, '{ok}');
UPDATE apm.failure_rules SET failing = '{aborted}' WHERE project_id = 4700;
SET ROLE apm_reader;
SELECT apm.is_failure(4700, 'aborted') AS aborted, apm.is_failure(4700, 'ok') AS ok;
DELETE FROM apm.failure_rules;
ROLLBACK;
