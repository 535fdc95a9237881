#!/usr/bin/env bash
# Tests the wheel where users are: in chroots of other systems, without toolchain, libjansson and checkout, and with no network;
# and with each version of Python that this machine has.
#
#   wheel.sh [--all]      the wheel is the one in build/wheel/dist; without --all, the cases of the gate
#
# A case is RELEASE/SHELL, where SHELL is /bin/sh there. A test that cannot run here is skipped with a reason.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
wheel=$(ls "$root"/build/wheel/dist/*.whl 2>/dev/null) || { echo "there is no wheel: make wheel builds it" >&2; exit 1; }

# bullseye has the oldest glibc that can be had, 2.31; sid has the newest, and Python 3.14.
cases=(bullseye/dash bookworm/dash trixie/bash sid/busybox)
[ "${1:-}" != --all ] || cases=({bullseye,bookworm,trixie,sid}/{dash,bash,busybox} {jammy,noble}/dash)
pythons=(3.9 3.10 3.11 3.12 3.13)

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Takes the counts out of the closing lines of a log, and prints what was not right.
count() {
  local name=$1 status=$2 counts
  counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \40/p' "$log" |
    awk '{p += $1; f += $2; s += int($3 / 10)} END {print p + 0, f + 0, s + 0}')
  local p f s
  read -r p f s <<<"$counts"
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$f" -eq 0 ]; then echo "ok      $name: $p passed, $s skipped"; else
    echo "FAILED  $name"
    grep -v '^ok ' "$log" | sed 's/^/        /' | tail -n 40
  fi
}

skip() {
  echo "skipped $1: $2"
  skipped=$((skipped + 1))
}

for case in "${cases[@]}"; do
  if ! reason=$("$here/chroot.sh" make "${case%/*}" 2>&1 >/dev/null); then
    if [ "${CI:-}" = true ]; then echo "FAILED  $case: $reason"; failed=$((failed + 1)); else skip "$case" "${reason##*$'\n'}"; fi
    continue
  fi
  "$here/chroot.sh" run --sh "${case#*/}" --bind "$(dirname "$wheel"):/mnt/wheel" --bind "$here/in_chroot.sh:/mnt/in_chroot.sh" \
    --bind "$here/installed.py:/mnt/installed.py" --bind "$root/Tests/documents:/mnt/project/Tests/documents" \
    --bind "$root/README.md:/mnt/project/README.md" \
    --bind "$root/bindings/python/README.md:/mnt/project/bindings/python/README.md" \
    "${case%/*}" sh /mnt/in_chroot.sh >"$log" 2>&1
  count "$case" $?
done

# The interpreter of a version: on the PATH, or among those of pyenv.
interpreter() {
  local found
  for found in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python3 "$(command -v "python$1")"; do
    if [ -x "$found" ] && "$found" -c 'import venv, ensurepip' 2>/dev/null; then echo "$found" && return; fi
  done
  return 1
}

for version in "${pythons[@]}"; do
  if ! python=$(interpreter "$version"); then
    skip "Python $version" "this machine has none that can make a virtual environment"
    continue
  fi
  place=$(mktemp -d)
  (
    set -e
    "$python" -m venv "$place/venv"
    "$place/venv/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
    cd "$place"
    env -i PATH=/usr/bin:/bin "$place/venv/bin/python" "$here/installed.py"
    env -i PATH=/usr/bin:/bin "$place/venv/bin/python" "$root/Tests/documents/run.py" --installed "$root/bindings/python/README.md"
  ) >"$log" 2>&1
  count "Python $version" $?
  rm -rf "$place"
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
