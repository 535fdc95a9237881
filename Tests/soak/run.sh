#!/bin/sh
# Builds and runs the soak (soak.c), and shows its figures.
#
#     Tests/soak/run.sh LIBDIR
#
# SOAK_SECONDS says for how long (1800 by default), and SOAK_SEED which random numbers. The exit status is 1 if a result
# was not true or something was left, and 77 where it cannot run. A run that does not come to its end within ten minutes
# after its time is ended, and shows where it was.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
library=$(cd "$1" && pwd)
: "${SOAK_SECONDS:=1800}"
export SOAK_SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/flowworker-soak-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/tmp"
${CC:-cc} -g -Wall -Wextra -Werror -std=c11 -I "$root/include" -I "$root/Tests/c/support" -o "$work/soak" "$here/soak.c" \
  -L "$library" -Wl,-rpath,"$library" -lflowworker -ljansson -lpthread -ldl
status=0
TMPDIR=$work/tmp timeout --signal=QUIT --kill-after=10 $((SOAK_SECONDS + 600)) "$work/soak" || status=$?
left=$(find "$work/tmp" -mindepth 1 | head -n 5)
if [ -n "$left" ]; then
  printf 'left behind:\n%s\n' "$left" >&2
  [ "$status" -ne 0 ] || status=1
fi
exit "$status"
