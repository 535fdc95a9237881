#!/usr/bin/env bash
# `make install` installs the headers, the library, its documents, a pkg-config file and a CMake package. A program outside
# the checkout is built with each of the two, also after the installed tree was moved. Paths may have spaces and quotes,
# and may be relative. An installation that cannot succeed changes nothing, and `make uninstall` removes what was
# installed. A library that is built is installed without a toolchain.
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

refused 'PREFIX is empty; it should be a directory' PREFIX= DESTDIR="$place/refused"
refused 'LIBDIR is empty; it should be a directory' PREFIX=/usr LIBDIR= DESTDIR="$place/refused"
refused 'PREFIX begins with ~, which this shell did not replace by a directory: "~/here"' PREFIX='~/here' DESTDIR="$place/refused"
[ ! -e "$root/~" ] && [ ! -e "$place/refused" ] || wrong 'a refused installation made a directory'
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
run_make install PREFIX="$prefix" >"$place/log"
grep -qF "installed flowworker $version: $prefix/include/flowworker.h, $prefix/lib/libflowworker.so, " "$place/log" ||
    wrong "make install said: $(cat "$place/log")"
[ -z "$(find "$prefix" -perm /6000)" ] || wrong 'an installed file is setuid or setgid'
[ "$(readlink "$prefix/lib/libflowworker.so")" = libflowworker.so.0 ] || wrong 'libflowworker.so is no link'
for header in "$root"/include/*.h*; do
    cmp "$header" "$prefix/include/${header##*/}" || wrong "$header was not installed"
done
# All documents and examples, at the same places to each other.
documents=$(cd "$root" && find -L README.md CHANGELOG.md LICENSE docs examples -type f ! -path '*/.*' ! -path '*/__pycache__/*' | sort)
[ "$(cd "$prefix/share/doc/flowworker" && find . -type f | sed 's,^\./,,' | sort)" = "$documents" ] ||
    wrong "the installed documents are: $(cd "$prefix/share/doc/flowworker" && find . -type f)"
[ "$(grep -c / <<<"$documents")" -gt 5 ] || wrong 'there are no documents in folders'
[ -z "$(find "$prefix" -name '*.new')" ] || wrong 'temporary files were installed'
grep -rq "$place" "$prefix/lib/pkgconfig" "$prefix/lib/cmake" && wrong 'a path is absolute'
# pkg-config gives no flags for a directory with a quote, so only CMake is asked here.
if command -v cmake >/dev/null; then check_cmake "$prefix"; fi
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

# Relative paths are taken from the directory of make, and what they became is said. The folder is one that git ignores.
relative=$(realpath -s --relative-to="$root" "$place")
run_make install PREFIX="$relative/one \"two\"" DOCDIR="$relative/documents" >"$place/log"
grep -qF "$place/one \"two\"/lib/libflowworker.so, $place/documents" "$place/log" || wrong "said of a relative path: $(cat "$place/log")"
[ -s "$place/documents/README.md" ] && [ -s "$place/one \"two\"/lib/libflowworker.so.0" ] || wrong 'a relative PREFIX'
run_make uninstall PREFIX="$relative/one \"two\"" DOCDIR="$relative/documents" >"$place/log"
grep -qF "removed flowworker $version: $place/one" "$place/log" || wrong "make uninstall said: $(cat "$place/log")"
[ -z "$(find "$place/one \"two\"" "$place/documents" ! -type d 2>/dev/null)" ] || wrong 'uninstall with relative paths left files'
run_make install PREFIX=/opt/it DESTDIR="$relative/packed" >/dev/null
[ -s "$place/packed/opt/it/include/flowworker.h" ] || wrong 'a relative DESTDIR'

# Without a toolchain a library that is there is installed, also when a source is newer. Without both there is one sentence.
mkdir "$place/tools"
for tool in bash cat cut chmod dirname basename find install ln make mkdir mv realpath rm rmdir sed sort tr; do
    found=$(type -P "$tool") && ln -s "$found" "$place/tools/$tool"
done
make=$(type -P make)
PATH=$place/tools "$make" --no-print-directory -C "$root" -W include/flowworker.h install PREFIX="$place/bare" >"$place/log" 2>&1 ||
    wrong "without swift: $(cat "$place/log")"
[ -s "$place/bare/lib/libflowworker.so.0" ] || wrong 'without swift nothing was installed'
if PATH=$place/tools "$make" --no-print-directory -C "$root" LIB="$place/none" install PREFIX="$place/bare" >"$place/log" 2>&1; then
    wrong 'installed a library that is not built'
fi
grep -q '^the library cannot be built here: missing swift' "$place/log" || wrong "without a library: $(cat "$place/log")"

# A package: the files are in DESTDIR, and name the places without it.
run_make install PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu DESTDIR="$place/package root" >/dev/null
check_tree "$place/package root/usr" lib/x86_64-linux-gnu
run_make uninstall PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu DESTDIR="$place/package root" >/dev/null
[ -z "$(find "$place/package root" ! -type d)" ] || wrong 'uninstall with DESTDIR left files'

if [ "$failed" -eq 0 ] && ! command -v cmake >/dev/null; then
    echo 'there is no cmake'
    exit 77
fi
exit "$failed"
