#!/usr/bin/env bash
# `make install` installs a header, a library, a pkg-config file and a CMake package, with which a program outside the
# checkout is built and run.
# not under asan tsan ubsan valgrind: this check is about the files of the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

make --no-print-directory -C "$root" install PREFIX="$place/prefix" >/dev/null
cat >"$place/host.c" <<'END'
#include <flowworker.h>
#include <stdio.h>

int main(void)
{
    puts(fw_version());
    return fw_abi_version() != FW_ABI_VERSION;
}
END
export PKG_CONFIG_PATH=$place/prefix/lib/pkgconfig
# shellcheck disable=SC2046 # lists of words
cc -o "$place/host" "$place/host.c" $(pkg-config --cflags --libs flowworker)
printed=$(LD_LIBRARY_PATH=$place/prefix/lib "$place/host")
[ "$printed" = "$(pkg-config --modversion flowworker)" ]
[ "$(readlink "$place/prefix/lib/libflowworker.so")" = libflowworker.so.0 ]
grep -q "$place/prefix/lib/libflowworker.so.0" "$place/prefix/lib/cmake/flowworker/flowworker-config.cmake"
