#!/usr/bin/env bash
# examples/sandbox.c and examples/sandbox.py run a program in a sandbox: it writes in its folder only, words arrive as they
# are, and its status is the program's.
# not under asan tsan ubsan valgrind: this check is about the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
user=(--user --map-root-user)
[ "$(id -u)" != 0 ] || user=()
unshare "${user[@]}" --mount --pid --ipc --net --fork --mount-proc true 2>"$place/said" || {
    echo "no namespaces can be made here: $(head -n 1 "$place/said")"
    exit 77
}
cc -std=c11 -Wall -Wextra -Werror -I"$root/include" "$root/examples/sandbox.c" -L"$(dirname "$CHECK_LIBRARY")" \
    -lflowworker -ljansson -o "$place/sandbox"
export LD_LIBRARY_PATH FLOWWORKER_LIBRARY=$CHECK_LIBRARY PYTHONPATH=$root/bindings/python PYTHONDONTWRITEBYTECODE=1
LD_LIBRARY_PATH=$(dirname "$CHECK_LIBRARY")
mkdir "$place/folder"

for host in "$place/sandbox" "python3 $root/examples/sandbox.py"; do
    # shellcheck disable=SC2086 # a program and its script
    $host "$place/folder" printf '%s\n' "O'Brien; \$HOME" '* ?' >"$place/words" 2>"$place/said"
    printf '%s\n' "O'Brien; \$HOME" '* ?' | cmp - "$place/words"
    grep -q '^bounded by .*mount_namespace.*seccomp' "$place/said"
    END=0
    # shellcheck disable=SC2086
    $host "$place/folder" sh -c 'echo x > made; touch /usr/fw-example; exit 7' >"$place/words" 2>"$place/said" || END=$?
    [ "$END" = 7 ] && [ -e "$place/folder/made" ] && [ ! -e /usr/fw-example ]
    rm "$place/folder/made"
    END=0
    # shellcheck disable=SC2086
    $host "$place/missing" true 2>"$place/said" || END=$?
    [ "$END" = 125 ] && grep -q "$place/missing" "$place/said"
done
