#!/usr/bin/env bash
# `make install` gives a header, a library and a pkg-config file with which a program is built and run
# that knows nothing of the checkout.
# not under asan tsan ubsan valgrind: it is about the files of the release library
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
