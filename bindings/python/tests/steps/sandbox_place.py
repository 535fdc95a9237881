"""A place for attempts at a sandbox: what Tests/sandbox/attempts.c attempts at, without a sandbox and in one."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SOURCES = ROOT / "Tests/sandbox"
PAGE = ROOT / "docs/reference/sandbox-attempts.md"
IN_STEP = Path(__file__).resolve().parent / "sandbox_step.py"
#: The user that root's tests are made as besides.
NOBODY = 65534
HANG = 120


def build(folder):
    """Makes the program, and returns its path, or None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = Path(folder) / "attempts"
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    options = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", str(program)]
    subprocess.run([compiler, *options, *sources, "-lpthread", "-lutil", "-lrt"], check=True)
    return program


def folder_outside():
    """A new folder that is below no folder which a sandbox covers (/tmp, /var/tmp, /run)."""
    candidates = [Path("/srv"), Path("/var/lib"), ROOT / "build", Path.home()]
    for parent in candidates:
        covered = re.match("/(tmp|var/tmp|run|var/run)(/|$)", str(parent.resolve()))
        if not covered and os.access(parent, os.W_OK | os.X_OK):
            return Path(tempfile.mkdtemp(prefix="fw-sandbox.", dir=parent))
    return None


def everybody_may_use(path):
    """Whether an ordinary user can reach a file, so that root's tests can be made as one."""
    path = Path(path).resolve()
    return all(one.stat().st_mode & 0o1 for one in [path, *path.parents] if one.is_dir()) and path.stat().st_mode & 0o4


def python_for_everybody():
    """This Python, or the system's if an ordinary user cannot run this one; None if there is none."""
    return next(filter(everybody_may_use, filter(os.path.exists, (sys.executable, "/usr/bin/python3"))), None)


class Place:
    """Files, listeners and a process that sleeps, which belong to a user."""

    def __init__(self, program, user=None):
        self.user = user
        self.folder = folder_outside()
        self.folder.chmod(0o755)
        self.program = self.folder / "attempts"
        shutil.copy(program, self.program)
        self.work = self.folder / "w"
        self.work.mkdir()
        if user is not None:
            os.chown(self.work, user, user)
        self.server = subprocess.Popen(
            [str(self.program), "serve", str(self.work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **self.identity(),
        )
        self.facts = self.server.stdout.readline().decode().strip()
        assert self.facts, "nothing to attempt at was made"
        if os.geteuid() == 0:
            # A program that would run as another user: of root's for a user, and of a user's for root.
            owned = self.work / "outside/owned"
            shutil.copy(program, owned)
            os.chown(owned, NOBODY if user is None else 0, -1)
            owned.chmod(0o4755)

    def close(self):
        """Ends what serves, and removes the files."""
        self.server.stdin.close()
        self.server.stdout.close()
        assert self.server.wait(HANG) == 0
        shutil.rmtree(self.folder)

    def identity(self):
        return {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}

    @property
    def run(self):
        return self.work / "run"

    def words(self, how="try"):
        """The command that makes the attempts."""
        return [str(self.program), how, str(self.work), self.facts]

    def answers(self, *before):
        """What the attempts say behind a program, or without a sandbox."""
        given = os.open("/", os.O_RDONLY)
        options = dict(stdout=subprocess.PIPE, pass_fds=[given], timeout=HANG, **self.identity())
        try:
            done = subprocess.run([*before, *self.words("try" if before else "control")], **options)
        finally:
            os.close(given)
        assert done.returncode == 0, done
        return parsed(done.stdout)

    def answers_in_step(self, options, refuse=None, is_later=False):
        """What they say as a step of a worker with these options.

        `refuse` is what the host has not: namespaces, or Landlock. `is_later` says that the command is not the first
        one of its monitor, and then its network is the one of the command before."""
        commands = [self.words()]
        if is_later:
            network = ["readlink", "/proc/self/ns/net"]
            commands = [network, self.words(), network]
        document = {"options": options, "commands": commands, "rundir": str(self.run)}
        document.update(user=self.user, refuse=refuse)
        done = subprocess.run(
            [sys.executable, str(IN_STEP), json.dumps(document)],
            env=dict(os.environ, PYTHONPATH=str(ROOT / "bindings/python")),
            stdout=subprocess.PIPE,
            timeout=HANG,
            check=True,
        )
        result = json.loads(done.stdout)
        assert result["message"] is None, result
        assert not is_later or result["stdout"][0] == result["stdout"][2], "no network was kept"
        return parsed(result["stdout"][1 if is_later else 0].encode())


def parsed(text):
    """Answers by the attempts' names."""
    return {name: int(number) for name, number in (line.split() for line in text.decode().splitlines())}
