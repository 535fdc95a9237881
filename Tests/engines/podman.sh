#!/usr/bin/env bash
# Private services of Podman's Docker-compatible API. A program for tests, and functions for run.sh:
#
#   podman.sh start NAME [--registry HOST:PORT] [--no-images]    prints the path of its socket when it answers;
#                                of one that was stopped with --keep or --kill: with its data
#   podman.sh stop NAME         removes its containers, ends it, and leaves nothing behind
#   podman.sh stop NAME --keep  ends the service only: containers of Podman do not need it
#   podman.sh stop NAME --kill  the same by KILL
#   podman.sh restart NAME      ends it in order if it runs, and starts it with the same arguments
#
# --registry names a registry that is spoken to without TLS.
set -euo pipefail
# shellcheck source=Tests/engines/engines.sh
. "$(dirname "${BASH_SOURCE[0]}")/engines.sh"
# shellcheck source=Tests/engines/images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"

podman_address() { echo "$ENGINES_RUN/$1/podman.sock"; }

podman_start() {
    local name=$1 place=$ENGINES_RUN/$1
    shift
    [ "$(id -u)" = 0 ] || refuse "a Podman service needs root here" || return 1
    need podman conmon runc curl busybox "${CC:-gcc}" || return 1
    if daemon_pid "$place" podman >/dev/null; then refuse "the engine $name is running" || return 1; fi
    new_place "$name" podman podman.sock || return 1
    save_arguments "$place" "$@"
    podman_launch "$place"
}

podman_launch() {
    local place=$1 saved=() registry='' i
    mapfile -d '' -t saved <"$place/arguments"
    for ((i = 0; i < ${#saved[@]}; i++)); do
        case ${saved[i]} in
        --registry)
            i=$((i + 1))
            registry=${saved[i]:-}
            ;;
        --no-images) touch "$place/filled" ;;
        *) refuse "podman.sh start does not know ${saved[i]}" || return 1 ;;
        esac
    done
    podman_configure "$place" "$registry" || return 1
    rm -f "$place/podman.sock"
    start_daemon "$place" podman env "${podman_environment[@]}" podman "${podman_arguments[@]}" \
        system service --time 0 "unix://$place/podman.sock"
}

# Prints the smaller one of a limit of this shell and the kernel's.
limit_within() {
    local limit
    limit=$(ulimit "$1")
    if [ "$limit" = unlimited ] || [ "$limit" -gt "$2" ]; then limit=$2; fi
    echo "$limit"
}

# Sets podman_environment and podman_arguments, with which every podman of a place is run.
podman_settings() {
    local place=$1
    podman_environment=("CONTAINERS_CONF=$place/containers.conf" "CONTAINERS_STORAGE_CONF=$place/storage.conf"
        "CONTAINERS_REGISTRIES_CONF=$place/registries.conf" "REGISTRY_AUTH_FILE=$place/auth.json" "TMPDIR=$place/tar")
    podman_arguments=(--root "$place/data" --runroot "$(cat "$place/runroot" 2>/dev/null || true)" --tmpdir "$place/tmp"
        --cgroup-manager cgroupfs --runtime-flag "root=$place/runc")
}

podman_configure() {
    local place=$1 registry=$2 nofile nproc short
    mkdir -p "$place/run" "$place/tar" # imported tars would stay in /var/tmp
    # Podman limits the length of this path, so a short symbolic link leads there. podman_sweep removes it.
    if [ ! -e "$place/runroot" ]; then
        short=$place/run
        if [ "${#short}" -gt 50 ]; then
            short=$(mktemp -d /run/fw-test.XXXXXX)/run && ln -s "$place/run" "$short" || return 1
        fi
        echo "$short" >"$place/runroot"
    fi
    podman_settings "$place"
    # Without CAP_SYS_RESOURCE, root may not have the limits that Podman would set.
    nofile=$(limit_within -Hn "$(cat /proc/sys/fs/nr_open)")
    nproc=$(limit_within -Hu "$(cat /proc/sys/kernel/pid_max)")
    # No systemd, and nothing of the machine's: locks in files and not in shared memory. crun refuses
    # machines with both versions of control groups; runc is there for Docker anyway.
    cat >"$place/containers.conf" <<END
[containers]
netns = "none"
default_sysctls = []
default_ulimits = ["nofile=$nofile:$nofile", "nproc=$nproc:$nproc"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
END
    # This API puts containers into the default network, whatever netns says. The default network here has only a
    # loopback device, because a bridge would be a device of the machine, with rules in its firewall.
    if [ "$(podman --version | grep -oE '[0-9]+' | head -n 1)" -lt 5 ]; then
        mkdir -p "$place/networks"
        cat >>"$place/containers.conf" <<END
[network]
network_backend = "cni"
network_config_dir = "$place/networks"
default_network = "podman"
END
        echo '{"cniVersion": "0.4.0", "name": "podman", "plugins": [{"type": "loopback"}]}' >"$place/networks/podman.conflist"
    fi
    printf '[storage]\ndriver = "overlay"\nrunroot = "%s"\ngraphroot = "%s"\n' "$place/run" "$place/data" >"$place/storage.conf"
    # Short names are Docker's, as a client of its API expects.
    echo 'unqualified-search-registries = ["docker.io"]' >"$place/registries.conf"
    [ -z "$registry" ] || printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$registry" >>"$place/registries.conf"
    echo '{}' >"$place/auth.json"
}

podman_answers() { curl -sf --max-time 5 -o /dev/null --unix-socket "$1/podman.sock" http://engine/_ping; }

# podman_await NAME: until it answers; then it gets its images, and shows that it can run a container: a
# service that answers may still not be able to on this machine.
podman_await() {
    local place=$ENGINES_RUN/$1
    await_daemon "$place" podman podman_answers "$place" || return 1
    [ ! -e "$place/filled" ] || return 0
    import_images "$place/podman.sock" && podman_try "$place/podman.sock" && touch "$place/filled"
}

podman_try() {
    local answer
    engine_call "$1" POST '/v1.41/containers/create?name=fw-test-try' -H 'Content-Type: application/json' \
        -d '{"Image": "fw-test/busybox:1", "Cmd": ["true"], "HostConfig": {"Init": true}}' >/dev/null &&
        engine_call "$1" POST /v1.41/containers/fw-test-try/start >/dev/null &&
        answer=$(engine_call "$1" POST /v1.41/containers/fw-test-try/wait) &&
        engine_call "$1" DELETE '/v1.41/containers/fw-test-try?force=1' >/dev/null || return 1
    [[ $answer == *'"StatusCode":0'* ]] || refuse "a container that does nothing ended with: $answer"
}

podman_restart() {
    local place=$ENGINES_RUN/$1
    [ -e "$place/arguments" ] || refuse "there is no engine $1" || return 1
    podman_stop "$1" --keep && podman_launch "$place"
}

# podman_stop NAME [--keep|--kill]
podman_stop() {
    local place=$ENGINES_RUN/$1
    [ -d "$place" ] || return 0
    case ${2:-} in
    --kill) end_daemon "$place" podman KILL 10 ;;
    --keep) end_daemon "$place" podman TERM 10 ;;
    '')
        end_daemon "$place" podman TERM 10 || true
        remove_place "$place"
        ;;
    *) refuse "stop takes --keep or --kill, not \"$2\"" ;;
    esac
}

# Containers outlive the service: Podman removes its containers, and runc removes those that Podman does not know.
podman_sweep() {
    local place=$1 state short
    podman_settings "$place"
    if [ -e "$place/containers.conf" ] && [ -d "$place/data" ]; then
        timeout --kill-after=5 30 env "${podman_environment[@]}" podman "${podman_arguments[@]}" \
            rm --all --force --time 0 >/dev/null 2>&1 || true
    fi
    for state in "$place"/runc/*/; do
        [ ! -d "$state" ] || runc --root "$place/runc" delete --force "$(basename "$state")" 2>/dev/null || true
    done
    short=$(cat "$place/runroot" 2>/dev/null || true)
    if [[ $short == /run/fw-test.* ]] && [ -L "$short" ]; then rm -f "$short" && rmdir "${short%/*}"; fi
}

[ "${BASH_SOURCE[0]}" != "$0" ] || engine_command podman "$@"
