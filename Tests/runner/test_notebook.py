"""The runner runs notebooks with real kernels."""

import json
import os
import sys
import time

import pytest
from library import Interpreter, alone, finished, kernel, lives, notebook, outputs, sources

VALUES = {
    "text": "007",
    "real": 1e5,
    "small": 1e-7,
    "third": 0.1,
    "large": 2**53 + 1,
    "huge": 2**100,
    "negative": -3,
    "none": None,
    "yes": True,
    "nested": {"a": [1, {"b": None}], "quote": 'it\'s "q" {braces} $x `y` \\ \n\t'},
    "empty": [],
    "unicode": "ä\u2028\U0001f600",
    "date": "2020-01-01",
    "like_true": "True",
}


def test_parameters_are_exact(run, rundir):
    names = ", ".join(VALUES)
    finished(run("import json; open('got', 'w').write(json.dumps([%s]))" % names, parameters=VALUES))
    got = json.loads((rundir / "got").read_text())
    assert got == list(VALUES.values())
    assert [type(one) for one in got] == [type(one) for one in VALUES.values()]


def test_parameters_come_after_the_cell_that_has_their_defaults(run, rundir):
    finished(run("before = 1", (["parameters"], "a = 1\nb = 2"), "print(before, a, b)", parameters={"a": "x"}))
    assert outputs(rundir / "n.out.ipynb") == ["1 x 2\n"]
    assert sources(rundir / "n.out.ipynb")[2].splitlines()[-1] == 'a = "x"'


def test_without_parameters_nothing_is_injected(run, rundir):
    finished(run("print(1)"))
    assert sources(rundir / "n.out.ipynb") == ["print(1)"]


def test_an_unknown_parameter_is_refused_before_anything_runs(run, rundir):
    failed = run((["parameters"], "alpha = 1\nbeta = 2"), "open('ran', 'w')", parameters={"alfa": 1})["failed"]
    assert failed["why"] == "parameters"
    for part in ('"n.ipynb"', '"alfa"', '"alpha", "beta"', 'did you mean "alpha"?'):
        assert part in failed["message"]
    assert not (rundir / "ran").exists() and not (rundir / "n.out.ipynb").exists()


def test_output_is_live_and_apart(run):
    outcome = finished(
        run("import sys\nprint('out')\nprint('err', file=sys.stderr)", "import os; os.system('echo process')", "42")
    )
    assert outcome.stdout == "out\nprocess\n" and outcome.stderr == "err\n"


def test_cells_are_told_of(run):
    outcome = finished(run("1", "2"))
    told = [(word["cell"], word["of"], word["state"]) for word in outcome.said if word["event"] == "cell"]
    assert told == [(1, 2, "started"), (1, 2, "ended"), (2, 2, "started"), (2, 2, "ended")]


def test_it_works_and_imports_in_the_run_directory(run, rundir, write):
    write("helper.py", "WORD = 'helped'")
    finished(run("import os, helper; open('made', 'w').write(os.getcwd() + helper.WORD)"))
    assert (rundir / "made").read_text() == str(rundir) + "helped"


def test_a_failing_cell(run, rundir):
    outcome = run("print('before')", "x = 1\nraise ValueError('no %d' % x)", "open('after', 'w')")
    failed = outcome["failed"]
    assert (failed["why"], failed["cell"], failed["of"]) == ("cell", 2, 3)
    assert (failed["type"], failed["text"]) == ("ValueError", "no 1")
    assert failed["message"] == 'cell 2 of 3 of the notebook "n.ipynb" raised ValueError: no 1'
    assert "raise ValueError" in failed["trace"] and "\x1b" not in failed["trace"]
    assert outcome.stdout == "before\n"
    assert [w["state"] for w in outcome.said if w["event"] == "cell"] == ["started", "ended", "started", "failed"]
    assert not (rundir / "after").exists()
    document = json.loads((rundir / "n.out.ipynb").read_text())
    assert document["metadata"]["papermill"]["exception"] is True
    assert any(o["output_type"] == "error" for cell in document["cells"] for o in cell.get("outputs", []))


def test_sys_exit(run, rundir):
    finished(run("import sys; sys.exit(0)", "open('after', 'w')"))
    assert not (rundir / "after").exists()
    failed = run("import sys; sys.exit(3)")["failed"]
    assert (failed["why"], failed["type"], failed["text"]) == ("cell", "SystemExit", "3")


@pytest.mark.parametrize(
    "end, words",
    [
        ("os.kill(os.getpid(), 9)", "(signal 9)"),
        ("os._exit(5)", "(exit status 5)"),
        ("os.kill(os.getpid(), 11)", "(signal 11)"),
    ],
)
def test_a_kernel_that_dies(run, rundir, end, words):
    failed = run("print('x')", "import os; " + end)["failed"]
    assert failed["why"] == "kernel_died" and failed["cell"] == 2
    assert words in failed["message"] and "cell 2 of 2" in failed["message"]
    assert outputs(rundir / "n.out.ipynb")[0] == "x\n"


def test_a_cell_that_takes_too_long(run, rundir):
    outcome = run("print('x')", "import time; time.sleep(1000)", cell_timeout=0.3)
    failed = outcome["failed"]
    assert failed["why"] == "cell_timeout" and failed["cell"] == 2
    assert "0.3 s" in failed["message"] and outcome["done"]["clean"]
    assert (rundir / "n.out.ipynb").exists()


def test_much_output_of_one_cell(run):
    outcome = finished(run("for n in range(100000): print(n)\nprint('x' * 5_000_000)"))
    assert outcome.stdout.startswith("0\n1\n") and outcome.stdout.endswith("x" * 1000 + "\n")
    assert len(outcome.stdout) == sum(len(str(n)) + 1 for n in range(100000)) + 5_000_001


def test_what_a_kernel_has_open_is_written(run, rundir):
    finished(run("file = open('late', 'w'); file.write('late')\nimport atexit; atexit.register(open, 'atexit', 'w')"))
    assert (rundir / "late").read_text() == "late" and (rundir / "atexit").exists()


def test_nothing_goes_from_one_notebook_to_the_next(run, rundir):
    finished(run("x = 1\nimport os; os.environ['LEFT'] = '1'\nimport sys; sys.modules['left'] = sys"))
    finished(run("import os, sys; print('x' in globals(), 'LEFT' in os.environ, 'left' in sys.modules)"))
    assert outputs(rundir / "n.out.ipynb") == ["False False False\n"]


def test_kernels_are_gone(run, rundir):
    finished(run("import os; open('pid', 'w').write(str(os.getpid()))"))
    assert not lives(int((rundir / "pid").read_text()))


def test_what_a_cell_leaves_is_told(rundir, run):
    interpreter = Interpreter("notebook")
    outcome = run(
        "import subprocess; p = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "open('pid', 'w').write(str(p.pid))",
        interpreter=interpreter,
    )
    pid = int((rundir / "pid").read_text())
    try:
        assert outcome["done"]["clean"] is False and {"pid": pid} in outcome["done"]["left"]
    finally:
        os.kill(pid, 9)
        interpreter.close()


@pytest.mark.parametrize(
    "text, part",
    [
        ("{", "not JSON"),
        ("{}", '"nbformat"'),
        ('{"nbformat": 5, "nbformat_minor": 0, "metadata": {}, "cells": []}', "newer than 4"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "x"}]}', "no notebook"),
    ],
)
def test_what_is_no_notebook(run, rundir, text, part):
    failed = run(text)["failed"]
    assert failed["why"] in ("notebook", "kernel_missing") and '"n.ipynb"' in failed["message"]
    assert part in failed["message"] or failed["why"] == "kernel_missing"
    assert not (rundir / "n.out.ipynb").exists()


def test_notebooks_that_are_not_there(run, rundir):
    assert "no notebook" in run()["failed"]["message"]
    (rundir / "n.ipynb").mkdir()
    assert "is a directory" in run()["failed"]["message"]
    outside = rundir.parent / "outside.ipynb"
    outside.write_text(notebook("1"))
    assert "outside the run directory" in run(notebook="../outside.ipynb")["failed"]["message"]
    (rundir / "link.ipynb").symlink_to(outside)
    assert "outside the run directory" in run(notebook="link.ipynb")["failed"]["message"]
    outside.unlink()


def test_outputs_that_cannot_be(run, rundir):
    (rundir / "dir").mkdir()
    assert "is a directory" in run("1", output="dir")["failed"]["message"]
    assert '"no" of the output' in run(output="no/x.ipynb")["failed"]["message"]
    failed = run(output="n.ipynb")["failed"]
    assert failed["why"] == "output" and "the notebook itself" in failed["message"]
    assert sources(rundir / "n.ipynb") == ["1"]


def test_names_with_braces_and_spaces(run, rundir, write):
    write("a {b} {pm.x}.ipynb", notebook("print(1)"))
    finished(run(notebook="a {b} {pm.x}.ipynb", output="o {0}.ipynb"))
    assert outputs(rundir / "o {0}.ipynb") == ["1\n"]
    assert sorted(os.listdir(rundir)) == ["a {b} {pm.x}.ipynb", "o {0}.ipynb"]


def test_an_old_notebook(run, rundir):
    cell = {
        "cell_type": "code",
        "collapsed": False,
        "input": "print(3)",
        "language": "python",
        "metadata": {},
        "outputs": [],
    }
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"cells": [cell], "metadata": {}}],
    }
    finished(run(json.dumps(old), kernel="python3"))
    assert outputs(rundir / "n.out.ipynb") == ["3\n"]


def test_a_notebook_that_names_no_language(run, rundir):
    text = json.loads(notebook("print(a)"))
    text["metadata"] = {"kernelspec": {"name": "python3", "display_name": "x"}}
    finished(run(json.dumps(text), parameters={"a": 5}))
    assert outputs(rundir / "n.out.ipynb") == ["5\n"]
    text["cells"].insert(0, dict(text["cells"][0], id="x", source="a = 1", metadata={"tags": ["parameters"]}))
    assert run(json.dumps(text), parameters={"b": 5})["failed"]["why"] == "parameters"


def test_an_old_output_is_replaced_whole(run, rundir, write):
    write("n.out.ipynb", "old")
    finished(run("print(1)"))
    assert outputs(rundir / "n.out.ipynb") == ["1\n"]
    assert sorted(os.listdir(rundir)) == ["n.ipynb", "n.out.ipynb"]


# --- kernels


def test_a_missing_kernel(run):
    failed = run("1", spec="pyton3")["failed"]
    assert failed["why"] == "kernel_missing"
    assert '"pyton3"' in failed["message"] and 'did you mean "python3"?' in failed["message"]
    failed = run("1", spec=None)["failed"]
    assert failed["why"] == "kernel_missing" and "names no kernel" in failed["message"]
    finished(run("1", spec="pyton3", kernel="python3"))


def test_a_kernel_with_an_environment_of_its_own(tmp_path_factory, run, rundir):
    place = tmp_path_factory.mktemp("kernels")
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    env = kernel(place, "other", argv, env={"OTHER": "yes"})
    finished(alone(place, run, env, "import os; print(os.environ['OTHER'], os.getcwd())", spec="other"))
    assert outputs(rundir / "n.out.ipynb") == ["yes %s\n" % rundir]


def test_a_kernel_that_ends_at_once(tmp_path_factory, run):
    place = tmp_path_factory.mktemp("kernels")
    env = kernel(place, "broken", [sys.executable, "-c", "import sys; sys.exit('it is broken')", "{connection_file}"])
    failed = alone(place, run, env, "1", spec="broken")["failed"]
    assert failed["why"] == "kernel_start" and "it is broken" in failed["message"]


def test_a_kernel_whose_program_is_missing(tmp_path_factory, run):
    place = tmp_path_factory.mktemp("kernels")
    env = kernel(place, "gone", ["/no/such/program", "{connection_file}"])
    failed = alone(place, run, env, "1", spec="gone")["failed"]
    assert failed["why"] == "kernel_start" and "/no/such/program" in failed["message"]


def test_a_kernel_that_never_answers(tmp_path_factory, run):
    place = tmp_path_factory.mktemp("kernels")
    env = kernel(place, "silent", ["/bin/sleep", "1000", "{connection_file}"][:2])
    outcome = alone(place, run, env, "1", spec="silent", start_timeout=0.5)
    assert outcome["failed"]["why"] == "kernel_start" and "0.5 s" in outcome["failed"]["message"]
    assert outcome["done"]["clean"]


def test_without_papermill(rundir, write, tmp_path_factory):
    block = tmp_path_factory.mktemp("block")
    (block / "papermill.py").write_text("raise ImportError(\"No module named 'papermill'\")")
    write("n.ipynb", notebook("1"))
    interpreter = Interpreter("notebook", env=dict(os.environ, PYTHONPATH=str(block)))
    job = {"do": "notebook", "notebook": "n.ipynb", "output": "o.ipynb", "parameters": {}, "kernel": None}
    failed = interpreter.run(dict(job, cell_timeout=None, start_timeout=None), rundir)["failed"]
    interpreter.close()
    assert failed["why"] == "papermill"
    assert sys.executable in failed["message"] and "pip install papermill ipykernel" in failed["message"]


# --- the end


def test_when_it_is_ended_what_has_run_is_kept(rundir, write):
    write("n.ipynb", notebook("print('kept')", "import time; time.sleep(1000)"))
    interpreter = Interpreter("notebook")
    job = {"do": "notebook", "notebook": "n.ipynb", "output": "o.ipynb", "parameters": {}, "kernel": None}
    with open(os.devnull, "w") as null:
        interpreter.begin(dict(job, cell_timeout=None, start_timeout=None), rundir, null.fileno(), null.fileno())
        word = interpreter.hear()
        pid = word["pid"]
        while word["event"] != "cell" or (word["cell"], word["state"]) != (2, "started"):
            word = interpreter.hear()
        os.kill(pid, 15)
        while word["event"] != "done":
            word = interpreter.hear()
    assert outputs(rundir / "o.ipynb") == ["kept\n"]
    assert sorted(os.listdir(rundir)) == ["n.ipynb", "o.ipynb"]
    interpreter.close()


def test_kernels_end_with_what_has_started_them(rundir, write):
    write("n.ipynb", notebook("import os; open('pid', 'w').write(str(os.getpid()))", "import time; time.sleep(1000)"))
    interpreter = Interpreter("notebook")
    job = {"do": "notebook", "notebook": "n.ipynb", "output": "o.ipynb", "parameters": {}, "kernel": None}
    with open(os.devnull, "w") as null:
        interpreter.begin(dict(job, cell_timeout=None, start_timeout=None), rundir, null.fileno(), null.fileno())
        word = interpreter.hear()
        pid = word["pid"]
        while word["event"] != "cell" or (word["cell"], word["state"]) != (2, "started"):
            word = interpreter.hear()
    kernel = int((rundir / "pid").read_text())
    os.kill(pid, 9)
    while lives(kernel):
        time.sleep(0.01)
    interpreter.kill()


def test_nothing_is_left_on_the_disk(run, tmp_path_factory):
    place = tmp_path_factory.mktemp("t")
    interpreter = Interpreter("notebook", env=dict(os.environ, TMPDIR=str(place)))
    finished(run("print(1)", interpreter=interpreter))
    interpreter.close()
    assert os.listdir(place) == []
