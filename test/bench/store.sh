# The store as a whole: traces by id, concurrent ingest.  Sourced by
# scripts/bench.sh.

# A store of 90 days, each with some thousand traces, and one trace of 100
# spans (ten segments) in the middle.
fill_days() {
  fill_store 1 5000
  ask "CREATE TABLE bench.one_day AS SELECT project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans FROM _apm.span_batches;
    CREATE TABLE bench.a_trace AS SELECT * FROM bench.one_day ORDER BY end_time LIMIT 10;
    SELECT count(_apm.make_partition('span_batches', (now() AT TIME ZONE 'UTC')::date - d)) + count(_apm.make_partition('transactions', (now() AT TIME ZONE 'UTC')::date - d))
      + count(_apm.make_partition('errors', (now() AT TIME ZONE 'UTC')::date - d)) FROM generate_series(1, 90) d;
    INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
      SELECT project_id, md5(trace_id::text || d)::apm.trace_id, segment_id, end_time - d * interval '1 day', transaction_name, environment, release, spans
        FROM generate_series(1, 89) d, bench.one_day;
    INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
      SELECT project_id, '0123456789abcdef0123456789abcdef', segment_id, end_time - interval '45 days', transaction_name, environment, release, spans FROM bench.a_trace;
    DROP TABLE bench.one_day, bench.a_trace;
    VACUUM ANALYZE _apm.span_batches"
}

bench_trace() {
  local rep i by_id bounded again=100 id="'0123456789abcdef0123456789abcdef'" day="(now() AT TIME ZONE 'UTC')::date - 46" many
  heading "One trace of 100 spans among 450,000 traces of 90 days"
  fill_days
  [ "$(number "SELECT count(*) FROM apm.spans WHERE trace_id = $id")" = 100 ] || die "the trace has not 100 spans: $ANSWER"
  by_id="SELECT count(duration_ms) FROM apm.spans WHERE trace_id = $id"
  bounded="$by_id AND segment_end_time >= $day AND segment_end_time < $day + 1"
  ask "PREPARE by_id AS $by_id; PREPARE bounded AS $bounded; PREPARE tree AS SELECT count(*) FROM apm.trace($id)"
  for ((rep = 0; rep < REPS; rep++)); do
    for i in bounded by_id tree; do
      many=$(for ((n = 0; n < again; n++)); do printf 'EXECUTE %s;\n' $i; done)
      timed "trace: $i" "$many"
    done
    timed "trace: nothing" "$(for ((n = 0; n < again; n++)); do printf 'SELECT 1;\n'; done)"
  done
  note "90 daily partitions, all in memory; statements prepared, $again times each, net of a statement that does nothing."
  table
  row "spans by trace id with a day as bound, CPU" "≤ 1" "$(calc "($(median "trace: bounded") - $(median "trace: nothing")) / $again / 1e6")" " ms"
  row "spans by trace id alone, CPU" "" "$(calc "($(median "trace: by_id") - $(median "trace: nothing")) / $again / 1e6")" " ms"
  row "\`apm.trace(id)\`, CPU" "" "$(calc "($(median "trace: tree") - $(median "trace: nothing")) / $again / 1e6")" " ms"
  ask "DEALLOCATE ALL; SELECT bench.empty_store()"
}

# take_in FIRST LAST: batches, one commit each, by a connection of its own.
take_in() {
  local b
  for ((b = $1; b <= $2; b++)); do printf 'SELECT bench.ingest_batch(%d);\n' "$b"; done |
    as_postgres "$BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$work/socket" -d bench >>"$log" || die "a connection failed to take in its batches"
}

# So many batches that what a connection costs at its beginning does not count:
# those that take in stay open.
bench_concurrent() {
  local rep connections c batches=64 started pids pid
  heading "Four connections that take in at once"
  ask "SELECT setseed(0.5); SELECT bench.fill($((batches * 1000)), 2); VACUUM ANALYZE bench.bodies"
  for ((rep = 0; rep < REPS; rep++)); do
    for connections in 1 4; do
      ask "SELECT bench.empty_store()"
      take_in 0 0
      ask "SELECT bench.empty_store()"
      started=${EPOCHREALTIME/./} pids=()
      for ((c = 0; c < connections; c++)); do
        take_in $((c * batches / connections)) $(((c + 1) * batches / connections - 1)) &
        pids+=($!)
      done
      for pid in "${pids[@]}"; do wait "$pid" || die "a connection failed"; done
      echo "$(((${EPOCHREALTIME/./} - started) * 1000)) 0" >>"$work/samples/$connections connections"
      [ "$(number "SELECT count(*) FROM apm.transactions")" = $((batches * 1000)) ] || die "not everything was stored"
    done
  done
  note "$((batches * 1000)) envelopes of ten spans, 1,000 a batch and commit, by the clock on $(nproc) cores."
  table
  if [ "$(nproc)" -ge 2 ]; then
    row "throughput of four connections to that of one" "≥ 1.8" "$(ratio "1 connections" "4 connections")" " ×"
  else
    skipped "throughput of four connections to that of one" "≥ 1.8 ×" "this machine has one core"
  fi
  row "one connection, envelopes a second" "" "$(calc "$batches * 1e12 / $(median "1 connections")")" ""
  row "four connections, envelopes a second" "" "$(calc "$batches * 1e12 / $(median "4 connections")")" ""
  ask "SELECT bench.empty_store()"
}
