"""A secret of one step or worker is masked in the whole run of a workflow: in each step, record and view."""

import json
import sys

import pytest

import flowworker
from flowworker import ContainerStep, WorkerPool, Workflow, create_worker

SECRET = "s3cr3t-0815-ABCdef"


def pool(**env):
    workers = [
        {"name": "w", "type": "subprocess", "secrets": ["token"]},
        {"name": "other", "type": "subprocess", "options": {"inherit_env": True}, "env": env},
    ]
    return WorkerPool(workers=workers, managers={"s": "w", "o": "other", "p": "other"})


def everything(directory, result, events=()):
    """Returns all text that the run has given."""
    texts = [str(result.message)] + [result.view(format) for format in ("html", "trace")]
    texts += [json.dumps(step.commands) + str(step.message) + str(step.explanation) for step in result.steps]
    texts += result.stdout + result.stderr
    texts += [path.read_text() for path in sorted((directory / "state").rglob("*")) if path.is_file()]
    texts += [repr(event) + repr(vars(event) if hasattr(event, "__dict__") else "") for event in events]
    return "\n".join(texts)


def run(tmp_path, steps, arguments, workers=None, parameters=None, **options):
    document = {"workflow": {"steps": steps}}
    if parameters is not None:
        document["parameters"] = parameters
    flow = Workflow.from_template(document, workers=workers or pool())
    events = []
    result = flow.run(arguments, rundir=tmp_path / "run", state=tmp_path / "state", on_event=events.append, **options)
    return result, everything(tmp_path, result, events)


def step(name, *commands, **more):
    action = {"environment": "", "commands": list(commands)}
    action.update(more.pop("action", {}))
    return dict({"name": name, "action": action}, **more)


PARAMETERS = [{"name": "token", "dtype": "string", "isRequired": False}]
GONE = PARAMETERS + [{"name": "gone", "dtype": "string"}]


def test_another_step_prints_it(tmp_path):
    result, told = run(
        tmp_path,
        [step("s", "echo $$token > made"), step("o", "cat made; ls `cat made`")],
        {"token": SECRET},
        parameters=PARAMETERS,
    )
    assert (tmp_path / "run/made").read_text() == SECRET + "\n"
    assert result.steps[1].stdout == ["***\n"] and "***" in result.steps[1].stderr[0]
    assert SECRET not in told


def test_only_the_commands_that_name_it_have_it(tmp_path):
    steps = [step("s", "env >s"), step("o", "env >o"), step("p", "env >p", secrets=["token"])]
    run(tmp_path, steps, {"token": SECRET}, parameters=PARAMETERS)
    assert [SECRET in (tmp_path / "run" / name).read_text() for name in "sop"] == [True, False, True]


def test_it_is_in_no_command_of_another_step(tmp_path):
    with pytest.raises(flowworker.FlowWorkerError, match='the secret "token"') as caught:
        run(tmp_path, [step("s", "true"), step("o", "echo $token")], {"token": SECRET}, parameters=PARAMETERS)
    assert SECRET not in str(caught.value)


def test_it_comes_by_a_reference(tmp_path):
    steps = [
        step("s", "true"),
        step("o", "echo $$PASS > made; cat made", action={"env": {"PASS": "$[[token]]"}}),
        step("p", "$[[token]]", files={"outputs": ["$[[token]]"]}),
    ]
    result, told = run(tmp_path, steps, {"token": SECRET}, parameters=PARAMETERS)
    assert result.steps[1].stdout == ["***\n"] and result.returncode == 127
    assert SECRET not in told


def test_the_entry_of_another_worker_with_the_name(tmp_path):
    result, told = run(
        tmp_path,
        [step("s", "true"), step("o", "echo $$token")],
        {"token": SECRET},
        pool(token="another-value"),
        PARAMETERS,
    )
    assert result.steps[1].stdout == ["***\n"] and "another-value" not in told


def test_an_argument_of_a_wrong_type(tmp_path):
    parameters = [{"name": "token", "dtype": "int"}]
    for value in (SECRET, SECRET * 10):
        with pytest.raises(flowworker.FlowWorkerError) as caught:
            run(tmp_path, [step("s", "true")], {"token": value}, parameters=parameters)
        assert "***" in str(caught.value) and SECRET[:6] not in str(caught.value)


def test_files_with_its_name(tmp_path):
    steps = [step("s", "touch $$token"), step("o", "cat in", files={"inputs": ["$[[token]]", "$[[gone]]"]})]
    result, told = run(tmp_path, steps, {"token": SECRET, "gone": SECRET + "/gone"}, parameters=GONE)
    assert "missing" in result.message and "***" in result.message and SECRET not in told


def test_copies_of_files_with_its_name(tmp_path):
    (tmp_path / "v").mkdir()
    workers = [{"name": "w", "type": "subprocess", "volume": "v", "secrets": ["token"]}]
    volume = {"name": "v", "type": "fs", "args": {"basedir": str(tmp_path / "v")}}
    steps = [
        step("s", "mkdir d; touch d/$$token", files={"outputs": ["d/"]}),
        step("o", "true", files={"inputs": ["d/"]}),
    ]
    used = WorkerPool(workers=workers, managers={"s": "w"}, volumes=[volume])
    result, told = run(tmp_path, steps, {"token": SECRET}, workers=used, parameters=PARAMETERS)
    assert [copy["key"] for copy in result.check().copies] == ["d/***"]
    assert SECRET not in told + json.dumps(result.copies)
    assert (tmp_path / "run/d" / SECRET).exists()


def test_no_part_of_secrets_that_overlap(rundir):
    worker = create_worker({"name": "w", "type": "subprocess", "secrets": ["a", "b"]})
    command = "printf 'x abcdef'; sleep 0.05; printf 'ghi'; sleep 0.05; printf 'jk x abcdefg'"
    result = worker.exec(ContainerStep("s", "", [command]), {"a": "abcdefgh", "b": "defghijk"}, rundir)
    assert result.stdout == ["x *** x abcdefg"]


def test_elements_of_a_list(rundir):
    worker = create_worker({"name": "w", "type": "subprocess", "secrets": ["keys"]})
    step = ContainerStep("s", "", ["echo hunter2 4711 $$keys", r"""printf '%s\n' 'in "quotes" in \"quotes\" 99'"""])
    result = worker.exec(step, {"keys": ["hunter2", {"pin": 4711}, 'in "quotes"', 99]}, rundir)
    assert result.stdout == ["*** *** ***\n", "*** *** 99\n"]


FORMS = [
    "import json, os, sys; print(json.dumps(os.environ['token']))",
    "import os; print(ascii(os.environ['token']))",
    "import os; print(repr(os.environ['token']))",
    "import os; print(repr(os.environ['token'].encode()))",
    "import os; print(os.environ['token'].replace('\\r', ''))",
    "import os; [print(line.strip()) for line in os.environ['token'].splitlines()]",
]


@pytest.mark.parametrize("program", FORMS)
@pytest.mark.parametrize(
    "secret",
    ["s\u00e9kret-99", "token\u202ewith\u00a0signs\U0001f511", "first line 1\r\n  second line 2\r\nthird line 3"],
    ids=ascii,
)
def test_forms_of_a_secret_are_secret(rundir, program, secret):
    (rundir / "show.py").write_text(program + "\n")
    worker = create_worker({"name": "w", "type": "subprocess", "secrets": ["token"], "options": {"inherit_env": True}})
    result = worker.exec(ContainerStep("s", "", ["%s -X utf8 show.py" % sys.executable]), {"token": secret}, rundir)
    assert result.returncode == 0, result.stderr
    left = "".join(result.stdout)
    for word in ("kret", "token", "signs", "line"):
        assert word not in left, ascii(left)
