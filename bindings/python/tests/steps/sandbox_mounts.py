"""Steps in a sandbox where mounts were changed before."""

import json
import os
import shutil
import subprocess
import sys

import pytest

#: Runs one step in mounts of its own.
MOUNTED = """
import json, sys
sys.path[:0] = [{tests!r}, {package!r}]
from sandbox_steps import reason, run
result = run({place!r}, {command!r}, sandbox={sandbox!r})
print(json.dumps([result.outcome, result.explanation and reason(result), result.text]))
"""


def in_mounts(change, place, command, sandbox, python_env):
    """The outcome, reason and output of a step where mounts were changed by a shell before."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("it needs root and unshare")
    tests = os.path.dirname(os.path.abspath(__file__))
    code = MOUNTED.format(
        tests=tests, package=python_env["PYTHONPATH"], place=str(place), command=command, sandbox=sandbox
    )
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", change + '; exec "$@"', "sh"]
    done = subprocess.run([*words, sys.executable, "-c", code], env=python_env, stdout=subprocess.PIPE)
    return json.loads(done.stdout)
