#!/usr/bin/env bash
# Shows that the release library has nothing of the seam, and that the library of the faults is the same but for it.
#
#     Tests/faults/symbols.sh      after `make lib` and Tests/faults/build.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
release=$root/build/lib/libflowworker.so.0
built=$root/.build-release/release/libflowworker.so
faults=$root/build/faults/lib/libflowworker.so.0
export LC_ALL=C

seam() { nm "$1" | grep -E ' (__wrap_|fault_)' || true; }
[ -n "$(seam "$faults")" ] || { echo "the library of the faults has no seam" >&2 && exit 1; }
[ -z "$(seam "$built")" ] || { echo "the release library has a seam:" "$(seam "$built")" >&2 && exit 1; }
for file in "$release" "$built"; do
    ! grep -q FW_FAULTS "$file" || { echo "$file reads FW_FAULTS" >&2 && exit 1; }
done
exports() { nm -D --defined-only "$1" | cut -d' ' -f2-; }
diff <(exports "$release") <(exports "$faults") >&2 || { echo "the libraries have different functions" >&2 && exit 1; }
if grep -rlE 'FW_FAULTS|fault_raw|__wrap_' "$root/Sources" "$root/include" "$root/Package.swift" >&2; then
    echo "the sources know of the seam" >&2 && exit 1
fi
