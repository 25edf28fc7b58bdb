-- ---------------------------------------------------------------------------
-- spanset: learning a lexicon from the spans that are stored

CREATE FUNCTION _apm.learn_words(sample integer DEFAULT 2000) RETURNS bigint
  LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  -- What the code knows takes some of the 64 kB that two bytes address.
  room      constant integer := 48 * 1024;
  seldom    constant integer := 4;
  part      regclass;
  share     float8;
  words     bytea;
  new_id    bigint;
BEGIN
  SELECT c.oid, least(100, 150.0 * sample / greatest(c.reltuples, pg_relation_size(c.oid) / 500, 1))
    INTO part, share
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
   WHERE i.inhparent = '_apm.span_batches'::regclass AND pg_relation_size(c.oid) > 0
   ORDER BY c.relname LIKE '%past', c.relname DESC
   LIMIT 1;
  IF part IS NULL THEN
    RETURN NULL;
  END IF;
  -- A word or piece is worth the bytes that it saves: those that its sets
  -- would hold less what refers to it.
  EXECUTE format($sql$
    WITH sets AS MATERIALIZED (
      SELECT row_number() OVER () AS set, b.spans FROM %s b TABLESAMPLE SYSTEM (%s) LIMIT %s
    ), pieces AS (
      SELECT p.is_word, p.piece, count(DISTINCT s.set) AS sets
        FROM sets s, _apm.pieces(s.spans) p
       WHERE octet_length(p.piece) <= 1000
       GROUP BY p.is_word, p.piece
      HAVING count(DISTINCT s.set) >= %s
    ), valued AS (
      SELECT is_word, piece, (octet_length(piece) - CASE WHEN is_word THEN 2 ELSE 4 END) * sets AS worth
        FROM pieces
       WHERE octet_length(piece) > 4 OR is_word
    ), ranked AS (
      SELECT is_word, piece, row_number() OVER w AS place,
             sum(octet_length(piece)) OVER (w ROWS UNBOUNDED PRECEDING) AS bytes
        FROM valued
      WINDOW w AS (PARTITION BY is_word ORDER BY worth DESC, piece COLLATE "C")
    )
    SELECT _apm.lexicon_make(
      coalesce(array_agg(piece ORDER BY place) FILTER (WHERE is_word AND place <= 4096), '{}'),
      coalesce(string_agg(piece, '' ORDER BY place) FILTER (WHERE NOT is_word AND bytes <= %s), ''))
      FROM ranked$sql$, part, share, sample, seldom, room)
    INTO words;
  new_id := _apm.lexicon_number(words);
  INSERT INTO _apm.lexicons (id, words) VALUES (new_id, words) ON CONFLICT (id) DO NOTHING;
  RETURN new_id;
END
$$;
COMMENT ON FUNCTION _apm.learn_words(integer) IS 'Makes a lexicon of a sample of the newest spans and returns its id; NULL if no spans are stored. What is stored later is packed with it';
