"""Exceptions and values with faulty methods neither hide a failure nor lose the value."""

import sys

import pytest

import flowworker as fw
from flowworker import Code, CodeStep, create_worker


class Classless(Exception):
    @property
    def __class__(self):
        raise ZeroDivisionError


class Traceless(Exception):
    @property
    def __traceback__(self):
        raise ZeroDivisionError


class Closed(Exception):
    def __getattribute__(self, name):
        raise ZeroDivisionError


class Mute:
    def __str__(self):
        raise SystemExit(0)


class Interrupting:
    def __str__(self):
        raise KeyboardInterrupt


class Odd(dict):
    def items(self):
        raise SystemExit(0)


# Made in the test: pytest looks at what it is given.
RAISED = {
    "class": Classless,
    "trace": Traceless,
    "closed": Closed,
    "syntax": lambda: SyntaxError("x", ("f", "no number", {}, 3)),
    "exit": lambda: SystemExit(Mute()),
    "large exit": lambda: SystemExit(10**30),
}


@pytest.mark.parametrize("kind", RAISED)
def test_an_exception_is_a_failure(rundir, kind):
    error = RAISED[kind]()

    def raises():
        raise error

    worker = create_worker(Code("c"))
    result = worker.exec(CodeStep("s", raises), {}, rundir)
    assert (result.outcome, result.returncode != 0) == ("exited", True) and result.exception is error
    assert "\n" not in result.message
    workflow = fw.Workflow([CodeStep("s", raises), CodeStep("t", lambda: None)])
    assert len(workflow.run({}, rundir=rundir)) == 1


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from Python 3.11 on")
def test_notes_are_not_the_words(rundir):
    def raises():
        error = ValueError("the words")
        error.add_note("hint: try again")
        raise error

    result = create_worker(Code("c")).exec(CodeStep("s", raises), {}, rundir)
    assert result.message.endswith("raised ValueError: the words") and "hint: try again" in "".join(result.stderr)


@pytest.mark.parametrize("kind", [Mute, Interrupting, Odd])
def test_a_value_is_the_object(rundir, kind):
    value = kind()
    context = {}
    assert create_worker(Code("c")).exec(CodeStep("s", lambda: value, arg="x"), context, rundir).returncode == 0
    assert context["x"] is value
    seen = []
    workflow = fw.Workflow([CodeStep("s", lambda: value, arg="x"), CodeStep("t", lambda x: seen.append(x))])
    assert workflow.run({}, rundir=rundir).context["x"] is value and seen[0] is value


def test_the_same_in_another_process(rundir):
    (rundir / "odd_value.py").write_text(
        "class Odd(dict):\n    def items(self): raise SystemExit(0)\ndef f(): return Odd(a=1)\n"
    )
    spec = {"name": "c", "type": "code", "env": {"PYTHONPATH": str(rundir)}, "options": {"python": sys.executable}}
    with create_worker(spec) as worker:
        result = worker.exec(CodeStep("s", "odd_value.f", arg="x"), {}, rundir)
    assert (result.outcome, result.returncode) == ("exited", 1) and "is not JSON" in result.message


@pytest.mark.parametrize("value", [2**70, float("nan"), {1, 2}, b"x"], ids=ascii)
def test_another_process_gets_no_likeness(rundir, value):
    """Another process would use the text in place of the value."""
    spec = {"name": "c", "type": "code", "options": {"python": sys.executable}}
    pool = fw.WorkerPool(workers=[spec], managers={"b": "c"})
    workflow = (
        fw.Workflow(workers=pool).add_code_step("a", lambda: value, arg="obj").add_code_step("b", "json.dumps", arg="y")
    )
    result = workflow.run({}, rundir=rundir)
    assert (result.returncode, len(result)) == (1, 2), result.context
    assert 'the value of "obj" is of the type %s, which JSON cannot express' % type(value).__name__ in result.message


class Twin:
    """All objects of this class have the same text."""

    def __init__(self, number):
        self.number = number

    def __repr__(self):
        return "Twin(...)"


@pytest.mark.parametrize(
    "one, other",
    [(Twin(1), Twin(2)), ([Twin(1)], [Twin(2)]), ((1,), [1]), ({1: 1}, {"1": 1}), (2**70, str(2**70))],
    ids=ascii,
)
def test_an_argument_that_looks_the_same_is_another_one(rundir, tmp_path, one, other):
    def run(value):
        workflow = fw.Workflow().add_code_step("s", lambda a: getattr(a, "number", 0), arg="n")
        return workflow.run({"a": value}, rundir=rundir, state=tmp_path / "state").restored

    assert [run(one), run(other), run(other)] == [0, 0, 1]


def test_a_note_is_plain_and_short(rundir, tmp_path):
    kind = type("Q", (), {})
    kind.__name__ = "Q\x1b[31m\n\u202e" * 400
    workflow = fw.Workflow().add_code_step("s", lambda: kind(), arg="x")
    (note,) = workflow.run({}, rundir=rundir, state=tmp_path / "state").steps[0].notes
    assert len(note) < 500 and not set(note) & set("\x1b\n\u202e")
