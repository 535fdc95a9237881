#!/usr/bin/env bash
# The library exports exactly the functions that the header declares and Tests/exports.txt lists. It has its soname,
# needs only common libraries, and has no run path.
# not under asan tsan ubsan valgrind: this check is about the file of the release library
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
library=$1/libflowworker.so.0
failed=0

differ() {
    echo "$1:"
    failed=1
}

export LC_ALL=C
names=$(cc -E -P "$root/include/flowworker.h" | grep -oE '\bfw_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
# Some linkers export the version node of the symbols as an absolute symbol.
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" {sub(/@.*/, "", $NF); print $NF}' | sort)
[ -n "$names" ] || differ 'the header declares nothing'
diff <(echo "$names") "$root/Tests/exports.txt" ||
    differ 'above, < is declared in the header and > listed in Tests/exports.txt'
diff <(echo "$exported") "$root/Tests/exports.txt" ||
    differ 'above, < is exported by the library and > listed in Tests/exports.txt'

dynamic=$(readelf -d "$library") || exit 1
soname=$(sed -nE 's/.*\(SONAME\).*\[(.*)\]/\1/p' <<<"$dynamic")
[ "$soname" = libflowworker.so.0 ] || differ "the soname is '$soname'"
needed=$(sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' <<<"$dynamic" |
    grep -vE '^(libjansson|libstdc\+\+|libm|libgcc_s|libc|libdl|libpthread|ld-linux[a-z0-9-]*)\.so\.[0-9]+$')
[ -z "$needed" ] || differ "it needs $needed"
paths=$(grep -E '\((RPATH|RUNPATH)\)' <<<"$dynamic")
[ -z "$paths" ] || differ "it has a path of its own: $paths"
[ "$(readlink "$1/libflowworker.so")" = libflowworker.so.0 ] ||
    differ 'libflowworker.so is not a link to libflowworker.so.0'
exit "$failed"
