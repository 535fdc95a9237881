"""The runner calls functions by their import path."""

import math
import os
import sys

import pytest
from library import Interpreter, lives


@pytest.fixture
def call(shared, rundir, write):
    """Calls a function of a module `m` that has this text."""

    def call(text, path="m.f", context=None, variables=None):
        write("m.py", text)
        job = {"do": "call", "function": path, "variables": variables or {}, "context": context or {}, "unfit": {}}
        return shared("call").run(job, rundir)

    return call


def value(outcome):
    assert outcome.has("returned"), outcome.said
    assert outcome["done"]["status"] == 0 and outcome["done"]["clean"]
    return outcome["returned"]["value"]


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        0,
        -1,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        0.1,
        1e300,
        "",
        "ä\u2028\U0001f600\\u0000",
        [1, [2]],
        {"a": {"b": []}},
        "007",
        1e5,
    ],
)
def test_a_value_comes_back_as_it_was(call, given):
    back = value(call("def f(a): return a", context={"a": given}))
    assert back == given and type(back) is type(given)


def test_arguments_are_those_of_the_signature_that_the_context_has(call):
    text = "def f(a, b=2, *more, c, d=4, **rest): return [a, b, more, c, d, rest]"
    context = {"a": 1, "x": 3, "more": 5, "rest": 6, "other": 7}
    assert value(call(text, context=context, variables={"c": "x"})) == [1, 2, [], 3, 4, {}]


def test_positional_only_parameters(call):
    assert value(call("def f(a, b=5, /, c=6): return [a, b, c]", context={"a": 1, "c": 3})) == [1, 5, 3]


def test_a_missing_argument_is_named_with_what_there_is(call):
    raised = call("def f(alpha, beta): return 1", context={"alpha": 1, "betta": 2})["raised"]
    assert raised["type"] == "TypeError"
    for part in ('"m.f"', '"beta"', '"alpha", "betta"', 'did you mean "betta"?'):
        assert part in raised["message"]


def test_the_run_directory_is_where_it_works_and_imports_from(call, rundir, write):
    write("helper.py", "WORD = 'helped'")
    text = (
        "import os, helper, sys\ndef f():\n  open('made', 'w').close()\n"
        "  return [os.getcwd(), helper.WORD, sys.path[0], sys.argv]"
    )
    assert value(call(text)) == [str(rundir), "helped", str(rundir), [""]]
    assert (rundir / "made").exists()


def test_output_goes_to_the_streams_of_the_job_also_from_processes(call):
    text = (
        "import os, subprocess, sys\ndef f():\n  print('out'); print('err', file=sys.stderr)\n  sys.stdout.flush()\n"
        "  subprocess.run(['echo', 'process'])\n  os.write(2, b'bytes')\n  print('last', end='')"
    )
    outcome = call(text)
    assert value(outcome) is None
    assert outcome.stdout == "out\nprocess\nlast"
    assert outcome.stderr == "err\nbytes"


def test_an_exception_is_told_with_the_users_frames_only(call):
    outcome = call(
        "def g():\n  raise KeyError('x')\n"
        "def f():\n  try:\n    g()\n  except KeyError as e:\n    raise ValueError('why') from e"
    )
    raised = outcome["raised"]
    assert (raised["type"], raised["message"]) == ("ValueError", "why")
    assert raised["trace"].startswith("Traceback (most recent call last):\n")
    assert "raise KeyError('x')" in raised["trace"] and "The above exception was the direct cause" in raised["trace"]
    assert "flowworker" not in raised["trace"] and raised["trace"].endswith("ValueError: why\n")
    assert outcome["done"]["status"] == 0


def test_types_have_their_module(call):
    assert call("class E(Exception): pass\ndef f(): raise E('x')")["raised"]["type"] == "m.E"


def test_an_exception_without_a_text(call):
    assert (
        "without a readable text"
        in call("class E(Exception):\n  def __str__(self): 1/0\ndef f(): raise E")["raised"]["message"]
    )


@pytest.mark.parametrize(
    "code, told", [("", 0), ("0", 0), ("3", 3), ("True", 1), ("256", 0), ("-1", 255), ("'words'", 1)]
)
def test_sys_exit(call, code, told):
    outcome = call("import sys\ndef f(): sys.exit(%s)" % code)
    assert outcome["exited"]["code"] == told
    assert outcome.stderr == ("words\n" if code == "'words'" else "")


@pytest.mark.parametrize(
    "path, parts",
    [
        ("nowhere.f", ["ModuleNotFoundError", '"nowhere"']),
        ("m.g", ["AttributeError", '"m" has no "g"', "did you mean"]),
        ("m.C.other", ["AttributeError", '"m.C" has no "other"']),
        ("m.NUMBER", ["TypeError", '"m.NUMBER" is not a function, but int']),
        ("m..f", ["ImportError", "empty part"]),
        ("f", ["ImportError", "has no module", "module.function"]),
        ("m.sub.f", ["AttributeError", '"m" has no "sub"']),
    ],
)
def test_a_path_that_leads_nowhere(call, path, parts):
    raised = call("NUMBER = 1\nclass C: pass\ndef gg(): pass", path)["raised"]
    for part in parts:
        assert part in raised["type"] + raised["message"]
    assert raised["trace"] == ""


def test_methods_and_packages(call, write):
    write("pkg/__init__.py", "")
    write("pkg/mod.py", "class C:\n  @staticmethod\n  def f(a): return a + 1")
    assert value(call("", "pkg.mod.C.f", {"a": 1})) == 2


def test_a_module_that_fails_is_its_own_failure(call, write):
    raised = call("import nothing_like_it\ndef f(): pass")["raised"]
    assert raised["type"] == "ModuleNotFoundError" and "nothing_like_it" in raised["message"]
    assert "import nothing_like_it" in raised["trace"]


@pytest.mark.parametrize(
    "text, part",
    [
        ("def f(): return {'a': [1, {2}]}", "$.a[1] is a set"),
        ("def f(): return [float('nan')]", "$[0] is nan"),
        ("def f(): return {'a': {3: 1}}", "$.a has the key 3"),
        ("def f():\n  a = []\n  a.append(a)\n  return a", "nested"),
        ("def f(): return b'x'", "$ is a bytes"),
    ],
)
def test_a_value_that_is_not_json(call, text, part):
    raised = call(text)["raised"]
    assert raised["type"] == "TypeError" and part in raised["message"]


def test_tuples_are_lists(call):
    assert value(call("def f(): return (1, (2,))")) == [1, [2]]


def test_nothing_goes_from_one_call_to_the_next(call):
    text = (
        "import os, sys\ncount = 0\ndef f():\n  global count\n  count += 1\n"
        "  sys.modules['x'] = 1\n  os.environ['X'] = 'y'\n  os.umask(0)\n  return count"
    )
    assert value(call(text)) == 1
    seen = "import os, sys\ndef f(): return ['x' in sys.modules, os.environ.get('X'), os.umask(0o22) == 0]"
    assert value(call(seen)) == [False, None, False]


def test_a_process_that_ends_itself(call):
    outcome = call("import os\ndef f(): os._exit(7)")
    assert [word["event"] for word in outcome.said] == ["started", "done"]
    assert os.WEXITSTATUS(outcome["done"]["status"]) == 7 and outcome["done"]["clean"]
    outcome = call("import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGKILL)")
    assert os.WTERMSIG(outcome["done"]["status"]) == 9


def test_a_function_that_forks_gives_one_value(call):
    outcome = call("import os\ndef f():\n  pid = os.fork()\n  if pid: os.waitpid(pid, 0)\n  return pid")
    assert [word["event"] for word in outcome.said] == ["started", "returned", "done"]
    assert value(outcome) > 0


def test_what_a_call_leaves_is_told(rundir, write):
    write("m.py", "import subprocess\ndef f(): return subprocess.Popen(['sleep', '1000'], start_new_session=True).pid")
    interpreter = Interpreter("call")
    outcome = interpreter.run({"do": "call", "function": "m.f", "variables": {}, "context": {}, "unfit": {}}, rundir)
    left = outcome["returned"]["value"]
    try:
        assert outcome["done"]["clean"] is False
        assert outcome["done"]["left"] == [{"pid": left}]
    finally:
        os.kill(left, 9)
        interpreter.close()


def test_a_thread_that_goes_on_is_waited_for(call):
    text = (
        "import threading, time\ndef late():\n  time.sleep(0.2)\n  print('late')\n"
        "def f():\n  threading.Thread(target=late).start()\n  return 1"
    )
    outcome = call(text)
    assert value(outcome) == 1 and outcome.stdout == "late\n"


def test_usage(call):
    done = call("def f():\n  x = bytearray(50_000_000)\n  return sum(range(3_000_000))")["done"]
    assert done["user"] > 0 and done["peak_bytes"] > 50_000_000


def test_it_has_no_descriptor_of_ours(call):
    assert value(call("import os\ndef f(): return sorted(int(n) for n in os.listdir('/proc/self/fd'))"))[:3] == [
        0,
        1,
        2,
    ]
    text = "import os, subprocess\ndef f(): return subprocess.check_output(['ls', '/proc/self/fd']).decode().split()"
    assert value(call(text)) == ["0", "1", "2", "3"]


def test_a_large_context_and_a_large_value(call):
    big = "x" * 5_000_000
    assert value(call("def f(a): return a * 2", context={"a": big})) == big * 2


def test_it_ends_when_the_library_goes(rundir):
    interpreter = Interpreter("call")
    assert interpreter.hear()["event"] == "ready"
    assert interpreter.close() == (0, "")


def test_it_ends_when_it_is_idle():
    interpreter = Interpreter("call", idle=0.1)
    assert interpreter.hear()["event"] == "ready"
    assert interpreter.hear() is None
    assert interpreter.close() == (0, "")


def test_it_needs_no_packages(rundir, write):
    write(
        "m.py",
        "import sys\ndef f(): return [name for name in sys.modules if name.split('.')[0] in ('papermill', 'zmq')]",
    )
    interpreter = Interpreter("call", env={"PATH": os.environ["PATH"]})
    outcome = interpreter.run({"do": "call", "function": "m.f", "variables": {}, "context": {}, "unfit": {}}, rundir)
    assert outcome["returned"]["value"] == []
    pid = outcome["done"]["pid"]
    assert not lives(pid) and math.isclose(outcome["done"]["status"], 0)
    interpreter.close()
    assert sys.executable
