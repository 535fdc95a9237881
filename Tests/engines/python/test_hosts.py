"""Hosts that die, fork, or run many steps at the same time leave nothing on the engine."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest
from conftest import BUSYBOX, LABEL, ROOT, box, step, succeeded, wait_until

import flowworker

HOST = """
import sys
sys.path.insert(0, {package!r})
import flowworker
worker = flowworker.create_worker({spec!r})
run = worker.start(flowworker.ContainerStep("s", {image!r}, ["sleep 1000", "sleep 1000"]), {{}}, {rundir!r})
for event in run:
    if event.kind == "command_started":
        print(event.container, flush=True)
"""


@pytest.fixture
def host(rundir):
    """Another process with a step in flight."""
    hosts = []

    def start(engine, ending="", **options):
        spec = {"name": "w", "type": "docker", "options": dict({"host": engine.host}, **options)}
        text = HOST.format(package=str(ROOT / "bindings/python"), spec=spec, image=BUSYBOX, rundir=str(rundir))
        process = subprocess.Popen([sys.executable, "-c", text + ending], stdout=subprocess.PIPE, text=True)
        hosts.append(process)
        return process

    yield start
    for process in hosts:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("scope", ["command", "step"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_host_that_is_killed_leaves_nothing(engine, host, scope, number):
    process = host(engine, container=scope)
    assert process.stdout.readline().startswith("flowworker-")
    assert engine.containers(process.pid) != []
    process.send_signal(number)
    process.wait()
    # The containers end although no process uses the engine.
    engine.wait_until_clean(process.pid)


def test_an_interpreter_that_exits(docker, host):
    # With the first container the loop is left, and the interpreter ends with the step in flight.
    process = host(docker, ending="        break\n")
    process.wait()
    docker.wait_until_clean(process.pid)


def label(pid, start):
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            machine = file.read().strip() or "-"
    except FileNotFoundError:
        machine = "-"
    return ".".join([machine, boot, str(os.stat("/proc/self/ns/pid").st_ino), str(pid), str(start)])


def start_time(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[19]


def test_containers_of_dead_hosts_are_found_by_their_label(docker, rundir):
    """Containers of living hosts, of other machines and of other programs are not touched."""
    alive = os.getppid()
    labels = {
        "dead": label(2**22 + 1, 1),
        "reused": label(alive, 1),
        "living": label(alive, start_time(alive)),
        "elsewhere": "other." + label(2**22 + 1, 1).split(".", 1)[1],
        "nonsense": "what",
    }
    names = {key: f"test-{key}-{os.getpid()}" for key in labels}
    try:
        for key, text in labels.items():
            body = {"Image": BUSYBOX, "Cmd": ["sleep", "1000"], "Labels": {LABEL: text}}
            assert docker.call("POST", f"/containers/create?name={names[key]}", body)[0] == 201
        assert docker.call("POST", f"/containers/{names['dead']}/start")[0] == 204
        # The first use of an engine by a process.
        code = HOST.replace('"sleep 1000", "sleep 1000"', '"true"') + "\nassert run.wait().returncode == 0\n"
        spec = {"name": "w", "type": "docker", "options": {"host": docker.host}}
        text = code.format(package=str(ROOT / "bindings/python"), spec=spec, image=BUSYBOX, rundir=str(rundir))
        subprocess.run([sys.executable, "-c", text], check=True, capture_output=True)
        there = {key for key in labels if docker.call("GET", f"/containers/{names[key]}/json")[0] == 200}
        assert there == {"living", "elsewhere", "nonsense"}
    finally:
        for name in names.values():
            docker.call("DELETE", f"/containers/{name}?force=1")


def test_many_threads(engine, rundir):
    failures = []

    def work(number):
        for turn in range(3):
            result = box(engine).exec(step(f"echo {number}", f"sh -c 'echo {turn}; exit {turn}'"), {}, rundir)
            if (result.returncode, result.stdout) != (turn, [f"{number}\n", f"{turn}\n"]):
                failures.append(result.message)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16 if engine.name == "docker" else 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_many_steps_of_one_thread(docker, rundir):
    async def all_of_them():
        worker = box(docker)
        return await asyncio.gather(*(worker.exec_async(step(f"echo {n}"), {}, rundir) for n in range(40)))

    threads = len(os.listdir("/proc/self/task"))
    results = asyncio.run(all_of_them())
    assert [succeeded(result).stdout for result in results] == [[f"{n}\n"] for n in range(40)]
    # Threads of the test before may have been ending when they were counted.
    wait_until(lambda: len(os.listdir("/proc/self/task")) <= threads)


def test_cancelling_a_task(docker, rundir):
    async def main():
        started = asyncio.Event()
        task = asyncio.create_task(
            box(docker).exec_async(
                step("sleep 1000"), {}, rundir, on_event=lambda event: event.kind == "command_started" and started.set()
            )
        )
        await started.wait()
        assert docker.containers() != []
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert docker.containers() == []

    asyncio.run(main())


def test_a_fork_of_the_host(docker, rundir):
    run = box(docker).start(step("sh -c 'while ! [ -e gate ]; do sleep 0.05; done; echo on'"), {}, rundir)
    for event in run:
        if event.kind == "command_started":
            break
    child = os.fork()
    if child == 0:
        try:
            run.close()
            box(docker).exec(step("true"), {}, rundir)
        except flowworker.ForkedError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    (rundir / "gate").touch()
    assert succeeded(run.wait()).stdout == ["on\n"]
    run.close()


def test_the_host_s_process_is_left_alone(docker, rundir):
    def state():
        with open("/proc/self/status", encoding="ascii") as file:
            status = dict(line.split(":", 1) for line in file)
        threads.append(int(status["Threads"]))
        kept = {key: status[key] for key in ("SigBlk", "SigIgn", "SigCgt", "Umask")}
        return kept, os.getcwd(), dict(os.environ)

    threads = []
    before = state()
    for scope in ("command", "step"):
        for _ in range(3):
            succeeded(box(docker, container=scope).exec(step("true", "true"), {}, rundir))
    assert state() == before
    # A thread of an earlier test may have ended meanwhile.
    assert threads[1] <= threads[0]
    wait_until(lambda: docker.containers() == [])
