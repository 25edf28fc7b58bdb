-- ---------------------------------------------------------------------------
-- compaction: days of spans that are over are rewritten, with the parts of a
-- segment joined and packed with what the database has learned since, and
-- swapped for the old ones
--
-- Each run of apm.maintain() takes one step, and commits it: a day is chosen and
-- a table made; the old one is watched from then on; buckets of time are copied, as many as fit into
-- pg_apm.compact_time; once every snapshot that is in use can see the copy, the
-- tables are swapped.  Rows that change meanwhile are noted by a trigger, and
-- their buckets are copied again.

CREATE TABLE _apm.compactions (
  day          date PRIMARY KEY,
  state        text NOT NULL CHECK (state IN ('chosen', 'copying', 'copied', 'done', 'skipped')),
  width        interval NOT NULL,
  copied_until timestamptz NOT NULL,
  copied_by    xid8,
  rows_before  bigint,
  rows_after   bigint,
  bytes_before bigint,
  bytes_after  bigint,
  started_at   timestamptz NOT NULL,
  finished_at  timestamptz
);
COMMENT ON TABLE _apm.compactions IS 'Days of spans that are or were compacted: how far the copy is, by which transaction its last part was made, and rows and bytes before and after';

CREATE TABLE _apm.compaction_changes (
  day    date NOT NULL,
  bucket timestamptz
);
COMMENT ON TABLE _apm.compaction_changes IS 'Buckets of a day under compaction whose rows changed; NULL: all of it. Appended without a key, so that writers never wait for each other';

-- The words of spans are learned once there are enough of them, and anew every
-- week: queries change.
CREATE FUNCTION _apm.learn_in_time() RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  enough constant bigint := 2000000;
BEGIN
  IF EXISTS (SELECT FROM _apm.lexicons l WHERE l.made_at > now() - interval '7 days')
     OR NOT EXISTS (SELECT FROM _apm.partitions() p WHERE p.kind = 'spans' AND p.own AND p.low <= now() AND p.high > now() - interval '2 days'
                       AND pg_relation_size(p.part) > enough) THEN
    RETURN NULL;
  END IF;
  RETURN 'lexicon ' || _apm.learn_words();
END
$$;
COMMENT ON FUNCTION _apm.learn_in_time() IS 'Learns the words of the newest spans, if that is due';

CREATE FUNCTION _apm.compact_table(day date, copy boolean) RETURNS text
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN 'span_batches_' || pg_catalog.to_char(day, 'YYYYMMDD') || CASE WHEN copy THEN '_new' ELSE '' END;
COMMENT ON FUNCTION _apm.compact_table(date, boolean) IS 'Name of the partition of a day of spans, or of its copy';

CREATE FUNCTION _apm.note_change() RETURNS trigger
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  d date := TG_ARGV[0]::date;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO _apm.compaction_changes (day, bucket) VALUES (d, NULL);
    RETURN NULL;
  END IF;
  -- Not asked: whether the day is under compaction.  A transaction whose snapshot
  -- is older would say no.
  INSERT INTO _apm.compaction_changes (day, bucket)
    SELECT DISTINCT d, date_bin('3 minutes', t, '2000-01-03 00:00Z')
      FROM unnest(CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.end_time] WHEN 'DELETE' THEN ARRAY[OLD.end_time]
                             ELSE ARRAY[OLD.end_time, NEW.end_time] END) t;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION _apm.note_change() IS 'Trigger: notes the bucket of a row that changes in a day under compaction';

-- The next day that is worth it: over for pg_apm.compact_after, not compacted,
-- with rollups that hold no minutes of it any more.  Joining moves the end of a
-- part to that of the last part within its bucket, never out of its hour.
CREATE FUNCTION _apm.compact_next(OUT day date, OUT bytes bigint)
  LANGUAGE sql STABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
  SELECT p.low::date, pg_total_relation_size(p.part)
    FROM _apm.partitions() p
   WHERE p.kind = 'spans' AND p.own AND isfinite(p.low) AND isfinite(p.high)
     AND p.high <= now() - current_setting('pg_apm.compact_after')::interval
     -- a day that was left before anything had been learned is looked at once more
     AND NOT EXISTS (SELECT FROM _apm.compactions c
                      WHERE c.day = p.low::date
                        AND (c.state <> 'skipped' OR c.finished_at > coalesce((SELECT min(l.made_at) FROM _apm.lexicons l), '-infinity')))
     AND NOT EXISTS (SELECT FROM _apm.rollup_state r WHERE r.kind = 'spans' AND r.minutes_since < p.high)
   ORDER BY p.low DESC LIMIT 1
$$;
COMMENT ON FUNCTION _apm.compact_next() IS 'The newest day of spans that is to be compacted next, and its bytes on disk';

-- How much smaller the values of a day get with the newest lexicon, by a sample.
CREATE FUNCTION _apm.compact_gain(relation regclass) RETURNS float8
  LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gain float8;
BEGIN
  EXECUTE format('SELECT 1 - sum(pg_column_size(_apm.with_newest_lexicon(s.spans)))::float8 / sum(pg_column_size(s.spans))
                    FROM (SELECT b.spans FROM %s b TABLESAMPLE SYSTEM (%s) LIMIT 1000) s', relation,
                 least(100, 100 * 1000000.0 / greatest(pg_relation_size(relation), 1))) INTO gain;
  RETURN coalesce(gain, 0);
END
$$;
COMMENT ON FUNCTION _apm.compact_gain(regclass) IS 'Share of their bytes by which spans of a partition shrink when they are packed with the newest lexicon';

-- Makes the table of the copy, as a partition is made.
CREATE FUNCTION _apm.compact_choose() RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  c   record;
  n   bigint;
  m   bigint;
  gain float8;
  new text;
BEGIN
  SELECT * INTO c FROM _apm.compact_next();
  IF c.day IS NULL OR current_setting('pg_apm.compact_after')::interval < '0' THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT project_id, trace_id, segment_id, transaction_name, environment, release FROM _apm.%1$I) x) FROM _apm.%1$I',
                 _apm.compact_table(c.day, false)) INTO n, m;
  DELETE FROM _apm.compactions t WHERE t.day = c.day;
  gain := _apm.compact_gain(to_regclass('_apm.' || _apm.compact_table(c.day, false)));
  IF n = 0 OR m > 0.9 * n AND gain < 0.1 THEN
    INSERT INTO _apm.compactions (day, state, width, copied_until, rows_before, rows_after, bytes_before, bytes_after, started_at, finished_at)
      VALUES (c.day, 'skipped', '1 hour', c.day, n, n, c.bytes, c.bytes, now(), now());
    RETURN format('%s: nothing to gain', c.day);
  END IF;
  new := _apm.compact_table(c.day, true);
  PERFORM _apm.make_partition_table('span_batches', new);
  -- as a member of the extension it is left out of dumps
  EXECUTE format('ALTER EXTENSION pg_apm ADD TABLE _apm.%I', new);
  EXECUTE format('ALTER TABLE _apm.%I ADD CONSTRAINT day CHECK (end_time >= %L AND end_time < %L)', new, c.day::timestamptz, (c.day + 1)::timestamptz);
  INSERT INTO _apm.compactions (day, state, width, copied_until, rows_before, bytes_before, started_at)
    VALUES (c.day, 'chosen', CASE WHEN c.bytes < 1500000000 THEN interval '1 hour' WHEN c.bytes < 6000000000 THEN '15 minutes' ELSE '3 minutes' END,
            c.day, n, c.bytes, now());
  RETURN format('%s: %s parts of %s segments, %s %% less with new words', c.day, n, m, round(100 * gain));
END
$$;
COMMENT ON FUNCTION _apm.compact_choose() IS 'Begins the compaction of the next day, or leaves it if there is little to gain';

-- Waits for whoever is writing there now: what he writes, the copy will see.
CREATE FUNCTION _apm.compact_watch(day date, until timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
  quarter interval := current_setting('pg_apm.lock_timeout')::interval / 4;
  old     text := '_apm.' || _apm.compact_table(day, false);
BEGIN
  IF NOT _apm.lock_time_left(least(until, clock_timestamp() + quarter)) THEN
    RAISE EXCEPTION 'no time left for a lock' USING ERRCODE = 'lock_not_available';
  END IF;
  EXECUTE format('DROP TRIGGER IF EXISTS pg_apm_compaction ON %s', old);
  EXECUTE format('DROP TRIGGER IF EXISTS pg_apm_compaction_truncated ON %s', old);
  EXECUTE format('CREATE TRIGGER pg_apm_compaction AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION _apm.note_change(%L)', old, day);
  EXECUTE format('CREATE TRIGGER pg_apm_compaction_truncated AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION _apm.note_change(%L)', old, day);
  UPDATE _apm.compactions c SET state = 'copying' WHERE c.day = compact_watch.day;
  RETURN coalesce(until, clock_timestamp() + 2 * quarter);
END
$$;
COMMENT ON FUNCTION _apm.compact_watch(date, timestamptz) IS 'From now on, changes of a day are noted; returns until when the lock may be held';

-- Parts are joined up to a size that is quick to read as a whole.
CREATE FUNCTION _apm.compact_copy(day date, low timestamptz, high timestamptz) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
  n bigint;
BEGIN
  PERFORM _apm.store_as_rolled();
  EXECUTE format('DELETE FROM _apm.%I WHERE end_time >= $1 AND end_time < $2', _apm.compact_table(day, true)) USING low, high;
  EXECUTE format($sql$
    INSERT INTO _apm.%I (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
      SELECT project_id, trace_id, segment_id, max(end_time), transaction_name, environment, release,
             CASE WHEN count(*) > 1
                  THEN _apm.with_newest_lexicon((SELECT apm.spanset_agg(s ORDER BY u.n) FROM unnest(array_agg(t.spans ORDER BY end_time)) WITH ORDINALITY u (spans, n), apm.unnest(u.spans) s))
                  WHEN bool_or(_apm.lexicon_of(t.spans) = $3) THEN (array_agg(spans))[1]
                  ELSE _apm.with_newest_lexicon((array_agg(spans))[1]) END
        FROM (SELECT b.*, CASE WHEN apm.span_count(b.spans) > 500 THEN b.ctid END AS alone,
                     row_number() OVER (PARTITION BY project_id, trace_id, segment_id, transaction_name, environment, release ORDER BY end_time) / 100 AS hundred
                FROM _apm.%I b WHERE end_time >= $1 AND end_time < $2) t
       GROUP BY project_id, trace_id, segment_id, transaction_name, environment, release, alone, hundred
       ORDER BY max(end_time)$sql$, _apm.compact_table(day, true), _apm.compact_table(day, false))
    USING low, high, (SELECT l.id FROM _apm.lexicons l ORDER BY l.made_at DESC LIMIT 1);
  GET DIAGNOSTICS n = ROW_COUNT;
  PERFORM _apm.store_as_rolled(false);
  RETURN n;
END
$$;
COMMENT ON FUNCTION _apm.compact_copy(date, timestamptz, timestamptz) IS 'Copies what ended in a bucket of time into the new table of its day, instead of what is there of it; returns the rows made';

-- Gives up what cannot go on: its day was dropped, or somebody deleted its row.
CREATE FUNCTION _apm.compact_clean() RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  t text;
BEGIN
  DELETE FROM _apm.compactions c WHERE to_regclass('_apm.' || _apm.compact_table(c.day, false)) IS NULL
     OR c.state IN ('chosen', 'copying', 'copied') AND to_regclass('_apm.' || _apm.compact_table(c.day, true)) IS NULL;
  DELETE FROM _apm.compaction_changes x WHERE NOT EXISTS (SELECT FROM _apm.compactions c WHERE c.day = x.day AND c.state IN ('copying', 'copied'));
  FOR t IN SELECT c.relname FROM pg_class c
            JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           WHERE c.relnamespace = '_apm'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ '^span_batches_[0-9]{8}_new$'
              AND NOT EXISTS (SELECT FROM _apm.compactions x WHERE x.state IN ('chosen', 'copying', 'copied') AND _apm.compact_table(x.day, true) = c.relname) LOOP
    EXECUTE format('ALTER EXTENSION pg_apm DROP TABLE _apm.%I', t);
    EXECUTE format('DROP TABLE _apm.%I', t);
  END LOOP;
END
$$;
COMMENT ON FUNCTION _apm.compact_clean() IS 'Drops copies of days that nobody goes on with';

-- Whether the bucket's rows are all in the rollups, so that their copies may count as such.
CREATE FUNCTION _apm.compact_rolled(day date, low timestamptz, high timestamptz) RETURNS boolean
  LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  bound bigint;
  open_rows boolean;
BEGIN
  SELECT CASE WHEN r.system_identifier = _apm.system_identifier() THEN r.bound ELSE 0 END INTO bound FROM _apm.rollup_state r WHERE r.kind = 'spans';
  IF NOT FOUND THEN
    RETURN true;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM _apm.%I WHERE stored_xid >= $1 AND end_time >= $2 AND end_time < $3)', _apm.compact_table(day, false))
    INTO open_rows USING bound, low, high;
  RETURN NOT open_rows;
END
$$;
COMMENT ON FUNCTION _apm.compact_rolled(date, timestamptz, timestamptz) IS 'Whether all rows of a bucket are rolled up';

CREATE FUNCTION _apm.compact_step() RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  began   timestamptz := clock_timestamp();
  c       _apm.compactions;
  changed timestamptz[];
  low     timestamptz;
  rows    bigint := 0;
  differs boolean;
BEGIN
  PERFORM _apm.compact_clean();
  SELECT * INTO c FROM _apm.compactions t WHERE t.state IN ('chosen', 'copying', 'copied') FOR UPDATE;
  IF NOT FOUND THEN
    RETURN _apm.compact_choose();
  ELSIF c.state = 'chosen' THEN
    RETURN NULL;
  END IF;
  WITH gone AS (DELETE FROM _apm.compaction_changes x WHERE x.day = c.day RETURNING x.bucket)
  SELECT array_agg(DISTINCT date_bin(c.width, bucket, '2000-01-03 00:00Z')) INTO changed FROM gone;
  IF changed IS NULL AND c.state = 'copied' THEN
    RETURN NULL;
  END IF;
  IF array_position(changed, NULL) > 0 THEN
    c.copied_until := c.day;
    changed := array_remove(changed, NULL);
  END IF;
  -- what changed in buckets that are still to come is copied with them
  FOREACH low IN ARRAY coalesce(changed, '{}') LOOP
    IF low < c.copied_until THEN
      IF _apm.compact_rolled(c.day, low, low + c.width) THEN
        rows := rows + _apm.compact_copy(c.day, low, low + c.width);
      ELSE
        INSERT INTO _apm.compaction_changes (day, bucket) VALUES (c.day, low);
      END IF;
    END IF;
  END LOOP;
  -- at least one bucket, else a short time would mean never
  WHILE c.copied_until < (c.day + 1)::timestamptz LOOP
    EXIT WHEN NOT _apm.compact_rolled(c.day, c.copied_until, c.copied_until + c.width);
    rows := rows + _apm.compact_copy(c.day, c.copied_until, c.copied_until + c.width);
    c.copied_until := c.copied_until + c.width;
    EXIT WHEN clock_timestamp() > began + current_setting('pg_apm.compact_time')::interval;
  END LOOP;
  IF c.copied_until = (c.day + 1)::timestamptz THEN
    -- a copy that lacks something never replaces anything
    EXECUTE format('SELECT (SELECT sum(apm.span_count(spans)) FROM _apm.%I) IS DISTINCT FROM (SELECT sum(apm.span_count(spans)) FROM _apm.%I)
                       AND NOT EXISTS (SELECT FROM _apm.compaction_changes x WHERE x.day = $1)', _apm.compact_table(c.day, false), _apm.compact_table(c.day, true))
      INTO differs USING c.day;
    IF differs THEN
      RAISE EXCEPTION 'the copy of % differs from its partition', c.day USING ERRCODE = 'data_corrupted';
    END IF;
    c.state := 'copied';
    EXECUTE format('ANALYZE _apm.%I', _apm.compact_table(c.day, true));
  END IF;
  UPDATE _apm.compactions t SET state = c.state, copied_until = c.copied_until, copied_by = pg_current_xact_id() WHERE t.day = c.day;
  RETURN format('%s: %s rows until %s', c.day, rows, c.copied_until::time) || CASE WHEN c.state = 'copied' THEN ', complete' ELSE '' END;
END
$$;
COMMENT ON FUNCTION _apm.compact_step() IS 'Copies more of the day that is being compacted, for pg_apm.compact_time at most';

-- Does every snapshot in use see what a transaction did?  Those of standbys
-- count as far as they say what they need.
CREATE FUNCTION _apm.seen_by_all(xact xid8) RETURNS boolean
  LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
  SELECT xact < pg_current_xact_id()
     AND NOT EXISTS (SELECT FROM pg_stat_activity a
                      WHERE a.pid <> pg_backend_pid() AND (a.datname = current_database() OR a.datname IS NULL)
                        AND a.backend_xmin IS NOT NULL AND age(a.backend_xmin) >= age(xact::xid))
     AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.xmin IS NOT NULL AND age(s.xmin) >= age(xact::xid))
$$;
COMMENT ON FUNCTION _apm.seen_by_all(xid8) IS 'Whether all snapshots of this database see what a transaction has stored';

-- All indexes of the copy get the names of those of the partition.
CREATE FUNCTION _apm.compact_swap(c _apm.compactions) RETURNS void
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  old text := _apm.compact_table(c.day, false);
  new text := _apm.compact_table(c.day, true);
  i   text;
BEGIN
  EXECUTE format('DROP TABLE _apm.%I', old);
  EXECUTE format('ALTER EXTENSION pg_apm DROP TABLE _apm.%I', new);
  EXECUTE format('ALTER TABLE _apm.%I RENAME TO %I', new, old);
  FOR i IN SELECT x.relname FROM pg_index d JOIN pg_class x ON x.oid = d.indexrelid WHERE d.indrelid = to_regclass(format('_apm.%I', old)) LOOP
    EXECUTE format('ALTER INDEX _apm.%I RENAME TO %I', i, replace(i, new, old));
  END LOOP;
  EXECUTE format('ALTER TABLE _apm.span_batches ATTACH PARTITION _apm.%I FOR VALUES FROM (%L) TO (%L)', old, c.day::timestamptz, (c.day + 1)::timestamptz);
  EXECUTE format('ALTER TABLE _apm.%I DROP CONSTRAINT day', old);
END
$$;
COMMENT ON FUNCTION _apm.compact_swap(_apm.compactions) IS 'Puts the copy of a day in its place; the caller holds the locks';

CREATE FUNCTION _apm.compact_finish(INOUT until timestamptz, OUT result text)
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
  c _apm.compactions;
BEGIN
  SELECT * INTO c FROM _apm.compactions t
   WHERE t.state IN ('chosen', 'copied') AND to_regclass('_apm.' || _apm.compact_table(t.day, false)) IS NOT NULL FOR UPDATE;
  IF c.state = 'chosen' THEN
    until := _apm.compact_watch(c.day, until);
    result := format('%s: changes are noted from now on', c.day);
    RETURN;
  END IF;
  IF c.day IS NULL OR EXISTS (SELECT FROM _apm.compaction_changes x WHERE x.day = c.day) THEN
    RETURN;
  ELSIF NOT _apm.seen_by_all(c.copied_by) THEN
    result := format('%s: waits for older snapshots', c.day);
    RETURN;
  END IF;
  until := _apm.lock_parent('_apm.span_batches', until);
  IF NOT _apm.lock_time_left(until) THEN
    RAISE EXCEPTION 'no time left for a lock' USING ERRCODE = 'lock_not_available';
  END IF;
  EXECUTE format('LOCK TABLE _apm.%I IN ACCESS EXCLUSIVE MODE', _apm.compact_table(c.day, false));
  -- whoever changed something has committed by now
  IF EXISTS (SELECT FROM _apm.compaction_changes x WHERE x.day = c.day) THEN
    result := format('%s: rows came meanwhile', c.day);
    RETURN;
  END IF;
  PERFORM _apm.compact_swap(c);
  UPDATE _apm.compactions t
     SET state = 'done', finished_at = clock_timestamp(),
         (rows_after, bytes_after) = (SELECT p.reltuples::bigint, pg_total_relation_size(p.oid) FROM pg_class p
                                       WHERE p.oid = to_regclass('_apm.' || _apm.compact_table(c.day, false)))
   WHERE t.day = c.day RETURNING * INTO c;
  result := format('%s: %s rows instead of %s, %s bytes instead of %s', c.day, c.rows_after, c.rows_before, c.bytes_after, c.bytes_before);
END
$$;
COMMENT ON FUNCTION _apm.compact_finish(timestamptz) IS 'Swaps the day whose copy is complete, or has changes of the chosen one noted; returns until when its locks may be held, and what it did';

CREATE VIEW apm.compactions WITH (security_invoker = true) AS
  SELECT day, state, rows_before, rows_after, bytes_before, bytes_after, copied_until, started_at, finished_at FROM _apm.compactions;
COMMENT ON VIEW apm.compactions IS 'Days of spans that apm.maintain() has compacted (done), is compacting (chosen, copying, then copied until the tables can be swapped), or leaves as they are because there is little to gain (skipped); rows are segments or parts of them, bytes those on disk with indexes. Example: SELECT day, state, bytes_after::float8 / bytes_before FROM apm.compactions';

SELECT pg_catalog.pg_extension_config_dump('_apm.compactions', 'WHERE state IN (''done'', ''skipped'')');
SELECT pg_catalog.pg_extension_config_dump('_apm.compaction_changes', 'WHERE false');
