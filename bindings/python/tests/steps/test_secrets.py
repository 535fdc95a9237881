"""Secrets appear in nothing that the library writes, and plans and explanations are right."""

import json
import os
import sys

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, create_worker

SECRET = "hunter22 & Söhne"


def worker(secrets=(), env=None, **options):
    spec = {"name": "w", "type": "subprocess", "secrets": list(secrets), "options": options}
    if env is not None:
        spec["env"] = env
    return create_worker(spec)


def told_of(result):
    facts = {name: getattr(result, name) for name in ("commands", "attempts", "engine", "explanation")}
    return json.dumps([facts, result.stdout, result.stderr, result.message], ensure_ascii=False)


@pytest.mark.parametrize("who", ["worker", "step"])
def test_a_value_of_the_context(rundir, who):
    names = {"worker": (["token"], []), "step": ([], ["token"])}[who]
    step = ContainerStep("s", "", ['printf %s "$$token" | tee made', 'ls "/no/$$token"'], secrets=names[1])
    result = worker(names[0], inherit_env=True).exec(step, {"token": SECRET}, rundir)
    assert (rundir / "made").read_text() == SECRET
    assert result.stdout == ["***"] and "***" in result.stderr[0] and SECRET not in told_of(result)


def test_an_entry_of_the_environment(rundir):
    result = worker(["KEY"], {"KEY": SECRET}).exec(ContainerStep("s", "", ["echo $$KEY"]), {}, rundir)
    assert result.stdout == ["***\n"]


def test_an_entry_of_the_step(rundir):
    step = ContainerStep("s", "", ["echo $$KEY"], env={"KEY": SECRET}, secrets=["KEY"])
    assert worker().exec(step, {}, rundir).stdout == ["***\n"]


def test_a_secret_of_the_context_leaves_the_environment_as_it_is(rundir, monkeypatch):
    # The command has the host's environment, because neither the worker nor the step sets a variable.
    monkeypatch.setenv("OF_THE_HOST", "here")
    result = worker(["token"]).exec(ContainerStep("s", "", ["echo $$OF_THE_HOST"]), {"token": SECRET}, rundir)
    assert result.stdout == ["here\n"]
    result = worker(["token"], {"A": "1"}).exec(
        ContainerStep("s", "", ["echo [$$OF_THE_HOST]"]), {"token": SECRET}, rundir
    )
    assert result.stdout == ["[]\n"]


@pytest.mark.parametrize("events", ["chunks", "text", "lines"])
def test_pieces_of_output_that_are_one_secret_together(rundir, events):
    seen = []
    half = len(SECRET) // 2
    command = "printf 'a%s'; sleep 0.05; printf '%sb'; printf hunter" % (SECRET[:half], SECRET[half:])

    def watch(event):
        if event.kind == "output":
            seen.append(event.data if isinstance(event.data, str) else event.data.decode())

    # The text of the command is masked as well.
    result = worker(["token"]).exec(
        ContainerStep("s", "", [command]), {"token": SECRET}, rundir, on_event=watch, events=events
    )
    assert result.stdout == ["a***bhunter"] and "".join(seen) == "a***bhunter"


def test_more_output_than_is_kept(rundir):
    code = "import os; print((os.environ['token'] + '.') * 50_000, end='')"
    step = ContainerStep("s", "", ['%s -c "%s"' % (sys.executable, code)])
    spill = rundir / "spill"
    spill.mkdir()
    result = worker(["token"], output_limit=4000).exec(step, {"token": SECRET}, rundir, spill=spill)
    (command,) = result.commands
    assert command["stdout_bytes"] == 4 * 50_000 and set(result.stdout[0]) == {"*", "."}
    with open(command["stdout_file"], encoding="utf-8") as file:
        assert file.read() == "***." * 50_000
    os.unlink(command["stdout_file"])


def test_lines_of_a_secret_of_several_lines(rundir):
    key = "-----BEGIN-----\nabcdefghijkl\nmn\n-----END-----"
    step = ContainerStep("s", "", ['printf "%s\\n" "$$key" | sed s/^/x/', 'printf %s "$$key"'])
    result = worker(["key"]).exec(step, {"key": key}, rundir)
    assert result.stdout == ["x***\nx***\nxmn\nx***\n", "***"]


def test_the_longest_of_two_that_begin_alike(rundir):
    step = ContainerStep("s", "", ["printf 'abcdefgh abcd abcdef'"])
    result = worker(["one", "two"]).exec(step, {"one": "abcd", "two": "abcdefgh"}, rundir)
    assert result.stdout == ["*** *** ***ef"]


def test_numbers_and_objects(rundir):
    step = ContainerStep("s", "", ['echo $$pin; echo \'{"a":"long enough"}\''])
    result = worker(["pin", "thing"]).exec(step, {"pin": 12345, "thing": {"a": "long enough"}}, rundir)
    assert result.stdout == ["***\n***\n"]


def test_no_secret_is_put_into_a_command(rundir):
    with pytest.raises(flowworker.TemplateError) as caught:
        worker(["token"]).exec(ContainerStep("s", "", ["true", "echo ${token}"]), {"token": SECRET}, rundir)
    assert "command 2 of 2" in str(caught.value) and "$$token" in str(caught.value) and SECRET not in str(caught.value)


@pytest.mark.parametrize("value, words", [("abc", "fewer than 4 bytes"), ("long\0enough", "NUL")])
def test_secrets_that_cannot_be(rundir, value, words):
    with pytest.raises(flowworker.DocumentError) as caught:
        worker(["token"]).exec(ContainerStep("s", "", ["true"]), {"token": value}, rundir)
    assert words in str(caught.value) and value not in str(caught.value).replace('"token"', "")


def test_a_name_that_nothing_has(rundir):
    with pytest.raises(flowworker.DocumentError) as caught:
        worker().exec(ContainerStep("s", "", ["true"], secrets=["tokn"]), {"token": SECRET}, rundir)
    assert '"tokn"' in str(caught.value)
    # A worker may be for steps that do not have all of them.
    assert worker(["tokn"]).exec(ContainerStep("s", "", ["true"]), {}, rundir).returncode == 0


def test_an_error_shows_no_value_of_the_environment():
    with pytest.raises(flowworker.DocumentError) as caught:
        create_worker({"name": "w", "type": "subprocess", "env": {"KEY": 8.15}, "secrets": ["KEY"]})
    assert "8.15" not in str(caught.value)


def test_functions_of_this_process(rundir):
    def function(token):
        print("it is", token)
        raise ValueError("bad " + token)

    code = create_worker({"name": "c", "type": "code"})
    events = []
    step = CodeStep("s", function, secrets=["token"])
    result = code.exec(step, {"token": SECRET}, rundir, on_event=lambda event: events.append(repr(event.__dict__)))
    assert result.returncode == 1 and "***" in "".join(result.stdout) and "***" in result.message
    assert SECRET not in "".join([*result.stdout, *result.stderr, result.message, *events])


@pytest.mark.parametrize("secret", ["a'b\\c\nd\te", "it's", "both \" and '", "esc\x1b\x7f\\"])
def test_a_secret_as_python_shows_it(rundir, secret):
    def function(token):
        print([token])
        raise KeyError(token)

    result = create_worker({"name": "c", "type": "code"}).exec(
        CodeStep("s", function, secrets=["token"]), {"token": secret}, rundir
    )
    told = told_of(result)
    assert type(result.exception) is KeyError and "***" in result.message and "***" in result.stdout[0]
    assert not any(json.dumps(form)[1:-1] in told for form in (secret, repr(secret)[1:-1]))


def test_the_secrets_of_a_worker():
    assert worker(["a", "b"]).secrets == ["a", "b"] and worker().secrets == []


# --- plans


def test_a_plan_runs_nothing_and_masks(rundir):
    step = ContainerStep("s", "", ["touch $name", "cat"], env={"KEY": SECRET, "A": "1"})
    plan = worker(["KEY", "token"], timeout=5).plan(step, {"name": "made", "token": "also secret"}, rundir)
    assert plan["commands"] == ["touch made", "cat"] and os.listdir(rundir) == []
    assert plan["environment"] == {"KEY": "***", "A": "1", "token": "***"}
    assert plan["processes"] == [["/bin/sh", "-c", "touch made"], ["/bin/sh", "-c", "cat"]]
    assert (plan["worker_type"], plan["timeout"], plan["inherits_environment"]) == ("subprocess", 5, False)
    assert SECRET not in json.dumps(plan, ensure_ascii=False)


def test_the_plan_of_a_container(rundir):
    (rundir / "data").mkdir()
    options = {"host": "unix:///nowhere.sock", "mounts": [{"source": "/srv", "target": "/srv", "read_only": True}]}
    spec = {"name": "d", "type": "docker", "options": options, "env": {"A": "1"}, "secrets": ["token"]}
    plan = create_worker(spec).plan(ContainerStep("s", "image:1", ["cat 'a b'"]), {"token": SECRET}, rundir)
    (container,) = plan["containers"]
    assert container["Image"] == "image:1" and container["Cmd"] == ["cat", "a b"]
    assert container["Env"] == ["A=1", "token=***"]
    targets = {mount["Target"]: mount["ReadOnly"] for mount in container["HostConfig"]["Mounts"]}
    assert targets == {"/workdir": False, "/data": False, "/srv": True}
    assert plan["host"] == "unix:///nowhere.sock"


def test_the_plan_of_a_cluster(rundir, monkeypatch):
    tools = rundir / "bin"
    tools.mkdir()
    (tools / "srun").write_text("#!/bin/sh\ntouch ran\n")
    (tools / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    spec = {
        "name": "c",
        "type": "slurm",
        "options": {"partition": "p", "time": 90, "memory": (1 << 20) + 1, "extra": ["--gres=gpu:1"]},
    }
    plan = create_worker(spec).plan(ContainerStep("s", "", ["true"]), {}, rundir)
    assert plan["submission"][0] == str(tools / "srun")
    assert {"--partition=p", "--time=1:30", "--mem=2M", "--gres=gpu:1"} <= set(plan["submission"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert "/nowhere" in create_worker(spec).plan(ContainerStep("s", "", ["true"]), {}, rundir)["problem"]


def test_a_plan_of_what_cannot_be_planned(rundir):
    with pytest.raises(flowworker.TemplateError):
        worker().plan(ContainerStep("s", "", ["$"]), {}, rundir)
    with pytest.raises(flowworker.StepTypeError):
        worker().plan(CodeStep("s", "os.getcwd"), {}, rundir)


# --- explanations


def test_a_program_that_is_not_there(rundir):
    step = ContainerStep("s", "", ["no-such-program"])
    found = worker(env={"PATH": "/usr/bin:/opt/x"}).exec(step, {}, rundir).explanation
    assert (
        found["layer"] == "shell" and found["tried"] == ["PATH=/usr/bin:/opt/x"] and "not installed" in found["likely"]
    )
    found = worker(env={"A": "1"}).exec(step, {}, rundir).explanation
    assert "no PATH" in found["tried"][0] and "inherit_env" in found["likely"]


@pytest.mark.parametrize(
    "command, options, layer, likely",
    [
        ("exit 3", {}, "command", None),
        ("kill -KILL $$$$", {}, "command", "memory"),
        ("kill -SEGV $$$$", {}, "command", "defect"),
        ("sleep 1000", {"timeout": 0.1}, "host", "timeout"),
        ("true", {"shell": "/no/shell"}, "start", None),
    ],
)
def test_the_layer_of_a_failure(rundir, command, options, layer, likely):
    found = worker(**options).exec(ContainerStep("s", "", [command]), {}, rundir).explanation
    assert found["layer"] == layer
    assert found["likely"] is None if likely is None else likely in found["likely"]


def test_an_engine_that_is_not_there(rundir):
    spec = {"name": "d", "type": "docker", "options": {"host": "unix:///nowhere.sock"}}
    result = create_worker(spec).exec(ContainerStep("s", "image:1", ["true"]), {}, rundir)
    assert result.explanation["layer"] == "engine"
    assert result.explanation["tried"] == ["the engine at unix:///nowhere.sock", "the image image:1"]


def test_a_success_needs_no_explanation(rundir):
    assert worker().exec(ContainerStep("s", "", ["true"]), {}, rundir).explanation is None


def test_the_value_of_a_function_of_another_process(rundir):
    """The value has the secret deep inside, in names, strings and numbers.

    A function in this process returns it unchanged.
    """
    from flowworker._ffi import LIB, call_text

    (rundir / "secret_value.py").write_text(
        "def f(pin, token):\n"
        "    deep = token\n"
        "    for _ in range(400): deep = [deep]\n"
        "    return {token: 1, 'a': 'x' + token + '\"y', 'n': pin, 'm': [True, None, 1.5, ''], 'deep': deep}\n"
    )
    spec = {"name": "c", "type": "code", "env": {"PYTHONPATH": str(rundir)}, "options": {"python": sys.executable}}
    step = CodeStep("s", "secret_value.f", secrets=["pin", "token"])
    context = {"pin": 123456, "token": 'to"k\\en\n\u2603'}
    with create_worker(spec) as code:
        result = code.exec(step, context, rundir)
    assert result.returncode == 0, result.message
    with result._handle.in_use() as address:
        value = json.loads(call_text(LIB.fw_result_to_json, address))["value"]
    deep = value.pop("deep")
    for _ in range(400):
        (deep,) = deep
    assert value == {"***": 1, "a": 'x***"y', "n": "***", "m": [True, None, 1.5, ""]} and deep == "***"


def test_the_form_that_a_command_shows(rundir):
    """The value of another name is the same text, and stands in quotes in what the library shows of a command."""
    secret = "it's \"mine\" & d'or"
    context = {"token": secret, "other": secret}
    commands = [
        ["sh", "-c", "exit 0", "$other"],
        "true ${other:q}",
        ["sh", "-c", "echo $$token >&2; exit 3", "a$other"],
    ]
    step = ContainerStep("s", "", commands, secrets=["token"])
    events = []
    result = worker().exec(step, context, rundir, on_event=events.append)
    told = told_of(result) + json.dumps([worker().plan(step, context, rundir), [event.text for event in events]])
    assert [command["command"] for command in result.commands] == [
        "sh -c 'exit 0' '***'",
        "true '***'",
        "sh -c 'echo $token >&2; exit 3' 'a***'",
    ]
    assert result.returncode == 3 and "***" in result.message and "mine" not in told and "d'or" not in told


def test_a_word_has_no_secret(rundir):
    step = ContainerStep("s", "", [["touch", "made"], ["echo", "$token"]], secrets=["token"])
    with pytest.raises(flowworker.TemplateError, match="its environment variable token has it") as caught:
        worker().exec(step, {"token": SECRET}, rundir)
    assert caught.value.path == "/action/commands/1/1" and os.listdir(rundir) == []
