"""What the tests of sandboxes share: whether there can be any here, and steps in one."""

import os
import shutil
import subprocess
import sys

import flowworker

#: A Python that a sandbox does not cover.
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin") or sys.executable
#: The sandbox that needs no namespace.
ALONE = {"network": "host", "private_tmp": False, "processes": "host"}


def namespaces_are_refused():
    """Why no namespaces can be made here, by another program; None where they can be."""
    program = shutil.which("unshare")
    if program is None:
        return "unshare is not installed"
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = [program, *user, "--mount", "--pid", "--ipc", "--net", "--fork", "--mount-proc", "true"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return None if done.returncode == 0 else "no namespaces can be made here: " + done.stdout.decode().strip()


def worker(sandbox=True, env=None, **options):
    document = {"name": "w", "type": "subprocess", "options": dict(options, sandbox=sandbox)}
    return flowworker.create_worker({**document, "env": env} if env else document)


def step(*commands, **keys):
    return flowworker.ContainerStep("s", "", list(commands), **keys)


def run(place, *commands, sandbox=True, context=None, stdin=None, **options):
    """The result of commands in a sandbox."""
    keys = {} if stdin is None else {"stdin": stdin}
    return worker(sandbox, **options).exec(step(*commands, **keys), context or {}, place)


def text(result):
    """The output of commands that succeeded."""
    assert result.ok, (result.message, result.explanation, result.stderr)
    return "".join(result.stdout)


def reason(result):
    """The message, and what the explanation calls likely."""
    return "{}; {}".format(result.message, result.explanation["likely"])
