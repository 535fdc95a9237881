#!/usr/bin/env bash
# examples/wide.c runs one step for each of many files, several at a time, and a last one with all of their outputs.
# not under asan tsan ubsan valgrind: this check is about the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cc -std=c11 -Wall -Wextra -Werror -I"$root/include" "$root/examples/wide.c" -L"$(dirname "$CHECK_LIBRARY")" \
    -lflowworker -o "$place/wide"
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(dirname "$CHECK_LIBRARY")
cd "$place"
mkdir texts
names=("it's a \"name\"")
printf 'one two' >"texts/${names[0]}"
for number in $(seq 20); do
    seq "$number" >"texts/$number"
    names+=("$number")
done

./wide texts 4 "${names[@]}" >printed 2>events
[ "$(cat printed)" = 212 ] && [ "$(cat texts/sum)" = 212 ]
[ "$(grep -c '^count\[[0-9]*\] has ended$' events)" = 21 ]
[ "$(sort -u events | wc -l)" = 21 ]

END=0
./wide texts 4 1 missing 2 >printed 2>said || END=$?
[ "$END" = 1 ] && [ ! -s printed ] && grep -q '^wide: .*missing' said
END=0
./wide texts 0 1 >printed 2>said || END=$?
[ "$END" = 1 ] && grep -q '^wide: .*jobs\|^wide: expected' said
