#!/usr/bin/env bash
# Nothing unfinished, no path of one machine, no install fragment that would
# take over an object which is there, files that end in one newline.
status=0
bad() { echo "$*"; status=1; }

files() { find . \( -path ./.git -o -path ./test/data -o -path ./results -o -path './tmp_check*' -o -path ./test/unit/bin \
                    -o -path ./log -o -path ./output_iso \) -prune -o -type f "$@" -print; }
self=./test/guards/words.sh

text=$(files \( -name '*.[ch]' -o -name '*.sql' -o -name '*.sh' -o -name '*.pl' -o -name '*.md' -o -name '*.out' -o -name '*.spec' \
                -o -name '*.json' -o -name '*.mk' -o -name Makefile -o -name '*.control' -o -path './.ci/*' \))
for f in $text; do
  [ "$f" != "$self" ] || continue
  if grep -nwE 'TODO|FIXME|XXX|HACK' "$f"; then bad "$f has unfinished work"; fi
  if grep -nE '(^|[^[:alnum:]_./])/(home|root|srv|work|Users|mnt)/' "$f"; then bad "$f has a path of one machine"; fi
  if [ -s "$f" ] && [ -n "$(tail -c 1 "$f")" ]; then bad "$f does not end in a newline"; fi
done
for f in sql/install/*.sql; do
  if grep -niE '\b(or +replace|if +not +exists)\b' "$f" | grep -vE '^[0-9]+: *(--|IF NOT EXISTS \()'; then
    bad "$f would take over objects that exist"
  fi
done
exit $status
