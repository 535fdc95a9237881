"""An SFTP volume tells the truth whatever ssh and the server do: the time and the memory that it takes are limited."""

import ast
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import faulty_ssh
import pytest

import flowworker as fw

FAKE = Path(faulty_ssh.__file__)


@pytest.fixture
def ssh(tmp_path, monkeypatch, runs, wait_until):
    """Puts the fake ssh before the real one, with a fault."""
    log = tmp_path / "log"
    log.touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text('#!/bin/sh\nexec {} -S {} "$@"\n'.format(sys.executable, FAKE))
    (tmp_path / "bin/ssh").chmod(0o755)
    monkeypatch.setenv("PATH", "{}:{}".format(tmp_path / "bin", os.environ["PATH"]))
    monkeypatch.setenv("FAKE_SSH_LOG", str(log))

    def started():
        return [ast.literal_eval(line) for line in log.read_text().splitlines()]

    def use(fault):
        monkeypatch.setenv("FAKE_SSH", fault)
        return started

    yield use
    # Nothing of a run is left.
    wait_until(lambda: not any(runs(pid) for pid, _ in started()))


@pytest.fixture
def remote(tmp_path):
    place = tmp_path / "remote"
    place.mkdir()
    return place


def volume(remote, **changed):
    arguments = {"username": "u", **changed}
    return fw.Sftp(str(arguments.pop("basedir", remote)), arguments.pop("hostname", "h"), identifier="v", **arguments)


@pytest.fixture
def run(tmp_path):
    def run(store, *steps, workers=None, **options):
        pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], workers, volumes=[store])
        rundir = tmp_path / "run{}".format(len(list(tmp_path.glob("run*"))))
        return fw.Workflow(list(steps), workers=pool).run(rundir=rundir, **options)

    return run


def container(*commands, **facts):
    return fw.ContainerStep("a", "", list(commands), **facts)


def get(run, remote, key="d/", **options):
    return run(volume(remote, **options), container("cat {}/*".format(key.strip("/")), inputs=[key]))


def put(run, remote):
    made = container("mkdir -p o/p; echo new > o/p/f; chmod 640 o/p/f; echo two > o/g", outputs=["o/"])
    return run(volume(remote), made, workers={"a": "w"})


@pytest.mark.parametrize("fault", ["", "split", "short reads", "version 3 only"])
def test_a_server_may_be_slow_and_simple(ssh, run, remote, fault):
    ssh(fault)
    (remote / "d/deep/er").mkdir(parents=True)
    for at in range(40):
        (remote / "d/{:02}".format(at)).write_text("{}\n".format(at))
    (remote / "d/deep/large").write_bytes(b"0123456789" * (200 if fault == "split" else 200000))
    step = container(
        "cat d/?? | sort -n | tail -n 1; cmp d/deep/large {}/d/deep/large; ls d/deep".format(remote), inputs=["d"]
    )
    result = run(volume(remote), step)
    assert result.check().stdout == ["39\ner\nlarge\n"]
    # A file is replaced, and a folder may exist.
    (remote / "o").mkdir()
    (remote / "o/g").write_text("old")
    put(run, remote).check()
    assert (remote / "o/g").read_text() == "two\n" and (remote / "o/p/f").read_text() == "new\n"
    assert stat.S_IMODE((remote / "o/p/f").stat().st_mode) == 0o640
    assert sorted(os.listdir(remote / "o")) == ["g", "p"]


def test_permissions_that_a_server_refuses_are_in_the_log(ssh, run, remote, log, monkeypatch, tmp_path):
    monkeypatch.setenv("FAKE_SSH_HIT", str(tmp_path / "hit"))
    ssh("setstat:failure")
    # No umask lets a new file have these.
    made = container("mkdir o; echo 1 > o/1; echo 2 > o/2; chmod 777 o/1 o/2", outputs=["o/"])
    run(volume(remote), made, workers={"a": "w"}).check()
    assert [(remote / "o" / name).read_text() for name in ("1", "2")] == ["1\n", "2\n"]
    (line,) = [line for level, line in log if level == "WARNING"]
    assert 'and maybe others, have not got the permissions of the file: the server of the volume "v" refused' in line


@pytest.mark.parametrize(
    "fault,told",
    [
        ("refuses", "ssh: connect to host h port 22: Connection refused"),
        ("quiet", "ssh ended and did not say why"),
        ("banner", 'it sent the text "Welcome to the machine!\\n'),
        ("endless text", 'it sent the text "y\\ny\\n'),
        ("endless errors", "there was no session within 0.5 s"),
        ("no session", "there was no session within 0.5 s"),
        ("old version", "it does not speak version 3 of SFTP"),
        ("wrong id", "it answered a request that was not made"),
        ("wrong answer", "it gave the answer to another request"),
        ("cut fields", "it sent a packet that is not in the form of SFTP"),
        ("unknown kind", "it sent a packet that is not in the form of SFTP"),
        ("huge length", "it sent a packet of 4294967295 bytes"),
        ("no length", "it sent a packet of 0 bytes"),
        ("ends", "Connection to nowhere closed by remote host."),
        ("ends in a file", "ssh ended and did not say why"),
        ("slash", 'it has the name "../outside", which no file can have'),
        ("no kind", "of a kind that the server does not tell"),
        ("endless list", "it has more than 1000000 files"),
        ("false count", "it sent a packet that is not in the form of SFTP"),
        ("larger", "changed while it was copied"),
        ("long data", "it gave the answer to another request"),
        ("no data", "it gave the answer to another request"),
    ],
)
def test_what_a_server_does_wrong(ssh, run, remote, fault, told):
    started = ssh(fault)
    (remote / "d").mkdir()
    (remote / "d/f").write_text("content of the file\n")
    timeout = 0.5 if "within" in told else 60
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = get(run, remote, timeout=timeout)
    assert result.outcome == "volume_failed" and told in result.message, result.message
    assert 'the volume "v"' in result.message and "\n" not in result.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000
    assert len(started()) == 1


def test_a_silent_server_ends_with_the_deadline(ssh, run, remote):
    ssh("silent")
    result = run(volume(remote), container("true", inputs=["d/"]), deadline=0.5)
    assert result.outcome == "timeout"


@pytest.mark.parametrize(
    "fault,told",
    [
        ("full", "the server says only that it failed"),
        ("no close", "the server says only that it failed"),
        ("no rename", "SFTP status 8"),
        ("forgets", "has 0 bytes in the volume"),
        ("ends in a file", "ssh ended and did not say why"),
    ],
)
def test_what_is_not_stored_is_told(ssh, run, remote, fault, told):
    ssh(fault)
    (remote / "o/p").mkdir(parents=True)
    (remote / "o/p/f").write_text("old\n")
    result = put(run, remote)
    assert result.outcome == "volume_failed" and told in result.message, result.message
    # The old file is whole. What is incomplete is gone, unless the connection to remove it is.
    assert (remote / "o/p/f").read_text() == "old\n"
    if "ends" not in fault:
        assert not list(remote.rglob(".flowworker-*"))


def test_a_cancel_leaves_no_part_of_a_file(ssh, run, remote, wait_until, tmp_path):
    ssh("")
    steps = [container("head -c 300000000 /dev/zero > large", outputs=["large"])]
    pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], {"a": "w"}, volumes=[volume(remote)])
    running = fw.Workflow(steps, workers=pool).start(rundir=tmp_path / "run")
    try:
        while not list(remote.glob(".flowworker-*")):
            running.wait(0.01)
        running.cancel()
        assert running.wait().outcome == "cancelled"
    finally:
        running.close()
    wait_until(lambda: os.listdir(remote) == [])


def test_ssh_is_called_as_sftp_calls_it(ssh, run, remote, tmp_path):
    started = ssh("")
    (remote / "x").write_text("x")
    (tmp_path / 'a "file", 100%').write_text("")
    (tmp_path / "key").write_text("")
    get(run, remote, "x")
    run(
        volume(
            remote,
            hostname="[::1]",
            port=2222,
            timeout=2.5,
            known_hosts=str(tmp_path / 'a "file", 100%'),
            private_key=str(tmp_path / "key"),
            look_for_keys=True,
        ),
        container("true", inputs=["x"]),
    ).check()
    (_, first), (_, second) = started()
    assert first[-6:] == ["-l", "u", "-s", "--", "h", "sftp"] and "-p" not in first
    assert second[-8:] == ["-p", "2222", "-l", "u", "-s", "--", "::1", "sftp"]
    for arguments in (first, second):
        assert {"StrictHostKeyChecking=yes", "BatchMode=yes", "ForwardAgent=no", "ControlPath=none"} < set(arguments)
    # Without the arguments, ssh's own files count.
    assert "IdentityFile=none" in first and not any("KnownHosts" in argument for argument in first)
    assert {
        'UserKnownHostsFile="{}/a \\"file\\", 100%%"'.format(tmp_path),
        "GlobalKnownHostsFile=/dev/null",
        'IdentityFile="{}/key"'.format(tmp_path),
        "IdentitiesOnly=yes",
        "ConnectTimeout=3",
    } < set(second)


def test_secrets_are_in_no_argument_and_no_environment(ssh, run, remote):
    started = ssh("no session")
    result = get(run, remote, password="pass-word", passphrase="pass-phrase", timeout=0.5)
    assert "pass-word" not in result.message and "pass-phrase" not in result.message
    ((_, arguments),) = started()
    assert "BatchMode=yes" not in arguments and "pass-" not in repr(arguments)


def test_empty_folders_are_made(ssh, run, remote):
    ssh("")
    made = container("mkdir -p o/a/b", outputs=["o/"])
    for _ in range(2):
        assert run(volume(remote), made, workers={"a": "w"}).check()
        assert [path.relative_to(remote).as_posix() for path in sorted(remote.rglob("*"))] == ["o", "o/a", "o/a/b"]
    (remote / "o/a/b").rmdir()
    (remote / "o/a/b").touch()
    result = run(volume(remote), made, workers={"a": "w"})
    assert result.outcome == "volume_failed" and 'the key "o/a/b' in result.message


def test_a_folder_of_too_many_folders(ssh, run, remote):
    ssh("")
    (remote / "/".join(["d"] * 103)).mkdir(parents=True)
    result = get(run, remote)
    assert result.outcome == "volume_failed" and 'the volume "v" is more than 100 folders deep' in result.message


OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA"
LOGINS = {
    "no key": ({}, "there is no key and no password"),
    "a password": ({"password": "wrong"}, "tried with the password"),
    "a key of the home directory": ({"private_key": "~/plain"}, 'tried with the private key "~/plain"'),
    "a key of the working directory": ({"private_key": "plain"}, 'tried with the private key "plain"'),
    "an encrypted key": ({"private_key": "locked"}, '"locked" is encrypted: set the argument "passphrase"'),
    "a wrong passphrase": ({"private_key": "locked", "passphrase": "x"}, "encrypted: its passphrase may be wrong"),
    "an old encrypted key": ({"private_key": "old"}, '"old" is encrypted'),
    "no such key": ({"private_key": "~/none"}, 'the private key "~/none" (argument "private_key") does not exist'),
}


@pytest.mark.parametrize("case", LOGINS)
def test_why_nobody_is_let_in(run, remote, tmp_path, monkeypatch, case):
    arguments, told = LOGINS[case]
    (tmp_path / "plain").write_text(OPENSSH + "BG5vbmU\n")
    (tmp_path / "locked").write_text(OPENSSH + "CmFlczI1\n")
    (tmp_path / "old").write_text("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n")
    (tmp_path / "ssh").write_text("#!/bin/sh\necho 'u@h: Permission denied (publickey).' >&2; exit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.chdir(tmp_path)
    result = get(run, remote, **arguments)
    assert result.outcome == "volume_failed" and told in result.message


def test_no_place_for_the_program_that_ssh_asks(ssh, run, remote, tmp_path, monkeypatch):
    ssh("")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    result = get(run, remote, password="word")
    assert "a directory for the program that ssh asks for a password cannot be created: No such" in result.message


def test_secrets_are_given_to_ssh_when_it_asks(ssh, run, remote, tmp_path, monkeypatch):
    ssh("asks")
    asked = tmp_path / "asked"
    fake = (tmp_path / "bin/ssh").read_text().splitlines()
    fake.insert(1, 'stat -c \'%a %n\' "$SSH_ASKPASS" "${{SSH_ASKPASS%/*}}" >{}'.format(asked))
    (tmp_path / "bin/ssh").write_text("\n".join(fake))
    (tmp_path / "temporary files").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary files"))
    (remote / "x").write_text("x")
    secrets = {"password": "pass $word", "passphrase": "pass 'phrase\\"}
    assert get(run, remote, "x", **secrets).outcome == "exited"
    (of_program, program), (of_directory, directory) = (line.split(" ", 1) for line in asked.read_text().splitlines())
    assert (of_program, of_directory) == ("700", "700") and Path(program).parent == Path(directory)
    assert Path(directory).parent == tmp_path / "temporary files"
    assert not list((tmp_path / "temporary files").iterdir())


def test_a_host_that_closes_all_descriptors(ssh, remote, python_env, tmp_path):
    """The next transfer tells that the connection is lost, or has a new one; what stands there now is not touched."""
    started = ssh("")
    (remote / "x").write_text("x")
    script = """
import os, sys
import flowworker as fw

rundir, remote = sys.argv[1:]
held = []

def close():
    for number in sorted(int(name) for name in os.listdir("/proc/self/fd")):
        try:
            if number > 2 and os.readlink("/proc/self/fd/%d" % number).startswith(("socket:", "pipe:", "anon_inode:")):
                os.close(number)
                held.append(os.open(rundir + "/held%d" % number, os.O_RDWR | os.O_CREAT))
        except OSError:
            pass

volume = fw.Sftp(remote, "h", username="u", identifier="v")
get = lambda name: fw.ContainerStep(name, "", ["cat x"], inputs=["x"])
pool = fw.WorkerPool(volumes=[volume])
steps = [get("a"), fw.ContainerStep("b", "", ["echo y"], outputs=[])]
running = fw.Workflow(steps, workers=pool).start(rundir=rundir + "/one")
for event in running:
    if event.kind == "step_ended" and not held:
        close()
print(running.wait().outcome)
running.close()
assert held and all(os.fstat(number).st_size == 0 for number in held)
print(fw.Workflow([get("c")], workers=pool).run(rundir=rundir + "/two").check().stdout)
assert all(os.fstat(number).st_size == 0 for number in held)
"""
    rundir = tmp_path / "runs"
    rundir.mkdir()
    command = [sys.executable, "-c", script, str(rundir), str(remote)]
    done = subprocess.run(command, env=python_env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['x']" and len(started()) == 2


@pytest.mark.parametrize(
    "argument,value",
    [
        ("hostname", "-oProxyCommand=x"),
        ("hostname", "a b"),
        ("hostname", "u@h"),
        ("username", "-x"),
        ("username", "a\nb"),
    ],
)
def test_names_that_are_no_names(remote, argument, value):
    with pytest.raises(fw.DocumentError) as error:
        fw.WorkerPool(volumes=[volume(remote, **{argument: value})])
    assert "invalid " + argument in str(error.value) and "/volumes/0/args" in error.value.path


def test_without_ssh(run, remote, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = get(run, remote)
    assert result.outcome == "volume_failed"
    assert "ssh is not installed (Debian: openssh-client)" in result.message
