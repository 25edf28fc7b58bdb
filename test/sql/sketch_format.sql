-- The bytes of apm.sketch: what version 1 wrote is read for ever, and nothing else is
\set VERBOSITY default

-- Written by the first release.  These never change: a later version that
-- writes other bytes adds its own and goes on reading these.
CREATE TEMP TABLE fixtures (name text, hex text);
INSERT INTO fixtures VALUES
  ('one', '010069712000'),
  ('zero', '01000000'),
  ('whole', '01100101ff'),
  ('micros', '01106111836af78f344a6e02ea4104'),
  ('negative', '010844959196f080'),
  ('raw', '0111fffe00000000000000000000000000002fc6fc8791000eb38ffe0000000000000fff00000000000000'),
  ('weights', '010a0101f1fd0db815c0'),
  ('full', '017c647a1ff7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f4'),
  ('buckets', '018dc1043307d86f35602065a912faaec28e96a3cfbfa0eb8ebaefcefbdfffff43bcdf29a29a29a69abbbbffbfeb5ad6b5b5694f48'),
  ('constant', '0195e8a9d0900101d403c1aa80'),
  ('weighted', '018c893e83f0410b8fe44e836da0102a5ac888f955ec111aa5d42717dfd102ebc26975ed38bbf272ffe9ebea826bc5b4c6922112d044a25a48a4'),
  ('sampled', '018c89c710190410b8ff03229a02065a912faaec28e96a3cfbfa0eb8ebaefcefbdfffff43bcdf29a29a29a69aa'),
  ('signed', '018c8094392893a05cf7bdef7bdedbefbef93bf7e5f11e003ffbe23fbf80ff013e017c02f803f00bc02f00bc02f009c02e01700b805c02e0170170170160'),
  ('unbounded', '018c87a0080000000000003ffc000000000000423119393aebaebaebaebfffffffffffffad6bffffff0003fac54002'),
  ('tiny', '018c8a071001f000012688b70e62b0002e055c9a3f6ba00080'),
  ('large', '01c2540be4019f46a52880011097ed0ed78efd2b7502bfffe0');
CREATE TEMP TABLE built AS
  SELECT 'one' AS name, apm.sketch_agg(v) AS s FROM unnest(ARRAY[123.456]) v
  UNION ALL SELECT 'zero', apm.sketch_agg(0)
  UNION ALL SELECT 'whole', apm.sketch_agg(v) FROM generate_series(1, 5) v
  UNION ALL SELECT 'micros', apm.sketch_agg(v) FROM unnest(ARRAY[0.001, 250.125, 3.5, 99.999, 12345.678]) v
  UNION ALL SELECT 'negative', apm.sketch_agg(v) FROM unnest(ARRAY[-1.5, 0, 2.25]) v
  UNION ALL SELECT 'raw', apm.sketch_agg(v) FROM unnest(ARRAY['NaN', 1e300, 'Infinity', '-Infinity', 5e-324]::float8[]) v
  UNION ALL SELECT 'weights', apm.sketch_agg(v, w) FROM (VALUES (1.0, 2.5), (2.0, 0.125), (3.0, 10)) x(v, w)
  UNION ALL SELECT 'full', apm.sketch_agg(v / 8.0) FROM generate_series(1, 32) v
  UNION ALL SELECT 'buckets', apm.sketch_agg(i * i / 100.0) FROM generate_series(1, 60) i
  UNION ALL SELECT 'constant', apm.sketch_agg(42) FROM generate_series(1, 1000) i
  UNION ALL SELECT 'weighted', apm.sketch_agg(i * i / 100.0, 1 + i % 3 / 2.0) FROM generate_series(1, 40) i
  UNION ALL SELECT 'sampled', apm.sketch_agg(i * i / 100.0, 10) FROM generate_series(1, 40) i
  UNION ALL SELECT 'signed', apm.sketch_agg((i - 20) * 1.5) FROM generate_series(1, 40) i
  UNION ALL SELECT 'unbounded', apm.sketch_agg(CASE WHEN i < 3 THEN 'Infinity'::float8 WHEN i = 3 THEN 'NaN' ELSE i END) FROM generate_series(1, 40) i
  UNION ALL SELECT 'tiny', apm.sketch_agg(i * 1e-310) FROM generate_series(1, 40) i
  UNION ALL SELECT 'large', apm.sketch_from_histogram(ARRAY[100, 110], ARRAY[5000000000]);
SELECT name, hex::apm.sketch::text = hex AS kept, hex = s::text AS same_bytes, apm.num_values(hex::apm.sketch) AS n, apm.total_weight(hex::apm.sketch) AS weight,
       apm.min_value(hex::apm.sketch) AS min, apm.percentile(hex::apm.sketch, 0.5) AS p50, apm.max_value(hex::apm.sketch) AS max, apm.sum_value(hex::apm.sketch) AS sum
  FROM fixtures FULL JOIN built USING (name) ORDER BY name;
-- Binary form is the same bytes; upper case is read
SELECT bool_and(apm.sketch_send(hex::apm.sketch) = decode(hex, 'hex')) AS binary, bool_and(upper(hex)::apm.sketch::text = hex) AS upper FROM fixtures;
-- A sketch that is merged alone is itself
SELECT bool_and(merged::text = hex) AS same FROM (SELECT hex, apm.sketch_merge(hex::apm.sketch) AS merged FROM fixtures GROUP BY name, hex) m;

-- Toasted, compressed or in line, stored and read
CREATE TEMP TABLE stored (id int, s apm.sketch, filler text);
INSERT INTO stored SELECT 1, apm.sketch_agg(v), NULL FROM (SELECT exp(i / 8.0) AS v FROM generate_series(-5600, 5600) i, generate_series(1, 1 + i * i % 5)) x;
INSERT INTO stored SELECT 2, apm.sketch_agg(7), NULL;
INSERT INTO stored SELECT 3, s, repeat('x', 1900) FROM stored WHERE id = 1;
SELECT id, pg_column_size(s) > 2000 AS large, apm.num_values(s), round(apm.percentile(s, 0.5)::numeric, 2) AS p50 FROM stored ORDER BY id;
SELECT apm.num_values(apm.sketch_merge(s)) FROM stored;

-- Malformed bytes are refused, as text
CREATE TEMP TABLE malformed (what text, hex text);
INSERT INTO malformed VALUES
  ('empty', ''),
  ('odd', '010'),
  ('no hexadecimal', '01zz'),
  ('white space', '01 00'),
  ('version alone', '01'),
  ('version 0', '00000000'),
  ('a later version', '02000000'),
  ('the working form', 'ff000000'),
  ('cut off', '0101'),
  ('a byte too many', '0100000000'),
  ('a bit too many', '01000001'),
  ('decimal value stored raw', '0101e80bdba5e353f7cee0'),
  ('larger scale than needed', '01008b16b400'),
  ('unknown scale', '01014100'),
  ('minus zero', '0101f00000000000000000'),
  ('another NaN', '0101efff00000000000020'),
  ('raw values out of order', '0105efc6fc8791000eb38034adc3f85f1e6b20'),
  ('order of code not the best', '010801058610'),
  ('impossible order of code', '0104013cffff'),
  ('weights that are all 1', '0102010af401'),
  ('weights of divisor zero', '0102010002'),
  ('weights with a common divisor', '0106010043c80240'),
  ('value beyond 2^53', '01001c00000000000000'),
  ('buckets of 32 values', '018c09fe800203a80605d408'),
  ('tick that is not the divisor', '0195e895e82bd003a807835401f480'),
  ('counts that do not add up', '0195e8a9d0900200ea01e0d540'),
  ('more values than weight', '01bdb9aca00a9d0900101d403c1aa8'),
  ('last bucket missing', '0195e8a9d0900101d410783550'),
  ('sum with zeros left', '0195e8a9d0900101d4038360d100'),
  ('sum out of bounds', '0195e8a9d0900101d403d96000000000000000000000000100'),
  ('weight out of bounds', '0195e8ec00000000000000803a80783550');
CREATE FUNCTION pg_temp.attempt(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE query INTO result;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  RETURN sqlstate || ' ' || sqlerrm;
END $$;
SELECT what, pg_temp.attempt(format('SELECT %L::apm.sketch', hex)) FROM malformed;
SELECT '02000000'::apm.sketch;
SELECT '0100'::apm.sketch;
SELECT 'sketch'::apm.sketch;
-- Every proper beginning of a sketch
SELECT count(*) AS cut, count(*) FILTER (WHERE pg_temp.attempt(format('SELECT %L::apm.sketch', left(hex, 2 * n))) = '22P02 malformed apm.sketch') AS refused
  FROM fixtures, generate_series(1, length(hex) / 2 - 1) n;

-- Malformed bytes are refused as binary
CREATE TEMP TABLE target (s apm.sketch);
\copy target from program 'printf "PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\001\000\000\000\377\377"' with (format binary)
\copy target from program 'printf "PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\001\000\000\001\377\377"' with (format binary)
\copy target from program 'printf "PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\003\000\000\000\377\377"' with (format binary)
\copy target from program 'printf "PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\377\000\000\000\377\377"' with (format binary)
\copy target from program 'printf "PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\000\377\377"' with (format binary)
SELECT s FROM target;

-- Bytes that got in past the type are refused by every function
BEGIN;
CREATE CAST (bytea AS apm.sketch) WITHOUT FUNCTION;
CREATE FUNCTION pg_temp.ask(hex text) RETURNS TABLE (answer text, functions bigint, which text) LANGUAGE sql AS $$
  SELECT pg_temp.attempt('SELECT ' || format(question, format('decode(%L, ''hex'')::apm.sketch', hex))), count(*),
         CASE WHEN count(*) < 16 THEN string_agg(split_part(question, '(', 1), ', ' ORDER BY o) END
    FROM unnest(ARRAY['apm.percentile(%s, 0.5)', 'apm.percentiles(%s, ARRAY[0.1, 1])', 'apm.percentile_rank(%s, 30)', 'apm.apdex(%s, 30)',
      'apm.num_values(%s)', 'apm.total_weight(%s)', 'apm.min_value(%s)', 'apm.max_value(%s)', 'apm.mean_value(%s)', 'apm.sum_value(%s)',
      'apm.relative_error(%s)', '(apm.histogram(%s)).value_count', 'apm.histogram_text(%s)', 'apm.sketch_merge(%s)', '(%s)::text', 'apm.sketch_send(%s)'])
      WITH ORDINALITY u(question, o) GROUP BY 1 ORDER BY 1 $$;
SELECT * FROM pg_temp.ask('');
SELECT * FROM pg_temp.ask('00');
SELECT * FROM pg_temp.ask('0200');
SELECT * FROM pg_temp.ask('01');
SELECT * FROM pg_temp.ask('ff' || repeat('00', 59));
SELECT * FROM pg_temp.ask('ff' || repeat('01', 400));
-- The header is sound, the counts are cut off: refused by what walks that far
SELECT answer, functions FROM pg_temp.ask((SELECT left(hex, 60) FROM fixtures WHERE name = 'buckets')) WHERE answer ~ '^[A-Z0-9]{5} ';
ROLLBACK;
