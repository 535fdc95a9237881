"""Words, quotes and standard input that cannot be: the place of the fault is told in one line, and nothing starts."""

import os
import socket
import stat

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, DocumentError, FlowWorkerError, NotebookStep, TemplateError

#: Would show that something was started.
TOUCH = ["touch", "started"]
READ_A_LINE_AND_WAIT = ["sh", "-c", "read -r first; echo $$first; until [ -e go ]; do sleep 0.01; done; cat"]


def error_of(step, context, rundir, **options):
    """The error that the step is refused with, which is one line."""
    with pytest.raises(FlowWorkerError) as raised:
        flowworker.default_container_worker.exec(step, context, rundir, **options)
    assert_one_line(str(raised.value))
    assert os.listdir(str(rundir)) == []
    return raised.value


def assert_one_line(text):
    assert text and not any(ord(character) < 32 or ord(character) == 127 for character in text), text


def commands(*given, **keys):
    return ContainerStep("s", "", list(given), **keys)


# ---------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    "command, place",
    [
        ([], ""),
        ([""], "/0"),
        (["", "a"], "/0"),
        (["a", 1], "/1"),
        (["a", None], "/1"),
        (["a", ["b"]], "/1"),
        (["a", {"b": 1}], "/1"),
        ({"a": 1}, ""),
        (1, ""),
        (None, ""),
    ],
)
def test_what_is_no_command(rundir, command, place):
    error = error_of(commands(TOUCH, command), {}, rundir)
    assert isinstance(error, DocumentError) and error.path == "/action/commands/1" + place


@pytest.mark.parametrize(
    "program, context",
    [
        ("$p", {"p": ""}),
        ("${p}", {"p": []}),
        ("$p", {"p": [""]}),
        ("$p", {"p": ["", "ls"]}),
        ("$p$q", {"p": "", "q": ""}),
    ],
)
def test_no_program_is_left(rundir, program, context):
    error = error_of(commands(TOUCH, [program, "ls"] if context["p"] else [program]), context, rundir)
    assert isinstance(error, TemplateError) and error.path == "/action/commands/1/0"
    assert "program" in str(error)


def test_an_empty_list_is_no_program_even_if_a_word_follows(rundir):
    """The next word must not become the program."""
    step = commands([*TOUCH], ["$list", "touch", "wrong"])
    try:
        result = flowworker.default_container_worker.exec(step, {"list": []}, rundir)
    except TemplateError as error:
        assert_one_line(str(error))
        assert os.listdir(str(rundir)) == []
    else:
        assert result.returncode == 0 and sorted(os.listdir(str(rundir))) == ["started", "wrong"]


@pytest.mark.parametrize(
    "command", [["printf", "%s", "$x"], ["printf", "a${x}b"], ["$x"], "printf ${x:q}", "printf $x"]
)
@pytest.mark.parametrize("value", ["\0", "a\0b", ["a", "\0"], [["\0"]]])
def test_a_nul_in_a_value(rundir, command, value):
    error_of(commands(TOUCH, command), {"x": value}, rundir)


def test_a_nul_in_the_document(rundir):
    error_of(commands(TOUCH, ["printf", "a\0b"]), {}, rundir)
    error_of(commands(TOUCH, "printf a\0b"), {}, rundir)


@pytest.mark.parametrize("word", ["${x:q}", "a${x:q}", "${x}${x:q}"])
def test_quotes_in_a_word(rundir, word):
    error = error_of(commands(TOUCH, ["printf", word]), {"x": "a"}, rundir)
    assert isinstance(error, TemplateError) and error.path == "/action/commands/1/1"
    assert "needs no quotes" in str(error) and "${x}" in str(error)
    assert (error.line, error.column) == (1, word.index("${x:q}") + 3)


@pytest.mark.parametrize("word", ["${x:Q}", "${x:}", "${x:qq}", "${:q}", "${x :q}", "${x:q", "${", "$", "$(", "a$ b"])
def test_what_is_no_placeholder(rundir, word):
    for command, place in ((["printf", word], "/1"), ("printf " + word, "")):
        error = error_of(commands(TOUCH, command), {"x": "a"}, rundir)
        assert isinstance(error, TemplateError) and error.path == "/action/commands/1" + place
        assert (error.line, error.column) == (1, word.index("$") + 1 + (0 if place else len("printf ")))


@pytest.mark.parametrize("command", ["printf %s '${x:q}'", 'printf %s "${x:q}"', "printf %s 'a'\"b ${x:q} c\""])
def test_quotes_between_quotes_are_told(rundir, command):
    step = commands(command)
    result = flowworker.default_container_worker.exec(step, {"x": "a b"}, rundir)
    plan = flowworker.default_container_worker.plan(step, {"x": "a b"}, rundir)
    for notes in (result.notes, plan["notes"]):
        (note,) = (note for note in notes if "${x:q}" in note)
        assert_one_line(note)
        assert "command 1" in note and "quotes" in note


@pytest.mark.parametrize(
    "command",
    ["printf %s ${x:q}", "printf '%s' ${x:q}", "printf \\'${x:q}", 'printf "a\\"b" ${x:q}', "printf a'b'${x:q}'c'"],
)
def test_quotes_beside_quotes_are_right(rundir, command):
    step = commands(command)
    result = flowworker.default_container_worker.exec(step, {"x": "a b"}, rundir)
    assert not [note for note in result.notes if ":q" in note]


@pytest.mark.parametrize("kind", ["word", "list", "quoted", "program"])
def test_a_word_that_is_longer_than_the_kernel_takes(rundir, kind):
    """Nothing crashes, and the command before has run."""
    long = "x" * 500_000
    command = {
        "word": ["printf", "$x"],
        "list": ["printf", "%s", "$l"],
        "quoted": "printf %s ${x:q}",
        "program": ["$x"],
    }[kind]
    result = flowworker.default_container_worker.exec(commands(TOUCH, command), {"x": long, "l": ["a", long]}, rundir)
    assert os.listdir(str(rundir)) == ["started"]
    if kind == "quoted":
        # A builtin of the shell gets words of any length.
        assert result.returncode == 0 and result.stdout == [long]
    else:
        assert (result.returncode, result.outcome) == (1, "spawn_failed")
        assert_one_line(result.message)
        assert "command 2 of 2" in result.message and str(len(long)) in result.message and len(result.message) < 1000


# --------------------------------------------------------------------------------------------------- stdin


def make_fifo(place):
    os.mkfifo(str(place))


def make_socket(place):
    # Its path must be short, so it is made where the directory is.
    before = os.getcwd()
    os.chdir(str(place.parent))
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(place.name)
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    "make, told",
    [
        (make_fifo, "named pipe"),
        (make_socket, "socket"),
        (lambda place: place.mkdir(), "directory"),
        (lambda place: place.symlink_to("/dev/zero"), "device"),
        (lambda place: place.symlink_to("/"), "directory"),
        (lambda place: place.symlink_to("nowhere"), "not exist"),
        (lambda place: place.symlink_to(place.name), "symbolic link"),
        (lambda place: None, "not exist"),
    ],
    ids=["fifo", "socket", "directory", "device", "link to a directory", "dangling link", "link to itself", "missing"],
)
def test_an_input_that_is_no_file(rundir, make, told):
    make(rundir / "in")
    there = os.listdir(str(rundir))
    for source in ({"stdin": {"file": "in"}}, {}):
        step = commands(["touch", "started"], ["cat"], **source)
        options = {} if source else {"stdin": {"file": "in"}}
        result = flowworker.default_container_worker.exec(step, {}, rundir, **options)
        assert (result.returncode, result.outcome) == (1, "spawn_failed")
        assert_one_line(result.message)
        assert '"in"' in result.message and told in result.message
        assert os.listdir(str(rundir)) == there


def test_an_input_that_must_not_be_read(run_python, tmp_path):
    """A process without rights tries it, because root may read everything."""
    script = """
import os, tempfile, flowworker
place = tempfile.mkdtemp()
try:
    with open(place + "/in", "w") as file:
        file.write("x")
    os.chmod(place + "/in", 0)
    os.chmod(place, 0o755)
    flowworker.default_container_worker.exec(flowworker.ContainerStep("s", "", ["true"]), {}, place)
    pid = os.getpid()
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 0)
    step = flowworker.ContainerStep("s", "", [["cat"]], stdin={"file": "in"})
    result = flowworker.default_container_worker.exec(step, {}, place)
    if os.getresuid()[2] == 0:
        os.setresuid(0, 0, 0)
    print(result.outcome, result.returncode, result.message)
finally:
    os.remove(place + "/in")
    os.rmdir(place)
"""
    done = run_python(script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("spawn_failed 1 ") and '"in"' in done.stdout and done.stdout.count("\n") == 1
    assert "Permission denied" in done.stdout or "permission" in done.stdout


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../in", "a/../../in", "in/", ".", "a\0b", 5, None, ["in"]])
def test_keys_that_are_none(rundir, key):
    error = error_of(commands(TOUCH, stdin={"file": key}), {}, rundir)
    assert isinstance(error, DocumentError) or key == "a\0b"
    assert key == "a\0b" or error.path == "/stdin/file"


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"text": "a", "file": "b"},
        {"txet": "a"},
        "hots",
        "a text",
        5,
        True,
        [],
        {"text": 5},
        {"text": None},
        {"value": ""},
    ],
)
def test_sources_that_are_none(rundir, source):
    error = error_of(commands(TOUCH, stdin=source), {}, rundir)
    assert isinstance(error, DocumentError) and error.path.startswith("/stdin")


def test_a_value_that_is_not_there(rundir):
    error = error_of(commands(TOUCH, stdin={"value": "nmae"}), {"name": "x"}, rundir)
    assert isinstance(error, DocumentError) and "nmae" in str(error)


def test_a_file_that_changes_while_it_is_read(start, rundir):
    """The command reads what it would read after `< in`, and the result has a note."""
    (rundir / "in").write_text("one\n")
    step = commands(READ_A_LINE_AND_WAIT, stdin={"file": "in"})
    with flowworker.default_container_worker.start(step, {}, rundir) as run:
        event = next(event for event in run if event.kind == "output")
        assert event.data == b"one\n"
        with open(str(rundir / "in"), "a") as file:
            file.write("two\n")
        (rundir / "go").write_text("")
        result = run.wait()
    assert (result.returncode, result.stdout) == (0, ["one\ntwo\n"])
    (note,) = result.notes
    assert_one_line(note)
    assert '"in"' in note and "changed" in note


def test_a_file_that_is_shortened_while_it_is_read(rundir):
    (rundir / "in").write_text("one\n" * 100_000)
    step = commands(READ_A_LINE_AND_WAIT, stdin={"file": "in"})
    with flowworker.default_container_worker.start(step, {}, rundir) as run:
        next(event for event in run if event.kind == "output")
        os.truncate(str(rundir / "in"), 0)
        (rundir / "go").write_text("")
        result = run.wait()
    assert result.returncode == 0 and len(result.notes) == 1


def test_a_file_that_is_removed_while_it_is_read(rundir):
    """The descriptor stays, and each command opens the file by itself."""
    (rundir / "in").write_text("one\n")
    result = flowworker.default_container_worker.exec(
        commands(["sh", "-c", "rm in; cat"], ["cat"], stdin={"file": "in"}), {}, rundir
    )
    assert (result.stdout, result.returncode, result.outcome) == (["one\n"], 1, "spawn_failed")
    assert "command 2 of 2" in result.message and "not exist" in result.message


def test_a_command_cannot_change_its_input(rundir):
    (rundir / "in").write_text("one\n")
    write = ["sh", "-c", "echo x >&0 || exit 5; cat"]
    for source in ({"file": "in"}, {"text": "one\n"}):
        result = flowworker.default_container_worker.exec(commands(write, ["cat"], stdin=source), {}, rundir)
        assert result.returncode == 5, (source, result.message)
    assert (rundir / "in").read_text() == "one\n"


def test_input_is_for_commands(rundir):
    for step in (CodeStep("f", lambda: None), NotebookStep("n", "n.ipynb")):
        step.stdin = {"text": "x"}
        worker = flowworker.create_worker({"name": "w", "type": "code" if isinstance(step, CodeStep) else "notebook"})
        with pytest.raises(DocumentError) as raised:
            worker.exec(step, {}, rundir)
        assert raised.value.path == "/stdin" and "commands of a container step" in str(raised.value)
        step.stdin = None
        with pytest.raises(FlowWorkerError) as raised:
            worker.exec(step, {}, rundir, stdin=b"x")
        assert_one_line(str(raised.value))
        assert "stdin" in str(raised.value) or "input" in str(raised.value)


def test_the_host_writes_to_one_command(rundir):
    with pytest.raises(DocumentError) as raised:
        flowworker.default_container_worker.start(commands(TOUCH, ["cat"], stdin="host"), {}, rundir)
    assert_one_line(str(raised.value))
    assert "2 commands" in str(raised.value)
    error_of(commands(["cat"], stdin="host"), {}, rundir)
    assert not [entry for entry in os.scandir(str(rundir)) if not stat.S_ISREG(entry.stat().st_mode)]
