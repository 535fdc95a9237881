"""Commands of words, success codes, signals and unset variables in containers, on each engine."""

import signal

import pytest
from conftest import BARE, BUSYBOX, ENTRY, box, succeeded

import flowworker

#: All that a word can have: every byte of ASCII but NUL, and characters of two, three and four bytes.
ODD = ["".join(map(chr, range(1, 128))), "ü€😀 ", "", " ", "$x `id` ; rm -rf / \\", "'\"'", "-n", "*", "a\nb\n"]


@pytest.fixture(params=["command", "step"])
def use(request):
    return request.param


def words(*commands, image=BUSYBOX, **options):
    return flowworker.ContainerStep("s", image=image, commands=[list(one) for one in commands], **options)


def test_words_arrive_as_they_are(engine, rundir, use):
    context = {f"w{number}": word for number, word in enumerate(ODD)}
    context["files"] = ["one file", "$two", "three\nlines"]
    expected = [*ODD, *context["files"]]
    for shell in ({}, {"shell": "/bin/sh"}):
        command = ["printf", "%s\\0", *(f"${{w{number}}}" for number in range(len(ODD))), "$files"]
        result = succeeded(box(engine, container=use, **shell).exec(words(command), context, rundir))
        assert result.stdout[0].split("\0")[:-1] == expected


def test_the_entry_point_is_in_front_of_words_unless_there_is_a_shell(engine, rundir, use):
    step = words(["/bin/echo", "a b"], ["/bin/true"], image=ENTRY)
    result = succeeded(box(engine, container=use).exec(step, {}, rundir))
    assert result.stdout == ["entry /bin/echo a b\n", "entry /bin/true\n"]
    result = succeeded(box(engine, container=use, shell="/bin/sh").exec(step, {}, rundir))
    assert result.stdout == ["a b\n"]


def test_words_need_no_shell_in_the_image(engine, rundir):
    there = box(engine, shell="/no/shell")
    assert "a b" in succeeded(there.exec(words(["/prog", "a b"], image=BARE), {}, rundir)).stdout[0]


@pytest.mark.parametrize("program, message", [("no-such", "program not found"), ("/etc/passwd", "not executable")])
def test_a_program_that_cannot_be_run(engine, rundir, use, program, message):
    result = box(engine, container=use).exec(words([program, "a b"]), {}, rundir)
    assert result.outcome == "spawn_failed" and message in result.message and f"{program} 'a b'" in result.message


def test_the_plan_shows_words(docker, rundir):
    plan = box(docker, shell="/bin/sh").plan(words(["echo", "$x"], stdin={"text": "t"}), {"x": "a b"}, rundir)
    container = plan["containers"][0]
    assert (container["Entrypoint"], container["Cmd"]) == (["echo"], ["a b"])
    assert container["OpenStdin"] and container["StdinOnce"] and container["AttachStdin"]
    assert "OpenStdin" not in box(docker).plan(words(["true"]), {}, rundir)["containers"][0]


def test_success_codes(engine, rundir, use):
    there = box(engine, container=use, success_codes=[0, 3])
    result = succeeded(there.exec(words(["sh", "-c", "exit 3"], ["echo", "next"]), {}, rundir))
    assert result.stdout[-1] == "next\n" and result.commands[0]["exit_code"] == 3
    result = box(engine, container=use, success_codes=[3]).exec(words(["true"]), {}, rundir)
    assert (result.outcome, result.returncode) == ("exited", 1)
    # An engine reports the end by a signal as such a status. A success code is a status.
    there = box(engine, container=use, success_codes=[143])
    assert succeeded(there.exec(words(["sh", "-c", "exit 143"]), {}, rundir)).commands[0]["exit_code"] == 143


def test_null_unsets_a_variable_of_the_image(engine, rundir, use):
    step = words(["/bin/sh", "-c", "echo $${FROM_IMAGE-unset} $$A"], image=ENTRY, env={"A": "b"})
    there = box(engine, container=use, shell="/bin/sh")
    assert succeeded(there.exec(step, {}, rundir)).stdout == ["yes b\n"]
    step.env = {"A": "b", "FROM_IMAGE": None, "NOT_THERE": None}
    assert succeeded(there.exec(step, {}, rundir)).stdout == ["unset b\n"]


def test_a_variable_that_is_unset_is_not_the_engines(engine, rundir, use):
    # The process of the engine has this variable.
    step = words(["/bin/sh", "-c", "env"], env={"LANG": None, "SHELL": None, "LD_LIBRARY_PATH": None, "OLDPWD": None})
    names = [
        line.split("=")[0]
        for line in succeeded(box(engine, container=use).exec(step, {}, rundir)).stdout[0].split("\n")
    ]
    assert not {"LANG", "SHELL", "LD_LIBRARY_PATH", "OLDPWD"} & set(names)


# --- signals ----------------------------------------------------------------------------------------------

TRAP = "trap 'echo usr1; exit 5' USR1; trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done"


def ready(execution):
    """Waits until the command has printed its first line."""
    while True:
        event = execution.next_event()
        assert event is not None
        if event.kind == "output":
            return execution


def test_a_signal_to_the_main_process(engine, rundir):
    execution = ready(box(engine).start(words(["sh", "-c", TRAP]), {}, rundir, events="text"))
    execution.signal(signal.SIGHUP)
    while "hup" not in (execution.next_event().data or ""):
        pass
    execution.signal(signal.SIGUSR1)
    result = execution.wait()
    assert (result.outcome, result.returncode, result.stdout) == ("exited", 5, ["ready\nhup\nusr1\n"])
    with pytest.raises(flowworker.EndedError):
        execution.signal(signal.SIGUSR1)


def test_a_signal_without_a_trap_ends_the_command(engine, rundir):
    execution = ready(box(engine).start(words(["sh", "-c", "echo ready; exec sleep 1000"]), {}, rundir, events="text"))
    execution.signal(signal.SIGUSR1)
    result = execution.wait()
    assert (result.outcome, result.returncode) == ("signaled", -signal.SIGUSR1)
    execution = ready(
        box(engine, memory=64 << 20).start(words(["sh", "-c", "echo ready; exec sleep 1000"]), {}, rundir)
    )
    execution.signal(signal.SIGKILL, "tree")
    # A KILL of the host is not taken for a lack of memory.
    result = execution.wait()
    assert (result.outcome, result.returncode) == ("signaled", -signal.SIGKILL)


def test_a_signal_to_all_processes_of_a_steps_container(engine, rundir):
    # The main process ends last, because an engine may pass on no output after its end.
    child = TRAP.replace("'", '"')
    script = f"sh -c '{child}' & {TRAP.replace('exit 5', 'wait; exit 5')}"
    execution = box(engine, container="step").start(
        words(["sh", "-c", script], ["echo", "next"]), {}, rundir, events="text"
    )
    text = ""
    while text.count("ready") < 2:
        event = execution.next_event()
        text += event.data if event.kind == "output" else ""
    execution.signal(signal.SIGHUP, "tree")
    while text.count("hup") < 2:
        event = execution.next_event()
        text += event.data if event.kind == "output" else ""
    execution.signal(signal.SIGUSR1, "tree")
    while text.count("usr1") < 2:
        event = execution.next_event()
        text += event.data if event.kind == "output" else ""
    assert execution.wait().returncode == 5


def test_what_an_engine_cannot_do_with_a_signal(engine, rundir):
    loop = words(["sh", "-c", "echo ready; exec sleep 1000"])
    own = ready(box(engine).start(loop, {}, rundir, events="text"))
    shared = ready(box(engine, container="step").start(loop, {}, rundir, events="text"))
    for execution, number, target, message in [
        (own, signal.SIGUSR1, "tree", 'set "container": "step"'),
        (own, signal.SIGABRT, "main", 'set "init": false'),
        (shared, signal.SIGUSR1, "main", "FW_SIGNAL_TREE"),
        (shared, signal.SIGSTOP, "tree", "except KILL, STOP and CHLD"),
    ]:
        with pytest.raises(flowworker.UnsupportedError, match=message):
            execution.signal(number, target)
    for execution in (own, shared):
        execution.cancel()
        assert execution.wait().outcome == "cancelled"


def test_without_an_init_process_the_command_gets_every_signal(engine, rundir):
    script = "trap 'echo abrt; exit 6' ABRT; echo ready; while :; do sleep 0.05; done"
    execution = ready(box(engine, init=False).start(words(["sh", "-c", script]), {}, rundir, events="text"))
    execution.signal(signal.SIGABRT)
    assert execution.wait().returncode == 6
