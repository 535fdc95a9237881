"""The handlers of `flowworker.progress` show real steps and workflows: a bar on a terminal, tqdm, and logging."""

import asyncio
import fcntl
import io
import logging
import os
import pty
import re
import struct
import sys
import termios
import threading

import pytest

import flowworker
from flowworker import ContainerStep, Workflow, progress

WORKER = flowworker.default_container_worker
COLUMNS = 60


class Terminal:
    """A terminal of 60 columns, and what was written to it."""

    def __init__(self):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self.stream = open(theirs, "w", encoding="utf-8")
        self._text = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while True:
            try:
                self._text += os.read(self._ours, 4096)
            except OSError:  # A closed terminal raises this error.
                return

    def close(self):
        self.stream.close()
        self._reader.join()
        os.close(self._ours)

    def drawn(self):
        """Closes the terminal, and returns each writing of its lines; a writing that ends its line ends with it."""
        self.close()
        text = self._text.decode("utf-8").replace("\r\n", "\n")
        return [piece for piece in text.split("\r\033[K") if piece]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    yield terminal
    if not terminal.stream.closed:
        terminal.close()


@pytest.fixture
def workflow():
    return Workflow(
        [
            ContainerStep("first", "", ["echo one"]),
            ContainerStep("second", "", ["echo two", "echo three; exit 3"], retries={"max": 1, "delay": 0}),
        ]
    )


def step(*commands):
    return ContainerStep("s", "", list(commands))


def without_times(text):
    return re.sub(r"\d\d:\d\d|\d+\.\d+ s", "TIME", text)


# -- the bar


def test_a_bar_shows_a_workflow(terminal, workflow, rundir):
    result = workflow.run(rundir=rundir, on_event=progress.Bar(terminal.stream), events="lines")
    drawn = [without_times(piece) for piece in terminal.drawn()]
    assert "[--------------------] 0/2 TIME first: one" in drawn
    assert "[##########----------] 1/2 TIME second: two" in drawn
    assert "[##########----------] 1/2 TIME second, attempt 2, command 2: three"[: COLUMNS - 2] in drawn
    assert drawn[-1] == "[####################] 2/2 TIME {}\n".format(result.message)
    assert all(len(piece) < COLUMNS and "\n" not in piece for piece in drawn[:-1])


def test_a_bar_shows_a_step(terminal, rundir):
    WORKER.exec(step("echo a"), {}, rundir, on_event=progress.Bar(terminal.stream), events="lines")
    drawn = [without_times(piece) for piece in terminal.drawn()]
    assert drawn[-2:] == ["[--------------------] 0/1 TIME s: a", "[####################] 1/1 TIME done\n"]


def test_a_bar_can_watch_one_after_the_other(terminal, workflow, rundir):
    bar = progress.Bar(terminal.stream)
    for _ in range(2):
        WORKER.exec(step("true"), {}, rundir, on_event=bar)
    workflow.run(rundir=rundir, on_event=bar)
    ends = [without_times(piece)[:36] for piece in terminal.drawn() if piece.endswith("\n")]
    assert [end[22:27].strip() for end in ends] == ["1/1", "1/1", "2/2"]


def test_a_bar_names_the_steps_that_run_at_once(terminal, rundir):
    bar = progress.Bar(terminal.stream)

    def tell(kind, step=None, instance=None, **facts):
        facts = {"step": step, "instance": instance, **facts}
        bar(flowworker.Event(kind, 1, 1.0, **{name: fact for name, fact in facts.items() if fact is not None}))

    tell("run_started", steps=["a", "b"])
    for instance in range(3):
        tell("step_started", "a", instance, step_index=0)
    tell("output", "a", 1, data="one")
    tell("step_started", "b", step_index=1)
    tell("retry", "a", 0, attempt=1, delay=2.0)
    for instance in (1, 2):
        tell("step_ended", "a", instance, step_index=0, outcome="exited", returncode=0)
    tell("step_ended", "b", step_index=1, outcome="exited", returncode=0)
    tell("step_ended", "a", 0, step_index=0, outcome="exited", returncode=0)
    tell("run_ended", outcome="exited", returncode=0)
    drawn = [without_times(piece).rstrip("\n")[23:] for piece in terminal.drawn()]
    assert drawn == [
        "0/2 TIME ",
        "0/2 TIME a[0]",
        "0/3 TIME a[0], a[1]",
        "0/4 TIME a[0], a[1], a[2]",
        "0/4 TIME a[0], a[2], a[1]: one",
        "0/4 TIME 1 more, a[2], a[1], b",
        "0/4 TIME 1 more, a[1], b, a[0]",
        "1/4 TIME a[2], b, a[0]",
        "2/4 TIME b, a[0]",
        "3/4 TIME a[0], attempt 2 in 2 s",
        "4/4 TIME ",
        "4/4 TIME done",
    ]


def test_a_bar_of_several_steps_at_once(terminal, rundir):
    bar = progress.Bar(terminal.stream, total=4)

    async def main():
        await asyncio.gather(*(WORKER.exec_async(step("echo a"), {}, rundir, on_event=bar) for _ in range(4)))

    asyncio.run(main())
    drawn = terminal.drawn()
    assert [piece for piece in drawn if piece.endswith("\n")] == drawn[-1:] and " 4/4 " in drawn[-1]


def test_a_bar_of_several_threads(terminal, rundir):
    bar = progress.Bar(terminal.stream, total=40)

    def work():
        for _ in range(5):
            WORKER.exec(step("echo a"), {}, rundir, on_event=bar)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drawn = terminal.drawn()
    assert [piece for piece in drawn if piece.endswith("\n")] == drawn[-1:] and " 40/40 " in drawn[-1]


def test_restored_steps_count(terminal, tmp_path, rundir):
    steps = [ContainerStep("a", "", ["true"]), ContainerStep("b", "", ["[ -e go ]"])]
    options = {"rundir": rundir, "state": tmp_path / "state"}
    assert not Workflow(steps).run(**options).ok
    (rundir / "go").touch()
    Workflow(steps).run(**options, on_event=progress.Bar(terminal.stream))
    assert " 2/2 " in terminal.drawn()[-1]


def test_wide_characters_do_not_break_the_line(terminal, rundir):
    WORKER.exec(step("echo " + "漢" * 60), {}, rundir, on_event=progress.Bar(terminal.stream), events="lines")
    (line,) = {piece for piece in terminal.drawn() if "漢" in piece}
    assert len(line) + line.count("漢") in (COLUMNS - 2, COLUMNS - 1)


def test_output_cannot_move_the_cursor(terminal, rundir):
    command = r"printf 'a\033[2Jb\rc\tdé\302\233x\n'"
    WORKER.exec(step(command), {}, rundir, on_event=progress.Bar(terminal.stream), events="lines")
    drawn = terminal.drawn()
    assert any(piece.endswith(" s: c dé\x9bx".replace("\x9b", "")) for piece in drawn)
    assert not any("\033" in piece or "\x9b" in piece for piece in drawn)


def test_chunks_are_read_as_well(terminal, rundir):
    WORKER.exec(step(r"printf 'a\nb\377\n\n'"), {}, rundir, on_event=progress.Bar(terminal.stream))
    assert any(piece.endswith(" s: b\ufffd") for piece in terminal.drawn())


def test_much_output_is_not_all_drawn(terminal, rundir):
    WORKER.exec(step("seq 20000"), {}, rundir, on_event=progress.Bar(terminal.stream), events="lines")
    assert len(terminal.drawn()) < 5000


def test_follow_draws_without_events(terminal, rundir, wait_until):
    """The step goes on when the same line has been drawn twice, so the bar was drawn without an event."""
    run = WORKER.start(step("echo a; until [ -e go ]; do sleep 0.01; done"), {}, rundir, events="lines")

    def let_go():
        wait_until(lambda: terminal._text.count(b" s: a") > 1)
        (rundir / "go").touch()

    thread = threading.Thread(target=let_go)
    thread.start()
    result = progress.Bar(terminal.stream).follow(run)
    thread.join()
    assert result.text == "a\n" and terminal.drawn()[-1].endswith(" done\n")
    with pytest.raises(flowworker.FlowWorkerError, match="closed"):
        run.next_event()


def test_follow_of_a_workflow(terminal, workflow, rundir):
    result = progress.Bar(terminal.stream).follow(workflow.start(rundir=rundir))
    assert isinstance(result, flowworker.RunResult) and " 2/2 " in terminal.drawn()[-1]


def test_an_interrupted_bar_ends_its_line(terminal, rundir, runs):
    seen = []

    def on_event(event):
        bar(event)
        if event.kind == "command_started":
            seen.append(event.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with progress.Bar(terminal.stream) as bar:
            WORKER.exec(step("sleep 600"), {}, rundir, on_event=on_event)
    assert terminal.drawn()[-1].endswith(" s\n") and not runs(seen[0])


def test_without_a_terminal_there_are_lines(workflow, rundir):
    stream = io.StringIO()
    result = workflow.run(rundir=rundir, on_event=progress.Bar(stream), events="lines")
    assert without_times(stream.getvalue()).splitlines() == [
        "0/2 first: started",
        '1/2 step "first": exited 0 after TIME',
        "1/2 second: started",
        "1/2 {}; attempt 2 in 0 s".format(result.message),
        "2/2 {}".format(result.message),
    ]


def test_a_dumb_terminal_gets_lines(terminal, rundir, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    WORKER.exec(step("echo a"), {}, rundir, on_event=progress.Bar(terminal.stream), events="lines")
    [text] = terminal.drawn()
    assert without_times(text) == '0/1 s: started\n1/1 step "s": exited 0 after TIME\n'


def test_a_bar_begins_anew_after_a_workflow_that_an_exception_has_ended(rundir):
    stream = io.StringIO()
    bar = progress.Bar(stream)
    workflow = Workflow([ContainerStep(name, "", ["true"]) for name in "ab"])

    def on_event(event):
        bar(event)
        if event.kind == "step_ended":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        workflow.run(rundir=rundir, on_event=on_event)
    workflow.run(rundir=rundir, on_event=bar)
    counts = [line.split()[0] for line in stream.getvalue().splitlines()]
    assert counts == ["0/2", "1/2", "0/2", "1/2", "1/2", "2/2"]


def test_the_stream_is_stderr_at_the_first_event(capsys, rundir):
    bar = progress.Bar()
    WORKER.exec(step("true"), {}, rundir, on_event=bar)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("0/1 s: started\n1/1 ")


def test_a_stream_that_fails_does_not_end_the_step(rundir, tmp_path, monkeypatch):
    closed = open(tmp_path / "closed", "w")
    closed.close()
    full = open("/dev/full", "w")
    for stream in (closed, full):
        assert WORKER.exec(step("echo a"), {}, rundir, on_event=progress.Bar(stream)).ok
    with pytest.raises(OSError):
        full.close()
    monkeypatch.setattr(sys, "stderr", None)
    assert WORKER.exec(step("echo a"), {}, rundir, on_event=progress.Bar()).ok


def test_a_stream_without_the_characters_gets_others(rundir):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    WORKER.exec(ContainerStep("é", "", ["true"]), {}, rundir, on_event=progress.Bar(stream))
    assert b"0/1 ?: started\n" in stream.buffer.getvalue()


# -- tqdm


def test_tqdm_shows_a_workflow(workflow, rundir):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    stream = io.StringIO()
    with progress.TqdmBar(file=stream, ncols=100) as bar:
        workflow.run(rundir=rundir, on_event=bar, events="lines")
    drawn = stream.getvalue().split("\r")
    assert any("first:" in piece and "0/2" in piece and "one" in piece for piece in drawn)
    assert any("second:" in piece and "1/2" in piece and "three" in piece for piece in drawn)
    assert "2/2" in drawn[-1] and drawn[-1].endswith("\n")


def test_tqdm_takes_its_own_options_and_several_steps(rundir):
    pytest.importorskip("tqdm", reason="tqdm is not installed")
    stream = io.StringIO()
    bar = progress.TqdmBar(total=3, file=stream, desc="mine", unit="job")
    for _ in range(3):
        WORKER.exec(step("true"), {}, rundir, on_event=bar)
    last = stream.getvalue().split("\r")[-1]
    assert "mine" in last and "3/3" in last and "job" in last


def test_without_tqdm_the_error_says_what_to_do(run_python):
    done = run_python(
        "import sys; sys.modules['tqdm.auto'] = sys.modules['tqdm'] = None\n"
        "from flowworker import progress\n"
        "progress.Bar(); progress.EventLogger()\n"
        "try: progress.TqdmBar()\n"
        "except ImportError as error: print(error)"
    )
    assert (done.stdout, done.stderr) == ("TqdmBar needs the package tqdm: pip install tqdm\n", "")


def test_the_package_has_the_module_and_imports_neither_tqdm_nor_asyncio(run_python):
    done = run_python(
        "import sys, flowworker; flowworker.progress.Bar()\n"
        "print([name for name in ('tqdm', 'asyncio') if name in sys.modules])"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# -- logging


def test_records_of_a_workflow(workflow, rundir, caplog):
    caplog.set_level(logging.DEBUG)
    result = workflow.run(rundir=rundir, on_event=progress.EventLogger(), events="lines")
    records = [(record.levelname, without_times(record.getMessage())) for record in caplog.records]
    assert {record.name for record in caplog.records} == {"flowworker"}
    assert records[0] == ("INFO", "the workflow: started, 2 steps")
    assert records[2:6] == [
        ("DEBUG", 'step "first", command 1: echo one'),
        ("DEBUG", 'step "first", command 1, stdout: one'),
        ("DEBUG", 'step "first", command 1: exited 0 after TIME'),
        ("INFO", 'step "first": exited 0 after TIME'),
    ]
    assert [text for level, text in records if level == "WARNING"] == [result.message + "; attempt 2 in 0 s"]
    assert [text for level, text in records if level == "ERROR"] == [result.message] * 2
    assert [record.event.sequence for record in caplog.records] == list(range(1, len(records) + 1))


def test_a_logger_and_levels_of_the_program(rundir, caplog):
    logger = logging.getLogger("mine")
    logger.setLevel(logging.INFO)
    handler = progress.EventLogger(logger, {"output": logging.INFO, "step_started": None, "step_ended": 5})
    WORKER.exec(step("echo a; echo b"), {}, rundir, on_event=handler)
    assert [(r.name, r.getMessage()) for r in caplog.records] == [
        ("mine", 'step "s", command 1, stdout: a'),
        ("mine", 'step "s", command 1, stdout: b'),
    ]


def test_a_record_is_one_line_and_has_no_secret(rundir, caplog):
    caplog.set_level(logging.DEBUG)
    secret = ContainerStep("s", "", [r"printf 'a\rb\n'; echo $$token" + "\ntrue"], secrets=["token"])
    WORKER.exec(secret, {"token": "hunter2hunter2"}, rundir, on_event=progress.EventLogger())
    texts = [record.getMessage() for record in caplog.records]
    assert not any("hunter2" in text or "\n" in text or "\r" in text for text in texts)
    assert any(text.endswith(", stdout: ***") for text in texts)


def test_levels_of_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="expected kinds of events, found 'outputs'.*output"):
        progress.EventLogger(levels={"outputs": logging.INFO})


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: progress.Bar(7), "stream: expected a text stream or None, found an int"),
        (lambda: progress.Bar(io.BytesIO()), "stream: expected a text stream or None, found a BytesIO"),
        (lambda: progress.Bar().follow(WORKER), "execution: expected what start returns, found a Worker"),
        (
            lambda: progress.EventLogger(levels=["output"]),
            "levels: expected a dict of kinds of events and levels, or None, found a list",
        ),
        (lambda: progress.Bar(total="3"), "total: expected a number of steps or None, found a str"),
        (lambda: progress.EventLogger("steps"), "logger: expected a logging.Logger or None, found a str"),
        (
            lambda: progress.EventLogger(levels={"output": "INFO"}),
            "levels: expected numbers such as logging.INFO, or None, found a str",
        ),
        (
            lambda: WORKER.exec(step("true"), {}, "/tmp", on_event=progress.Bar),
            "on_event: expected a function, found the class Bar: use an object, such as Bar()",
        ),
    ],
)
def test_what_a_handler_cannot_use_is_refused_before_the_step(make, message):
    """Later, an exception would cancel the step."""
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == message


def test_every_kind_has_a_level():
    assert set(progress.LEVELS) == set(flowworker.EventKind)


def test_files_and_notebooks_have_sentences(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "v").mkdir()
    (tmp_path / "v/x").write_text("x" * 1000)
    steps = [ContainerStep("a", "", ["true"], inputs=["x"])]
    volumes = [flowworker.FStore(tmp_path / "v", "v")]
    Workflow(steps).run(rundir=tmp_path / "run", volumes=volumes, on_event=progress.EventLogger())
    assert any('copied "x" from "v" to "' in record.getMessage() for record in caplog.records)
