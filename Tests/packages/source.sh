#!/usr/bin/env bash
# Tests what `pip` makes of the sources: a wheel with the library, or one sentence that says why there is none.
#
#   source.sh [--all]     build/lib has the library, build/wheel/venv the setuptools; --all also makes what the library of the
#                         wheel is linked against, and builds the library from a source distribution, which takes minutes
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=$root/build/wheel/venv/bin/python
library=$root/build/lib/libflowworker.so.0
package=$root/bindings/python
[ -x "$python" ] && [ -f "$library" ] || { echo "make wheel must have run" >&2; exit 1; }
unset FLOWWORKER_LIBRARY
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
passed=0 failed=0 skipped=0

# A PATH without swift.
bare=$place/bin
mkdir "$bare"
for tool in make bash sh env sed find tr gcc g++ pkg-config; do ln -s "$(command -v "$tool")" "$bare/$tool"; done

# pip with the setuptools of the virtual environment, because there need not be a network.
pip() {
  "$python" -m pip "$@" --quiet --disable-pip-version-check --no-index --no-build-isolation
}

check() {
  local name=$1
  shift
  if "$@" >"$place/log" 2>&1; then passed=$((passed + 1)); echo "ok      $name"; else
    failed=$((failed + 1)); echo "FAILED  $name"; sed 's/^/        /' "$place/log" | tail -n 20
  fi
}

# The wheel in a folder has the library, its mode, and the tag of its platform.
is_whole() {
  "$python" - "$1" "$library" <<'END'
import pathlib, sys, zipfile
(wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
assert wheel.name.endswith("-py3-none-linux_x86_64.whl"), wheel
with zipfile.ZipFile(wheel) as archive:
    entry = archive.getinfo("flowworker/libflowworker.so.0")
    assert entry.external_attr >> 16 == 0o100755, oct(entry.external_attr >> 16)
    assert archive.read(entry) == pathlib.Path(sys.argv[2]).read_bytes()
    names = archive.namelist()
assert "flowworker/_import_path.py" in names and "flowworker/py.typed" in names, names
assert all(name.startswith(("flowworker/", "flowworker-0")) for name in names), names
END
}

# refuses SENTENCE COMMAND...: the command fails, makes no wheel, and its output has the sentence on a line of its own, which is
# the only one that the backend wrote.
refuses() {
  local sentence=$1 status=0
  shift
  rm -rf "$place/refused"
  "$@" --wheel-dir "$place/refused" >"$place/said" 2>&1 || status=$?
  cat "$place/said"
  [ "$status" -ne 0 ] && [ -z "$(ls "$place/refused" 2>/dev/null)" ] && ! grep -q Traceback "$place/said" &&
    grep -qF "flowworker cannot be built: $sentence" "$place/said" &&
    grep -qF '[1 lines of output]' "$place/said"
}

# A copy of the checkout, without what is built.
checkout=$place/a\ checkout
mkdir -p "$checkout/bindings"
cp -a "$root"/{Makefile,Package.swift,Sources,include,LICENSE} "$checkout"
cp -a "$package" "$checkout/bindings/python"
mkdir "$checkout/packaging"
cp -a "$root/packaging/strip.sh" "$checkout/packaging"

check "a checkout that has a library" pip wheel --no-deps --wheel-dir "$place/one" "$package"
check "its wheel has the library" is_whole "$place/one"
same_bytes() {
  local -x FLOWWORKER_LIBRARY=$library SOURCE_DATE_EPOCH=1700000000
  pip wheel --no-deps --wheel-dir "$place/first" "$package" &&
    pip wheel --no-deps --wheel-dir "$place/second" "$checkout/bindings/python" &&
    cmp "$place"/first/*.whl "$place"/second/*.whl
}
check "the same sources in two folders give the same bytes" same_bytes
check "a library that is named" env FLOWWORKER_LIBRARY="$library" "$python" -m pip wheel --quiet --no-index \
  --no-build-isolation --no-deps --wheel-dir "$place/two" "$checkout/bindings/python"
check "its wheel has that library" is_whole "$place/two"

sdist() {
  (cd "$package" && "$python" -c 'import sys; sys.path.insert(0, "backend"); import flowworker_build as b; b.build_sdist(sys.argv[1])' \
    "$place/sdist")
}
mkdir "$place/sdist"
check "a source distribution" sdist
check "it has no library and no links" sh -c "! tar -tvzf '$place'/sdist/*.tar.gz | grep -E '^[^-]|libflowworker.so'"
check "a wheel of it with a library that is named" env FLOWWORKER_LIBRARY="$library" "$python" -m pip wheel --quiet --no-index \
  --no-build-isolation --no-deps --wheel-dir "$place/three" "$place"/sdist/*.tar.gz
check "that wheel has the library" is_whole "$place/three"
# --all runs the real compiler. This one gives the library that is built, so it shows only that `make lib` lacks no file.
all_files() {
  mkdir "$place/swift" &&
    printf '#!/bin/sh\nmkdir -p .build-release/release && cp "%s" .build-release/release/libflowworker.so\n' "$library" >"$place/swift/swift" &&
    chmod +x "$place/swift/swift" &&
    (export PATH="$place/swift:$PATH" && pip wheel --no-deps --wheel-dir "$place/five" "$place"/sdist/*.tar.gz) &&
    test -f "$place"/five/*linux_x86_64.whl
}
check "a source distribution has all files that make lib needs" all_files

build=("$python" -m pip wheel --no-index --no-build-isolation --no-deps --disable-pip-version-check)
check "neither library nor toolchain" refuses "there is no $checkout/build/lib/libflowworker.so.0 and no Swift toolchain to build it" \
  env PATH="$bare" "${build[@]}" "$checkout/bindings/python"
check "a source distribution without toolchain" refuses "there is no " env PATH="$bare" "${build[@]}" "$place"/sdist/*.tar.gz
check "a library that is not there" refuses "FLOWWORKER_LIBRARY is /nowhere/lib.so, which is not a file" \
  env FLOWWORKER_LIBRARY=/nowhere/lib.so "${build[@]}" "$package"
check "a path that is relative" refuses "FLOWWORKER_LIBRARY must be an absolute path: build/lib/libflowworker.so.0" \
  env FLOWWORKER_LIBRARY=build/lib/libflowworker.so.0 "${build[@]}" "$package"
check "a file that is no library" refuses "$root/README.md is not a library for Linux" \
  env FLOWWORKER_LIBRARY="$root/README.md" "${build[@]}" "$package"
printf '#!/bin/sh\nexit 1\n' >"$bare/swift" && chmod +x "$bare/swift"
rm "$bare/gcc"
check "a build of the library that fails" refuses "make lib in $checkout ended with status 2: the library cannot be built here: missing gcc" \
  env PATH="$bare" "${build[@]}" "$checkout/bindings/python"

# Editable: the package of the checkout, with its build/lib.
editable() {
  mkdir -p "$checkout/build/lib" && cp "$library" "$checkout/build/lib/" &&
    "$python" -m venv --system-site-packages "$place/venv" &&
    PYTHONPATH=$("$python" -c 'import setuptools, os; print(os.path.dirname(os.path.dirname(setuptools.__file__)))') \
      "$place/venv/bin/python" -m pip install --quiet --no-index --no-build-isolation --no-deps -e "$checkout/bindings/python" &&
    (cd / && "$place/venv/bin/python" -c "
import flowworker, sys
assert flowworker._ffi.LIB._name == sys.argv[1] + '/build/lib/libflowworker.so.0', flowworker._ffi.LIB._name
" "$checkout")
}
check "an editable install" editable

# pip on musl, or on another machine, finds no wheel that fits, and so installs none.
not_for() {
  ! "$python" -m pip download --no-index --no-deps --only-binary :all: --platform "$1" --find-links "$root/build/wheel/dist" \
    --dest "$place/none" flowworker >"$place/said" 2>&1 && grep -q 'No matching distribution found for flowworker' "$place/said"
}
fits() {
  "$python" -m pip download --no-index --no-deps --only-binary :all: --platform "$1" --find-links "$root/build/wheel/dist" \
    --dest "$place/some" flowworker
}
check "the wheel is for glibc 2.28" fits manylinux_2_28_x86_64
for platform in manylinux_2_27_x86_64 musllinux_1_2_x86_64 manylinux_2_28_aarch64 macosx_14_0_arm64 win_amd64; do
  check "the wheel is not for $platform" not_for "$platform"
done

other_machine() {
  mkdir "$place/uname" && printf '#!/bin/sh\necho Linux aarch64\n' >"$place/uname/uname" && chmod +x "$place/uname/uname" &&
    ! PATH=$place/uname:$PATH "$root/packaging/wheel/build.sh" 0.1.0 2>"$place/said" &&
    [ "$(cat "$place/said")" = "make wheel: the wheel is for Linux on x86-64 and is linked there, and this is Linux aarch64" ]
}
check "make wheel on another machine" other_machine

# What the wheel's library is linked against can be made in a folder with spaces, and pkg-config names that folder.
sysroot_with_spaces() {
  local folder="$place/a folder" flag=""
  "$root/packaging/wheel/sysroot.sh" "$folder" "$python" &&
    eval "set -- $(PKG_CONFIG_PATH=$folder pkg-config --libs jansson)" && flag=$1 &&
    [ "$flag" = "-L$folder/lib" ] && [ -f "${flag#-L}/libjansson.a" ]
}

if [ "${1:-}" = --all ]; then
  check "the libraries of make wheel in a folder with spaces" sysroot_with_spaces
  if command -v swift >/dev/null; then
    check "a source distribution where there is a toolchain" pip wheel --no-deps --wheel-dir "$place/four" "$place"/sdist/*.tar.gz
    check "its wheel has a library" test -f "$(ls "$place"/four/*linux_x86_64.whl)"
  else
    skipped=$((skipped + 1)); echo "skipped a source distribution where there is a toolchain: there is no swift"
  fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
