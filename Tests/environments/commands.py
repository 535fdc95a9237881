"""Checks of commands: what they get, how they end, and what they say."""

import os
import signal
import subprocess
import sys

from common import FOLDER, HANG, is_gone, numbers, output, run, same, step, wait_until, worker

import flowworker as fw

# --- simple commands and the shell -----------------------------------------------------------------------


#: Checks without a function of their own.
SIMPLE = {}


def equals(name, expected, *commands, **more):
    """A check whose output is known."""
    SIMPLE[name] = lambda: same(output(*commands, **more), expected)


def ends(name, expected, *commands, **more):
    """A check whose outcome and return code are known."""

    def compare():
        result = run(*commands, **more)
        found = (result.outcome, result.returncode)
        assert found == expected, "{} in place of {}: {}".format(found, expected, result.message)

    SIMPLE[name] = compare


ends("true", ("exited", 0), "true")
ends("false", ("exited", 1), "false")
ends("a status", ("exited", 3), "exit 3")
ends("a list of words", ("exited", 0), ["true", "a b"])
ends("a signal", ("signaled", -9), "kill -9 $$$$")
ends("a signal of a program", ("signaled", -15), ["sh", "-c", "kill -TERM $$$$"])
ends("a program that is missing", ("exited", 127), "no-such-program-here")
ends("a folder that is missing", ("spawn_failed", 1), "true", rundir="/no/such/folder")
ends("a shell that is missing", ("spawn_failed", 1), "a=1; b=2", options={"shell": "/no/shell"})
ends("success codes", ("exited", 0), "exit 9", options={"success_codes": [9]})
equals("words", "a b|$x|*|", ["printf", "%s|", "a b", "$$x", "*"])
equals("quotes", "a b  c d e f\n", "/bin/echo a  'b  c' \"d\" e\\ f")
equals("the shell", "1\n2\n", "for i in 1 2; do echo $$i; done")
equals("a pipe", "2\n", "printf 'a\\nb\\n' | wc -l | tr -d ' '")
equals("a value", "5 x\n", "echo ${number} $text", context={"number": 5, "text": "x"})
equals("a quoted value", "a'b $c\n", "echo ${x:q}", context={"x": "a'b $c"})
equals("no input", "end\n", "cat; echo end")
equals("input", "given\n", "cat", stdin=b"given\n")
equals("much input", "3000000\n", "wc -c | tr -d ' '", stdin=b"x" * 3000000)
equals("the environment alone", "[] 1\n", "echo [$$FW_SUITE] $$A", options={"env": {"A": "1"}})
equals("a long command", "100000\n", "printf %s " + "x" * 100000 + " | wc -c | tr -d ' '")
equals("a command beyond the kernel's limit", "200000\n", "printf %s " + "x" * 200000 + " | wc -c | tr -d ' '")
equals("a background process", "said\n", "sleep 600 & echo said")
equals("waiting for the background", "a\nb\n", "(sleep 0.3; echo b) & echo a", options={"background": "wait"})
equals("text that is no UTF-8", "\ufffd\n", "printf '\\377\\n'")


def test_two_streams():
    result = run("echo out; echo err >&2")
    same((result.stdout, result.stderr), (["out\n"], ["err\n"]))


def test_the_first_failure_is_the_last_command():
    result = run("echo 1", "exit 4", "echo 3")
    same((result.returncode, result.stdout, len(result.commands)), (4, ["1\n"], 2))


def test_inherited_environment():
    os.environ["FW_SUITE"] = "seen"
    same(output("echo $$FW_SUITE"), "seen\n")


def test_working_directory():
    same(os.path.realpath(output("pwd -P").strip()), os.path.realpath(FOLDER))


def test_a_script_without_an_interpreter():
    script = FOLDER / "script"
    script.write_text("echo scripted $1\n")
    script.chmod(0o755)
    same(output("./script one"), "scripted one\n")


def test_a_file_that_is_not_executable():
    (FOLDER / "plain").write_text("echo no\n")
    same(run("./plain").returncode, 126)


def test_default_signals_in_commands():
    old = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        # With SIGPIPE ignored, the writer would complain.
        result = run("yes | head -n 1")
        same((result.stdout, "".join(result.stderr)), (["y\n"], ""))
    finally:
        signal.signal(signal.SIGPIPE, old)


def test_no_descriptor_of_the_host():
    with open(os.devnull) as held:
        os.set_inheritable(held.fileno(), True)
        same(run("true <&{}".format(held.fileno())).returncode != 0, True)


# --- ends of commands ------------------------------------------------------------------------------------


def tree_ends(commands, outcome, **more):
    """All processes of a command are gone when the step has ended."""
    pids = FOLDER / "pids"
    pids.unlink(missing_ok=True)
    result = run(*commands, **more)
    same(result.outcome, outcome)
    found = numbers(pids.read_text())
    assert found
    assert all(is_gone(pid) for pid in found), "processes are left"
    return result


def test_a_background_process_is_ended():
    tree_ends(["sleep 600 & echo $$! > pids"], "exited")


def test_a_daemon_is_ended():
    tree_ends(["setsid sh -c 'echo $$$$ > pids; sleep 600' & while ! [ -s pids ]; do sleep 0.01; done"], "exited")


def test_a_left_process_stays():
    pids = FOLDER / "pids"
    run("sleep 600 >/dev/null 2>&1 & echo $$! > pids", options={"background": "leave"})
    (pid,) = numbers(pids.read_text())
    assert not is_gone(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid))


def test_timeout():
    tree_ends(["echo $$$$ > pids; sleep 600"], "timeout", options={"timeout": 0.5})


def test_timeout_of_a_program():
    same(run(["sleep", "600"], options={"timeout": 0.3}).outcome, "timeout")


def test_timeout_of_what_ignores_term():
    command = "trap '' TERM; echo $$$$ > pids; while :; do sleep 0.1; done"
    result = tree_ends([command], "timeout", options={"timeout": 0.5, "grace": 0.3})
    same(result.commands[0]["ended_by"], "KILL")


def test_timeout_of_a_step():
    same(run("sleep 600", timeout=0.3).outcome, "timeout")


def test_cancel():
    with worker().start(step("echo begun; sleep 600"), {}, FOLDER, events="lines") as task:
        for event in task:
            if event.kind == "output":
                task.cancel()
        result = task.wait()
    same((result.outcome, result.stdout), ("cancelled", ["begun\n"]))


def test_a_signal_to_a_command():
    command = "trap 'echo got; exit 7' USR1; echo begun; while :; do sleep 0.05; done"
    with worker().start(step(command), {}, FOLDER, events="lines") as task:
        for event in task:
            if event.kind == "output" and event.data == "begun":
                task.signal(signal.SIGUSR1)
        result = task.wait()
    same((result.returncode, result.stdout), (7, ["begun\ngot\n"]))


def test_the_death_of_the_host():
    script = (
        "import os, sys, flowworker as fw\n"
        "task = fw.create_worker(fw.Subprocess('w')).start("
        "fw.ContainerStep('s', '', [\"setsid sh -c 'echo $$$$ > pids; exec sleep 600' & \""
        " 'until [ -s pids ]; do sleep 0.01; done; echo $$$$ >> pids; echo begun; sleep 600']),"
        " {}, sys.argv[1], events='lines')\n"
        "for event in task:\n"
        "    if event.kind == 'output':\n"
        "        os.kill(os.getpid(), 9) if os.getpid() != 1 else os._exit(9)\n"
    )
    (FOLDER / "pids").unlink(missing_ok=True)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    subprocess.run([sys.executable, "-c", script, str(FOLDER)], env=environment, timeout=HANG)
    found = numbers((FOLDER / "pids").read_text())
    same(len(found), 2)
    wait_until(lambda: all(is_gone(pid) for pid in found))


# --- output ----------------------------------------------------------------------------------------------


def test_output_in_pieces():
    with worker().start(step("head -c 1000000 /dev/zero"), {}, FOLDER, events="chunks") as task:
        size = sum(len(event.data) for event in task if event.kind == "output")
        result = task.wait()
    same((size, len(result.stdout_bytes[0])), (1000000, 1000000))


def test_output_in_lines():
    with worker().start(step("echo a; echo b >&2; printf c", "echo d"), {}, FOLDER, events="lines") as task:
        events = list(task)
    same(sorted(event.data for event in events if event.kind == "output"), ["a", "b", "c", "d"])
    same([events[0].kind, events[-1].kind], ["step_started", "step_ended"])


def test_output_with_a_limit():
    result = run("head -c 100000 /dev/zero | tr '\\0' x", options={"output_limit": 1000})
    assert len(result.stdout_bytes[0]) < 2000
    same(result.commands[0]["stdout_bytes"], 100000)


def test_output_into_files():
    place = FOLDER / "spill"
    place.mkdir(exist_ok=True)
    facts = run("head -c 300000 /dev/zero", options={"spill": str(place)}).commands[0]
    same((os.path.getsize(facts["stdout_file"]), facts["spill_error"]), (300000, None))


def test_output_into_a_folder_that_is_missing():
    facts = run("head -c 300000 /dev/zero", options={"spill": "/no/such"}).commands[0]
    same((facts["stdout_file"], bool(facts["spill_error"])), (None, True))


def test_secrets():
    one = step("echo it is $$token", secrets=["token"])
    same(worker(inherit_env=True).exec(one, {"token": "abcd-1234"}, FOLDER).stdout, ["it is ***\n"])


def test_use_of_the_processor_and_memory():
    facts = run("i=0; while [ $$i -lt 20000 ]; do i=$$((i+1)); done").commands[0]
    assert facts["user_time"] + facts["system_time"] > 0 and facts["peak_memory"] > 100000, facts


# --- limits, retries, documents --------------------------------------------------------------------------


def test_retries():
    (FOLDER / "count").unlink(missing_ok=True)
    result = run("echo x >> count; test $$(wc -l < count) -ge 3", options={"retries": {"max": 5, "delay": 0.01}})
    same((result.returncode, len(result.attempts)), (0, 2))


def test_limit_of_files():
    same(output("ulimit -n", options={"limits": {"open_files": 20}}), "20\n")


def test_limit_of_a_file():
    result = run("head -c 100000 /dev/zero > big", options={"limits": {"file_size": 1024}})
    assert result.returncode != 0 and (FOLDER / "big").stat().st_size <= 1024


def test_a_plan():
    same(worker().plan(step("echo ${x}"), {"x": 1}, FOLDER)["commands"], ["echo 1"])


def test_a_mistake_in_a_document():
    try:
        fw.create_worker({"name": "w", "type": "subproces"})
    except fw.DocumentError as error:
        assert "subprocess" in str(error)
    else:
        raise AssertionError("it was taken")


def test_a_mistake_in_a_template():
    try:
        run("echo $1")
    except fw.TemplateError:
        return
    raise AssertionError("it was taken")
