"""Random words and values reach the programs of containers and clusters byte for byte, and input goes there and back.

bindings/python/tests/steps/test_words_random.py does the same with subprocess workers.
"""

import hashlib
import os
import sys

import pytest
from conftest import BUSYBOX, ROOT, variable

import flowworker

sys.path.insert(0, str(ROOT / "bindings/python/tests/steps"))
from random_words import HARD, any_character, first_difference, generator, words  # noqa: E402

TYPES = ["docker", "docker, one container", "docker, shell", "slurm"]
#: Prints each of its arguments with a NUL behind it.
PRINT = ["printf", "%s\\0"]
COMMANDS = 8
BLOCK, BLOCKS = 1 << 20, 200


@pytest.fixture(params=TYPES)
def run(request, rundir, monkeypatch):
    """Runs commands, and returns the words that each of them has printed."""
    kind, options = request.param.split(",")[0], {}
    if kind == "slurm":
        monkeypatch.setenv("SLURM_CONF", variable("FW_TEST_SLURM"))
        options = {"hold": 0}
    else:
        options = {"host": variable("FW_TEST_DOCKER"), "container": "step" if "one" in request.param else "command"}
        if "shell" in request.param:
            options["shell"] = "/bin/sh"
    worker = flowworker.create_worker({"name": "w", "type": kind, "options": options})

    def run(commands, context, **more):
        result = worker.exec(flowworker.ContainerStep("s", BUSYBOX, commands, **more), context, rundir)
        assert (result.outcome, result.returncode, result.stderr) == ("exited", 0, []), result.message
        return [output.split(b"\0")[:-1] for output in result.stdout_bytes]

    run.worker, run.has_shell = worker, kind == "slurm" or "shell" in request.param
    yield run


def encoded(lists):
    return [[text.encode() for text in one] for one in lists]


def compare(expected, found):
    assert len(expected) == len(found)
    for one, other in zip(encoded(expected), found):
        assert not first_difference(one, other)


def test_words(run):
    rng = generator("engines")
    given = [HARD] + [words(rng, 10) for _ in range(COMMANDS)]
    context = {f"w{i}_{j}": text for i, one in enumerate(given) for j, text in enumerate(one)}
    compare(
        given, run([[*PRINT, *(f"${{w{i}_{j}}}" for j in range(len(one)))] for i, one in enumerate(given)], context)
    )


def test_words_of_the_document(run):
    rng = generator("engines, document")
    given = [words(rng, 10) for _ in range(COMMANDS)]
    compare(given, run([[*PRINT, *(text.replace("$", "$$") for text in one)] for one in given], {}))


def test_lists(run):
    rng = generator("engines, lists")
    given = [words(rng, rng.randint(0, 20)) for _ in range(COMMANDS)]
    context = {f"list{i}": one for i, one in enumerate(given)}
    found = run([[*PRINT, "first", f"$list{i}", "last"] for i in range(len(given))], context)
    compare([["first", *one, "last"] for one in given], found)


def test_quoted_values(run):
    if not run.has_shell:
        pytest.skip("there is no shell: without the option `shell` the worker splits a command as flowServ does")
    rng = generator("engines, quoted")
    given = [HARD] + [words(rng, 10, longest=40_000, most=60_000) for _ in range(COMMANDS)]
    context = {f"list{i}": one for i, one in enumerate(given)}
    context.update({f"w{i}": one[0] for i, one in enumerate(given)})
    found = run([f"printf '%s\\0' ${{w{i}:q}} ${{list{i}:q}}" for i in range(len(given))], context)
    compare([[one[0], *one] for one in given], found)


def test_values_of_the_environment(run):
    """Text for strings, and JSON for the rest."""
    rng = generator("engines, environment")
    given = words(rng, 10, longest=20_000)
    context = {f"w{i}": text for i, text in enumerate(given)}
    context["number"], context["list"] = 3, ["a", 1]
    program = "printf '%s\\0' " + " ".join(f'"$${name}"' for name in context)
    found = run([["sh", "-c", program]], context, environment_values=list(context))
    compare([[*given, "3", '["a",1]']], found)


def test_input_there_and_back(run, rundir):
    """200 MB go into `cat` and come back at the same time, without a change."""
    step = flowworker.ContainerStep("s", BUSYBOX, [["cat"]], stdin="host")
    rng = generator("engines, input")
    block = "".join(any_character(rng) for _ in range(1000)).encode()
    block *= BLOCK // len(block)
    sent, came, left = hashlib.sha256(), hashlib.sha256(), BLOCKS * len(block)
    total, number, at = left, 0, 0
    with run.worker.start(step, {}, rundir, output_limit=0) as execution:
        # Output is kept from the first event on that somebody takes.
        assert execution.next_event().kind == "step_started"
        while True:
            if left:
                piece = block[at : at + left]
                taken = execution.write(piece)
                sent.update(piece[:taken])
                left -= taken
                at = (at + taken) % len(block)
                if not left:
                    execution.close_input()
            event = execution.next_event(timeout=0 if left else None)
            if event is not None and event.kind == "output":
                assert event.stream == "stdout"
                came.update(event.data)
                number += len(event.data)
            if event is not None and event.kind == "step_ended":
                break
        result = execution.wait()
    assert (result.outcome, result.returncode) == ("exited", 0), result.message
    assert number == total and came.digest() == sent.digest()
    assert result.commands[0]["stdout_bytes"] == total
    assert os.listdir(rundir) == []
