"""Random words reach the program of a command unchanged, byte for byte, and random values are quoted for any shell.

Tests/engines/python/test_words_random.py does the same with the other worker types.
"""

import shutil

import pytest
from random_words import HARD, first_difference, generator, word, words

from flowworker import ContainerStep, create_worker

#: Prints each of its arguments with a NUL behind it.
PRINT = ["printf", "%s\\0"]
ROUNDS = 30


def encoded(texts):
    return [text.encode() for text in texts]


def printed(result):
    assert (result.outcome, result.returncode) == ("exited", 0), result.message
    assert result.stderr == []
    (output,) = result.stdout_bytes
    assert output.endswith(b"\0")
    return output[:-1].split(b"\0")


@pytest.fixture
def run(rundir):
    def run(command, context, **options):
        return create_worker({"name": "w", "type": "subprocess", "options": options}).exec(
            ContainerStep("s", "", [command]), context, rundir
        )

    return run


def test_words_of_the_document(run):
    rng = generator("document")
    for _ in range(ROUNDS):
        given = words(rng, 10)
        command = PRINT + [text.replace("$", "$$") for text in given]
        assert not first_difference(encoded(given), printed(run(command, {})))


def test_values_of_the_context(run):
    rng = generator("values")
    for _ in range(ROUNDS):
        given = words(rng, 10)
        context = {"w{}".format(number): text for number, text in enumerate(given)}
        result = run(PRINT + ["${}".format(name) for name in context], context)
        assert not first_difference(encoded(given), printed(result))


def test_hard_words(run):
    context = {"w{}".format(number): text for number, text in enumerate(HARD)}
    result = run(PRINT + ["${{{}}}".format(name) for name in context], context)
    assert not first_difference(encoded(HARD), printed(result))


def test_text_around_a_value(run):
    rng = generator("around")
    for _ in range(ROUNDS):
        before, value, after = word(rng, 1000), word(rng, 50_000), word(rng, 1000)
        text = "{}${{x}}{}${{x}}".format(before.replace("$", "$$"), after.replace("$", "$$"))
        expected = (before + value + after + value).encode()
        assert not first_difference([expected], printed(run([*PRINT, text], {"x": value})))


def test_a_list_is_several_words(run):
    rng = generator("list")
    for number in range(ROUNDS):
        given = words(rng, rng.randint(0, 20))
        command = [*PRINT, "first", "$list" if number % 2 else "${list}", "last"]
        assert not first_difference(encoded(["first", *given, "last"]), printed(run(command, {"list": given})))


def test_the_program_is_a_value(run, rundir):
    """The name of a program may have any characters that a file can have."""
    rng = generator("program")
    for _ in range(10):
        name = word(rng, 200).replace("/", "")
        if not name or name in (".", "..") or len(name.encode()) > 255:
            continue
        program = rundir / name
        program.write_text('#!/bin/sh\nprintf \'%s\\0\' "$0" "$@"\n')
        program.chmod(0o755)
        given = words(rng, 3)
        context = {"program": "./" + name, "list": given}
        result = run(["$program", "$list"], context)
        assert not first_difference(encoded(["./" + name, *given]), printed(result))
        program.unlink()


# ------------------------------------------------------------------------------------------------ quoting


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request, tmp_path):
    """A shell as a worker's option has it."""
    place = shutil.which(request.param)
    if place is None:
        pytest.skip("{} is not installed".format(request.param))
    # busybox is the program that its name says.
    link = tmp_path / "sh"
    link.symlink_to(place)
    return str(link)


def test_quoted_values(run, shell):
    rng = generator("quoted")
    for _ in range(ROUNDS):
        given = words(rng, 10, longest=40_000, most=60_000)
        context = {"w{}".format(number): text for number, text in enumerate(given)}
        command = "printf '%s\\0' " + " ".join("${{{}:q}}".format(name) for name in context)
        result = run(command, context, shell=shell)
        assert not first_difference(encoded(given), printed(result))


def test_quoted_hard_values(run, shell):
    context = {"w{}".format(number): text for number, text in enumerate(HARD)}
    command = "printf '%s\\0' " + " ".join("${{{}:q}}".format(name) for name in context)
    assert not first_difference(encoded(HARD), printed(run(command, context, shell=shell)))


def test_quoted_lists(run, shell):
    rng = generator("quoted list")
    for _ in range(ROUNDS):
        given = words(rng, rng.randint(0, 15), longest=20_000, most=60_000)
        result = run("printf '%s\\0' first ${list:q} last", {"list": given}, shell=shell)
        assert not first_difference(encoded(["first", *given, "last"]), printed(result))


def test_quoted_values_beside_text(run, shell):
    """A quoted value may stand at a word of the command, also when it is assigned."""
    rng = generator("quoted beside")
    for _ in range(ROUNDS):
        value = word(rng, 20_000)
        command = "v=${x:q}; printf '%s\\0' --name=${x:q} ${x:q}${x:q} \"$$v\""
        expected = encoded(["--name=" + value, value + value, value])
        assert not first_difference(expected, printed(run(command, {"x": value}, shell=shell)))


def test_a_shell_gets_words_as_its_parameters(run, shell):
    rng = generator("parameters")
    for _ in range(ROUNDS):
        given = words(rng, 5)
        result = run([shell, "-c", "printf '%s\\0' \"$$@\"", "name", "$list"], {"list": given})
        assert not first_difference(encoded(given or [""]), printed(result))
