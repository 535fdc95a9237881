#!/usr/bin/env bash
# Installs the Debian packages that the private engines need, if something is missing. Services that
# the packages bring are not started, and not enabled for the next start of the machine; an engine that
# was installed before is left as it is.
set -euo pipefail

# PROGRAM:PACKAGE
needed=(dockerd:docker.io containerd:containerd runc:runc docker-init:docker.io docker-registry:docker-registry
    podman:podman conmon:conmon catatonit:catatonit openssl:openssl curl:curl perl:perl-base gcc:gcc
    slurmctld:slurmctld slurmd:slurmd srun:slurm-client munged:munge debootstrap:debootstrap chromium-headless-shell:chromium-headless-shell sshd:openssh-server ssh:openssh-client umount:mount mountpoint:util-linux flock:util-linux)
# The services of these packages.
units=(docker.service docker.socket containerd.service docker-registry.service podman.service podman.socket
    podman-auto-update.service podman-auto-update.timer podman-restart.service slurmctld.service slurmd.service munge.service ssh.service ssh.socket)

# Some of the programs are in directories that only root's PATH has.
PATH=$PATH:/usr/sbin:/sbin

missing() {
    local pair plugin
    for pair in "${needed[@]}"; do
        command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
    done
    # The plain package's busybox needs a C library, which the image does not have.
    if ! command -v busybox >/dev/null || LC_ALL=C ldd "$(command -v busybox)" >/dev/null 2>&1; then echo busybox-static; fi
    echo 'int main(void) { return 0; }' | gcc -static -x c -o /dev/null - 2>/dev/null || echo libc6-dev
    # Before version 5, Podman's containers get their network from these.
    plugin=
    for place in /usr/lib/cni /opt/cni/bin /usr/libexec/cni; do [ ! -x "$place/loopback" ] || plugin=$place; done
    [ -n "$plugin" ] || echo containernetworking-plugins
}

mapfile -t packages < <(missing | sort -u)
[ "${#packages[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "no right to install: please install ${packages[*]}" >&2
        exit 1
    }
    exec sudo -- "$(readlink -f "${BASH_SOURCE[0]}")"
fi
command -v apt-get >/dev/null || {
    echo "this is no Debian: please install what it calls ${packages[*]}" >&2
    exit 1
}

# Services that existed before belong to somebody else.
unit_files() {
    local unit place
    for unit in "${units[@]}"; do
        for place in /lib/systemd/system /usr/lib/systemd/system /etc/systemd/system; do
            if [ -e "$place/$unit" ]; then echo "$unit" && break; fi
        done
    done
}
before=$(unit_files)

# Debian asks this program before a package starts or restarts a service: 101 is no.
policy=/usr/sbin/policy-rc.d
saved=
restore() {
    rm -f "$policy"
    [ -z "$saved" ] || mv "$saved" "$policy"
}
if [ -e "$policy" ] || [ -L "$policy" ]; then
    saved=$policy.before-fw-test.$$
    mv "$policy" "$saved"
fi
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

echo "installing packages for the engines, because these are missing: ${packages[*]}"
apt-get update -qq
# Only what is missing: a package that is there is not brought up to date, and its service not disturbed.
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null

if command -v systemctl >/dev/null; then
    for unit in $(unit_files); do
        grep -qx "$unit" <<<"$before" || systemctl disable -q "$unit" 2>/dev/null || true
    done
fi

mapfile -t packages < <(missing | sort -u)
[ "${#packages[@]}" -eq 0 ] || {
    echo "still missing after the installation: ${packages[*]}" >&2
    exit 1
}
