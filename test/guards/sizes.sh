#!/usr/bin/env bash
# A file of over 800 lines is two files.
status=0
for f in $(find Makefile scripts sql/install src test -path test/data -prune -o -type f \
             \( -name '*.[ch]' -o -name '*.sql' -o -name '*.sh' -o -name '*.pl' -o -name Makefile \) -print); do
  lines=$(wc -l <"$f")
  if [ "$lines" -gt 800 ]; then
    echo "$f has $lines lines"
    status=1
  fi
done
exit $status
