#!/bin/sh
# Runs a program with groups (cgroups) of its own, which have little memory and get as much of the processors as one
# process, so that the other programs of the machine feel little of what runs there.
#
#     pressure.sh MEGABYTES PROGRAM ARGUMENT
#
# The program is given the argument, the limit in bytes and the folders of the groups, the first of which limits the memory, and moves
# there what it starts. The groups are removed at the end; a process that is left in them is ended, and the status is 1.
# The status is 77 where no groups can be made.
set -u
bytes=$(($1 << 20))
program=$2 argument=$3
name=flowworker-pressure-$$

cannot() {
  echo "no pressure can be made here: $1" >&2
  exit 77
}

# where TYPE OPTION: the folder of a hierarchy of groups
where() {
  awk -v type="$1" -v option="$2" '$3 == type && (option == "" || "," $4 "," ~ "," option ",") { print $2; exit }' /proc/mounts
}

[ "$(id -u)" = 0 ] || cannot "groups (cgroups) with limits need root"
all=$(where cgroup2 "")
memory=$(where cgroup memory)
if [ -n "$memory" ]; then
  cpu=$(where cgroup cpu)
  set -- "$memory/$name" ${cpu:+"$cpu/$name"} ${all:+"$all/$name"}
elif [ -n "$all" ] && grep -q memory "$all/cgroup.controllers" 2>/dev/null; then
  echo "+memory +cpu" >"$all/cgroup.subtree_control" || cannot "the groups of $all have no limits"
  set -- "$all/$name"
else
  cannot "the kernel has no groups (cgroups) that limit memory"
fi

remove() {
  for group in "$@"; do
    while pids=$(cat "$group/cgroup.procs" 2>/dev/null) && [ -n "$pids" ]; do
      # shellcheck disable=SC2086 # a list of numbers
      kill -KILL $pids 2>/dev/null
      left=1
    done
    rmdir "$group" 2>/dev/null
  done
}
left=0
trap 'remove "$@"' EXIT
trap 'exit 1' INT TERM QUIT
mkdir "$@" || cannot "no group can be made in $1"

# give FILE VALUE: sets what a kernel has, whichever of the two kinds of groups it is
group=$1
give() {
  [ ! -e "$group/$1" ] || echo "$2" >"$group/$1" || cannot "$group/$1 cannot be $2"
}
give memory.limit_in_bytes "$bytes"
give memory.memsw.limit_in_bytes "$bytes"
give memory.max "$bytes"
give memory.swap.max 0

status=0
"$program" "$argument" "$bytes" "$@" || status=$?
remove "$@"
trap - EXIT
if [ "$left" != 0 ]; then
  echo "processes were left in $1, and are ended" >&2
  [ "$status" -ne 0 ] || status=1
fi
exit "$status"
