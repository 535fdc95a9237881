#!/usr/bin/env bash
# Tests of chroot.sh: a command has the system of its release and no network, and nothing of it remains, also when it is killed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
chroot=$here/chroot.sh
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$chroot" usable || exit
folder=$("$chroot" make bookworm) || exit 1
passed=0 failed=0

check() {
  local name=$1
  shift
  if "$@" >"$place/log" 2>&1; then passed=$((passed + 1)); echo "ok      $name"; else
    failed=$((failed + 1)); echo "FAILED  $name"; sed 's/^/        /' "$place/log"
  fi
}

prints() {
  local expected=$1 found
  shift
  found=$("$@")
  [ "$found" = "$expected" ] || { echo "it printed '$found', and not '$expected'"; return 1; }
}

ends_with_its_status() {
  local status=0
  "$chroot" run bookworm sh -c 'exit 7' || status=$?
  [ "$status" = 7 ]
}

leaves_no_change() {
  "$chroot" run bookworm sh -c 'echo changed >/etc/debian_version; mkdir /made' &&
    [ ! -e "$folder/made" ] && prints 12 "$chroot" run bookworm sh -c 'cut -d. -f1 /etc/debian_version'
}

has_no_network() {
  prints lo "$chroot" run bookworm python3 -c 'import socket; print(*[name for _, name in socket.if_nameindex()])'
}

cannot_change_what_it_is_given() {
  echo mine >"$place/file"
  prints mine "$chroot" run --bind "$place:/mnt/given" bookworm cat /mnt/given/file &&
    ! "$chroot" run --bind "$place:/mnt/given" bookworm sh -c 'echo other >/mnt/given/file' && [ "$(cat "$place/file")" = mine ]
}

has_the_shell() {
  local shell
  for shell in dash bash busybox; do prints "/bin/$shell" "$chroot" run --sh "$shell" bookworm readlink /bin/sh || return 1; done
}

keeps_what_was_made() {
  mkdir "$place/kept"
  "$chroot" run --keep "/made:$place/kept" bookworm sh -c 'mkdir /made; echo content >/made/file' &&
    [ "$(cat "$place/kept/file")" = content ]
}

# The process of chroot.sh is killed while its command runs; then neither a process nor a mount is left.
leaves_nothing_when_killed() {
  local mark="chroot_test_$$_mark" pid
  "$chroot" run bookworm sh -c "echo begun; sleep 600 # $mark" >"$place/begun" &
  pid=$!
  until [ -s "$place/begun" ]; do kill -0 $pid || return 1; sleep 0.1; done
  kill -KILL $pid
  wait $pid
  while grep -lq "$mark" /proc/[0-9]*/cmdline 2>/dev/null; do sleep 0.1; done
  ! grep -q "$folder" /proc/self/mountinfo && [ -z "$(ls "$folder/proc")" ] &&
    [ -z "$(ls "$(dirname "$folder")/.layers")" ]
}

# The same for the making of a chroot, while debootstrap has something mounted there.
making_leaves_no_mount_when_killed() {
  local pid
  mkdir "$place/bin"
  printf '#!/bin/sh\nmkdir -p "$4" && mount -t tmpfs none "$4" && echo begun >%s/made && sleep 600\n' "$place" \
    >"$place/bin/debootstrap"
  chmod +x "$place/bin/debootstrap"
  PATH=$place/bin:$PATH FW_CHROOTS=$place/chroots setsid "$chroot" make trixie &
  pid=$!
  until [ -s "$place/made" ]; do kill -0 $pid || return 1; sleep 0.1; done
  kill -KILL -- -$pid
  wait $pid
  while grep -lq "$place/bin/debootstrap" /proc/[0-9]*/cmdline 2>/dev/null; do sleep 0.1; done
  ! umount "$place/chroots/trixie.new" 2>/dev/null
}

refuses_an_unknown_release() {
  ! "$chroot" make nonesuch 2>"$place/said" && grep -q "there is no chroot of the name 'nonesuch'" "$place/said"
}

refuses_a_path_with_spaces() {
  local status=0
  CI="" FW_CHROOTS="$place/a b" "$chroot" make trixie 2>"$place/said" || status=$?
  [ "$status" = 77 ] && grep -q "needs a path without spaces.*/a b$" "$place/said" && [ ! -e "$place/a b" ]
}

check "a command ends with its status" ends_with_its_status
check "a command changes nothing" leaves_no_change
check "a command has no network" has_no_network
check "a command cannot change what it is given" cannot_change_what_it_is_given
check "/bin/sh is the shell that is asked for" has_the_shell
check "a folder can be kept" keeps_what_was_made
check "nothing is left when it is killed" leaves_nothing_when_killed
check "no mount is left when the making is killed" making_leaves_no_mount_when_killed
check "an unknown release is refused" refuses_an_unknown_release
check "a path with spaces is refused" refuses_a_path_with_spaces
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
