"""Functions run one at a time where the system refuses threads their own working directory."""

import platform

import pytest

#: The number of unshare, and the architectures for which the filter is written.
UNSHARE = {"x86_64": 272, "aarch64": 97}.get(platform.machine())

PROLOGUE = """
import asyncio, ctypes, os, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def refuse(number):
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("HBBI", *line) for line in lines)
    text = ctypes.create_string_buffer(program, len(program))
    class Filter(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Filter(len(lines), ctypes.addressof(text))), 0, 0):
        sys.exit(77)
refuse(%d)
import flowworker as f
os.mkdir("run")
home = os.getcwd()
here = lambda: os.path.basename(os.getcwd())
"""


@pytest.fixture
def refused(run_python):
    def run(script):
        if UNSHARE is None:
            pytest.skip("the number of unshare on this kind of machine is not known here")
        done = run_python(PROLOGUE % UNSHARE + script)
        if done.returncode == 77:
            pytest.skip("the kernel has no seccomp filters")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_a_function_runs_and_the_result_says_how(refused):
    out = refused(
        "context = {}\n"
        "result = f.create_worker(f.Code('c')).exec(f.CodeStep('c', here, 'where'), context, 'run')\n"
        "print(result.returncode, context, os.getcwd() == home)\n"
        "print(len(result.notes), 'unshare: Operation not permitted' in result.notes[0], "
        "'one at a time' in result.notes[0])\n"
    )
    assert out == "0 {'where': 'run'} True\n1 True True\n"


def test_a_workflow_keeps_what_the_steps_before_have_given(refused):
    out = refused(
        "workflow = f.SerialWorkflow().add_container_step('a', '', commands=['echo a'])\n"
        "workflow.add_code_step('b', lambda: print(here()) or 7, arg='x')\n"
        "workflow.add_container_step('c', '', commands=['echo $x'])\n"
        "print(workflow.run({}, rundir='run').check().stdout)\n"
        "print(asyncio.run(workflow.run_async({}, rundir='run')).check().stdout)\n"
        "print(workflow.start({}, rundir='run').wait().check().stdout, os.getcwd() == home)\n"
    )
    stdout = ["a\n", "run", "\n", "7\n"]
    assert out == "{0}\n{0}\n{0} True\n".format(stdout)


def test_threads_of_the_host_are_not_taken_for_the_steps(refused):
    out = refused(
        "begun, go = threading.Event(), threading.Event()\n"
        "def function():\n"
        "    begun.set(); go.wait(120); print('of the step')\n"
        "run = f.create_worker(f.Code('c')).start(f.CodeStep('c', function), {}, 'run')\n"
        "begun.wait(120)\n"
        "thread = threading.Thread(target=print, args=('of the host',)); thread.start(); thread.join()\n"
        "go.set()\n"
        "print(run.wait().stdout)\n"
    )
    assert out == "of the host\n['of the step', '\\n']\n"


def test_many_at_once_and_one_in_another(refused):
    out = refused(
        "worker = f.create_worker(f.Code('c'))\n"
        "def inner(): return here()\n"
        "def outer():\n"
        "    os.makedirs('inner', exist_ok=True)\n"
        "    context = {}\n"
        "    worker.exec(f.CodeStep('i', inner, 'w'), context, 'inner').check()\n"
        "    return context['w'], here()\n"
        "async def main():\n"
        "    contexts = [{} for _ in range(8)]\n"
        "    await asyncio.gather(*[worker.exec_async(f.CodeStep('o', outer, 'w'), c, 'run') for c in contexts])\n"
        "    return {c['w'] for c in contexts}\n"
        "print(asyncio.run(main()), os.getcwd() == home)\n"
    )
    assert out == "{('inner', 'run')} True\n"


def test_flowserv_runs_its_functions_on_this_library(refused):
    pytest.importorskip("flowserv")
    out = refused(
        "import flowworker.flowserv\n"
        "from flowserv.controller.serial.workflow.base import SerialWorkflow\n"
        "from flowserv.volume.manager import DefaultVolume\n"
        "flowworker.flowserv.install()\n"
        "workflow = SerialWorkflow().add_code_step('one', here, arg='where')\n"
        "result = workflow.run({}, volumes=DefaultVolume('run'))\n"
        "print(result.returncode, result.context['where'], os.getcwd() == home)\n"
    )
    assert out == "0 run True\n"
