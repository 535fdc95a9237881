#!/usr/bin/env bash
# examples/limits.c and examples/limits.py run a program whose processes together have a limit of memory: one that needs
# less ends as it does without, and one that needs more is ended.
# not under asan tsan ubsan valgrind: this check is about the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export LD_LIBRARY_PATH FLOWWORKER_LIBRARY=$CHECK_LIBRARY PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$root/bindings/python:$root/bindings/python/tests/steps
LD_LIBRARY_PATH=$(dirname "$CHECK_LIBRARY")
why=$(python3 -c 'import tree_groups; print(tree_groups.why_none() or "")')
[ -z "$why" ] || {
    echo "$why"
    exit 77
}
cc -std=c11 -Wall -Wextra -Werror -I"$root/include" "$root/examples/limits.c" -L"$(dirname "$CHECK_LIBRARY")" \
    -lflowworker -ljansson -o "$place/limits"
cd "$place"

for host in "$place/limits" "python3 $root/examples/limits.py"; do
    END=0
    # shellcheck disable=SC2086 # a program and its script
    $host 64 sh -c 'echo "$1"; exit 7' sh 'two  words' >words 2>said || END=$?
    [ "$END" = 7 ] && [ "$(cat words)" = 'two  words' ]
    grep -Eq '^at most [1-9][0-9]* bytes$' said
    grep -Eq '^limited by cgroup[12], cgroup[12], cgroup[12]$' said
    END=0
    # shellcheck disable=SC2086
    $host 64 python3 -c 'x = bytearray(200 << 20); x[::4096] = b"1" * len(x[::4096])' >words 2>said || END=$?
    [ "$END" = 137 ] && grep -q 'ran out of memory' said
done
