#!/usr/bin/env bash
# make test: installs what is missing, builds, installs, runs every test and
# ends with the line "N passed, N failed".
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
PACKAGES+=(perl libipc-run-perl)
become_root "$@"

work=$(mktemp -d /var/tmp/pg_apm_test.XXXXXX)
tree=$work/tree log=$work/log
passed=0 failed=0
mkdir "$tree" "$log"
chmod 755 "$work" "$log"

finish() {
  local pid
  # Whatever a stopped test left running has its data below our folder.
  for pid in $(find "$work" -name postmaster.pid -exec head -qn 1 {} + 2>/dev/null); do
    kill -QUIT "$pid" 2>/dev/null || true
  done
  cd /
  rm -rf "$work"
}
trap finish EXIT

pass() { passed=$((passed + 1)); say "ok      $1"; }
fail() { failed=$((failed + 1)); say "FAILED  $1"; }

# result name status
result() { if [ "$2" = 0 ]; then pass "$1"; else fail "$1"; fi; }

stop_here() {
  fail "$1"
  say "$passed passed, $failed failed"
  exit 1
}

# In the copy, as postgres, with the time bounded.
in_tree() {
  local seconds=$1
  shift
  as_postgres env -C "$tree" ${shared:+APM_SHARED="$shared"} PG_CONFIG="$PG_CONFIG" \
    PGHOST="$work/socket" PGPORT=5432 PGUSER=postgres timeout -k 10 "$seconds" "$@" </dev/null
}

# The examples and payloads beside the checkout, for the tests that use them.
find_shared() {
  shared=${APM_SHARED:-}
  if [ -z "$shared" ] && [ -d "$SOURCE/../shared/data/envelopes" ]; then
    shared=$(cd "$SOURCE/../shared" && pwd -P)
  fi
  if [ -n "$shared" ] && ! as_postgres test -r "$shared/data/envelopes/index.tsv"; then
    mkdir "$work/shared"
    tar -C "$shared" --mode=u+w,a+rX -cf - data $([ ! -d "$shared/tools" ] || echo tools) | tar -C "$work/shared" --no-same-owner -xf -
    shared=$work/shared
  fi
}

run_guards() {
  local guard
  for guard in test/guards/*.sh; do
    local status=0
    in_tree 60 bash "$guard" || status=$?
    result "$guard" $status
  done
}

run_units() {
  local program status
  compgen -G "$tree/test/unit/*_test.c" >/dev/null || return 0
  [ -d /proc/self/task ] || { say "        unit tests are skipped: the sanitizers need /proc"; return 0; }
  status=0
  step "compiling the unit tests" "$log/unit" in_tree 900 make -s -j2 unit-programs || status=$?
  [ $status = 0 ] || fail "unit tests compile"
  for program in "$tree"/test/unit/bin/*; do
    [ -f "$program" ] || continue
    status=0
    in_tree 300 "$program" >"$log/unit.out" 2>&1 || status=$?
    # Where tracing is forbidden, only the search for leaks is not possible.
    if [ $status != 0 ] && grep -q 'LeakSanitizer has encountered a fatal error' "$log/unit.out"; then
      status=0
      in_tree 300 env ASAN_OPTIONS=detect_leaks=0 "$program" >"$log/unit.out" 2>&1 || status=$?
    fi
    [ $status = 0 ] || tail -n 30 "$log/unit.out"
    result "unit ${program##*/}" $status
  done
}

start_server() {
  as_postgres "$BIN/initdb" -D "$work/data" -A trust -N -U postgres --encoding=UTF8 --locale=C.UTF-8 >"$log/initdb" &&
    as_postgres "$BIN/pg_ctl" -D "$work/data" -l "$work/data/server.log" -w -t 60 \
      -o "-c listen_addresses='' -c unix_socket_directories='$work/socket' -c fsync=off" start >>"$log/initdb"
}

# regress kind program names...: passed is what pg_regress says is ok; its
# lines differ between the versions.
regress() {
  local kind=$1 program=$2 test good status=0 before=$failed
  shift 2
  [ $# -gt 0 ] || return 0
  in_tree 1200 "$program" --bindir="$BIN" --inputdir=test --outputdir=. --load-extension=pg_apm \
    --dbname="contrib_$kind" "$@" >"$log/$kind" 2>&1 || status=$?
  good=$(sed -nE 's/^ok [0-9]+ +[-+] +([^ ]+) .*/\1/p; s/^(test|    ) *([^ ]+) +\.\.\. ok .*/\2/p' "$log/$kind")
  for test; do
    if grep -qxF -- "$test" <<<"$good"; then pass "$kind $test"; else fail "$kind $test"; fi
  done
  [ $status = 0 ] || [ $failed -gt $before ] || fail "$kind (exit $status)"
  if [ $failed -gt $before ]; then
    tail -n 5 "$log/$kind"
    [ ! -f "$tree/regression.diffs" ] || head -n 400 "$tree/regression.diffs"
  fi
}

# A backend that crashed may go unnoticed by the tests that follow.
check_server_log() {
  local status=0
  if grep -E 'was terminated by signal|TRAP:|AddressSanitizer' "$work/data/server.log"; then status=1; fi
  result "no crash in the server's log" $status
}

run_tap() {
  local file status
  for file in "$tree"/test/t/*.pl; do
    [ -f "$file" ] || continue
    status=0
    in_tree 600 make -s with_llvm=no installcheck REGRESS= ISOLATION= PROVE_TESTS="test/t/${file##*/}" >"$log/tap" 2>&1 || status=$?
    if [ $status != 0 ]; then
      grep -A 4 '^#   Failed test' "$log/tap" | cut -c1-300 | head -n 60 || true
      tail -n 30 "$log/tap" | cut -c1-300
    elif grep -q 'skipped:' "$log/tap"; then
      say "        $(grep 'skipped:' "$log/tap")"
    fi
    result "tap ${file##*/}" $status
  done
}

names() { (cd "$tree" && for f in $1; do [ ! -f "$f" ] || { f=${f##*/}; printf '%s\n' "${f%.*}"; }; done); }

prepare "$log/apt" "${PACKAGES[@]}" || stop_here "packages"
install_packages "$log/apt" python3-sentry-sdk python3-psycopg ||
  say "    the test of the transports goes without Python"
install -d -o postgres -m 700 "$work/socket" "$work/data"
copy_tree "$tree"
find_shared
build "$tree" "$log/build" || stop_here "build"
if grep -E '(warning|error):' "$log/build"; then fail "build without warnings"; else pass "build without warnings"; fi
install_extension "$tree" "$log/install" || stop_here "install"
chown -R postgres "$tree"

run_guards
run_units
pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/..
start_server || stop_here "start of a server"
# Sorted names are the order of `make installcheck`, too.
regress regression "$pgxs/test/regress/pg_regress" $(names 'test/sql/*.sql')
regress isolation "$pgxs/test/isolation/pg_isolation_regress" $(names 'test/specs/*.spec')
check_server_log
as_postgres "$BIN/pg_ctl" -D "$work/data" -m fast -w stop >/dev/null
run_tap

say "$passed passed, $failed failed"
[ $failed = 0 ]
