# Reading JSON, taking envelopes in, and what stored spans cost.  Sourced by
# scripts/bench.sh.

bench_json() {
  local line skip walk load
  heading "JSON reader"
  cc -O2 -DAPM_STANDALONE -I"$tree/src" -o "$work/json_bench" "$tree"/test/bench/json_bench.c \
    "$tree"/src/json/reader.c "$tree"/src/json/number.c "$tree"/src/json/text.c -ljansson -lm || die "json_bench does not compile"
  line=$("$work/json_bench" -r 11 "$tree"/test/data/envelopes/*.envelope | tail -n 1)
  read -r skip walk load <<<"$(sed -nE 's,.*skip +([0-9]+) MB/s +walk +([0-9]+) MB/s +load +([0-9]+) MB/s.*,\1 \2 \3,p' <<<"$line")"
  [ -n "$load" ] || die "json_bench said: $line"
  note "The JSON of every envelope in \`test/data\`, line by line: all of it checked; and every key, string, number and time handed"
  note "out as well, as a decoder takes them. \`json_loadb\` reads $load MB/s."
  table
  row "reader, all checked, to \`json_loadb\`" "≥ 15" "$(calc "$skip / $load")" " ×"
  row "the same, speed" "≥ 500" "$skip" " MB/s"
  row "reader, all handed out, to \`json_loadb\`" "≥ 15" "$(calc "$walk / $load")" " ×"
  row "the same, speed" "≥ 500" "$walk" " MB/s"
}

bench_decode() {
  local rep bytes n
  heading "Decoding a transaction of ten spans"
  ask "SELECT setseed(0.5); SELECT bench.fill(2000, 2);
    CREATE TABLE bench.payloads (payload text); ALTER TABLE bench.payloads ALTER payload SET STORAGE EXTERNAL;
    INSERT INTO bench.payloads SELECT split_part(convert_from(body, 'UTF8'), E'\n', 3) FROM bench.bodies;
    VACUUM ANALYZE bench.bodies; VACUUM ANALYZE bench.payloads;
    SELECT avg(octet_length(body))::int FROM bench.bodies"
  bytes=$(grep -E '^[0-9]+$' <<<"$ANSWER")
  for ((rep = 0; rep < REPS; rep++)); do
    timed "reading the bodies" "SELECT count(body || ''::bytea) FROM bench.bodies"
    timed "envelope_transactions and envelope_spans" "SELECT sum((SELECT count(t.event_id) FROM apm.envelope_transactions(body) t) + (SELECT count(s.span_id) FROM apm.envelope_spans(body) s)) FROM bench.bodies"
    n=$ANSWER
    timed "envelope_spans" "SELECT sum((SELECT count(s.span_id) FROM apm.envelope_spans(body) s)) FROM bench.bodies"
    timed "reading the payloads" "SELECT count(payload || '') FROM bench.payloads"
    timed "::json" "SELECT count(payload::json) FROM bench.payloads"
    timed "::jsonb" "SELECT count(payload::jsonb) FROM bench.payloads"
  done
  [ "$(grep -E '^[0-9]+$' <<<"$n")" = 22000 ] || die "2,000 envelopes gave $n rows"
  note "2,000 envelopes of $bytes bytes; net of reading the bytes from the table."
  table
  row "\`apm.envelope_transactions\` and \`apm.envelope_spans\` to \`::json\`" "≤ 1.0" \
    "$(calc "($(median "envelope_transactions and envelope_spans") - $(median "reading the bodies")) / ($(median "::json") - $(median "reading the payloads"))")" " ×"
  row "\`apm.envelope_spans\` alone to \`::json\`" "" \
    "$(calc "($(median "envelope_spans") - $(median "reading the bodies")) / ($(median "::json") - $(median "reading the payloads"))")" " ×"
  row "both to \`::jsonb\`" "" \
    "$(calc "($(median "envelope_transactions and envelope_spans") - $(median "reading the bodies")) / ($(median "::jsonb") - $(median "reading the payloads"))")" " ×"
  cpu_table 2000 "envelope_transactions and envelope_spans" "envelope_spans" "::json" "::jsonb" "reading the bodies" "reading the payloads"
  ask "DROP TABLE bench.payloads"
}

# Statements for batch 0 to $batches - 1, %s standing for its number.
for_batches() {
  local b
  for ((b = 0; b < batches; b++)); do printf "${1//%s/$b};\n"; done
}

bench_ingest() {
  local rep b table columns n one ours batches copy
  batches=$(calc "$SIZE / 100000 < 2 ? 2 : $SIZE / 100000 > 50 ? 50 : int($SIZE / 100000)")
  n=$((batches * 1000))
  heading "Taking in $n envelopes of ten spans, 1,000 a batch"
  ask "SELECT setseed(0.5); SELECT bench.fill($n, 2); VACUUM ANALYZE bench.bodies; SELECT bench.empty_store()"
  # The rows that COPY reads are those that are stored, in the same order.
  ask "$(for_batches 'SELECT bench.ingest_batch(%s)')"
  [ "$(awk '/^[0-9]+$/ {s += $1} END {print s}' <<<"$ANSWER")" = "$n" ] || die "of $n envelopes these were accepted: $ANSWER"
  columns=$(as_postgres "$BIN/psql" -XAtq -h "$work/socket" -d bench -c "SELECT string_agg('s.' || attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'bench.spans'::regclass AND attnum > 0")
  ask "ANALYZE _apm.span_batches; ANALYZE apm.transactions;
    CREATE TABLE bench.load_spans AS SELECT b.batch, $columns FROM bench.bodies b JOIN apm.transactions t ON t.end_time = b.received_at JOIN apm.spans s ON s.trace_id = t.trace_id;
    CREATE TABLE bench.load_transactions AS SELECT b.batch, t.* FROM bench.bodies b JOIN apm.transactions t ON t.end_time = b.received_at;
    SELECT count(*) FROM bench.load_spans"
  [ "$(grep -E '^[0-9]+$' <<<"$ANSWER")" = $((n * 10)) ] || die "$n envelopes gave $ANSWER spans"
  for ((b = 0; b < batches; b++)); do
    for table in spans transactions; do
      columns="*"
      ask "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'bench.$table'::regclass AND attnum > 0"
      columns=$(grep project_id <<<"$ANSWER")
      ask "COPY (SELECT $columns FROM bench.load_$table WHERE batch = $b) TO '$work/files/$table.$b' (FORMAT binary)"
      ask "SELECT string_agg(quote_ident(attname) || CASE WHEN atttypid = 'jsonb'::regtype THEN '::text' ELSE '' END, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'bench.$table'::regclass AND attnum > 0"
      columns=$(grep project_id <<<"$ANSWER")
      ask "COPY (SELECT $columns FROM bench.load_$table WHERE batch = $b) TO '$work/files/${table}_text.$b' (FORMAT binary)"
    done
  done
  ask "DROP TABLE bench.load_spans, bench.load_transactions;
    PREPARE one AS SELECT r.accepted FROM bench.bodies b, apm.ingest(b.body, b.project_id, b.received_at) r WHERE n = \$1"
  one=$(for ((b = 1; b <= 1000; b++)); do printf 'EXECUTE one(%d);\n' "$b"; done)
  for ((rep = 0; rep < REPS; rep++)); do
    # what was emptied is forgotten by the rollups before the next rows come
    ask "SELECT bench.empty_store(); SELECT _apm.roll('transactions'); SELECT _apm.roll('spans')"
    timed "collecting the bodies" "$(for_batches 'SELECT bench.collect_batch(%s)')"
    timed "ingest_batch and collecting" "$(for_batches 'SELECT bench.ingest_batch(%s)')"
    [ "$(awk '/^[0-9]+$/ {s += $1} END {print s}' <<<"$ANSWER")" = "$n" ] || die "of $n envelopes these were accepted: $ANSWER"
    timed "rolling up what came" "SELECT _apm.roll('transactions'); SELECT _apm.roll('spans')"
    timed "ingest_batch again, all seen" "$(for_batches 'SELECT bench.ingest_batch(%s)')"
    for table in spans transactions spans_text transactions_text; do
      ask "TRUNCATE bench.$table"
      copy="COPY bench.$table FROM '$work/files/$table.%s' (FORMAT binary)"
      timed "COPY $table" "$(for_batches "$copy")"
    done
    ask "SELECT bench.empty_store()"
    timed "ingest, one by one" "$one"
  done
  ours="($(median "ingest_batch and collecting") - $(median "collecting the bodies"))"
  note "CPU of the backend, fresh tables each time, one commit a batch. \`apm.ingest_batch\` does all it does: decoding, clock"
  note "correction, naming, dedupe, packing, transactions and spans stored with their indexes, outcomes. Net of collecting 1,000"
  note "bodies into an array. COPY reads the same rows from a binary file: one heap row a span with btrees (project_id,"
  note "start_time) and (trace_id), and the transactions with theirs."
  table
  row "\`apm.ingest_batch\` to COPY of spans and transactions, JSON as \`jsonb\`" "≤ 1.2" \
    "$(calc "$ours / ($(median "COPY spans") + $(median "COPY transactions"))")" " ×"
  row "the same, COPY of JSON as \`text\`" "≤ 1.2" "$(calc "$ours / ($(median "COPY spans_text") + $(median "COPY transactions_text"))")" " ×"
  row "the same with rolling it all up, COPY of JSON as \`jsonb\`" "≤ 1.2" \
    "$(calc "($ours + $(median "rolling up what came")) / ($(median "COPY spans") + $(median "COPY transactions"))")" " ×"
  row "the same, COPY of the span rows alone, \`jsonb\`" "≤ 1.2" "$(calc "$ours / $(median "COPY spans")")" " ×"
  row "a batch of 1,000, CPU an envelope" "" "$(calc "$ours / $n / 1000")" " µs"
  row "a batch of one (\`apm.ingest\`, a commit each), CPU an envelope" "" "$(calc "$(median "ingest, one by one") / 1e6")" " µs"
  row "a batch of 1,000 seen before, CPU an envelope" "" \
    "$(calc "($(median "ingest_batch again, all seen") - $(median "collecting the bodies")) / $n / 1000")" " µs"
  cpu_table "$n" "ingest_batch and collecting" "collecting the bodies" "rolling up what came" "ingest_batch again, all seen" \
    "COPY spans" "COPY transactions" "COPY spans_text" "COPY transactions_text"
}

# fill_store level envelopes [spans]: envelopes of ten spans, or of so many,
# into the store and, the same, one heap row a span.
fill_store() {
  local b
  ask "SELECT setseed(0.5); SELECT bench.fill($2, $1, ${3:-10}); SELECT bench.empty_store(); TRUNCATE bench.spans"
  for ((b = 0; b * 1000 < $2; b++)); do ask "SELECT bench.ingest_batch($b)"; done
  ask "INSERT INTO bench.spans SELECT project_id, trace_id, span_id, parent_span_id, segment_id, is_segment, op, description, status,
         start_time, duration_ms, self_time_ms, category, span_group, origin, attributes FROM apm.spans"
}

number() { ask "$1"; grep -E '^[0-9]+$' <<<"$ANSWER"; }

bench_span_bytes() {
  local level n=5000 spans packed packed_index unlearned forty heap heap_index what target
  heading "Bytes of a stored span"
  note "$n transactions of ten spans as \`apm.ingest_batch\` stores them: the partition of \`_apm.span_batches\` with its TOAST table,"
  note "against one heap row a span with btrees (project_id, start_time) and (trace_id). The database has learned words from as"
  note "many spans of the same kind before, as \`apm.maintain()\` lets it; *before that*: it has not. *Forty spans*: the same of"
  note "$((n / 4)) transactions; those of the captured payloads hold 39 on average."
  table
  for level in 0 1 2; do
    ask "TRUNCATE _apm.lexicons"
    fill_store $level $n
    unlearned=$(number "SELECT bench.bytes('_apm.span_batches', false)")
    ask "SELECT _apm.learn_words()"
    fill_store $level $n
    ask "SELECT count(*) FROM bench.spans"; spans=$(grep -E '^[0-9]+$' <<<"$ANSWER")
    packed=$(number "SELECT bench.bytes('_apm.span_batches', false)") packed_index=$(number "SELECT bench.bytes('_apm.span_batches', true)")
    heap=$(number "SELECT bench.bytes('bench.spans', false)") heap_index=$(number "SELECT bench.bytes('bench.spans', true)")
    fill_store $level $((n / 4)) 40
    forty=$(number "SELECT bench.bytes('_apm.span_batches', false)")
    case $level in
      0) what="without strings" target=24 ;;
      1) what="with strings" target=50 ;;
      2) what="with strings and 200 bytes of attributes" target=90 ;;
    esac
    row "$what" "≤ $target" "$(calc "$packed / $spans")" " B"
    row "$what: before that" "" "$(calc "$unlearned / $spans")" " B"
    row "$what: forty spans" "" "$(calc "$forty / $spans")" " B"
    row "$what: indexes" "" "$(calc "$packed_index / $spans")" " B"
    row "$what: one heap row a span" "" "$(calc "$heap / $spans")" " B"
    row "$what: one heap row a span, indexes" "" "$(calc "$heap_index / $spans")" " B"
  done
}

# multiply times: so many times what the store has of spans.  Rows of a
# transaction whose commit is not yet on disk are not taken for visible to all
# by VACUUM: the checkpoint writes it.
multiply() {
  ask "CREATE TABLE bench.once AS SELECT * FROM _apm.span_batches;
    INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
      SELECT project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans FROM generate_series(2, $1), bench.once;
    DROP TABLE bench.once; CHECKPOINT; VACUUM ANALYZE _apm.span_batches"
}

bench_ops() {
  local rep spans direct="$tree/test/bench/direct.sql" pc="percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)" times
  times=$(calc "int($SIZE / 50000) < 1 ? 1 : int($SIZE / 50000) > 200 ? 200 : int($SIZE / 50000)")
  heading "p95 by op over $((times * 50000)) stored spans"
  ask "DROP INDEX bench.spans_project_id_start_time_idx, bench.spans_trace_id_idx"
  if [ -f "$direct" ]; then
    fill_store 2 1250 40
    multiply "$times"
    for ((rep = 0; rep < REPS; rep++)); do timed "direct aggregate, forty spans a row" "$(grep -v '^--' "$direct")"; done
  fi
  fill_store 2 5000
  multiply "$times"
  ask "CREATE TABLE bench.spans_once AS SELECT * FROM bench.spans;
    INSERT INTO bench.spans SELECT o.* FROM generate_series(2, $times), bench.spans_once o;
    DROP TABLE bench.spans_once; CHECKPOINT; VACUUM ANALYZE bench.spans; SELECT count(*) FROM bench.spans"
  spans=$(grep -E '^[0-9]+$' <<<"$ANSWER")
  if [ -n "$DUCKDB" ]; then
    ask "COPY (SELECT op, duration_ms FROM bench.spans) TO '$work/files/ops.csv' (FORMAT csv)"
    timed_duck "loading into DuckDB" "CREATE TABLE ops AS SELECT * FROM read_csv('$work/files/ops.csv', header = false, columns = {'op': 'VARCHAR', 'duration_ms': 'DOUBLE'})"
  fi
  for ((rep = 0; rep < REPS; rep++)); do
    timed "percentile_cont, heap rows" "SELECT op, $pc FROM bench.spans GROUP BY op"
    timed "apm.p95, heap rows" "SELECT op, apm.p95(duration_ms) FROM bench.spans GROUP BY op"
    timed "apm.p95, view apm.spans" "SELECT op, apm.p95(duration_ms) FROM apm.spans GROUP BY op"
    [ ! -f "$direct" ] || timed "direct aggregate" "$(grep -v '^--' "$direct")"
    [ -z "$DUCKDB" ] || timed_duck "DuckDB quantile_cont" "SELECT op, quantile_cont(duration_ms, 0.95) FROM ops GROUP BY op"
  done
  note "Ten spans a row where nothing else is said, strings and 200 bytes of attributes; DuckDB holds op and duration alone, one thread."
  table
  if [ -f "$direct" ]; then
    row "\`percentile_cont\` on heap rows to the direct aggregate" "≥ 70" "$(ratio "percentile_cont, heap rows" "direct aggregate")" " ×"
    [ -z "$DUCKDB" ] || row "direct aggregate to DuckDB \`quantile_cont\`" "≤ 0.5" "$(ratio "direct aggregate" "DuckDB quantile_cont")" " ×"
    [ -n "$DUCKDB" ] || skipped "direct aggregate to DuckDB \`quantile_cont\`" "≤ 0.5 ×" "no DuckDB here"
    row "\`percentile_cont\` on heap rows to the direct aggregate, forty spans a row" "" \
      "$(ratio "percentile_cont, heap rows" "direct aggregate, forty spans a row")" " ×"
    [ -z "$DUCKDB" ] || row "direct aggregate to DuckDB, forty spans a row" "" \
      "$(ratio "direct aggregate, forty spans a row" "DuckDB quantile_cont")" " ×"
  else
    skipped "\`percentile_cont\` on heap rows to a direct aggregate" "≥ 70 ×" "there is no such aggregate in this version"
    skipped "direct aggregate to DuckDB \`quantile_cont\`" "≤ 0.5 ×" "there is no such aggregate in this version"
  fi
  row "\`percentile_cont\` on heap rows to \`apm.p95\` over the view \`apm.spans\`" "" "$(ratio "percentile_cont, heap rows" "apm.p95, view apm.spans")" " ×"
  row "\`percentile_cont\` on heap rows to \`apm.p95\` on heap rows" "" "$(ratio "percentile_cont, heap rows" "apm.p95, heap rows")" " ×"
  [ -z "$DUCKDB" ] || row "\`apm.p95\` over the view to DuckDB \`quantile_cont\`" "" "$(ratio "apm.p95, view apm.spans" "DuckDB quantile_cont")" " ×"
  cpu_table "$spans" "percentile_cont, heap rows" "apm.p95, heap rows" "apm.p95, view apm.spans" "direct aggregate" \
    "direct aggregate, forty spans a row" "DuckDB quantile_cont"
  ask "SELECT bench.empty_store(); TRUNCATE bench.spans"
}
