#!/usr/bin/env bash
# Strips a built library, so that equal sources give equal bytes in every directory.
#
#   strip.sh BUILT STRIPPED
#
# The section .swift_modhash has a hash of the paths of the build, which nothing reads at run time: it becomes zeros. The
# linker's build id is a hash of the file with that section: it becomes a hash of the stripped file. The bytes are written
# in place, because strip --remove-section also drops the segment GNU_RELRO of such a file.
set -euo pipefail

[ $# -eq 2 ] || { sed -n '4p' "${BASH_SOURCE[0]}" | cut -c3- >&2; exit 2; }
built=$1 stripped=$2
trap 'rm -f "$stripped.new"' EXIT

# Prints where a section is in the file, and its size.
section() {
    local place
    place=$(readelf -SW "$stripped.new" | sed -nE "s/.* $1 +[A-Z]+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) .*/0x\1 0x\2/p")
    [ -n "$place" ] || { echo "$built has no section ${1//\\/}" >&2 && false; }
    echo "$place"
}

# Writes the standard input over the bytes of the file from a place on.
write_at() { dd of="$stripped.new" bs=1 seek="$1" conv=notrunc status=none; }

strip --strip-unneeded --remove-section=.comment -o "$stripped.new" "$built"
read -r place size < <(section '\.swift_modhash')
head -c $((size)) /dev/zero | write_at $((place))
# The first 16 bytes of the note are lengths, a type and the name "GNU"; the 20 behind them are the build id.
read -r place size < <(section '\.note\.gnu\.build-id')
[ $((size)) -eq 36 ] || { echo "the build id of $built is not of 20 bytes" >&2 && false; }
head -c 20 /dev/zero | write_at $((place + 16))
hash=$(sha1sum <"$stripped.new" | cut -d' ' -f1)
# shellcheck disable=SC2059
printf "$(sed 's/../\\x&/g' <<<"$hash")" | write_at $((place + 16))
mv "$stripped.new" "$stripped"
