#!/usr/bin/env bash
# examples/run.c runs the workflow of examples/helloworld.
# not under asan tsan ubsan valgrind: this check is about the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cc -std=c11 -Wall -Wextra -Werror -I"$root/include" "$root/examples/run.c" -L"$(dirname "$CHECK_LIBRARY")" \
    -lflowworker -ljansson -o "$place/host"
LD_LIBRARY_PATH=$(dirname "$CHECK_LIBRARY") "$place/host" "$root/examples/helloworld" "$place/run" >"$place/printed"
grep -q '^step greet, worker local (subprocess)$' "$place/printed"
grep -q '^Hello, Alice!$' "$place/run/results/greetings.txt"
grep -q '"greetings": 6' "$place/printed"
grep -q '<b>analyze</b>' "$place/run/run.html"
END=0
LD_LIBRARY_PATH=$(dirname "$CHECK_LIBRARY") "$place/host" "$root/examples" "$place/none" 2>"$place/said" || END=$?
[ "$END" = 1 ] && grep -q "^run: .*pool.json: unable to open" "$place/said"
