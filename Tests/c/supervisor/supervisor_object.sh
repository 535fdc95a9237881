#!/usr/bin/env bash
# The supervisor runs without a loader and without a C library, from the library's file or from a copy of one section of
# it. Therefore its code and constants are all in that section, refer to nothing outside it, and need no relocation, and
# the library's entry point is the supervisor's.
# not under asan tsan ubsan valgrind: this check is about the file of the release library
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
library=$1/libflowworker.so.0
objects=("$root"/.build-release/release/CSupervisor.build/*.o)
failed=0

wrong() {
    printf '%s\n' "$1:" "${2:-}"
    failed=1
}

[ -e "${objects[0]}" ] || {
    echo "the objects of CSupervisor are not in .build-release: make lib"
    exit 1
}
export LC_ALL=C

# name, type, address, offset, size, entry size, flags of each section
sections() {
    readelf -SW "$1" | sed -nE 's/^ *\[ *[0-9]+\] +([^ ])/\1/p'
}

defined=$(nm --defined-only "${objects[@]}" | awk 'NF == 3 {print $3}' | sort -u)
undefined=$(nm --undefined-only "${objects[@]}" | awk 'NF == 2 {print $2}' | sort -u)
outside=$(comm -13 <(echo "$defined") <(echo "$undefined"))
[ -z "$outside" ] || wrong 'it refers to what is not its own' "$outside"

for object in "${objects[@]}"; do
    name=$(basename "$object")
    # Sections that are loaded (flag A) and not empty, without the unwind tables, which only debuggers read.
    elsewhere=$(sections "$object" |
        awk '$7 ~ /A/ && $5 !~ /^0+$/ && $1 != "fw_supervisor" && $1 !~ /^\.(eh_frame|note)/ {print $1, $2, $5}')
    [ -z "$elsewhere" ] || wrong "$name has something outside of fw_supervisor" "$elsewhere"
    flags=$(sections "$object" | awk '$1 == "fw_supervisor" {print $7}')
    [ "$flags" = AX ] || wrong "fw_supervisor of $name is not code and nothing else" "$flags"
    # Relocations by distance within the section, and on arm64 by position within a page, also hold in a copy.
    absolute=$(readelf -rW "$object" |
        awk '/^Relocation section/ {ours = $3 == "'"'.relafw_supervisor'"'"} ours && $3 ~ /^R_/ {print $3, $5}' |
        grep -vE '^R_(X86_64_(PC32|PLT32)|AARCH64_(CALL26|JUMP26|PREL32|CONDBR19|TSTBR14|ADR_PREL_(LO21|PG_HI21)|ADD_ABS_LO12_NC|LDST[0-9]+_ABS_LO12_NC)) ')
    [ -z "$absolute" ] || wrong "$name needs addresses" "$absolute"
done

read -r start size flags < <(sections "$library" | awk '$1 == "fw_supervisor" {print $3, $5, $7}')
[ "${flags:-}" = AX ] || wrong 'the library has no section fw_supervisor that is code'
start=$((16#${start:-0})) size=$((16#${size:-0}))
entry=$(readelf -hW "$library" | sed -nE 's/.*Entry point address: *(0x[0-9a-f]+).*/\1/p')
[ "$((${entry:-0}))" -ge "$start" ] && [ "$((${entry:-0}))" -lt $((start + size)) ] ||
    wrong "the library's entry point is not in it" "${entry:-none}"
while read -r offset _; do
    offset=$((16#$offset))
    [ "$offset" -lt "$start" ] || [ "$offset" -ge $((start + size)) ] ||
        wrong 'the loader would put an address into it' "$offset"
done < <(readelf -rW "$library" | grep -E '^[0-9a-f]{8,} ')
exit "$failed"
