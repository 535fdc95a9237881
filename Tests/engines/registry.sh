#!/usr/bin/env bash
# Private registries with a password. A program for tests, and functions for run.sh:
#
#   registry.sh start NAME [PORT]   prints its address, 127.0.0.1:PORT, when it answers
#   registry.sh stop NAME           ends it, and leaves nothing behind
#   registry.sh stop NAME --keep    or --kill: ends it, in order or by KILL, and keeps its data
#   registry.sh restart NAME        ends it in order if it runs, and starts it at the same address
set -euo pipefail
# shellcheck source=Tests/engines/engines.sh
. "$(dirname "${BASH_SOURCE[0]}")/engines.sh"
# shellcheck source=Tests/engines/images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"

# A space and a colon, because headers and separators are made of these.
REGISTRY_USER=worker
REGISTRY_PASSWORD='open sesame:1'

registry_address() { echo "127.0.0.1:$(tr -d '\0' <"$ENGINES_RUN/$1/arguments")"; }

registry_start() {
    local name=$1 place=$ENGINES_RUN/$1
    shift
    need docker-registry perl curl || return 1
    if daemon_pid "$place" registry >/dev/null; then refuse "the registry $name is running" || return 1; fi
    new_place "$name" registry '' || return 1
    [ $# -gt 0 ] || [ -s "$place/arguments" ] || set -- "$(free_port)"
    save_arguments "$place" "$@"
    registry_launch "$place"
}

registry_launch() {
    local place=$1 salt
    # Registries take bcrypt and nothing else, which perl has from the C library; it is in every Debian.
    salt=$(head -c 300 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c1-21).
    printf '%s:%s\n' "$REGISTRY_USER" \
        "$(perl -e 'print crypt($ARGV[0], "\$2y\$05\$" . $ARGV[1])' "$REGISTRY_PASSWORD" "$salt")" >"$place/htpasswd"
    cat >"$place/config.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: "$place/data"}
  delete: {enabled: true}
http:
  addr: $(registry_address "${place##*/}")
auth:
  htpasswd: {realm: fw-test, path: "$place/htpasswd"}
END
    # No telemetry of its own, whatever the environment of the machine says.
    start_daemon "$place" registry env OTEL_TRACES_EXPORTER=none docker-registry serve "$place/config.yml"
}

# A registry answers 401 without a password; another program at the port would hardly do so.
registry_answers() {
    [ "$(curl -s --max-time 5 -o /dev/null -w '%{http_code}' "http://$(registry_address "${1##*/}")/v2/")" = 401 ]
}

registry_await() { await_daemon "$ENGINES_RUN/$1" registry registry_answers "$ENGINES_RUN/$1"; }

registry_restart() {
    local place=$ENGINES_RUN/$1
    [ -e "$place/arguments" ] || refuse "there is no registry $1" || return 1
    registry_stop "$1" --keep && registry_launch "$place"
}

registry_stop() {
    local place=$ENGINES_RUN/$1
    [ -d "$place" ] || return 0
    case ${2:-} in
    --kill) end_daemon "$place" registry KILL 10 ;;
    --keep) end_daemon "$place" registry TERM 10 ;;
    '')
        end_daemon "$place" registry TERM 10 || true
        remove_place "$place"
        ;;
    *) refuse "stop takes --keep or --kill, not \"$2\"" ;;
    esac
}

# registry_fill NAME SOCKET: makes fw-test/pulled:1 and fw-test/large:1 in the engine at the socket, pushes them,
# and removes them from the engine. They are made of busybox:1, and have layers that no engine has yet.
registry_fill() {
    local name=$1 socket=$2 image context status=0
    context=$(mktemp -d "$ENGINES_RUN/$name/context.XXXXXX") || return 1
    for image in pulled large; do
        registry_context "$image" "$context" && registry_push "$(registry_address "$name")/fw-test/$image" "$socket" "$context" ||
            { status=1 && break; }
    done
    rm -rf "$context"
    return $status
}

registry_context() {
    local layer
    rm -f "$2"/*
    echo 'FROM fw-test/busybox:1' >"$2/Dockerfile"
    case $1 in
    pulled)
        echo pulled >"$2/pulled"
        echo 'COPY pulled /pulled' >>"$2/Dockerfile"
        ;;
    large)
        # Random bytes cannot be compressed, so there is something to transfer.
        for layer in 1 2 3 4; do
            head -c 3000000 /dev/urandom >"$2/layer$layer"
            echo "COPY layer$layer /layer$layer" >>"$2/Dockerfile"
        done
        ;;
    esac
}

registry_push() {
    local image=$1 socket=$2 context=$3 authority
    authority=$(printf '{"username":"%s","password":"%s","serveraddress":"%s"}' \
        "$REGISTRY_USER" "$REGISTRY_PASSWORD" "${image%%/*}" | base64 -w 0 | tr '+/' '-_')
    tar -C "$context" -cf "$context.tar" . &&
        engine_call "$socket" POST "/build?t=$(url_part "$image:1")&rm=1" -H 'Content-Type: application/x-tar' -T "$context.tar" >/dev/null &&
        engine_call "$socket" POST "/images/$image/push?tag=1" -H "X-Registry-Auth: $authority" >/dev/null &&
        engine_call "$socket" DELETE "/images/$image:1?force=1" >/dev/null &&
        rm -f "$context.tar" || return 1
    curl -sf --max-time 20 -o /dev/null -u "$REGISTRY_USER:$REGISTRY_PASSWORD" "http://${image%%/*}/v2/${image#*/}/manifests/1" ||
        refuse "$image was pushed, but the registry does not have it"
}

[ "${BASH_SOURCE[0]}" != "$0" ] || engine_command registry "$@"
