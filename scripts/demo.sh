#!/usr/bin/env bash
# make demo, demo-psql, demo-stop, demo-clean: a private server with pg_apm at
# work.  Everything lies below one folder; other clusters are not looked at.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
become_root "$@"

home=$(realpath -ms "${APM_DEMO_DIR:-/var/tmp/pg_apm_demo}")
data=$home/data socket=$home/socket log=$home/log
database=pg_apm_demo
cd /

# The folder has a name that anybody could take: it must be ours.
check_home() {
  if [ -e "$home" ] || [ -L "$home" ]; then
    [ -d "$home" ] && [ ! -L "$home" ] && [ -O "$home" ] || die "$home is there and does not belong to root: remove it, or set APM_DEMO_DIR"
    [ -f "$home/settings" ] || [ -z "$(ls -A "$home")" ] || die "$home is no folder of the demo: set APM_DEMO_DIR to another"
  fi
}

load_settings() {
  check_home
  if [ ! -s "$home/settings" ]; then
    say "there is no demo in $home"
    [ "$1" != demo-psql ] || die "make demo makes one"
    exit 0
  fi
  . "$home/settings"
  BIN=$("$PG_CONFIG" --bindir)
}

running() { as_postgres "$BIN/pg_ctl" -D "$data" status >/dev/null 2>&1; }

stop_server() {
  if [ -f "$data/postmaster.pid" ] && running; then
    as_postgres "$BIN/pg_ctl" -D "$data" -m fast -w -t 60 stop >/dev/null
    say "the server of the demo is stopped"
  fi
}

psql_line() {
  if [ -n "${SUDO_USER:-}" ]; then printf 'sudo -u postgres'; else printf 'runuser -u postgres --'; fi
  say " $BIN/psql -h $socket -p $PORT $database"
}

run_psql() { as_postgres TERM="${TERM:-dumb}" "$BIN/psql" -X -h "$socket" -p "$PORT" -v ON_ERROR_STOP=1 -P pager=off "$@"; }

# Runs a file of statements: -e shows each above its result.
show() { run_psql -q -e -d "$database" -v dir="$home/files" -v list="$home/files/list.tsv" -f "$home/tree/scripts/demo/$1" </dev/null; }

# One value, quietly.
value() { run_psql -qAt -d "$database" -c "$1" </dev/null; }

title() { printf '\n%s\n%s\n\n' "$1" "${1//?/=}"; }

free_port() {
  local port
  for port in {5440..5499}; do
    [ -e "/var/run/postgresql/.s.PGSQL.$port" ] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { say "$port"; return; }
  done
  die "no free port between 5440 and 5499"
}

start_server() {
  PORT=$(free_port)
  rm -rf "$data" "$socket"
  install -d -o postgres -g postgres -m 700 "$data"
  install -d -o postgres -g postgres -m 755 "$socket"
  step "making a cluster in $data" "$log" as_postgres "$BIN/initdb" -D "$data" -A peer -N -U postgres --encoding=UTF8 --locale=C.UTF-8
  cat >>"$data/postgresql.conf" <<-CONF

	# pg_apm demo: reached by socket alone, by the user postgres alone; its data may be lost
	port = $PORT
	listen_addresses = ''
	unix_socket_directories = '$socket'
	shared_preload_libraries = 'pg_apm'
	pg_apm.worker_interval = '1s'
	max_worker_processes = 16
	timezone = 'UTC'
	log_timezone = 'UTC'
	fsync = off
	full_page_writes = off
	CONF
  printf 'PG_CONFIG=%q\nPORT=%q\n' "$PG_CONFIG" "$PORT" >"$home/settings"
  step "starting the server on port $PORT" "$log" as_postgres "$BIN/pg_ctl" -D "$data" -l "$data/server.log" -w -t 60 start ||
    { tail -n 20 "$data/server.log"; exit 1; }
}

# What the server reads itself: the captured bodies and a list of them.
copy_files() {
  rm -rf "$home/files"
  mkdir "$home/files"
  cp "$SOURCE"/test/data/envelopes/* "$home/files/"
  tail -n +2 "$home/files/index.tsv" | cut -f1,2 >"$home/files/list.tsv"
  chmod 644 "$home/files"/*
}

check_truth() {
  local differences
  show "$1"
  differences=$(value "SELECT count(*) FROM demo_differences")
  [ "$differences" = 0 ] || die "pg_apm and the generator differ for $differences endpoints"
  say "No difference: counts, failures, Apdex, users and misery are equal, each p95 within 1 %."
}

# wait_for "what" query: until the query says t, 60 s at most.
wait_for() {
  local started=$SECONDS shown=5
  say "Waiting for the worker to $1 (60 s at most)"
  while [ "$(value "$2")" != t ]; do
    if [ $((SECONDS - started)) -ge 60 ]; then
      show state.sql
      tail -n 20 "$data/server.log"
      die "the worker did not $1 within 60 s"
    fi
    if [ $((SECONDS - started)) -ge $shown ]; then
      say "    still waiting ($shown s)"
      shown=$((shown + 5))
    fi
    sleep 0.2
  done
  say "    done after $((SECONDS - started)) s"
}

demo() {
  check_home
  [ ${#socket} -le 80 ] || die "the path $home is too long for a socket"
  mkdir -p "$home"
  chmod 755 "$home"
  touch "$home/settings"
  mkdir -p "$home/tree"
  : >"$log"
  prepare "$log" "${PACKAGES[@]}"
  stop_server
  copy_tree "$home/tree"
  build "$home/tree" "$log"
  install_extension "$home/tree" "$log"
  copy_files
  start_server
  run_psql -q -d postgres -c "CREATE DATABASE $database" </dev/null

  title "pg_apm in a database of its own"
  show install.sql
  title "(a) Envelopes as the SDKs sent them"
  show envelopes.sql
  title "(b) A day of an invented shop, up to the release of 4.2.0"
  say "Loading about 3,000 transactions (some seconds)"
  show load.sql
  check_truth endpoints.sql
  title "(c) The slowest trace that failed"
  show trace.sql
  title "(d) An alert rule, then the release of 4.2.0 that makes checkout slow"
  show alert.sql
  wait_for "evaluate the rule" "SELECT count(*) > 0 FROM apm.alert_evaluations"
  show state.sql
  say "Loading the rest of the day"
  show slow.sql
  wait_for "open an incident" "SELECT count(*) > 0 FROM apm.incidents"
  show incident.sql
  title "The whole day, beside what the generator made"
  check_truth endpoints.sql

  title "It runs on"
  say "connect:  make demo-psql"
  say "     or:  $(psql_line)"
  say "stop:     make demo-stop   (make demo-clean removes $home)"
}

case ${1:-demo} in
  demo) demo ;;
  demo-psql)
    load_settings "$1"
    running || die "the server of the demo is not running: make demo starts it anew"
    run_psql -v ON_ERROR_STOP=0 -P pager=on -d "$database" ;;
  demo-stop)
    load_settings "$1"
    stop_server ;;
  demo-clean)
    load_settings "$1"
    stop_server
    rm -rf "$home"
    say "$home is removed" ;;
  *) die "usage: demo.sh [demo | demo-psql | demo-stop | demo-clean]" ;;
esac
