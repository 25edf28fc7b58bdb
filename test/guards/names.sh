#!/usr/bin/env bash
# pg_regress on 15 searches ./sql before test/sql and ./expected before
# test/expected: a test may not share its name with an install script, every
# test has its output and every output its test.
status=0
bad() { echo "$*"; status=1; }

for f in test/sql/*.sql; do
  [ -e "$f" ] || continue
  name=$(basename "$f" .sql)
  [ ! -e "sql/$name.sql" ] || bad "sql/$name.sql hides $f from pg_regress"
  [ -s "expected/$name.out" ] || bad "$f has no expected/$name.out"
done
for f in test/specs/*.spec; do
  [ -e "$f" ] || continue
  name=$(basename "$f" .spec)
  [ ! -e "test/sql/$name.sql" ] || bad "$f and test/sql/$name.sql share a name"
  [ -s "expected/$name.out" ] || bad "$f has no expected/$name.out"
done
for f in expected/*.out; do
  [ -e "$f" ] || continue
  name=$(basename "$f" .out)
  base=${name%_[0-9]}
  [ -e "test/sql/$name.sql" ] || [ -e "test/specs/$name.spec" ] ||
    [ -e "test/sql/$base.sql" ] || [ -e "test/specs/$base.spec" ] || bad "$f belongs to no test"
done
[ ! -e test/expected ] || bad "outputs lie in expected/, not in test/expected"
exit $status
