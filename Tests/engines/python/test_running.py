"""A command in a container has the right words, files, environment, user and limits."""

import os
import shlex

import pytest
from conftest import BARE, BUSYBOX, ENTRY, box, step, succeeded, wait_until

WORDS = [
    "plain words",
    "  'single quotes'   \"double  quotes\" ",
    r"back\ slash \"quoted\" a\\b",
    r"""'it'"'"'s' "a \" b" "c \ d" ''""",
    "one\ntwo\tthree",
    "$HOME `pwd` $(pwd) *.c ~ a;b | c > d & e",
    "Gr\u00fc\u00dfe '\u4f60\u597d'",
]


@pytest.mark.parametrize("text", WORDS)
def test_words_are_split_as_a_shell_does(engine, run, text):
    escaped = text.replace("$", "$$")
    result = succeeded(run(engine, f"/prog {escaped}", image=BARE))
    printed = result.stdout[0].split("\n")
    for word in shlex.split(text):
        for line in word.split("\n"):
            assert line in printed


def test_an_open_quote_is_a_failed_step_that_says_so(docker, run):
    result = run(docker, "echo fine", "echo 'oh")
    assert (result.outcome, result.returncode) == ("spawn_failed", 1)
    assert "command 2 of 2" in result.message and "quotation mark ' is not closed" in result.message
    assert result.stdout == ["fine\n"]


def test_an_empty_command_runs_the_image_s_own(engine, run):
    result = succeeded(run(engine, "", image=BARE))
    assert "/workdir" in result.stdout[0]


def test_a_shell_takes_the_text_as_it_is(engine, run):
    result = succeeded(run(engine, "for n in 1 2; do echo $$n; done | tr 1 x; echo no >&2", shell="/bin/sh"))
    assert result.stdout == ["x\n2\n"] and result.stderr == ["no\n"]


def test_a_shell_replaces_the_entry_point(engine, run):
    assert succeeded(run(engine, "echo own", image=ENTRY, shell="/bin/sh")).stdout == ["own\n"]


@pytest.mark.parametrize("scope", ["command", "step"])
def test_the_entry_point_of_the_image_is_kept(engine, run, scope):
    result = succeeded(run(engine, "one 'two three'", image=ENTRY, container=scope))
    assert result.stdout == ["entry one two three\n"]


@pytest.mark.parametrize("scope", ["command", "step"])
def test_the_run_directory(engine, run, rundir, scope):
    (rundir / "top").write_text("top\n")
    (rundir / "data").mkdir()
    (rundir / "data/in").write_text("in\n")
    for name in ("etc", "tmp"):
        (rundir / name).mkdir()
        (rundir / name / "mine").write_text("mine\n")
    result = succeeded(
        run(
            engine,
            "pwd",
            "cat top data/in /data/in etc/mine",
            "cp top /data/out",
            "cat /etc/passwd",
            "ls /tmp",
            container=scope,
        )
    )
    assert result.stdout[0] == "/workdir\n"
    assert result.stdout[1] == "top\nin\nin\nmine\n"
    assert (rundir / "data/out").read_text() == "top\n"
    assert "root" in result.stdout[2], "the image's own /etc"
    assert "mine" not in "".join(result.stdout[3:]), "the image's own /tmp"


def test_a_link_to_a_directory_elsewhere_is_not_bound(engine, run, rundir, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").write_text("x")
    (rundir / "link").symlink_to(tmp_path / "elsewhere")
    result = run(engine, "ls /link/secret")
    assert result.outcome == "exited" and result.returncode != 0


def test_a_run_directory_that_is_not_there(docker, tmp_path):
    result = box(docker).exec(step("true"), {}, tmp_path / "none")
    assert result.outcome == "spawn_failed"
    assert f'"{tmp_path}/none"' in result.message and "No such file" in result.message


@pytest.mark.parametrize("scope", ["command", "step"])
def test_the_environment_of_image_worker_and_step(engine, run, scope):
    result = succeeded(
        run(
            engine,
            "echo $$A-$$B-$$C-$$FROM_IMAGE",
            image=ENTRY,
            shell="/bin/sh",
            container=scope,
            env={"B": "step", "C": "a 'b' = \u00fc"},
        )
    )
    assert result.stdout == ["-step-a 'b' = \u00fc-yes\n"]


def test_the_step_s_environment_wins(engine, rundir):
    worker = box(engine, shell="/bin/sh", env=[{"key": "A", "value": "worker"}, {"key": "B", "value": "worker"}])
    result = succeeded(worker.exec(step("echo $$A $$B", env={"B": "step"}), {}, rundir))
    assert result.stdout == ["worker step\n"]


def test_the_user(docker, run, rundir):
    os.chmod(rundir, 0o777)
    assert succeeded(run(docker, "id -u", image=ENTRY, shell="/bin/sh")).stdout == ["1000\n"]
    assert succeeded(run(docker, "id -u", "id -g", user="12:34")).stdout == ["12\n", "34\n"]
    result = succeeded(
        run(docker, "sh -c 'id -u; id -g; echo $$HOME; touch made'", user="host", image=ENTRY, shell="/bin/sh")
    )
    assert result.stdout == [f"{os.geteuid()}\n{os.getegid()}\n/workdir\n"]
    assert (rundir / "made").stat().st_uid == os.geteuid()


def test_a_user_that_the_image_does_not_know(docker, run):
    result = run(docker, "true", user="nobody-knows")
    assert result.outcome == "spawn_failed" and "nobody-knows" in result.message


def gated(engine, rundir, look, **options):
    """Looks at the container of a command that waits."""
    gate = rundir / "gate"
    with box(engine, **options).start(step("sh -c 'while ! [ -e gate ]; do sleep 0.05; done'"), {}, rundir) as run:
        event = next(event for event in run if event.kind == "command_started")
        assert event.pid is None and event.container
        look(engine.inspect(event.container))
        gate.touch()
        succeeded(run.wait())
    gate.unlink()


def test_limits_and_network(docker, rundir):
    def look(found):
        config = found["HostConfig"]
        assert config["Memory"] == config["MemorySwap"] == 64 << 20
        assert config["NanoCpus"] == 500_000_000
        assert config["NetworkMode"] == "host"
        assert config["Init"] is True
        assert found["Config"]["StopSignal"] == "SIGTERM"

    gated(docker, rundir, look, memory=64 << 20, cpus=0.5, network="host")
    gated(
        docker, rundir, lambda found: found["HostConfig"]["Init"] is False or pytest.fail("it has an init"), init=False
    )


def test_process_1_is_the_init(docker, run):
    assert "init" in succeeded(run(docker, "cat /proc/1/comm")).stdout[0]
    assert succeeded(run(docker, "cat /proc/1/comm", init=False)).stdout == ["cat\n"]


def test_mounts(engine, run, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/file").write_text("more\n")
    mount = {"source": str(tmp_path / "more"), "target": "/deep/er"}
    assert succeeded(run(engine, "cat /deep/er/file", "touch /deep/er/new", mounts=[mount])).stdout == ["more\n"]
    assert (tmp_path / "more/new").exists()
    result = run(engine, "touch /deep/er/other", mounts=[dict(mount, read_only=True)])
    assert result.returncode == 1 and "Read-only" in result.stderr[0]


def test_a_mount_that_is_not_there(docker, run, tmp_path):
    """Podman makes a directory for it."""
    result = run(docker, "true", mounts=[{"source": f"{tmp_path}/none", "target": "/x"}])
    assert result.outcome == "spawn_failed" and f"{tmp_path}/none" in result.message


def test_what_the_result_says(engine, run):
    result = succeeded(run(engine, "echo one", "sh -c 'sleep 0.2; echo two >&2'"))
    assert result.stdout == ["one\n"] and result.stderr == ["two\n"]
    first, second = result.commands
    assert first["container"] != second["container"] and first["container"].startswith("flowworker-")
    assert first["pid"] is None and first["exit_code"] == 0 and first["containment"] == "container"
    assert second["duration"] > 0 and second["started"] > first["started"] > 1.7e9
    assert result.engine["host"] == engine.host and result.engine["pulled"] is False
    assert result.engine["image"] == BUSYBOX
    assert result.engine["digest"] is None or "@sha256:" in result.engine["digest"]
    assert len(result.engine["image_id"].removeprefix("sha256:")) == 64
    wait_until(lambda: engine.containers() == [])
