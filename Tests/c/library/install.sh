#!/usr/bin/env bash
# `make install` installs the header, the library, its documents, a pkg-config file and a CMake package. A program outside
# the checkout is built with each of the two, also after the installed tree was moved. Paths may have spaces. An
# installation that cannot succeed changes nothing, and `make uninstall` removes what was installed.
# not under asan tsan ubsan valgrind: this check is about the files of the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
failed=0

wrong() {
    echo "$*"
    failed=1
}

run_make() { make --no-print-directory -C "$root" "$@"; }

# An installation that is refused says why, and leaves no file.
refused() {
    local reason=$1
    shift
    if run_make install "$@" >"$place/log" 2>&1; then wrong "installed with $*"; fi
    grep -q -- "$reason" "$place/log" || { wrong "with $*, no \"$reason\" in:" && cat "$place/log"; }
    rm "$place/log"
    [ -z "$(find "$place/refused" -type f -size +0 2>/dev/null)" ] || wrong "a refused installation left files"
}

refused 'PREFIX must be an absolute path: "some/where"' PREFIX=some/where DESTDIR="$place/refused"
refused 'PREFIX must be an absolute path: ""' PREFIX= DESTDIR="$place/refused"
refused 'LIBDIR must be an absolute path: "lib"' PREFIX=/usr LIBDIR=lib DESTDIR="$place/refused"
[ ! -e "$root/some" ] && [ ! -e "$place/refused" ] || wrong 'a refused installation made a directory'
# A file where a directory is needed, and a directory where a file is needed.
mkdir -p "$place/refused/lib/cmake"
: >"$place/refused/lib/cmake/flowworker"
refused 'nothing was installed' PREFIX="$place/refused"
rm "$place/refused/lib/cmake/flowworker"
mkdir -p "$place/refused/lib/libflowworker.so.0"
refused 'is a directory' PREFIX="$place/refused"
[ "$(find "$place/refused" | wc -l)" -eq 4 ] || wrong "a refused installation left: $(find "$place/refused")"
rm -r "$place/refused"

cat >"$place/host.c" <<'END'
#include <flowworker.h>
#include <stdio.h>

int main(void)
{
    puts(fw_version());
    return fw_abi_version() != FW_ABI_VERSION;
}
END
version=$(sed -n 's/^#define FW_VERSION "\(.*\)"/\1/p' "$root/include/flowworker.h")

# A program that is built with pkg-config from the tree $1, whose library is in $2.
check_pkg_config() {
    local flags
    flags=$(PKG_CONFIG_PATH=$1/$2/pkgconfig pkg-config --cflags --libs flowworker)
    # The flags are words of the shell, with quotes where the paths have spaces.
    eval "cc -o '$place/host' '$place/host.c' $flags"
    [ "$(LD_LIBRARY_PATH=$1/$2 "$place/host")" = "$version" ] || wrong "pkg-config in $1 found another library"
    [ "$(PKG_CONFIG_PATH=$1/$2/pkgconfig pkg-config --modversion flowworker)" = "$version" ] || wrong 'the version in .pc'
}

# The same with CMake, and which versions it finds.
check_cmake() {
    mkdir -p "$place/project"
    cat >"$place/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.12)
project(host C)
function(check expected)
  find_package(flowworker ${ARGN} QUIET)
  if(NOT "${flowworker_FOUND}" EQUAL "${expected}")
    message(SEND_ERROR "find_package(flowworker ${ARGN}): ${flowworker_FOUND}, expected ${expected}")
  endif()
  unset(flowworker_DIR CACHE)
endfunction()
find_package(flowworker 0.1 REQUIRED)
if(NOT flowworker_VERSION STREQUAL EXPECTED_VERSION)
  message(SEND_ERROR "the version is ${flowworker_VERSION}")
endif()
add_executable(host ../host.c)
target_link_libraries(host flowworker::flowworker)
unset(flowworker_DIR CACHE)
check(1)
check(1 0)
check(1 0.1)
check(1 0.1.0)
check(1 0.1.0 EXACT)
check(0 0.1.1)
check(0 0.2)
check(0 1)
check(0 1.0)
check(0 0.0.9)
check(0 0.1.1 EXACT)
if(NOT CMAKE_VERSION VERSION_LESS 3.19)
  check(1 0.1...0.3)
  check(1 0...<1)
  check(0 0.2...0.3)
  check(0 0.0.1...<0.1.0)
endif()
check(0 COMPONENTS engine)
check(1 OPTIONAL_COMPONENTS engine)
END
    rm -rf "$place/made"
    cmake -S "$place/project" -B "$place/made" -DCMAKE_PREFIX_PATH="$1" -DCMAKE_LIBRARY_ARCHITECTURE=x86_64-linux-gnu \
        -DEXPECTED_VERSION="$version" >"$place/log" 2>&1 &&
        cmake --build "$place/made" >>"$place/log" 2>&1 || { wrong "cmake with $1:" && cat "$place/log"; }
    [ "$("$place/made/host")" = "$version" ] || wrong "CMake in $1 found another library"
}

check_tree() {
    check_pkg_config "$1" "$2"
    if command -v cmake >/dev/null; then check_cmake "$1"; fi
}

prefix="$place/a pre'fix & more"
run_make install PREFIX="$prefix" >/dev/null
[ "$(readlink "$prefix/lib/libflowworker.so")" = libflowworker.so.0 ] || wrong 'libflowworker.so is no link'
[ -s "$prefix/share/doc/flowworker/index.md" ] || wrong 'no documents were installed'
[ -z "$(find "$prefix" -name '*.new')" ] || wrong 'temporary files were installed'
grep -rq "$place" "$prefix/lib/pkgconfig" "$prefix/lib/cmake" && wrong 'a path is absolute'
mv "$prefix" "$place/plain"
check_tree "$place/plain" lib
mv "$place/plain" "$place/with space"
check_tree "$place/with space" lib

# Installing over an installation, and removing it.
run_make install PREFIX="$place/with space" >/dev/null
: >"$place/with space/include/other.h"
run_make uninstall PREFIX="$place/with space" >/dev/null
[ "$(cd "$place/with space" && find . ! -type d)" = ./include/other.h ] || wrong "left: $(find "$place/with space" ! -type d)"
[ ! -e "$place/with space/lib/cmake/flowworker" ] && [ ! -e "$place/with space/share/doc/flowworker" ] ||
    wrong 'uninstall left directories'

# A package: the files are in DESTDIR, and name the places without it.
run_make install PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu DESTDIR="$place/package root" >/dev/null
check_tree "$place/package root/usr" lib/x86_64-linux-gnu
run_make uninstall PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu DESTDIR="$place/package root"
[ -z "$(find "$place/package root" ! -type d)" ] || wrong 'uninstall with DESTDIR left files'

if [ "$failed" -eq 0 ] && ! command -v cmake >/dev/null; then
    echo 'there is no cmake'
    exit 77
fi
exit "$failed"
