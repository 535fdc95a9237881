"""What a sandbox covers (/tmp, /var/tmp, /run, /dev) stays covered, whatever is shown around it and below it."""

import os
import shutil
import stat
import tempfile

import pytest
from sandbox_mounts import in_mounts
from sandbox_steps import ALONE, reason, run, text

pytestmark = pytest.mark.usefixtures("namespaces")


@pytest.fixture(params=["/tmp", "/var/tmp", "/run"])
def covered(request):
    """A folder of the host in a directory that is covered."""
    if not os.access(request.param, os.W_OK) or os.path.realpath(request.param) != request.param:
        pytest.skip("there is no folder {} that can be written".format(request.param))
    folder = tempfile.mkdtemp(prefix="fw-covered.", dir=request.param)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def in_var_tmp():
    """A file of the host in /var/tmp, where that is a directory of its own in /var."""
    if os.path.realpath("/var/tmp") != "/var/tmp":
        pytest.skip("/var/tmp is a link")
    descriptor, path = tempfile.mkstemp(dir="/var/tmp")
    os.close(descriptor)
    yield path
    os.remove(path)


def is_private(path):
    """A command that sees nothing of a path of the host, and writes in a /var/tmp of its own."""
    return "test ! -e '{0}' && echo x > '{0}.made' && cat '{0}.made'".format(path)


@pytest.mark.parametrize("key", ["write", "read"])
def test_a_path_above_what_is_covered(place, in_var_tmp, key):
    sandbox = {key: ["/var"] if key == "write" else ["system", "/var"]}
    assert text(run(place, is_private(in_var_tmp), sandbox=sandbox)) == "x\n"
    assert not os.path.exists(in_var_tmp + ".made")


def test_a_run_directory_above_what_is_covered(in_var_tmp):
    assert text(run("/var", "pwd && " + is_private(in_var_tmp))) == "/var\nx\n"
    assert not os.path.exists(in_var_tmp + ".made")


def test_a_path_below_a_cover_that_is_below_a_path(place, in_var_tmp):
    """The one file is there again, and the rest of /var/tmp is private still."""
    sandbox = {"write": ["/var", in_var_tmp]}
    assert text(run(place, "echo kept > '{0}' && echo lost > '{0}.made'".format(in_var_tmp), sandbox=sandbox)) == ""
    with open(in_var_tmp) as file:
        assert file.read() == "kept\n"
    assert not os.path.exists(in_var_tmp + ".made")


@pytest.mark.parametrize("path", ["/tmp", "/var/tmp"])
def test_a_run_directory_that_would_be_private(path):
    result = run(path, "true")
    assert result.outcome == "spawn_failed" and 'run directory "{}"'.format(path) in result.message
    assert '"private_tmp": false' in reason(result)
    assert text(run(path, "pwd", sandbox=ALONE)) == path + "\n"


@pytest.mark.parametrize("key", ["write", "read"])
def test_a_link_to_what_would_be_private(place, outside, key):
    (outside / "link").symlink_to("/tmp")
    result = run(place, "touch ran", sandbox={key: [str(outside / "link")]})
    assert result.outcome == "spawn_failed" and str(outside / "link") in result.message
    assert '"private_tmp": false' in reason(result) and not (place / "ran").exists()


def test_run_is_written(place):
    if os.geteuid() != 0 or os.path.realpath("/run") != "/run":
        pytest.skip("it needs root, and a /run")
    folder = tempfile.mkdtemp(dir="/run")
    try:
        assert text(run(place, "echo x > '{}/made'".format(folder), sandbox={"write": ["/run"]})) == ""
        assert os.listdir(folder) == ["made"]
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("file_is", ["write", "read"])
def test_a_file_below_a_path_that_is_read(place, covered, file_is):
    file = os.path.join(covered, "file")
    with open(file, "w") as opened:
        opened.write("old\n")
    sandbox = {"read": ["system", covered], "write": []}
    sandbox[file_is] = [*sandbox[file_is], file]
    change = "{} echo new > '{}'".format("" if file_is == "write" else "!", file)
    command = "cat '{}' && {} && ! touch '{}/more'".format(file, change, covered)
    assert text(run(place, command, sandbox=sandbox)) == "old\n"
    with open(file) as opened:
        assert opened.read() == ("new\n" if file_is == "write" else "old\n")
    assert os.listdir(covered) == ["file"]


def test_the_umask_of_the_host_is_not_of_the_view(covered):
    """Folders that are made above the run directory have the mode of a system's folders."""
    above = os.path.join(covered, "above")
    os.makedirs(above + "/run")
    before = os.umask(0o077)
    try:
        shown = text(run(above + "/run", "stat -c %a '{}' '{}' && umask".format(covered, above)))
    finally:
        os.umask(before)
    assert shown.split() == ["755", "755", "0077"]
    assert stat.S_IMODE(os.stat(covered).st_mode) == 0o700


def test_what_cannot_be_covered(place, python_env):
    """The message does not blame /tmp alone: here it is /var/run."""
    if str(place).startswith("/var/"):
        pytest.skip("the run directory is in /var, which the test covers")
    change = "mount -t tmpfs none /var; ln -s run /var/run"
    outcome, why, _ = in_mounts(change, place, "true", {}, python_env)
    assert outcome == "spawn_failed" and "cannot have an empty /run and a /tmp of its own" in why, why
