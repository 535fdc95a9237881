"""The runner reports all output of a notebook as readable text, and the cell in which it failed."""

import json
import os
import sys

import pytest
from library import Interpreter, alone, finished, kernel, notebook, sources, texts

# --- nothing is lost


@pytest.mark.parametrize(
    "source, stream, count, on_one",
    [
        (
            "import logging\nlogging.basicConfig(format='L %(message)s')\n"
            "for n in range(5000): logging.warning('%d', n)",
            "stderr",
            5000,
            False,
        ),
        ("for n in range(20000): print('L', n, flush=True)", "stdout", 20000, True),
        ("for n in range(20000): display(n)", None, 20000, False),
    ],
)
def test_no_message_is_lost(run, rundir, source, stream, count, on_one):
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)} if on_one else allowed)
    interpreter = Interpreter("notebook")
    os.sched_setaffinity(0, allowed)
    outcome = finished(run(source, interpreter=interpreter))
    assert interpreter.close() == (0, "")
    if stream is None:
        [cell] = json.loads((rundir / "n.out.ipynb").read_text())["cells"]
        assert [output["data"]["text/plain"] for output in cell["outputs"]] == [[str(n)] for n in range(count)]
    else:
        want = "".join("L %d\n" % n for n in range(count))
        assert getattr(outcome, stream) == want and texts(rundir / "n.out.ipynb", stream) == want


def test_what_processes_write_last_is_not_lost(run, rundir):
    cells = ["import os\nfor n in range(20): os.system('echo %d-$((%d + 1))' % (n, n))"] * 3
    want = "".join("%d-%d\n" % (n, n + 1) for n in range(20)) * 3
    for _ in range(3):
        assert finished(run(*cells)).stdout == want
        assert texts(rundir / "n.out.ipynb", "stdout") == want


def test_what_a_kernel_writes_at_its_end(run):
    source = (
        "import atexit, os, sys\n"
        "atexit.register(lambda: (os.write(1, b'out\\n'), os.write(2, b'err\\n'), print('printed')))\n"
        "print('cell')"
    )
    outcome = finished(run(source))
    assert (outcome.stdout, outcome.stderr) == ("cell\nout\nprinted\n", "err\n")


LOSES = """
import sys
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Loses(Kernel):
    implementation = "loses"
    implementation_version = language_version = "1"
    language_info = {"name": "text", "mimetype": "text/plain", "file_extension": ".txt"}
    banner = ""
    lost = False

    def do_execute(self, code, silent, *more, **named):
        self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": code + chr(10)})
        if code.startswith("fail"):
            content = {"ename": "", "evalue": "3", "traceback": []}
            self.send_response(self.iopub_socket, "error", content)
            return dict(content, status="error", execution_count=1)
        if code.startswith("half"):
            self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": "x" + chr(0xDCFF) + chr(10)})
        self.lost = code.startswith("lose")
        return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}

    def _publish_status(self, status, *more, **named):
        if self.lost and status == "idle":
            self.lost = False
        else:
            super()._publish_status(status, *more, **named)

IPKernelApp.launch_instance(kernel_class=Loses)
"""


@pytest.fixture
def other(tmp_path_factory, run):
    """Runs cells in a kernel that is not IPython's."""
    place = tmp_path_factory.mktemp("kernels")
    (place / "loses.py").write_text(LOSES)
    env = kernel(place, "loses", [sys.executable, str(place / "loses.py"), "-f", "{connection_file}"])
    return lambda *cells, **more: alone(place, run, env, *cells, spec="loses", **more)


def test_the_end_of_a_cell_that_is_lost_is_noticed(other):
    outcome = other("one", "lose", "three")
    failed = outcome["failed"]
    assert failed["why"] == "kernel_lost" and "cell 2 of 3" in failed["message"] and "was lost" in failed["message"]
    assert outcome.stdout == "one\nlose\n"


def test_errors_without_a_class(other):
    failed = other("one", "fail")["failed"]
    assert failed["message"] == 'cell 2 of 2 of the notebook "n.ipynb" failed: 3'
    assert (failed["type"], failed["text"], failed["trace"]) == ("CellExecutionError", "3", "")


def test_bytes_of_another_kernel(other, rundir):
    outcome = finished(other("half"))
    assert outcome.stdout == "half\nx\ufffd\n" == texts(rundir / "n.out.ipynb", "stdout")


# --- text that JSON, or UTF-8, has not


@pytest.mark.parametrize("code", ["\\0", "\\ud800", "\\udcff"])
def test_odd_text(run, rundir, code):
    shown = "a\0b" if code == "\\0" else "a\ufffdb"
    outcome = finished(run("print('a%sb')" % code, "display({'text/plain': 'a%sb'}, raw=True)" % code))
    assert outcome.stdout == shown + "\n" == texts(rundir / "n.out.ipynb", "stdout")
    failed = run("raise ValueError('a%sb')" % code)["failed"]
    assert (failed["type"], failed["text"]) == ("ValueError", "a\ufffdb")
    assert "ValueError: a\ufffdb" in failed["message"] and "a\ufffdb" in failed["trace"]


def test_odd_text_in_the_notebook_itself(run, rundir):
    text = notebook("print('x')", "print('y\ud800')").replace("y\ud800", "y\\ud800")
    assert finished(run(text)).stdout == "x\ny\ufffd\n"


@pytest.mark.parametrize(
    "source, words",
    [
        ("class E(Exception):\n  def __str__(self): raise KeyboardInterrupt\nraise E", None),
        ("class E:\n  def __repr__(self): raise ValueError('no repr')\nE()", "no repr"),
        ("class E(Exception): pass\nE.__qualname__ = 'a\\0%'\nraise E('100 %s')", None),
    ],
)
def test_objects_that_cannot_be_shown(run, source, words):
    failed = run(source)["failed"]
    assert "cell 1 of 1" in failed["message"] and (words or "") in failed["message"]


def test_a_very_long_error(run):
    failed = run("raise ValueError('x' * 3_000_000)")["failed"]
    assert "characters are omitted" in failed["text"] and len(failed["text"]) < 1_100_000


# --- which cell, and why


@pytest.mark.parametrize(
    "source, type, words",
    [
        ("%no_such_magic 2", "UsageError", "`%no_such_magic` not found"),
        ("%%nope\nx", "UsageError", "`%%nope` not found"),
        ("raise ValueError", "ValueError", "raised ValueError"),
        ("raise ValueError('100 % d')", "ValueError", "raised ValueError: 100 % d"),
    ],
)
def test_errors_in_their_own_words(run, source, type, words):
    failed = run("1", source, "2")["failed"]
    assert failed["message"].startswith('cell 2 of 3 of the notebook "n.ipynb" raised %s' % type)
    assert words in failed["message"] and failed["type"] == type and not failed["message"].endswith(" ")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are of Python 3.11")
def test_a_group_of_exceptions(run):
    failed = run("raise ExceptionGroup('the group', [ValueError(1)])")["failed"]
    assert "raised ExceptionGroup: the group (1 sub-exception)" in failed["message"]


def test_the_tag_raises_exception(run, rundir):
    outcome = run((["raises-exception"], "raise KeyError('k')"), "print('b')", "print('c')")
    failed = outcome["failed"]
    assert (failed["cell"], failed["of"], failed["type"]) == (1, 3, "KeyError")
    assert "cell 1 of 3" in failed["message"] and outcome.stdout == "b\nc\n"


def test_cells_have_the_numbers_of_the_author(run, rundir, write):
    cells = ((["parameters"], "a = 1"), "print(a)", "raise ValueError(a)", "4")
    outcome = run(*cells, parameters={"a": 5})
    assert "cell 3 of 4" in outcome["failed"]["message"] and outcome["failed"]["cell"] == 3
    told = [(word["cell"], word["of"], word["state"]) for word in outcome.said if word["event"] == "cell"]
    assert told == [
        (1, 4, "started"),
        (1, 4, "ended"),
        (2, 4, "started"),
        (2, 4, "ended"),
        (3, 4, "started"),
        (3, 4, "failed"),
    ]
    # The output notebook, run again: its cell with parameters is the author's now, and its words about the error are
    # not run.
    (rundir / "n.out.ipynb").rename(rundir / "again.ipynb")
    again = sources(rundir / "again.ipynb")
    outcome = run(notebook="again.ipynb", parameters={"a": 6})
    number = again.index("raise ValueError(a)") + 1
    assert "cell %d of %d" % (number, len(again)) in outcome["failed"]["message"] and outcome["failed"]["text"] == "6"
    outcome = run((["parameters"], "a = 1"), "import time; time.sleep(1000)", parameters={"a": 2}, cell_timeout=0.3)
    assert "cell 2 of 2" in outcome["failed"]["message"]
    outcome = run("1", "2", parameters={"not a name": 1})
    assert "the cell with the parameters" in outcome["failed"]["message"] and outcome["failed"]["cell"] is None


# --- the run directory, and odd notebooks


def test_the_history_of_directories_begins_in_the_run_directory(run, rundir):
    (rundir / "sub").mkdir()
    source = "import os\nprint([str(one) for one in _dh])"
    outcome = finished(
        run(source, "%cd -q sub\n%cd -q -", "print(os.getcwd())", "%cd -q /no/such\nprint(os.getcwd())", "%cd no")
    )
    lines = outcome.stdout.splitlines()
    assert lines[:2] == [str([str(rundir)]), str(rundir)] and lines[3] == str(rundir) and lines[-1] == str(rundir)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["cells"][0]["metadata"].update(tags=None),
        lambda document: document["cells"][0]["metadata"].update(tags="x"),
        lambda document: document["cells"][0]["metadata"].update(tags=[None, 5]),
        lambda document: document["cells"][0].update(metadata=None),
        lambda document: document["cells"][0].pop("metadata"),
        lambda document: document["cells"][0].update(outputs=None),
        lambda document: document["cells"][0].pop("outputs"),
        lambda document: document["cells"][0].pop("execution_count"),
        lambda document: document["cells"][0].pop("id"),
        lambda document: document["cells"].append({"cell_type": "markdown", "source": None}),
        lambda document: document["metadata"].update(language_info=None),
        lambda document: document["metadata"].update(kernelspec={"name": "python3", "language": None}),
    ],
)
def test_odd_notebooks_are_read(run, rundir, change):
    document = json.loads(notebook("print(a)"))
    change(document)
    outcome = finished(run(json.dumps(document), parameters={"a": 5}))
    assert (outcome.stdout, outcome.stderr) == ("5\n", "")


@pytest.mark.parametrize("name", ["-x.ipynb", "s3:x.ipynb", "-d/x.ipynb", "n%s.ipynb"])
def test_names_that_mean_something_else_to_papermill(run, rundir, write, name):
    write(name, notebook("print(1)", "print('%')\nraise ValueError"))
    failed = run(notebook=name, output=name + ".out.ipynb")["failed"]
    assert failed["message"] == 'cell 2 of 2 of the notebook "%s" raised ValueError' % name
    document = json.loads((rundir / (name + ".out.ipynb")).read_text())
    assert document["metadata"]["papermill"]["input_path"] == name


def test_a_module_of_the_run_directory_does_not_hide_one_of_python(run, rundir, write):
    write("this.py", "WORD = 'the run directory'")
    write("own.py", "WORD = 'own'")
    source = (
        "import contextlib, io, os\nwith contextlib.redirect_stdout(io.StringIO()):\n  import this\nimport own, sys"
    )
    outcome = finished(run(source, "print(hasattr(this, 'WORD'), own.WORD, sys.path.count(''))"))
    assert outcome.stdout == "False own 1\n"


@pytest.mark.parametrize(
    "cells",
    [
        ["a = 1\nx: int"],
        ["a = 1\nfor x in range(3): pass"],
        ["a = 1\nimport os as x"],
        ["a = 1\n(x) = 1"],
        ["a = 1\nx, y = 1, 2"],
        ["a = 1\nif a:\n  x = 2"],
        ["a = 1", "x = 1"],
        ["a = 1\nfrom math import *"],
        ["a = 1\nglobals().update(pi=3)"],
        ["a = 1\n%run -i defaults.py"],
    ],
)
def test_parameters_of_which_papermill_reads_only_a_part(run, write, cells):
    write("defaults.py", "")
    outcome = run(*((["parameters"], source) for source in cells), parameters={"x": 5})
    assert outcome.has("finished"), outcome.said


def test_parameters_are_inserted_after_the_first_cell_with_their_tag(run, rundir):
    cells = (["parameters"], "a = 1"), "print(a, b)", (["parameters"], "b = 2"), "print(a, b)"
    assert finished(run(*cells, parameters={"a": 5, "b": 6})).stdout == "5 6\n5 2\n"


def test_a_notebook_that_names_no_kernel(run):
    text = json.loads(notebook("1"))
    text["metadata"] = {}
    failed = run(json.dumps(text))["failed"]
    assert failed["why"] == "kernel_missing" and "names no kernel" in failed["message"]
    assert 'option "kernel"' in failed["message"] and '"python3"' in failed["message"]


def test_a_message_has_no_colors(run):
    failed = run("raise ValueError('\\x1b[31mred\\x1b[0m')")["failed"]
    assert failed["message"].endswith("raised ValueError: red") and "\x1b" not in failed["trace"]


@pytest.mark.parametrize(
    "source, is_success",
    [
        ("import sys; sys.exit()", True),
        ("raise SystemExit('0')", True),
        ("raise SystemExit('text')", False),
        ("raise KeyboardInterrupt", False),
    ],
)
def test_exceptions_that_end_a_program(run, rundir, source, is_success):
    outcome = run(source, "open('after', 'w')")
    assert outcome.has("finished" if is_success else "failed") and not (rundir / "after").exists()


def test_exit_and_quit_do_not_end_a_notebook(run):
    assert finished(run("exit()", "quit(3)", "print('after')")).stdout == "after\n"


def test_cells_that_are_skipped(run):
    assert finished(run((["skip-execution"], "1 / 0"), "print('after')")).stdout == "after\n"


def test_a_task_of_a_group(run):
    """ipykernel 7.4.0 alone never answers: papermill waits for ever."""
    source = (
        "import asyncio\nasync def f(): raise ValueError('in task')\n"
        "async with asyncio.TaskGroup() as g:\n  g.create_task(f())"
    )
    if sys.version_info < (3, 11):
        pytest.skip("task groups are of Python 3.11")
    failed = run(source)["failed"]
    assert "raised ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)" in failed["message"]


def test_parameters_for_a_kernel_whose_language_papermill_does_not_know(other):
    failed = other(notebook("one", kernel="loses", language="text"), parameters={"a": 1})["failed"]
    assert failed["why"] == "parameters" and '"loses"' in failed["message"], failed
