#!/usr/bin/env bash
# Runs flowserv-core's own tests (of its repository, tag 0.9.4) as they are, and again with flowworker.flowserv
# installed, and shows which of them end otherwise. It needs the network, so no gate calls it:
#
#   flowserv_suite.sh [CHECKOUT]      CHECKOUT: a checkout of the repository that is there already
#
# Not run: the tests of its S3 and Google volumes and of its SSH client, which need packages and have no steps.
# Expected to end otherwise: those that put something of their own in place of the docker package or of
# subprocess.run, which nobody calls any more (six tests).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=$root/build/venv/bin/python
place=$root/build/flowserv-suite
checkout=${1:-$place/repository}
mkdir -p "$place"
[ -d "$checkout/tests" ] || git clone --quiet --depth 1 --branch 0.9.4 https://github.com/scailfin/flowserv-core "$checkout"
cat >"$place/flowserv_suite_plugin.py" <<'PLUGIN'
import os

if os.environ["FLOWSERV_SUITE"] == "ours":
    import flowworker.flowserv

    flowworker.flowserv.install()
PLUGIN
cd "$checkout"
for which in theirs ours; do
    FLOWSERV_SUITE=$which PYTHONPATH=$root/bindings/python:$place "$python" -m pytest -q -W ignore -p no:cacheprovider \
        -p flowserv_suite_plugin --ignore tests/volume --ignore tests/test_ssh_client.py tests >"$place/$which.log" 2>&1 || true
    echo "$which: $(tail -n 1 "$place/$which.log")"
done
diff <(grep '^FAILED' "$place/theirs.log" | cut -d' ' -f2 | sort) <(grep '^FAILED' "$place/ours.log" | cut -d' ' -f2 | sort) || true
