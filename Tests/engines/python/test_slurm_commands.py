"""Commands of a slurm worker get words, a standard input and signals, as commands of this machine do."""

import hashlib
import os
import random
import signal
import sys
import threading

import pytest
from clusters import step, worker
from conftest import wait_until

import flowworker

#: A program that reads nothing and stays.
STAY = "echo ready; while :; do sleep 0.05; done"


@pytest.fixture
def rundir(tmp_path):
    yield tmp_path
    # The file with the status of commands goes with the step.
    assert [name for name in os.listdir(tmp_path) if name.startswith(".fw-")] == []


def run(rundir, *commands, context=None, stdin=None, env=None, **settings):
    return worker(env=env).exec(step(*commands, **settings), context or {}, rundir, stdin=stdin)


def started(rundir, *commands, options=None, **settings):
    """Starts a step, and waits until it has written a line."""
    task = worker(**(options or {})).start(step(*commands, **settings), {}, rundir)
    for event in task:
        if event.kind == "output":
            break
    return task


def keep_reading(task):
    """Takes the rest of the events in another thread, and returns a function that waits for the result."""
    output, hashed = [0], hashlib.sha256()

    def read():
        for event in task:
            if event.kind == "output":
                output[0] += len(event.data)
                hashed.update(event.data)

    thread = threading.Thread(target=read)
    thread.start()

    def result():
        thread.join()
        return task.wait(), output[0], hashed.hexdigest()

    return result


# -- words


def test_words_are_what_they_are(cluster, rundir):
    everything = bytes(range(1, 256)).decode("latin-1")
    words = ["", "a b", "$HOME `id` $(id)", 'it\'s "quoted" \\', "-n", "*", "a\nb\n", "ü€🙂", everything]
    rand = random.Random(18)
    words += ["".join(chr(rand.randint(1, 255)) for _ in range(rand.randint(0, 300))) for _ in range(50)]
    context = {f"w{index}": word for index, word in enumerate(words)}
    names = [f"$w{index}" for index in range(len(words))]
    result = run(rundir, ["printf", "%s\\0", *names, "$all"], context={**context, "all": words})
    assert result.returncode == 0, result.message
    assert result.stdout_bytes == [b"".join(word.encode() + b"\0" for word in words * 2)]


def test_a_program_is_searched_by_the_path_on_the_node(cluster, rundir):
    (rundir / "bin").mkdir()
    (rundir / "bin" / "tool").write_text('#!/bin/sh\nprintf "%s|" "$@"; echo "$0"\n')
    (rundir / "bin" / "tool").chmod(0o755)
    path = f"/nonexistent:{rundir}/bin:{os.environ['PATH']}"
    result = run(rundir, ["tool", "a b"], env=[{"key": "PATH", "value": path}])
    assert result.stdout == [f"a b|{rundir}/bin/tool\n"]
    assert run(rundir, ["bin/tool", "x"]).stdout == ["x|bin/tool\n"]


def test_words_that_cannot_be_executed_have_the_shells_codes(cluster, rundir):
    (rundir / "plain").write_text("x")
    missing, plain = run(rundir, ["no-such-program", "a"]), run(rundir, ["./plain"])
    assert (missing.returncode, plain.returncode) == (127, 126)
    assert "no-such-program" in missing.stderr[0] and "./plain" in plain.stderr[0]


def test_a_script_without_a_first_line_runs(cluster, rundir):
    (rundir / "script").write_text('echo "$1"\n')
    (rundir / "script").chmod(0o755)
    assert run(rundir, ["./script", "a  b"]).stdout == ["a  b\n"]


def test_words_that_a_signal_ends(cluster, rundir):
    result = run(rundir, [sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"])
    assert (result.returncode, result.outcome) == (-11, "signaled")


def test_a_word_that_the_kernel_does_not_take(cluster, rundir):
    result = run(rundir, ["echo", "$x"], context={"x": "x" * 200_000})
    assert result.outcome == "spawn_failed" and "word 2 of the command has 200000 bytes" in result.message
    assert "on the node" in result.message


def test_success_codes(cluster, rundir):
    result = run(rundir, ["sh", "-c", "exit 3"], "exit 4", "cat missing", success_codes=[3, 4])
    assert [command["exit_code"] for command in result.commands] == [3, 4, 1]
    assert result.returncode == 1
    assert run(rundir, ["true"], success_codes=[3]).returncode == 1


# -- standard input


def test_text_value_and_file_are_read_by_each_command(cluster, rundir):
    (rundir / "in").write_bytes(b"in \xff\0 a file\n" * 50_000)
    result = run(rundir, ["wc", "-c"], "cat >copy", stdin={"file": "in"})
    assert result.stdout[0] == f"{(rundir / 'in').stat().st_size}\n"
    assert (rundir / "copy").read_bytes() == (rundir / "in").read_bytes()
    text = "ü text\n" * 3
    assert run(rundir, ["cat"], "cat", stdin={"text": text}).stdout == [text, text]
    context = {"v": {"a": [1, "x"]}, "s": "it's"}
    assert run(rundir, ["cat"], context=context, stdin={"value": "v"}).stdout == ['{"a":[1,"x"]}']
    assert run(rundir, ["cat"], context=context, stdin={"value": "s"}).stdout == ["it's"]
    assert run(rundir, ["wc", "-c"], stdin={"text": ""}).stdout == ["0\n"]
    assert run(rundir, ["wc", "-c"]).stdout == ["0\n"]


def test_a_file_is_read_on_this_machine(cluster, rundir):
    # The command sees the bytes of the file that the host has, and a pipe instead of the file.
    (rundir / "in").write_text("content")
    result = run(rundir, "cat; readlink /proc/self/fd/0 >&2", stdin={"file": "in"})
    assert result.stdout == ["content"] and result.stderr[0].startswith("pipe:")


def test_a_file_that_is_no_file(cluster, rundir):
    os.mkfifo(rundir / "fifo")
    (rundir / "folder").mkdir()
    for name, words in (("fifo", "a named pipe"), ("folder", "a directory"), ("missing", "does not exist")):
        result = run(rundir, ["cat"], stdin={"file": name})
        assert result.outcome == "spawn_failed" and words in result.message


def test_a_file_that_is_changed_while_it_is_read(cluster, rundir):
    (rundir / "in").write_bytes(b"x" * 1000)
    result = run(rundir, "echo more >>in; wc -c", stdin={"file": "in"})
    assert result.returncode == 0 and any("was changed while the command ran" in note for note in result.notes)


def test_a_file_that_cannot_be_read_to_its_end(cluster, rundir):
    # The command does not get an end of its input where the file has none.
    (rundir / "in").symlink_to("/proc/self/mem")
    result = run(rundir, "cat && echo end >how", stdin={"file": "in"})
    assert result.outcome == "spawn_failed" and result.returncode != 0
    assert 'the standard input "in" could not be read to its end: ' in result.message
    assert not (rundir / "how").exists()


SIZE = 100 << 20


def test_100_mb_both_ways(cluster, rundir):
    """The output is read while the input is written, in bounded memory."""
    piece = random.Random(1).randbytes(1 << 20)
    hashed = hashlib.sha256()
    task = worker(output_limit=1000).start(step(["cat"], stdin="host"), {}, rundir)
    ended = keep_reading(task)
    for _ in range(SIZE // len(piece)):
        assert task.write(piece) == len(piece)
        hashed.update(piece)
    task.close_input()
    result, size, digest = ended()
    assert result.returncode == 0, result.message
    assert (size, digest) == (SIZE, hashed.hexdigest())
    assert result.commands[0]["stdout_bytes"] == SIZE


def test_what_is_written_before_there_is_an_allocation(cluster, rundir):
    blocker = started(rundir, "echo; sleep 1000", options={"cpus": 4, "extra": ["--exclusive"]})
    task = worker(cpus=4, extra=["--exclusive"]).start(step(["cat"], stdin="host"), {}, rundir)
    piece = bytes(range(256)) * 4096
    # The job waits, so no more is taken than fits into a buffer.
    taken = task.write(piece, timeout=0)
    assert 0 < taken < len(piece) and task.write(piece, timeout=0) == 0
    with pytest.raises(flowworker.EndedError, match="no command of the step is running"):
        task.signal(signal.SIGUSR1)
    blocker.cancel()
    blocker.wait()
    ended = keep_reading(task)
    assert task.write(piece[taken:]) == len(piece) - taken
    task.close_input()
    result, size, digest = ended()
    assert (result.returncode, size, digest) == (0, len(piece), hashlib.sha256(piece).hexdigest())


def test_a_command_that_never_reads_is_cancelled(cluster, rundir):
    task = started(rundir, ["sh", "-c", STAY], stdin="host")
    while task.write(bytes(1 << 20), timeout=0.2):
        pass
    task.signal(signal.SIGCONT)
    task.cancel()
    result = task.wait()
    assert result.outcome == "cancelled" and result.commands[0]["is_ended"]
    with pytest.raises(flowworker.EndedError):
        task.write(b"x")


def test_a_command_that_never_reads_and_has_a_timeout(cluster, rundir):
    (rundir / "in").write_bytes(bytes(3 << 20))
    result = run(rundir, "echo ready; sleep 1000", stdin={"file": "in"}, timeout=1)
    assert result.outcome == "timeout" and result.stdout == ["ready\n"]


def test_a_command_that_closes_its_input(cluster, rundir):
    task = started(rundir, "head -c 3; exec <&-; echo closed; sleep 1000", stdin={"text": "abcdef"})
    task.cancel()
    assert task.wait().stdout[0].startswith("abc")
    task = started(rundir, ["sh", "-c", "exec <&-; " + STAY], stdin="host")
    with pytest.raises(flowworker.EndedError, match="the command has closed its standard input"):
        while True:
            task.write(bytes(1 << 20), timeout=0.1)
    task.cancel()
    task.wait()


def test_a_command_that_ends_before_its_input(cluster, rundir):
    (rundir / "in").write_bytes(bytes(3 << 20))
    # The rest is dropped, and the next command gets its own input from the first byte on.
    result = run(rundir, ["head", "-c", "3"], ["wc", "-c"], stdin={"file": "in"})
    assert result.stdout_bytes == [bytes(3), b"3145728\n"]
    task = worker().start(step(["head", "-c", "3"], stdin="host"), {}, rundir)
    with pytest.raises(flowworker.EndedError):
        while True:
            task.write(b"abc" * 100_000)
    assert task.wait().stdout == ["abc"]


def test_what_the_host_has_written_is_not_written_again(cluster, rundir):
    retries = {"max": 3, "on": ["exited"]}
    task = worker().start(step("cat; exit 1", stdin="host", retries=retries), {}, rundir)
    task.write(b"once")
    task.close_input()
    result = task.wait()
    assert result.attempts == [] and result.stdout == ["once"]
    assert "cannot be read again" in result.message


def test_a_file_is_read_again_by_a_new_attempt(cluster, rundir):
    (rundir / "in").write_text("again")
    retries = {"max": 3, "on": ["exited"]}
    result = run(rundir, "cat; [ -e made ] || { touch made; exit 1; }", stdin={"file": "in"}, retries=retries)
    assert (result.returncode, len(result.attempts), result.stdout) == (0, 1, ["again"])


def test_a_lost_link_gives_no_end_of_input(cluster, rundir):
    """A command whose job is cancelled does not take what has come for the whole input, and is no success."""
    task = started(rundir, "echo $$PPID; cat >got && echo end >how", stdin="host")
    task.write(b"part")
    wait_until(lambda: (rundir / "got").exists() and (rundir / "got").read_bytes() == b"part")
    cluster.call("scancel", *(job for _, job, _ in cluster.jobs()))
    result = task.wait()
    assert result.returncode != 0 and result.outcome == "engine_failed"
    assert not (rundir / "how").exists()


# -- signals


@pytest.mark.parametrize("words", [True, False])
def test_a_signal_reaches_the_main_process(cluster, rundir, words):
    script = "trap 'echo heard; exit 3' USR1; " + STAY
    task = started(rundir, ["sh", "-c", script] if words else script)
    task.signal(signal.SIGUSR1)
    result = task.wait()
    assert (result.returncode, result.stdout) == (3, ["ready\nheard\n"])


def test_a_signal_reaches_all_processes(cluster, rundir):
    child = "trap 'echo child; exit' USR1; " + STAY
    task = started(rundir, f'exec 2>&-; trap "echo main; exit 3" USR1; sh -c "{child}"')
    task.signal(signal.SIGUSR1, "tree")
    result = task.wait()
    assert (result.returncode, result.stdout) == (3, ["ready\nchild\nmain\n"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_the_hosts_signal_ends_keeps_its_allocation(cluster, rundir, number):
    held = worker(hold=30)
    task = held.start(step(["sh", "-c", STAY]), {}, rundir)
    while task.next_event().kind != "output":
        pass
    task.signal(number)
    result = task.wait()
    assert (result.outcome, result.returncode) == ("signaled", -number)
    assert held.exec(step("true"), {}, rundir).engine["job"] == result.engine["job"]
    with pytest.raises(flowworker.EndedError):
        task.signal(number)
