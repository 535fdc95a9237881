#!/usr/bin/env bash
# Private Docker Engines. A program for tests, and functions for run.sh:
#
#   docker.sh start NAME [--tmpfs SIZE] [--no-images] [dockerd's arguments...]
#                               prints the path of its socket when it answers and has its images;
#                               of an engine that was stopped with --keep or --kill: with its data
#   docker.sh stop NAME         removes its containers, ends it, and leaves nothing behind
#   docker.sh stop NAME --keep  ends it in order (its containers are stopped), and keeps its data
#   docker.sh stop NAME --kill  KILL to dockerd and containerd, as a crash; containers run on
#   docker.sh restart NAME      ends it in order if it runs, and starts it with the same arguments
#
# --tmpfs puts its data on a file system of that size ("64m"), which can be filled.
set -euo pipefail
# shellcheck source=Tests/engines/engines.sh
. "$(dirname "${BASH_SOURCE[0]}")/engines.sh"
# shellcheck source=Tests/engines/images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"

docker_address() { echo "$ENGINES_RUN/$1/docker.sock"; }

# docker_start NAME [--tmpfs SIZE] [--no-images] [dockerd's arguments...]: starts it; docker_await waits for it.
docker_start() {
    local name=$1 place=$ENGINES_RUN/$1
    shift
    [ "$(id -u)" = 0 ] || refuse "a Docker Engine needs root" || return 1
    need dockerd containerd runc docker-init curl busybox "${CC:-gcc}" || return 1
    if daemon_pid "$place" dockerd >/dev/null; then refuse "the engine $name is running" || return 1; fi
    new_place "$name" docker "exec/libnetwork/0123456789ab.sock" || return 1
    save_arguments "$place" "$@"
    docker_launch "$place"
}

docker_launch() {
    local place=$1 saved=() arguments=() i
    mapfile -d '' -t saved <"$place/arguments"
    mkdir -p "$place/data" "$place/exec"
    for ((i = 0; i < ${#saved[@]}; i++)); do
        case ${saved[i]} in
        --tmpfs)
            i=$((i + 1))
            mountpoint -q "$place/data" || mount -t tmpfs -o "size=${saved[i]}" tmpfs "$place/data" || return 1
            ;;
        --no-images) touch "$place/filled" ;;
        *) arguments+=("${saved[i]}") ;;
        esac
    done
    # The engine has its own containerd, because dockerd would otherwise use a running one of the machine.
    cat >"$place/containerd.toml" <<END
version = 2
root = "$place/data/containerd"
state = "$place/exec/c"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$place/c.sock"
END
    echo '{}' >"$place/daemon.json"
    # dockerd takes stale pid files for a running engine.
    rm -f "$place/docker.pid" "$place/docker.sock"
    start_daemon "$place" containerd containerd --config "$place/containerd.toml" --log-level warn
    start_daemon "$place" dockerd dockerd --config-file "$place/daemon.json" --containerd "$place/c.sock" \
        --iptables=false --ip6tables=false --ip-forward=false --bridge=none --data-root "$place/data" --exec-root "$place/exec" \
        --pidfile "$place/docker.pid" -H "unix://$place/docker.sock" ${arguments[@]+"${arguments[@]}"}
}

# docker_certificates DIRECTORY: a CA, a server's certificate for this machine, and client/ as a DOCKER_CERT_PATH.
docker_certificates() (
    mkdir -p "$1/client" && cd "$1" || exit 1
    # certify NAME PURPOSE [ALTERNATIVE NAMES]
    certify() {
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=fw-test $1" \
            -keyout "$1-key.pem" -out "$1.csr" 2>>openssl.log &&
            openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -out "$1.pem" \
                -extfile <(echo "extendedKeyUsage=$2" && [ -z "${3:-}" ] || echo "subjectAltName=$3") 2>>openssl.log
    }
    openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=fw-test CA" \
        -keyout ca-key.pem -out ca.pem 2>>openssl.log &&
        certify server serverAuth DNS:localhost,IP:127.0.0.1 &&
        certify client clientAuth &&
        mv client.pem client/cert.pem && mv client-key.pem client/key.pem && cp ca.pem client/ca.pem ||
        refuse "openssl: $(tail -n 1 openssl.log)"
)

docker_answers() { curl -sf --max-time 5 -o /dev/null --unix-socket "$1/docker.sock" http://engine/_ping; }

# docker_await NAME: waits until the engine answers, and imports its images.
docker_await() {
    local place=$ENGINES_RUN/$1
    # Without its containerd dockerd would wait for a minute before it reports that.
    await_daemon "$place" containerd test -S "$place/c.sock" &&
        await_daemon "$place" dockerd docker_answers "$place" || return 1
    [ -e "$place/filled" ] || { import_images "$place/docker.sock" && touch "$place/filled"; }
}

docker_restart() {
    local place=$ENGINES_RUN/$1
    [ -e "$place/arguments" ] || refuse "there is no engine $1" || return 1
    docker_stop "$1" --keep && docker_launch "$place"
}

# docker_stop NAME [--keep|--kill]
docker_stop() {
    local place=$ENGINES_RUN/$1
    [ -d "$place" ] || return 0
    case ${2:-} in
    --kill)
        end_daemon "$place" dockerd KILL 10 && end_daemon "$place" containerd KILL 10
        ;;
    --keep)
        end_daemon "$place" dockerd TERM 30 && end_daemon "$place" containerd TERM 10
        ;;
    '')
        # A broken engine may not answer; docker_sweep then finds what is left.
        docker_remove_containers "$place" 2>/dev/null || true
        end_daemon "$place" dockerd TERM 20 || true
        end_daemon "$place" containerd TERM 10 || true
        remove_place "$place"
        ;;
    *) refuse "stop takes --keep or --kill, not \"$2\"" ;;
    esac
}

docker_remove_containers() {
    local id
    daemon_pid "$1" dockerd >/dev/null || return 0
    curl -sf --max-time 10 --unix-socket "$1/docker.sock" 'http://engine/containers/json?all=1' |
        { grep -oE '"Id":"[0-9a-f]{64}"' || true; } | cut -d'"' -f4 |
        while read -r id; do
            curl -s --max-time 20 -o /dev/null --unix-socket "$1/docker.sock" -X DELETE "http://engine/containers/$id?force=1&v=1"
        done
}

# Of containers that outlived their engine: processes and control groups by runc, and the shims, which keep
# their sockets in a directory of the machine's.
docker_sweep() {
    local place=$1 state pid id
    for pid in $(engine_pids "$place"); do
        case $(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1) in
        *dockerd | *containerd) kill -KILL "$pid" 2>/dev/null || true ;;
        esac
    done
    for state in "$place"/exec/runtime-runc/*/*/; do
        [ -d "$state" ] || continue
        state=${state%/}
        runc --root "${state%/*}" delete --force "${state##*/}" 2>/dev/null || true
    done
    for pid in $(engine_pids "$place"); do
        id=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -A 1 -x -e -id | tail -n 1) || continue
        kill -KILL "$pid" 2>/dev/null || true
        rm -f "/run/containerd/s/$(printf %s "$place/c.sock/moby/$id" | sha256sum | cut -d' ' -f1)"
    done
}

[ "${BASH_SOURCE[0]}" != "$0" ] || engine_command docker "$@"
