"""flowserv-core works on the library's workers: its workflows, both of its engines, and its command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANG = 120


def environment(tmp_path, **variables):
    return dict(
        os.environ,
        PYTHONPATH=str(ROOT / "bindings/python"),
        PYTHONWARNINGS="ignore",
        FLOWSERV_API_DIR=str(tmp_path / "api"),
        FLOWSERV_DATABASE="sqlite:///" + str(tmp_path / "flowserv.db"),
        FLOWSERV_AUTH="open",
        **variables,
    )


@pytest.fixture
def script(tmp_path):
    """Runs a script in an interpreter of its own, and gives the JSON that it prints last."""

    def run(text, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", text, str(tmp_path), *arguments],
            env=environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANG,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


SERIAL = """
import json, sys
import flowworker.flowserv
if "before" in sys.argv:
    flowworker.flowserv.install()
from flowserv.controller.serial.workflow.base import SerialWorkflow
from flowserv.controller.worker.manager import Code, Subprocess, WorkerPool
from flowserv.volume.manager import DefaultVolume
flowworker.flowserv.install()
flowworker.flowserv.install()

def double(x):
    print("doubling", x)
    return 2 * x

worker = Subprocess("w", variables={"who": "World"}, env={"A": "1", "N": 2})
workflow = SerialWorkflow(workers=WorkerPool([worker], {"one": "w"}))
command = "echo Hello $who $$A $$N $file.txt; sleep 100000 & echo $$! > pid"
workflow.add_container_step("one", "image", [command], env={"A": "step"})
workflow.add_code_step("two", double, arg="y", varnames={"x": "n"})
workflow.add_container_step("three", "image", ["echo $y; ls pid; printf '\\\\377'"])
workflow.add_container_step("four", "image", ["exit 3"])
workflow.add_container_step("five", "image", ["touch five"])
result = workflow.run({"n": 21}, workers=workflow.workers, volumes=DefaultVolume(sys.argv[1]))
pid = int(open(sys.argv[1] + "/pid").read())
import os
print(json.dumps([type(result).__module__, result.returncode, result.stdout, result.context,
                  [type(step).__module__ for step in result.steps], os.path.exists("/proc/%d" % pid),
                  len(result.steps)]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_its_serial_workflow(script, when):
    module, returncode, stdout, context, modules, is_alive, count = script(SERIAL, when)
    # A daemon that is left behind would hang flowServ's own worker, `$file.txt` and the byte 255 would break it.
    assert stdout == ["Hello World step 2 file.txt\n", "doubling", " ", "21", "\n", "42\npid\n\ufffd"]
    assert (returncode, count, context, is_alive) == (3, 4, {"n": 21, "y": 42}, False)
    assert module == "flowserv.controller.serial.workflow.result" and set(modules) == {module}


EXCEPTIONS = """
import json, sys
import flowworker.flowserv
flowworker.flowserv.install()
from flowserv.controller.serial.workflow.base import SerialWorkflow
from flowserv.controller.worker.subprocess import SubprocessWorker
from flowserv.model.workflow.step import ContainerStep
from flowserv.volume.manager import DefaultVolume

def fail():
    raise LookupError("no")

told = []
result = SerialWorkflow().add_code_step("f", fail).run({}, volumes=DefaultVolume(sys.argv[1]))
told += [result.returncode, type(result.exception).__name__, "LookupError" in result.stderr[-1]]
try:
    SerialWorkflow().add_container_step("s", "", ["echo $(date)"]).run({}, volumes=DefaultVolume(sys.argv[1]))
except ValueError as error:
    told.append(str(error))

class Own(SubprocessWorker):
    def run(self, step, env, rundir):
        return [step.commands, env, rundir]

class Store:
    basedir = sys.argv[1]

told.append(Own().exec(ContainerStep("s", "", ["echo $x"]), {"x": 1}, Store) == [["echo 1"], None, sys.argv[1]])
told.append(SubprocessWorker().run(ContainerStep("s", "", ["echo '$x' $HOME"]), {"HOME": "h"}, sys.argv[1]).stdout)
flowworker.flowserv.uninstall()
told.append(SubprocessWorker.exec.__module__)
told.append(SubprocessWorker().run(ContainerStep("s", "", ["echo back"]), None, sys.argv[1]).stdout)
print(json.dumps(told))
"""


def test_what_it_raises_and_what_others_have_made_of_it(script):
    returncode, exception, has_trace, template, is_own, run, module, back = script(EXCEPTIONS)
    assert (returncode, exception, has_trace) == (1, "LookupError", True)
    assert "invalid placeholder at line 1, column 6" in template
    assert is_own and run == ["$x h\n"]
    assert module == "flowserv.controller.worker.base" and back == ["back\n"]


OPTIONS = """
import json, pickle, sys, time
import flowworker.flowserv
flowworker.flowserv.install()
from flowserv.controller.serial.engine.validate import validator
from flowserv.controller.serial.workflow.base import SerialWorkflow
from flowserv.controller.worker.manager import WorkerPool
from flowserv.volume.manager import DefaultVolume

def run(worker, *commands):
    validator.validate({"workers": [worker]})
    workflow = SerialWorkflow(workers=WorkerPool([worker], {"a": worker["name"]}))
    if commands:
        workflow.add_container_step("a", "", list(commands))
    else:
        workflow.add_code_step("a", lambda: time.sleep(60))
    pickle.loads(pickle.dumps(workflow.workers.get(workflow.steps[0])))
    result = workflow.run({}, workers=workflow.workers, volumes=DefaultVolume(sys.argv[1]))
    return [result.returncode, result.stdout]

worker = {
    "name": "w", "type": "subprocess", "options": {"timeout": 0.3, "output_limit": 4}, "secrets": ["KEY"],
    "vars": [{"key": "who", "value": "World"}], "env": [{"key": "KEY", "value": "secret value"}],
}
told = [run(worker, "echo $who $$KEY; sleep 60")]
told.append(run(dict(worker, options={}), "echo $who $$KEY"))
told.append(run({"name": "c", "type": "code", "options": {"timeout": 0.1, "grace": 0.1}})[0])
try:
    run(dict(worker, options={"timeuot": 1}), "true")
except ValueError as error:
    told.append(str(error))
flowworker.flowserv.uninstall()
told.append(WorkerPool.get.__globals__["create_worker"].__module__)
told.append(hasattr(WorkerPool.get.__globals__["create_worker"](worker), "_flowworker_spec"))
print(json.dumps(told))
"""


def test_the_options_of_its_engine_configuration(script):
    """The schema of flowServ lets a worker have any further key, and flowServ itself passes over them."""
    limited, plain, code, refused, module, is_marked = script(OPTIONS)
    assert limited[0] == -15 and limited[1][0].startswith("Wo") and "secret" not in limited[1][0]
    assert plain == [0, ["World ***\n"]]
    assert code != 0
    assert 'unknown key "timeuot" in the options of a subprocess worker' in refused
    assert module == "flowserv.controller.worker.manager" and not is_marked


TEMPLATE = """
workflow:
    files:
        inputs: [data/names.txt]
        outputs: [results/greetings.txt]
    parameters:
        greeting: $[[greeting]]
        seconds: $[[seconds]]
    steps:
    - name: greet
      files:
        inputs: [data/names.txt]
        outputs: [results/greetings.txt]
      action:
        environment: "python:3.11"
        commands:
        - "sleep 100000 & echo $$! > pid;
           sed \\"s/^/$greeting /\\" data/names.txt > results/greetings.txt; sleep $seconds"
parameters:
- {name: greeting, dtype: string, defaultValue: Hello}
- {name: seconds, dtype: int, defaultValue: 0}
"""


@pytest.fixture
def template(tmp_path):
    place = tmp_path / "template"
    (place / "data").mkdir(parents=True)
    (place / "data/names.txt").write_text("Alice\nBob\n")
    (place / "benchmark.yaml").write_text(TEMPLATE)
    (place / "flowserv.yaml").write_text("{name: Hello, specfile: benchmark.yaml, files: [{source: data}]}\n")
    return place


ENGINE = """
import glob, json, os, sys, time
import flowworker, flowworker.flowserv

def main():
    root, mode = sys.argv[1:3]
    flowworker.flowserv.install()
    from flowserv.config import Config
    from flowserv.model.database import DB
    from flowserv.service.local import LocalAPIFactory
    from flowserv.service.run.argument import serialize_arg
    from flowserv.tests.service import create_group, create_user, create_workflow, start_run
    from flowserv.volume.fs import FStore
    import flowserv.model.workflow.state as st

    if mode == "used":
        # A process that has run steps cannot be forked.
        flowworker.default_container_worker.exec(flowworker.ContainerStep("s", "", ["true"]), {}, root)
    database = DB(connect_url=os.environ["FLOWSERV_DATABASE"], web_app=False)
    database.init()
    env = Config().basedir(root).volume(FStore(basedir=root)).auth()
    env = env.run_sync() if mode == "sync" else env.run_async()
    env["FLOWSERV_DATABASE"] = os.environ["FLOWSERV_DATABASE"]
    service = LocalAPIFactory(env=env)
    with service() as api:
        workflow = create_workflow(api, source=root + "/template")
        user = create_user(api)
    seconds = 100000 if mode == "cancel" else 0
    with service(user_id=user) as api:
        group = create_group(api, workflow)
        run = start_run(api, group, arguments=[serialize_arg("greeting", "Hi"), serialize_arg("seconds", seconds)])
    state = None
    end = time.monotonic() + 100
    while time.monotonic() < end:
        with service(user_id=user) as api:
            state = api.runs().get_run(run_id=run)
        pids = glob.glob(root + "/runs/*/pid")
        if mode == "cancel" and pids and open(pids[0]).read():
            pid = int(open(pids[0]).read())
            with service(user_id=user) as api:
                state = api.runs().cancel_run(run_id=run, reason="enough")
            break
        if state["state"] not in st.ACTIVE_STATES:
            break
        time.sleep(0.05)
    told = [state["state"], state.get("messages")]
    if mode == "cancel":
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < end:
            time.sleep(0.02)
        told.append(os.path.exists("/proc/%d" % pid))
    else:
        with service(user_id=user) as api:
            files = {file["name"]: file["id"] for file in api.runs().get_run(run_id=run)["files"]}
            file = api.runs().get_result_file(run_id=run, file_id=files["results/greetings.txt"])
            told.append(file.open().read().decode())
    print(json.dumps(told))

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def engine(script, tmp_path, template):
    def run(mode):
        # A new process reads the main module again, so it is a file.
        (tmp_path / "host.py").write_text(ENGINE)
        return script(
            "import runpy, sys; sys.argv[0] = sys.argv[1] + '/host.py'; "
            "runpy.run_path(sys.argv[0], run_name='__main__')",
            mode,
        )

    return run


@pytest.mark.parametrize("mode", ["sync", "async", "used"])
def test_its_engine_runs_a_template(engine, mode):
    state, messages, greetings = engine(mode)
    assert (state, greetings) == ("SUCCESS", "Hi Alice\nHi Bob\n"), messages


def test_a_run_that_its_engine_cancels_leaves_no_process(engine):
    state, messages, is_alive = engine("cancel")
    assert (state, messages, is_alive) == ("CANCELED", ["enough"], False)


def test_its_command_line(tmp_path, template):
    def flowserv(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "flowworker.flowserv", *arguments],
            env=environment(tmp_path, FLOWSERV_ASYNC="False"),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANG,
        )
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        return done.stdout

    flowserv("init", "-f")
    said = flowserv("app", "install", "-g", str(template))
    application = said.split("export FLOWSERV_APP=")[1].split()[0]
    # flowServ's own worker would wait for the process that the step leaves behind.
    run = subprocess.run(
        [sys.executable, "-m", "flowworker.flowserv", "runs", "start", "-g", application],
        env=environment(tmp_path, FLOWSERV_ASYNC="False"),
        input="\n\n",
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    identifier = run.stdout.split("started run ")[1].split()[0]
    assert "SUCCESS" in flowserv("runs", "show", identifier)


def test_it_says_what_is_missing(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['flowserv'] = None\nimport flowworker.flowserv\nflowworker.flowserv.install()",
        ],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert "ImportError: flowserv-core is not installed: pip install flowserv-core" in done.stderr
