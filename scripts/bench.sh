#!/usr/bin/env bash
# make bench: measures pg_apm beside its peers on a private server and writes
# docs/benchmarks.md.  make bench-large: a tenth, once and ten times BASE rows,
# and docs/benchmarks-growth.md with a plot of how cost grows.
#
#   SIZE      rows of the tables (10,000,000)
#   BASE      rows of bench-large's middle run (1,000,000)
#   REPS      repetitions, of which the median counts (5)
#   SECTIONS  what to measure (all): aggregates errors sketch_bytes distinct
#             rollups json decode ingest span_bytes ops trace concurrent dashboard
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SIZE=${SIZE:-10000000} BASE=${BASE:-1000000} REPS=${REPS:-5} SECTIONS=${SECTIONS:-}
export SIZE BASE REPS SECTIONS
. scripts/lib.sh
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  exec sudo --preserve-env=SIZE,BASE,REPS,SECTIONS,PG_CONFIG bash "$SOURCE/scripts/bench.sh" "$@"
fi
become_root "$@"

what=${1:-bench}
case $what in bench | bench-large) ;; *) die "usage: bench.sh [bench | bench-large]" ;; esac
for number in "$SIZE" "$BASE" "$REPS"; do
  [[ $number =~ ^[1-9][0-9]{0,8}$ ]] || die "SIZE, BASE and REPS are whole numbers above 0, not \"$number\""
done
[ "$SIZE" -ge 10000 ] && [ "$BASE" -ge 100000 ] || die "SIZE is at least 10000, BASE 100000"

work=$(mktemp -d /var/tmp/pg_apm_bench.XXXXXX)
chmod 755 "$work"
tree=$work/tree log=$work/log report=$work/report.md
mkdir "$tree"
. test/bench/harness.sh
. test/bench/aggregates.sh
. test/bench/spans.sh
. test/bench/store.sh
. test/bench/dashboard.sh

stop_server() {
  local name
  for name in "${!SESSION_PID[@]}"; do
    eval "exec ${SESSION_IN[$name]}>&- ${SESSION_OUT[$name]}<&-"
    kill "${SESSION_PID[$name]}" 2>/dev/null || true
    wait "${SESSION_PID[$name]}" 2>/dev/null || true
    rm -f "$work/$name.in" "$work/$name.out"
    unset "SESSION_PID[$name]"
  done
  if [ -f "$work/data/postmaster.pid" ]; then
    as_postgres "$BIN/pg_ctl" -D "$work/data" -m immediate -w -t 60 stop >/dev/null 2>&1 ||
      kill -QUIT "$(head -n 1 "$work/data/postmaster.pid")" 2>/dev/null || true
  fi
  rm -rf "$work/data"
}

finish() {
  local status=$?
  stop_server
  cd /
  rm -rf "$work"
  exit $status
}
trap finish EXIT

memory_mb() { awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo 2>/dev/null || echo 4096; }

start_server() {
  local mb
  mb=$(memory_mb)
  rm -rf "$work/socket" "$work/files"
  install -d -o postgres -m 700 "$work/data"
  install -d -o postgres "$work/socket" "$work/files"
  step "making a cluster" "$log" as_postgres "$BIN/initdb" -D "$work/data" -A trust -N -U postgres --encoding=UTF8 --locale=C.UTF-8
  cat >>"$work/data/postgresql.conf" <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$work/socket'
	fsync = off
	synchronous_commit = off
	autovacuum = off
	max_wal_size = '8GB'
	checkpoint_timeout = '1h'
	shared_buffers = '$((mb / 6))MB'
	work_mem = '$((mb / 12))MB'
	max_worker_processes = 8
	timezone = 'UTC'
	CONF
  as_postgres "$BIN/pg_ctl" -D "$work/data" -l "$work/data/server.log" -w -t 60 start >>"$log" || { tail "$work/data/server.log"; exit 1; }
  as_postgres "$BIN/psql" -Xq -h "$work/socket" -d postgres -c 'CREATE DATABASE bench'
  open_database
  ask "CREATE EXTENSION pg_apm"
  ask "SELECT count(*) FROM apm.create_project('bench', 1)"
  ask "$(cat "$tree/test/bench/load.sql")"
}

# Peers come by apt and npm; without them their rows are skipped.  Packages of
# extensions serve the packaged server alone, and nothing that is there is
# upgraded for them.
TDIGEST='' HLL='' DUCKDB=''
get_packages() {
  local extension missing=()
  if [ "$BIN" = "/usr/lib/postgresql/$PG_MAJOR/bin" ]; then
    for extension in tdigest hll; do
      [ -f "$("$PG_CONFIG" --sharedir)/extension/$extension.control" ] || missing+=("postgresql-$PG_MAJOR-$extension")
    done
  fi
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null && step "reading the package lists" "$log" apt-get update -q || true
  for extension in "${missing[@]}"; do
    step "installing $extension" "$log" apt-get install -y -q --no-install-recommends --no-upgrade --no-remove \
      -o DPkg::Lock::Timeout=120 "$extension" || say "    what needs $extension is skipped"
  done
}

get_duckdb() {
  command -v npm >/dev/null || return 0
  mkdir -p "$work/duckdb"
  cp "$tree/test/bench/duckdb.mjs" "$work/duckdb/"
  step "getting DuckDB" "$log" timeout 300 npm install --no-audit --no-fund --prefix "$work/duckdb" @duckdb/node-api || return 0
  DUCKDB=$(sed -nE 's/.*"version": "([^"]+)".*/\1/p' "$work/duckdb/node_modules/@duckdb/node-api/package.json" | head -n 1)
}

find_peers() {
  if try "CREATE EXTENSION IF NOT EXISTS tdigest"; then TDIGEST=$(version_of tdigest); fi
  if try "CREATE EXTENSION IF NOT EXISTS hll"; then HLL=$(version_of hll); fi
  if [ -n "$DUCKDB" ]; then
    session duck node "$work/duckdb/duckdb.mjs"
    printf 'SELECT 1\n' >&"${SESSION_IN[duck]}"
    answer duck
    [[ $ANSWER =~ ^[0-9]+\ [0-9]+$ ]] || { say "    DuckDB does not start: ${ANSWER:0:200}"; DUCKDB=; }
  fi
}

version_of() { as_postgres "$BIN/psql" -XAtq -h "$work/socket" -d bench -c "SELECT extversion FROM pg_extension WHERE extname = '$1'"; }

grouped() { awk -v n="$1" 'BEGIN {while (length(n) > 3) {r = "," substr(n, length(n) - 2) r; n = substr(n, 1, length(n) - 3)}; print n r}'; }

machine() {
  local model
  model=$(sed -nE 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)
  printf '%s, %s cores, %s GiB of memory, %s, PostgreSQL %s, pg_apm %s' "${model:-unknown CPU}" "$(nproc)" "$(($(memory_mb) / 1024 + 1))" \
    "$(uname -sm)" "$("$PG_CONFIG" --version | sed 's/^PostgreSQL //')" "$(version_of pg_apm)"
}

# Writes into the checkout, for whoever owns it.
publish() {
  cp "$1" "$SOURCE/docs/$2"
  chown --reference="$SOURCE/docs" "$SOURCE/docs/$2" 2>/dev/null || true
  say "written: docs/$2"
}

run_sections() {
  local section
  for section in ${SECTIONS:-aggregates errors sketch_bytes distinct rollups json decode ingest span_bytes ops trace concurrent dashboard}; do
    "bench_$section"
  done
}

write_benchmarks() {
  local yes no page=$work/page.md
  yes=$(grep -c '^yes' "$work/reached" || true) no=$(grep -c '^no' "$work/reached" || true)
  {
    say "# Benchmarks"
    say
    say "Written by \`make bench SIZE=$SIZE REPS=$REPS\` on $(date -u +%F): $(machine)."
    say "Peers: tdigest ${TDIGEST:-not there}, postgresql-hll ${HLL:-not there}, DuckDB ${DUCKDB:-not there}."
    say
    say "Everything that is compared ran in this one run, side by side and in turn, $REPS times; the ratios are of medians of CPU"
    say "time of one backend$([ -n "$CLOCK" ] || echo " (by the server's own statistics)"), with data in memory, jit off and no parallel workers where nothing else is said. Ratios carry"
    say "over to other machines, times do not. $yes targets were reached, $no were not."
    [ ! -f "$SOURCE/docs/benchmarks-growth.md" ] || say "How cost grows with the data: [benchmarks-growth.md](benchmarks-growth.md)."
    cat "$report"
  } >"$page"
  publish "$page" benchmarks.md
  say "$yes targets reached, $no missed"
  sed -n 's/^no\t/    missed: /p' "$work/reached"
}

bench() {
  local started=$SECONDS
  : >"$report"
  : >"$work/reached"
  start_server
  find_peers
  run_sections
  write_benchmarks
  say "done after $((SECONDS - started)) s"
}

# One run for each size; then a table and a plot of medians by size.
bench_large() {
  local size page=$work/growth.md
  SECTIONS=${SECTIONS:-aggregates distinct rollups ops}
  : >"$work/growth.tsv"
  for size in $((BASE / 10)) "$BASE" $((BASE * 10)); do
    SIZE=$size
    say "== $(grouped "$SIZE") rows"
    : >"$report"
    rm -rf "$work/samples" "$work/cpu.tsv"
    mkdir "$work/samples"
    start_server
    find_peers
    run_sections
    awk -v size="$SIZE" -F'\t' '{print size "\t" $1 "\t" $2}' "$work/cpu.tsv" >>"$work/growth.tsv"
    [ "$size" = $((BASE * 10)) ] || stop_server
  done
  awk -f "$tree/test/bench/plot.awk" "$work/growth.tsv" >"$work/growth.svg"
  {
    say "# How cost grows with the data"
    say
    say "Written by \`make bench-large BASE=$BASE REPS=$REPS\` on $(date -u +%F): $(machine)."
    say
    say "Medians of CPU time in milliseconds for a tenth, once and ten times $(grouped "$BASE") rows; the last column says by how much"
    say "the cost grew over both steps, where the data grew a hundredfold. The last lines, p95 by op over stored spans, have at least"
    say "50,000 spans and at most ten million."
    say
    say "![CPU time by rows](benchmarks-growth.svg)"
    say
    say "| measured | $(grouped $((BASE / 10))) | $(grouped "$BASE") | $(grouped $((BASE * 10))) | growth |"
    say "|---|---|---|---|---|"
    awk -F'\t' '!($2 in seen) {seen[$2] = ++n; name[n] = $2} {v[$2, ++count[$2]] = $3 / 1e6}
      END {for (i = 1; i <= n; i++) printf "| %s | %.1f | %.1f | %.1f | %.0f × |\n", name[i], v[name[i], 1], v[name[i], 2], v[name[i], 3], v[name[i], 3] / v[name[i], 1]}' "$work/growth.tsv"
  } >"$page"
  publish "$page" benchmarks-growth.md
  publish "$work/growth.svg" benchmarks-growth.svg
}

: >"$log"
prepare "$log" "${PACKAGES[@]}"
get_packages
copy_tree "$tree"
build "$tree" "$log"
install_extension "$tree" "$log"
get_duckdb
if [ "$what" = bench ]; then bench; else bench_large; fi
