#!/usr/bin/env bash
# Private Slurm clusters of one node: munged, slurmctld and slurmd. A program for tests, and functions for run.sh:
#
#   slurm.sh start NAME [LINE...]   prints the path of its slurm.conf when its node takes jobs; each LINE is added to that
#   slurm.sh stop NAME              ends it with all its jobs, and leaves nothing behind
#   slurm.sh stop NAME --keep       or --kill: ends its daemons, in order or by KILL, and keeps its state
#   slurm.sh restart NAME           ends them in order if they run, and starts them with the same state
#   slurm.sh node NAME kill|start   the node's daemon alone: by KILL, and again
set -euo pipefail
# shellcheck source=Tests/engines/engines.sh
. "$(dirname "${BASH_SOURCE[0]}")/engines.sh"

# Some of the programs are in directories that only root's PATH has.
PATH=$PATH:/usr/sbin:/sbin
# The node reports these processors and this memory in MB, whatever the machine has.
SLURM_CPUS=4 SLURM_MEMORY=4000

slurm_address() { echo "$ENGINES_RUN/$1/slurm.conf"; }

slurm_start() {
    local name=$1 place=$ENGINES_RUN/$1
    shift
    [ "$(id -u)" = 0 ] || refuse "a Slurm needs root here" || return 1
    need munged slurmctld slurmd srun scontrol || return 1
    if daemon_pid "$place" slurmctld >/dev/null; then refuse "the cluster $name is running" || return 1; fi
    new_place "$name" slurm munge.socket || return 1
    save_arguments "$place" "$@"
    [ -e "$place/slurm.conf" ] || slurm_configure "$place" || return 1
    slurm_launch "$place"
}

slurm_configure() {
    local place=$1 node extra=()
    node=$(hostname -s)
    mkdir -p "$place/state" "$place/spool" "$place/munge"
    chmod 755 "$place" && chmod 700 "$place/munge" || return 1
    head -c 1024 /dev/urandom >"$place/munge/key" && chmod 400 "$place/munge/key" || return 1
    mapfile -d '' -t extra <"$place/arguments"
    cat >"$place/slurm.conf" <<CONF
ClusterName=fw-test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$place/munge.socket
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool
SlurmctldPidFile=$place/slurmctld.own.pid
SlurmdPidFile=$place/slurmd.own.pid
MpiDefault=none
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
DefMemPerCPU=100
ReturnToService=2
KillWait=2
MessageTimeout=5
SlurmdTimeout=5
MinJobAge=60
OverTimeLimit=0
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
NodeName=$node NodeAddr=127.0.0.1 CPUs=$SLURM_CPUS RealMemory=$SLURM_MEMORY State=UNKNOWN
PartitionName=main Nodes=$node Default=YES MaxTime=60 State=UP PriorityTier=1 OverSubscribe=FORCE:8
PartitionName=second Nodes=$node MaxTime=60 State=UP PriorityTier=1
PartitionName=urgent Nodes=$node MaxTime=60 State=UP PriorityTier=10
CONF
    [ ${#extra[@]} -eq 0 ] || printf '%s\n' "${extra[@]}" >>"$place/slurm.conf"
}

slurm_launch() {
    local place=$1
    start_daemon "$place" munged munged --foreground --force "--key-file=$place/munge/key" "--socket=$place/munge.socket" \
        "--pid-file=$place/munge/pid" "--log-file=$place/munge/log" "--seed-file=$place/munge/seed"
    await 10 [ -S "$place/munge.socket" ] || refuse "munged: $(last_words "$place/munged.log")" || return 1
    start_daemon "$place" slurmctld slurmctld -D -i -f "$place/slurm.conf"
    slurm_node "$place" start
}

# slurm_node PLACE kill|start
slurm_node() {
    case $2 in
    start) start_daemon "$1" slurmd slurmd -D -f "$1/slurm.conf" -N "$(hostname -s)" ;;
    kill) end_daemon "$1" slurmd KILL 10 ;;
    *) refuse "node takes kill or start, not \"$2\"" ;;
    esac
}

slurm_answers() { [[ $(SLURM_CONF=$1/slurm.conf sinfo --noheader --format %T --partition main) == idle ]]; }

slurm_await() { await_daemon "$ENGINES_RUN/$1" slurmctld slurm_answers "$ENGINES_RUN/$1"; }

slurm_restart() {
    local place=$ENGINES_RUN/$1
    [ -e "$place/arguments" ] || refuse "there is no cluster $1" || return 1
    slurm_stop "$1" --keep && slurm_launch "$place"
}

# slurm_end PLACE SIGNAL
slurm_end() {
    local id
    for id in slurmd slurmctld munged; do end_daemon "$1" "$id" "$2" 10 || return 1; done
}

# slurm_stop NAME [--keep|--kill]
slurm_stop() {
    local place=$ENGINES_RUN/$1
    [ -d "$place" ] || return 0
    case ${2:-} in
    --kill) slurm_end "$place" KILL ;;
    --keep) slurm_end "$place" TERM ;;
    '')
        slurm_end "$place" TERM || true
        remove_place "$place"
        ;;
    *) refuse "stop takes --keep or --kill, not \"$2\"" ;;
    esac
}

# What runs a step is a process of its own, which outlives the node's daemon and has no place in its arguments: it is
# known by its socket in the node's spool.
slurm_step_pids() {
    local inode file
    for inode in $(awk -v place="$1/spool/" 'index($8, place) == 1 { print $7 }' /proc/net/unix); do
        for file in /proc/[0-9]*/fd/*; do
            [ "$(readlink "$file" 2>/dev/null)" != "socket:[$inode]" ] || echo "$file" | cut -d/ -f3
        done
    done | sort -u
}

slurm_sweep() {
    local pid
    for pid in $(slurm_step_pids "$1"); do
        # Its tasks end with it, or are of the tests, which end their own.
        kill -KILL "$pid" 2>/dev/null || true
    done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1:-} in
    node) slurm_node "$ENGINES_RUN/$2" "$3" ;;
    *) engine_command slurm "$@" ;;
    esac
fi
