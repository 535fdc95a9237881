"""The `stdin` of a run: buffers and files, which the package writes, and the forms that the documents have."""

import array
import asyncio
import gzip
import io
import mmap
import os
import threading

import pytest

import flowworker
from flowworker import ContainerStep

CAT = ContainerStep("cat", "", [["cat"]])
ALL_BYTES = bytes(range(256))
#: Many times what a pipe and all buffers hold.
MUCH = os.urandom(1 << 16) * 100


def _exec(step, rundir, stdin, **options):
    return flowworker.default_container_worker.exec(step, {}, rundir, stdin=stdin, **options)


def _exec_async(step, rundir, stdin, **options):
    return asyncio.run(flowworker.default_container_worker.exec_async(step, {}, rundir, stdin=stdin, **options))


def _wait(step, rundir, stdin, **options):
    with flowworker.default_container_worker.start(step, {}, rundir, stdin=stdin, **options) as run:
        return run.wait()


def _wait_behind_an_event(step, rundir, stdin, **options):
    with flowworker.default_container_worker.start(step, {}, rundir, stdin=stdin, **options) as run:
        assert run.next_event().kind == "step_started"
        return run.wait()


def _iterate(step, rundir, stdin, **options):
    with flowworker.default_container_worker.start(step, {}, rundir, stdin=stdin, **options) as run:
        for _ in run:
            pass
        return run.wait()


def _await(step, rundir, stdin, **options):
    async def main():
        async with flowworker.default_container_worker.start(step, {}, rundir, stdin=stdin, **options) as run:
            return await run

    return asyncio.run(main())


def _iterate_async(step, rundir, stdin, **options):
    async def main():
        async with flowworker.default_container_worker.start(step, {}, rundir, stdin=stdin, **options) as run:
            async for _ in run:
                pass
            return await run

    return asyncio.run(main())


@pytest.fixture(params=[_exec, _exec_async, _wait, _wait_behind_an_event, _iterate, _await, _iterate_async])
def run(request, rundir):
    """Runs a step in each of the ways that there are."""

    def run(stdin, step=CAT, **options):
        return request.param(step, rundir, stdin, **options)

    return run


# -- what arrives


def test_a_buffer_arrives_as_it_is(run):
    for data in (ALL_BYTES, bytearray(ALL_BYTES), memoryview(ALL_BYTES), memoryview(ALL_BYTES)[3:], b"", bytearray()):
        result = run(data)
        assert result.check() and b"".join(result.stdout_bytes) == bytes(data)


def test_much_more_than_the_buffers_hold_arrives(run):
    result = run(MUCH)
    assert result.ok and result.stdout_bytes == [MUCH]


def test_a_file_is_read_to_its_end(run, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(MUCH)
    with open(path, "rb") as file:
        file.seek(5)
        result = run(file)
        assert result.stdout_bytes == [MUCH[5:]]
        assert file.tell() == len(MUCH)
    with open(path, "rb", buffering=0) as file:
        assert run(file).stdout_bytes == [MUCH]


def test_other_objects_with_bytes_in_them(rundir, tmp_path):
    numbers = array.array("d", [1.5, 2.5])
    assert _exec(CAT, rundir, numbers).stdout_bytes == [numbers.tobytes()]
    assert _exec(CAT, rundir, io.BytesIO(MUCH)).stdout_bytes == [MUCH]
    path = tmp_path / "data"
    path.write_bytes(MUCH)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert _exec(CAT, rundir, mapped).stdout_bytes == [MUCH]
    with gzip.open(tmp_path / "data.gz", "wb") as file:
        file.write(MUCH)
    with gzip.open(tmp_path / "data.gz", "rb") as file:
        assert _exec(CAT, rundir, file).stdout_bytes == [MUCH]


def test_a_buffer_of_the_host_is_free_behind_the_run(run):
    data = bytearray(MUCH)
    assert run(data).ok
    data.clear()  # A buffer that is still in use raises BufferError.


def test_events_are_all_there_while_the_input_is_written(rundir):
    for call in (_exec, _exec_async):
        seen = []
        assert call(CAT, rundir, MUCH, on_event=seen.append).ok
        assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
        assert b"".join(event.data for event in seen if event.kind == "output") == MUCH
        assert (seen[0].kind, seen[1].kind, seen[-1].kind) == ("step_started", "command_started", "step_ended")


def test_a_file_is_never_in_memory_as_a_whole(run_python, rundir):
    """1 GB goes through `cat` in both directions at once, in a process whose memory cannot hold it."""
    script = """
import resource
import flowworker

class Zeros:
    left = 1_000_000_000

    def read(self, size):
        count = min(size, self.left)
        self.left -= count
        return bytes(count)

read = 0

def on_event(event):
    global read
    read += len(event.data or b"")

step = flowworker.ContainerStep("s", "", [["cat"]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
flowworker.default_container_worker.exec(
    step, {}, {RUNDIR!r}, stdin=Zeros(), on_event=on_event, output_limit=1000
).check()
print(read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000)
"""
    done = run_python(script.replace("{RUNDIR!r}", repr(str(rundir))))
    assert (done.stdout, done.stderr) == ("1000000000 True\n", "")


def test_what_a_pipe_has_is_passed_on_before_there_is_more(rundir, wait_until):
    reading, writing = os.pipe()
    copy, arrived = rundir / "copy", []

    def write():
        try:
            for line in (b"one\n", b"two\n"):
                os.write(writing, line)
                wait_until(lambda line=line: copy.exists() and copy.read_bytes().endswith(line))
                arrived.append(line)
        finally:
            os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    with open(reading, "rb") as file:
        result = _exec(ContainerStep("s", "", [["tee", "copy"]]), rundir, file)
    writer.join()
    assert (result.stdout, arrived) == (["one\ntwo\n"], [b"one\n", b"two\n"])


def test_a_file_that_has_nothing_yet_is_no_end(rundir, wait_until):
    """Also not in non-blocking mode, in which a `read` gives nothing."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def write():
        wait_until((rundir / "copy").exists)
        os.write(writing, b"late")
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    with open(reading, "rb") as file:
        result = _exec(ContainerStep("s", "", [["tee", "copy"]]), rundir, file)
    writer.join()
    assert result.stdout == ["late"]


# -- commands that do not read it


@pytest.mark.parametrize("command", ["true", "head -c 1 >/dev/null", "exec <&-; true"])
def test_a_command_need_not_read_everything(run, command):
    result = run(MUCH, step=ContainerStep("s", "", [command]))
    assert (result.returncode, result.message) == (0, None)


def test_a_command_that_fails_early_has_its_own_returncode(run):
    assert run(io.BytesIO(MUCH), step=ContainerStep("s", "", ["exit 3"])).returncode == 3


def test_a_command_that_cannot_be_started_is_an_ordinary_result(run):
    assert run(MUCH, step=ContainerStep("s", "", [["no-such-program"]])).returncode == 127


def test_a_command_that_never_reads_has_its_timeout(run):
    assert run(MUCH, step=ContainerStep("s", "", [["sleep", "600"]]), timeout=0.2).outcome == "timeout"


# -- failures of the file


class Failing(io.RawIOBase):
    """A file that gives some bytes, and then raises."""

    def __init__(self, error):
        self._pieces = [b"some\n"]
        self._error = error

    def read(self, size=-1):
        if self._pieces:
            return self._pieces.pop()
        raise self._error


def test_an_exception_of_read_ends_the_step_and_is_raised(run, rundir, runs):
    error = OSError("the disk is gone")
    step = ContainerStep("s", "", ["read line; echo $$$$ > pid; cat; echo late > late"])
    with pytest.raises(OSError, match="the disk is gone") as caught:
        run(Failing(error), step=step)
    assert caught.value is error
    # The shell may have ended before it wrote its number, or before it made the file.
    pid = (rundir / "pid").read_text() if (rundir / "pid").exists() else ""
    assert not pid or not runs(int(pid))
    assert not (rundir / "late").exists()


def test_a_result_is_there_behind_an_exception_of_read(rundir):
    execution = flowworker.default_container_worker.start(CAT, {}, rundir, stdin=Failing(KeyError("no")))
    with execution:
        with pytest.raises(KeyError):
            execution.wait()
        assert execution.wait().outcome == "cancelled"


@pytest.mark.parametrize(
    "piece, hint", [("text", "a str"), (None, "None: open it in blocking mode"), (7, "an int")], ids=str
)
def test_a_read_that_gives_no_bytes_is_a_mistake(run, piece, hint):
    class Odd:
        def read(self, size):
            return piece

    with pytest.raises(TypeError, match="^stdin: expected a file whose read.. returns bytes, found " + hint + "$"):
        run(Odd())


def test_a_cancelled_step_reads_no_more(rundir):
    """The pipe has no bytes, so a read would wait for ever."""
    reading, writing = os.pipe()
    sleep = ContainerStep("s", "", [["sleep", "600"]])

    async def leave():
        async with flowworker.default_container_worker.start(sleep, {}, rundir, stdin=file):
            raise KeyError

    with open(reading, "rb") as file:
        with pytest.raises(KeyError):
            with flowworker.default_container_worker.start(sleep, {}, rundir, stdin=file):
                raise KeyError
        with pytest.raises(KeyError):
            asyncio.run(leave())
    os.close(writing)


def test_a_signal_ends_a_run_that_writes(interrupt, tmp_path):
    script = """
import flowworker

class Endless:
    def read(self, size):
        open("began", "w").close()
        return bytes(size)

step = flowworker.ContainerStep("s", "", [["sleep", "600"]])
try:
    flowworker.default_container_worker.exec(step, {}, ".", stdin=Endless())
except KeyboardInterrupt:
    print("interrupted")
"""
    assert interrupt(script, "began") == "interrupted\n"


# -- what is refused


@pytest.mark.parametrize(
    "stdin, message",
    [
        ("text", "found a str: encode it"),
        (io.StringIO("text"), "found a StringIO: encode its text"),
        (7, "found an int"),
        ([b"a"], "found a list"),
        (io.BytesIO, "found a type"),
        (memoryview(b"abcd")[::2], "found a view with gaps: copy it"),
    ],
    ids=str,
)
def test_what_has_no_bytes_is_refused(run, rundir, stdin, message):
    with pytest.raises(TypeError, match="^stdin: .*" + message):
        run(stdin, step=ContainerStep("s", "", ["echo > ran"]))
    assert not (rundir / "ran").exists()


def test_a_path_is_not_opened_by_the_way(rundir, tmp_path):
    with pytest.raises(TypeError, match=": open it$"):
        _exec(CAT, rundir, tmp_path / "in.txt")
    with open(os.devnull, encoding="utf-8") as file, pytest.raises(TypeError, match="open it with 'rb'"):
        _exec(CAT, rundir, file)


def test_nobody_could_write_during_a_call_that_waits(rundir):
    hosted = ContainerStep("s", "", [["cat"]], stdin="host")
    for call in (_exec, _exec_async):
        for step, stdin in ((CAT, "host"), (hosted, None)):
            with pytest.raises(flowworker.DocumentError, match="'host' is for start") as caught:
                call(step, rundir, stdin)
            assert caught.value.path == "/stdin"
        assert call(hosted, rundir, b"told").stdout == ["told"]


def test_bytes_need_a_step_with_one_command(run):
    with pytest.raises(flowworker.FlowWorkerError, match="command"):
        run(b"a", step=ContainerStep("s", "", ["cat", "cat"]))


def test_a_step_has_no_bytes(rundir):
    for stdin, found in ((b"a", "bytes"), (io.BytesIO(), "a BytesIO")):
        with pytest.raises(flowworker.DocumentError, match="found {}: give it to exec or start".format(found)):
            _exec(ContainerStep("s", "", [["cat"]], stdin=stdin), rundir, None)


def test_a_function_has_no_standard_input(rundir):
    with pytest.raises(TypeError, match="unexpected keyword argument 'stdin'"):
        flowworker.CodeStep("s", len, stdin={"text": "a"})
    pool = flowworker.WorkerPool()
    step = flowworker.CodeStep("s", "os.getpid")
    with pytest.raises(flowworker.FlowWorkerError, match="stdin"):
        pool.get(step).exec(step, {}, rundir, stdin=b"a")


def test_a_workflow_has_no_standard_input(rundir):
    with pytest.raises(TypeError, match="unexpected keyword argument 'stdin'"):
        flowworker.Workflow([CAT]).run(rundir=rundir, stdin=b"a")


# -- the forms of the documents


def test_text_a_file_and_a_value(run, rundir):
    (rundir / "in.txt").write_bytes(ALL_BYTES)
    assert run({"text": "Grüße\n"}).stdout == ["Grüße\n"]
    assert run({"file": "in.txt"}).stdout_bytes == [ALL_BYTES]
    assert run({"file": rundir.__class__("in.txt")}).stdout_bytes == [ALL_BYTES]
    for value, text in (("as it is", "as it is"), ({"a": [1, None]}, '{"a":[1,null]}'), (2.5, "2.5")):
        result = flowworker.default_container_worker.exec(CAT, {"v": value}, rundir, stdin={"value": "v"})
        assert result.stdout == [text]


def test_a_step_has_its_input_and_a_run_wins(rundir):
    twice = ContainerStep("s", "", [["cat"], "cat"], stdin={"value": "v"})
    result = flowworker.default_container_worker.exec(twice, {"v": "a"}, rundir)
    assert result.stdout == ["a", "a"]
    assert flowworker.default_container_worker.exec(twice, {}, rundir, stdin={"text": "b"}).stdout == ["b", "b"]


def test_a_workflow_gives_a_step_its_input(rundir):
    (rundir / "names.txt").write_text("Bob\nAlice\n")
    steps = [
        ContainerStep("sort", "", ["sort > sorted.txt"], stdin={"file": "names.txt"}, outputs=["sorted.txt"]),
        ContainerStep("show", "", [["cat"]], stdin={"file": "sorted.txt"}),
        ContainerStep("told", "", [["cat"]], stdin={"value": "who"}),
    ]
    result = flowworker.Workflow(steps).run({"who": "Carol"}, rundir=rundir).check()
    assert result.stdout == ["Alice\nBob\n", "Carol"]


def test_the_example_counts_lines(run_python, python_env, tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    program = str(Path(__file__).resolve().parents[4] / "examples" / "count.py")
    with gzip.open(tmp_path / "names.gz", "wb") as file:
        file.write("O'Brien; rm\nother\nO'Brien; rm -rf\n".encode() * 100000)
    (tmp_path / "names").write_text("O'Brien\n")

    def count(*arguments):
        done = subprocess.run(
            [sys.executable, program, *arguments],
            env=python_env,
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        return done.returncode, done.stdout + done.stderr

    assert count("O'Brien; rm", "names.gz") == (0, "200000 lines\n")
    assert count("-e $HOME", "names") == (0, "no line\n")
    status, message = count("a", "missing")
    assert status == 1 and message.startswith("count.py: ") and "missing" in message
