"""The output of a function is the step's, and what other threads write meanwhile is not."""

import contextlib
import io
import os
import sys
import threading

import pytest

from flowworker import CodeStep, WorkerPool, Workflow

WORKER = WorkerPool().get(CodeStep("c", lambda: {}))


@pytest.fixture
def run(rundir):
    return lambda func: WORKER.exec(CodeStep("c", func), {}, rundir)


@contextlib.contextmanager
def own_streams():
    """Gives a test streams of the host, and checks that they are back when the steps have ended.

    That is no fixture, because pytest sets the streams anew after it has set up the fixtures.
    """
    before = (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = host = (io.StringIO(), io.StringIO())
    try:
        yield
        assert (sys.stdout, sys.stderr) == host
    finally:
        sys.stdout, sys.stderr = before


@own_streams()
@pytest.mark.parametrize(
    "write, pieces",
    [
        (lambda: print("x"), ["x", "\n"]),
        (lambda: print("a", 1, sep="-", end=""), ["a", "-", "1", ""]),
        (lambda: print(), ["\n"]),
        (lambda: print("x", flush=True), ["x", "\n"]),
        (lambda: sys.stdout.write("a\nb\n"), ["a\nb\n"]),
        (lambda: sys.stdout.writelines(["a", "b"]), ["a", "b"]),
        (lambda: sys.stdout.flush(), []),
        (lambda: None, []),
        (lambda: print("\ud800ä\0"), ["\ufffdä\0", "\n"]),
        (lambda: sys.stdout.buffer.write(b"\xff\0"), ["\ufffd\0"]),
    ],
)
def test_pieces_are_as_they_were_written(write, pieces, run):
    result = run(write)
    assert (result.stdout, result.stderr) == (pieces, [])


@own_streams()
def test_standard_error_is_apart(run):
    result = run(lambda: (print("a"), print("b", file=sys.stderr)))
    assert (result.stdout, result.stderr) == (["a", "\n"], ["b", "\n"])


@own_streams()
def test_a_stream_is_what_programs_expect(run):
    facts = {}

    def look():
        facts.update(
            tty=sys.stdout.isatty(),
            encoding=sys.stdout.encoding,
            writable=sys.stdout.writable(),
            written=sys.stdout.write("abc"),
        )
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")
        with pytest.raises(OSError):
            sys.stdout.fileno()

    assert run(look).check().stdout == ["abc"]
    assert facts == {"tty": False, "encoding": "utf-8", "writable": True, "written": 3}


@own_streams()
def test_threads_of_the_function_write_into_its_output(run):
    def work():
        thread = threading.Thread(target=lambda: print("from a thread"))
        thread.start()
        thread.join()

    assert run(work).stdout == ["from a thread", "\n"]


@own_streams()
def test_where_the_kernel_does_not_tell_threads_apart(run, monkeypatch):
    """The step itself is captured; the threads that it starts count as the host's."""
    out = sys.stdout

    def work():
        thread = threading.Thread(target=lambda: print("from a thread"))
        thread.start()
        thread.join()
        print("from the step")

    monkeypatch.setattr("flowworker._streams._KCMP", None)
    assert run(work).stdout == ["from the step", "\n"]
    assert out.getvalue() == "from a thread\n"


@own_streams()
def test_two_steps_at_once_have_their_own_output_and_directory(tmp_path):
    barrier = threading.Barrier(3, timeout=120)
    places = [tmp_path / "one", tmp_path / "two"]
    results = {}

    def work(name):
        for number in range(3):
            barrier.wait()
            print(name, number, end="")
            sys.stderr.write(name)
        barrier.wait()
        return os.getcwd()

    def run(place):
        place.mkdir()
        context = {"name": place.name}
        result = WORKER.exec(CodeStep("c", work, "where"), context, place)
        results[place.name] = (result.stdout, result.stderr, context["where"])

    threads = [threading.Thread(target=run, args=(place,)) for place in places]
    here = os.getcwd()
    for thread in threads:
        thread.start()
    for _ in range(4):
        # The steps run now, and wait for this thread.
        print("host")
        assert os.getcwd() == here
        barrier.wait()
    for thread in threads:
        thread.join()
    for place in places:
        name = place.name
        pieces = [piece for number in "012" for piece in (name, " ", number, "")]
        assert results[name] == (pieces, [name] * 3, str(place))
    assert sys.stdout.getvalue() == "host\n" * 4


@contextlib.contextmanager
def step_running(rundir, before=lambda: None, after=lambda: None):
    """Runs a code step on another thread, around the block."""
    inside, leave = threading.Event(), threading.Event()
    results = []

    def work():
        before()
        inside.set()
        leave.wait()
        after()

    def run():
        results.append(WORKER.exec(CodeStep("c", work), {}, rundir))

    thread = threading.Thread(target=run)
    thread.start()
    assert inside.wait(120)
    try:
        yield results
    finally:
        leave.set()
        thread.join()


@own_streams()
def test_other_threads_write_where_they_did(rundir):
    out, err = sys.stdout, sys.stderr

    def write():
        print("b")

    with step_running(rundir, after=lambda: print("inside")) as results:
        print("a")
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        sys.stderr.write("e")
        assert out.getvalue() == "a\nb\n"
    print("c")
    assert results[0].check().stdout == ["inside", "\n"]
    assert (out.getvalue(), err.getvalue()) == ("a\nb\nc\n", "e")


@own_streams()
def test_a_stream_that_the_host_sets_meanwhile_stays(rundir):
    out, mine = sys.stdout, io.StringIO()
    with step_running(rundir):
        sys.stdout = mine
    assert sys.stdout is mine
    sys.stdout = out


@own_streams()
def test_a_redirection_of_the_host_that_outlasts_the_step(rundir):
    out, mine = sys.stdout, io.StringIO()
    with contextlib.ExitStack() as stack:
        with step_running(rundir, after=lambda: print("lost")):
            stack.enter_context(contextlib.redirect_stdout(mine))
        print("redirected")
        # Another step while the redirection is on is captured, and the host is not.
        with step_running(rundir, after=lambda: print("captured")) as results:
            print("still")
        assert results[0].stdout == ["captured", "\n"]
        assert sys.stdout is mine
    # The redirection has put back what it found, which still writes where it should.
    print("after")
    assert mine.getvalue() == "lost\nredirected\nstill\n"
    assert out.getvalue() == "after\n"
    WORKER.exec(CodeStep("c", lambda: print("x")), {}, rundir)
    assert sys.stdout is out


@own_streams()
def test_a_redirection_inside_of_the_function(run):
    def work():
        mine = io.StringIO()
        with contextlib.redirect_stdout(mine):
            print("redirected")
        print(len(mine.getvalue()))

    assert run(work).stdout == ["11", "\n"]


@own_streams()
def test_a_thread_that_outlives_its_step_writes_to_the_host(rundir):
    out = sys.stdout
    go = threading.Event()
    started = []

    def late():
        print("in time")
        written.set()
        go.wait()
        print("late")

    def work():
        started.append(threading.Thread(target=late))
        started[0].start()
        written.wait()

    written = threading.Event()
    result = WORKER.exec(CodeStep("c", work), {}, rundir)
    with step_running(rundir, after=lambda: print("other")) as results:
        go.set()
        started[0].join()
    assert result.stdout == ["in time", "\n"]
    assert results[0].stdout == ["other", "\n"]
    assert out.getvalue() == "late\n"


@own_streams()
def test_a_host_without_streams(rundir):
    streams = (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr = None
    try:
        with step_running(rundir, after=lambda: print("inside")) as results:
            print("nowhere")
        assert (sys.stdout, sys.stderr) == (None, None)
    finally:
        sys.stdout, sys.stderr = streams
    assert results[0].check().stdout == ["inside", "\n"]


@own_streams()
def test_output_before_a_failure_is_kept(run):
    def work():
        print("a")
        sys.stderr.write("b")
        raise ValueError

    result = run(work)
    assert result.stdout == ["a", "\n"]
    assert result.stderr[0] == "b" and len(result.stderr) == 2


def test_output_that_is_cut_is_one_piece(rundir):
    def work():
        for number in range(100):
            print(number, end=" ")

    step = CodeStep("c", work)
    assert WORKER.exec(step, {}, rundir, output_limit=10).stdout == ["0 1 28 99 "]
    assert len(WORKER.exec(step, {}, rundir, output_limit=1000).stdout) == 200


def test_the_pieces_of_a_step_that_a_run_before_has_run(rundir):
    def work():
        print("rows", 12)
        print("", end="")
        sys.stdout.write("a\0b\ud800")
        print("e", file=sys.stderr)

    pieces = ["rows", " ", "12", "\n", "", "", "a\0b\ufffd"]
    for kept in (0, 1):
        result = Workflow([CodeStep("c", work)]).run(rundir=rundir, state=rundir / "state").check()
        assert (result.restored, result.stdout, result.stderr) == (kept, pieces, ["e", "\n"])


def test_threads_that_print_while_steps_begin_and_end(run_python):
    """Each beginning and end takes the stream away, from which a `print` of another thread may just be borrowing."""
    done = run_python(
        "import io, sys, threading, time\n"
        "import flowworker as f\n"
        "worker = f.create_worker(f.Code('c'))\n"
        "def late():\n"
        "    for _ in range(20): print('late'); time.sleep(0.0005)\n"
        "def function():\n"
        "    threading.Thread(target=late).start()\n"
        "    for _ in range(2000): pass\n"
        "def run():\n"
        "    for _ in range(100): worker.exec(f.CodeStep('s', function), {}, '.').check()\n"
        "host, sys.stdout = sys.stdout, io.StringIO()\n"
        "threads = [threading.Thread(target=run) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "sys.stdout = host\n"
        "print('ended')\n"
    )
    assert (done.returncode, done.stderr) == (0, "") and "ended" in done.stdout
