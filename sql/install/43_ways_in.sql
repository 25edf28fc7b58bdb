-- ---------------------------------------------------------------------------
-- ways in: keys and credentials, scrubbing, bulk load

CREATE FUNCTION _apm.read_credentials(auth_header text, query text, dsn text,
                                      OUT public_key text, OUT project_id integer, OUT reason text)
  RETURNS record
  AS 'MODULE_PATHNAME', 'apm_read_credentials' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION _apm.read_credentials(text, text, text) IS 'Public key, and project if a DSN says one, of what came with a request; else a word that says what is wrong';

CREATE FUNCTION apm.authenticate(auth_header text DEFAULT NULL, query text DEFAULT NULL, dsn text DEFAULT NULL,
                                 OUT project_id integer, OUT reason text)
  RETURNS record
  LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given record;
  known record;
BEGIN
  SELECT * INTO given FROM _apm.read_credentials(auth_header, query, dsn);
  IF given.reason IS NOT NULL THEN
    reason := given.reason;
    RETURN;
  END IF;
  SELECT k.project_id, k.enabled INTO known FROM apm.project_keys k WHERE k.public_key = given.public_key;
  reason := CASE WHEN known.project_id IS NULL THEN 'unknown_key'
                 WHEN NOT known.enabled THEN 'disabled_key'
                 WHEN given.project_id <> known.project_id THEN 'project_mismatch' END;
  IF reason IS NULL THEN
    project_id := known.project_id;
  END IF;
END
$$;
COMMENT ON FUNCTION apm.authenticate(text, text, text) IS 'Project that a request may store for, by the value of X-Sentry-Auth or Authorization, by its query string, or by a DSN; else the reason why not: missing_credentials, multiple_credentials, malformed, unsupported_version, unknown_key, disabled_key, key_mismatch or project_mismatch (the DSN beside them names others). Example: SELECT * FROM apm.authenticate(query => ''sentry_key=0123456789abcdef0123456789abcdef&sentry_version=7'')';

CREATE FUNCTION apm.create_key(project_id integer) RETURNS text
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  made text;
BEGIN
  IF NOT EXISTS (SELECT FROM apm.projects p WHERE p.project_id = create_key.project_id) THEN
    RAISE EXCEPTION 'project % does not exist', create_key.project_id
      USING ERRCODE = 'undefined_object',
            HINT = 'SELECT * FROM apm.projects lists them, apm.create_project() makes one.';
  END IF;
  INSERT INTO apm.project_keys (public_key, project_id)
    VALUES (replace(gen_random_uuid()::text, '-', ''), create_key.project_id)
    RETURNING public_key INTO made;
  RETURN made;
END
$$;
COMMENT ON FUNCTION apm.create_key(integer) IS 'Adds a public key to a project and returns it. Example: SELECT apm.create_key(1)';

CREATE FUNCTION _apm.switch_key(key text, turn_on boolean) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE apm.project_keys k SET enabled = turn_on WHERE k.public_key = lower(key);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'key does not exist'
      USING ERRCODE = 'undefined_object',
            HINT = 'SELECT * FROM apm.project_keys lists them.';
  END IF;
END
$$;
COMMENT ON FUNCTION _apm.switch_key(text, boolean) IS 'Switches a public key on or off';

CREATE FUNCTION apm.disable_key(public_key text) RETURNS void
  LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$ SELECT _apm.switch_key(public_key, false) $$;
COMMENT ON FUNCTION apm.disable_key(text) IS 'Switches a public key off: apm.authenticate refuses it, apm.dsn passes over it. Example: SELECT apm.disable_key(public_key) FROM apm.project_keys WHERE project_id = 1';

CREATE FUNCTION apm.enable_key(public_key text) RETURNS void
  LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$ SELECT _apm.switch_key(public_key, true) $$;
COMMENT ON FUNCTION apm.enable_key(text) IS 'Switches a public key on again. Example: SELECT apm.enable_key(public_key) FROM apm.project_keys WHERE NOT enabled';

-- Scrubbing ------------------------------------------------------------------

CREATE TABLE apm.scrub_rules (
  project_id integer CHECK (project_id > 0),
  kind       text NOT NULL CHECK (kind IN ('key', 'pattern')),
  expression text NOT NULL CHECK (expression <> ''),
  enabled    boolean NOT NULL DEFAULT true,
  UNIQUE NULLS NOT DISTINCT (project_id, kind, expression),
  CONSTRAINT scrub_rules_builtin_name
    CHECK (expression !~ '^@' OR kind || expression IN ('key@password', 'pattern@creditcard', 'pattern@pemkey',
                                                        'pattern@bearer', 'pattern@urlauth', 'pattern@ip')),
  CONSTRAINT scrub_rules_pattern_matches_something
    CHECK (kind <> 'pattern' OR expression ~ '^@' OR '' !~ expression)
);
COMMENT ON TABLE apm.scrub_rules IS 'What apm.ingest replaces by [Filtered], for one project or for all (NULL), whose rows the project''s own override. kind key: a name in any case, of the whole key or of what follows a point in it, with * for anything; kind pattern: a regular expression, tried on every text. Built in and on without a row: key @password, patterns @creditcard (not for ids of spans and segments), @pemkey, @bearer, @urlauth; off: pattern @ip. Of items that are kept raw only JSON is scrubbed. Example: INSERT INTO apm.scrub_rules (project_id, kind, expression) VALUES (NULL, ''pattern'', ''@ip''), (1, ''key'', ''email'')';

CREATE TABLE _apm.secrets (
  name  text PRIMARY KEY,
  value bytea NOT NULL
);
COMMENT ON TABLE _apm.secrets IS 'Salt of this database for hashed users; granted to nobody and never dumped';

INSERT INTO _apm.secrets (name, value)
  VALUES ('user_key', pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) OPERATOR(pg_catalog.||)
                      pg_catalog.uuid_send(pg_catalog.gen_random_uuid()));

CREATE FUNCTION apm.scrub_text(value text, project_id integer DEFAULT NULL) RETURNS text
  AS 'MODULE_PATHNAME', 'apm_scrub_text' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION apm.scrub_text(text, integer) IS 'A text as apm.ingest would store it by the scrubbing rules of a project, or by those for all. Example: SELECT apm.scrub_text(''GET https://user:pw@shop.example/?token=abc'')';

CREATE FUNCTION apm.scrub_json(document jsonb, project_id integer DEFAULT NULL) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'apm_scrub_json' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION apm.scrub_json(jsonb, integer) IS 'A document as apm.ingest would store it by the scrubbing rules of a project, or by those for all. Example: SELECT apm.scrub_json(''{"user": "ann", "password": "x"}'')';

-- Bulk load ------------------------------------------------------------------

CREATE TABLE _apm.bulk_loads (
  relation    text PRIMARY KEY,
  key_column  name NOT NULL,
  last_key    text,
  rows_done   bigint NOT NULL DEFAULT 0,
  accepted    bigint NOT NULL DEFAULT 0,
  rejected    bigint NOT NULL DEFAULT 0,
  skipped     bigint NOT NULL DEFAULT 0,
  started_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  finished_at timestamptz,
  relation_oid      oid NOT NULL,
  database_oid      oid NOT NULL,
  system_identifier bigint NOT NULL
);
COMMENT ON TABLE _apm.bulk_loads IS 'How far apm.ingest_from came in each relation; written together with each batch. The oid tells a relation from a later one of the same name, in the database that wrote it; in a restored one the name is all there is';

CREATE VIEW apm.bulk_loads WITH (security_invoker = true) AS
  SELECT relation, key_column, last_key, rows_done, accepted, rejected, skipped, started_at, updated_at, finished_at
    FROM _apm.bulk_loads;
COMMENT ON VIEW apm.bulk_loads IS 'Progress of apm.ingest_from: rows of the relation that are done, items of their bodies that were accepted, rejected and skipped; finished_at is NULL while it runs, and after a crash until it is called again. Example: SELECT relation, rows_done, finished_at FROM apm.bulk_loads';

-- The column that orders the rows: unique by itself and never null.
CREATE FUNCTION _apm.bulk_key(relation regclass, wanted name) RETURNS name
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found name;
BEGIN
  SELECT a.attname INTO found
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
   WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnkeyatts = 1
     AND i.indpred IS NULL AND a.attnotnull AND (wanted IS NULL OR a.attname = wanted)
   ORDER BY i.indisprimary DESC, a.attnum
   LIMIT 1;
  IF found IS NULL THEN
    RAISE EXCEPTION 'relation % has no column % that is unique and not null', relation, coalesce(quote_ident(wanted), 'for the order')
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Add one: ALTER TABLE … ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY.';
  END IF;
  RETURN found;
END
$$;
COMMENT ON FUNCTION _apm.bulk_key(regclass, name) IS 'Column that apm.ingest_from goes by: the wanted one if it can serve, else the primary key or another unique column';

CREATE FUNCTION _apm.bulk_check(relation regclass, column_name name, argument text, types regtype[]) RETURNS void
  LANGUAGE plpgsql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute a
                  WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.atttypid = ANY (types::oid[])) THEN
    RAISE EXCEPTION 'relation % has no column % of type %', relation, quote_ident(column_name), array_to_string(types, ' or ')
      USING ERRCODE = 'invalid_parameter_value',
            HINT = format('Name it in the argument "%s".', argument);
  END IF;
END
$$;
COMMENT ON FUNCTION _apm.bulk_check(regclass, name, text, regtype[]) IS 'An error naming the argument unless the relation has this column of one of these types';

CREATE FUNCTION _apm.bulk_begin(relation regclass, body_column name, project_column name, received_column name,
                                INOUT key_column name, batch_size integer, project_id integer, restart boolean)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  this_database oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
BEGIN
  IF relation IS NULL OR body_column IS NULL THEN
    RAISE EXCEPTION 'argument "%" must not be null', CASE WHEN relation IS NULL THEN 'relation' ELSE 'body_column' END
      USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF batch_size IS NULL OR batch_size NOT BETWEEN 1 AND 100000 THEN
    RAISE EXCEPTION 'argument "batch_size" must be from 1 to 100000'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM _apm.bulk_check(relation, body_column, 'body_column', '{bytea}');
  IF project_id IS NULL THEN
    PERFORM _apm.bulk_check(relation, project_column, 'project_column', '{integer,smallint,bigint}');
  END IF;
  IF received_column IS NOT NULL THEN
    PERFORM _apm.bulk_check(relation, received_column, 'received_column', '{timestamptz}');
  END IF;
  key_column := _apm.bulk_key(relation, key_column);
  IF NOT restart AND EXISTS (SELECT FROM _apm.bulk_loads b
                              WHERE b.relation = bulk_begin.relation::text AND b.last_key IS NOT NULL AND b.relation_oid <> bulk_begin.relation
                                AND b.database_oid = this_database AND b.system_identifier = _apm.system_identifier()) THEN
    RAISE EXCEPTION 'relation % is not the one that was loaded before under this name', relation
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'With restart => true it is loaded from its first row.';
  END IF;
  INSERT INTO _apm.bulk_loads AS b (relation, key_column, started_at, updated_at, relation_oid, database_oid, system_identifier)
    VALUES (relation::text, bulk_begin.key_column, now(), now(), relation, this_database, _apm.system_identifier())
    ON CONFLICT ON CONSTRAINT bulk_loads_pkey DO UPDATE
      SET finished_at = NULL, updated_at = now(), relation_oid = excluded.relation_oid, database_oid = excluded.database_oid,
          system_identifier = excluded.system_identifier;
  UPDATE _apm.bulk_loads b
     SET key_column = bulk_begin.key_column, last_key = NULL, rows_done = 0, accepted = 0, rejected = 0,
         skipped = 0, started_at = now()
   WHERE b.relation = bulk_begin.relation::text AND (restart OR b.key_column <> bulk_begin.key_column);
END
$$;
COMMENT ON FUNCTION _apm.bulk_begin(regclass, name, name, name, name, integer, integer, boolean) IS 'Checks the arguments of apm.ingest_from and makes its row of progress; returns the key column';

-- One batch: at most batch_size rows and, unless the first alone is more, 64 MB.
-- The row of progress is locked first, so that a second call takes turns.
CREATE FUNCTION _apm.bulk_step(relation regclass, body_column name, project_column name, received_column name,
                               key_column name, batch_size integer, format text, project_id integer) RETURNS boolean
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' SET TimeZone = 'UTC'
AS $$
DECLARE
  load     _apm.bulk_loads;
  key_type text := (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                     WHERE a.attrelid = relation AND a.attname = key_column);
  n        bigint;
  sums     bigint[];
  new_key  text;
BEGIN
  SELECT * INTO load FROM _apm.bulk_loads b WHERE b.relation = bulk_step.relation::text FOR UPDATE;
  EXECUTE pg_catalog.format(
    'WITH chunk AS MATERIALIZED (
       SELECT t.*, sum(octet_length(t.body)) OVER (ORDER BY t.key) - coalesce(octet_length(t.body), 0) AS before
         FROM (SELECT %1$I AS key, %2$I AS body, %3$s AS project, %4$s AS received
                 FROM %5$s %6$s ORDER BY %1$I LIMIT $2) t),
     part AS MATERIALIZED (
       SELECT count(*) AS n, (array_agg(key ORDER BY key DESC))[1]::text AS new_key,
              array_agg(body ORDER BY key) AS bodies, array_agg(project ORDER BY key) AS projects,
              array_agg(received ORDER BY key) AS received
         FROM chunk WHERE coalesce(before, 0) <= 67108864)
     SELECT p.n, p.new_key, (SELECT ARRAY[sum(r.accepted), sum(r.rejected), sum(r.skipped)]
                               FROM apm.ingest_batch(p.bodies, p.projects, p.received, $3) r)
       FROM part p WHERE p.n > 0',
    key_column, body_column,
    CASE WHEN project_id IS NULL
         THEN pg_catalog.format('CASE WHEN %1$I BETWEEN 1 AND 2147483647 THEN %1$I ELSE 0 END::integer', project_column)
         ELSE project_id::text END,
    CASE WHEN received_column IS NULL THEN 'NULL::timestamptz'
         ELSE pg_catalog.format('CASE WHEN isfinite(%1$I) THEN %1$I END', received_column) END,
    relation,
    CASE WHEN load.last_key IS NULL THEN ''
         ELSE pg_catalog.format('WHERE %I > $1::%s', key_column, key_type) END)
    INTO n, new_key, sums USING load.last_key, batch_size, bulk_step.format;

  UPDATE _apm.bulk_loads b
     SET last_key = coalesce(new_key, b.last_key), rows_done = b.rows_done + coalesce(n, 0),
         accepted = b.accepted + coalesce(sums[1], 0), rejected = b.rejected + coalesce(sums[2], 0),
         skipped = b.skipped + coalesce(sums[3], 0), updated_at = clock_timestamp(),
         finished_at = CASE WHEN n IS NULL THEN clock_timestamp() END
   WHERE b.relation = bulk_step.relation::text;
  RETURN n IS NOT NULL;
END
$$;
COMMENT ON FUNCTION _apm.bulk_step(regclass, name, name, name, name, integer, text, integer) IS 'Stores the next batch of a bulk load and notes how far it came; false when nothing was left';

CREATE PROCEDURE apm.ingest_from(relation regclass, body_column name DEFAULT 'body', project_column name DEFAULT 'project_id',
                                 received_column name DEFAULT 'received_at', key_column name DEFAULT NULL,
                                 batch_size integer DEFAULT 500, format text DEFAULT 'sentry',
                                 project_id integer DEFAULT NULL, restart boolean DEFAULT false)
  LANGUAGE plpgsql
AS $$
DECLARE
  key_name name;
BEGIN
  key_name := _apm.bulk_begin(relation, body_column, project_column, received_column, key_column,
                              batch_size, project_id, restart);
  WHILE _apm.bulk_step(relation, body_column, project_column, received_column, key_name,
                       batch_size, format, project_id) LOOP
    COMMIT;
  END LOOP;
END
$$;
COMMENT ON PROCEDURE apm.ingest_from(regclass, name, name, name, name, integer, text, integer, boolean) IS 'Stores all bodies of a relation in the order of a unique column (default: its primary key), batch by batch, committing each; called again it goes on where it stopped, or with new rows, and with restart from the start. project_id stands for a missing project column, received_column NULL for the time of loading. Example: CALL apm.ingest_from(''bodies'', project_id => 1)';

SELECT pg_catalog.pg_extension_config_dump('apm.scrub_rules', '');
SELECT pg_catalog.pg_extension_config_dump('_apm.bulk_loads', '');
-- A copy makes a salt of its own.
SELECT pg_catalog.pg_extension_config_dump('_apm.secrets', 'WHERE false');
