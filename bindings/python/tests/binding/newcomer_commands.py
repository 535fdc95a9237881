"""The mistakes that people make with words, placeholders, standard input, signals and the environment of commands.

`COMMANDS` has rows as `newcomer_mistakes.MISTAKES` has, and `test_newcomer.py` makes them too.
"""

import io
import os

from newcomer_mistakes import Mistake as M
from newcomer_mistakes import step

from flowworker import Code, CodeStep, ContainerStep, Notebook, NotebookStep, Subprocess, create_worker


def words(*commands, **keywords):
    return ContainerStep("s", "", [list(command) for command in commands], **keywords)


def reading(source, **keywords):
    """A step that reads its standard input."""
    return words(["cat"], stdin=source, **keywords)


def started(place, use, **options):
    """Starts a command that reads until the end of its input, and uses it."""
    with place.pool.get(step()).start(words(["cat"]), {}, place.rundir, **options) as execution:
        return use(execution)


def open_file(place, mode):
    with open(os.path.join(place.rundir, "data"), mode) as file:
        return place.run(words(["cat"]), stdin=file)


def closed_file(place):
    with open(os.devnull, "rb") as file:
        pass
    return place.run(words(["cat"]), stdin=file)


def fifo(place):
    os.mkfifo(os.path.join(place.rundir, "pipe"))
    return place.run(reading({"file": "pipe"}))


def folder(place):
    os.mkdir(os.path.join(place.rundir, "data"))
    return place.run(reading({"file": "data"}))


def text_file(place):
    with open(place.file("in.txt", "a\n"), encoding="utf-8") as file:
        return place.run(words(["cat"]), stdin=file)


def local(**options):
    return create_worker(Subprocess("local", options=options))


def in_action(**keys):
    """A step as a template has it, with further keys in its action."""
    return {"name": "s", "action": {"environment": "", "commands": ["cat"], **keys}}


COMMANDS = [
    # -- words
    M(
        "the words of one command as the commands",
        lambda t: t.run(step("echo", "hi")),
        'step "s", command 2 of 2 exited with status 127 (command not found): "hi"; last line of stderr:'
        " /bin/sh: 1: hi: not found",
    ),
    M(
        "a whole command as a word",
        lambda t: t.run(words(["echo hi"])),
        'step "s", command 1 of 1 exited with status 127 (command not found): "\'echo hi\'"; last line of '
        "stderr: /bin/sh: 1: exec: echo hi: not found",
    ),
    M(
        "a builtin of the shell as a word",
        lambda t: t.run(words(["cd", "data"])),
        'step "s", command 1 of 1 exited with status 127 (command not found): "cd data"; last line of '
        "stderr: /bin/sh: 1: exec: cd: not found",
    ),
    M(
        "a number as a word",
        lambda t: t.run(words(["sleep", 5])),
        "expected a string, found the integer 5 (at /action/commands/0/1)",
    ),
    M(
        "words that are empty",
        lambda t: t.run(words([])),
        "expected a program and its arguments, found an empty array (at /action/commands/0)",
    ),
    M(
        "an empty value as the program",
        lambda t: t.run(words(["$tool", "in"]), {"tool": ""}),
        'step "s", command 1 of 1, word 1: the name of its program is empty (at /action/commands/0/0)',
    ),
    M(
        "an empty list as the program",
        lambda t: t.run(words(["$tool"]), {"tool": []}),
        'step "s", command 1 of 1, word 1: it has no program, because the list in its place is empty (at'
        " /action/commands/0/0)",
    ),
    M(
        "`:q` in a word",
        lambda t: t.run(words(["echo", "${name:q}"]), {"name": "Alice"}),
        'step "s", command 1 of 1, word 2: a word needs no quotes, because no shell reads it: write '
        "${name} instead of ${name:q} (at /action/commands/0/1)",
    ),
    M(
        "`:q` between quotes",
        lambda t: t.run(step("echo '${name:q}'"), {"name": "Alice"}),
        "command 1 has ${name:q} in a place where quotes do not protect it: between other quotes, in a here-document, "
        "in a comment, between backquotes, or behind a backslash",
    ),
    M(
        "a value that is longer than an argument may be",
        lambda t: t.run(words(["echo", "$text"]), {"text": "x" * 200000}),
        'step "s", command 1 of 1 could not be started: word 2 of the command has 200000 bytes, and the '
        "system takes at most 131071 in one word",
    ),
    # -- strict placeholders
    M(
        "a misspelt name, strictly",
        lambda t: t.run(step("echo $nmae", placeholders="strict"), {"name": "Alice"}),
        'step "s", command 1 of 1: $nmae at line 1, column 7 has no value; write $$nmae for a variable '
        "of the shell; did you mean $name? (at /action/commands/0)",
    ),
    M(
        "a misspelt name in a word, strictly",
        lambda t: t.run(words(["echo", "Hello $nmae"], placeholders="strict"), {"name": "Alice"}),
        'step "s", command 1 of 1, word 2: $nmae at line 1, column 8 has no value; did you mean $name? '
        "(at /action/commands/0/1)",
    ),
    M(
        "`placeholders=True`",
        lambda t: t.run(step(placeholders=True)),
        "expected a string, found true (at /placeholders)",
    ),
    M(
        "`placeholders` for functions",
        lambda t: t.run(CodeStep("f", len), placeholders="strict"),
        'step "f": "placeholders" is for the commands of a container step, and this is a code step (at /placeholders)',
    ),
    # -- success codes
    M(
        "one success code as a number",
        lambda t: t.run(step(success_codes=1)),
        "expected an array of exit codes such as [0, 1], found the integer 1 (at /success_codes)",
    ),
    M(
        "a success code that no command has",
        lambda t: t.run(step(success_codes=[0, 256])),
        "expected an exit code, an integer from 0 to 255, found the integer 256 (at /success_codes/1)",
    ),
    M(
        "no success codes",
        lambda t: t.run(step(success_codes=[])),
        "expected at least one exit code: without one, no command could succeed (at /success_codes)",
    ),
    M(
        "success codes without 0",
        lambda t: t.run(step(success_codes=[1])),
        'step "s", command 1 of 1 exited with status 0 (success codes: 1): "echo hi"',
    ),
    M(
        "success codes outside of the options",
        lambda t: create_worker({"name": "a", "type": "subprocess", "success_codes": [0, 1]}),
        'unknown key "success_codes" in a worker specification: expected "name", "type", "env", '
        '"variables", "vars", "volume", "options" or "secrets"; it is a key of the worker\'s "options" '
        "(at /success_codes)",
    ),
    M(
        "success codes for functions",
        lambda t: create_worker(Code("a", options={"success_codes": [0, 1]})),
        'unknown key "success_codes" in the options of a code worker: expected "python", "grace", '
        '"sandbox", "timeout", "output_limit", "spill", "retries" or "limit"; it is about commands, which the workers '
        "subprocess, docker and slurm run (at /options/success_codes)",
    ),
    # -- standard input
    M(
        "a text as `stdin` of a step",
        lambda t: t.run(reading("hello")),
        'expected "host" or an object such as {"text": "..."}, found the string "hello": {"text": ...} '
        'is a text, and {"file": ...} a file (at /stdin)',
    ),
    M(
        "bytes as `stdin` of a step",
        lambda t: t.run(reading(b"hello")),
        "stdin: a step has 'host' or a dict such as {'text': '...'}, found bytes: give it to exec or start (at /stdin)",
    ),
    M(
        "a text as `stdin` of a run",
        lambda t: t.run(words(["cat"]), stdin="hello"),
        "stdin: expected bytes, a file that is open in binary mode, or a dict such as {'file': "
        "'in.txt'}, found a str: encode it, or use {'text': ...}",
    ),
    M(
        "a text file as `stdin` of a run",
        text_file,
        "stdin: expected a file that is open in binary mode, found a TextIOWrapper: open it with 'rb', "
        "or use its buffer",
    ),
    M(
        "a text in memory as `stdin` of a run",
        lambda t: t.run(words(["cat"]), stdin=io.StringIO("hello")),
        "stdin: expected a file that is open in binary mode, found a StringIO: encode its text",
    ),
    M(
        "a file that is open for writing as `stdin` of a run",
        lambda t: open_file(t, "wb"),
        "stdin: expected a file that is open for reading, found a BufferedWriter that is not: open it with 'rb'",
    ),
    M(
        "a closed file as `stdin` of a run",
        closed_file,
        "stdin: expected an open file, found a BufferedReader that is closed",
    ),
    M(
        "`path` for `file`",
        lambda t: t.run(reading({"path": "in.txt"})),
        'unknown key "path" in "stdin": expected "text", "file" or "value" (at /stdin/path)',
    ),
    M(
        "an absolute path as `stdin`",
        lambda t: t.run(reading({"file": "/etc/hostname"})),
        'the key "/etc/hostname" is an absolute path: a key is relative to the base of its volume (at /stdin/file)',
    ),
    M(
        "a file as `stdin` that there is not",
        lambda t: t.run(reading({"file": "in.txt"})),
        'step "s", command 1 of 1 could not be started: the standard input "in.txt" does not exist in '
        "the run directory",
    ),
    M(
        "a folder as `stdin`",
        folder,
        'step "s", command 1 of 1 could not be started: the standard input "data" is a directory: '
        "expected a regular file",
    ),
    M(
        "a named pipe as `stdin`",
        fifo,
        'step "s", command 1 of 1 could not be started: the standard input "pipe" is a named pipe: '
        "expected a regular file",
    ),
    M(
        "a value as `stdin` that there is not",
        lambda t: t.run(reading({"value": "text"})),
        'step "s": the context has no value "text" for the standard input (at /stdin)',
    ),
    M(
        "`stdin` in the action",
        lambda t: t.run_workflow(in_action(stdin={"text": "hello"})),
        'unknown key "stdin" in the action of a container step: expected "environment", "commands" or '
        '"env"; it is a key of the step itself (at /workflow/steps/0/action/stdin)',
    ),
    M(
        "`stdin` in the options of a worker",
        lambda t: local(stdin={"text": "hello"}),
        'unknown key "stdin" in the options of a subprocess worker: expected "inherit_env", "shell", '
        '"background", "grace", "limits", "tree_limits", "sandbox", "placeholders", "success_codes", '
        '"environment_values", "timeout", "output_limit", "spill", "retries" or "limit"; it is a key of a step, '
        "and of the options of a run (at /options/stdin)",
    ),
    M(
        "`stdin` for a notebook",
        lambda t: t.run_on(Notebook("n"), NotebookStep("s", "n.ipynb"), stdin=b"x"),
        'step "s": "stdin" is for the commands of a container step, and this is a notebook step (at /stdin)',
    ),
    M(
        "`stdin` for a function",
        lambda t: t.run(CodeStep("f", len), stdin=b"x"),
        'step "f": "stdin" is for the commands of a container step, and this is a code step (at /stdin)',
    ),
    M(
        "the host's input for `exec`",
        lambda t: t.run(reading("host")),
        "stdin: 'host' is for start, because the host could not write here: give bytes or a file instead (at /stdin)",
    ),
    M(
        "the host's input for two commands",
        lambda t: t.pool.get(step()).start(words(["cat"], ["cat"], stdin="host"), {}, t.rundir),
        'step "s": the host\'s input can be read only once, and the step has 2 commands: expected one (at /stdin)',
    ),
    M(
        "the host's input in a workflow",
        lambda t: t.run_workflow({**in_action(), "stdin": "host"}),
        'a step of a workflow cannot read from the host: use {"text": ...}, {"file": ...} or {"value": '
        "...} (at /workflow/steps/0/stdin)",
    ),
    M(
        "`write` without the host's input",
        lambda t: started(t, lambda execution: execution.write(b"x")),
        'the step takes no input from the host: set "stdin": "host" in the step or in the options of the run',
    ),
    M(
        "`write` of a str",
        lambda t: started(t, lambda execution: execution.write("x"), stdin="host"),
        "data: expected bytes, found a str: encode it",
    ),
    M(
        "`write` after the end of the input",
        lambda t: started(t, lambda execution: (execution.close_input(), execution.write(b"x")), stdin="host"),
        "the standard input was closed before (0 of the 1 bytes were taken)",
    ),
    # -- signals
    M(
        "the name of a signal",
        lambda t: started(t, lambda execution: execution.signal("TERM")),
        "number: expected the number of a signal, such as signal.SIGHUP, found a str",
    ),
    M(
        "a signal that there is not",
        lambda t: started(t, lambda execution: execution.signal(0)),
        'the argument "signal" is 0: expected the number of a signal, from 1 to 64',
    ),
    M(
        "a target that there is not",
        lambda t: started(t, lambda execution: execution.signal(15, "all")),
        "target: expected 'main' or 'tree', found 'all'",
    ),
    M(
        "a signal after the end",
        lambda t: started(
            t, lambda execution: (execution.close_input(), execution.wait(), execution.signal(15)), stdin="host"
        ),
        "no command of the step is running",
    ),
    # -- environment
    M(
        "`inherit_env` as a string",
        lambda t: local(inherit_env="PATH"),
        'expected true, false or a list of names of variables, found the string "PATH" (at /options/inherit_env)',
    ),
    M(
        "`*` in the middle of a name",
        lambda t: local(inherit_env=["LC_*", "X*Y"]),
        '"X*Y" has a "*" that is not at its end: a "*" stands for the rest of a name, such as "LC_*" (at'
        " /options/inherit_env/1)",
    ),
    M(
        "a value in `inherit_env`",
        lambda t: local(inherit_env=["HOME=/tmp"]),
        'the name "HOME=/tmp" of an environment variable contains "=" (at /options/inherit_env/0)',
    ),
    M(
        "one name as `environment_values`",
        lambda t: t.run(step(environment_values="name"), {"name": "A"}),
        'expected a list of names of values, or an object such as {"name": "VARIABLE"}, found the string'
        ' "name" (at /environment_values)',
    ),
    M(
        "a name in `environment_values` that there is not",
        lambda t: t.run(step(environment_values=["name"])),
        'step "s": the context has no value "name" for "environment_values" (at /environment_values/0)',
    ),
    M(
        "a secret in `environment_values`",
        lambda t: t.run(step(environment_values=["token"], secrets=["token"]), {"token": "s3cr3t"}),
        'step "s": "token" is a secret, so "environment_values" cannot have it: list it in "secrets", '
        "which makes it a variable of the commands (at /environment_values/0)",
    ),
]
