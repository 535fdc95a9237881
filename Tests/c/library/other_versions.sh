#!/usr/bin/env bash
# What happens when a program meets the library of another version. A program that uses a part of the interface runs. One
# that needs a function of a newer version, or another ABI, is not started, and the loader names what it lacks.
# not under asan tsan ubsan valgrind: this check is about the loader
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
failed=0

wrong() {
    echo "$*"
    failed=1
}

# A library of that ABI number which has fw_version(), and a function that this version does not have.
mkdir newer
make_library() {
    local source=$1 number=$2
    printf 'FLOWWORKER_%s { global: fw_*; local: *; };\n' "$number" >map
    cc -shared -fPIC -o "newer/libflowworker.so.$number" -Wl,-soname,"libflowworker.so.$number" -Wl,--version-script=map "$source"
    ln -sf "libflowworker.so.$number" newer/libflowworker.so
}

cat >newer.c <<'END_OF_C'
const char *fw_version(void);
int fw_later(void);
const char *fw_version(void) { return "99.0.0"; }
int fw_later(void) { return 0; }
END_OF_C
cat >old.c <<'END_OF_C'
#include <flowworker.h>
#include <stdio.h>
int main(void) { return puts(fw_version()) < 0; }
END_OF_C
cat >new.c <<'END_OF_C'
#include <flowworker.h>
#include <stdio.h>
int fw_later(void);
int main(void) { return puts(fw_version()) < 0 || fw_later(); }
END_OF_C
version=$(sed -n 's/^#define FW_VERSION "\(.*\)"/\1/p' "$root/include/flowworker.h")

make_library newer.c 0
for program in old new; do
    cc -I "$root/include" -o "$program" "$program.c" -Lnewer -lflowworker -Wl,-z,now
done
[ "$(LD_LIBRARY_PATH=$1 ./old)" = "$version" ] || wrong 'a program that was built with a newer library does not run'
[ "$(LD_LIBRARY_PATH=newer ./old)" = 99.0.0 ] || wrong 'a program does not run with a newer library'
if LD_LIBRARY_PATH=$1 ./new >log 2>&1; then wrong 'a program that needs a newer function runs'; fi
grep -q 'undefined symbol: fw_later, version FLOWWORKER_0' log || wrong "for a newer function: $(cat log)"

make_library newer.c 1
cc -I "$root/include" -o next old.c -Lnewer -lflowworker
if LD_LIBRARY_PATH=$1 ./next >log 2>&1; then wrong 'a program of another ABI runs'; fi
grep -q 'libflowworker.so.1: cannot open shared object file' log || wrong "for another ABI: $(cat log)"
exit "$failed"
