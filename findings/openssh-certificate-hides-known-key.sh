#!/bin/sh
# OpenSSH 9.2p1: a host whose Ed25519 key is in known_hosts is said to have changed its
# identity when its server has got a certificate for another one of its keys.
#
# ssh orders the algorithms of host keys so that those of which it knows a key come
# first, and a new key of another kind does no harm: the known key is used. The order
# does not hold for certificates. All of their algorithms are put before all plain keys
# as soon as the known keys are plain Ed25519, also those of kinds that known_hosts does
# not have. A server with an ECDSA certificate then presents that, the certificate's
# authority is not in known_hosts, its key is not either, and ssh reports the Ed25519
# entry as offending although the server still has this key.
# Consequence: who sends files to a host with a pinned Ed25519 key loses the connection
# when its administrator signs another key. The remedy is an @cert-authority entry, or
# HostKeyAlgorithms=ssh-ed25519 on the client's side.
set -u
tmp=$(mktemp -d) || exit 2
server=
trap 'test -z "$server" || kill "$server"; rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
unset PYTHONPATH
missing() { echo "the packages could not be installed: nothing was examined" >&2; exit 2; }
package=openssh-client=1:9.2p1-2+deb12u10
(cd "$tmp" && apt-get download -q "$package" && dpkg -x openssh-client_*.deb client) >/dev/null 2>&1 || missing
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/python" -m pip install -q --disable-pip-version-check \
  asyncssh==2.24.0 cryptography==49.0.0 || missing
keygen=$tmp/client/usr/bin/ssh-keygen
"$tmp/client/usr/bin/ssh" -V || missing
cd "$tmp" || exit 2
for name in ed25519:known ecdsa:other ed25519:authority; do
  "$keygen" -q -t "${name%:*}" -N '' -f "${name#*:}" || exit 2
done
"$keygen" -q -s authority -h -I host -n 127.0.0.1 other.pub || exit 2

cat >serve.py <<'PY'
import asyncio
import sys

import asyncssh


async def serve():
    certificate = "other-cert.pub" if sys.argv[1] == "certificate" else None
    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=["known", ("other", certificate)])
    print(server.get_port(), flush=True)
    await server.wait_closed()


asyncio.run(serve())
PY

# Prints "accepted" if ssh comes as far as the login, for which it has no key, and else its reason.
try() {
  mkfifo port
  "$tmp/venv/bin/python" serve.py "$1" >port 2>log &
  server=$!
  read -r number <port
  rm port
  printf '[127.0.0.1]:%s %s\n' "$number" "$(cut -d' ' -f1,2 known.pub)" >known_hosts
  client/usr/bin/ssh -F none -o UserKnownHostsFile="$tmp/known_hosts" -o GlobalKnownHostsFile=none -o BatchMode=yes \
    -o StrictHostKeyChecking=yes -o IdentityFile=none -o IdentityAgent=none -o PreferredAuthentications=password \
    -p "$number" user@127.0.0.1 true >said 2>&1
  if grep -q 'Permission denied' said; then echo accepted; else grep -m 1 'has changed' said; fi
  kill "$server"
  wait "$server" 2>/dev/null
  server=
}

plain=$(try plain)
signed=$(try certificate)
echo "known_hosts has the server's Ed25519 key; the server has it, and an ECDSA key"
echo "without a certificate: $plain"
echo "with a certificate for the ECDSA key:"
echo "expected: accepted"
echo "seen:     $signed"
case "$plain,$signed" in
accepted,*"has changed and you have requested strict checking"*) ;;
*) echo "it has changed" && exit 1 ;;
esac
