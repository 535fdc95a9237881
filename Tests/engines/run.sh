#!/usr/bin/env bash
# Starts the private engines of the tests, runs the tests with them, and stops them whatever happens.
#
#   run.sh LIBDIR [--only ENGINE,...] [-- COMMAND...]
#
# LIBDIR has libflowworker.so. The engines: one, two (Docker), registry, podman, slurm, s3, sftp, browser; "docker" is one and two.
# Without COMMAND: the C programs of Tests/engines/c, the Python tests of Tests/engines/python, and the programs
# with containers in the documents.
# What cannot be started is said in one line; with CI=true that is a failure, else its variables
# (README.md has them) stay unset and its tests are skipped. The exit status is that of the tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for kind in docker registry podman slurm storage; do
    # shellcheck source=/dev/null
    [ ! -e "$here/$kind.sh" ] || . "$here/$kind.sh"
done

usage() {
    sed -n '4p' "${BASH_SOURCE[0]}" | cut -c3- >&2
    exit 2
}

# --- the engines of a run ------------------------------------------------------------------------
# up_ENGINE starts it and awaits it; give VARIABLE VALUE is what tests find it by. All of them run
# at once. after_ENGINE runs when all are up, in the order of the list: for what needs another engine.
engines=(one two registry podman slurm s3 sftp browser)

give() { printf '%s=%s\n' "$1" "$2" >>"$ENGINES_RUN/$engine/variables"; }

up_one() {
    local port
    port=$(free_port)
    # Without --tls=false dockerd waits 15 seconds because the port is not protected.
    docker_start one --tls=false -H "tcp://127.0.0.1:$port" && docker_await one && import_python "$(docker_address one)" || return 1
    give FW_TEST_DOCKER "unix://$(docker_address one)"
    give FW_TEST_DOCKER_TCP "tcp://127.0.0.1:$port"
}

up_two() {
    local port place=$ENGINES_RUN/two
    port=$(free_port)
    need openssl && new_place two docker tls && docker_certificates "$place/tls" || return 1
    docker_start two --tlsverify --tlscacert "$place/tls/ca.pem" --tlscert "$place/tls/server.pem" \
        --tlskey "$place/tls/server-key.pem" -H "tcp://127.0.0.1:$port" && docker_await two || return 1
    give FW_TEST_DOCKER_TWO "unix://$(docker_address two)"
    give FW_TEST_DOCKER_TLS "tcp://127.0.0.1:$port"
    give FW_TEST_TLS_DIR "$place/tls/client"
}

up_registry() { registry_start registry "$registry_port" && registry_await registry; }

after_registry() {
    grep -q '^FW_TEST_DOCKER=' "$ENGINES_RUN/one/variables" 2>/dev/null ||
        refuse "its images are pushed through engine one, which does not run" || return 1
    registry_fill registry "$(docker_address one)" || return 1
    give FW_TEST_REGISTRY "$(registry_address registry)"
    give FW_TEST_REGISTRY_USER "$REGISTRY_USER"
    give FW_TEST_REGISTRY_PASSWORD "$REGISTRY_PASSWORD"
}

up_podman() {
    podman_start podman --registry "127.0.0.1:$registry_port" && podman_await podman || return 1
    give FW_TEST_PODMAN "unix://$(podman_address podman)"
}

up_slurm() {
    # The scheduler runs every second; by default tests would wait half a minute.
    slurm_start slurm SchedulerParameters=bf_interval=1,sched_interval=1 && slurm_await slurm || return 1
    give FW_TEST_SLURM "$(slurm_address slurm)"
}

up_s3() {
    s3_start s3 && s3_await s3 || return 1
    give FW_TEST_S3 "$(s3_address s3)"
    give FW_TEST_S3_KEYS "$ENGINES_RUN/s3/keys"
    give FW_TEST_S3_PYTHON "$ENGINES_ROOT/build/engines/s3-venv/bin/python"
}

up_sftp() {
    sftp_start sftp && sftp_await sftp || return 1
    give FW_TEST_SFTP "$(sftp_port sftp)"
    give FW_TEST_SFTP_DIR "$ENGINES_RUN/sftp"
}

# There is no daemon, because each test starts its own.
up_browser() {
    need chromium-headless-shell && new_place browser browser x || return 1
    give FW_TEST_BROWSER "$(command -v chromium-headless-shell)"
}
browser_stop() { remove_place "$ENGINES_RUN/$1"; }

# Engines without which CI does not fail, if they are installed and yet cannot be started on a machine.
is_optional() { [ "$1" = podman ] && command -v podman >/dev/null; }

# --- arguments -----------------------------------------------------------------------------------

[ $# -ge 1 ] || usage
libdir=$(cd "$1" && pwd) || exit 2
shift
only=("${engines[@]}") command=()
while [ $# -gt 0 ]; do
    case $1 in
    --only)
        [ $# -ge 2 ] || usage
        IFS=, read -r -a only <<<"${2//docker/one,two}"
        for engine in "${only[@]}"; do
            [[ " ${engines[*]} " == *" $engine "* ]] || refuse "there is no engine $engine; there are: docker ${engines[*]}" || exit 2
        done
        shift 2
        ;;
    --)
        shift
        command=("$@")
        break
        ;;
    *) usage ;;
    esac
done

# --- the end -------------------------------------------------------------------------------------

child=
finish() {
    local status=$?
    trap '' INT TERM HUP
    trap - EXIT
    touch "$ENGINES_RUN/.ending"
    # Engines that are being started notice that, and stop.
    wait
    stop_all || { [ "$status" -ne 0 ] || status=1; }
    rm -rf "$ENGINES_RUN/.why" "$ENGINES_RUN/.ending"
    rmdir "$ENGINES_RUN" || true
    exit "$status"
}

# A signal goes to the command, and when that has ended, the engines are stopped.
interrupted() {
    if [ -n "$child" ]; then
        kill "-$1" -- "-$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    exit $((128 + $2))
}

mkdir -p "$(dirname "$ENGINES_RUN")"
exec 9>"$ENGINES_RUN.lock"
flock -n 9 || {
    echo "waiting for another run to end (FW_ENGINES_RUN=DIRECTORY would give this one its own place)" >&2
    flock 9
}
trap 'finish' EXIT
trap 'interrupted INT 2' INT
trap 'interrupted TERM 15' TERM
trap 'interrupted HUP 1' HUP

# --- the start -----------------------------------------------------------------------------------

unset DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG DOCKER_TLS_VERIFY DOCKER_CERT_PATH
for variable in $(compgen -v FW_TEST_); do unset "$variable"; done

# Removes what an earlier run left that was killed.
rm -f "$ENGINES_RUN/.ending"
stop_all || { echo "what an earlier run left in $ENGINES_RUN cannot be removed" >&2 && exit 1; }
mkdir -p "$ENGINES_RUN/.why"

# attempt STAGE ENGINE: with the reason of a failure in a file of its own.
attempt() {
    local engine=$2
    # A failed command of one engine is the failure of that engine, and does not end the run.
    if ! ("$1_$engine") 2>"$ENGINES_RUN/.why/$engine"; then
        [ -e "$ENGINES_RUN/.ending" ] || echo "$engine: cannot be started: $(tail -n 1 "$ENGINES_RUN/.why/$engine")" >&2
        touch "$ENGINES_RUN/.why/$engine.failed"
        rm -f "$ENGINES_RUN/$engine/variables"
    fi
}

# Podman must know the registry before that runs.
registry_port=$(free_port)
starting=()
for engine in "${only[@]}"; do
    attempt up "$engine" 9>&- &
    starting+=($!)
done
wait "${starting[@]}"
for engine in "${only[@]}"; do
    if [ ! -e "$ENGINES_RUN/.why/$engine.failed" ] && declare -F "after_$engine" >/dev/null; then attempt after "$engine"; fi
done

is_complete=yes
for engine in "${only[@]}"; do
    if [ -e "$ENGINES_RUN/.why/$engine.failed" ]; then
        if is_optional "$engine"; then echo "$engine: may be missing on a machine where it cannot be started" >&2; else is_complete=; fi
        if [ -e "$ENGINES_RUN/$engine/kind" ]; then "$(cat "$ENGINES_RUN/$engine/kind")_stop" "$engine"; fi
    elif [ -e "$ENGINES_RUN/$engine/variables" ]; then
        while IFS='=' read -r variable value; do export "$variable=$value"; done <"$ENGINES_RUN/$engine/variables"
    fi
done
[ -n "$is_complete" ] || [ "${CI:-}" != true ] || exit 1
export FW_TEST_ENGINES=$here FW_ENGINES_RUN=$ENGINES_RUN

# --- the tests -----------------------------------------------------------------------------------

# Not in the background with a terminal, so that a shell can be the command.
run_command() {
    local status=0
    if [ -t 0 ]; then
        "$@" 9>&- || status=$?
    else
        # The command has its own process group, so that it can be signalled, and SIGINT is not ignored as in other
        # background commands.
        set -m
        "$@" 9>&- &
        child=$!
        set +m
        wait "$child" || status=$?
        child=
    fi
    return $status
}

status=0
if [ "${#command[@]}" -gt 0 ]; then
    run_command "${command[@]}" || status=$?
else
    cd "$ENGINES_ROOT"
    run_command Tests/c/run.sh "$libdir" --from Tests/engines/c || status=$?
    run_command env PYTHONPATH=bindings/python FLOWWORKER_LIBRARY="$libdir/libflowworker.so" \
        "${PYTHON:-python3}" -m pytest -q Tests/engines/python || status=$?
    if [ -n "${FW_TEST_DOCKER:-}" ]; then
        # The image that the programs of the documents use.
        docker -H "$FW_TEST_DOCKER" tag fw-test/busybox:1 busybox:latest
        run_command "${PYTHON:-python3}" Tests/documents/run.py --lib "$libdir" --engine || status=$?
    fi
fi
exit "$status"
