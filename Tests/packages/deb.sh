#!/usr/bin/env bash
# The Debian packages, installed, used and removed in chroots of Debian 12 and 13 (deb/inside.sh). Building them again gives
# the same bytes.
#
#   deb.sh FOLDER_OF_THE_PACKAGES [RELEASE...]
#
# The last line has the numbers of checks that passed, failed and were skipped.
set -uo pipefail

[ $# -ge 1 ] || { sed -n '4p' "${BASH_SOURCE[0]}" | cut -c3- >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=$(cd "$1" && pwd) || exit 1
shift
releases=("${@:-bookworm}")
[ $# -gt 0 ] || releases=(bookworm trixie)
passed=0 failed=0 skipped=0

# What the packages depend on is there; the chroot has no network.
declare -A needed=([run]="libjansson4" [develop]="libjansson4 gcc g++ make cmake pkg-config libc6-dev")

count() {
    local line
    while read -r line; do
        echo "$line"
        case $line in
        ok\ *) passed=$((passed + 1)) ;;
        FAILED\ *) failed=$((failed + 1)) ;;
        esac
    done
}

# The packages were built from the library of this checkout, so the tools are here.
again() {
    local place=$1 package
    "$here/../../packaging/deb.sh" "$here"/../../build/lib/libflowworker.so.? "$place/again" >"$place/log" 2>&1 ||
        { tail -n 5 "$place/log" && return 1; }
    for package in "$packages"/*.deb; do
        cmp "$package" "$place/again/${package##*/}" || return
    done
}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
if again "$place"; then count <<<"ok built again"; else count <<<"FAILED built again"; fi

reason=$("$here/chroot.sh" usable 2>&1)
status=$?
for release in "${releases[@]}"; do
    for part in run develop; do
        if [ "$status" -ne 0 ]; then
            echo "skipped $release $part: $reason"
            skipped=$((skipped + 1))
            continue
        fi
        echo "$release, $part:"
        before=$((passed + failed))
        count < <("$here/chroot.sh" run --with "${needed[$part]}" --bind "$packages:/packages" --bind "$here/deb:/tests" \
            "$release" bash /tests/inside.sh "$part" 2>&1 || echo "FAILED $release $part: the chroot ended with $?")
        # A script that broke off has said too little.
        [ $((passed + failed)) -gt $((before + 4)) ] || count <<<"FAILED $release $part: it ended early"
    done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] || exit 1
[ "$status" -eq 0 ] || exit "$status"
