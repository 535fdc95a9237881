#!/usr/bin/env bash
# The bytes of the library do not depend on the directory of the build: with another hash of the paths and another build id,
# the same file comes out. Its build id is a hash of its content. What the loader writes is read-only afterwards.
# not under asan tsan ubsan valgrind: this check is about the file of the release library
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
library=$1/libflowworker.so.0
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0

wrong() {
    echo "$*"
    failed=1
}

# Writes the standard input over the section $1, from the byte $2 of it on.
overwrite() {
    local start
    start=$(readelf -SW "$place/built" | sed -nE "s/.* $1 +[A-Z]+ +[0-9a-f]+ ([0-9a-f]+) .*/\1/p")
    [ -n "$start" ] || wrong "there is no section $1"
    dd of="$place/built" bs=1 seek=$((16#$start + $2)) conv=notrunc status=none
}

cp "$library" "$place/built"
printf 'another directory' | overwrite '\.swift_modhash' 0
printf 'another build id 20b' | overwrite '\.note\.gnu\.build-id' 16
if cmp -s "$library" "$place/built"; then wrong 'nothing was changed'; fi
"$root/packaging/strip.sh" "$place/built" "$place/stripped"
cmp "$library" "$place/stripped" || wrong 'another directory gives other bytes'

printf '\0%.0s' {1..20} | overwrite '\.note\.gnu\.build-id' 16
printf '\0%.0s' {1..17} | overwrite '\.swift_modhash' 0
identifier=$(readelf -n "$library" | sed -n 's/.*Build ID: //p')
[ "$identifier" = "$(sha1sum <"$place/built" | cut -d' ' -f1)" ] || wrong "the build id $identifier is not the hash"

# A program without a build id is not a library of ours.
if "$root/packaging/strip.sh" "$(command -v cp)" "$place/none" 2>"$place/log"; then wrong 'stripped a program'; fi
grep -q 'has no section .swift_modhash' "$place/log" || wrong "for another file: $(cat "$place/log")"

readelf -lW "$library" | grep -q GNU_RELRO || wrong 'there is no segment GNU_RELRO'
readelf -dW "$library" | grep -q 'Flags: NOW' || wrong 'functions are bound at their first call'
if grep -aq "$root" "$library"; then wrong 'the library has a path of the build'; fi
exit "$failed"
