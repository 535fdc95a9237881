#!/usr/bin/env bash
# Chroots of other distributions, in which the tests of packages install what a user installs.
#
#   chroot.sh make NAME [PACKAGE...]           makes the chroot, unless it is there, and prints its folder
#   chroot.sh run [OPTION...] NAME COMMAND...  runs a command in a copy of the chroot, and ends with its status
#     --with "PACKAGE..."   in the chroot that `make NAME PACKAGE...` makes
#     --bind SOURCE:TARGET  a file or a folder of this machine, which the command can read and not change
#     --sh dash|bash|busybox  what /bin/sh is; without it what the distribution has
#     --online              the command has this machine's network; without it there is none, also no localhost
#     --keep SOURCE:TARGET  copies the folder SOURCE of the chroot to the folder TARGET of this machine afterwards
#   chroot.sh usable                           says in one line, with status 77, why no chroot can be used here
#
# NAME is a release: bullseye, bookworm, trixie or sid of Debian, jammy or noble of Ubuntu. The chroots are in
# build/chroots, each whole: one that was not finished is made again. Nothing that a command writes remains, because it
# runs over an overlay in memory. The overlay, /proc and each process are in namespaces of the command, so
# the kernel removes them when it ends, also when this script is killed. debootstrap, which mounts /proc, has its own as well.
set -euo pipefail
CHROOTS=$(realpath -m "${FW_CHROOTS:-$(dirname "$0")/../../build/chroots}")
SELF=$(realpath "$0")
PRIVATE=(unshare --mount --pid --fork --kill-child=KILL)
NAMESPACES=("${PRIVATE[@]}" bash "$SELF" .inside)

# What every chroot has beside Debian's smallest system: a Python that can make virtual environments, and the shells.
BASE=(python3 python3-venv bash busybox)

# A test that cannot run is skipped, but the gate has everything.
unusable() {
  echo "no chroot can be used here: $1" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 77
}

usable() {
  [ "$(id -u)" = 0 ] || unusable "it needs root"
  [ "$(uname -m)" = x86_64 ] || unusable "it needs an x86-64 machine, and this is $(uname -m)"
  command -v debootstrap >/dev/null || unusable "debootstrap is missing (make packages-setup installs it)"
  case $CHROOTS in *[[:space:]]*) unusable "debootstrap needs a path without spaces (FW_CHROOTS can be one), and this is $CHROOTS" ;; esac
  unshare --mount true 2>/dev/null || unusable "this system refuses to make a mount namespace"
}

# The Debian mirror of this machine. Where it has none, debootstrap's own is used.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n '\|/debian/*$|{p;q;}'
}

# debootstrap_new NAME FOLDER
debootstrap_new() {
  local include script ubuntu
  include=$(IFS=,; echo "${BASE[*]}")
  case $1 in
    bullseye | bookworm | trixie | sid)
      # Without a mirror, the last argument must be absent.
      # shellcheck disable=SC2046
      "${PRIVATE[@]}" --mount-proc debootstrap --variant=minbase --include="$include" "$1" "$2" $(mirror)
      ;;
    jammy | noble)
      # An older debootstrap has no script for a newer release, but all releases of Ubuntu have the same one.
      script=/usr/share/debootstrap/scripts/jammy
      ubuntu=$(sed -n 's/^default_mirror //p' "$script")
      "${PRIVATE[@]}" --mount-proc debootstrap --variant=minbase --include="$include" --components=main,universe \
        --keyring="$(folder sid ubuntu-keyring)/usr/share/keyrings/ubuntu-archive-keyring.gpg" "$1" "$2" "$ubuntu" "$script"
      ;;
    *) echo "there is no chroot of the name '$1': bullseye, bookworm, trixie, sid, jammy or noble" >&2; return 1 ;;
  esac
}

# The folder of a chroot with these packages: NAME+PACKAGE+PACKAGE
folder() {
  local IFS=+
  echo "$CHROOTS/$*"
}

# Makes a chroot beside its place, and moves it there when it is whole. One that has more packages is a copy of the one
# that has none.
make_chroot() {
  local name=$1 place log
  shift
  place=$(folder "$name" "$@")
  [ $# = 0 ] || make_chroot "$name" >/dev/null
  # Debian has the keys of Ubuntu's archive, in a package of sid.
  case $name in jammy | noble) make_chroot sid ubuntu-keyring >/dev/null ;; esac
  mkdir -p "$CHROOTS/.layers"
  (
    flock 9
    [ ! -d "$place" ] || exit 0
    log=$place.log
    rm -rf --one-file-system "$place.new"
    echo "making the chroot $(basename "$place")" >&2
    if { if [ $# = 0 ]; then debootstrap_new "$name" "$place.new"
         else with_packages "$CHROOTS/$name" "$place.new" "$@"; fi; } >"$log" 2>&1; then
      mv "$place.new" "$place"
    else
      tail -n 5 "$log" >&2
      echo "the chroot $(basename "$place") could not be made: see $log" >&2
      exit 1
    fi
  ) 9>"$place.lock" || return
  echo "$place"
}

# with_packages BASE FOLDER PACKAGE...
with_packages() {
  cp -a --reflink=auto "$1" "$2"
  cp /etc/resolv.conf "$2/etc/resolv.conf"
  # A mirror may be behind, and the lists of sid are only valid for a week.
  # shellcheck disable=SC2016
  "${NAMESPACES[@]}" --plain "$2" /bin/sh -c \
    'apt-get -o Acquire::Check-Valid-Until=false update -q && DEBIAN_FRONTEND=noninteractive exec apt-get install -y -q --no-install-recommends "$@"' \
    sh "${@:3}" 9>&-
}

# The part that runs in namespaces of its own: [OPTION...] FOLDER COMMAND... With --plain, what the command writes
# remains in the folder.
in_namespaces() {
  local plain="" sh="" offline="" keep="" root
  local binds=()
  while :; do
    case $1 in
      --plain) plain=1; shift ;;
      --offline) offline=1; shift ;;
      --sh) sh=$2; shift 2 ;;
      --bind) binds+=("$2"); shift 2 ;;
      --keep) keep=$2; shift 2 ;;
      *) break ;;
    esac
  done
  root=$1
  shift
  if [ -z "$plain" ]; then
    # The layers are in memory, over a folder of which only this namespace has the mount.
    mount -t tmpfs -o mode=755 none "$CHROOTS/.layers"
    mkdir "$CHROOTS/.layers/"{upper,work,root}
    mount -t overlay overlay -o "lowerdir=${root//:/\\:},upperdir=$CHROOTS/.layers/upper,workdir=$CHROOTS/.layers/work" \
      "$CHROOTS/.layers/root"
    root=$CHROOTS/.layers/root
  fi
  mount -t proc proc "$root/proc"
  case $sh in
    "") ;;
    busybox) ln -sf /bin/busybox "$root/bin/sh" ;;
    *) ln -sf "/bin/$sh" "$root/bin/sh" ;;
  esac
  local bind source target
  for bind in "${binds[@]}"; do
    source=${bind%:*} target=$root${bind##*:}
    mkdir -p "$(dirname "$target")"
    if [ -d "$source" ]; then mkdir -p "$target"; else : >"$target"; fi
    mount --bind "$source" "$target"
    mount -o remount,bind,ro "$target"
  done
  local status=0
  local run=(chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    HOME=/root LANG=C.UTF-8 "$@")
  [ -z "$offline" ] || run=(unshare --net "${run[@]}")
  "${run[@]}" || status=$?
  if [ -n "$keep" ] && [ "$status" = 0 ]; then cp -a "$root${keep%%:*}/." "${keep#*:}"; fi
  return "$status"
}

run() {
  local with=() options=() offline=--offline place
  while :; do
    case ${1:-} in
      --with) read -r -a with <<<"$2"; shift 2 ;;
      --online) offline=""; shift ;;
      --bind | --keep | --sh) options+=("$1" "$2"); shift 2 ;;
      *) break ;;
    esac
  done
  [ $# -ge 2 ] || { echo "usage: chroot.sh run [OPTION...] NAME COMMAND..." >&2; exit 2; }
  place=$(make_chroot "$1" "${with[@]}")
  shift
  # The process that this script is becomes the one with whose death the namespaces end.
  exec "${NAMESPACES[@]}" ${offline:+"$offline"} "${options[@]}" "$place" "$@"
}

case ${1:-} in
  usable) usable ;;
  make) usable; shift; make_chroot "$@" ;;
  run) usable; shift; run "$@" ;;
  .inside) shift; in_namespaces "$@" ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$SELF" >&2; exit 2 ;;
esac
