#!/bin/sh
# Checks the model of the supervisor's protocol (supervisor.pml) with spin, and that spin notices its mutations.
#
#     Tests/model/run.sh           what the gate runs: some small cases, each of them exhaustively
#     Tests/model/run.sh --full    larger cases as well, which take minutes and 2 GB of memory
#
# The exit status is 1 if a case has a fault, or if a mutation has none, and 77 where spin or gcc is missing. What spin
# makes of the model is in build/model. To see how a fault comes about:
#
#     cd build/model/CASE && spin -t -p OPTIONS supervisor.pml
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$here/../../build/model
for tool in spin gcc; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed" >&2; exit 77; }
done

# The cases. Each has the dimensions that its name says, and as little as possible of the others.
one="-DCOMMANDS=1 -DSUPERVISORS=1 -DCHANNELS=1 -DKILLS=0"
messages="$one -DMESSAGES=1"
refused="$one -DMESSAGES=1 -DREFUSALS=1 -DCOPIES=0"
killed="-DCOMMANDS=1 -DCHANNELS=2 -DKILLS=1 -DMESSAGES=0 -DSTARTED=0"
cleanup="-DCOMMANDS=1 -DCHANNELS=3 -DKILLS=1 -DMESSAGES=0 -DFORKS=0 -DCLEANUPS=1"
two="-DCOMMANDS=2 -DSUPERVISORS=1 -DCHANNELS=2 -DKILLS=0 -DMESSAGES=1 -DFORKS=0 -DENDLESS=0 -DSTRANGERS=0 -DCOPIES=0 -DSTARTED=0"
sandbox="-DSANDBOX=1 -DSTRANGERS=0 -DCOPIES=0"
sandbox_messages="$one $sandbox -DMESSAGES=1 -DENDLESS=0"
sandbox_killed="$killed $sandbox"
many_messages="$one -DMESSAGES=2"
killed_with_messages="-DCOMMANDS=1 -DCHANNELS=2 -DKILLS=1 -DMESSAGES=1"

# Makes build/model/NAME/pan: NAME, the options of the model, the options of the compiler.
make_checker() {
  rm -rf "${work:?}/$1" && mkdir -p "$work/$1" && cp "$here/supervisor.pml" "$work/$1"
  # The options are words. shellcheck disable=SC2086
  (cd "$work/$1" && spin -a $2 supervisor.pml >spin.log && gcc -w -o pan $3 -DCOLLAPSE -DMEMLIM=4000 pan.c)
}

# Runs it, and tells whether it has looked at everything that can happen and has found no fault.
passes() {
  log=$work/$1/pan.log
  (cd "$work/$1" && ./pan -m100000 $2 >pan.log 2>&1) || true
  grep -q '^State-vector.* errors: ' "$log" || { cat "$log" >&2; echo "$1: the checker did not come to its end" >&2; exit 1; }
  grep -q 'errors: 0$' "$log" && ! grep -q 'Search not completed' "$log"
}

failed=0
check() {
  make_checker "$1" "$2" "$3"
  if passes "$1" "$4"; then
    echo "$1: $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$log") states, no fault"
  else
    grep '^pan:' "$log" >&2 || true
    echo "$1: A FAULT (options of the model: $2)" >&2
    failed=1
  fi
}

# No assertion fails, and nobody waits for ever except where it should.
holds() { check "$1" "$2" "-O1 -DSAFETY" ""; }
# Everything that happens comes to an end: there is no cycle.
ends() { check "$1-ends" "$2" "-O1 -DNP" -l; }
# A mutation of the model has a fault.
notices() {
  make_checker "$1" "-D$1 $2" "-O0 -DSAFETY"
  if passes "$1" ""; then
    echo "$1: NOT NOTICED (options of the model: $2)" >&2
    failed=1
  else
    echo "$1: noticed: $(sed -n 's/^pan:1: \([a-z ]*\).*/\1/p' "$log")"
  fi
}

holds messages "$messages"
holds refused "$refused"
holds killed "$killed"
holds cleanup "$cleanup"
holds two "$two"
holds sandbox-messages "$sandbox_messages"
holds sandbox-killed "$sandbox_killed"
ends refused "$refused"
ends cleanup "$cleanup"
if [ "${1:-}" = --full ]; then
  holds many-messages "$many_messages"
  holds killed-with-messages "$killed_with_messages"
  holds sandbox-endless "$one $sandbox -DMESSAGES=1"
  ends sandbox-messages "$sandbox_messages"
  ends sandbox-killed "$sandbox_killed"
  ends killed "$killed"
  ends two "$two"
fi

notices CHILD_DOES_NOT_LOOK "$killed"
notices SUPERVISOR_KEEPS_ITS_COPY "$killed"
notices SUPERVISOR_LOOKS_AT_ITS_HOST_FIRST "$cleanup"
notices MONITOR_LOOKS_AT_ITS_HOST_FIRST "$cleanup"
notices PIDFD_IS_NOT_WATCHED "$messages"
notices NEITHER_PIDFD_NOR_SOCKET "$messages"
notices HOST_CLOSES_WITHOUT_SHUTDOWN "$messages"
notices END_IS_NOT_AWAITED "$messages"
notices KILL_HAS_ONE_ROUND "$messages"
notices REFUSED_END_IS_SILENT "$refused"
notices LATE_STOP_IS_KEPT "$two"
notices INIT_DOES_NOT_LOOK "$sandbox_killed"
notices INIT_IS_NOT_BOUND "$sandbox_killed"
notices END_OF_THE_INIT_IS_LOOKED_FOR_LAST "$sandbox_killed"
notices LOST_START_IS_A_FAILURE "$sandbox_killed"
notices CHANNEL_IS_GIVEN_BACK_BEFORE_THE_END "$two"
exit "$failed"
