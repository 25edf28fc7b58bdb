-- JSON of envelopes becomes jsonb without the server's input function: what comes
-- out is the same to the byte wherever the server takes the text, and something
-- near it where it does not.
\set VERBOSITY default
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.ours(document text) RETURNS jsonb LANGUAGE sql AS $$
  SELECT apm.envelope_header(convert_to(document, 'UTF8'))
$$;

-- Documents that differ from the server's; none should.
CREATE FUNCTION pg_temp.differing(documents text[]) RETURNS TABLE (n bigint, document text, ours jsonb) LANGUAGE sql AS $$
  SELECT n, d, pg_temp.ours(d) FROM unnest(documents) WITH ORDINALITY AS u(d, n)
   WHERE pg_temp.ours(d) IS NULL OR record_image_ne(ROW(pg_temp.ours(d)), ROW(d::jsonb))
$$;

SELECT pg_temp.ours('{"b":[1,"x",null,true,{"z":{},"y":[]}],"a":{"k":-1.50,"k":2},"":"\u00e4\n"}');

-- every kind of value, at every alignment
SELECT * FROM pg_temp.differing(ARRAY(
  SELECT format('{"%s":%s,"%s":"%s","z":%s}', repeat('k', a), value, repeat('q', b), repeat('v', b), value)
    FROM generate_series(0, 5) a, generate_series(0, 5) b,
         unnest(ARRAY['null', 'true', 'false', '""', '"text"', '0', '-0', '7', '-1', '1.50', '0.1e1', '1e-7', '12345678901234567890',
                      '9223372036854775807', '-9223372036854775808', '9223372036854775808', '1e20', '1E+2', '3.14159265358979323846264338',
                      '[]', '{}', '[1,[2,[3,{"x":[]}]]]', '{"y":{"x":{"w":[{}]}}}', '"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00"']) value));

-- objects and arrays of every size up to where entries hold offsets a few times
SELECT * FROM pg_temp.differing(ARRAY(
  SELECT format('{"o":{%s},"a":[%s]}',
                (SELECT string_agg(format('"%s":%s', substr(md5(i::text), 1, 1 + i % 9), i * 37), ',') FROM generate_series(1, size) i),
                (SELECT string_agg(format('{"%s":"%s"}', i % 3, repeat('x', i % 7)), ',') FROM generate_series(1, size) i))
    FROM generate_series(0, 140) size));

-- of equal keys the last wins, wherever it stands
SELECT * FROM pg_temp.differing(ARRAY(
  SELECT format('{%s}', string_agg(format('"%s":%s', (i * factor) % 7, i), ',' ORDER BY i))
    FROM generate_series(1, 60) factor, generate_series(0, factor) i GROUP BY factor));
SELECT pg_temp.ours('{"a":1,"\u0061":2,"b":{"a":3},"a":{"x":[1]},"b":4}');

-- deep, and wide at once
SELECT * FROM pg_temp.differing(ARRAY[
  '{"a":' || repeat('[', 100) || repeat(']', 100) || '}',
  repeat('{"a":', 100) || '1' || repeat('}', 100),
  (SELECT format('{%s}', string_agg(format('"%s":{"b%s":[%s]}', i, i, i), ',')) FROM generate_series(1, 5000) i)]);
SELECT length(pg_temp.ours(format('{"a":"%s"}', repeat('x', 1000000))) ->> 'a');

-- what the server refuses
SELECT pg_temp.ours('{"nul":"a\u0000b","high":"\ud800","low":"\udc00x","\u0000":1}');
SELECT k, jsonb_typeof(v), length(v #>> '{}') FROM jsonb_each(pg_temp.ours(
  '{"huge":1e100000,"tiny":1e-100000,"edge":1e400,"long":' || repeat('9', 1001) || ',"fits":' || repeat('9', 1000) || '}')) AS e(k, v) ORDER BY k;
