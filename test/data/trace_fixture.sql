-- Traces of small numbers, for the tests of apm.trace and apm.waterfall.
-- To be read inside a transaction that is rolled back: apm.spans shows a plain
-- table here, so that any rows can be shown, also those no decoder would emit.
CREATE TABLE _apm.fixture_spans AS SELECT * FROM apm.spans WITH NO DATA;
CREATE OR REPLACE VIEW apm.spans AS SELECT * FROM _apm.fixture_spans;
-- A partition without an index may hold any trace: the view is read for all times.
CREATE TABLE _apm.fixture_batches PARTITION OF _apm.span_batches FOR VALUES FROM ('0900-01-01') TO ('0900-01-02');
LOAD 'pg_apm';
SELECT _apm.make_partition(t, '2001-01-09') IS NOT NULL AS made FROM unnest(ARRAY['transactions', 'errors']) t;
INSERT INTO apm.projects (project_id, name) VALUES (910001, 'shop-web'), (910002, 'shop-api'), (910003, 'payments');

-- Ids are numbers; begins and lasts are milliseconds.
CREATE TEMP TABLE s (
  trace int, project int, segment int, span int, parent int, op text, description text,
  begins float8, lasts float8, status apm.span_status);

CREATE FUNCTION pg_temp.trace_no(int) RETURNS apm.trace_id LANGUAGE sql IMMUTABLE
  RETURN lpad(to_hex($1), 32, '0')::apm.trace_id;
CREATE FUNCTION pg_temp.span_no(int) RETURNS apm.span_id LANGUAGE sql IMMUTABLE
  RETURN lpad(to_hex($1), 16, '0')::apm.span_id;
CREATE FUNCTION pg_temp.no(apm.span_id) RETURNS int LANGUAGE sql IMMUTABLE
  RETURN ('x' || right($1::text, 8))::bit(32)::int;
CREATE FUNCTION pg_temp.at(float8) RETURNS timestamptz LANGUAGE sql IMMUTABLE
  RETURN timestamptz '2001-01-09 04:48:00+00' + $1 * interval '1 millisecond';

-- Stores what lies in s and empties it.
CREATE PROCEDURE pg_temp.store() LANGUAGE sql BEGIN ATOMIC
  INSERT INTO _apm.fixture_spans (project_id, segment_end_time, transaction_name, trace_id, span_id, parent_span_id,
                                  segment_id, is_segment, op, description, status, start_time, duration_ms)
  SELECT project, pg_temp.at(max(begins + lasts) OVER segment), max(description) FILTER (WHERE span = segment) OVER segment,
         pg_temp.trace_no(trace), pg_temp.span_no(span), pg_temp.span_no(parent), pg_temp.span_no(segment),
         span = segment, op, description, status, pg_temp.at(begins), lasts
    FROM s WINDOW segment AS (PARTITION BY project, trace, segment);
  INSERT INTO apm.transactions (project_id, trace_id, span_id, start_time, end_time, duration_ms, op, platform)
  SELECT project, pg_temp.trace_no(trace), pg_temp.span_no(span), pg_temp.at(begins),
         pg_temp.at(max(begins + lasts) OVER segment), lasts,
         op, CASE op WHEN 'ui.action' THEN 'javascript' WHEN 'http.server' THEN 'python' END
    FROM s WHERE span = segment WINDOW segment AS (PARTITION BY project, trace, segment);
  DELETE FROM s;
END;
