"""Steps of a subprocess worker have the same output, status, directory and environment as in flowServ."""

import json
import os

import pytest
from both import outcome_of, run_both, run_theirs, spec

import flowworker


def check(commands, rundirs, **more):
    theirs, ours = run_both(commands, rundirs, **more)
    place = [str(rundir) for rundir in rundirs]
    # The two run directories have different names; nothing else may differ.
    ours = ours._replace(
        stdout=[text.replace(place[1], place[0]) for text in ours.stdout],
        stderr=[text.replace(place[1], place[0]) for text in ours.stderr],
    )
    assert ours == theirs
    return ours


@pytest.mark.parametrize(
    "commands",
    [
        [],
        [""],
        ["", "echo a", ""],
        ["   "],
        ["# only a comment"],
        ["true"],
        ["false"],
        ["echo a"],
        ["echo a", "true", "echo b"],
        ["echo a >&2", "echo b", "echo c >&2"],
        ["echo a; echo b >&2; echo c"],
        ["echo a", "exit 3", "echo never"],
        ["echo a; exit 255", "echo never"],
        ["exit 256", "echo on"],
        ["exit -1"],
        ["false; true", "echo on"],
        ["false && true", "echo never"],
        ["kill -9 $$$$", "echo never"],
        ["kill -15 $$$$"],
        ["echo a; kill -1 $$$$"],
        ["kill -11 $$$$"],
        ["sh -c 'kill -9 $$$$'; exit $$?"],
        ["kill -0 $$$$"],
        ["no-such-command-anywhere", "echo never"],
        ["/no/such/file"],
        ["./not-there"],
        ["/"],
        ["echo 'unterminated"],
        ["("],
        ["if true"],
        ["cd /no/such/place"],
        ["cd /; pwd", "pwd"],
        ["X=1; echo $$X", "echo [$$X]"],
        ["export X=1", "printenv X"],
        [r"printf 'a\000b\000'"],
        [r"printf 'a\r\nb\rc\n'"],
        [r"printf '\n'", r"printf '\n\n' >&2"],
        [r"printf 'k\303\244se \360\237\247\200'"],
        [r"printf '\357\273\277bom'"],
        ["echo käse \U0001f9c0"],
        ["cat <<'END'\nlines\n  of text\nEND"],
        ["echo one\necho two"],
        ["echo a \\\n  b"],
        ["echo $$0 $$# [$$*]"],
        ["echo $$PWD; pwd; pwd -P"],
        ["umask"],
        ["ulimit -a"],
        ["trap; trap - TERM; trap"],
        ["echo $$-"],
        # The parent of a command is a process of the library's.
        ["set | grep -v ^PPID="],
        ["env"],
        ["locale 2>/dev/null"],
        ["grep '^SigBlk' /proc/self/status"],
        ["readlink /proc/self/exe"],
        ["tr '\\000' ' ' < /proc/$$$$/cmdline"],
        ["nice"],
        ["ls /proc/self/fd"],
        ["echo a > file; cat file", "cat file; rm file", "cat file"],
        ["mkdir d; cd d; touch f", "ls; ls d"],
        ["head -c 200000 /dev/zero | tr '\\0' x", "head -c 200000 /dev/zero >&2"],
        ["seq 20000; seq 20000 >&2"],
        ["exec echo replaced"],
        ["exec sh -c 'exit 7'"],
        ["echo a & wait; echo b"],
        ["(exit 4)"],
        ["echo a | false"],
        ["false | echo a"],
        ["sleep 0; echo slept"],
        ["test -t 0 || echo no terminal", "test -t 1 || echo no terminal"],
    ],
    ids=repr,
)
def test_commands(commands, rundirs):
    commands_before = list(commands)
    check(commands, rundirs)
    assert commands == commands_before


SHOW = "env; echo A=$${A-unset} P=$${PATH-unset}"


@pytest.mark.parametrize(
    "worker_env, step_env",
    [
        ({}, {}),
        ({"A": "worker"}, {}),
        ({}, {"A": "step"}),
        ({"A": "worker"}, {"A": "step"}),
        ({"A": "worker", "B": "b"}, {"A": "step", "C": "c"}),
        ({"A": ""}, {}),
        ({"A": "two words"}, {"B": " "}),
        ({"A": "käse \U0001f9c0"}, {"B": "line\nbreak\ttab"}),
        ({"A": "$B ${B} $$"}, {"B": "x=y=z"}),
        ({"PATH": "/usr/bin:/bin"}, {}),
        ({"PATH": ""}, {}),
        ({"PATH": "/nowhere"}, {}),
        ({"HOME": "/h", "PWD": "/p", "IFS": "x", "PS1": "p"}, {"_": "under"}),
        ({"a": "lower", "A": "upper"}, {"ä": "name", "with-dash": "x", "1": "digit"}),
    ],
    ids=repr,
)
def test_the_environment(worker_env, step_env, rundirs):
    check([SHOW, "A=changed", "echo $$A"], rundirs, worker=spec(env=worker_env), env=step_env)


def test_the_environment_of_the_host_is_the_one_of_now(rundirs, monkeypatch):
    monkeypatch.setenv("SET_JUST_NOW", "yes")
    monkeypatch.delenv("HOME", raising=False)
    ours = check(["echo $$SET_JUST_NOW $${HOME-unset}"], rundirs)
    assert ours.stdout == ["yes unset\n"]


#: Prints the environment in an order that does not depend on where a variable comes from.
SORTED = "env | sort"


def test_a_variable_that_is_unset_is_one_that_was_never_set(rundirs, monkeypatch):
    """flowServ has no way to unset a variable, so its host does not have the variable."""
    theirs = outcome_of(run_theirs([SORTED], rundirs[0], worker=spec(env={})))
    monkeypatch.setenv("FW_A", "host")
    worker = flowworker.create_worker(spec(env={"FW_A": None}))
    for env in ({}, {"FW_A": None, "FW_B": None}):
        ours = worker.exec(flowworker.ContainerStep("s", "", [SORTED], env), {}, rundirs[0]).check()
        assert outcome_of(ours) == theirs


@pytest.mark.parametrize(
    "value", ["", "a b", "O'Brien; echo $HOME `id`", "\n\n", 7, True, None, [1, {"k": "v"}]], ids=repr
)
def test_a_value_in_the_environment_is_a_variable_of_the_host(value, rundirs, monkeypatch):
    """A value does not change what is inherited: flowServ's host has it as a variable, and ours does not."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    monkeypatch.setenv("FW_V", text)
    commands = [SORTED, "printf '%s|' \"$$FW_V\""]
    theirs = outcome_of(run_theirs(commands, rundirs[0]))
    monkeypatch.delenv("FW_V")
    step = flowworker.ContainerStep("s", "", commands, environment_values=["FW_V"])
    ours = flowworker.create_worker(spec()).exec(step, {"FW_V": value}, rundirs[0]).check()
    assert outcome_of(ours) == theirs


def test_names_that_are_inherited_are_entries(rundirs, monkeypatch):
    """flowServ inherits all or nothing, so there each of the variables is an entry."""
    monkeypatch.setenv("FW_ONE", "1")
    monkeypatch.setenv("FW_TWO", "2")
    entries = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("FW_")}
    theirs = outcome_of(run_theirs([SORTED], rundirs[0], worker=spec(env=dict(entries, A="1"))))
    worker = flowworker.create_worker(spec(env={"A": "1"}, options={"inherit_env": ["PATH", "FW_*"]}))
    ours = worker.exec(flowworker.ContainerStep("s", "", [SORTED]), {}, rundirs[0]).check()
    assert outcome_of(ours) == theirs


def test_a_key_that_comes_again_wins(rundirs):
    env = [{"key": "A", "value": "first"}, {"key": "A", "value": "last"}]
    worker = dict(spec(), env=env)
    assert check(["echo $$A"], rundirs, worker=worker).stdout == ["last\n"]


def test_values_of_the_context_reach_the_commands(rundirs):
    context = {"a": 1, "b": [], "c": "x y", "quote": "it's"}
    check(['echo $a "$c" "$quote" $missing', "echo $$a"], rundirs, context=context)


def test_the_step_and_the_context_are_left_alone(rundirs):
    commands, context, env = ["echo $a"], {"a": 1}, {"E": "x"}
    check(commands, rundirs, context=context, env=env)
    assert (commands, context, env) == (["echo $a"], {"a": 1}, {"E": "x"})


def test_a_umask_and_a_limit_of_the_host(rundirs):
    import resource

    before, limits = os.umask(0o027), resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, limits[1]))
        assert check(["umask; ulimit -c"], rundirs).stdout == ["0027\n0\n"]
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
        os.umask(before)


def test_a_run_directory_that_is_not_there(rundirs):
    for rundir in rundirs:
        rundir.rmdir()
    theirs, ours = run_both(["true"], rundirs)
    assert ours.returncode == theirs.returncode == 1
    assert (len(ours.stderr), ours.stdout) == (len(theirs.stderr), theirs.stdout) == (1, [])
