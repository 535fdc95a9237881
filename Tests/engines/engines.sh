# What all private engines have in common: where their state is, how a daemon is started, awaited and
# ended, and how everything that an engine leaves behind is found and removed. To be sourced.
#
# An engine NAME of some KIND lives in $ENGINES_RUN/NAME, and nothing of it is anywhere else but
# what KIND_sweep removes. Its daemons carry that directory in their arguments: by this, and not by a
# number in a file alone, a process is known to be ours.
# shellcheck shell=bash

ENGINES_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ENGINES_ROOT=$(cd "$ENGINES_HERE/../.." && pwd)
# ENGINES_RUN may be set for a second run at the same time, or if the checkout's path is too long for sockets.
ENGINES_RUN=${FW_ENGINES_RUN:-$ENGINES_ROOT/build/engines/run}
# shellcheck disable=SC2034 # for the scripts that read this one
ENGINES_IMAGES=$ENGINES_ROOT/build/engines/images
# shellcheck disable=SC2034
ENGINES_REQUIREMENTS=$ENGINES_ROOT/Tests/python-requirements.txt
case $ENGINES_RUN in
/*[[:space:]]* | [!/]*) echo "engines need an absolute path without spaces: \"$ENGINES_RUN\"" >&2 && exit 2 ;;
esac
# The limit in seconds for everything that an engine does.
ENGINES_TIMEOUT=${ENGINES_TIMEOUT:-60}
# The programs of engines. No other process is ever ended because of its arguments.
ENGINES_PROGRAMS=' munged slurmctld slurmd slurmstepd dockerd containerd containerd-shim-runc-v2 podman conmon docker-registry sshd s3.py '

# --- errors --------------------------------------------------------------------------------------

# Says in one line why something is not possible, and fails.
refuse() {
    echo "$*" >&2
    return 1
}

# need PROGRAM...: fails unless each of them is there.
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null ||
            refuse "$program is not installed (Tests/engines/setup.sh installs it)" || return 1
    done
}

# Prints the last line of a daemon's log that gives an error.
last_words() {
    local line
    line=$(tail -n 40 "$1" 2>/dev/null | grep -iE 'fatal|error|failed|cannot|unknown|invalid' | tail -n 1)
    [ -n "$line" ] || line=$(tail -n 1 "$1" 2>/dev/null)
    echo "${line:-(it wrote nothing)}" | cut -c1-400
}

# --- waiting -------------------------------------------------------------------------------------

# await SECONDS COMMAND...: until the command succeeds. Fails after so many seconds, and at once when the run ends.
await() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        [ ! -e "$ENGINES_RUN/.ending" ] || [ -n "${ENGINES_ENDING:-}" ] || return 1
        sleep 0.05
    done
}

# --- places --------------------------------------------------------------------------------------

# new_place NAME KIND LONGEST: makes the directory of an engine. LONGEST is the longest name of a socket in it.
new_place() {
    local name=$1 kind=$2 longest=$3 place=$ENGINES_RUN/$1 spare
    case $name in '' | *[!a-z0-9-]* | -*) refuse "an engine's name has letters, digits and '-': \"$name\"" || return 1 ;; esac
    spare=$((107 - ${#place} - 1 - ${#longest}))
    [ "$spare" -ge 0 ] ||
        refuse "$place is too long by ${spare#-} bytes, because a socket's path has at most 107: use a checkout with a" \
            "shorter path, or set FW_ENGINES_RUN to a short directory of your own" || return 1
    mkdir -p "$place" && echo "$kind" >"$place/kind"
}

# save_arguments PLACE [ARGUMENT...]: for a restart. An engine that is started again without any has those of before.
save_arguments() {
    local place=$1
    shift
    if [ $# -gt 0 ]; then printf '%s\0' "$@" >"$place/arguments"; else touch "$place/arguments"; fi
}

# Prints a free port of 127.0.0.1 below the range from which the kernel chooses.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# --- processes -----------------------------------------------------------------------------------

# start_daemon PLACE ID COMMAND...: starts it in a session of its own, with PLACE/ID.log and PLACE/ID.pid.
start_daemon() {
    local place=$1 id=$2
    shift 2
    (
        cd / || exit 1
        # The daemon inherits no descriptor: neither a lock nor a pipe that a reader reads to its end.
        for descriptor in /proc/self/fd/*; do
            descriptor=${descriptor##*/}
            [ "$descriptor" -le 2 ] || eval "exec $descriptor>&-"
        done 2>/dev/null
        setsid "$@" >>"$place/$id.log" 2>&1 </dev/null &
        echo $! >"$place/$id.pid"
    )
}

# Whether a process runs. A zombie does not run.
is_running() {
    local stat=
    { read -r -d '' stat <"/proc/$1/stat" || [ -n "$stat" ]; } 2>/dev/null || return 1
    stat=${stat##*) }
    [ "${stat:0:1}" != Z ] && [ "${stat:0:1}" != X ]
}

is_gone() { ! is_running "$1"; }

# is_engine PID PLACE: whether it is a program of an engine, with our directory in its arguments.
is_engine() {
    local arguments=()
    { mapfile -d '' -t arguments <"/proc/$1/cmdline"; } 2>/dev/null
    [ "${#arguments[@]}" -gt 0 ] || return 1
    local program=${arguments[0]##*/}
    # An SSH server overwrites its arguments with its state, and the first argument of a script is its interpreter.
    [[ ${arguments[0]} != "sshd: "* ]] || program=sshd
    [[ $program != python* ]] || program=${arguments[1]##*/}
    [[ $ENGINES_PROGRAMS == *" $program "* ]] || return 1
    [[ "${arguments[*]}" == *"$2/"* ]] && is_running "$1"
}

# Prints the process in PLACE/ID.pid, if it runs and belongs to that engine.
daemon_pid() {
    local pid
    { read -r pid <"$1/$2.pid"; } 2>/dev/null || return 1
    [ -n "$pid" ] && is_engine "$pid" "$1" && echo "$pid"
}

# end_daemon PLACE ID SIGNAL SECONDS: ends it, by KILL after so many seconds, and waits until it is gone.
end_daemon() {
    local pid
    # A process that has just been forked has not executed its program yet.
    [ ! -e "$1/$2.pid" ] || ENGINES_ENDING=yes await 1 daemon_is_program "$1" "$2" || true
    if pid=$(daemon_pid "$1" "$2"); then
        kill "-$3" "$pid" 2>/dev/null || true
        ENGINES_ENDING=yes await "$4" is_gone "$pid" || {
            kill -KILL "$pid" 2>/dev/null || true
            ENGINES_ENDING=yes await 10 is_gone "$pid" || refuse "$1: process $pid does not end" || return 1
        }
    fi
    rm -f "$1/$2.pid"
}

# await_daemon PLACE ID COMMAND...: until the command succeeds; fails with its last words when the daemon ends before.
await_daemon() {
    local place=$1 id=$2
    shift 2
    answers_or_ended() { "$@" 2>/dev/null || ! daemon_pid "$place" "$id" >/dev/null; }
    # For a moment, a daemon that has just been forked has not executed its program yet.
    await 5 daemon_is_program "$place" "$id" || true
    await "$ENGINES_TIMEOUT" answers_or_ended "$@" || refuse "no answer in $ENGINES_TIMEOUT seconds: $(last_words "$place/$id.log")" || return 1
    daemon_pid "$place" "$id" >/dev/null || refuse "$(last_words "$place/$id.log")"
}

daemon_is_program() {
    local pid
    { read -r pid <"$1/$2.pid"; } 2>/dev/null && { is_engine "$pid" "$1" || is_gone "$pid"; }
}

# The engine processes with this place in their arguments, whether a pid file names them or not.
engine_pids() {
    local file pid
    for file in $(grep -lF -- "$1/" /proc/[0-9]*/cmdline 2>/dev/null); do
        pid=${file#/proc/} pid=${pid%/cmdline}
        is_engine "$pid" "$1" && echo "$pid"
    done
    return 0
}

# The processes in containers of this place: those whose root directory is made of something in it.
container_pids() {
    local file pid
    for file in $(grep -lF -- "$1/" /proc/[0-9]*/mountinfo 2>/dev/null); do
        pid=${file#/proc/} pid=${pid%/mountinfo}
        awk -v place="$1/" '$5 == "/" && index($0, place) { found = 1 } END { exit !found }' "$file" 2>/dev/null &&
            is_running "$pid" && echo "$pid"
    done
    return 0
}

has_no_processes() { [ -z "$(engine_pids "$1")$(container_pids "$1")" ]; }

# Ends what is left of an engine's processes, by KILL, until there are none.
end_processes() {
    local pid round
    for round in 1 2 3 4 5; do
        for pid in $(engine_pids "$1") $(container_pids "$1"); do
            kill -KILL "$pid" 2>/dev/null || true
        done
        ENGINES_ENDING=yes await 2 has_no_processes "$1" && return 0
    done
    refuse "$1: processes do not end: $(engine_pids "$1" | tr '\n' ' ')$(container_pids "$1" | tr '\n' ' ')($round rounds)"
}

# --- mounts and data -----------------------------------------------------------------------------

# The mount points below a place, the last one first.
mounts_below() {
    awk -v place="$1/" 'index($5 "/", place) == 1 { print $5 }' /proc/self/mountinfo | tac
}

remove_mounts() {
    local point
    # A directory may be mounted over itself several times, and each line is one mount.
    mounts_below "$1" | while read -r point; do
        umount "$point" 2>/dev/null || umount --lazy "$point" 2>/dev/null || true
    done
    [ -z "$(mounts_below "$1")" ] || refuse "$1: mounts that cannot be removed: $(mounts_below "$1" | tr '\n' ' ')"
}

# Removes everything of an engine: what KIND_sweep knows of, its processes, its mounts, its data.
remove_place() {
    local place=$1 kind
    [ -d "$place" ] || return 0
    kind=$(cat "$place/kind" 2>/dev/null) || kind=
    if [ -n "$kind" ] && declare -F "${kind}_sweep" >/dev/null; then "${kind}_sweep" "$place"; fi
    end_processes "$place" && remove_mounts "$place" && rm -rf --one-file-system "$place"
}

# stop_all: ends every engine that is in the run directory, all at once, whoever has started it.
stop_all() {
    local place kind waiting=() status=0 job
    for place in "$ENGINES_RUN"/*/; do
        place=${place%/}
        [ -d "$place" ] || continue
        kind=$(cat "$place/kind" 2>/dev/null) || kind=
        # A directory without an engine's files is left alone, unless it was made just now.
        if [ -z "$kind" ] || ! declare -F "${kind}_stop" >/dev/null; then
            rmdir "$place" 2>/dev/null || true
            continue
        fi
        "${kind}_stop" "${place##*/}" &
        waiting+=($!)
    done
    for job in ${waiting[@]+"${waiting[@]}"}; do wait "$job" || status=1; done
    return $status
}

# --- commands ------------------------------------------------------------------------------------

# engine_command KIND start|restart|stop NAME ...: what KIND.sh does as a program.
engine_command() {
    local kind=$1 verb=${2:-} name=${3:-} is_new=yes
    shift $(($# < 3 ? $# : 3))
    case $verb in
    start | restart)
        [ ! -e "$ENGINES_RUN/$name/kind" ] || is_new=
        "${kind}_$verb" "$name" "$@" && "${kind}_await" "$name" && "${kind}_address" "$name" && return 0
        # A failed first start leaves nothing; an engine that existed before keeps its data.
        [ -z "$is_new" ] || "${kind}_stop" "$name"
        return 1
        ;;
    stop) "${kind}_stop" "$name" "$@" ;;
    *) refuse "usage: $kind.sh start|restart|stop NAME [ARGUMENTS...]" ;;
    esac
}
