"""The log of the library, for a logger and for a callable."""

import gc
import logging
import sys
import threading
import weakref

import pytest

import flowworker

WORKER = flowworker.default_container_worker


@pytest.fixture(autouse=True)
def _off():
    yield
    flowworker.set_log(None)


def run(rundir, command="true", **options):
    step = flowworker.ContainerStep("s", "", [command])
    return WORKER.exec(step, {}, str(rundir), **options)


def test_a_logger_gets_lines_with_the_levels_of_logging(rundir, caplog):
    logger = logging.getLogger("test.flowworker")
    with caplog.at_level(logging.DEBUG, logger.name):
        flowworker.set_log(logger)
        run(rundir)
        run(rundir, "exit 3", retries={"max": 1, "delay": 0})
    seen = {(record.levelno, record.name) for record in caplog.records}
    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
    assert seen == {(level, logger.name) for level in levels}
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        'step "s", command 1 of 1 exited with status 3: "exit 3"'
    ]


def test_a_line_with_percent_signs_is_no_format(rundir, caplog):
    with caplog.at_level(logging.DEBUG):
        flowworker.set_log(logging.getLogger())
        run(rundir, ": %s %d")
    assert any("%s %d" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "level, kinds",
    [
        (logging.DEBUG, {logging.DEBUG, logging.INFO, logging.ERROR}),
        (15, {logging.INFO, logging.ERROR}),
        (logging.INFO, {logging.INFO, logging.ERROR}),
        (None, {logging.INFO, logging.ERROR}),
        (logging.WARNING, {logging.ERROR}),
        (logging.ERROR, {logging.ERROR}),
        (logging.CRITICAL, set()),
    ],
)
def test_a_callable_gets_the_levels_that_it_wants(level, kinds, rundir):
    lines = []
    flowworker.set_log(lambda *line: lines.append(line), level)
    run(rundir)
    run(rundir, "exit 1")
    assert {line[0] for line in lines} == kinds
    assert all(isinstance(line[1], str) for line in lines)


def test_lines_come_in_the_thread_of_the_call(rundir):
    threads = set()
    flowworker.set_log(lambda level, line: threads.add(threading.get_ident()))
    other = threading.Thread(target=run, args=(rundir,))
    other.start()
    ident = other.ident
    other.join()
    assert threads == {ident}


def test_a_log_is_let_go_when_another_one_replaces_it(rundir):
    class Target:
        def __call__(self, level, line):
            pass

    target = Target()
    gone = weakref.ref(target)
    flowworker.set_log(target)
    run(rundir)
    del target
    assert gone() is not None
    flowworker.set_log(lambda level, line: None)
    gc.collect()
    assert gone() is None


def test_an_exception_of_a_log_goes_to_the_hook(rundir, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: seen.append(raised.exc_type))

    def log(level, line):
        raise KeyError(line)

    flowworker.set_log(log)
    assert run(rundir).returncode == 0
    assert seen and set(seen) == {KeyError}


def test_another_target_is_a_type_error():
    with pytest.raises(TypeError, match="target: expected a logger, a callable or None, found a str"):
        flowworker.set_log("stderr")
    with pytest.raises(TypeError, match="level: expected a number such as logging.INFO, or None, found a str"):
        flowworker.set_log(logging.getLogger(), "DEBUG")


def test_an_interpreter_that_exits_has_no_log_any_more(run_python):
    done = run_python(
        "import flowworker, threading, sys\n"
        "flowworker.set_log(lambda level, line: None, 10)\n"
        "step = flowworker.ContainerStep('s', '', ['true'])\n"
        "def work():\n"
        "    while True:\n"
        "        flowworker.default_container_worker.exec(step, {}, '.')\n"
        "for _ in range(4):\n"
        "    threading.Thread(target=work, daemon=True).start()\n"
        "flowworker.default_container_worker.exec(step, {}, '.')\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
