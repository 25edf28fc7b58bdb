# What the panels of the dashboards cost over a week.  Sourced by
# scripts/bench.sh.

# SIZE transactions, evenly over the last seven days:
# four projects, 200 endpoints, two environments, a release a day, a tenth of
# them page loads with web vitals.
fill_week() {
  ask "SELECT bench.empty_store(); SELECT setseed(0.5);
    INSERT INTO apm.projects (project_id, name) SELECT p, 'bench ' || p FROM generate_series(2, 4) p ON CONFLICT DO NOTHING;
    SELECT count(_apm.make_partition('transactions', ('$UNTIL'::timestamptz AT TIME ZONE 'UTC')::date - d)) FROM generate_series(0, 7) d"
  ask "INSERT INTO apm.transactions (project_id, event_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms,
           environment, release, platform, user_key, measurements, contexts)
    SELECT 1 + k % 4, md5(n::text)::uuid, lpad(to_hex(n), 32, '0')::apm.trace_id, lpad(to_hex(n), 16, '0')::apm.span_id,
           CASE WHEN k % 10 = 9 THEN '/page/' ELSE 'GET /api/' END || k, CASE WHEN k % 10 = 9 THEN 'pageload' ELSE 'http.server' END,
           CASE WHEN n % 40 = 0 THEN 'internal_error' ELSE 'ok' END::apm.span_status, ended - took * interval '1 millisecond', ended, took,
           CASE WHEN n % 20 = 0 THEN 'staging' ELSE 'production' END, 'shop@4.' || extract(day FROM ended AT TIME ZONE 'UTC') || '.0',
           CASE WHEN k % 10 = 9 THEN 'javascript' ELSE 'python' END, 'user-' || (random() * 20000)::int,
           CASE WHEN k % 10 = 9 THEN jsonb_build_object('lcp', took * 12, 'fcp', took * 8, 'ttfb', took * 3, 'cls', took / 2000, 'inp', took) END,
           CASE WHEN k % 10 = 9 THEN '{\"browser\": {\"name\": \"Chrome\"}}'::jsonb END
      FROM generate_series(1, $SIZE) n,
           LATERAL (SELECT floor(200 * random() * random())::int + 0 * n AS k, bench.duration(n) AS took,
                           '$UNTIL'::timestamptz - interval '7 days' + n * (interval '7 days' / $SIZE) - interval '1 microsecond' AS ended) d"
  [ "$(number "SELECT count(*) FROM apm.transactions")" = "$SIZE" ] || die "the week has not $SIZE transactions"
}

# Spans for the panels that read them: a day of envelopes that end with the week.
fill_spans() {
  local b n
  n=$(calc "$SIZE < 100000 ? int($SIZE / 1000) * 1000 : 100000")
  ask "SELECT bench.fill($n, 1)"
  for ((b = 0; b * 1000 < n; b++)); do ask "SELECT bench.ingest_batch($b)"; done
  ask "TRUNCATE bench.bodies"
  SPANS=$((n * 10))
}

# Rolls up all that is stored, if this version does; ROLLED says of what.
roll_up() {
  local kind each=
  ROLLED=
  try "SELECT kind FROM _apm.rollup_state ORDER BY kind" || return 0
  ROLLED=${ANSWER//$'\n'/, }
  for kind in $ANSWER; do each+="SELECT _apm.roll('$kind');"; done
  timed "rolling up" "$each"
}

panels() { node "$tree/test/bench/panels.mjs" "$tree/dashboards/grafana/$1" "$UNTIL" "${@:2}"; }

# One sample of every line that panels() printed.
time_panels() {
  local title sql
  while IFS=$'\t' read -r title sql; do timed "$1 $title" "$sql"; done
}

panel_rows() {
  local title sql
  while IFS=$'\t' read -r title sql; do row "$3${title//|/ }, CPU" "$2" "$(calc "$(median "$1 $title") / 1e6")" " ms"; done
}

bench_dashboard() {
  local rep name stored cells minutes since until totals
  heading "Panels of the dashboard over seven days of $(grouped "$SIZE") transactions"
  if ! command -v node >/dev/null; then
    skipped "panels" "≤ 100 ms" "no node here"
    return
  fi
  UNTIL=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  fill_week
  fill_spans
  roll_up
  ask "VACUUM ANALYZE"
  stored=$(number "SELECT bench.bytes('apm.transactions', false)")
  cells=$(number "SELECT bench.bytes('_apm.transaction_hours', false) + bench.bytes('_apm.transaction_days', false)")
  minutes=$(number "SELECT bench.bytes('_apm.transaction_minutes', false)")
  totals=$(number "SELECT sum(bench.bytes(to_regclass('_apm.transaction_total_' || w), false)) FROM unnest('{minutes,hours,days}'::text[]) w")
  panels overview.json >"$work/panels"
  panels overview.json project=2 environment=production >"$work/panels_project"
  ask "SELECT name FROM apm.transactions GROUP BY name ORDER BY count(*) DESC, name LIMIT 1"
  name=$ANSWER
  panels traces.json "transaction=$name" | grep -v '^variable ' >"$work/panels_slow"
  until="date_trunc('day', '$UNTIL'::timestamptz, 'UTC')" since="(date_trunc('day', '$UNTIL'::timestamptz, 'UTC') - interval '6 days')"
  for ((rep = 0; rep < REPS; rep++)); do
    timed "days: percentile_cont" "SELECT name, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) FROM apm.transactions WHERE end_time >= $since AND end_time < $until GROUP BY name"
    timed "days: cells" "SELECT transaction_name, apm.percentile(apm.sketch_merge(sketch), 0.95) FROM _apm.transaction_days WHERE bucket >= $since AND bucket < $until GROUP BY transaction_name"
    timed "days: endpoints" "SELECT count(p95_ms) FROM apm.endpoints($since, $until)"
    time_panels "panel" <"$work/panels"
    time_panels "project panel" <"$work/panels_project"
    time_panels "traces panel" <"$work/panels_slow"
  done
  note "Each panel's SQL as Grafana sends it, planning included, in steps of an hour; $(grouped "$SPANS") spans of one day for the"
  if [ -n "$ROLLED" ]; then
    note "panels that read spans. All rows ($ROLLED) were rolled up before, in $(short "$(calc "$(median "rolling up") / 1e9")") s of CPU."
  else
    note "panels that read spans. This version rolls nothing up: all of it is read from rows."
  fi
  table
  grep -v '^variable ' "$work/panels" | panel_rows "panel" "≤ 100" ""
  grep '^variable ' "$work/panels" | panel_rows "panel" "" ""
  grep -v '^variable ' "$work/panels_project" | panel_rows "project panel" "≤ 100" "one project and environment: "
  panel_rows "traces panel" "" "transactions and traces: " <"$work/panels_slow"
  row "p95 of each endpoint over six days: \`percentile_cont\` on rows to the store's own cells, all dimensions" "" "$(ratio "days: percentile_cont" "days: cells")" " ×"
  row "the same to \`apm.endpoints\`, with users, rates and Apdex" "" "$(ratio "days: percentile_cont" "days: endpoints")" " ×"
  row "bytes of hours and days of transactions to their rows: sketches, counts, users, all dimensions" "" "$(calc "100 * $cells / $stored")" " %"
  row "the same with 48 hours of minutes" "" "$(calc "100 * ($cells + $minutes) / $stored")" " %"
  row "the cells without names and ops, all three widths" "" "$(calc "100 * ${totals:-0} / $stored")" " %"
  ask "SELECT bench.empty_store()"
}
