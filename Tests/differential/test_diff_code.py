"""Code steps have the same arguments, results, output and failures as in flowServ."""

import os
import sys

import pytest
from both import Store, their_code, their_steps

import flowworker as ours


def both_sides():
    return ((ours, ours.create_worker(ours.Code("C"))), (their_steps, their_code.CodeWorker("C")))


def nothing():
    pass


def prints():
    print("x")


def prints_much(a, b=2):
    print("a", a, sep="=", end="!")
    print()
    print("")
    print("one\ntwo")
    sys.stdout.write("raw")
    sys.stdout.writelines(["l1\n", "l2"])
    sys.stdout.flush()
    sys.stderr.write("err")
    print(b, file=sys.stderr)
    return a


def takes_all(a, b, c):
    return [a, b, c]


def takes_defaults(a=10, b=20):
    return (a, b)


def collects(a, *args, **kwargs):
    return (a, args, kwargs)


def where():
    return os.path.basename(os.getcwd()), os.listdir(".")


def writes():
    with open("file", "w") as file:
        file.write("text")


def changes(items):
    items.append("changed")
    return items


def raises(a):
    print("before")
    sys.stderr.write("also before")
    raise ValueError("broken {}".format(a))


def fails_deep(a):
    return takes_all(a, a, 1 / 0)


CASES = [
    (nothing, "r", {}, {}),
    (nothing, None, {}, {"a": 1}),
    (prints, "r", {}, {}),
    (prints_much, "r", {}, {"a": "A"}),
    (prints_much, "r", {}, {"a": "A", "b": "B"}),
    (takes_all, "r", {}, {"a": 1, "b": 2, "c": 3, "d": 4}),
    (takes_all, "a", {}, {"a": 1, "b": 2, "c": 3}),
    (takes_all, "r", {"a": "x", "b": "x"}, {"x": 9, "c": 3, "a": "not this"}),
    (takes_all, "r", {"a": "missing"}, {"a": 1, "b": 2, "c": 3}),
    (takes_all, "r", {}, {}),
    (takes_defaults, "r", {}, {}),
    (takes_defaults, "r", {}, {"b": None}),
    (takes_defaults, None, {}, {"b": 1}),
    (collects, "r", {}, {"a": 1, "args": 2, "kwargs": 3, "more": 4}),
    (where, "r", {}, {}),
    (writes, "r", {}, {}),
    (changes, "r", {}, {"items": []}),
    (raises, "r", {}, {"a": 1, "r": "kept"}),
    (fails_deep, "r", {}, {"a": 1}),
    (lambda a: a * 2, "r", {}, {"a": "x"}),
]


@pytest.mark.parametrize(
    "func, arg, varnames, context",
    CASES,
    ids=[case[0].__name__ + str(n) for n, case in enumerate(CASES)],
)
def test_a_function(func, arg, varnames, context, rundirs):
    seen = []
    before = (os.getcwd(), sys.stdout, sys.stderr)
    for (steps, worker), rundir in zip(both_sides(), rundirs):
        # A list in the context is changed by one of the functions.
        values = {key: list(value) if isinstance(value, list) else value for key, value in context.items()}
        result = worker.exec(steps.CodeStep("s", func, arg, varnames), values, Store(rundir))
        assert (os.getcwd(), sys.stdout, sys.stderr) == before
        trace = [result.stderr.pop()] if result.returncode else []
        assert all("Traceback" in t or "missing" in t for t in trace)
        assert all(str(result.exception) in t for t in trace)
        seen.append(
            (
                result.returncode,
                result.stdout,
                result.stderr,
                type(result.exception),
                str(result.exception),
                values,
                sorted(os.listdir(str(rundir))),
            )
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_what_is_no_exception_goes_on(error, rundirs):
    def throw():
        raise error

    for (steps, worker), rundir in zip(both_sides(), rundirs):
        with pytest.raises(error):
            worker.exec(steps.CodeStep("s", throw, "r"), {}, Store(rundir))
