#!/usr/bin/env python3
"""Lets each system call and each allocation of the library fail once, and judges what that led to.

    faults.py [--part gate] [--call NAME] [--side host|supervisor] [--group GROUP] [--verbose]

Tests/faults/build.sh has built the library of the faults and its host (host.c). A first run of each group of steps
counts the calls. Then there is one run for each call, errno and number of the call, and, with an errno that may last,
runs in which it lasts. The gate has each errno once, at the first call or at the last one, and of the groups on engines
(peers.py) only some calls; without `--part` there are all errnos at many numbers.

A run is wrong if a step says success and its output is not right, if a step ends without a reason of one line, if the
host ends by a signal or does not end, if a process, a temporary file or a descriptor is left, and if a step does not
succeed once no call fails any more. Each wrong run is printed with the command that repeats it, and the exit status is
1. At the end there is a table of the calls.
"""

import argparse
import collections
import concurrent.futures
import ctypes
import errno
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import peers

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "../../bindings/python/tests/steps"))
import tree_groups  # noqa: E402

WORK = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "faults")
SIDES = ("host", "supervisor")
CALLS = 512
#: The groups of host.c, and those of host_engines.c, which run on peers.
LOCAL = ("steps", "sandboxes", "limits", "calls", "flow")
GROUPS = (*LOCAL, *peers.PEERS)
DEADLINE = 150  # seconds, after which a run counts as one that never ends
SHORT = -1

# The system calls of the supervisor that can fail, and how. A call that is not here, such as getpid(2), cannot fail.
# All signals are blocked in a supervisor, and what opens or duplicates a descriptor there is then never interrupted.
SUPERVISOR = {
    "capget": "EINVAL",
    "capset": "EPERM ENOSYS",
    "chdir": "EACCES",
    "clock_gettime": "EPERM",
    "clone": "EAGAIN ENOMEM",
    "clone3": "ENOSYS EAGAIN ENOMEM EBUSY",
    "close": "EINTR EIO",
    "close_range": "ENOMEM ENOSYS",
    "connect": "EAGAIN ECONNREFUSED ENOMEM",
    "dup3": "EBADF EMFILE ENOMEM",
    "execve": "ENOMEM EACCES EAGAIN EIO E2BIG ETXTBSY EMFILE",
    "execveat": "ENOMEM EACCES EAGAIN EIO EMFILE",
    "fchdir": "EACCES EIO ENOMEM",
    "fchmodat": "EPERM",
    "fcntl": "EMFILE ENOMEM",
    "fstat": "ENOMEM EPERM",
    "fstatfs": "ENOMEM ENOSYS",
    "getdents64": "EIO ENOMEM",
    "ioctl": "EPERM EIO",
    "kill": "EPERM",
    "landlock_add_rule": "ENOMEM ENOSYS",
    "landlock_create_ruleset": "EMFILE ENOMEM ENOSYS EOPNOTSUPP",
    "landlock_restrict_self": "EPERM E2BIG ENOMEM",
    "memfd_create": "EMFILE ENFILE ENOMEM",
    "mkdirat": "ENOMEM ENOSPC EPERM",
    "mmap": "ENOMEM",
    "mount": "EPERM EINVAL ENOMEM ENODEV EACCES",
    "mount_setattr": "EPERM ENOSYS EINVAL",
    "move_mount": "EPERM ENOSYS EINVAL ENOSPC",
    "munmap": "ENOMEM",
    "nanosleep": "EINTR",
    "newfstatat": "EACCES ENOMEM",
    "openat": "EIO EACCES EMFILE ENFILE ENOMEM",
    "open_tree": "EPERM ENOSYS EMFILE ENOMEM",
    "openat2": "ENOSYS EAGAIN EMFILE",
    "pidfd_open": "EMFILE ENFILE ENOMEM ENOSYS",
    "pidfd_send_signal": "EPERM ENOSYS",
    "pipe2": "EMFILE ENFILE",
    "ppoll": "EINTR ENOMEM",
    "prctl": "EINVAL EPERM",
    "prlimit64": "EPERM",
    "pwrite64": "EIO ENOSPC EDQUOT",
    "read": "EINTR EIO ENOMEM short",
    "readlinkat": "EIO EACCES ENOMEM",
    "recvmsg": "EINTR EAGAIN ENOMEM",
    "rt_sigaction": "EPERM",
    "rt_sigprocmask": "EPERM",
    "seccomp": "EINVAL ENOSYS ENOMEM EACCES",
    "sendmsg": "EINTR EAGAIN ENOBUFS ENOMEM ETOOMANYREFS EPIPE",
    "sendto": "EINTR EAGAIN ENOMEM EPIPE short",
    "setns": "EPERM ENOSYS EINVAL",
    "setsid": "EPERM",
    "shutdown": "ENOTCONN",
    "setsockopt": "EPERM ENOBUFS",
    "signalfd4": "EMFILE ENFILE ENOMEM",
    "socket": "EMFILE ENOBUFS EPERM ENFILE ENOMEM",
    "socketpair": "EMFILE ENFILE ENOMEM",
    "statx": "ENOSYS EACCES",
    "symlinkat": "ENOMEM ENOSPC EPERM",
    "unlinkat": "EACCES EIO",
    "unshare": "EPERM",
    "wait4": "EINTR",
    "waitid": "EPERM",
    "write": "EINTR EIO short",
}

# What does not last: a call that is interrupted, or that has nothing now, succeeds when it is made again. A message is
# sent again for ten seconds, so that a run in which none is ever sent takes minutes; and where kill(2) is refused for
# ever nothing can be ended.
PASSING = {"EINTR", "EAGAIN", "EWOULDBLOCK", "short"}
PASSING_CALLS = {"sendmsg", "recvmsg", "recv", "kill", "pidfd_send_signal"}

# What a sandbox refuses, it refuses from the first call on.
RULES = {"EPERM", "ENOSYS", "EINVAL"}

# The peers of these groups read all that is sent, so this errno cannot come. The peers of `make peers-faulty` close.
IMPOSSIBLE = {("docker", "send", "EPIPE"), ("slurm", "send", "EPIPE")}

# In the gate, the groups on engines and that of limits have only the calls by which they differ from the others.
GATE = {
    "limits": "clone3 dup3 fork getdents64 kill mkdirat open openat read statx unlinkat write",
    "docker": "send shutdown epoll_create1 epoll_ctl eventfd getsockopt realpath connect sendto socket",
    "slurm": "send recv ioctl memfd_create pipe2 pwrite64 socketpair",
    "s3": "dlopen linkat mkdirat fchmod unlinkat syscall:openat2",
}

# Faults that led to something wrong once, and that the gate would not have by its rule.
ONCE_WRONG = (
    "steps:supervisor:read:EIO:1+",
    "flow:host:close:EINTR:1",
    "flow:host:epoll_ctl:ENOSPC:1+",
    "docker:host:epoll_ctl:ENOMEM:1",
    "docker:host:epoll_ctl:ENOSPC:6",
    "docker:host:malloc:ENOMEM:4",
    "docker:host:send:ENOMEM:1",
    "slurm:host:send:ENOBUFS:1+",
    "slurm:host:send:ENOBUFS:7+",
    "slurm:host:epoll_ctl:ENOSPC:7",
    "slurm:supervisor:fcntl:EMFILE:6",
    "slurm:supervisor:ppoll:ENOMEM:1+",
    "slurm:supervisor:write:EIO:17",
    "slurm:supervisor:memfd_create:ENOMEM:1+",
    "s3:host:dlopen:ENOMEM:1+",
    "s3:host:epoll_ctl:ENOSPC:3+",
    "s3:host:openat:EMFILE:20",
    "s3:host:openat:EMFILE:1+",
    "s3:host:pread:EINTR:18",
)


class Page(ctypes.Structure):
    """page.h."""

    _fields_ = [
        ("environment", ctypes.c_char * 496),
        ("envp", ctypes.c_uint64 * 2),
        ("is_armed", ctypes.c_uint32),
        ("side", ctypes.c_uint32),
        ("call", ctypes.c_uint32),
        ("nth", ctypes.c_uint32),
        ("is_always", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("hits", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
        ("counts", (ctypes.c_uint32 * CALLS) * 2),
    ]


def host_calls():
    """The names and errnos of calls.h, in its order."""
    calls = {}
    with open(os.path.join(HERE, "calls.h"), encoding="utf-8") as file:
        text = file.read().replace("\n     ", " ")
    for line in text.splitlines():
        found = re.match(r'(?:CALL|PART|CODE)\([^,]+, (\w+), "([^"]+)"', line)
        if found:
            calls[found[1]] = found[2].split()
        found = re.match(r'SYSTEM\((\w+), "([^"]+)"', line)
        if found:
            calls["syscall:" + found[1]] = found[2].split()
        found = re.match(r'HAND\((\w+), "([^"]+)"', line)
        if found:
            calls[found[1]] = found[2].split()
        found = re.match(r"MEMORY\((\w+)\)", line)
        if found:
            calls[found[1]] = ["ENOMEM"]
    return calls


def system_numbers():
    """The numbers of the system calls of this machine."""
    command = ["cc", "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", os.devnull]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}


HOST = host_calls()
NUMBERS = (dict(zip(HOST, range(len(HOST)))), system_numbers())
ERRNOS = (HOST, {name: text.split() for name, text in SUPERVISOR.items()})


class Fault(collections.namedtuple("Fault", "group side call error nth always")):
    def __str__(self):
        return f"{self.group}:{SIDES[self.side]}:{self.call}:{self.error}:{self.nth}{'+' if self.always else ''}"

    @staticmethod
    def of(text):
        group, side, *call, error, nth = text.split(":")
        return Fault(group, SIDES.index(side), ":".join(call), error, int(nth.rstrip("+")), nth.endswith("+"))


class Run:
    """A run of the host with a fault, or without one."""

    def __init__(self, group, fault=None):
        self.fault, self.group, self.wrong = fault, group, []
        self.directory = tempfile.mkdtemp(prefix="faults-")
        # A machine may have thousands of processes, and these are none of this run.
        self.before = set(os.listdir("/proc"))
        try:
            self._run()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self):
        path = os.path.join(self.directory, "page")
        with open(path, "wb") as file:
            file.truncate(8192)
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 8192) as memory:
            page = Page.from_buffer(memory)
            try:
                self._arm(page, path)
                self._start(path)
                self.counts = [list(side) for side in page.counts]
                self.hits = page.hits
            finally:
                del page

    def _arm(self, page, path):
        page.environment = f"FW_FAULTS={path}".encode()
        page.envp[0] = 0x7E5500000000
        page.is_armed, page.side = 1, len(SIDES)
        fault = self.fault
        if fault is None:
            return
        page.side, page.call = fault.side, NUMBERS[fault.side][fault.call]
        page.nth, page.is_always = fault.nth, fault.always
        page.error = SHORT if fault.error == "short" else getattr(errno, fault.error)

    def _start(self, path):
        place, temporary = (os.path.join(self.directory, name) for name in ("run", "tmp"))
        os.mkdir(place)
        os.mkdir(temporary)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": temporary, "FW_FAULTS": path, "LC_ALL": "C.UTF-8"}
        with peers.PEERS.get(self.group, peers.none)(self.directory) as (more, what_is_wrong):
            self._run_host(path, place, {**environment, **more})
            left = self._processes(path)
            if left:
                self.wrong.append("left running: " + ", ".join(left))
            self.wrong += what_is_wrong(self.lines)
        for name in os.listdir(temporary):
            # What the system refuses to remove stays, and the log says so. An agent on its node has no log.
            is_told = any(line.startswith("log: ") and f'{name}", which' in line for line in self.lines)
            is_agent = self.fault is not None and (self.fault.side, self.fault.call) == (1, "unlinkat")
            if not is_told and not is_agent:
                self.wrong.append(f"left in TMPDIR: {name}")
        groups = self._groups()
        # What the system refuses to remove stays.
        if groups and not (self.fault and self.fault.call == "unlinkat"):
            self.wrong.append("left control groups: " + ", ".join(groups))
        self.files = {
            os.path.relpath(os.path.join(base, name), place)
            for base, folders, names in os.walk(place)
            for name in folders + names
        }

    def _run_host(self, path, place, environment):
        host = subprocess.Popen(
            [os.path.join(WORK, "host"), self.group, place],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = host.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"the host has not ended within {DEADLINE} s")
            host.kill()
            output, _ = host.communicate()
        self.lines = output.decode(errors="replace").splitlines()
        if host.returncode < 0 and not self.wrong:
            self.wrong.append(f"the host was ended by {signal.Signals(-host.returncode).name}")
        elif host.returncode > 0:
            self.wrong.append(f"the host ended with the status {host.returncode}")
        self.wrong += [line for line in self.lines if " WRONG: " in line]
        self.told = [line for line in self.lines if " failed: " in line]
        if not any(line == "after ok" for line in self.lines) and not self.wrong:
            self.wrong.append("a step does not succeed after the fault")
        counts = [re.findall(r"\d+", line) for line in self.lines if line.startswith("descriptors ")]
        self.descriptors, sockets, keepers = map(int, counts[0]) if counts else (-1, 0, 0)
        # The library keeps a socket to each supervisor and to each monitor that waits for a command, and libcurl two.
        if sockets > keepers + peers.SOCKETS.get(self.group, 0):
            self.wrong.append(f"{sockets} sockets for {keepers} supervisors and monitors")

    def _groups(self):
        """The control groups of processes that have ended. They are removed here."""
        if self.group != "limits":
            return []

        def is_alive(pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    return file.read() != b""
            except OSError:
                return False

        def dead():
            return [path for path in tree_groups.left() if not is_alive(path.split("-")[-2])]

        # Another run may be about to remove what its fault has left.
        end = time.monotonic() + 30
        while (left := dead()) and time.monotonic() < end and self.fault and self.fault.call != "unlinkat":
            time.sleep(0.1)
        for path in left:
            try:
                os.rmdir(path)
            except OSError:
                pass
        return left

    def _processes(self, path):
        """The processes of a run that do not end although its host has ended. They are ended here."""
        mark = f"FW_FAULTS={path}".encode()

        def living():
            found = {}
            for pid in filter(str.isdigit, set(os.listdir("/proc")) - self.before):
                try:
                    with open(f"/proc/{pid}/environ", "rb") as file:
                        if mark not in file.read().split(b"\0"):
                            continue
                    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                        found[int(pid)] = file.read().split("(")[1].split(")")[0]
                except OSError:
                    continue
            return found

        end, pause = time.monotonic() + 30, 0.02
        while (left := living()) and time.monotonic() < end:
            time.sleep(pause)
            pause = min(2 * pause, 0.3)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return sorted(left.values())


def numbers(count, part):
    """The numbers of a call that fail, of `count` calls."""
    if part == "gate":
        return sorted({1, count})
    return sorted({n for n in (1, 2, 3, 4, 6, 9, 14, 22, 40, 90, count // 2, count) if 1 <= n <= count})


def faults_of(first, part, is_wanted):
    for group, run in first.items():
        for side in range(2):
            for call, errors in ERRNOS[side].items():
                count = min(run.counts[side][NUMBERS[side][call]] for run in run)
                if count == 0 or not is_wanted(group, side, call):
                    continue
                if part == "gate" and call not in GATE.get(group, call).split():
                    continue
                chosen = numbers(count, part)
                for at, error in enumerate(errors):
                    if (group, call, error) in IMPOSSIBLE:
                        continue
                    if error in RULES and call not in PASSING_CALLS:
                        yield Fault(group, side, call, error, 1, True)
                        continue
                    # In the gate each errno once, at the first call or at the last one.
                    for nth in [chosen[at % len(chosen)]] if part == "gate" else chosen:
                        yield Fault(group, side, call, error, nth, False)
                    if part != "gate" and error not in PASSING and call not in PASSING_CALLS:
                        yield Fault(group, side, call, error, 1, True)
                        if count > 2:
                            yield Fault(group, side, call, error, count // 2, True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=["gate", "all"], default="all")
    parser.add_argument("--call", default="")
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--group", choices=GROUPS)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--one", type=Fault.of, help="a fault, as the report names it")
    arguments = parser.parse_args()
    groups = [arguments.one.group] if arguments.one else [arguments.group] if arguments.group else list(GROUPS)
    for group in list(groups):
        missing = tree_groups.why_none() if group == "limits" else peers.missing(group)
        if missing:
            print(f"the group {group} is left out: {missing}")
            groups.remove(group)
    # The counts of two runs may differ a little, as a call may have to wait or not.
    first = {group: [Run(group), Run(group)] for group in groups}
    for group, runs in first.items():
        for run in runs:
            if run.wrong or run.told:
                print(f"{group}, without a fault:", *run.lines, *run.wrong, sep="\n    ")
                return 1
    known = {group: set.union(*(run.files for run in runs)) for group, runs in first.items()}
    most = {group: max(run.descriptors for run in runs) for group, runs in first.items()}

    def is_wanted(group, side, call):
        return arguments.call in ("", call) and arguments.side in (None, SIDES[side])

    every = [arguments.one] if arguments.one else list(faults_of(first, arguments.part, is_wanted))
    if not arguments.one:
        every += [
            fault
            for fault in map(Fault.of, ONCE_WRONG)
            if fault.group in groups and is_wanted(fault.group, fault.side, fault.call) and fault not in every
        ]
    if not every:
        print("no run makes such a call")
        return 1
    table, lock = collections.defaultdict(collections.Counter), threading.Lock()

    def one(fault):
        run = Run(fault.group, fault)
        extra = {name for name in run.files - known[fault.group] if is_strange(name)}
        if fault.call == "unlink":
            # What the system refuses to remove stays: the file into which an agent writes how its commands have ended.
            extra = {name for name in extra if not name.endswith(".status")}
        if extra and run.hits:
            run.wrong.append("left in the run's directory: " + ", ".join(sorted(extra)))
        if run.descriptors > most[fault.group]:
            run.wrong.append(f"descriptors: {run.descriptors}, without a fault {most[fault.group]}")
        if fault.error in ("EINTR", "short") and run.hits and run.told:
            run.wrong.append("a call that was interrupted, or that did a part, is not made again")
        led = "wrong" if run.wrong else "not reached" if run.hits == 0 else "told" if run.told else "no effect"
        with lock:
            row = table[SIDES[fault.side], fault.call]
            row["faults"] += 1
            row[led] += 1
            if run.wrong:
                print(f"WRONG: {fault}", *run.wrong, *run.told, sep="\n    ")
                print(f"    {os.path.relpath(__file__)} --one {fault}", flush=True)
            elif arguments.verbose or arguments.one:
                print(f"{fault}: {led}", *run.told, sep="\n    ", flush=True)

    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for future in [pool.submit(one, fault) for fault in every]:
            future.result()
    return report(table)


def is_strange(name):
    """Whether a name is none that a run may have: state and spilled output have names of their own."""
    return not name.startswith(("state/", "spill/"))


COLUMNS = ("faults", "no effect", "told", "not reached", "wrong")


def report(table):
    print(f"{'call':28}" + "".join(f"{column:>13}" for column in COLUMNS))
    total = collections.Counter()
    for (side, call), row in sorted(table.items()):
        total.update(row)
        print(f"{side + ' ' + call:28}" + "".join(f"{row[column]:13}" for column in COLUMNS))
    print(f"{'all':28}" + "".join(f"{total[column]:13}" for column in COLUMNS))
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
