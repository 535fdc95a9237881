"""What programs find in a sandbox: files, devices, a network, processes, an environment."""

import os
import shutil
import socket
import threading

import pytest
from sandbox_steps import ALONE, PYTHON, run, text

pytestmark = pytest.mark.usefixtures("namespaces")


def python(place, code, **options):
    return text(run(place, [PYTHON, "-c", code.replace("$", "$$")], **options))


@pytest.fixture
def listener():
    """A port of this host, where somebody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


CONNECT = "import socket; socket.create_connection(('127.0.0.1', {}), 5); print('connected')"


def test_the_run_directory_is_written_and_nothing_beside_it(place, outside):
    result = run(place, "echo made > here; pwd; echo no > ../there")
    assert result.text.strip() == str(place) and result.returncode != 0
    assert (place / "here").read_text() == "made\n" and not (outside / "there").exists()
    assert "Read-only file system" in "".join(result.stderr)


def test_paths_of_write(place, outside):
    for name in ("data", "other"):
        (outside / name).mkdir()
    (outside / "data/inner").mkdir()
    sandbox = {"write": [str(outside / "data")]}
    assert (
        text(run(place, "echo x > ../data/inner/f; mv ../data/inner/f ../data/g; cat ../data/g", sandbox=sandbox))
        == "x\n"
    )
    assert (outside / "data/g").read_text() == "x\n"
    assert not run(place, "echo x > ../other/f", sandbox=sandbox).ok


def test_a_path_of_write_may_be_a_file(place, outside):
    for name in ("log", "other"):
        (outside / name).write_text("")
    sandbox = {"write": [str(outside / "log")]}
    assert text(run(place, "echo x >> ../log && ! echo x >> ../other", sandbox=sandbox)) == ""
    assert ((outside / "log").read_text(), (outside / "other").read_text()) == ("x\n", "")


@pytest.mark.parametrize("more", [{}, ALONE], ids=["namespaces", "Landlock alone"])
def test_a_list_of_read(place, outside, more):
    for name in ("data", "secret"):
        (outside / name).write_text(name)
    sandbox = {"read": ["system", str(outside / "data")], **more}
    result = run(place, "cat ../data; cat ../secret", sandbox=sandbox)
    assert (result.text, result.returncode) == ("data", 1)
    assert "Permission denied" in "".join(result.stderr)


@pytest.mark.parametrize("more", [{}, ALONE], ids=["namespaces", "Landlock alone"])
@pytest.mark.parametrize("command", ["true", ["true"]], ids=["shell", "words"])
def test_a_list_of_read_without_the_shell(place, outside, more, command):
    result = run(place, command, sandbox={"read": [str(outside)], **more})
    assert result.outcome == "spawn_failed"
    assert result.message == (
        'step "s", command 1 of 1 could not be started: the shell "/bin/sh", its interpreter or their libraries are '
        'not in "read" of the sandbox: add "system", or their directories'
    )


def test_system_runs_python(place):
    code = "import ssl, json, multiprocessing, urllib.request, pwd; print(pwd.getpwuid(0)[0])"
    assert python(place, code, sandbox={"read": ["system"]}) == "root\n"


def test_tmp_is_private(place):
    names = []
    for parent in ("/tmp", "/var/tmp"):
        name = os.path.join(parent, place.parent.name)
        with open(name, "w") as file:
            file.write("host")
        names.append(name)
    try:
        show = "ls -A /tmp /var/tmp | grep -c fw-sandbox; echo own > {0}; cat {0}".format(names[0])
        result = run(place, show, "test ! -e {}".format(names[0]))
        assert result.text == "0\nown\n" and result.ok, result.message
        assert [open(name).read() for name in names] == ["host", "host"]
    finally:
        for name in names:
            os.remove(name)


def test_tmp_may_be_the_hosts(place):
    name = os.path.join("/tmp", place.parent.name)
    sandbox = {"private_tmp": False, "processes": "host", "write": ["/tmp"]}
    try:
        assert run(place, "echo x > {}".format(name), sandbox=sandbox).ok
        assert open(name).read() == "x\n"
    finally:
        os.path.exists(name) and os.remove(name)


def test_a_path_below_tmp_is_put_back(place, tmp_path):
    for name in ("data", "out", "hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    sandbox = {"read": ["/usr", "/bin", "/lib", "/lib64", str(tmp_path / "data")], "write": [str(tmp_path / "out")]}
    sandbox["read"] = [path for path in sandbox["read"] if os.path.exists(path)]
    show = "cat {0}/data/f; echo new > {0}/out/f; test ! -e {0}/hidden && ! echo no > {0}/data/f".format(tmp_path)
    assert text(run(place, show, sandbox=sandbox)) == "data"
    assert (tmp_path / "out/f").read_text() == "new\n"
    # Everything, and this as well.
    show = "cat {0}/data/f /etc/passwd > all; test ! -e {0}/hidden".format(tmp_path)
    assert run(place, show, sandbox={"read": ["/", str(tmp_path / "data")]}).ok


def test_a_run_directory_below_tmp(tmp_path):
    """Its parent is in the private /tmp: what is written there goes with the command."""
    rundir = tmp_path / "run"
    rundir.mkdir()
    assert text(run(rundir, "echo x > here; echo y > ../there; pwd")) == str(rundir) + "\n"
    assert (rundir / "here").read_text() == "x\n" and not (tmp_path / "there").exists()


def test_run_is_empty_and_read_only(place):
    """Servers have their sockets there."""
    result = run(place, "ls -A /run /var/run/; mkdir /run/new")
    assert not result.ok and not any("/" not in line for line in result.text.split()), result.text


def test_devices(place):
    names = text(run(place, "ls /dev")).split()
    assert {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "pts",
        "ptmx",
        "shm",
        "fd",
        "stdin",
        "stdout",
        "stderr",
    } == set(names)
    assert text(
        run(place, "head -c 3 /dev/zero | wc -c; head -c 2 /dev/urandom | wc -c; echo x > /dev/null")
    ).split() == ["3", "2"]
    assert not run(place, "echo x > /dev/full").ok
    assert not run(place, "echo x > /dev/new").ok


def test_terminals_locks_and_shared_memory(place):
    code = """
import multiprocessing, os, pty
from multiprocessing import shared_memory
mine, theirs = pty.openpty()
print(os.isatty(theirs))
with multiprocessing.Lock():
    block = shared_memory.SharedMemory(create=True, size=10)
    block.close()
    block.unlink()
with multiprocessing.Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
"""
    assert python(place, code) == "True\n[1, 2]\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="this machine has no bash")
def test_bash_reads_from_a_process(place):
    assert text(run(place, ["bash", "-c", "cat <(echo a) <(echo b)"])) == "a\nb\n"


def test_no_network_but_a_loopback(place, listener):
    serve = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
client.sendall(b"own")
print(server.accept()[0].recv(3).decode())
"""
    assert python(place, serve) == "own\n"
    result = run(place, [PYTHON, "-c", CONNECT.format(listener)])
    assert not result.ok and "refused" in "".join(result.stderr)


@pytest.mark.parametrize("more", [{}, ALONE], ids=["namespaces", "Landlock alone"])
def test_the_hosts_network(place, listener, more):
    assert python(place, CONNECT.format(listener), sandbox=dict(more, network="host")) == "connected\n"


@pytest.mark.parametrize("more", [{}, ALONE], ids=["namespaces", "Landlock alone"])
def test_some_ports(place, listener, more):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        sandbox = dict(more, network={"tcp_connect": [listener]})
        assert python(place, CONNECT.format(listener), sandbox=sandbox) == "connected\n"
        result = run(place, [PYTHON, "-c", CONNECT.format(other.getsockname()[1])], sandbox=sandbox)
        assert not result.ok and "Permission denied" in "".join(result.stderr)
        datagram = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
        assert not run(place, [PYTHON, "-c", datagram], sandbox=sandbox).ok


def test_own_processes_only(place):
    numbers = text(run(place, "ls /proc | grep '^[0-9]' | sort -n | head -n 1; ls /proc | grep -c '^[0-9]'")).split()
    assert numbers[0] == "1" and int(numbers[1]) < 20
    assert os.getpid() > 20


def test_the_hosts_processes(place):
    show = "test -e /proc/{} && echo seen; true".format(os.getpid())
    assert text(run(place, show, sandbox=ALONE)) == "seen\n"


def test_refused_calls(place):
    make = "mkdir made; echo $$?"
    sandbox = {"syscalls": {"refuse": ["mkdir", "mkdirat"]}}
    result = run(place, make, sandbox=sandbox)
    assert result.text == "1\n" and "Operation not permitted" in "".join(result.stderr)
    assert text(run(place, make)) == "0\n"


@pytest.mark.parametrize("more", [{}, ALONE], ids=["namespaces", "Landlock alone"])
def test_rights_are_given_up(place, more):
    status = text(
        run(place, "grep -E '^(NoNewPrivs|CapEff|CapPrm|CapAmb|Seccomp):' /proc/self/status", sandbox=more or True)
    )
    found = dict(line.split(":\t") for line in status.splitlines())
    assert found["NoNewPrivs"] == "1" and found["Seccomp"] == "2"
    assert {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")} == {0}


def test_variables_of_the_hosts_session(place, monkeypatch):
    for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "WAYLAND_DISPLAY", "TMPDIR", "KEPT"):
        monkeypatch.setenv(name, "/host")
    show = "env | grep /host | sort"
    assert text(run(place, show, inherit_env=True)) == "KEPT=/host\n"
    # What a document says stays.
    named = run(place, show, inherit_env=True, env=[{"key": "TMPDIR", "value": "/host/own"}])
    assert text(named) == "KEPT=/host\nTMPDIR=/host/own\n"


def test_threads_of_a_program(place):
    code = "import threading; t = threading.Thread(target=print, args=('in a thread',)); t.start(); t.join()"
    assert python(place, code) == "in a thread\n"


def test_steps_of_several_threads_of_the_host(place):
    found = []
    threads = [
        threading.Thread(target=lambda at=at: found.append(text(run(place, "echo {}".format(at))))) for at in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["{}\n".format(at) for at in range(4)]
