#!/bin/sh
# What wheel.sh runs in a chroot: installs the wheel in an empty virtual environment, and runs what uses it.
# /mnt has the wheel, the tests and the documents, and nothing else of the project.
set -eu

for tool in cc gcc clang swift; do
  if command -v $tool >/dev/null; then echo "FAILED  this chroot has $tool"; exit 1; fi
done
if ldconfig -p | grep jansson; then echo "FAILED  this chroot has a jansson"; exit 1; fi

python3 -m venv /venv
/venv/bin/pip install --quiet --disable-pip-version-check --no-index /mnt/wheel/*.whl
cd /tmp
status=0
/venv/bin/python /mnt/installed.py || status=1
find /mnt/project -name '*.md' -exec /venv/bin/python /mnt/project/Tests/documents/run.py --installed {} + || status=1

# refuses FILE REASON: a library that does not fit is told in one line.
refuses() {
  said=$(FLOWWORKER_LIBRARY=$1 /venv/bin/python -c 'import flowworker' 2>&1 | tail -n 1) || true
  expected="flowworker._library.LibraryError: libflowworker cannot be loaded: $1 $2; FLOWWORKER_LIBRARY must be the path of the file libflowworker.so.0, or not be set"
  if [ "$said" = "$expected" ]; then
    echo "ok      $1 $2"
    echo "1 passed, 0 failed"
  else
    printf 'FAILED  it says\n%s\nand not\n%s\n' "$said" "$expected"
    echo "0 passed, 1 failed"
    status=1
  fi
}

# The library of a checkout, which needs the system's jansson, and a file that needs the glibc of another machine.
refuses /mnt/checkout.so "needs libjansson.so.4, which this system does not have"
here=$(getconf GNU_LIBC_VERSION)
if [ "${here#glibc 2.}" -lt 34 ]; then refuses /mnt/newer.so "needs glibc 2.34, and this system has ${here#glibc }"; fi
exit $status
