"""Harmless attempts at what lies outside of a sandbox. docs/reference/sandbox-attempts.md has the answers."""

import os
import shutil
import subprocess

import pytest
from sandbox_answers import expected, table, wrong
from sandbox_place import NOBODY, Place, build

ALONE = {"private_tmp": False, "processes": "host"}
#: In a list of paths, in place of the program that makes the attempts.
PROGRAM = "the program"
#: The sandboxes, by their names on the page, with the page's column of them.
SETS = {
    "`true`": (True, "`true`"),
    "`true`, later": (True, "`true`"),
    "with a list in `read`": ({"read": ["system", "/sys", PROGRAM]}, "`true`"),
    '`network` is `"host"`': ({"network": "host"}, "`true`"),
    "`tcp_connect`": ({"network": {"tcp_connect": [9]}}, "`true`"),
    "`true`, where there is no Landlock": (True, "`true`"),
    "Landlock alone": ({"network": "host", **ALONE}, "Landlock alone"),
    "`tcp_connect`, Landlock alone": ({"network": {"tcp_connect": [9]}, **ALONE}, "Landlock alone"),
    '`network` is `"none"`, Landlock alone': ({"network": "none", **ALONE}, "Landlock alone"),
}
#: What is refused to the hosts of some of them.
REFUSED = {"`true`, where there is no Landlock": "Landlock"}
BUBBLEWRAP = ["--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--proc", "/proc"]
BUBBLEWRAP += ["--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]
#: What only root may do, or a kernel may lack, or a container may refuse. All others go through without a sandbox.
NEED_ROOT = set(
    """capabilities cgroup_write etc_write handle_open mknod_device netlink_change packet_socket proc_fd raw_socket
    setuid_program sysctl_write sysfs_write""".split()
)
NEED_KERNEL = set(
    """add_key bpf cgroup_write chroot clone3_user_ns clone_user_ns crypto_socket dev_fuse dev_kmsg dev_mem dev_tty
    far_away fast_open file_attribute handle_open io_uring keyctl_session mount mptcp new_mount_ns new_user_ns open_tree
    own_landlock perf_event pidfd_getfd posix_queue proc_environ proc_maps process_vm_readv ptrace remount_root
    sethostname setns sysfs_write tiocsti unmount_dev userfaultfd vsock""".split()
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    program = build(tmp_path_factory.mktemp("attempts"))
    return program or pytest.skip("this machine has no C compiler")


@pytest.fixture(scope="module", params=["root", "user"])
def place(request, program):
    """The place, with what the attempts say there without a sandbox."""
    is_root = os.geteuid() == 0
    if request.param == "root" and not is_root:
        pytest.skip("it needs root")
    try:
        place = Place(program, NOBODY if is_root and request.param == "user" else None)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    place.who = request.param
    place.control = place.answers()
    yield place
    place.close()


def test_the_page_has_each_attempt(program):
    names = [row[0].strip("`") for row in table("attempts")[1:]]
    assert names == subprocess.run([str(program), "list"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    named = {row[0] for row in table("differences")[1:]} | set(table("attempts")[0])
    assert {name for name in SETS if not name.endswith("later")} <= named


def test_the_attempts_go_through_without_a_sandbox(place):
    failed = {name for name, answer in place.control.items() if answer != 0}
    assert failed <= NEED_KERNEL | (NEED_ROOT if place.who == "user" else set())


@pytest.mark.parametrize("name", SETS)
def test_each_attempt_is_answered(place, name):
    sandbox, column = SETS[name]
    if sandbox is not True and "read" in sandbox:
        sandbox = dict(sandbox, read=[str(place.program) if path == PROGRAM else path for path in sandbox["read"]])
    answers = place.answers_in_step({"sandbox": sandbox}, REFUSED.get(name), name.endswith("later"))
    assert wrong(place, answers, column, name) == []


def test_bubblewrap_answers(place):
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap is not installed")
    run = str(place.run)
    answers = place.answers(program, *BUBBLEWRAP, "--bind", run, run, "--chdir", run, "--")
    wanted, ours = expected("bubblewrap", place.who), expected("`true`", place.who)
    for attempt, answer in answers.items():
        if place.control[attempt] == 0 and wanted[attempt] is not None:
            # Another version of it may have another error.
            assert (answer == 0) == (wanted[attempt] == 0), attempt
            # What it refuses, a sandbox refuses as well.
            assert answer == 0 or ours[attempt] != 0, attempt
