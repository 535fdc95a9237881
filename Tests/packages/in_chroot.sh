#!/bin/sh
# What wheel.sh runs in a chroot: installs the wheel in an empty virtual environment, and runs what uses it.
# /mnt has the wheel, the tests and the documents, and nothing else of the project.
set -eu

for tool in cc gcc clang swift; do
  if command -v $tool >/dev/null; then echo "FAILED  this chroot has $tool"; exit 1; fi
done
if ldconfig -p | grep jansson; then echo "FAILED  this chroot has a jansson"; exit 1; fi

# On a file system of its own: that of the chroot is an overlay, on which the kernel gives a mapped file another device than
# stat() does. The supervisor's program is then a copy in memory.
mkdir /venv
mount -t tmpfs -o mode=755 none /venv
python3 -m venv /venv
/venv/bin/pip install --quiet --disable-pip-version-check --no-index /mnt/wheel/*.whl
cd /tmp
status=0
/venv/bin/python /mnt/installed.py || status=1
/venv/bin/python /mnt/project/Tests/documents/run.py --installed /mnt/project/README.md /mnt/project/bindings/python/README.md || status=1
exit $status
