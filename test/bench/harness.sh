# Functions of the benchmark: sessions, measuring, rows of the report.  Bash, to
# be sourced after scripts/lib.sh; $work is a folder of its own.
#
# What is compared is the CPU time of one backend, read while it is idle before
# and after a statement: other load on the machine then hardly shows.  Callers
# run the things to compare in turn, repetition after repetition.

LIMIT_S=3600                   # no statement may take longer

mkdir -p "$work/samples"

# session NAME command...: a process that reads statements and answers with
# lines, the last of them "@@done".
declare -A SESSION_IN SESSION_OUT SESSION_PID
session() {
  local name=$1 in out
  shift
  mkfifo "$work/$name.in" "$work/$name.out"
  "$@" <"$work/$name.in" >"$work/$name.out" 2>&1 &
  SESSION_PID[$name]=$!
  exec {in}>"$work/$name.in" {out}<"$work/$name.out"
  SESSION_IN[$name]=$in SESSION_OUT[$name]=$out
}

# Reads one answer into ANSWER, lines separated by newlines; what the server
# tells of its own usage goes to USAGE.
answer() {
  local line
  ANSWER= USAGE=
  while IFS= read -r -t $((LIMIT_S + 60)) -u "${SESSION_OUT[$1]}" line; do
    case $line in
      @@done) return 0 ;;
      '!'* | 'DETAIL:  ! '* | *'LOG:  QUERY STATISTICS') USAGE+=$line$'\n' ;;
      *) ANSWER+=${ANSWER:+$'\n'}$line ;;
    esac
  done
  die "the session $1 ended or hangs: $ANSWER"
}

# ask sql: in the backend that is measured; ANSWER holds what came.
ask() {
  printf '%s\n;\n\\echo @@done\n' "$1" >&"${SESSION_IN[pg]}"
  answer pg
  if grep -q '^\(psql:.*\)\?\(ERROR\|FATAL\|PANIC\):' <<<"$ANSWER"; then
    printf '%s\n' "$ANSWER" | head -n 20 >&2
    die "failed: ${1:0:400}"
  fi
}

# try sql: the same, but an error is an answer.
try() {
  printf '%s\n;\n\\echo @@done\n' "$1" >&"${SESSION_IN[pg]}"
  answer pg
  ! grep -q '^\(psql:.*\)\?\(ERROR\|FATAL\|PANIC\):' <<<"$ANSWER"
}

open_database() {
  session pg as_postgres "$BIN/psql" -X -qAt -h "$work/socket" -d bench
  ask "SET client_min_messages = warning; SET jit = off; SET max_parallel_workers_per_gather = 0;
       SET statement_timeout = '${LIMIT_S}s'; SELECT pg_backend_pid()"
  BACKEND=$ANSWER
  if [ -r "/proc/$BACKEND/schedstat" ]; then
    CLOCK=/proc/$BACKEND/schedstat
  else
    # The server's own getrusage(), told after each statement.
    CLOCK=
    ask "SET log_statement_stats = on; SET client_min_messages = log"
  fi
}

# timed LABEL sql: one sample of a label, CPU and wall time in nanoseconds.
timed() {
  local before=0 after=0 start stop cpu _
  [ -z "$CLOCK" ] || read -r before _ <"$CLOCK"
  start=${EPOCHREALTIME/./}
  ask "$2"
  stop=${EPOCHREALTIME/./}
  if [ -n "$CLOCK" ]; then
    read -r after _ <"$CLOCK"
    cpu=$((after - before))
  else
    cpu=$(awk '/ s elapsed/ {sub(/^!/, ""); s += $1 + $4} END {printf "%d", s * 1e9}' <<<"$USAGE")
  fi
  [ "$cpu" -gt 0 ] || die "$1: no CPU time could be measured"
  echo "$cpu $(((stop - start) * 1000))" >>"$work/samples/$1"
}

# timed_duck LABEL sql: the same in DuckDB, the CPU of its whole process.
timed_duck() {
  printf '%s\n' "$2" >&"${SESSION_IN[duck]}"
  answer duck
  [[ $ANSWER =~ ^[0-9]+\ [0-9]+$ ]] || die "DuckDB failed: $ANSWER"
  echo "$ANSWER" >>"$work/samples/$1"
}

have() { [ -s "$work/samples/$1" ]; }

# median LABEL [column]: nanoseconds of CPU, or (column 2) of the clock.
median() {
  awk -v c="${2:-1}" '{print $c}' "$work/samples/$1" | sort -n |
    awk '{v[NR] = $1} END {m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2}'
}

# calc expression: by awk.
calc() { awk "BEGIN {printf(\"%.10g\", ($1))}"; }

# ratio A B [column]: median of A by median of B.
ratio() { calc "$(median "$1" "${3:-1}") / $(median "$2" "${3:-1}")"; }

short() { awk -v x="$1" 'BEGIN {if (x == 0) print 0; else if (x >= 100 || x <= -100) printf "%.0f\n", x; else printf "%.3g\n", x}'; }

heading() { TITLE=$1; printf '\n## %s\n\n' "$1" >>"$report"; say "==> $1"; }
note() { printf '%s\n' "$*" >>"$report"; }
table() { printf '\n| what | target | measured | reached |\n|---|---|---|---|\n' >>"$report"; }

# row what target value [unit]: target is "≤ 1.3" or "≥ 2.5" (a unit may
# follow), or empty for what is only reported.
row() {
  local what=$1 target=$2 value=$3 unit=${4:-} bound reached=–
  [[ $value =~ ^-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$ ]] || die "$what: measured \"$value\", which is no number"
  if [ -n "$target" ]; then
    bound=${target#* }
    case $target in
      "≤ "*) reached=$(awk -v v="$value" -v b="$bound" 'BEGIN {print (v <= b) ? "yes" : "no"}') ;;
      "≥ "*) reached=$(awk -v v="$value" -v b="$bound" 'BEGIN {print (v >= b) ? "yes" : "no"}') ;;
      *) die "row: no such target: $target" ;;
    esac
    target="$target$unit"
    printf '%s\t%s: %s\n' "$reached" "$TITLE" "$what" >>"$work/reached"
  fi
  printf '| %s | %s | %s | %s |\n' "$what" "${target:-–}" "$(short "$value")$unit" "$reached" >>"$report"
  printf '    %-90s %10s %-10s %s\n' "$what" "$(short "$value")$unit" "${target:+($target)}" "$reached"
}

# A row for something that could not be measured.
skipped() {
  printf '| %s | %s | skipped: %s | – |\n' "$1" "${2:-–}" "$3" >>"$report"
  say "    $1: skipped, $3"
}

# cpu_table rows LABEL...: medians of what was measured, and how far apart the
# repetitions were.
cpu_table() {
  local rows=$1 label
  shift
  printf '\n| measured (median of CPU) | ms | ns a row | lowest – highest, ms |\n|---|---|---|---|\n' >>"$report"
  for label; do
    have "$label" || continue
    awk '{print $1}' "$work/samples/$label" | sort -n |
      awk -v label="$label" -v median="$(median "$label")" -v rows="$rows" '
        NR == 1 {low = $1} {high = $1}
        END {printf "| %s | %.1f | %.1f | %.1f – %.1f |\n", label, median / 1e6, median / rows, low / 1e6, high / 1e6}' >>"$report"
    printf '%s\t%s\n' "$label" "$(median "$label")" >>"$work/cpu.tsv"
  done
  printf '\n' >>"$report"
}
