#!/usr/bin/env bash
# Private storage servers: an S3 server that checks signatures (moto, in an environment of its own), and an OpenSSH server
# with SFTP, both on 127.0.0.1. A program for tests, and functions for run.sh:
#
#   storage.sh stop|start s3|sftp    ends the server by KILL, and starts it again at the same port with the same keys
set -euo pipefail
# shellcheck source=Tests/engines/engines.sh
. "$(dirname "${BASH_SOURCE[0]}")/engines.sh"

PATH=$PATH:/usr/sbin:/sbin

# --- S3 ----------------------------------------------------------------------------------------------

s3_port() { cat "$ENGINES_RUN/$1/port"; }
s3_address() { echo "http://127.0.0.1:$(s3_port "$1")"; }

s3_start() {
    local place=$ENGINES_RUN/$1 python=$ENGINES_ROOT/build/engines/s3-venv/bin/python
    new_place "$1" s3 port || return 1
    "$python" -c 'import moto.server' 2>/dev/null || refuse "its environment is not there (make engines-test makes it)" || return 1
    [ -e "$place/port" ] || free_port >"$place/port"
    rm -f "$place/keys"
    # The server must not use credentials of this environment.
    start_daemon "$place" s3 env -u AWS_ENDPOINT_URL -u AWS_PROFILE "$python" "$ENGINES_HERE/s3.py" "$place/" "$(s3_port "$1")"
}

s3_await() { await_daemon "$ENGINES_RUN/$1" s3 test -e "$ENGINES_RUN/$1/keys"; }

s3_stop() { remove_place "$ENGINES_RUN/$1"; }

# --- SFTP --------------------------------------------------------------------------------------------

sftp_port() { cat "$ENGINES_RUN/$1/port"; }

sftp_start() {
    local place=$ENGINES_RUN/$1
    new_place "$1" sftp port && need sshd ssh ssh-keygen ssh-agent || return 1
    if [ ! -e "$place/port" ]; then
        free_port >"$place/port"
        for key in host user stranger authority; do ssh-keygen -q -t ed25519 -N '' -f "$place/$key" || return 1; done
        for key in host_rsa user_rsa; do ssh-keygen -q -t rsa -b 2048 -N '' -f "$place/$key" || return 1; done
        ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$place/user_pem" || return 1
        ssh-keygen -q -t ed25519 -N 'a secret phrase' -f "$place/locked" || return 1
        # ssh prefers a certificate to all keys, so it is that of the key in the files of known hosts.
        ssh-keygen -q -s "$place/authority" -I host -h -n 127.0.0.1,localhost "$place/host.pub" || return 1
        cat "$place"/{user,user_rsa,user_pem,locked}.pub >"$place/authorized_keys"
        echo "[127.0.0.1]:$(sftp_port "$1") $(cut -d' ' -f1,2 "$place/host.pub")" >"$place/known_hosts"
        echo "[127.0.0.1]:$(sftp_port "$1") $(cut -d' ' -f1,2 "$place/stranger.pub")" >"$place/wrong_hosts"
        cat >"$place/sshd_config" <<CONF
ListenAddress 127.0.0.1
Port $(sftp_port "$1")
HostKey $place/host
HostKey $place/host_rsa
HostCertificate $place/host-cert.pub
PidFile none
AuthorizedKeysFile $place/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
Subsystem sftp internal-sftp
CONF
    fi
    # Where the server's unprivileged half would live, if it had to unpack something; the package's service makes it.
    if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then mkdir -p /run/sshd && touch "$place/made-run-sshd"; fi
    start_daemon "$place" sshd "$(command -v sshd)" -D -e -f "$place/sshd_config"
}

sftp_answers() { (: <"/dev/tcp/127.0.0.1/$(sftp_port "$1")") 2>/dev/null; }

sftp_await() { await_daemon "$ENGINES_RUN/$1" sshd sftp_answers "$1"; }

sftp_stop() { remove_place "$ENGINES_RUN/$1"; }

sftp_sweep() { [ ! -e "$1/made-run-sshd" ] || rmdir /run/sshd 2>/dev/null || true; }

# --- the program -------------------------------------------------------------------------------------

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case "${1:-} ${2:-}" in
    "stop s3") end_daemon "$ENGINES_RUN/s3" s3 KILL 10 ;;
    "stop sftp") end_daemon "$ENGINES_RUN/sftp" sshd KILL 10 ;;
    "start s3" | "start sftp") "$2_start" "$2" && "$2_await" "$2" ;;
    *) sed -n '5p' "$0" | cut -c3- >&2 && exit 2 ;;
    esac
fi
