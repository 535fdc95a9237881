"""What docs/concepts/security.md says of the environment, the network and the files of a host."""

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
    pool = flowworker.WorkerPool(
        [{"name": "local", "type": "subprocess"}],
        volumes=[{"name": "bucket", "type": "s3", "args": {"bucket": "b", "endpoint": "http://127.0.0.1:9"}}],
    )
"""


def documented() -> set[str]:
    table = PAGE[PAGE.index("\n| variable | what for |") :].split("\n\n")[0]
    return {name for row in table.splitlines()[3:] for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}


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


def test_a_run_reads_no_other_variable(tmp_path: Path, watch: str) -> None:
    watched, _ = run_host(tmp_path, watch, "services")
    read = {line.split()[1] for line in watched if line.startswith("getenv ")}
    assert {"PATH", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"} <= read
    assert {name for name in read if not name.startswith("SWIFT_")} <= documented()


def test_a_local_run_uses_no_network_and_writes_nowhere_else(tmp_path: Path, watch: str) -> None:
    watched, place = run_host(tmp_path, watch, "local")
    assert "socket other" not in watched
    assert not [line for line in watched if line.startswith("listen")]
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
        for call in re.findall(r"__NR_(socket|connect|bind|listen|accept4?|setuid|setresuid)\b", path.read_text())
    ]
    # The socket of namespaces.c brings up the loopback of a sandbox's network, and is connected to nothing.
    assert sorted(calls) == [("cleanup.c", "connect"), ("cleanup.c", "socket"), ("namespaces.c", "socket")]
