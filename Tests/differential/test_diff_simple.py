"""Commands that the library runs without a shell have the status, output and environment that /bin/sh gives them."""

import os
import random
import signal
import subprocess
import sys

import pytest

import flowworker

IS_DASH = os.path.basename(os.path.realpath("/bin/sh")) == "dash"
PATH = "/usr/local/bin:/usr/bin:/bin"
BASE = {"PATH": PATH, "LC_ALL": "C"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    return tmp_path


def ours(command, rundir, env):
    """Runs commands with the worker's environment alone, and with each `$` escaped for the template."""
    worker = flowworker.create_worker(flowworker.Subprocess(env=env))
    step = flowworker.ContainerStep("s", "", [command.replace("$", "$$")])
    result = worker.exec(step, {}, rundir)
    assert result.outcome == "exited", result.message
    streams = [
        b"".join(text.encode("utf-8", "surrogateescape") for text in part) for part in (result.stdout, result.stderr)
    ]
    return result.returncode, *streams


def shells(command, rundir, env):
    # What is around a command is no part of it. What this process ignores, because of whoever started it, the shell
    # would.
    done = subprocess.run(
        ["/usr/bin/env", "--default-signal", "/bin/sh", "-c", command.strip()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=rundir,
        env=env,
        start_new_session=True,
    )
    return done.returncode if done.returncode >= 0 else 128 - done.returncode, done.stdout, done.stderr


def check(command, rundir, env=BASE):
    mine = ours(command, rundir, env)
    assert mine == shells(command, rundir, env), command
    return mine


def is_direct(rundir, *commands):
    """The last command prints its process number. With a shell between, it differs from the main process's."""
    pids = []
    worker = flowworker.create_worker(flowworker.Subprocess(env=BASE))
    step = flowworker.ContainerStep("s", "", commands)

    def note(event):
        if event.kind == "command_started":
            pids.append(event.pid)

    result = worker.exec(step, {}, rundir, on_event=note)
    return result.stdout[-1].split()[0] == str(pids[-1])


@pytest.mark.skipif(not IS_DASH, reason="/bin/sh is no dash: each command goes to the shell")
@pytest.mark.parametrize(
    "command, expected",
    [
        ("cat /proc/self/stat", True),
        ("/bin/cat /proc/self/stat", True),
        ("  'cat'\t\"/proc/self\"/sta\\t \n\n", True),
        ("cat /proc/self/stat;", False),
        ("A=1 cat /proc/self/stat", False),
        ("cat /proc/self/sta?", False),
    ],
)
def test_which_do_without(place, command, expected):
    assert is_direct(place, command) == expected
    # A shell that ran before changes nothing of that.
    assert is_direct(place, "cd /", "true", command) == expected


def test_another_shell_is_asked(place):
    worker = flowworker.create_worker(flowworker.Subprocess(env=BASE, options={"shell": "/bin/bash"}))
    result = worker.exec(flowworker.ContainerStep("s", "", ["no-such-program"]), {}, place)
    assert result.returncode == 127 and result.stderr[0].startswith("/bin/bash: ")


COMMANDS = [
    # Programs that are not there, or none.
    "nosuch",
    "./nosuch a b",
    "/nosuch/x",
    "/",
    "/etc",
    "/etc/passwd",
    "/etc/passwd/x",
    "script",
    "./script a 'b c'",
    "empty",
    "./empty",
    "./no-interpreter",
    "no-interpreter",
    "directory",
    "./loop",
    "''",
    '"" a',
    "''/bin/echo",
    "a/b/c",
    "x" * 300,
    "/bin/echo " + "y" * 130_000,
    # How a program ends.
    "./exit 0",
    "./exit 3",
    "./exit 126",
    "./exit 127",
    "./exit 255",
    # The shell's own, and its words.
    "echo a",
    "'echo' -n a",
    "true",
    "test a",
    "pwd",
    "[ a ]",
    "kill",
    "if",
    "'if'",
    "{",
    "!",
    "in",
    "}",
    "do",
    "time",
    "select",
    "function",
    "[[ a",
    "export",
    "./if",
    ". ./words",
    "source ./words",
    "type cat",
    "command cat /dev/null",
    # Words.
    "./words",
    "./words a b  c",
    "./words 'a b' \"c d\" e\\ f",
    "./words ''",
    "./words '' \"\" ''\"\"",
    "./words a'b'\"c\"d",
    './words "\\$ \\` \\" \\\\ \\a \\\' \'"',
    "./words 'a\nb' \"c\nd\"",
    "./words a\\\nb",
    './words "a\\\nb"',
    "./words a\\",
    "./words 'a",
    './words "a',
    "./words a#b #c",
    "./words #",
    "./words \\#a '#b'",
    "./words a=b =c ==",
    "a=b ./words",
    "a=b",
    "'a=b'",
    "'a'=b ./words",
    "./words {} {a,b} } { ! if",
    "./words ~ a~ ~root '~' \\~",
    "./words * '*' \\* ?",
    "./words [a]",
    "./words ]",
    "./words a%b %1 ^ @ + , - -- :",
    "./words $HOME '$HOME' \\$HOME",
    "./words `./exit 0`",
    "./words a;./words b",
    "./words a & wait",
    "./words a | cat",
    "./words <words",
    "./words a >f",
    "(./words a)",
    "./words a\n./words b",
    "\n\n./words a\n\n",
    "\t ./words \t a \t",
    "./words a\r",
    "./words \x01\x7f\x1b é ü \u0081 \u0088 日本",
    "'./words' a",
    '"./words" a',
    "./w'or'ds a",
    "./words 'é' \"\u0083ü\" \\é",
    "./words 2 >&1",
    "./words a\\\\b 'a\\b'",
    "./words \"a'b\" 'a\"b'",
    "./words -c '$0'",
]


@pytest.fixture
def programs(place):
    def write(name, text, mode=0o755):
        path = place / name
        path.write_text(text)
        path.chmod(mode)

    write("words", f"#!{sys.executable} -IS\nimport os, sys\nfor word in sys.argv: print(ascii(os.fsencode(word)))\n")
    write("exit", f"#!{sys.executable} -IS\nimport os, sys\nos._exit(int(sys.argv[1]))\n")
    write("if", "#!/bin/sh\necho if\n")
    write("script", 'echo "$0" "$@"\n')
    write("empty", "")
    write("no-interpreter", "#!/no/such/interpreter\n")
    (place / "directory").mkdir()
    (place / "loop").symlink_to("loop")
    return place


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_as_the_shells(programs, command):
    check(command, programs)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        ":",
        "/usr/bin:",
        "::/bin",
        "/nosuch:directory:.:/bin",
        "/etc/passwd:/bin",
        "/nosuch/x:.",
        ".%builtin",
        "/bin/",
    ],
)
@pytest.mark.parametrize(
    "command", ["words a", "script a", "empty", "directory", "no-interpreter", "cat words", "nosuch", "if a"]
)
def test_the_way_to_a_program(programs, path, command):
    check(command, programs, {"PATH": path})


def test_a_program_that_only_another_place_has(programs):
    """The first file of that name in PATH is not executable, so the shell uses the next one."""
    for number, mode in ((1, 0o644), (2, 0o755)):
        (programs / str(number)).mkdir()
        (programs / str(number) / "p").write_text(f"#!/bin/sh\necho {number}\n")
        (programs / str(number) / "p").chmod(mode)
    for path in ("1:2", "2:1", "1", "1:nosuch:2"):
        check("p", programs, {"PATH": path})


def test_without_a_path(programs):
    check("cat words", programs, {"A": "1"})


NAMES = [
    "A",
    "B",
    "HOME",
    "LANG",
    "LC_ALL",
    "MAIL",
    "MAILPATH",
    "PATH",
    "PS1",
    "PS2",
    "PS4",
    "TERM",
    "HISTSIZE",
    "ATTY",
    "OLDPWD",
    "PWD",
    "_",
    "_1",
    "a.b",
    "1a",
    "x-y",
    "ENV",
    "SHLVL",
    "IFS",
    "OPTIND",
    "PPID",
    "LINENO",
    "PYTHONPATH",
    "é",
    "BASH_FUNC_f%%",
    "SHELL",
    "USER",
]


@pytest.mark.parametrize("seed", range(60))
def test_the_environment(place, seed):
    """The environment has the same bytes in the same order. Where it has the shell's number, the shell runs."""
    chance = random.Random(seed)
    names = chance.sample(NAMES, chance.randrange(len(NAMES))) + [
        f"V{chance.randrange(1000)}" for _ in range(chance.randrange(40))
    ]
    env = {name: chance.choice(["", "x", "/", "a b\nc", "=", "\\"]) for name in names if name != "PPID"}
    env["PATH"] = PATH
    check("/usr/bin/env -0", place, env)


def test_an_environment_that_is_the_hosts(place, monkeypatch):
    for name, value in (("B", "2"), ("A", "1"), ("x.y", "3"), ("TERM", "t")):
        monkeypatch.setenv(name, value)
    worker = flowworker.create_worker(flowworker.Subprocess())
    mine = worker.exec(flowworker.ContainerStep("s", "", ["/usr/bin/env -0"]), {}, place).stdout
    theirs = subprocess.run(
        ["/bin/sh", "-c", "/usr/bin/env -0"], capture_output=True, text=True, cwd=place, env=dict(os.environ)
    ).stdout
    # The C library's environment has more than Python's, and in another order.
    known = set(theirs.split("\0"))
    assert sorted(entry for entry in mine[0].split("\0") if entry in known) == sorted(theirs.split("\0"))
    assert "x.y=3" not in mine[0]


@pytest.mark.parametrize("given", ["{link}", "{place}", "{place}/.", "relative", "/nosuch", ""])
def test_the_name_of_the_directory(place, given):
    (place / "real").mkdir()
    (place / "link").symlink_to("real")
    env = {**BASE, "PWD": given.format(link=place / "link", place=place / "real")}
    check("/usr/bin/env", place / "link", env)
    check("/bin/pwd -L", place / "link", env)


def test_a_directory_that_a_command_moves(place):
    (place / "here").mkdir()
    worker = flowworker.create_worker(flowworker.Subprocess(env=BASE))
    commands = ["/bin/pwd -L", f"mv {place}/here {place}/there", "/bin/pwd -L", "/bin/rmdir ../there", "/usr/bin/env"]
    result = worker.exec(flowworker.ContainerStep("s", "", commands), {}, place / "here")
    assert result.stdout == [f"{place}/here\n", f"{place}/there\n", "PATH=" + PATH + "\nLC_ALL=C\nPWD=\n"]


# Those that end a process, without the two that the C library has for itself.
STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
SIGNALS = sorted(set(range(1, 65)) - STOPS - {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, 32, 33})


@pytest.mark.parametrize("number", SIGNALS)
def test_a_program_that_a_signal_ends(place, number):
    (place / "die").write_text(
        f"#!{sys.executable} -IS\nimport os\nos.write(2, b'last words: ')\nos.kill(os.getpid(), {number})\n"
    )
    (place / "die").chmod(0o755)
    check("./die", place)


def test_a_signal_is_told_in_events_too(place):
    (place / "die").write_text(f"#!{sys.executable} -IS\nimport os\nos.kill(os.getpid(), 11)\n")
    (place / "die").chmod(0o755)
    texts = []
    worker = flowworker.create_worker(flowworker.Subprocess(env=BASE))
    step = flowworker.ContainerStep("s", "", ["./die"])
    result = worker.exec(
        step, {}, place, on_event=lambda event: texts.append(event.data) if event.kind == "output" else None
    )
    assert b"".join(texts).decode() == result.stderr[0] == "Segmentation fault\n"


def test_no_leader_of_a_session_or_group(place):
    """setsid(1) forks without waiting if it leads its group, which the child of a shell never does."""
    check("setsid sh -c 'sleep 0.1; exit 5'", place)
    code = "import os; print(os.getpid() == os.getsid(0), os.getpid() == os.getpgrp(), os.getsid(0) == os.getpgrp())"
    assert check(f"{sys.executable} -ISc '{code}'", place)[1] == b"False False True\n"


PIECES = [
    "./words",
    "a",
    "b c",
    " ",
    "  ",
    "\t",
    "'",
    '"',
    "\\",
    "\n",
    "$x",
    "#",
    "=",
    "*",
    "~",
    ";",
    "é",
    "\u0085",
    "''",
    '""',
    "{",
    "}",
    "!",
    "%",
    "-n",
    "x=y",
    "/",
    ".",
    "\\\n",
    ">",
    "(",
    ")",
    "`",
    "[",
    "]",
    "?",
    "1",
    "if",
    ":",
]


@pytest.mark.parametrize("seed", range(40))
def test_what_chance_writes(programs, seed):
    chance = random.Random(seed)
    for _ in range(25):
        start = chance.choice(["./words ", "./words ", "'./words' ", ""])
        command = start + "".join(chance.choice(PIECES) for _ in range(chance.randrange(9)))
        check(command, programs)
