-- Bytes that are no packed spans: refused with a reason, by every way in.
\set VERBOSITY default

-- Text form.
SELECT ''::apm.spanset;
SELECT '0100'::apm.spanset;
SELECT '\x010'::apm.spanset;
SELECT '\x01zz'::apm.spanset;

-- Header.
SELECT '\x'::apm.spanset;
SELECT '\x01'::apm.spanset;
SELECT '\x0000'::apm.spanset;
SELECT '\x0200'::apm.spanset;
SELECT '\xff00'::apm.spanset;
SELECT '\x010000'::apm.spanset;
SELECT '\x01ffffffff0f'::apm.spanset;
SELECT '\x01808080808080808080ff'::apm.spanset;

-- One span, and what happens when its bytes are others.
CREATE FUNCTION pg_temp.reason(b bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  reason text;
  state text;
  spans apm.spanset;
BEGIN
  BEGIN
    spans := b::apm.spanset;
    RETURN 'accepted, ' || (SELECT count(*) FROM apm.unnest(spans)) || ' spans';
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL, state = RETURNED_SQLSTATE;
    RETURN state || ': ' || reason;
  END;
END $$;

-- A span without strings, from its parts: flags (a varint), durations, the
-- columns of strings, trace id, status, start, starts, span id, what follows.
CREATE FUNCTION pg_temp.one(flags text DEFAULT '00', durations text DEFAULT '0000', strings text DEFAULT '',
  trace text DEFAULT '000102030405060708090a0b0c0d0e0f', status text DEFAULT '', start text DEFAULT '80fb7a318f0c00',
  starts text DEFAULT '00', span text DEFAULT '0000000000000001', more text DEFAULT '', head text DEFAULT '0101')
RETURNS bytea LANGUAGE sql RETURN decode(head || flags || durations || strings || trace || status || start || starts || '00' || span || more, 'hex');
SELECT what, pg_temp.reason(bytes) FROM (VALUES
  ('as it is', pg_temp.one()),
  ('another version', pg_temp.one(head => '0301')),
  ('needs a lexicon', pg_temp.one(head => '02000000000101')),
  ('no span', pg_temp.one(head => '0100')),
  ('two spans', pg_temp.one(head => '0102')),
  ('many spans', pg_temp.one(head => '017f')),
  ('unknown flags', pg_temp.one(flags => '808004')),
  ('form of durations', pg_temp.one(durations => '8000')),
  ('duration of 2^61', pg_temp.one(durations => '3f0000000000000040')),
  ('duration of 2^62', pg_temp.one(durations => '3f0000000000000080')),
  ('duration of 2^63 - 1', pg_temp.one(durations => '3ffeffffffffffffff')),
  ('duration of -1', pg_temp.one(durations => '3ffdffffffffffffff03')),
  ('duration of too many steps', pg_temp.one(durations => '00ffffffffffffffffff')),
  ('trace id of zero', pg_temp.one(trace => repeat('00', 16))),
  ('start long before all time', pg_temp.one(flags => '808002', start => 'ffffffffffffffff')),
  ('span id of zero', pg_temp.one(span => repeat('00', 8))),
  ('one byte more', pg_temp.one(more => '00')),
  ('one byte less', substr(pg_temp.one(), 1, length(pg_temp.one()) - 1))) v(what, bytes);
SELECT what, pg_temp.reason(bytes) FROM (VALUES
  ('op "a"', pg_temp.one(flags => '01', strings => '0140010361')),
  ('op that is a known word', pg_temp.one(flags => '01', strings => '0140010100')),
  ('op that is no known word', pg_temp.one(flags => '01', strings => '01400101ff')),
  ('op that is not UTF-8', pg_temp.one(flags => '01', strings => '01400103c3')),
  ('op that is a surrogate', pg_temp.one(flags => '01', strings => '01400105eda080')),
  ('op with NUL', pg_temp.one(flags => '01', strings => '0140010300')),
  ('op beyond the end', pg_temp.one(flags => '01', strings => '014001ff7f61')),
  ('code beyond the table', pg_temp.one(flags => '01', strings => '0140020361')),
  ('table of no strings', pg_temp.one(flags => '01', strings => '004001')),
  ('table of more strings than spans', pg_temp.one(flags => '01', strings => '02400103610361')),
  ('codes of 63 bits', pg_temp.one(flags => '01', strings => '013f010361')),
  ('self time of -1', pg_temp.one(flags => '40', strings => '0102')),
  ('self time above the duration', pg_temp.one(flags => '40', strings => '0101')),
  ('status 16', pg_temp.one(flags => '8001', status => '4011')),
  ('status 17', pg_temp.one(flags => '8001', status => '4012')),
  ('parent is the span itself', pg_temp.one(flags => '8004', more => '4001')),
  ('parent beyond the set', pg_temp.one(flags => '8004', more => '4002')),
  ('two trace ids for one span', pg_temp.one(flags => '808001', strings => '024000', more => '')),
  ('attributes {}', pg_temp.one(flags => '20', more => '400300' || '00' || '7b7d')),
  ('attributes that are not JSON', pg_temp.one(flags => '20', more => '400300' || '00' || '7b7b')),
  ('attributes that are cut short', pg_temp.one(flags => '20', more => '400300' || '00' || '7b')),
  ('attributes of 2^40 bytes', pg_temp.one(flags => '20', more => '4080808080802000' || '01' || '7b')),
  ('attributes of 2^63 bytes', pg_temp.one(flags => '20', more => '408080808080808080800100' || '01' || '7b')),
  ('a form of text', pg_temp.one(flags => '20', more => '400300' || '02' || '7b7d')),
  ('compressed {}', pg_temp.one(flags => '20', more => '400300' || '01' || '027b7d')),
  ('compressed, one byte too many', pg_temp.one(flags => '20', more => '400300' || '01' || '037b7d20')),
  ('compressed, ends early', pg_temp.one(flags => '20', more => '400300' || '01' || '07')),
  ('compressed, distance before the start', pg_temp.one(flags => '20', more => '400900' || '01' || '417b05')),
  ('compressed, no distance to repeat', pg_temp.one(flags => '20', more => '400900' || '01' || '017b')),
  ('compressed, beyond the dictionary', pg_temp.one(flags => '20', more => '400900' || '01' || 'c0ffff')))
  v(what, bytes);

-- No cut of a good value is good.
\set good '''\\x0104ff2d0acb8103e4056000000342019401200100086f776e206f700202290101010003420194000123456789abcdef0089abcdef01234567096e6f742068657805baa901004bf92f3577b34da6a3ce929d0e0e473604110e02e0d298458f0c0b00c0f961ed0e2700f067aa0ba902b700f067aa0ba902b800f067aa0ba902b900f067aa0ba902ba01ffffffffffffffff03480a010702022901b701cf034201940f270006682a150001e8951ad0511ad8cb19d896195013f8077319c5317b226e6f2b14c7002022636166c3a9f119f810d61acd203230307da81ac06316fe223a20332c2001a91af92004b51ad83f017c223a20301128''::bytea'
SELECT count(*) AS lengths, count(*) FILTER (WHERE pg_temp.reason(substr(:good, 1, n)) LIKE '22P03: %') AS refused
  FROM generate_series(0, length(:good) - 1) n;
SELECT pg_temp.reason(:good);
-- A changed byte gives a reason or spans, never anything else.
SELECT count(*) AS changes, count(*) FILTER (WHERE pg_temp.reason(set_byte(:good, n, v)) ~ '^(22P03: The packed spans cannot be read: |accepted, [0-9]+ spans$)') AS told
  FROM generate_series(0, length(:good) - 1) n, unnest(ARRAY[0, 1, 127, 128, 255]) v;

-- Binary input passes through the same check.
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/spanset_bytes.bin'
CREATE TEMP TABLE bytes (b bytea);
CREATE TEMP TABLE sets (s apm.spanset);
\set copy_bytes '\\copy bytes TO ' :'file' ' (FORMAT binary)'
\set copy_sets '\\copy sets FROM ' :'file' ' (FORMAT binary)'
INSERT INTO bytes VALUES (:good);
:copy_bytes
:copy_sets
SELECT apm.span_count(s) FROM sets;
\set VERBOSITY terse
UPDATE bytes SET b = set_byte(b, 0, 255);
:copy_bytes
:copy_sets
UPDATE bytes SET b = set_byte(substr(b, 1, 60), 0, 1);
:copy_bytes
:copy_sets
UPDATE bytes SET b = '';
:copy_bytes
:copy_sets
SELECT count(*) FROM sets;
\set VERBOSITY default
