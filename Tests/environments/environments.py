#!/usr/bin/env python3
"""Runs suite.py and checks.c in many environments, and says where the library does something else than elsewhere.

    environments.py [--write] [--width N] [NAME...]   all environments, or those whose names begin so

--write puts the rows into the table of docs/reference/environments.md. An environment that cannot be made here is
skipped, and the table says why. The status is 1 if a check has another result than the environment's `known` says.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/reference/environments.md"
BEGIN, END = "<!-- environments.py writes this table -->\n", "<!-- the end of the table -->\n"
INSIDE = HERE / "inside.py"
SUITE = HERE / "suite.py"
#: Where the library is in a chroot.
INSIDE_LIBRARY = "/mnt/lib/libflowworker.so.0"
#: Seconds: ends an environment that would wait for ever; none depends on how long it is.
HANG = 900
MOUNTS = ["unshare", "--mount", "--propagation", "private"]
PROCESSES = [*MOUNTS, "--pid", "--fork", "--kill-child=KILL"]


#: What is different without /proc.
NO_PROC = {
    "a daemon is ended": "a process in a session of its own is not found; the result says that it may be left",
    "the death of the host": "such a process is not found",
    "a function in an interpreter": "what a function has left is found through /proc",
    "C: survivors": "processes beside the main one are counted through /proc",
}
#: The flags of clone(2) for new namespaces.
NAMESPACES = 0x7E020000
#: In a user namespace of its own that allows no further one, without the rights to make others.
NO_NAMESPACES = ["unshare", "--user", "--map-root-user", "sh", "-ec"]
NO_NAMESPACES += ['echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all -- "$@"', "sh"]
#: What is different where no namespaces can be made.
NO_VIEW = {"a sandbox": "the message names the namespace, and the explanation says what would allow it"}
#: What is different where no program may be run.
NO_PROGRAMS = {"a script without an interpreter": "no script may be run there"}
#: What a full disk stops, each with a message that says so.
FULL = dict.fromkeys(
    ["output into files", "retries", "a function", "a workflow with volumes and state", "steps at once"],
    "the disk is full, and the message says so",
)
#: What is different where a system call fails, by the call; some calls have an error for which it is not.
FUNCTIONS = ["a function", "a function that raises", "C: a function"]
RUNS = ["a function in an interpreter", "a workflow with volumes and state", "steps at once", "C: a workflow"]
FAILING = {
    "clone3 EPERM": dict.fromkeys([*FUNCTIONS, "four threads"], "glibc starts no thread; with ENOSYS it uses clone"),
    "eventfd2": dict.fromkeys(FUNCTIONS, "the message names the call"),
    "memfd_create": dict.fromkeys(
        ["a long command", "a command beyond the kernel's limit", "a function in an interpreter"],
        "the message names the call",
    ),
    **{
        call: {"a sandbox": "the message names what the sandbox cannot have"}
        for call in ("mount", "mount_setattr", "move_mount", "open_tree", "openat2")
    },
    **{
        call: {"a sandbox without namespaces": "the message names Landlock"}
        for call in ("landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self")
    },
    "seccomp": dict.fromkeys(["a sandbox", "a sandbox without namespaces"], "the message names the filter"),
    "capset": dict.fromkeys(
        ["a sandbox", "a sandbox without namespaces", "a sandbox as far as there is one"],
        "the message says so: a command in a sandbox never keeps its capabilities",
    ),
    "prlimit64": dict.fromkeys(
        ["limit of files", "limit of a file", "C: a limit"], "the message says that a limit cannot be set"
    ),
    "setsid": dict.fromkeys(
        ["a daemon is ended", "the death of the host"], "the command setsid, which the check uses, fails"
    ),
    "prctl(36)": {
        "a daemon is ended": NO_PROC["a daemon is ended"],
        **dict.fromkeys(
            ["C: a timeout", "C: a timeout of what ignores TERM", "C: cancel", "C: survivors"],
            "the processes are ended, and the result says that others may be left",
        ),
    },
    "timerfd_create": dict.fromkeys(
        [*RUNS, "retries", "an output that is missing", "a deadline"],
        "runs and pauses need a timer; the message names the call",
    ),
}
#: The calls without which no step runs.
NEEDED = ["execveat", "signalfd4", "socketpair"]


class Skipped(Exception):
    """An environment cannot be made here, and the text says why."""


class Environment:
    """A name, and how a command becomes one that runs in the environment.

    `changes` are those of inside.py. `known` has the checks that differ, with the reason. `nothing` is what the message
    says where no step can run.
    """

    def __init__(self, name, changes=(), around=(), known=None, nothing=None, make=None, tmp=None):
        self.name, self.changes, self.around, self.known = name, list(changes), list(around), known or {}
        self.nothing, self.variables, self.make, self.tmp = nothing, {}, make, tmp
        # The words of the programs where they are not those of this machine, and whether a C host is of use.
        self.suite, self.checks, self.runs_c = [], [], True

    @property
    def needs_root(self):
        return bool(self.around) or any(one.partition(":")[0] in ("user", "mount", "sh") for one in self.changes)

    def command(self, words):
        return [*self.around, self.python, str(INSIDE), *self.changes, "--", *words]


def python(environment):
    """This interpreter, or the system's if other users cannot run this one."""
    is_home = Path.home() in Path(sys.executable).resolve().parents
    return "/usr/bin/python3" if is_home and "user" in environment.changes else sys.executable


def library():
    return Path(os.environ.get("FLOWWORKER_LIBRARY") or ROOT / "build/lib/libflowworker.so").resolve()


def preload(name, package):
    """A library that is loaded before all others."""

    def make(environment, folder):
        found = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
        paths = [line.split("=> ")[1] for line in found.splitlines() if line.strip().startswith(name)]
        if not paths:
            raise Skipped("{} is not installed (Debian: {})".format(name, package))
        environment.variables["LD_PRELOAD"] = paths[0]

    return make


def static_jansson(environment, folder):
    """A host that is linked with a jansson of its own, whose names hide those of the library's."""
    archive = next(Path("/usr/lib").glob("*/libjansson.a"), None)
    config = shutil.which("python3-config", path="/usr/bin")
    if archive is None or config is None or shutil.which("cc") is None:
        raise Skipped("the parts of such a host are not installed (Debian: libjansson-dev, python3-dev, gcc)")
    flags = subprocess.run(
        [config, "--includes", "--ldflags", "--embed"], stdout=subprocess.PIPE, text=True, check=True
    )
    host = folder / "host"
    source = "#include <Python.h>\nint main(int count, char **words) { return Py_BytesMain(count, words); }\n"
    words = ["cc", "-x", "c", "-", "-x", "none", "-rdynamic", "-o", str(host), "-Wl,--whole-archive", str(archive)]
    words += ["-Wl,--no-whole-archive", *flags.stdout.split()]
    subprocess.run(words, input=source, text=True, check=True)
    environment.python, environment.runs_c = str(host), False


def python_of(version, release=None):
    """A Python of this machine, or else one of a release of Debian; 3.13t is 3.13 without the global lock."""

    def make(environment, folder):
        pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
        places = sorted(pyenv.glob("versions/{}.*/bin/python3".format(version.rstrip("t"))))
        places = [place for place in places if place.parts[-3].endswith("t") == version.endswith("t")]
        # pyenv puts programs into PATH that refuse to run.
        found = str(places[-1]) if places else shutil.which("python" + version)
        if found is None and release is None:
            raise Skipped("this machine has no Python " + version)
        if found is None:
            return chroot(release, python="python" + version)(environment, folder)
        environment.python, environment.runs_c = found, False

    return make


def chroot(release, shell=None, python=None):
    def make(environment, folder):
        script, packages = ROOT / "Tests/packages/chroot.sh", ["libjansson4", *([python] if python else [])]
        usable = subprocess.run([script, "usable"], stderr=subprocess.PIPE, text=True)
        if usable.returncode:
            raise Skipped(usable.stderr.strip())
        made = subprocess.run([script, "make", release, *packages], capture_output=True, text=True)
        if made.returncode:
            raise Skipped(made.stderr.strip().splitlines()[-1])
        # A module of the package is a link into the sources.
        folders = ["bindings/python/flowworker", "Sources/CRunner", "Tests/environments"]
        binds = {library(): INSIDE_LIBRARY, **{ROOT / one: "/mnt/project/" + one for one in folders}}
        program = checks()
        if program.exists():
            binds[program] = "/mnt/checks"
        environment.around = [script, "run", "--with", " ".join(packages), *(["--sh", shell] if shell else [])]
        for source, target in binds.items():
            environment.around += ["--bind", "{}:{}".format(source, target)]
        environment.around += [
            release,
            "env",
            "FLOWWORKER_LIBRARY=" + INSIDE_LIBRARY,
            "PYTHONPATH=/mnt/project/bindings/python",
        ]
        environment.suite = [python or "python3", "/mnt/project/Tests/environments/suite.py", "--json"]
        environment.checks, environment.runs_c = ["/mnt/checks"], python is None

    return make


def second_copy(environment, folder):
    """Another copy of the library is loaded first, has run a step, and stays."""
    copy = folder / "libflowworker-other.so"
    shutil.copy(library(), copy)
    environment.variables["FW_OTHER_COPY"] = str(copy)
    environment.program, environment.runs_c = HERE / "two_copies.py", False


def deep_bind(environment, folder):
    environment.variables["FW_DEEPBIND"] = "1"
    environment.program, environment.runs_c = HERE / "two_copies.py", False


def environments():
    """All environments, in the order of the table."""
    one = [Environment("the machine as it is")]
    one += [Environment("an ordinary user", ["user"])]
    one += [Environment("process 1", ["mount:proc"], PROCESSES)]
    one += [Environment("no /proc", ["mount:noproc"], MOUNTS, NO_PROC)]
    one += [Environment("/proc hides other users' processes", ["mount:hidepid", "user"], PROCESSES)]
    one += [Environment("a read-only root", ["mount:readonly"], MOUNTS)]
    one += [Environment("no programs in /tmp", ["mount:noexec"], MOUNTS, NO_PROGRAMS)]
    one += [Environment("few devices", ["mount:nodev"], MOUNTS)]
    one += [Environment("40 descriptors", ["limit:NOFILE=40"])]
    one += [Environment("40 processes", ["user", "limit:NPROC=40"])]
    one += [Environment("1 GiB of address space", ["limit:AS={}".format(1 << 30)])]
    one += [Environment("a full disk", ["mount:full"], MOUNTS, FULL, tmp="/mnt")]
    one += [Environment("sh is " + name, ["sh:" + name], MOUNTS) for name in ("dash", "bash", "busybox")]
    one += [Environment("new namespaces are refused", ["refuse:clone(&{})=EPERM".format(NAMESPACES)], known=NO_VIEW)]
    one += [
        Environment(
            "new namespaces are refused, for a user",
            ["user", "refuse:clone(&{})=EPERM".format(NAMESPACES)],
            known=NO_VIEW,
        )
    ]
    one += [Environment("a part of /proc is covered", ["mount:maskedproc"], MOUNTS)]
    one += [Environment("a part of /proc is covered, for a user", ["mount:maskedproc", "user"], MOUNTS, NO_VIEW)]
    one += [Environment("no further user namespaces", [], NO_NAMESPACES, NO_VIEW)]
    one += [Environment("two copies of the library", make=second_copy)]
    one += [Environment("RTLD_DEEPBIND", make=deep_bind)]
    one += [Environment("a jansson of the host's own", make=static_jansson)]
    one += [Environment("jemalloc", make=preload("libjemalloc.so", "libjemalloc2"))]
    one += [Environment("tcmalloc", make=preload("libtcmalloc_minimal.so", "libtcmalloc-minimal4"))]
    one += [Environment("Python " + v, make=python_of(v)) for v in ("3.9", "3.10", "3.11", "3.12", "3.13")]
    one += [Environment("Python " + v, make=python_of(v, "sid")) for v in ("3.14", "3.15")]
    one += [Environment("Python 3.13 without the global lock", make=python_of("3.13t"))]
    releases = [("bookworm", "dash"), ("trixie", "bash"), ("sid", "busybox")]
    one += [Environment("Debian {}, sh is {}".format(*names), make=chroot(*names)) for names in releases]
    for call in refused_calls():
        for error in ("EPERM", "ENOSYS"):
            name, known = "{} fails with {}".format(call, error), FAILING.get(call) or FAILING.get(call + " " + error)
            nothing = call if call in NEEDED else None
            one.append(Environment(name, ["refuse:{}={}".format(call, error)], known=known, nothing=nothing))
    return one


def refused_calls():
    sys.path.insert(0, str(HERE))
    import inside

    named = {1: "PR_SET_PDEATHSIG", 15: "PR_SET_NAME", 36: "PR_SET_CHILD_SUBREAPER"}
    return [call for call in inside.CALLS if call not in ("clone", "prctl")] + [
        "prctl({})".format(number) for number in named
    ]


BUILDING = threading.Lock()


def checks():
    """The program of checks.c, which does not exist where it cannot be built. It finds the library also in a chroot."""
    # Each library has a program of its own, which finds no other one.
    number = hashlib.sha256(bytes(library())).hexdigest()[:8]
    program = ROOT / "build/environments" / number / "checks"
    parts = [HERE / "checks.c", library(), *(ROOT / "Tests/c/support").glob("*.h")]
    with BUILDING:
        if program.exists() and all(part.stat().st_mtime < program.stat().st_mtime for part in parts):
            return program
        program.parent.mkdir(parents=True, exist_ok=True)
        program.unlink(missing_ok=True)
        words = ["cc", "-g", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, HERE / "checks.c", library()]
        words += ["-I", ROOT / "include", "-I", ROOT / "Tests/c/support", "-ljansson"]
        words += ["-Wl,-rpath,{}:{}".format(library().parent, Path(INSIDE_LIBRARY).parent)]
        if shutil.which("cc"):
            subprocess.run(words, check=True)
    return program


def results(environment, command, name, variables):
    """What a program says in an environment: results by check."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables, **environment.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=HANG,
    )
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        if "Operation not permitted" in last and environment.around:
            raise Skipped(last) from None
        if "`GLIBC_" in last:
            return {name: "skipped: the C library of this machine is newer than that of the chroot"}
        return {name: "failed: status {}: {}".format(done.returncode, last[:300])}


def run(environment):
    """What both programs say in an environment: results by check."""
    with tempfile.TemporaryDirectory(prefix="fw-environment") as folder:
        os.chmod(folder, 0o755)
        environment.python, environment.program = python(environment), SUITE
        if environment.make:
            environment.make(environment, Path(folder))
        if environment.needs_root and os.geteuid() != 0:
            raise Skipped("it needs root")
        variables = {"FLOWWORKER_LIBRARY": str(library()), "PYTHONPATH": str(ROOT / "bindings/python")}
        if environment.tmp:
            variables["FW_SUITE_FOLDER"] = environment.tmp
        suite = [*environment.around, *environment.suite]
        program = [*environment.around, *environment.checks]
        if not environment.suite:
            suite = environment.command([environment.python, str(environment.program), "--json"])
            program = environment.command([str(checks())])
        found = results(environment, suite, "the suite itself", variables)
        if environment.runs_c and checks().exists():
            found.update(results(environment, program, "the checks in C", variables))
        elif environment.runs_c:
            found["the checks in C"] = "skipped: there is no C compiler"
            environment.known = {name: why for name, why in environment.known.items() if not name.startswith("C: ")}
        return found


def judge(environment):
    """The row of the table, and what is not as it is known."""
    try:
        found = run(environment)
    except Skipped as reason:
        return (environment.name, "skipped", str(reason)), []
    if environment.nothing:
        # A host goes on, and each step says why it did not run.
        told = [found.get(name, str(found)) for name in ("true", "C: a step")]
        known = all("spawn_failed" in text and environment.nothing in text for text in told)
        shown = told[0].rpartition("in place of ('exited', 0): ")[2].partition(" (line ")[0]
        return (environment.name, "no step runs", shown), [] if known else [
            "{}: {}".format(environment.name, text) for text in told
        ]
    failed = {name: text[8:] for name, text in found.items() if text.startswith("failed")}
    skipped = [text[9:] for text in found.values() if text.startswith("skipped")]
    wrong = [
        "{}: {}: {}".format(environment.name, name, text)
        for name, text in failed.items()
        if name not in environment.known
    ]
    wrong += ["{}: {} is in order".format(environment.name, name) for name in environment.known if name not in failed]
    notes = ["{}: {}".format(name, environment.known.get(name, text)) for name, text in failed.items()] + skipped
    in_order = sum(text == "ok" for text in found.values())
    return (environment.name, "{} of {}".format(in_order, len(found)), "; ".join(notes)), wrong


def write(rows):
    """Puts rows into the table of the page. Those of environments that have not run now stay."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    lines = {line.split(" | ")[0][2:]: line for line in table.splitlines()[3:] if line.startswith("| ")}
    for row in rows:
        lines[row[0]] = "| {} | {} | {} |".format(*(cell.replace("|", "\\|") for cell in row))
    ordered = [lines[one.name] for one in environments() if one.name in lines]
    head = ["| environment | checks in order | what is different, and why |", "|---|---|---|"]
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(head + ordered) + "\n\n" + END + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--width", type=int, default=2, help="how many environments at a time")
    options = parser.parse_args()
    chosen = [
        one for one in environments() if not options.names or any(one.name.startswith(name) for name in options.names)
    ]
    with ThreadPoolExecutor(options.width) as pool:
        rows, faults = [], []
        for row, wrong in pool.map(judge, chosen):
            print("{}: {} {}".format(*row), flush=True)
            rows.append(row)
            faults += wrong
    if options.write:
        write(rows)
    print("\n{} environments, {} results that are not known".format(len(rows), len(faults)))
    print("\n".join(faults))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
