"""Paths of a sandbox and run directories that are odd, wrong or many."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from sandbox_mounts import in_mounts
from sandbox_steps import ALONE, reason, run, text

import flowworker

KINDS = [{}, ALONE]
pytestmark = [
    pytest.mark.usefixtures("namespaces"),
    pytest.mark.parametrize("more", KINDS, ids=["namespaces", "Landlock alone"]),
]


def refused(result, *parts):
    """Checks that nothing has started, in one line that says why."""
    assert (result.outcome, result.returncode) == ("spawn_failed", 1), result.text
    message = reason(result)
    assert "\n" not in result.message
    for part in parts:
        assert str(part) in message, message


def test_a_link_leads_to_what_is_meant(place, outside, more):
    for name in ("real", "other"):
        (outside / name).mkdir()
    (outside / "link").symlink_to("real")
    sandbox = dict(more, write=[str(outside / "link")])
    assert text(run(place, "echo x > ../real/f && echo y > ../link/g", sandbox=sandbox)) == ""
    assert sorted(os.listdir(outside / "real")) == ["f", "g"]
    assert not run(place, "echo x > ../other/f", sandbox=sandbox).ok


def test_paths_inside_each_other(place, outside, more):
    (outside / "data/inner").mkdir(parents=True)
    paths = [str(outside / "data/inner"), str(outside / "data"), str(outside / "data")]
    sandbox = dict(more, write=paths, read=["system", str(outside / "data/inner"), str(place)])
    assert text(run(place, "echo x > ../data/f && echo y > ../data/inner/f && cat ../data/f", sandbox=sandbox)) == "x\n"


def test_write_within_read(place, outside, more):
    (outside / "data/out").mkdir(parents=True)
    sandbox = dict(more, write=[str(outside / "data/out")], read=["system", str(outside / "data")])
    assert text(run(place, "echo x > ../data/out/f && ! echo y > ../data/f", sandbox=sandbox)) == ""


@pytest.mark.parametrize("key", ["write", "read"])
def test_a_path_that_is_missing(place, outside, more, key):
    refused(run(place, "touch ran", sandbox=dict(more, **{key: [str(outside / "missing")]})), outside / "missing")
    assert not (place / "ran").exists()


def test_a_path_through_a_file(place, outside, more):
    (outside / "file").write_text("")
    refused(run(place, "touch ran", sandbox=dict(more, write=[str(outside / "file/x")])), outside / "file/x")


def test_links_that_lead_in_a_circle(place, outside, more):
    (outside / "a").symlink_to("b")
    (outside / "b").symlink_to("a")
    refused(run(place, "touch ran", sandbox=dict(more, write=[str(outside / "a")])), outside / "a")


def test_a_socket_and_a_pipe(place, outside, more):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(outside / "socket"))
        refused(run(place, "touch ran", sandbox=dict(more, write=[str(outside / "socket")])), outside / "socket")
    os.mkfifo(outside / "pipe")
    refused(run(place, "touch ran", sandbox=dict(more, write=[str(outside / "pipe")])), outside / "pipe")


@pytest.mark.parametrize("path", ["/proc", "/sys", "/proc/self"])
def test_what_is_the_kernels_is_not_written(place, more, path):
    with pytest.raises(flowworker.DocumentError, match=path):
        run(place, "true", sandbox=dict(more, write=[path]))


@pytest.mark.parametrize("path", ["/proc/self", "/sys/kernel"])
def test_a_link_to_what_is_the_kernels(place, outside, more, path):
    (outside / "link").symlink_to(path)
    refused(run(place, "touch ran", sandbox=dict(more, write=[str(outside / "link")])), outside / "link")


def test_a_link_to_the_root(place, outside, more):
    (outside / "link").symlink_to("/")
    sandbox = dict(more, write=[str(outside / "link")])
    refused(run(place, "touch ran", sandbox=sandbox), outside / "link", "leads to the root directory")
    assert not (place / "ran").exists()


def test_a_run_directory_that_was_removed(place, outside, more):
    """It is open by the time that the sandbox of the second command is made."""
    if not more:
        pytest.skip("the run directory is a mount, which cannot be removed")
    refused(run(place, "rmdir ../run", "true", sandbox=dict(more, write=[str(outside)])), "run directory", "not exist")


@pytest.mark.parametrize("name", ["new\nline", "sp ace", "quo'te\"", "\u00e4\U0001f600", "back\\slash", "*"])
def test_names_of_any_characters(place, outside, more, name):
    (outside / name).mkdir()
    sandbox = dict(more, write=[str(outside / name)])
    assert run(place, ["touch", "../$name/made"], sandbox=sandbox, context={"name": name}).ok
    assert (outside / name / "made").exists()


def test_a_run_directory_of_any_characters(outside, more):
    rundir = outside / "new\nline \u00e4"
    rundir.mkdir()
    assert text(run(rundir, "echo x > made && ! echo y > ../made", sandbox=dict(more))) == ""
    assert (rundir / "made").exists()


def test_a_run_directory_that_is_a_link(place, outside, more):
    (outside / "link").symlink_to("run")
    assert text(run(outside / "link", "echo x > made && ! echo y > ../made", sandbox=dict(more))) == ""
    assert (place / "made").exists()


def test_the_root_as_run_directory(more):
    refused(run("/", "touch ran", sandbox=dict(more)), "run directory")


def test_the_run_directory_is_a_path_as_well(place, outside, more):
    sandbox = dict(more, write=[str(place), str(outside)])
    assert text(run(place, "echo x > made && echo y > ../made", sandbox=sandbox)) == ""


def test_a_thousand_paths_that_are_written(place, outside, more):
    paths = [outside / "d{}".format(at) for at in range(1000)]
    for path in paths:
        path.mkdir()
    sandbox = dict(more, write=[str(path) for path in paths])
    assert text(run(place, "echo x > ../d0/f && echo x > ../d999/f && ! echo x > ../f", sandbox=sandbox)) == ""


def files_of_the_system():
    """Files that there are, so that none has to be made."""
    for folder, _, names in os.walk("/usr"):
        yield from (os.path.join(folder, name) for name in names if name.isascii() and name.isprintable())


def test_ten_thousand_paths_that_are_read(place, outside, more):
    for name in ("data", "secret"):
        (outside / name).write_text(name)
    paths = [path for path in itertools.islice(files_of_the_system(), 9998) if os.path.isfile(path)]
    sandbox = dict(more, read=["system", *paths, str(outside / "data")])
    assert text(run(place, "cat ../data && ! cat ../secret", sandbox=sandbox)) == "data"


def test_too_many_paths(place, more):
    for key, most in (("write", 1000), ("read", 10000)):
        with pytest.raises(flowworker.DocumentError, match=str(most)):
            run(place, "true", sandbox=dict(more, **{key: ["/usr/{}".format(at) for at in range(most + 1)]}))


@pytest.mark.parametrize("path", ["data", "./data", "", "/a/../b", "/a/./b", "/a\0b"])
@pytest.mark.parametrize("key", ["write", "read"])
def test_a_path_that_is_not_absolute_and_plain(place, more, key, path):
    with pytest.raises(flowworker.DocumentError) as raised:
        run(place, "true", sandbox=dict(more, **{key: [path]}))
    assert "/sandbox/{}/0".format(key) in raised.value.path and "\n" not in str(raised.value)


def test_a_call_that_there_is_not(place, more):
    with pytest.raises(flowworker.DocumentError, match="opne.*did you mean.*open"):
        run(place, "true", sandbox=dict(more, syscalls={"refuse": ["opne"]}))


def test_a_run_directory_that_is_read_only(place, more, python_env):
    change = "mount -t tmpfs -o ro none '{}'".format(place)
    outcome, why, _ = in_mounts(change, place, "true", dict(more), python_env)
    assert outcome == "spawn_failed" and "read-only" in why and str(place) in why


def test_a_path_of_write_on_a_read_only_file_system(place, outside, more, python_env):
    (outside / "data").mkdir()
    change = "mount -t tmpfs -o ro none '{}'".format(outside / "data")
    sandbox = dict(more, write=[str(outside / "data")])
    outcome, why, _ = in_mounts(change, place, "true", sandbox, python_env)
    assert outcome == "spawn_failed" and "read-only" in why and str(outside / "data") in why


def test_a_mount_below_a_path_of_write(place, outside, more, python_env):
    """In a view it stays read-only unless it is named itself."""
    (outside / "data/below").mkdir(parents=True)
    change = "mount -t tmpfs none '{}'".format(outside / "data/below")
    for named in ([], [str(outside / "data/below")]):
        sandbox = dict(more, write=[str(outside / "data"), *named])
        command = "echo x > ../data/f; (echo y > ../data/below/f) 2>/dev/null && echo written; true"
        outcome, _, shown = in_mounts(change, place, command, sandbox, python_env)
        assert (outcome, shown) == ("exited", "written\n" if named or more else "")


def test_a_file_system_that_counts_no_links(place, more, python_env):
    """What has no links was not therefore removed."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("it needs root, unshare and /dev/fuse")
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sandbox_fuse.py")
    words = ["unshare", "--mount", "--propagation", "private", sys.executable, program, str(place), json.dumps(more)]
    done = subprocess.run(words, env=python_env, stdout=subprocess.PIPE, check=True)
    outcome, shown = json.loads(done.stdout)
    if outcome == "skipped":
        pytest.skip("FUSE cannot be mounted: " + shown)
    assert (outcome, shown) == ("exited", "{}\n".format(place))
