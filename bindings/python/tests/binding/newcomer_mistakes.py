"""The mistakes of people who use the package for the first time, and what each of them is told.

`MISTAKES` has a row for each: what somebody wrote, and the whole message. `test_newcomer.py` makes them all.

In the messages, RUNDIR stands for the run directory, PYTHON for an interpreter, and SEARCH for the value of PATH.
"""

import asyncio
import json
import os
import types
import venv

import flowworker
from flowworker import (
    Code,
    CodeStep,
    ContainerStep,
    Docker,
    FStore,
    Notebook,
    NotebookStep,
    S3Bucket,
    Sftp,
    Slurm,
    Subprocess,
    VolumeManager,
    WorkerPool,
    WorkerSpec,
    Workflow,
    create_worker,
)


class Place:
    """Where a mistake is made: a run directory, and a pool with the default workers."""

    def __init__(self, rundir, monkeypatch):
        self.rundir = str(rundir)
        self.pool = WorkerPool()
        self._monkeypatch = monkeypatch

    def run(self, step, context=None, worker=None, **options):
        worker = worker if worker is not None else self.pool.get(step)
        return worker.exec(step, {} if context is None else context, self.rundir, **options)

    def run_on(self, spec, step, context=None, **options):
        with create_worker(spec) as worker:
            return self.run(step, context, worker, **options)

    def run_workflow(self, *steps, arguments=None, parameters=None, **options):
        template = {"workflow": {"steps": list(steps)}}
        if parameters is not None:
            template["parameters"] = parameters
        return Workflow.from_template(template).run(arguments or {}, **{"rundir": self.rundir, **options})

    def file(self, name, text):
        """Writes a file, and returns its name, which is relative to the run directory."""
        self._monkeypatch.chdir(self.rundir)
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def without_programs(self):
        self._monkeypatch.setenv("PATH", self.rundir)

    def in_rundir(self):
        self._monkeypatch.chdir(self.rundir)


def step(*commands, **keywords):
    return ContainerStep("s", "", list(commands) or ["echo hi"], **keywords)


def raw_step(*commands, name="s", **keys):
    """A step as a template has it."""
    return {"name": name, "action": {"environment": "", "commands": list(commands) or ["true"]}, **keys}


def double(x):
    return 2 * x


async def listen(event):
    """Somebody's function for events, for exec_async."""


async def run_with_await(place):
    return (await place.pool.get(step()).exec_async({}, step(), place.rundir)).stdout


def exec_async_without_await(place):
    coroutine = place.pool.get(step()).exec_async(step(), {}, place.rundir)
    try:
        return coroutine.stdout
    finally:
        coroutine.close()


def exec_async_without_a_loop(place):
    coroutine = place.pool.get(step()).exec_async(step(), {}, place.rundir)
    try:
        coroutine.send(None)
    finally:
        coroutine.close()


def notebook_without_papermill(place):
    venv.create(os.path.join(place.rundir, "empty"), with_pip=False)
    place.file("n.ipynb", NOTEBOOK)
    python = os.path.join(place.rundir, "empty", "bin", "python")
    return place.run_on(Notebook("n", options={"python": python}), NotebookStep("s", "n.ipynb"))


def notebook_without_kernel(place):
    place.file("n.ipynb", NOTEBOOK)
    return place.run_on(Notebook("n", options={"kernel": "no-such-kernel"}), NotebookStep("s", "n.ipynb"))


def unreadable_rundir(place):
    place.file("plain", "")
    return place.pool.get(step()).exec(step(), {}, os.path.join(place.rundir, "plain"))


NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "code", "source": "1", "metadata": {}, "outputs": [], "execution_count": None, "id": "a"}
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)

PARAMETER = [{"name": "name", "dtype": "string"}]
COUNT = [{"name": "n", "dtype": "int"}]
NO_ENGINE = {"host": "unix:///no/such/docker.sock"}


class Mistake:
    """What somebody wrote, the call that does the same, and what is said to that.

    `message` is that of the exception; if no exception is raised, it is that of the result, or the first note of a
    successful one. `needs` is a module without
    which the mistake cannot be made.
    """

    def __init__(self, wrote, call, message, needs=None):
        self.wrote, self.call, self.message, self.needs = wrote, call, message, needs


M = Mistake
MISTAKES = [
    # -- steps
    M(
        "a command as a string where a list is wanted",
        lambda t: t.run(ContainerStep("s", "", "echo hi")),
        'expected an array of commands, found the string "echo hi" (at /action/commands)',
    ),
    M(
        "a command that is bytes",
        lambda t: t.run(ContainerStep("s", "", [b"echo hi"])),
        "the step 's' cannot be written as JSON: expected text, found bytes: decode it (at /action/commands/0)",
    ),
    M(
        "a command that is None",
        lambda t: t.run(ContainerStep("s", "").add(None)),
        "expected a command, which is a string for the shell or an array of words, found null (at /action/commands/0)",
    ),
    M(
        "commands in the place of the image",
        lambda t: t.run(ContainerStep("s", ["echo hi"])),
        "image: expected a string, found an array (at /action/environment)",
    ),
    M(
        "None for no image",
        lambda t: t.run(ContainerStep("s", None, ["echo hi"])),
        "image: expected a string, found null (at /action/environment)",
    ),
    M(
        "a number as the name of a step",
        lambda t: t.run(ContainerStep(1, "", ["echo hi"])),
        "identifier: expected a name (a string), found the integer 1 (at /name)",
    ),
    M(
        "`command` for `commands`",
        lambda t: ContainerStep("s", "", command=["echo hi"]),
        "unexpected keyword argument 'command': the arguments of ContainerStep are identifier, image, "
        "commands, env, placeholders, environment_values, success_codes, stdin, inputs, outputs, after, foreach, "
        "kept, output_limit, resources, retries, secrets, timeout; did you mean "
        "'commands'?",
    ),
    M(
        "`time_out` for `timeout`, of a step",
        lambda t: step(time_out=5),
        "unexpected keyword argument 'time_out': the arguments of ContainerStep are identifier, image, "
        "commands, env, placeholders, environment_values, success_codes, stdin, inputs, outputs, after, foreach, "
        "kept, output_limit, resources, retries, secrets, timeout; did you mean "
        "'timeout'?",
    ),
    M(
        "`add` where the commands are no list",
        lambda t: ContainerStep("s", "", "echo a").add("echo b"),
        "commands: expected a list of commands, found a str",
    ),
    M(
        "variables as a list",
        lambda t: t.run(step(env=["A=1"])),
        "env: expected a dict in which each key is the name of a variable, found a list",
    ),
    M(
        "a float as a variable",
        lambda t: t.run(step(env={"A": 1.5})),
        "expected a string, an integer or null, found a number with a fraction (at /action/env/A)",
    ),
    M(
        "one input as a string",
        lambda t: t.run(step(inputs="a.txt")),
        'expected an array of strings, found the string "a.txt" (at /files/inputs)',
    ),
    M(
        "a time with its unit",
        lambda t: t.run(step(timeout="10s")),
        'expected a time in seconds, above 0 and at most 31536000, found the string "10s" (at /timeout)',
    ),
    M(
        "a negative time",
        lambda t: t.run(step(timeout=-1)),
        "expected a time in seconds, above 0 and at most 31536000, found the integer -1 (at /timeout)",
    ),
    M(
        "an infinite time",
        lambda t: t.run(step(timeout=float("inf"))),
        "the step 's' cannot be written as JSON: expected a finite number, found inf (at /timeout)",
    ),
    M(
        "a size with its unit",
        lambda t: t.run(step(output_limit="1GB")),
        'expected a number of bytes, an integer from 0, found the string "1GB" (at /output_limit)',
    ),
    M(
        "a number of retries",
        lambda t: t.run(step(retries=3)),
        'expected an object such as {"max": 3}, found the integer 3 (at /retries)',
    ),
    M(
        "a key of retries that there is not",
        lambda t: t.run(step(retries={"maximum": 3})),
        'unknown key "maximum" in "retries": expected "max", "on", "codes", "delay", "factor" or '
        '"max_delay"; did you mean "max"? (at /retries/maximum)',
    ),
    M(
        "the secrets as one string",
        lambda t: t.run(step(secrets="token")),
        'expected an array of names, found the string "token" (at /secrets)',
    ),
    M(
        "a secret whose name is misspelt",
        lambda t: t.run(step(secrets=["tokn"]), {"token": "x"}),
        'step "s" names the secret "tokn", which neither its environment nor the context has (at /secrets/0)',
    ),
    M(
        "the class of all steps",
        lambda t: t.run(flowworker.WorkflowStep("s", "container")),
        "a WorkflowStep has no action: use a ContainerStep, a CodeStep or a NotebookStep",
    ),
    # -- running a step
    M(
        "step and context swapped",
        lambda t: t.pool.get(step()).exec({}, step(), t.rundir),
        "step: expected a step, such as a ContainerStep, found a dict; the order is step, context, store",
    ),
    M(
        "context and store swapped",
        lambda t: t.pool.get(step()).exec(step(), t.rundir, {}),
        "context: expected a dict, found a str; the order is step, context, store",
    ),
    M(
        "a command instead of a step",
        lambda t: t.pool.get(step()).exec("echo hi", {}, t.rundir),
        "step: expected a step, such as a ContainerStep, found a str; the order is step, context, store",
    ),
    M(
        "the document of a step",
        lambda t: t.pool.get(step()).exec(raw_step(), {}, t.rundir),
        "step: expected a step, such as a ContainerStep, found a dict; the order is step, context, store",
    ),
    M(
        "JSON text as the context",
        lambda t: t.run(step(), '{"name": "Alice"}'),
        "context: expected a dict, found a str; the order is step, context, store",
    ),
    M(
        "pairs as the context",
        lambda t: t.run(step(), [("name", "Alice")]),
        "context: expected a dict, found a list; the order is step, context, store",
    ),
    M(
        "a context that cannot be changed, for a value",
        lambda t: t.run(CodeStep("c", double, "x"), types.MappingProxyType({})),
        "context: expected a dict, in which the value of the step is stored, found a mappingproxy",
    ),
    M(
        "None as the run directory",
        lambda t: t.pool.get(step()).exec(step(), {}, None),
        "store: expected a path, or an object with a path as basedir, found None",
    ),
    M(
        "the specification of a volume as the run directory",
        lambda t: t.pool.get(step()).exec(step(), {}, FStore(t.rundir)),
        "store: expected a path, or an object with a path as basedir, found a dict",
    ),
    M(
        "a run directory that does not exist",
        lambda t: t.pool.get(step()).exec(step(), {}, t.rundir + "/missing"),
        'step "s" could not be started: the run directory "RUNDIR/missing" does not exist: create it '
        "before the step runs",
    ),
    M(
        "a relative run directory",
        lambda t: (t.in_rundir(), t.pool.get(step()).exec(step(), {}, "missing"))[1],
        'step "s" could not be started: the run directory "missing" does not exist in the working '
        "directory: create it, or pass an absolute path",
    ),
    M(
        "a run directory with ~",
        lambda t: t.pool.get(step()).exec(step(), {}, "~/no-such-directory"),
        'step "s" could not be started: the run directory "~/no-such-directory" does not exist: only a '
        'shell replaces "~" by a home directory',
    ),
    M(
        "a file as the run directory",
        unreadable_rundir,
        'step "s" could not be started: the run directory "RUNDIR/plain" is not a directory',
    ),
    M(
        "`time_out` for `timeout`, of a run",
        lambda t: t.run(step(), time_out=5),
        "unexpected keyword argument 'time_out': the options are events, output_limit, placeholders, "
        "retries, spill, stdin, success_codes, timeout; did you mean 'timeout'?",
    ),
    M(
        "`onevent` for `on_event`",
        lambda t: t.run(step(), onevent=print),
        "unexpected keyword argument 'onevent': the options are events, output_limit, placeholders, "
        "retries, spill, stdin, success_codes, timeout; did you mean 'on_event'?",
    ),
    M(
        '`events="line"`',
        lambda t: t.run(step(), events="line"),
        '"line" is not a value of "events": use "chunks", "text", "lines" or "none"; did you mean '
        '"lines"? (at /events)',
    ),
    M(
        "a directory that does not exist for `spill`",
        lambda t: t.run(step(), spill=t.rundir + "/missing"),
        "expected an existing directory, found 'RUNDIR/missing' (at /spill)",
    ),
    M(
        "a coroutine function for `exec`",
        lambda t: t.run(step(), on_event=listen),
        "on_event: expected a function, found a coroutine function, which only async calls await",
    ),
    M(
        "exec_async, and the wrong order",
        lambda t: asyncio.run(run_with_await(t)),
        "step: expected a step, such as a ContainerStep, found a dict; the order is step, context, store",
    ),
    M(
        "exec_async without await",
        exec_async_without_await,
        "'coroutine' object has no attribute 'stdout'",
    ),
    M(
        "exec_async without a loop",
        exec_async_without_a_loop,
        "no asyncio loop is running: await it in a function that asyncio.run runs "
        "(other loops wait for the fileno() of what start returns)",
    ),
    M(
        "a string as a timeout of `wait`",
        lambda t: t.pool.get(step()).start(step(), {}, t.rundir).wait("10"),
        "timeout: expected a number of seconds, a timedelta or None, found a str",
    ),
    M("a view that there is not", lambda t: t.run(step()).view("pdf"), 'unknown format "pdf": use "trace" or "html"'),
    M(
        "a value that the run does not have",
        lambda t: t.run_workflow(raw_step()).get("total"),
        "the context has no value 'total'",
    ),
    M("the pool is closed", lambda t: (t.pool.close(), t.pool.get(step())), "the pool is closed"),
    M(
        "a pool is pickled",
        lambda t: t.pool.__reduce_ex__(4),
        "the pool cannot be copied or pickled, because it belongs to this process",
    ),
    # -- placeholders
    M(
        "`$(…)` of the shell",
        lambda t: t.run(step("echo $(date)")),
        'step "s", command 1 of 1: invalid placeholder at line 1, column 6, near "$(date)": use $name or '
        "${name} for a value, ${name:q} for a value in quotes, and $$ for a dollar sign (at /action/commands/0)",
    ),
    M(
        "`$1` of awk",
        lambda t: t.run(step("awk '{print $1}' data")),
        'step "s", command 1 of 1: invalid placeholder at line 1, column 13, near "$1}\' data": use $name '
        "or ${name} for a value, ${name:q} for a value in quotes, and $$ for a dollar sign (at /action/commands/0)",
    ),
    M(
        "`${name` without its end",
        lambda t: t.run(step("echo ${name"), {"name": 1}),
        'step "s", command 1 of 1: invalid placeholder at line 1, column 6, near "${name": use $name or '
        "${name} for a value, ${name:q} for a value in quotes, and $$ for a dollar sign (at /action/commands/0)",
    ),
    M(
        "`$[[name]]` outside of a template",
        lambda t: t.run(step("echo $[[name]]"), {"name": 1}),
        'step "s", command 1 of 1: invalid placeholder at line 1, column 6, near "$[[name]]": use $name '
        "or ${name} for a value, ${name:q} for a value in quotes, and $$ for a dollar sign; a reference "
        "$[[name]] stands for a whole string (at /action/commands/0)",
    ),
    M(
        "a misspelt name in a command",
        lambda t: t.run(step("echo Hello $nmae"), {"name": "Alice"}),
        'command 1 has "nmae" in place of $nmae, which has no value: write $$nmae for a variable of the shell',
    ),
    M(
        "a variable of the environment in a command",
        lambda t: t.run(step("echo $HOME")),
        'command 1 has "HOME" in place of $HOME, which has no value: write $$HOME for a variable of the shell',
    ),
    M(
        "a value with a quote in it",
        lambda t: t.run(step("echo $name"), {"name": "O'Brien"}),
        'step "s", command 1 of 1 exited with status 2: "echo O\'Brien"; last line of stderr: /bin/sh: 1: '
        "Syntax error: Unterminated quoted string",
    ),
    M(
        "a program that is not installed",
        lambda t: t.run(step("no-such-program --help")),
        'step "s", command 1 of 1 exited with status 127 (command not found): "no-such-program --help"; '
        "last line of stderr: /bin/sh: 1: no-such-program: not found",
    ),
    # -- pools and workers
    M(
        "a file as the list of workers",
        lambda t: WorkerPool("pool.json"),
        "workers: expected a list of specifications, found a str: WorkerPool.from_config reads an engine configuration",
    ),
    M(
        "one specification as the list of workers",
        lambda t: WorkerPool(Subprocess("local")),
        "workers: expected a list of specifications, found a dict: put it in a list",
    ),
    M(
        "names as the list of workers",
        lambda t: WorkerPool(["local"]),
        "workers: expected a list of specifications, which are dicts, found a str in it",
    ),
    M(
        "workers instead of specifications",
        lambda t: WorkerPool([create_worker(Subprocess("local"))]),
        "workers: expected a list of specifications, which are dicts, found a Worker in it",
    ),
    M(
        "managers as a list",
        lambda t: WorkerPool([Subprocess("local")], ["s"]),
        "managers: expected a dict in which each key is the name of a step, found a list",
    ),
    M(
        "a specification in managers",
        lambda t: WorkerPool([Subprocess("local")], {"s": Subprocess("local")}),
        "managers: expected the name of a worker for the step 's', found a dict",
    ),
    M(
        "a worker that the pool does not have",
        lambda t: WorkerPool([Subprocess("local")], {"s": "lcal"}).get(step()),
        'step "s" is mapped to the worker "lcal", which the pool does not have; did you mean "local"?',
    ),
    M(
        "two workers of one name",
        lambda t: WorkerPool([Subprocess("a"), Subprocess("a")]),
        'two workers have the name "a": /workers/0 and /workers/1 (at /workers/1/name)',
    ),
    M(
        "a worker of the wrong type",
        lambda t: t.run(step(), worker=WorkerPool([Code("a")], {"s": "a"}).get(step())),
        'step "s" is a container step, which the code worker "a" does not run: it runs code steps',
    ),
    M(
        "a name instead of a step",
        lambda t: t.pool.get("local"),
        "step: expected a step, such as a ContainerStep, found a str",
    ),
    M(
        "a file that does not exist",
        lambda t: (t.in_rundir(), WorkerPool.from_config("pool.json")),
        "[Errno 2] No such file or directory: 'pool.json'",
    ),
    M(
        "JSON text as a file",
        lambda t: WorkerPool.from_config('{"workers": []}'),
        "expected the path of a file, found the text of a document: json.loads or yaml.safe_load reads it",
    ),
    M(
        "a configuration with a comma too many",
        lambda t: WorkerPool.from_config(t.file("pool.json", '{"workers": [],}')),
        "pool.json: line 1, column 16: the text is not valid JSON: string or '}' expected near \"}\"; JSON "
        "has no comma behind the last element",
    ),
    M(
        "a configuration with single quotes",
        lambda t: WorkerPool.from_config(t.file("pool.json", "{'workers': []}")),
        "pool.json: line 1, column 2: the text is not valid JSON: string or '}' expected near \"'\"; JSON "
        "has double quotes",
    ),
    M(
        "a configuration in YAML, in a .json file",
        lambda t: WorkerPool.from_config(t.file("pool.json", "workers:\n- name: a\n")),
        'pool.json: line 1, column 1: the text is not valid JSON: invalid token near "workers"; it looks '
        "like YAML: a document has the form of JSON",
    ),
    M(
        "a configuration with True",
        lambda t: WorkerPool.from_config(
            t.file("pool.json", '[{"name": "a", "type": "docker", "options": {"init": True}}]')
        ),
        'pool.json: line 1, column 54: the text is not valid JSON: invalid token near "True"; JSON has '
        "true and false in small letters",
    ),
    M(
        "a misspelt key of a configuration",
        lambda t: WorkerPool.from_config({"wrokers": []}),
        'unknown key "wrokers" in an engine configuration: expected "workers", "workflow", "managers", '
        '"volumes", "default_variables", "placeholders" or "resources"; did you mean "workers"? (at /wrokers)',
    ),
    M(
        "a type of worker that there is not",
        lambda t: create_worker(WorkerSpec("subproces", "a")),
        '"subproces" is not a worker type: use "code", "subprocess", "docker", "notebook", "nbdocker" or '
        '"slurm"; did you mean "subprocess"?',
    ),
    M(
        "a specification without its type",
        lambda t: create_worker({"name": "a"}),
        'missing key "type" in the specification of worker "a"',
    ),
    M(
        "the function that makes a specification",
        lambda t: create_worker(Subprocess),
        "doc: expected the specification of a worker, a dict, found a function",
    ),
    M(
        "a name as a specification",
        lambda t: create_worker("subprocess"),
        "doc: expected the specification of a worker, a dict, found a str",
    ),
    M(
        "an option outside of `options`",
        lambda t: create_worker({"name": "a", "type": "docker", "memory": 1 << 30}),
        'unknown key "memory" in a worker specification: expected "name", "type", "env", "variables", '
        '"vars", "volume", "options" or "secrets"; it is a key of the worker\'s "options" (at /memory)',
    ),
    M(
        "`mem` for `memory`",
        lambda t: create_worker(Docker("a", options={"mem": 1 << 30})),
        'unknown key "mem" in the options of a docker worker: expected "host", "cert_path", '
        '"shared_files", "pull", "container", "shell", "init", "user", "memory", "cpus", "network", '
        '"mounts", "grace", "engine_timeout", "placeholders", "success_codes", "environment_values", '
        '"timeout", "output_limit", "spill", "retries" or "limit"; did you mean "memory"? (at /options/mem)',
    ),
    M(
        "memory with its unit",
        lambda t: create_worker(Docker("a", options={"memory": "1GB"})),
        "expected the memory of a container in bytes, an integer from 6291456 (6 MiB), found the string "
        '"1GB" (at /options/memory)',
    ),
    M(
        "the options as a list",
        lambda t: Subprocess("a", options=["timeout=3"]),
        'the argument "options": expected an object, found an array',
    ),
    M(
        "a shell by its name",
        lambda t: create_worker(Subprocess("a", options={"shell": "bash"})),
        'expected the absolute path of a shell, such as "/bin/bash", found the string "bash" (at /options/shell)',
    ),
    M(
        "a mount as docker run has it",
        lambda t: create_worker(Docker("a", options={"mounts": ["/data:/data"]})),
        'expected an object {"source", "target"}, found the string "/data:/data" (at /options/mounts/0)',
    ),
    M(
        "an engine without a scheme",
        lambda t: create_worker(Docker("a", options={"host": "localhost:2375"})),
        'invalid engine address "localhost:2375": use unix:///PATH or tcp://HOST:PORT (at /options/host)',
    ),
    # -- functions and notebooks
    M(
        "a call instead of a function",
        lambda t: CodeStep("s", double(3)),
        'func: expected a function, or an import path such as "package.module.function", found an int: '
        "give the function itself, and not what a call of it returns",
    ),
    M(
        "None as a function",
        lambda t: CodeStep("s", None),
        'func: expected a function, or an import path such as "package.module.function", found None',
    ),
    M(
        "a function of C",
        lambda t: CodeStep("s", max),
        "the function max does not reveal the names of its parameters: use a function around it, such as "
        "lambda a, b: max(a, b)",
    ),
    M(
        "a function without its module",
        lambda t: t.run(CodeStep("s", "double")),
        'step "s" could not be started: the function "double" cannot be called: ImportError: the import '
        'path "double" has no module: expected "module.function"',
    ),
    M(
        "a module that there is not",
        lambda t: t.run(CodeStep("s", "no_such_module.f")),
        'step "s" could not be started: the function "no_such_module.f" cannot be called: '
        'ModuleNotFoundError: there is no module "no_such_module" on the module search path (sys.path) '
        "of PYTHON",
    ),
    M(
        "a function that the module does not have",
        lambda t: t.run(CodeStep("s", "os.path.joinn")),
        'step "s" could not be started: the function "os.path.joinn" cannot be called: AttributeError: '
        '"os.path" has no "joinn"; did you mean "join"?',
    ),
    M(
        "a lambda for an interpreter of its own",
        lambda t: t.run_on(Code("c", options={"python": "python3"}), CodeStep("s", lambda: 1)),
        "func: the worker runs functions in an interpreter of its own, which cannot import "
        "newcomer_mistakes.<lambda>.<locals>.<lambda>: move the function to the top level of a module",
    ),
    M(
        "an argument that the context does not have",
        lambda t: t.run(CodeStep("s", double), {"y": 1}),
        'step "s" failed: the function "newcomer_mistakes.double" raised TypeError: double() missing 1 '
        "required positional argument: 'x'",
    ),
    M(
        "renamed arguments as a list",
        lambda t: t.run(CodeStep("s", double, varnames=["x"])),
        "varnames: expected a dict, found a list",
    ),
    M(
        "an interpreter that there is not",
        lambda t: t.run_on(Code("c", options={"python": "/no/such/python"}), CodeStep("s", "os.getcwd")),
        'step "s" could not be started: the Python interpreter "/no/such/python" does not exist',
    ),
    M(
        "a notebook that there is not",
        lambda t: t.run(NotebookStep("s", "missing.ipynb")),
        'step "s" could not be started: there is no notebook "missing.ipynb" in the run directory',
        needs="papermill",
    ),
    M(
        "papermill is not installed",
        notebook_without_papermill,
        'step "s" could not be started: the Python interpreter RUNDIR/empty/bin/python cannot run '
        "notebooks (No module named 'papermill'): pip install papermill ipykernel",
    ),
    M(
        "a kernel that is not installed",
        notebook_without_kernel,
        'step "s" could not be started: there is no kernel "no-such-kernel": the interpreter PYTHON has '
        'KERNELS; the worker\'s option "kernel" selects another one',
        needs="papermill",
    ),
    M(
        "parameters as a dict",
        lambda t: t.run(NotebookStep("s", "n.ipynb", params={"name": "x"})),
        "expected an array of strings, found an object (at /action/params)",
    ),
    # -- engines
    M(
        "the engine does not run",
        lambda t: t.run_on(Docker("d", options=NO_ENGINE), ContainerStep("s", "busybox", ["true"])),
        'step "s", command 1 of 1 could not be run: no engine answers at unix:///no/such/docker.sock '
        '(the worker\'s "host"): No such file or directory',
    ),
    M(
        "a container without an image",
        lambda t: t.run_on(Docker("d", options=NO_ENGINE), step()),
        'step "s" could not be started: "" is not the name of an image: it is empty, and only workers '
        "without containers need no image",
    ),
    M(
        "the name of an image with capitals",
        lambda t: t.run_on(Docker("d", options=NO_ENGINE), ContainerStep("s", "BusyBox", ["true"])),
        'step "s" could not be started: "BusyBox" is not the name of an image: the name of a repository '
        "must be in small letters",
    ),
    M(
        "Slurm is not installed",
        lambda t: (t.without_programs(), t.run_on(Slurm("d"), step()))[1],
        'step "s" could not be run: Slurm\'s srun was not found in PATH (SEARCH): a slurm worker needs '
        "the commands of a cluster on this machine",
    ),
    # -- workflows
    M(
        "a list of steps as a template",
        lambda t: Workflow.from_template([raw_step()]),
        "template: expected a dict, or the path of a file, found a list",
    ),
    M(
        "a template without steps",
        lambda t: Workflow.from_template({"workflow": {"files": {}}}),
        'missing key "steps" in the workflow (at /workflow)',
    ),
    M(
        "a template that does not exist",
        lambda t: (t.in_rundir(), Workflow.from_template("flow.yaml")),
        "[Errno 2] No such file or directory: 'flow.yaml'",
    ),
    M(
        "a step without its action",
        lambda t: t.run_workflow({"name": "s", "commands": ["true"]}),
        'unknown key "commands" in a step: expected "name", "files", "action", "secrets", "after", "foreach", '
        '"resources", "timeout", "output_limit", "retries", "placeholders", "success_codes", "stdin" or '
        '"environment_values"; it is a '
        'key of the step\'s "action" (at /workflow/steps/0/commands)',
    ),
    M(
        "`image` for `environment`",
        lambda t: t.run_workflow({"name": "s", "action": {"image": "x", "commands": ["true"]}}),
        'unknown key "image" in the action of a container step: expected "environment", "commands" or '
        '"env"; "environment" is the key of the image (at /workflow/steps/0/action/image)',
    ),
    M(
        "inputs outside of `files`",
        lambda t: t.run_workflow(raw_step(inputs=["a"])),
        'unknown key "inputs" in a step: expected "name", "files", "action", "secrets", "after", "foreach", '
        '"resources", "timeout", "output_limit", "retries", "placeholders", "success_codes", "stdin" or '
        '"environment_values"; it is a '
        'key of the step\'s "files" (at /workflow/steps/0/inputs)',
    ),
    M(
        "two steps of one name",
        lambda t: t.run_workflow(raw_step(), raw_step()),
        'two steps have the name "s": the steps 1 and 2 (at /workflow/steps/1/name)',
    ),
    M(
        "a reference to no parameter",
        lambda t: t.run_workflow(raw_step("$[[nam]]"), parameters=PARAMETER, arguments={"name": "x"}),
        '$[[nam]] refers to a parameter that the template does not declare: it declares "name"; did you '
        'mean "name"? (at /workflow/steps/0/action/commands/0)',
    ),
    M(
        "an argument that is missing",
        lambda t: t.run_workflow(raw_step("$[[name]]"), parameters=PARAMETER),
        'the parameter "name" has no value: pass an argument of this name, or declare a "defaultValue"',
    ),
    M(
        "an argument that is misspelt",
        lambda t: t.run_workflow(raw_step(), parameters=PARAMETER, arguments={"nmae": "x"}),
        'the workflow has no parameter "nmae": it has "name"; did you mean "name"? (at /nmae)',
    ),
    M(
        "an argument of the wrong type",
        lambda t: t.run_workflow(raw_step(), parameters=COUNT, arguments={"n": "ten"}),
        'expected an integer for the parameter "n", found the string "ten" (at /n)',
    ),
    M(
        "a type of parameter that there is not",
        lambda t: t.run_workflow(raw_step(), parameters=[{"name": "n", "dtype": "integer"}]),
        '"integer" is not a parameter type: use "actor", "bool", "file", "float", "int", "list", '
        '"record", "select" or "string"; did you mean "int"? (at /parameters/0/dtype)',
    ),
    M(
        "arguments as a list",
        lambda t: t.run_workflow(raw_step(), arguments=["x"]),
        "arguments: expected a dict, found a list",
    ),
    M(
        "the run directory as the pool",
        lambda t: Workflow([step()]).run({}, t.rundir),
        "workers: expected a WorkerPool (the run directory is the argument rundir), found a str",
    ),
    M(
        "the document of a step in a workflow",
        lambda t: Workflow().add_step(raw_step()),
        "step: expected a step, found a dict",
    ),
    M(
        "one step as the list of steps",
        lambda t: Workflow(step()),
        "steps: expected a list of steps, found a ContainerStep",
    ),
    M(
        "an input that does not exist",
        lambda t: t.run_workflow(raw_step(files={"inputs": ["data.csv"]})),
        'step "s" could not be started: its input "data.csv" is missing: no such file or folder in the '
        'volume "__default__" ("RUNDIR")',
    ),
    M(
        "an output of another name",
        lambda t: t.run_workflow(raw_step("echo > result.txt", files={"outputs": ["results.txt"]})),
        'step "s" failed: its output "results.txt" is missing in the volume "__default__", though its '
        'commands succeeded: there is no such file or folder ("RUNDIR")',
    ),
    M(
        "an input by its absolute path",
        lambda t: t.run_workflow(raw_step(files={"inputs": ["/etc/hosts"]})),
        'the key "/etc/hosts" is an absolute path: a key is relative to the base of its volume (at '
        "/workflow/steps/0/files/inputs/0)",
    ),
    M(
        "a time as a text",
        lambda t: t.run_workflow(raw_step(), deadline="1h"),
        'expected a time in seconds, above 0 and at most 31536000, found the string "1h" (at /deadline)',
    ),
    # -- volumes
    M(
        "a volume that there is not",
        lambda t: t.run_workflow(
            raw_step(),
            workers=WorkerPool([Subprocess("a", volume="dta")], {"s": "a"}, volumes=[FStore(t.rundir, "data")]),
        ),
        'step "s" runs on the worker "a" with the volume "dta", which the configuration does not have; '
        'did you mean "data"? (at /workflow/steps/0)',
    ),
    M(
        "a path as the volumes",
        lambda t: t.run_workflow(raw_step(), volumes=t.rundir),
        "volumes: expected a list of specifications, found a str",
    ),
    M(
        "volumes without a default",
        lambda t: VolumeManager([FStore(t.rundir, "data")]),
        "stores: expected a volume with the name '__default__' among them",
    ),
    M(
        "the argument of a volume outside of `args`",
        lambda t: WorkerPool(volumes=[{"name": "a", "type": "fs", "basedir": "/data"}]),
        'unknown key "basedir" in a volume specification: expected "name", "id", "type", "args" or '
        '"files"; it is a key of the volume\'s "args" (at /volumes/0/basedir)',
    ),
    M(
        "a bucket without its name",
        lambda t: WorkerPool(volumes=[S3Bucket(None, identifier="a")]),
        'the volume "a" has no argument "bucket", which volumes of type "s3" require (at /volumes/0/args)',
    ),
    M(
        "the URL of a bucket",
        lambda t: WorkerPool(volumes=[S3Bucket("s3://bucket/data", identifier="a")]),
        'invalid bucket "s3://bucket/data": use its name without "s3://" and without a path; "prefix" is '
        "the path (at /volumes/0/args)",
    ),
    M(
        "a misspelt argument of a bucket",
        lambda t: WorkerPool(volumes=[S3Bucket("bucket", identifier="a", acces_key="x")]),
        'unknown key "acces_key" in the arguments of a volume of type "s3": expected "bucket", "prefix", '
        '"endpoint", "region", "access_key", "secret_key", "session_token", "profile" or "timeout"; did '
        'you mean "access_key"? (at /volumes/0/args/acces_key)',
    ),
    M(
        "an endpoint without a scheme",
        lambda t: WorkerPool(volumes=[S3Bucket("bucket", identifier="a", endpoint="localhost:9000")]),
        'invalid endpoint "localhost:9000": use an address that begins with https:// or http:// (at /volumes/0/args)',
    ),
    M(
        "the URL of an SFTP server",
        lambda t: WorkerPool(volumes=[Sftp("/data", "sftp://host", identifier="a")]),
        'invalid hostname "sftp://host": a name or an address cannot begin with "-", or contain a space, '
        '"@" or "/" (at /volumes/0/args)',
    ),
    M(
        "ssh is not installed",
        lambda t: (
            t.without_programs(),
            t.run_workflow(
                raw_step(files={"inputs": ["x"]}),
                rundir=None,
                volumes=VolumeManager([Sftp("/data", "localhost", identifier="__default__")]),
            ),
        )[1],
        'step "s" failed: the volume "__default__" (sftp://localhost) did not describe the key "x": ssh '
        "is not installed (Debian: openssh-client): it was not found in PATH (SEARCH)",
    ),
]
