#!/usr/bin/env bash
# Makes the folder of libraries that the wheel's library is linked against: glibc of the version GLIBC, and a jansson that
# can be put into a shared library.
#
#   sysroot.sh FOLDER PYTHON     PYTHON has the packages of requirements.txt
#
# The C library that the linker sees decides which versions of symbols a library asks for, so nothing is compiled again.
# Debian's own libjansson.a cannot be used, because it is not position-independent.
set -euo pipefail
GLIBC=2.28
# Of the file JANSSON of Debian's source package, which is the release of jansson itself.
JANSSON=jansson_2.14.orig.tar.gz
JANSSON_SHA256=c739578bf6b764aa0752db9a2fdadcfe921c78f1228c7ec0bb47fa804c55d17b

folder=$1
python=$(realpath -s "$2")
here=$(cd "$(dirname "$0")" && pwd)

fail() {
  echo "make wheel: $*" >&2
  exit 1
}

rm -rf "$folder"
mkdir -p "$folder/lib" "$folder/work"
folder=$(cd "$folder" && pwd)
work=$folder/work

# --- glibc ---------------------------------------------------------------------------------------

# The compiler of the package makes libraries that have only symbols, in its cache.
echo 'int main(void) { return 0; }' >"$work/empty.c"
ZIG_GLOBAL_CACHE_DIR=$work/zig ZIG_LOCAL_CACHE_DIR=$work/zig \
  "$python" -m ziglang cc -target "x86_64-linux-gnu.$GLIBC" "$work/empty.c" -o "$work/empty" >"$work/zig.log" 2>&1 ||
  { tail -n 5 "$work/zig.log" >&2; fail "ziglang could not make the symbols of glibc $GLIBC"; }
for name in libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 libld.so.2 libc_nonshared.a; do
  found=$(find "$work/zig" -name "$name" -print -quit)
  [ -n "$found" ] || fail "ziglang made no $name"
  cp "$found" "$folder/lib/$name"
done
for name in m.so.6 pthread.so.0 dl.so.2; do
  ln -s "lib$name" "$folder/lib/lib${name%.so.*}.so"
done
# stat() and its relatives are in the static part.
echo "GROUP ( libc.so.6 libc_nonshared.a AS_NEEDED ( libld.so.2 ) )" >"$folder/lib/libc.so"

# --- jansson -------------------------------------------------------------------------------------

# The lists of source packages are private, so that nothing of the machine's apt is changed.
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
  sed -n "s|^[^ ]*/debian/* |deb-src [signed-by=$keyring] &|p" | sed 's|$| main|' >"$work/apt/sources.list"
[ -s "$work/apt/sources.list" ] || fail "the source of jansson is fetched with apt, which has no Debian mirror here"
private=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/nowhere
  -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root -q)
(
  cd "$work"
  { apt-get "${private[@]}" update && apt-get "${private[@]}" source --download-only jansson; } >apt.log 2>&1
) || { tail -n 5 "$work/apt.log" >&2; fail "apt-get could not fetch the source of jansson"; }
[ -f "$work/$JANSSON" ] || fail "Debian's source of jansson here is $(cd "$work" && echo jansson_*.orig.tar.*), not $JANSSON"
echo "$JANSSON_SHA256  $work/$JANSSON" | sha256sum --check --quiet || fail "$JANSSON is not the file that it should be"
mkdir "$work/jansson"
tar -xzf "$work/$JANSSON" -C "$work/jansson" --strip-components=1
# Hidden, so that the host's own jansson and this one cannot be taken for each other.
cmake -S "$work/jansson" -B "$work/jansson-build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_POLICY_VERSION_MINIMUM=3.5 \
  -DJANSSON_BUILD_SHARED_LIBS=OFF -DJANSSON_BUILD_DOCS=OFF -DJANSSON_EXAMPLES=OFF -DJANSSON_WITHOUT_TESTS=ON \
  -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_C_FLAGS="-fvisibility=hidden '-ffile-prefix-map=$work=.'" \
  >"$work/cmake.log" 2>&1 && cmake --build "$work/jansson-build" >>"$work/cmake.log" 2>&1 ||
  { tail -n 5 "$work/cmake.log" >&2; fail "jansson could not be built"; }
cp "$work/jansson-build/lib/libjansson.a" "$folder/lib/"
cp "$work/jansson/LICENSE" "$folder/jansson-LICENSE"

# --- what both lack ------------------------------------------------------------------------------

cc -O2 -fPIC -c "$here/old_symbols.c" -o "$folder/lib/old_symbols.o"

# SwiftPM asks pkg-config where jansson is. The folder comes first in the linker's list, and so is glibc's too.
cat >"$folder/jansson.pc" <<END
Name: Jansson
Description: jansson inside of the library of the wheel
Version: 2.14
Libs: -L${folder// /\\ }/lib -ljansson
END
rm -rf "$work"
