#!/usr/bin/env bash
# Rooms depend downwards only, and files that are said to be pure include no
# header of the server.
status=0
bad() { echo "$*"; status=1; }
includes() { sed -n 's/^#include "\(.*\)"/\1/p' "$1"; }

# A room may include headers of these, and its own.  plugin/pg_apm_plugin.h is
# the base of all: the structs that plugins see are the ones that rooms exchange.
declare -A below=(
  [json]=""
  [types]="json"
  [plugin]="json types"
  [envelope]="json types plugin"
  [spanset]="json types plugin"
  [sketch]="json types plugin"
  [breakdown]="json types plugin spanset sketch"
  [metrics]="json types plugin envelope spanset sketch breakdown"
  [trace]="json types plugin envelope spanset sketch"
  [store]="json types plugin envelope spanset sketch breakdown metrics trace"
  [notify]="json types plugin envelope spanset sketch breakdown metrics trace store"
  [alerts]="json types plugin envelope spanset sketch breakdown metrics trace store notify"
)

for f in src/*/*.[ch]; do
  room=$(basename "$(dirname "$f")")
  [ -n "${below[$room]+x}" ] || { bad "$f: unknown room $room"; continue; }
  for header in $(includes "$f"); do
    # Only headers of this tree: a room's folder has a header of that name.
    [ -e "src/$header" ] || continue
    case $header in plugin/pg_apm_plugin.h) continue ;; */*) ;; *) continue ;; esac
    other=${header%%/*}
    [ "$other" = "$room" ] && continue
    case " ${below[$room]} " in *" $other "*) ;; *) bad "$f includes $header: $room may not depend on $other" ;; esac
  done
done

pure=$(sed -n '/^PURE *=/,/[^\\]$/{s/^PURE *= *//;s/\\$//;p}' Makefile)
for f in $pure; do
  [ -e "$f" ] || continue
  # Follow the headers of this tree that it includes.
  todo=$f seen=
  while [ -n "$todo" ]; do
    next=
    for g in $todo; do
      case " $seen " in *" $g "*) continue ;; esac
      seen+=" $g"
      [ "$g" != src/shim.h ] || continue
      for header in $(includes "$g"); do
        if [ -e "src/$header" ]; then
          next+=" src/$header"
        elif [ -e "$(dirname "$g")/$header" ]; then
          next+=" $(dirname "$g")/$header"
        else
          bad "$f is pure and includes $header${g:+ by $g}"
        fi
      done
    done
    todo=$next
  done
done

for f in src/*.[ch] src/*/*.[ch]; do
  [ "$f" = src/compat.h ] || ! grep -q PG_VERSION_NUM "$f" || bad "$f: PG_VERSION_NUM belongs into src/compat.h"
  ! grep -q 'jansson\.h' "$f" || bad "$f includes jansson.h, whose names the server has too"
done
exit $status
