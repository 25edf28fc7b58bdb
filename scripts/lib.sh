# Functions that scripts/demo.sh and scripts/test.sh share; bash, to be sourced.
#
# They need nothing but bash, coreutils, findutils, tar and util-linux before the
# packages are there, and no /proc (hence no process substitution).
#
# Both run as root: they install packages and the extension, and start servers
# as the user postgres, since initdb refuses root.  Nothing is built or run in
# the checkout itself, which postgres may not be able to enter.

set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
umask 022

PG_MAJOR=15
PACKAGES=(postgresql-$PG_MAJOR postgresql-server-dev-$PG_MAJOR libjansson-dev gcc libc6-dev make)
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

apt_line() { say "apt-get update && apt-get install -y --no-install-recommends ${PACKAGES[*]}"; }

# Goes on as root, through sudo where that works, else says what to do.
become_root() {
  [ "$(id -u)" = 0 ] && return
  if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    exec sudo env ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"} ${APM_SHARED:+APM_SHARED="$APM_SHARED"} \
      ${APM_DEMO_DIR:+APM_DEMO_DIR="$APM_DEMO_DIR"} bash "$SOURCE/scripts/${0##*/}" "$@"
  fi
  say "This needs root or sudo, to install packages and the extension and to start a server as the user postgres."
  say "The packages alone come with this line, run as root:"
  say "  $(apt_line)"
  exit 2
}

# step "what" log command...: runs a long command with its output in a log,
# says every ten seconds that it is still at it, shows the end of the log if
# it fails.
step() {
  local what=$1 log=$2 started=$SECONDS shown=10 status=0
  shift 2
  say "==> $what"
  "$@" >>"$log" 2>&1 </dev/null &
  STEP_PID=$!
  while kill -0 "$STEP_PID" 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - started)) -ge $shown ]; then
      say "    still $what ($shown s)"
      shown=$((shown + 10))
    fi
  done
  wait "$STEP_PID" || status=$?
  STEP_PID=
  if [ $status != 0 ]; then
    say "    failed (exit $status); the end of $log:"
    tail -n 40 "$log" | sed 's/^/    | /'
  fi
  return $status
}

# A command in the background does not see an interrupt from the keyboard.
STEP_PID=
trap '[ -z "$STEP_PID" ] || kill "$STEP_PID" 2>/dev/null; exit 130' INT TERM

# Finds the PostgreSQL to use: $PG_CONFIG if it belongs to a whole server with
# headers, else the packaged one.
server_is_whole() {
  local config=$1 bin pgxs
  [ -n "$config" ] && bin=$("$config" --bindir 2>/dev/null) && pgxs=$("$config" --pgxs 2>/dev/null) &&
    [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && [ -x "$bin/psql" ] && [ -f "$pgxs" ] &&
    [ -f "$("$config" --includedir-server)/postgres.h" ]
}

find_server() {
  local packaged=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
  if server_is_whole "${PG_CONFIG:-}"; then
    PG_CONFIG=$(command -v "$PG_CONFIG")
  else
    if [ -n "${PG_CONFIG:-}" ] && [ -e "$packaged" ]; then
      say "PG_CONFIG=$PG_CONFIG has no server with headers beside it: using $packaged"
    fi
    PG_CONFIG=$packaged
  fi
  export PG_CONFIG
  server_is_whole "$PG_CONFIG"
}

have_user() { getent passwd postgres >/dev/null; }

# install_packages log package...: what is missing of the packages, by apt, and
# without the cluster that Debian's packages make and start on their own.
install_packages() {
  local log=$1 package missing=()
  shift
  command -v dpkg-query >/dev/null || { say "there is no dpkg here: install $* by other means"; return; }
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  step "reading the package lists" "$log" apt-get update -q || return
  step "installing ${missing[*]}" "$log" install_quietly "${missing[@]}"
}

install_quietly() (
  conf=/etc/postgresql-common/createcluster.conf
  kept=$(mktemp)
  install() { apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"; }
  case " $* " in *" postgresql-"*)
    # First the package that owns the file, then a cluster-less install.
    install postgresql-common || exit
    if [ -f $conf ]; then
      cp -p $conf "$kept"
      trap 'cat "$kept" >$conf; rm -f "$kept"' EXIT
      { grep -v '^ *create_main_cluster' "$kept" || true; echo 'create_main_cluster = false'; } >$conf
    fi ;;
  esac
  install "$@"
)

# prepare log package...: packages only where something is missing, so that a
# machine that has all of it needs no network.
prepare() {
  local log=$1
  shift
  if find_server && have_user; then
    local rest=() package
    for package; do case $package in postgresql-*) ;; *) rest+=("$package") ;; esac; done
    install_packages "$log" "${rest[@]}"
  else
    install_packages "$log" "$@"
    find_server || die "there is no PostgreSQL server with headers at $PG_CONFIG"
    have_user || die "there is no user postgres"
  fi
  BIN=$("$PG_CONFIG" --bindir)
  as_postgres "$BIN/postgres" --version >/dev/null 2>&1 ||
    die "the user postgres cannot run $BIN/postgres: is a folder above it closed to others?"
}

# The environment is made anew (LANG: the TAP modules unset LC_ALL): what is set for the caller's own server
# (PGHOST, PGDATABASE, …) must not reach ours.
as_postgres() {
  (cd / && exec runuser -u postgres -- env -i PATH="${BIN:+$BIN:}$PATH" LANG=C.UTF-8 LC_ALL=C.UTF-8 HOME=/var/tmp TZ=UTC "$@")
}

# copy_tree to: the checkout without what is built; objects that are there stay,
# so that the next build is short.
copy_tree() {
  find "$1" -type f ! -name '*.o' ! -name built_with -delete
  tar -C "$SOURCE" --mode=u+w,a+rX --exclude=.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude=./sql/pg_apm--1.0.sql \
    --exclude=./results --exclude=./regression.diffs --exclude=./regression.out --exclude=./output_iso \
    --exclude=./tmp_check --exclude=./tmp_check_iso --exclude=./log --exclude=./test/unit/bin --exclude=./test/fuzz/bin \
    --exclude=node_modules -cf - . | tar -C "$1" --no-same-owner -xf -
}

# build directory log: compiles; the clean copy has its objects only if they
# were made with the same server.
build() {
  local with
  with="$("$PG_CONFIG" --version) $PG_CONFIG"
  if [ "$(cat "$1/built_with" 2>/dev/null)" != "$with" ]; then
    find "$1" -name '*.o' -delete
    say "$with" >"$1/built_with"
  fi
  step "compiling for $("$PG_CONFIG" --version)" "$2" make -s -C "$1" -j2 with_llvm=no PG_CONFIG="$PG_CONFIG" all
}

install_extension() {
  step "installing into $("$PG_CONFIG" --pkglibdir)" "$2" make -s -C "$1" with_llvm=no PG_CONFIG="$PG_CONFIG" install
}
