"""Everything but containers and remote storage works without libcurl, or with a broken one."""

import subprocess

import pytest

# No engine is ever asked: libcurl comes first.
SCRIPT = """
import flowworker as f

def show(result):
    print(result.outcome, result.returncode, result.stdout, result.engine)

def step(*commands):
    return f.ContainerStep("s", "an/image", list(commands))

box = f.create_worker(f.Docker("box", options={"host": "unix:///nowhere/engine.sock"}))
result = box.exec(step("echo a", "echo b"), {}, ".")
show(result)
print(result.message)
print(result.stderr[0] in result.message, type(result.exception).__name__, result.commands)
tried = box.exec(step("echo a"), {}, ".", retries={"max": 2, "delay": 0, "on": ["engine_failed"]})
print([attempt["outcome"] for attempt in tried.attempts], tried.message == result.message)
show(f.default_container_worker.exec(step("echo c"), {}, "."))
show(f.WorkerPool([f.Docker("box"), f.Subprocess("here")], {"s": "here"}).get(step()).exec(step("echo d"), {}, "."))
"""

#: The engine is asked in the second step only: it is missing, and libcurl is not.
AGAIN = """
import os, flowworker as f

box = f.create_worker(f.Docker("box", options={"host": "unix:///nowhere/engine.sock"}))
for _ in range(2):
    print(box.exec(f.ContainerStep("s", "an/image", ["true"]), {}, ".").message)
    for name in os.listdir(os.environ["LD_LIBRARY_PATH"]):
        os.unlink(os.path.join(os.environ["LD_LIBRARY_PATH"], name))
"""

NAMES = ("libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so")


@pytest.fixture
def broken(tmp_path):
    """A directory with files that have the names of libcurl, and are no library."""
    place = tmp_path / "broken"
    place.mkdir()
    for name in NAMES:
        (place / name).write_text("no library\n")
    return place


@pytest.fixture
def useless(broken):
    """The same with libraries that have none of libcurl's functions."""
    for name in NAMES:
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-o", str(broken / name), "-"]
        subprocess.run(command, input=b"int unrelated;", check=True)
    return broken


def check(done, place):
    assert (done.returncode, done.stderr) == (0, "")
    container, message, exception, tried, *others = done.stdout.splitlines()
    assert container == "engine_failed 1 [] None"
    assert message.startswith('step "s" could not be run: ') and str(place / NAMES[0]) in message
    assert exception == "True StepError []"
    assert tried == "['engine_failed', 'engine_failed'] True"
    assert others == ["exited 0 ['c\\n'] None", "exited 0 ['d\\n'] None"]
    return message


def test_a_libcurl_that_cannot_be_loaded(run_python, broken):
    message = check(run_python(SCRIPT, LD_LIBRARY_PATH=str(broken)), broken)
    assert "libcurl cannot be loaded" in message and "libcurl4" in message


def test_a_libcurl_that_lacks_its_functions(run_python, useless):
    message = check(run_python(SCRIPT, LD_LIBRARY_PATH=str(useless)), useless)
    assert "undefined symbol: curl_" in message


@pytest.mark.parametrize("kind", ["broken", "useless"])
def test_a_libcurl_that_is_mended_is_used_by_the_next_step(run_python, kind, request):
    place = request.getfixturevalue(kind)
    done = run_python(AGAIN, LD_LIBRARY_PATH=str(place))
    first, second = done.stdout.splitlines()
    assert "libcurl" in first or "undefined symbol: curl_" in first
    assert "unix:///nowhere/engine.sock" in second and "curl" not in second


def test_nothing_needs_it_until_then(run_python):
    done = run_python(
        "import flowworker as f\n"
        "f.create_worker(f.Docker('box'))\n"
        "f.default_container_worker.exec(f.ContainerStep('s', '', ['true']), {}, '.')\n"
        "print('curl' in open('/proc/self/maps').read())\n"
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
