# Percentiles, sketches and distinct counts.  Sourced by scripts/bench.sh.

# of QUERY: how many groups, so that results need not travel.
of() { printf 'SELECT count(p), count(q) FROM (SELECT %s) s' "$1"; }

bench_aggregates() {
  local rep p95="apm.p95(v)" pc="percentile_cont(0.95) WITHIN GROUP (ORDER BY v)" td="tdigest_percentile(v, 100, 0.95)"
  local five="apm.p50(v), apm.p75(v), apm.p90(v), apm.p95(v), apm.p99(v)" minute="FROM bench.rows GROUP BY minute, endpoint"
  heading "Percentiles of $SIZE rows"
  ask "SELECT setseed(0.5);
    CREATE TABLE bench.rows AS
      SELECT bench.duration(i) AS v, timestamptz '2026-01-01 00:00Z' + (i * 1440 / $SIZE) * interval '1 minute' AS minute,
             floor(random() * 1000)::int AS k, floor(random() * 50)::int AS endpoint, floor(random() * 72000)::int AS shuffled
        FROM generate_series(0, $SIZE - 1::bigint) i;
    VACUUM ANALYZE bench.rows"
  for ((rep = 0; rep < REPS; rep++)); do
    timed "avg" "SELECT avg(v) FROM bench.rows"
    timed "p95" "SELECT $p95 FROM bench.rows"
    timed "five percentiles" "SELECT $five FROM bench.rows"
    timed "percentile_cont" "SELECT $pc FROM bench.rows"
    [ -z "$TDIGEST" ] || timed "tdigest" "SELECT $td FROM bench.rows"
    timed "avg, 1,000 groups" "$(of "avg(v) p, 1 q FROM bench.rows GROUP BY k")"
    timed "p95, 1,000 groups" "$(of "$p95 p, 1 q FROM bench.rows GROUP BY k")"
    [ -z "$TDIGEST" ] || timed "tdigest, 1,000 groups" "$(of "$td p, 1 q FROM bench.rows GROUP BY k")"
    timed "percentile_cont, 1,000 groups" "$(of "$pc p, 1 q FROM bench.rows GROUP BY k")"
    timed "avg, 72,000 groups" "$(of "avg(v) p, 1 q $minute")"
    timed "p95, 72,000 groups" "$(of "$p95 p, 1 q $minute")"
    timed "avg, 72,000 groups in random order" "$(of "avg(v) p, 1 q FROM bench.rows GROUP BY shuffled")"
    timed "p95, 72,000 groups in random order" "$(of "$p95 p, 1 q FROM bench.rows GROUP BY shuffled")"
  done
  ask "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0"
  for ((rep = 0; rep < REPS; rep++)); do
    timed "p95 with two workers" "SELECT $p95 FROM bench.rows"
    timed "percentile_cont with two workers allowed" "SELECT $pc FROM bench.rows"
  done
  ask "SET max_parallel_workers_per_gather = 0; RESET parallel_setup_cost; RESET min_parallel_table_scan_size"

  note "Log-normal durations in whole microseconds. 72,000 groups are 1,440 minutes times 50 endpoints of rows in order of"
  note "time, as they are stored; in random order, every row meets another group."
  table
  row "\`apm.p95\` to \`avg\`, no grouping" "≤ 1.0" "$(ratio "p95" "avg")" " ×"
  row "\`apm.p95\` to \`avg\`, 1,000 groups" "≤ 1.3" "$(ratio "p95, 1,000 groups" "avg, 1,000 groups")" " ×"
  row "\`apm.p95\` to \`avg\`, 72,000 groups" "≤ 1.3" "$(ratio "p95, 72,000 groups" "avg, 72,000 groups")" " ×"
  row "the same, rows in random order" "" "$(ratio "p95, 72,000 groups in random order" "avg, 72,000 groups in random order")" " ×"
  row "five percentiles of one column to one" "≤ 1.1" "$(ratio "five percentiles" "p95")" " ×"
  row "\`percentile_cont\` to \`apm.p95\`, serial" "≥ 3.3" "$(ratio "percentile_cont" "p95")" " ×"
  row "the same, 1,000 groups" "" "$(ratio "percentile_cont, 1,000 groups" "p95, 1,000 groups")" " ×"
  row "the same, no grouping, two workers allowed, by the clock" "≥ 4.5" "$(ratio "percentile_cont with two workers allowed" "p95 with two workers" 2)" " ×"
  if [ -n "$TDIGEST" ]; then
    row "tdigest (100) to \`apm.p95\`" "≥ 2.5" "$(ratio "tdigest" "p95")" " ×"
    row "the same, 1,000 groups" "" "$(ratio "tdigest, 1,000 groups" "p95, 1,000 groups")" " ×"
  else
    skipped "tdigest to \`apm.p95\`" "≥ 2.5 ×" "no tdigest here"
  fi
  cpu_table "$SIZE" "avg" "p95" "five percentiles" "percentile_cont" "tdigest" "avg, 1,000 groups" "p95, 1,000 groups" \
    "tdigest, 1,000 groups" "percentile_cont, 1,000 groups" "avg, 72,000 groups" "p95, 72,000 groups" \
    "avg, 72,000 groups in random order" "p95, 72,000 groups in random order"
  ask "DROP TABLE bench.rows"
}

bench_errors() {
  local kind n groups sizes=(10 32 33 100 1000 10000 100000 1000000)
  heading "Error of percentiles"
  [ "$SIZE" -le 1000000 ] || sizes+=("$SIZE")
  ask "CREATE TABLE bench.errors (kind text, n int, p float8, error float8)"
  for kind in log-normal heavy-tailed bimodal constant adversarial; do
    for n in "${sizes[@]}"; do
      [ "$n" -le "$SIZE" ] || continue
      groups=$(calc "$n <= 100 ? 1000 : $n >= 500000 ? 1 : 200000 / $n < 4 ? 4 : 200000 / $n")
      # Group 0 mixes all kinds of adversarial data.
      ask "SELECT setseed(0.25);
        INSERT INTO bench.errors
          SELECT '$kind', $n, p, CASE WHEN a = e THEN 0 ELSE abs(a - e) / abs(e) END
            FROM (SELECT q, percentile_cont(q) WITHIN GROUP (ORDER BY v) AS exact, apm.percentiles(apm.sketch_agg(v), q) AS ours
                    FROM (SELECT g, bench.draw('$kind', g, i, $n) AS v FROM generate_series(0, ${groups%.*} - 1) g, generate_series(1, $n) i) d,
                         (SELECT ARRAY[0.5, 0.75, 0.9, 0.95, 0.99, 0.999]::float8[] AS q) q GROUP BY g, q) s,
                 unnest(q, exact, ours) u (p, e, a)"
    done
  done
  note "Relative error against \`percentile_cont\` in percent: largest (mean) over the groups, up to 1,000 of them for each n."
  note "Adversarial: values on both sides of the edges of buckets, 600 orders of magnitude, gaps beside the median and the"
  note "quartiles, one value with a single outlier, and all of these mixed."
  table
  ask "SELECT coalesce(max(error) FILTER (WHERE n <= 32), 0) * 100, max(error) * 100 FROM bench.errors"
  row "largest error for n ≤ 32 (exact)" "≤ 0" "${ANSWER%|*}" " %"
  row "largest error of all" "≤ 1" "${ANSWER#*|}" " %"
  printf '\n| data | n | p50 | p75 | p90 | p95 | p99 | p99.9 |\n|---|---|---|---|---|---|---|---|\n' >>"$report"
  ask "SELECT format('| %s | %s | %s |', kind, n, string_agg(CASE WHEN e = 0 THEN 'exact' ELSE format('%s (%s)', round(e::numeric, 2), round(m::numeric, 2)) END, ' | ' ORDER BY p))
         FROM (SELECT kind, n, p, max(error) * 100 AS e, avg(error) * 100 AS m FROM bench.errors GROUP BY 1, 2, 3) s
        GROUP BY kind, n ORDER BY array_position(ARRAY['log-normal', 'heavy-tailed', 'bimodal', 'constant', 'adversarial'], kind), n"
  note "$ANSWER"
  ask "DROP TABLE bench.errors"
}

bench_sketch_bytes() {
  local pair n
  heading "Bytes of a stored sketch"
  note "Whole microseconds, log-normal; mean over sketches as they lie in a row, length word included."
  table
  for pair in 10:30 100:95 1000:260 10000:600 1000000:1200; do
    n=${pair%:*}
    ask "SELECT setseed(0.125);
      CREATE TABLE bench.sketches AS
        SELECT apm.sketch_agg(bench.duration(i)) AS s FROM generate_series(1, greatest(1, least(200, 200000 / $n))) g, generate_series(1, $n) i GROUP BY g;
      SELECT avg(pg_column_size(s)) FROM bench.sketches; DROP TABLE bench.sketches"
    row "n = $n" "≤ ${pair#*:}" "${ANSWER##*$'\n'}" " B"
  done
}

bench_distinct() {
  local rep exact ours theirs
  heading "Distinct counts of $SIZE texts"
  ask "SELECT setseed(0.75);
    CREATE TABLE bench.users AS
      SELECT 'user-' || floor(random() * $SIZE / 5)::int AS u, floor(random() * 1000)::int AS k FROM generate_series(1, $SIZE);
    VACUUM ANALYZE bench.users"
  for ((rep = 0; rep < REPS; rep++)); do
    timed "count_unique" "SELECT apm.count_unique(u) FROM bench.users"; ours=$ANSWER
    timed "count_unique, 1,000 groups" "$(of "apm.count_unique(u) p, 1 q FROM bench.users GROUP BY k")"
    if [ -n "$HLL" ]; then
      timed "hll" "SELECT hll_cardinality(hll_add_agg(hll_hash_text(u), 14)) FROM bench.users"; theirs=$ANSWER
      timed "hll, 1,000 groups" "$(of "hll_cardinality(hll_add_agg(hll_hash_text(u), 14)) p, 1 q FROM bench.users GROUP BY k")"
    fi
    timed "count(distinct)" "SELECT count(DISTINCT u) FROM bench.users"; exact=$ANSWER
    timed "count(distinct), 1,000 groups" "$(of "count(DISTINCT u) p, 1 q FROM bench.users GROUP BY k")"
  done
  exact=$(grep -E '^[0-9]+$' <<<"$exact") ours=$(grep -E '^[0-9]+$' <<<"$ours")
  note "hll with 2^14 registers, which have the standard error of \`apm.count_unique\`, 0.81 %."
  table
  if [ -n "$HLL" ]; then
    theirs=$(grep -E '^[0-9.e+]+$' <<<"$theirs")
    row "\`apm.count_unique\` to postgresql-hll" "≤ 1.0" "$(ratio "count_unique" "hll")" " ×"
    row "the same, 1,000 groups" "≤ 1.0" "$(ratio "count_unique, 1,000 groups" "hll, 1,000 groups")" " ×"
    row "error of postgresql-hll, $exact distinct" "" "$(calc "($theirs - $exact) / $exact * 100")" " %"
  else
    skipped "\`apm.count_unique\` to postgresql-hll" "≤ 1.0 ×" "no hll here"
  fi
  row "error of \`apm.count_unique\`, $exact distinct" "" "$(calc "($ours - $exact) / $exact * 100")" " %"
  row "\`count(distinct)\` to \`apm.count_unique\`" "" "$(ratio "count(distinct)" "count_unique")" " ×"
  row "the same, 1,000 groups" "" "$(ratio "count(distinct), 1,000 groups" "count_unique, 1,000 groups")" " ×"
  cpu_table "$SIZE" "count_unique" "hll" "count(distinct)" "count_unique, 1,000 groups" "hll, 1,000 groups" "count(distinct), 1,000 groups"
  ask "DROP TABLE bench.users"
}

bench_rollups() {
  local rep raw hourly daily minutes pc="percentile_cont(0.95) WITHIN GROUP (ORDER BY v)"
  heading "Rollups of $SIZE rows over 7 days"
  ask "SELECT setseed(0.5);
    CREATE TABLE bench.week AS
      SELECT hour + floor(random() * 60)::int * interval '1 minute' AS minute, hour, bench.duration(i) AS v,
             floor(random() * 200)::int AS endpoint, 1 AS project_id, floor(random() * 1000)::int AS user_id
        FROM generate_series(0, $SIZE - 1::bigint) i,
             LATERAL (SELECT timestamptz '2026-01-05 00:00Z' + (i * 168 / $SIZE) * interval '1 hour' AS hour) h;
    CREATE TABLE bench.hours AS SELECT hour, endpoint, apm.sketch_agg(v) AS s FROM bench.week GROUP BY 1, 2 ORDER BY 1, 2;
    CREATE TABLE bench.days AS SELECT date_trunc('day', hour, 'UTC') AS day, endpoint, apm.sketch_merge(s) AS s FROM bench.hours GROUP BY 1, 2 ORDER BY 1, 2;
    CREATE TABLE bench.minutes AS
      SELECT hour, endpoint, array_agg(minute ORDER BY minute) AS minutes, array_agg(s ORDER BY minute) AS s
        FROM (SELECT hour, minute, endpoint, apm.sketch_agg(v) AS s FROM bench.week WHERE hour >= timestamptz '2026-01-10 00:00Z' GROUP BY 1, 2, 3) m
       GROUP BY 1, 2 ORDER BY 1, 2;
    VACUUM ANALYZE bench.week; VACUUM ANALYZE bench.hours; VACUUM ANALYZE bench.days; VACUUM ANALYZE bench.minutes"
  for ((rep = 0; rep < REPS; rep++)); do
    timed "rows, 200 groups" "$(of "$pc p, 1 q FROM bench.week GROUP BY endpoint")"
    timed "days, 200 groups" "$(of "apm.percentile(apm.sketch_merge(s), 0.95) p, 1 q FROM bench.days GROUP BY endpoint")"
    timed "hours, 200 groups" "$(of "apm.percentile(apm.sketch_merge(s), 0.95) p, 1 q FROM bench.hours GROUP BY endpoint")"
    timed "rows, 33,600 groups" "$(of "$pc p, 1 q FROM bench.week GROUP BY hour, endpoint")"
    timed "hours, 33,600 groups" "SELECT count(apm.percentile(s, 0.95)) FROM bench.hours"
  done
  ask "SELECT bench.bytes('bench.week', false)"; raw=$(grep -E '^[0-9]+$' <<<"$ANSWER")
  ask "SELECT bench.bytes('bench.hours', false)"; hourly=$(grep -E '^[0-9]+$' <<<"$ANSWER")
  ask "SELECT bench.bytes('bench.days', false)"; daily=$(grep -E '^[0-9]+$' <<<"$ANSWER")
  ask "SELECT bench.bytes('bench.minutes', false)"; minutes=$(grep -E '^[0-9]+$' <<<"$ANSWER")
  note "p95 for 200 endpoints from sketches of hours and days, against \`percentile_cont\` on rows of $(short "$(calc "$raw / $SIZE")") bytes. Plain"
  note "tables of sketches, one set of dimensions. The targets are for 10,000,000 rows: an hour of an endpoint then has 300."
  table
  row "200 groups over 7 days, from days" "≥ 150" "$(ratio "rows, 200 groups" "days, 200 groups")" " ×"
  row "the same from hours, where a reader's window cuts days" "" "$(ratio "rows, 200 groups" "hours, 200 groups")" " ×"
  row "33,600 groups, from hours" "≥ 25" "$(ratio "rows, 33,600 groups" "hours, 33,600 groups")" " ×"
  row "bytes of hours and days to rows" "≤ 1.2" "$(calc "($hourly + $daily) / $raw * 100")" " %"
  row "the same with 48 hours of minutes" "≤ 8" "$(calc "($hourly + $daily + $minutes) / $raw * 100")" " %"
  cpu_table "$SIZE" "rows, 200 groups" "days, 200 groups" "hours, 200 groups" "rows, 33,600 groups" "hours, 33,600 groups"
  ask "DROP TABLE bench.week, bench.hours, bench.days, bench.minutes"
}
