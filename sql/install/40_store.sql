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

-- Tables whose rows pg_dump carries have no foreign keys between each other:
-- pg_restore --jobs loads tables of an extension in any order, with the keys in place.
CREATE TABLE apm.project_keys (
  public_key text PRIMARY KEY CHECK (public_key ~ '^[0-9a-f]{32}$'),
  project_id integer NOT NULL,
  enabled    boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE apm.project_keys IS 'Public keys of projects, the user part of a DSN. Example: SELECT apm.dsn(project_id, ''apm.example.test'') FROM apm.projects';

-- The mark of commit order, for generated columns.  It is no constant; IMMUTABLE
-- says that, since a generated column takes nothing else.  What the planner may
-- do with an immutable function, evaluate it once for a statement, is right:
-- a statement lies in one transaction.
CREATE FUNCTION _apm.storing_xid() RETURNS bigint
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION _apm.storing_xid() IS 'Mark of a row that is stored now: the full id of the top transaction, or 0 after _apm.store_as_rolled()';

CREATE FUNCTION _apm.store_as_rolled(rolled boolean DEFAULT true) RETURNS void
  AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION _apm.store_as_rolled(boolean) IS 'Until the transaction ends, rows that it stores count as rolled up and what it updates or deletes makes no hour stale: for rewriting rolled rows without changing what they say';

CREATE FUNCTION _apm.stores_as_rolled() RETURNS boolean
  AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION _apm.stores_as_rolled() IS 'Whether _apm.store_as_rolled() is in force';

CREATE TABLE apm.transactions (
  LIKE apm.transaction,
  stored_xid bigint GENERATED ALWAYS AS (_apm.storing_xid()) STORED
) PARTITION BY RANGE (end_time);
ALTER TABLE apm.transactions
  ALTER project_id SET NOT NULL,
  ALTER trace_id SET NOT NULL,
  ALTER span_id SET NOT NULL,
  ALTER start_time SET NOT NULL,
  ALTER end_time SET NOT NULL,
  ALTER duration_ms SET NOT NULL;
COMMENT ON TABLE apm.transactions IS 'Transactions (segments), one row each, partitioned by day of end_time; durations in milliseconds; stored_xid, which nobody can write, is the full id of the storing transaction. Example: SELECT name, apm.p95(duration_ms) FROM apm.transactions WHERE end_time > now() - interval ''1 hour'' GROUP BY name';

CREATE TABLE apm.errors (LIKE apm.error_event) PARTITION BY RANGE (event_time);
ALTER TABLE apm.errors
  ALTER project_id SET NOT NULL,
  ALTER event_time SET NOT NULL;
COMMENT ON TABLE apm.errors IS 'Error and message events, partitioned by day of event_time; linked to spans by trace_id and span_id. Example: SELECT type, count(*) FROM apm.errors GROUP BY type';

CREATE TYPE _apm.span_batch AS (
  project_id       integer,
  trace_id         apm.trace_id,
  segment_id       apm.span_id,
  end_time         timestamptz,
  transaction_name text,
  environment      text,
  release          text,
  spans            apm.spanset
);
COMMENT ON TYPE _apm.span_batch IS 'Row of _apm.span_batches as apm.ingest hands it over';

-- Columns of fixed width first, then what a scan of spans reads: no column
-- before it varies in place, and no byte is lost to alignment.
CREATE TABLE _apm.span_batches (
  trace_id         apm.trace_id NOT NULL,
  segment_id       apm.span_id,
  end_time         timestamptz NOT NULL,
  stored_xid       bigint GENERATED ALWAYS AS (_apm.storing_xid()) STORED,
  project_id       integer NOT NULL,
  spans            apm.spanset NOT NULL,
  transaction_name text,
  environment      text,
  release          text
) PARTITION BY RANGE (end_time);
COMMENT ON TABLE _apm.span_batches IS 'Packed spans: one row for each segment, or for the part of one that an envelope brought';

CREATE VIEW apm.spans WITH (security_invoker = true) AS
  SELECT b.project_id, b.end_time AS segment_end_time, b.transaction_name, b.environment, b.release,
         b.trace_id, s.span_id, s.parent_span_id, s.segment_id, s.is_segment, s.op, s.description,
         s.status, s.start_time, s.duration_ms, s.self_time_ms, s.category, s.span_group, s.origin,
         s.attributes
    FROM _apm.span_batches b CROSS JOIN LATERAL apm.unnest(b.spans) s;
COMMENT ON VIEW apm.spans IS 'Spans, unpacked; durations in milliseconds. segment_end_time prunes partitions, trace_id uses the index. Example: SELECT op, apm.p95(duration_ms) FROM apm.spans WHERE segment_end_time > now() - interval ''1 hour'' GROUP BY op';

CREATE TABLE _apm.seen (
  project_id integer NOT NULL,
  key        uuid NOT NULL,
  seen_at    timestamptz NOT NULL,
  PRIMARY KEY (project_id, key)
);
COMMENT ON TABLE _apm.seen IS 'Hashed identities of stored events and spans, kept for pg_apm.seen_horizon';

CREATE TABLE _apm.outcome_log (
  noted_at   timestamptz NOT NULL DEFAULT now(),
  project_id integer NOT NULL,
  category   text NOT NULL,
  outcome    text NOT NULL,
  reason     text,
  quantity   bigint NOT NULL
);
COMMENT ON TABLE _apm.outcome_log IS 'Outcomes as they come, appended without contention; the view apm.outcomes adds them up';

CREATE VIEW apm.outcomes WITH (security_invoker = true) AS
  SELECT pg_catalog.date_trunc('minute', noted_at) AS minute, project_id, category, outcome, reason,
         pg_catalog.sum(quantity)::bigint AS quantity
    FROM _apm.outcome_log
   GROUP BY 1, 2, 3, 4, 5;
COMMENT ON VIEW apm.outcomes IS 'What became of all that came in: per minute, project, category, outcome (accepted, rejected, skipped, dropped, repaired) and reason the number of items. Example: SELECT outcome, reason, sum(quantity) FROM apm.outcomes GROUP BY 1, 2';

-- A table that can become a partition, with its indexes and triggers.
CREATE FUNCTION _apm.make_partition_table(table_name text, part text) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  columns text;
BEGIN
  EXECUTE format('CREATE TABLE _apm.%I (LIKE %s INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING GENERATED)', part,
                 CASE table_name WHEN 'span_batches' THEN '_apm.span_batches' ELSE 'apm.' || table_name END);
  IF table_name = 'span_batches' THEN
    -- A set of some forty spans takes 2 kB: out of line, where the server puts it
    -- by default, finding it again would cost more than reading its hot columns.
    EXECUTE format('ALTER TABLE _apm.%I SET (toast_tuple_target = 4080)', part);
  END IF;
  FOREACH columns IN ARRAY CASE table_name WHEN 'span_batches' THEN ARRAY['trace_id']
                                           WHEN 'errors' THEN ARRAY['project_id, event_time', 'trace_id']
                                           ELSE ARRAY['project_id, end_time', 'trace_id'] END
  LOOP
    EXECUTE format('CREATE INDEX %I ON _apm.%I (%s)',
                   part || '_' || replace(columns, ', ', '_'), part, columns);
  END LOOP;
  IF table_name <> 'errors' THEN
    -- For the roller and for the edges of windows; rows come roughly in order of both.
    EXECUTE format('CREATE INDEX %I ON _apm.%I USING brin (stored_xid, end_time) WITH (pages_per_range = 16, autosummarize = on)',
                   part || '_stored_xid', part);
    PERFORM _apm.watch_changes(format('_apm.%I', part), CASE table_name WHEN 'span_batches' THEN 'spans' ELSE table_name END);
  END IF;
END
$$;
COMMENT ON FUNCTION _apm.make_partition_table(text, text) IS 'Makes a table like a partition of transactions, span_batches or errors, not attached';

-- Makes the partition of one day; NULL when pg_apm.max_partitions forbids it,
-- 0 when retention has dropped that day or would do so at once.  Attaching needs
-- no lock that would stop concurrent inserts; the advisory lock lets one
-- session make it while others wait, for pg_apm.lock_timeout at most: its
-- transaction may stay open.
CREATE FUNCTION _apm.make_partition(table_name text, day date) RETURNS oid
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  parent    regclass := CASE table_name WHEN 'span_batches' THEN '_apm.span_batches'
                                        WHEN 'errors' THEN 'apm.errors'
                                        ELSE 'apm.transactions' END::regclass;
  part      text;
  low       text := quote_literal(day::text || ' 00:00:00+00');
  high      text := quote_literal((day + 1)::text || ' 00:00:00+00');
  made      oid;
  timeout   text := current_setting('lock_timeout');
BEGIN
  IF day < '1970-01-01' THEN
    part := table_name || '_past'; low := 'MINVALUE'; high := quote_literal('1970-01-01 00:00:00+00');
  ELSIF day >= '2100-01-01' THEN
    part := table_name || '_future'; low := quote_literal('2100-01-01 00:00:00+00'); high := 'MAXVALUE';
  ELSE
    part := table_name || '_' || to_char(day, 'YYYYMMDD');
  END IF;
  IF EXISTS (SELECT FROM _apm.retention r
              WHERE r.kind = CASE table_name WHEN 'span_batches' THEN 'spans' ELSE table_name END
                AND (day + 1)::timestamp AT TIME ZONE 'UTC' <= greatest(r.refused_before, now() - r.age)) THEN
    RETURN coalesce(to_regclass('_apm.' || quote_ident(part))::oid, 0);
  END IF;

  BEGIN
    IF timeout = '0' THEN
      PERFORM set_config('lock_timeout', coalesce(current_setting('pg_apm.lock_timeout', true), '2s'), true);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('pg_apm partition'), hashtext(table_name));
    PERFORM set_config('lock_timeout', timeout, true);
  EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION 'the transaction that makes a partition of % does not end', parent
      USING ERRCODE = 'lock_not_available',
            HINT = 'Try again. Commit soon after the first data of a day, or let apm.maintain() make its partition ahead.';
  END;
  made := to_regclass('_apm.' || quote_ident(part));
  IF made IS NOT NULL THEN
    RETURN made;
  END IF;
  IF (SELECT count(*) FROM pg_inherits WHERE inhparent = parent)
       >= coalesce(current_setting('pg_apm.max_partitions', true), '4000')::int THEN
    RETURN NULL;
  END IF;

  PERFORM _apm.make_partition_table(table_name, part);
  EXECUTE format('ALTER TABLE %s ATTACH PARTITION _apm.%I FOR VALUES FROM (%s) TO (%s)',
                 parent, part, low, high);
  RETURN to_regclass('_apm.' || quote_ident(part));
END
$$;
COMMENT ON FUNCTION _apm.make_partition(text, date) IS 'Makes the partition of a table (transactions, span_batches, errors) for one UTC day';

CREATE FUNCTION _apm.add_project(new_name text, new_id integer) RETURNS text
  LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
AS $$
  INSERT INTO apm.projects (project_id, name) VALUES (new_id, new_name);
  INSERT INTO apm.project_keys (public_key, project_id)
    VALUES (pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), new_id)
    RETURNING public_key;
$$;
COMMENT ON FUNCTION _apm.add_project(text, integer) IS 'Stores a project with a new public key and returns the key';

CREATE FUNCTION _apm.auto_create_project(new_id integer) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  LOCK TABLE apm.projects IN SHARE ROW EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM apm.projects WHERE project_id = new_id) THEN
    RETURN;
  END IF;
  PERFORM _apm.add_project('project ' || new_id, new_id);
  RAISE NOTICE 'created project % for the data that arrived', new_id
    USING HINT = 'Name it with UPDATE apm.projects SET name = …; SET pg_apm.auto_create_projects = off to refuse unknown projects.';
END
$$;
COMMENT ON FUNCTION _apm.auto_create_project(integer) IS 'Creates a project that data arrived for, unless another session just did';

CREATE FUNCTION apm.create_project(name text, INOUT project_id integer DEFAULT NULL, OUT public_key text)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  IF create_project.name IS NULL OR create_project.name = '' THEN
    RAISE EXCEPTION 'argument "name" must not be null or empty'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF create_project.project_id <= 0 THEN
    RAISE EXCEPTION 'argument "project_id" must be positive'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  LOCK TABLE apm.projects IN SHARE ROW EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM apm.projects p WHERE p.project_id = create_project.project_id) THEN
    RAISE EXCEPTION 'project % exists already', create_project.project_id
      USING ERRCODE = 'unique_violation',
            HINT = 'Leave the id out to get the next free one.';
  END IF;
  IF create_project.project_id IS NULL THEN
    SELECT coalesce(max(p.project_id), 0) + 1 INTO create_project.project_id FROM apm.projects p;
  END IF;
  create_project.public_key := _apm.add_project(create_project.name, create_project.project_id);
END
$$;
COMMENT ON FUNCTION apm.create_project(text, integer) IS 'Creates a project and its first public key; without an id it takes the next free one. Example: SELECT * FROM apm.create_project(''web shop'')';

CREATE FUNCTION apm.ingest(body bytea, project_id integer, received_at timestamptz DEFAULT now(), format text DEFAULT 'sentry',
                           OUT event_id uuid, OUT accepted integer, OUT rejected integer, OUT skipped integer, OUT problems jsonb)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'apm_ingest' LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  COST 1000 ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION apm.ingest(bytea, integer, timestamptz, text) IS 'Stores one body as an SDK sends it; returns how many of its items were accepted, rejected and skipped, and why. Example: SELECT * FROM apm.ingest(pg_read_binary_file(''body.envelope''), 1)';

CREATE FUNCTION apm.ingest_batch(bodies bytea[], project_ids integer[], received_at timestamptz[], format text DEFAULT 'sentry',
                                 OUT event_id uuid, OUT accepted integer, OUT rejected integer, OUT skipped integer, OUT problems jsonb)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'apm_ingest_batch' LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  COST 1000 ROWS 100
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION apm.ingest_batch(bytea[], integer[], timestamptz[], text) IS 'Stores many bodies at once, one result row each in the same order; one bad body never costs the others. Example: SELECT * FROM apm.ingest_batch(ARRAY[body1, body2], ARRAY[1, 1], ARRAY[now(), now()])';

CREATE FUNCTION apm.format_sentry(internal) RETURNS internal
  AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION apm.format_sentry(internal) IS 'Handler of the format sentry: envelopes as the SDKs of Sentry send them. Example: SELECT handler FROM apm.formats';

INSERT INTO apm.formats (name, handler, description, builtin)
  VALUES ('sentry', 'apm.format_sentry(internal)', 'Envelopes of Sentry''s SDKs', true);

SELECT pg_catalog.pg_extension_config_dump('apm.formats', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('apm.projects', '');
SELECT pg_catalog.pg_extension_config_dump('apm.project_keys', '');
SELECT pg_catalog.pg_extension_config_dump('apm.transactions', '');
SELECT pg_catalog.pg_extension_config_dump('apm.errors', '');
SELECT pg_catalog.pg_extension_config_dump('_apm.span_batches', '');
SELECT pg_catalog.pg_extension_config_dump('_apm.seen', '');
SELECT pg_catalog.pg_extension_config_dump('_apm.outcome_log', '');
