"""A host dies before its supervisor has made the monitor that keeps a cleanup request."""

import os
import signal
import subprocess
import sys
import time

import faulty_engine

HOST = """
import sys
import flowworker

local = flowworker.create_worker({"name": "l", "type": "subprocess"})
local.exec(flowworker.ContainerStep("first", "", ["true"]), {}, sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
docker = flowworker.create_worker({"name": "d", "type": "docker", "options": {"host": sys.argv[2]}})
docker.exec(flowworker.ContainerStep("second", "img", ["true"]), {}, sys.argv[1])
"""


def facts(pid):
    """The name, the state and the session of a process; None if it has gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    words = rest.split()
    return name, words[0], int(words[3])


def session(number):
    """The processes of a session that have not ended."""
    found = ((pid, facts(pid)) for pid in map(int, filter(str.isdigit, os.listdir("/proc"))))
    return {pid: known[0] for pid, known in found if known and known[1] not in "ZX" and known[2] == number}


def supervisor_of(host):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        known = facts(pid)
        if known is None or known[0] != "fw-supervisor":
            continue
        try:
            with open(f"/proc/{pid}/fdinfo/4") as file:
                if f"Pid:\t{host}\n" in file.read():
                    return int(pid)
        except OSError:
            continue
    raise AssertionError("the host has no supervisor")


def until(condition):
    while not condition():
        time.sleep(0.01)


def test_the_container_of_a_host_that_died_at_once_is_removed(tmp_path, python_env):
    engine = faulty_engine.FaultyEngine({"create": "hang"})
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(tmp_path), engine.host],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=python_env,
    )
    supervisor = None
    try:
        assert host.stdout.readline() == "ready\n"
        supervisor = supervisor_of(host.pid)
        # There is no idle monitor, and the supervisor makes none for the moment.
        os.kill(supervisor, signal.SIGSTOP)
        for pid, name in session(supervisor).items():
            if name == "fw-monitor":
                os.kill(pid, signal.SIGKILL)
        until(lambda: list(session(supervisor)) == [supervisor])
        host.stdin.write("go\n")
        host.stdin.flush()
        until(lambda: "create" in engine.seen or host.poll() is not None)
        assert host.poll() is None
        assert list(session(supervisor)) == [supervisor]
        host.kill()
        host.wait()
        os.kill(supervisor, signal.SIGCONT)
        # A list that is made while the supervisor still lives may lack the monitor that it makes.
        until(lambda: supervisor not in session(supervisor))
        until(lambda: "delete" in engine.seen or not session(supervisor))
        assert "delete" in engine.seen
    finally:
        host.kill()
        host.wait()
        host.stdin.close()
        host.stdout.close()
        if supervisor is not None and facts(supervisor) is not None:
            os.kill(supervisor, signal.SIGCONT)
        engine.close()
    until(lambda: not session(supervisor))
