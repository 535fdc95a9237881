#!/usr/bin/env python3
"""Runs suite.py in many environments, and says where the library does something else than elsewhere.

    environments.py [--write] [--width N] [NAME...]   all environments, or those whose names begin so

--write puts the rows into the table of docs/reference/environments.md. An environment that cannot be made here is
skipped, and the table says why. The status is 1 if a check has another result than the environment's `known` says.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/reference/environments.md"
BEGIN, END = "<!-- environments.py writes this table -->\n", "<!-- the end of the table -->\n"
INSIDE = HERE / "inside.py"
SUITE = HERE / "suite.py"
#: Seconds: ends an environment that would wait for ever; none depends on how long it is.
HANG = 900
MOUNTS = ["unshare", "--mount", "--propagation", "private"]
PROCESSES = [*MOUNTS, "--pid", "--fork", "--kill-child=KILL"]


#: What is different without /proc.
NO_PROC = {
    "a daemon is ended": "a process in a session of its own is not found; the result says that it may be left",
    "the death of the host": "such a process is not found",
    "a function in an interpreter": "what a function has left is found through /proc",
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
FUNCTIONS = ["a function", "a function that raises"]
RUNS = ["a function in an interpreter", "a workflow with volumes and state", "steps at once"]
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
    "prlimit64": dict.fromkeys(["limit of files", "limit of a file"], "the message says that a limit cannot be set"),
    "setsid": {"a daemon is ended": "the command setsid, which the check uses, fails"},
    "prctl(36)": {"a daemon is ended": NO_PROC["a daemon is ended"]},
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

    @property
    def needs_root(self):
        return bool(self.around) or any(one.partition(":")[0] in ("user", "mount", "sh") for one in self.changes)

    def command(self, python, arguments):
        return [*self.around, python, str(INSIDE), *self.changes, "--", python, *arguments]


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
    environment.python = str(host)


def python_of(version):
    def make(environment, folder):
        pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
        places = sorted(pyenv.glob("versions/{}.*/bin/python3".format(version)))
        # pyenv puts programs into PATH that refuse to run.
        found = str(places[-1]) if places else shutil.which("python" + version)
        if found is None:
            raise Skipped("this machine has no Python " + version)
        environment.python = found

    return make


def chroot(release, shell):
    def make(environment, folder):
        script = ROOT / "Tests/packages/chroot.sh"
        usable = subprocess.run([script, "usable"], stderr=subprocess.PIPE, text=True)
        if usable.returncode:
            raise Skipped(usable.stderr.strip())
        made = subprocess.run([script, "make", release, "libjansson4"], capture_output=True, text=True)
        if made.returncode:
            raise Skipped(made.stderr.strip().splitlines()[-1])
        # A module of the package is a link into the sources.
        folders = ["bindings/python/flowworker", "Sources/CRunner", "Tests/environments"]
        binds = {library(): "/mnt/library", **{ROOT / one: "/mnt/project/" + one for one in folders}}
        environment.around = [script, "run", "--with", "libjansson4", "--sh", shell]
        for source, target in binds.items():
            environment.around += ["--bind", "{}:{}".format(source, target)]
        environment.around += [
            release,
            "env",
            "FLOWWORKER_LIBRARY=/mnt/library",
            "PYTHONPATH=/mnt/project/bindings/python",
        ]
        environment.in_chroot = True

    return make


def second_copy(environment, folder):
    """Another copy of the library is loaded first, has run a step, and stays."""
    copy = folder / "libflowworker-other.so"
    shutil.copy(library(), copy)
    environment.variables["FW_OTHER_COPY"] = str(copy)
    environment.program = HERE / "two_copies.py"


def deep_bind(environment, folder):
    environment.variables["FW_DEEPBIND"] = "1"
    environment.program = HERE / "two_copies.py"


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
    one += [Environment("Python " + v, make=python_of(v)) for v in ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")]
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


def run(environment):
    """What suite.py says in an environment: results by check."""
    with tempfile.TemporaryDirectory(prefix="fw-environment") as folder:
        os.chmod(folder, 0o755)
        environment.python, environment.program, environment.in_chroot = python(environment), SUITE, False
        if environment.make:
            environment.make(environment, Path(folder))
        if environment.needs_root and os.geteuid() != 0:
            raise Skipped("it needs root")
        arguments = [str(environment.program), "--json"]
        variables = {"FLOWWORKER_LIBRARY": str(library()), "PYTHONPATH": str(ROOT / "bindings/python")}
        if environment.tmp:
            variables["FW_SUITE_FOLDER"] = environment.tmp
        command = environment.command(environment.python, arguments)
        if environment.in_chroot:
            command = [*environment.around, "python3", "/mnt/project/Tests/environments/suite.py", "--json"]
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
                raise Skipped(last)
            return {"the suite itself": "failed: status {}: {}".format(done.returncode, last[:300])}


def judge(environment):
    """The row of the table, and what is not as it is known."""
    try:
        found = run(environment)
    except Skipped as reason:
        return (environment.name, "skipped", str(reason)), []
    if environment.nothing:
        # A host goes on, and each step says why it did not run.
        told = found.get("true", str(found))
        wrong = [] if "spawn_failed" in told and environment.nothing in told else [environment.name + ": " + told]
        return (
            environment.name,
            "no step runs",
            told.rpartition("in place of ('exited', 0): ")[2].partition(" (line ")[0],
        ), wrong
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
