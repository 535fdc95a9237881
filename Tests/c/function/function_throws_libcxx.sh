#!/usr/bin/env bash
# A host may use another C++ runtime than the library, which needs libstdc++: libc++ as a library, whose exceptions are read,
# or inside of the program, where an exception is a failure of the step without its text.
# not under asan tsan ubsan valgrind: libc++ with a sanitizer is another build of libc++
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
program=$TMPDIR/program
trap 'rm -f "$program"' EXIT

build() {
    clang++ -std=c++17 -stdlib=libc++ "$@" -I "$root/include" -o "$program" "$here/function_throws.cpp" \
        -L "$CHECK_LIBDIR" -Wl,-rpath,"$CHECK_LIBDIR" -lflowworker -ljansson -pthread
}

if ! clang++ -std=c++17 -stdlib=libc++ -x c++ -o "$program" - <<<'#include <string>
int main() { return std::string("").size(); }' 2>/dev/null; then
    echo 'there is no clang++ with libc++ (libc++-dev and libc++abi-dev)'
    exit 77
fi
build
"$program"
build -static-libstdc++ -DFOREIGN_EXCEPTIONS
"$program"
