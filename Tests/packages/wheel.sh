#!/usr/bin/env bash
# Tests the wheel where users are: in chroots of other systems, without toolchain, libjansson and checkout, and with no network;
# and with each version of Python that this machine has.
#
#   wheel.sh [--all | CASE]   the wheel is the one in build/wheel/dist; without an argument, the cases of the gate
#
# A CASE is RELEASE/SHELL, where SHELL is /bin/sh there. A test that cannot run here is skipped with a reason.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
wheel=$(ls "$root"/build/wheel/dist/*.whl 2>/dev/null) || { echo "there is no wheel: make wheel builds it" >&2; exit 1; }

# bullseye has the oldest glibc that can be had, 2.31; sid has the newest, and Python 3.14.
cases=(bullseye/dash bookworm/dash trixie/bash sid/busybox)
case ${1:-} in
  */*) cases=("$1") ;;
  --all) cases=({bullseye,bookworm,trixie,sid}/{dash,bash,busybox} {jammy,noble}/dash) ;;
esac
pythons=(3.9 3.10 3.11 3.12 3.13)
# The pages whose Python programs run.
pages=()
for page in README.md bindings/python/README.md docs/getting-started/install.md; do
  pages+=(--bind "$root/$page:/mnt/project/$page")
done

passed=0 failed=0 skipped=0
log=$(mktemp)
files=$(mktemp -d)
trap 'rm -rf "$log" "$files"' EXIT
# dlsym() is in the C library since glibc 2.34.
echo '#include <dlfcn.h>
void *fw_other(void) { return dlsym(0, "x"); }' | cc -shared -fPIC -x c - -o "$files/newer.so" || exit 1

# Takes the counts out of the closing lines of a log, and prints what was not right.
count() {
  local name=$1 status=$2 p f s
  read -r p f s < <(awk '/^[0-9]+ passed, [0-9]+ failed/ {p += $1; f += $3; s += $5} END {print p + 0, f + 0, s + 0}' "$log")
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$f" -eq 0 ]; then
    echo "ok      $name: $p passed, $s skipped"
    grep '^skipped' "$log" | sed 's/^/        /'
  else
    echo "FAILED  $name"
    grep -v '^ok ' "$log" | sed 's/^/        /' | tail -n 40
  fi
}

skip() {
  echo "skipped $1: $2"
  skipped=$((skipped + 1))
}

# Two at a time, because making one needs the processor more than the network.
printf '%s\n' "${cases[@]%/*}" | sort -u | xargs -n 1 -P 2 "$here/chroot.sh" make >/dev/null 2>&1

for case in "${cases[@]}"; do
  if ! reason=$("$here/chroot.sh" make "${case%/*}" 2>&1 >/dev/null); then
    if [ "${CI:-}" = true ]; then echo "FAILED  $case: $reason"; failed=$((failed + 1)); else skip "$case" "${reason##*$'\n'}"; fi
    continue
  fi
  "$here/chroot.sh" run --sh "${case#*/}" --bind "$(dirname "$wheel"):/mnt/wheel" --bind "$here/in_chroot.sh:/mnt/in_chroot.sh" \
    --bind "$here/installed.py:/mnt/installed.py" --bind "$root/Tests/documents:/mnt/project/Tests/documents" \
    --bind "$root/build/lib/libflowworker.so.0:/mnt/checkout.so" --bind "$files/newer.so:/mnt/newer.so" "${pages[@]}" \
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

[[ ${1:-} != */* ]] || pythons=()
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
