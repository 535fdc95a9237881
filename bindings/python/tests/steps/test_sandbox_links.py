"""A command that makes links where it can write does not widen what the commands after it can reach."""

import ctypes
import json
import os
import subprocess
import sys
import threading

import pytest
from sandbox_place import NOBODY
from sandbox_steps import ALONE, reason, run, text

pytestmark = [
    pytest.mark.usefixtures("namespaces"),
    pytest.mark.parametrize("more", [{}, ALONE], ids=["namespaces", "Landlock alone"]),
]
#: How a command puts a link into the way of R/a/out: in place of the last name, and of one above.
TURNS = {
    "last": "rmdir a/out && ln -s '{0}' a/out",
    "above": "mv a b && ln -s '{1}' a",
    "made anew": "mv a b && mkdir a && ln -s '{0}' a/out",
}
#: In a view a mount holds the last name.
OF_VIEW = ("above", "made anew")
BELOW = "has a symbolic link below a place that commands can write"
EXCHANGE = 2  # RENAME_EXCHANGE


@pytest.fixture
def elsewhere(outside):
    """A folder that nothing may write in, which has what the paths of the tests name."""
    folder = outside / "elsewhere"
    (folder / "out").mkdir(parents=True)
    (folder / "secret").write_text("secret")
    return folder


def is_untouched(elsewhere):
    return sorted(os.listdir(elsewhere)) == ["out", "secret"] and not os.listdir(elsewhere / "out")


def turned(turn, elsewhere):
    return TURNS[turn].format(elsewhere / "out", elsewhere)


def refused(result, *parts):
    assert result.outcome == "spawn_failed", (result.outcome, result.text)
    assert "\n" not in result.message
    for part in parts:
        assert str(part) in reason(result), reason(result)


@pytest.mark.parametrize("turn", list(TURNS))
@pytest.mark.parametrize("key", ["write", "read"])
@pytest.mark.parametrize("is_later", [False, True], ids=["next command", "next step"])
def test_a_link_in_the_run_directory(place, elsewhere, more, turn, key, is_later):
    (place / "a/out").mkdir(parents=True)
    if turn not in OF_VIEW and key == "write" and not more:
        pytest.skip("the last name is a mount, which cannot be removed")
    path = place / "a/out"
    sandbox = dict(more, **{key: [str(path)] if key == "write" else ["system", str(path)]})
    change, use = turned(turn, elsewhere), "touch ran; touch '{}/escaped'".format(path)
    if is_later:
        assert run(place, change, sandbox=sandbox).ok
        result = run(place, use, sandbox=sandbox)
    else:
        result = run(place, change, use, sandbox=sandbox)
    refused(result, BELOW, path)
    assert is_untouched(elsewhere) and not (place / "ran").exists()


def test_a_link_in_another_path_to_write(place, outside, elsewhere, more):
    (outside / "data/a/out").mkdir(parents=True)
    sandbox = dict(more, write=[str(outside / "data/a/out"), str(outside / "data")])
    change = "cd ../data && " + turned("made anew", elsewhere)
    refused(run(place, change, "touch ../data/a/out/escaped", sandbox=sandbox), BELOW, outside / "data/a/out")
    assert is_untouched(elsewhere)


def test_a_link_in_a_place_that_has_another_name(place, outside, elsewhere, more):
    """The path does not begin with the name of the run directory, but leads through it."""
    (place / "a/out").mkdir(parents=True)
    (outside / "name").symlink_to("run")
    sandbox = dict(more, write=[str(outside / "name/a/out")])
    use = "touch ../name/a/out/escaped"
    assert text(run(place, "touch ../name/a/out/fine", sandbox=sandbox)) == ""
    refused(run(place, turned("made anew", elsewhere), use, sandbox=sandbox), BELOW, outside / "name/a/out")
    assert is_untouched(elsewhere)


def test_a_sandbox_that_need_not_hold(place, elsewhere, more):
    """A path is never passed over."""
    (place / "a/out").mkdir(parents=True)
    sandbox = dict(more, write=[str(place / "a/out")], required=False)
    refused(run(place, turned("made anew", elsewhere), "touch a/out/escaped", sandbox=sandbox), BELOW)
    assert is_untouched(elsewhere)


def test_a_link_to_a_secret(place, outside, elsewhere, more):
    (place / "data").write_text("")
    sandbox = dict(more, read=["system", str(place / "data")])
    change = "rm -f data && ln -s '{}/secret' data".format(elsewhere)
    refused(run(place, change, "cat ../elsewhere/secret", sandbox=sandbox), BELOW, place / "data")


def test_links_outside_of_what_is_written(place, outside, elsewhere, more):
    """The run directory by a link, a link to the path, and links that lead on by `..` and from the root."""
    (outside / "data").mkdir()
    (outside / "deep/er").mkdir(parents=True)
    (outside / "deep/er/link").symlink_to("../../data/")
    (outside / "two").symlink_to(outside / "deep/er/link")
    (outside / "name").symlink_to("run")
    sandbox = dict(more, write=[str(outside / "two")], read=["system", str(outside / "deep/er/link"), str(place)])
    command = "touch ../data/made ./made && ! touch ../elsewhere/escaped"
    assert text(run(outside / "name", command, sandbox=sandbox)) == ""
    assert (outside / "data/made").exists() and (place / "made").exists() and is_untouched(elsewhere)


def test_a_link_that_is_turned_all_the_time(place, outside, elsewhere, more):
    """Whoever turns a link while sandboxes are made gets nothing by it."""
    (place / "a/out").mkdir(parents=True)
    (place / "b").mkdir()
    (place / "b/out").symlink_to(elsewhere / "out")
    libc = ctypes.CDLL(None, use_errno=True)
    names = [os.fsencode(str(place / name)) for name in "ab"]
    if libc.renameat2(-100, names[0], -100, names[1], EXCHANGE) != 0:
        pytest.skip("this file system exchanges no names")
    is_over = threading.Event()

    def turn():
        while not is_over.is_set():
            libc.renameat2(-100, names[0], -100, names[1], EXCHANGE)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        sandbox = dict(more, write=[str(place / "a/out")])
        outcomes = {run(place, "touch a/out/x b/out/x; true", sandbox=sandbox).outcome for _ in range(40)}
    finally:
        is_over.set()
        thread.join()
    assert outcomes <= {"exited", "spawn_failed"} and is_untouched(elsewhere)


def test_an_ordinary_user(place, outside, elsewhere, more, python_env):
    if os.geteuid() != 0:
        pytest.skip("all tests here are an ordinary user's")
    outside.chmod(0o755)
    (place / "a/out").mkdir(parents=True)
    for path in (place, place / "a", place / "a/out", elsewhere, elsewhere / "out"):
        os.chown(str(path), NOBODY, NOBODY)
    document = {
        "options": {"sandbox": dict(more, write=[str(place / "a/out")])},
        "commands": [turned("made anew", elsewhere), "touch a/out/escaped"],
        "rundir": str(place),
        "user": NOBODY,
        "refuse": None,
    }
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sandbox_step.py")
    words = [sys.executable, program, json.dumps(document)]
    done = subprocess.run(words, env=python_env, stdout=subprocess.PIPE, check=True)
    assert BELOW in json.loads(done.stdout)["message"]
    assert is_untouched(elsewhere)
