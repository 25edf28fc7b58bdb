-- ---------------------------------------------------------------------------
-- store: projects, transactions, spans, errors, outcomes
--
-- Partitioned tables have no indexes of their own: each partition gets its
-- indexes when it is made, so that a dump restores without name collisions.

CREATE TABLE apm.projects (
  project_id integer PRIMARY KEY CHECK (project_id > 0),
  name       text NOT NULL CHECK (name <> ''),
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE apm.projects IS 'Projects: one for each service or application that sends data. Example: SELECT * FROM apm.projects';

CREATE TABLE apm.project_keys (
  public_key text PRIMARY KEY CHECK (public_key ~ '^[0-9a-f]{32}$'),
  project_id integer NOT NULL REFERENCES apm.projects,
  enabled    boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE apm.project_keys IS 'Public keys of projects, the user part of a DSN. Example: SELECT apm.dsn(project_id, ''apm.example.test'') FROM apm.projects';

CREATE TABLE apm.transactions (LIKE apm.transaction) PARTITION BY RANGE (end_time);
ALTER TABLE apm.transactions
  ALTER project_id SET NOT NULL,
  ALTER trace_id SET NOT NULL,
  ALTER span_id SET NOT NULL,
  ALTER start_time SET NOT NULL,
  ALTER end_time SET NOT NULL,
  ALTER duration_ms SET NOT NULL;
COMMENT ON TABLE apm.transactions IS 'Transactions (segments), one row each, partitioned by day of end_time; durations in milliseconds. Example: SELECT name, apm.p95(duration_ms) FROM apm.transactions WHERE end_time > now() - interval ''1 hour'' GROUP BY name';

CREATE TABLE apm.errors (LIKE apm.error_event) PARTITION BY RANGE (event_time);
ALTER TABLE apm.errors
  ALTER project_id SET NOT NULL,
  ALTER event_time SET NOT NULL;
COMMENT ON TABLE apm.errors IS 'Error and message events, partitioned by day of event_time; linked to spans by trace_id and span_id. Example: SELECT type, count(*) FROM apm.errors GROUP BY type';

CREATE TABLE _apm.span_batches (
  project_id       integer NOT NULL,
  trace_id         apm.trace_id NOT NULL,
  segment_id       apm.span_id,
  end_time         timestamptz NOT NULL,
  transaction_name text,
  environment      text,
  release          text,
  spans            apm.spanset NOT NULL
) PARTITION BY RANGE (end_time);
COMMENT ON TABLE _apm.span_batches IS 'Packed spans: one row for each segment, or for the part of one that an envelope brought';

CREATE VIEW apm.spans WITH (security_invoker = true) AS
  SELECT b.project_id, b.end_time AS segment_end_time, b.transaction_name, b.environment, b.release,
         b.trace_id, s.span_id, s.parent_span_id, s.segment_id, s.is_segment, s.op, s.description,
         s.status, s.start_time, s.duration_ms, s.self_time_ms, s.category, s.span_group, s.origin,
         s.attributes
    FROM _apm.span_batches b CROSS JOIN LATERAL apm.unnest(b.spans) s;
COMMENT ON VIEW apm.spans IS 'Spans, unpacked; durations in milliseconds. segment_end_time prunes partitions, trace_id uses the index. Example: SELECT op, apm.p95(duration_ms) FROM apm.spans WHERE segment_end_time > now() - interval ''1 hour'' GROUP BY op';
