"""What docs/concepts/security.md says of the environment, the network and the files of a host, and that each of its
promises has tests in Tests/INDEX.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/concepts/security.md").read_text(encoding="utf-8")

#: How code reads a variable whose name stands there.
READS = {
    ".swift": r'\b(?:getenv|Environment\.value|variable)\("(\w+)"\)',
    ".c": r'getenv\("(\w+)"\)',
    ".py": r'os\.environ(?:\.get\(|\[)"(\w+)"',
}
#: How it reads one whose name is a value.
UNNAMED = re.compile(
    r"\b(?:getenv\(|Environment\.value\(|os\.environ\.get\(|os\.environ\[|os\.getenv\()(?!\")|\bos\.environ\b(?!\.get|\[)"
)
#: The places where it does, and the names that are meant.
OTHERS: dict[str, tuple[int, set[str]]] = {
    "Sources/FWSystem/Files.swift": (1, set()),
    "Sources/FWVolumes/S3Bucket.swift": (1, {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}),
    "Sources/FWSlurm/Submission.swift": (
        1,
        {"PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "SLURM_CONF", "KRB5CCNAME", "TZ"},
    ),
    # The document names the variable.
    "Sources/FWModel/Documents/Resources.swift": (1, set()),
    "bindings/python/flowworker/_library.py": (2, {"FLOWWORKER_LIBRARY"}),
}

HOST = """
import sys
from pathlib import Path
import flowworker

root = Path(sys.argv[1])
(root / "run").mkdir()
local = flowworker.create_worker(flowworker.Subprocess("local"))
local.exec(flowworker.ContainerStep("text", "", ["echo text"]), {}, root / "run")
local.exec(flowworker.ContainerStep("words", "", [["cat"]], stdin={"text": "words"}), {}, root / "run")
workflow = flowworker.Workflow()
workflow.add_container_step("one", "", commands=["echo $x > one"], outputs=["one"])
workflow.add_container_step("two", "", commands=["cat one > two"], inputs=["one"], outputs=["two"])
workflow.run({"x": 1}, rundir=root / "workflow", state=root / "state")
if sys.argv[2] == "services":
    docker = flowworker.create_worker({"name": "d", "type": "docker"})
    docker.exec(flowworker.ContainerStep("docker", "image", ["true"]), {}, root / "run")
    engine = {"name": "d", "type": "docker", "options": {"host": "tcp://127.0.0.1:8", "shared_files": True}}
    flowworker.create_worker(engine).exec(flowworker.ContainerStep("docker", "image", ["true"]), {}, root / "run")
    pool = flowworker.WorkerPool(
        volumes=[{"name": "bucket", "type": "s3", "args": {"bucket": "b", "endpoint": "http://127.0.0.1:9"}}],
    )
    workflow = flowworker.Workflow([flowworker.ContainerStep("three", "", ["true"], inputs=["x"])], workers=pool)
    workflow.run({}, rundir=root / "bucket")
"""

#: The sentences of the page that say what it is about, what the reader should do, or what is not protected.
NO_PROMISE = {
    "This page says what the library trusts, what it protects, and what it does not.",
    "SECURITY.md says how to report a fault.",
    "Without the worker option `sandbox`, a command runs with all rights of the thread that starts the step, and may "
    "do whatever that user may do.",
    "With `sandbox`, a command is bounded as well.",
    "Whoever may write the commands of a step, or choose the program of an interpreter, owns the process.",
    "What the library protects then is the line between a *document*, which you have chosen, and the *values*, files "
    "and answers that come from elsewhere.",
    "Processes and the supervisor lists the limits.",
    "What it does not bound: what the host itself does for the step (volumes, `stdin` files, spill, state), reading as "
    'long as `read` is `"all"`, servers with a socket file outside of `/run` and `/tmp`, how much a command uses, and '
    "faults of the kernel.",
    "For commands that you must assume to attack the kernel, use a virtual machine.",
    "A step without `sandbox` is not kept from files, the network or other processes of its user.",
    "Use a container, or a user of its own.",
    "It is not masked in what commands write themselves, in text that they derive from it, and in the memory of "
    "the processes.",
    "Whoever has the same user, or root, can read the environment of a process.",
    "Whoever may use the socket of a container engine is root on its machine, unless the engine is rootless.",
    "A docker worker uses the socket with the rights of the host, so it gives documents the power of that engine,"
    " such as `mounts` of any directory.",
    "Let nobody write documents who may not use the engine.",
    "Secrets are in the request that creates the container, and everybody who may use the engine can read them there.",
    "On a cluster, a command has the rights of your account.",
    "srun's connection carries secrets, and Slurm does not encrypt it.",
    "What commands inherit is described in Environment.",
}


def documented() -> set[str]:
    table = PAGE[PAGE.index("\n| variable | what for |") :].split("\n\n")[0]
    return {name for row in table.splitlines()[3:] for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}


def sentences() -> list[str]:
    """The sentences of the page, and the rows of its first table, without links."""
    found: list[str] = []
    for block in PAGE.split("\n\n"):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", block).replace("**", "")
        if text.startswith("| what |"):
            rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in text.splitlines()[2:]]
            found += [f"{what}: {does}" for what, _, does in rows]
        elif not text.startswith(("#", "|")):
            items = re.split(r"^- ", text, flags=re.MULTILINE)
            found += [part for item in items for part in re.split(r"(?<=\.)\s+", " ".join(item.split())) if part]
    return found


def test_each_promise_of_the_page_has_tests() -> None:
    index = (ROOT / "Tests/INDEX.md").read_text(encoding="utf-8")
    rows = index[index.index("\n## Security\n") :].split("\n## ")[1].splitlines()
    promised = [row.strip("|").rsplit("|", 1)[0].strip() for row in rows if row.startswith("|")][2:]
    page = sentences()
    assert NO_PROMISE <= set(page)
    assert promised == [sentence for sentence in page if sentence not in NO_PROMISE]


def sources() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "Sources", "bindings/python/flowworker"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if Path(name).suffix in READS and (ROOT / name).is_file()]


def test_the_page_lists_the_variables_that_the_code_reads() -> None:
    found: set[str] = set()
    for path in sources():
        name = str(path.relative_to(ROOT))
        if name.startswith("Sources/CRunner/"):
            # A program of the interpreter's, with an environment of its own.
            continue
        text = path.read_text(encoding="utf-8")
        count, names = OTHERS.get(name, (0, set()))
        found.update(re.findall(READS[path.suffix], text), names)
        assert len(UNNAMED.findall(text)) == count, f"{name} reads a variable whose name this test cannot see"
    assert found == documented()


@pytest.fixture
def watch(tmp_path: Path) -> str:
    library = tmp_path / "watch.so"
    source = str(ROOT / "Tests/documents/watch.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), source, "-ldl"], check=True)
    return str(library)


def run_host(root: Path, watch: str, what: str) -> tuple[list[str], Path]:
    """Runs a host; gives what the library has asked for, and the folder with the host's home, TMPDIR and directory."""
    place = root / "elsewhere"
    for name in ("home", "tmp", "here"):
        (place / name).mkdir(parents=True)
    (root / "root").mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "AWS_", "XDG_"))},
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "PYTHONPATH": str(ROOT / "bindings/python"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_PRELOAD": watch,
        "WATCH_FILE": str(root / "watched"),
    }
    command = [sys.executable, "-c", HOST, str(root / "root"), what]
    subprocess.run(command, check=True, cwd=place / "here", env=environment)
    return (root / "watched").read_text().splitlines(), place


def test_a_run_reads_no_other_variable_and_connects_to_nobody_else(tmp_path: Path, watch: str) -> None:
    watched, _ = run_host(tmp_path, watch, "services")
    read = {line.split()[1] for line in watched if line.startswith("getenv ")}
    assert {"PATH", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"} <= read
    assert {name for name in read if not name.startswith("SWIFT_")} <= documented()
    assert {line for line in watched if line.startswith("connect ")} == {"connect 127.0.0.1:8", "connect 127.0.0.1:9"}
    assert not [line for line in watched if line.startswith("listen")]


def test_a_local_run_uses_no_network_and_writes_nowhere_else(tmp_path: Path, watch: str) -> None:
    watched, place = run_host(tmp_path, watch, "local")
    assert "socket other" not in watched
    assert not [line for line in watched if line.startswith(("listen", "connect"))]
    assert [path for name in ("home", "tmp", "here") for path in (place / name).iterdir()] == []
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["run", "state", "workflow"]
    assert list((tmp_path / "root/run").iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "root/workflow").iterdir()) == ["one", "two"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_files_of_the_state_are_the_owners_only(tmp_path: Path, watch: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        run_host(tmp_path, watch, "local")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "root/state").rglob("*") if path.is_file()}
    assert modes and set(modes.values()) == {0o600}


def test_the_supervisor_connects_only_for_cleanup_requests() -> None:
    calls = [
        (path.name, call)
        for path in (ROOT / "Sources/CSupervisor").rglob("*.[ch]")
        for call in re.findall(r"__NR_(socket|connect|bind|listen|accept4?)\b", path.read_text())
    ]
    # The socket of namespaces.c brings up the loopback of a sandbox's network, and is connected to nothing.
    assert sorted(calls) == [("cleanup.c", "connect"), ("cleanup.c", "socket"), ("namespaces.c", "socket")]


def test_nothing_changes_the_user() -> None:
    user = re.compile(r"\b(?:__NR_|SYS_)?set(?:u|g|eu|eg|reu|reg|resu|resg|fsu|fsg)id\b|\bset(?:init)?groups\b")
    # The filter of a sandbox knows the calls by their names, and the file forbids one of them in a user namespace.
    places = [path for path in sources() if not path.name.startswith("SyscallNumbers")]
    texts = {path: path.read_text(encoding="utf-8").replace("/proc/self/setgroups", "") for path in places}
    assert [str(path) for path, text in texts.items() if user.search(text)] == []
