#!/bin/sh
# Builds and runs the soak (soak.c) or, with SOAK_PRESSURE=1, plain steps under pressure (pressure.c), and shows its
# figures.
#
#     Tests/soak/run.sh LIBDIR
#
# SOAK_SECONDS says for how long (1800 by default), and SOAK_SEED which random numbers. Under pressure, SOAK_MEMORY says
# how many megabytes there are (1024 by default), SOAK_BUSY how many busy processes a core (15), and SOAK_PATIENCE after
# how many seconds without a result a step is looked at (25). The exit status is 1 if a result was not true or something
# was left, and 77 where it cannot run. A run that does not come to its end within ten minutes after its time is ended,
# and shows where it was.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
library=$(cd "$1" && pwd)
: "${SOAK_SECONDS:=1800}" "${SOAK_PRESSURE:=}" "${SOAK_MEMORY:=1024}"
export SOAK_SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/flowworker-soak-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/tmp"
# build NAME FLAG...
build() {
  name=$1
  shift
  ${CC:-cc} -g -Wall -Wextra -Werror -std=c11 -I "$root/include" -I "$root/Tests/c/support" -o "$work/$name" "$here/$name.c" "$@" \
    -ljansson -lpthread -ldl
}

if [ -n "$SOAK_PRESSURE" ]; then
  # The pages of a library that nobody else uses are those of the group, whose memory is scarce.
  cp -L "$library/libflowworker.so.0" "$work"
  build plain "$work/libflowworker.so.0" -Wl,-rpath,"$work"
  build pressure
  sync "$work/libflowworker.so.0" "$work/plain"
  for file in libflowworker.so.0 plain; do dd if="$work/$file" iflag=nocache count=0 status=none; done
  set -- "$here/pressure.sh" "$SOAK_MEMORY" "$work/pressure" "$work/plain"
else
  build soak -L "$library" -Wl,-rpath,"$library" -lflowworker
  set -- "$work/soak"
fi
status=0
TMPDIR=$work/tmp timeout --signal=QUIT --kill-after=10 $((SOAK_SECONDS + 600)) "$@" || status=$?
left=$(find "$work/tmp" -mindepth 1 | head -n 5)
if [ -n "$left" ]; then
  printf 'left behind:\n%s\n' "$left" >&2
  [ "$status" -ne 0 ] || status=1
fi
exit "$status"
