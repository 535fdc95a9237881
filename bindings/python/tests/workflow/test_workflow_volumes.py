"""Volumes in local directories: which files are copied, which are not, and which are refused."""

import os
import subprocess
import sys
import threading

import pytest

import flowworker as fw


def container(name, *commands, **facts):
    return fw.ContainerStep(name, "", list(commands), **facts)


class Place:
    """Two volumes beside the run directory, with a worker for each."""

    def __init__(self, root):
        self.run, self.a, self.b = root / "run", root / "a", root / "b"
        for path in (self.run, self.a, self.b):
            path.mkdir()

    def volumes(self, **files):
        return [
            {**fw.FStore(self.a, "a"), "files": files.get("a", [])},
            {**fw.FStore(self.b, "b"), "files": files.get("b", [])},
        ]

    def execute(self, *steps, workers=None, **options):
        pool = fw.WorkerPool([fw.Subprocess(name, volume=name) for name in "ab"], workers)
        files = {name: options.pop(name, []) for name in "ab"}
        return fw.Workflow(list(steps), workers=pool).run(volumes=self.volumes(**files), rundir=self.run, **options)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def copies(result):
    return [(copy["key"], copy["from"], copy["to"]) for copy in result.copies]


def test_only_missing_files_move_and_the_latest_version_wins(place):
    (place.run / "in.txt").write_text("1\n")
    (place.b / "in.txt").write_text("old\n")
    result = place.execute(
        container("one", "cat in.txt; echo 2 > in.txt", inputs=["in.txt"], outputs=["in.txt"]),
        container("two", "cat in.txt", inputs=["in.txt"]),
        container("three", "cat in.txt", inputs=["in.txt"]),
        container("four", "cat in.txt; echo 3 > in.txt", inputs=["in.txt"], outputs=["in.txt"]),
        container("five", "cat in.txt", inputs=["in.txt"]),
        workers={"one": "a", "two": "b", "three": "b", "four": "b", "five": "a"},
    ).check()
    assert result.stdout == ["1\n", "2\n", "2\n", "2\n", "3\n"]
    assert copies(result) == [
        ("in.txt", "__default__", "a"),
        ("in.txt", "a", "b"),
        ("in.txt", "b", "a"),
    ]
    assert [copy["step"] for copy in result.copies] == [0, 1, 4]
    assert (place.run / "in.txt").read_text() == "1\n"


def test_what_a_volume_lists_is_copied_from_there(place):
    (place.a / "x").write_text("from a\n")
    (place.run / "x").write_text("from the run\n")
    result = place.execute(container("s", "cat x", inputs=["x"]), a=["x"]).check()
    assert result.stdout == ["from a\n"] and copies(result) == [("x", "a", "__default__")]
    # What nobody lists is looked for: in the volume itself, the default one, and then the others.
    (place.b / "y").write_text("unlisted\n")
    result = place.execute(container("s", "cat y", inputs=["y"])).check()
    assert result.stdout == ["unlisted\n"] and copies(result) == [("y", "b", "__default__")]


def test_a_listing_that_is_wrong_is_told(place):
    result = place.execute(container("s", "cat x", inputs=["x"]), a=["x"])
    assert result.outcome == "input_missing"
    assert 'its input "x" is missing: the volume "a" has no such file or folder' in result.message
    result = place.execute(container("s", "cat x", inputs=["x"]), workers={"s": "a"}, a=["x"])
    assert result.outcome == "input_missing" and '"x"' in result.message


def test_a_folder_moves_with_all_that_is_in_it(place):
    (place.a / "data/deep").mkdir(parents=True)
    (place.a / "data/empty").mkdir()
    (place.a / "data/one").write_text("1")
    (place.a / "data/deep/two").write_text("2")
    (place.a / "database").write_text("no")
    result = place.execute(container("s", "ls -R data", inputs=["data/"])).check()
    assert sorted(copies(result)) == [
        ("data/deep/two", "a", "__default__"),
        ("data/one", "a", "__default__"),
    ]
    # A step's folder replaces what was known of the files in it.
    result = place.execute(
        container("make", "mkdir out; echo 1 > out/x; echo 2 > out/y", outputs=["out/"]),
        container("change", "echo 3 > out/x", inputs=["out/x"], outputs=["out/x"]),
        container("read", "cat out/x out/y", inputs=["out/"]),
        workers={"make": "a", "change": "b", "read": "b"},
    ).check()
    assert result.stdout == ["3\n2\n"]
    # What is newer in the volume is not overwritten.
    assert copies(result) == [("out/x", "a", "b"), ("out/y", "a", "b")]
    result = place.execute(
        container("old", "mkdir -p o; echo old > o/x", outputs=["o/x"]),
        container("new", "echo new > o/x", outputs=["o/"]),
        container("read", "cat o/x", inputs=["o/x"]),
        workers={"old": "a", "new": "b", "read": "a"},
    ).check()
    assert result.stdout == ["new\n"]


def test_an_empty_folder_is_one(place):
    (place.a / "e").mkdir()
    assert place.execute(container("s", "ls -d e", inputs=["e/"])).check().stdout == ["e\n"]
    assert place.execute(container("s", "ls", inputs=["none/"])).outcome == "input_missing"


def test_modes_are_kept(place):
    for name, mode in (("run.sh", 0o755), ("private", 0o600), ("read-only", 0o444)):
        (place.a / name).write_text("#!/bin/sh\necho ran\n")
        (place.a / name).chmod(mode)
    result = place.execute(
        container("s", "./run.sh; stat -c %a run.sh private read-only", inputs=["run.sh", "private", "read-only"])
    ).check()
    assert result.stdout == ["ran\n755\n600\n444\n"]
    # The copy replaces a read-only file.
    assert place.execute(container("s", "true", inputs=["read-only"]), a=["read-only"]).check()


def test_large_files_and_many_files(place):
    (place.a / "large").write_bytes(os.urandom(1 << 20) * 40)
    (place.a / "many").mkdir()
    for number in range(2000):
        (place.a / "many" / str(number)).write_text(str(number))
    result = place.execute(
        container("s", "cmp large {0}/large; ls many | wc -l".format(place.a), inputs=["large", "many/"])
    ).check()
    assert result.stdout == ["2000\n"] and len(result.copies) == 2001
    assert sum(copy["bytes"] for copy in result.copies) > 40 << 20


@pytest.mark.parametrize("what", ["file", "folder", "absolute"])
def test_links_that_lead_out_are_refused(place, tmp_path, what):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/x").write_text("secret")
    link, target = {
        "file": ("x", "../secret/x"),
        "folder": ("d", "../secret"),
        "absolute": ("x", str(tmp_path / "secret/x")),
    }[what]
    (place.a / link).symlink_to(target)
    key = "d/x" if what == "folder" else "x"
    for listed in ([key], []):
        result = place.execute(container("s", "cat " + key, inputs=[key]), a=listed)
        assert result.outcome == "volume_failed"
        assert 'leads out of the volume "a" by a symbolic link' in result.message and key in result.message
    assert not (place.run / key).exists()


def test_links_that_lead_out_are_not_written_through(place, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (place.run / "out").symlink_to(tmp_path / "elsewhere")
    (place.a / "out").mkdir()
    (place.a / "out/x").write_text("x")
    result = place.execute(container("s", "true", inputs=["out/x"]), a=["out/x"])
    assert result.outcome == "volume_failed" and "leads out" in result.message
    result = place.execute(container("s", "true", outputs=["out/new/y"]))
    assert result.outcome == "volume_failed" and "leads out" in result.message
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_links_inside_a_volume_are_followed(place):
    (place.a / "real").write_text("content\n")
    (place.a / "link").symlink_to("real")
    assert place.execute(container("s", "cat link; test ! -L link", inputs=["link"])).check().stdout == ["content\n"]
    (place.a / "loop").mkdir()
    (place.a / "loop/again").symlink_to(".")
    # A link to where it is has no end: it is copied as one.
    assert place.execute(container("s", "readlink loop/again", inputs=["loop/"])).check().stdout == [".\n"]


def test_something_else_than_a_file_is_refused(place):
    os.mkfifo(place.a / "pipe")
    result = place.execute(container("s", "true", inputs=["pipe"]), a=["pipe"])
    assert result.outcome == "volume_failed" and 'the key "pipe" of the volume "a" is a pipe' in result.message


def test_a_file_that_changes_while_it_is_copied(place):
    (place.a / "growing").write_bytes(bytes(200 << 20))
    ended = threading.Event()

    def grow():
        with open(place.a / "growing", "ab") as file:
            while not ended.is_set():
                file.write(b"x" * 4096)
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        result = place.execute(container("s", "true", inputs=["growing"]))
    finally:
        ended.set()
        thread.join()
    assert result.outcome == "volume_failed"
    assert 'the key "growing" of the volume "a" changed while it was copied' in result.message
    assert list(place.run.iterdir()) == []


FULL = """
import resource, sys
import flowworker as fw
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
step = fw.ContainerStep("s", "", ["true"], inputs=["big"])
first = fw.ContainerStep("f", "", ["echo first"])
pool = fw.WorkerPool(volumes=[fw.FStore(sys.argv[1], "a")])
result = fw.Workflow([first, step], workers=pool).run(rundir=sys.argv[2])
print(result.outcome, result.message, result.stdout)
"""


def test_no_room_for_a_file(place, python_env):
    # The limit of file sizes stands for a full disk, and its signal does not end the host.
    (place.a / "big").write_bytes(bytes(1 << 20))
    done = subprocess.run(
        [sys.executable, "-c", FULL, place.a, place.run], capture_output=True, text=True, env=python_env
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('volume_failed step "s" ')
    assert '"big" cannot be copied from the volume "a" to the volume "__default__": File too large' in done.stdout
    assert "['first\\n']" in done.stdout
    assert list(place.run.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here: " + done.stderr.strip())
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("key", ["big", "many/"])
def test_a_full_disk(place, small_disk, key):
    (place.a / "big").write_bytes(os.urandom(3 << 20))
    (place.a / "many").mkdir()
    for number in range(30):
        (place.a / "many" / str(number)).write_bytes(os.urandom(100_000))
    pool = fw.WorkerPool(volumes=[fw.FStore(place.a, "a")])
    result = fw.Workflow([container("s", "true", inputs=[key])], workers=pool).run(rundir=small_disk / "run")
    assert result.outcome == "volume_failed"
    assert 'cannot be copied from the volume "a" to the volume "__default__": No space left on device' in result.message
    # The files that exist are complete.
    for copy in (small_disk / "run").rglob("*"):
        assert copy.is_dir() or copy.read_bytes() == (place.a / copy.relative_to(small_disk / "run")).read_bytes()
    # As an output, on its way to the run directory.
    pool = fw.WorkerPool([fw.Subprocess("w", volume="b")], {"s": "w"}, volumes=[fw.FStore(place.b, "b")])
    step = container("s", "head -c 3000000 /dev/urandom > out", outputs=["out"])
    flow = fw.Workflow.from_template({"files": {"outputs": ["out"]}, "steps": [step.to_document()]}, workers=pool)
    result = flow.run(rundir=small_disk / "again")
    assert result.outcome == "volume_failed" and "No space left on device" in result.message
    assert not (small_disk / "again/out").exists()


READ_ERROR = """
import ctypes, platform, struct, sys
import flowworker as fw
numbers = {"x86_64": (326, 17), "aarch64": (285, 67)}.get(platform.machine())
if numbers is None:
    sys.exit(77)
pool = fw.WorkerPool(volumes=[fw.FStore(sys.argv[1], "a")])
flow = fw.Workflow([fw.ContainerStep("s", "", ["true"], inputs=["big"])], workers=pool)
# A filter that lets copy_file_range(2) and pread(2) fail with EIO, and all else pass.
code = [(0x20, 0, 0, 0), (0x15, 1, 0, numbers[0]), (0x15, 0, 1, numbers[1])]
code += [(0x06, 0, 0, 0x50005), (0x06, 0, 0, 0x7fff0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(filter)), 0, 0):
    sys.exit(77)
result = flow.run(rundir=sys.argv[2])
print(result.outcome, result.message)
"""


def test_a_file_that_cannot_be_read(place, python_env):
    (place.a / "big").write_bytes(os.urandom(1 << 20))
    done = subprocess.run(
        [sys.executable, "-c", READ_ERROR, place.a, place.run], capture_output=True, text=True, env=python_env
    )
    if done.returncode == 77:
        pytest.skip("no system calls can be made to fail here")
    assert done.returncode == 0, done.stderr
    assert "volume_failed" in done.stdout
    assert '"big" cannot be copied from the volume "a" to the volume "__default__": Input/output error' in done.stdout
    assert list(place.run.iterdir()) == []


def test_a_volume_that_cannot_be_used(place, tmp_path):
    (tmp_path / "file").write_text("")
    pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], {"s": "w"}, volumes=[fw.FStore(tmp_path / "file/x", "v")])
    result = fw.Workflow([container("s", "true")], workers=pool).run(rundir=place.run)
    assert result.outcome == "volume_failed"
    assert 'of the volume "v" cannot be used: Not a directory' in result.message


def test_the_default_volume(tmp_path, monkeypatch):
    workflow = fw.Workflow([container("s", "pwd")])
    monkeypatch.chdir(tmp_path)
    assert workflow.run().stdout == [str(tmp_path) + "\n"]
    assert workflow.run(volumes=fw.DefaultVolume(tmp_path / "d")).stdout == [str(tmp_path / "d") + "\n"]
    # The run directory wins, as in flowServ's engine; it is made if it does not exist.
    result = workflow.run(volumes=fw.DefaultVolume(tmp_path / "d"), rundir=tmp_path / "r/s")
    assert result.stdout == [str(tmp_path / "r/s") + "\n"]
    manager = fw.VolumeManager(
        [fw.FStore(tmp_path / "d", fw.DEFAULT_STORE), fw.FStore(tmp_path / "e", "e")],
        {"x": ["e"], "y": ["e", fw.DEFAULT_STORE]},
    )
    (tmp_path / "e").mkdir(exist_ok=True)
    (tmp_path / "e/x").write_text("x of e\n")
    result = fw.Workflow([container("s", "cat x", inputs=["x"])]).run(volumes=manager).check()
    assert result.stdout == ["x of e\n"]
    with pytest.raises(ValueError, match="__default__"):
        fw.VolumeManager([fw.FStore(tmp_path)])
    with pytest.raises(ValueError, match="'f'"):
        fw.VolumeManager([fw.FStore(tmp_path, fw.DEFAULT_STORE)], {"x": ["f"]})


def test_the_outputs_of_the_workflow_come_to_the_run_directory(place):
    step = container("s", "mkdir -p r; echo made > r/x; echo one > one", outputs=["r/x", "one"])
    document = {"files": {"outputs": ["r/", "one"]}, "steps": [step.to_document()]}
    pool = fw.WorkerPool([fw.Subprocess("w", volume="a")], {"s": "w"}, volumes=place.volumes())
    fw.Workflow.from_template(document, workers=pool).run(rundir=place.run).check()
    assert (place.run / "r/x").read_text() == "made\n" and (place.run / "one").read_text() == "one\n"


def test_a_run_with_volumes_keeps_the_interpreter_of_the_pool(tmp_path):
    pool = fw.WorkerPool([fw.Code("c", options={"python": sys.executable})], {"s": "c"})
    workflow = fw.Workflow([fw.CodeStep("s", "os.getppid", "interpreter")], workers=pool)
    runs = [workflow.run(volumes=fw.DefaultVolume(tmp_path / name)).check() for name in ("one", "two")]
    assert runs[0].get("interpreter") == runs[1].get("interpreter") != os.getpid()


def test_two_volumes_may_be_one_directory(place):
    (place.a / "x").write_text("x\n")
    pool = fw.WorkerPool(
        [fw.Subprocess("w", volume="a")], {"s": "w"}, volumes=[fw.FStore(place.a, "a"), fw.FStore(place.a, "same")]
    )
    workflow = fw.Workflow(
        [container("s", "cat x", inputs=["x"], outputs=["x"], kept=True), container("t", "cat x", inputs=["x"])],
        workers=pool,
    )
    assert workflow.run(rundir=place.a).check().stdout == ["x\n", "x\n"]


def test_descriptors_are_given_back(place):
    (place.a / "d").mkdir()
    for number in range(50):
        (place.a / "d" / str(number)).write_text("x")
    place.execute(container("s", "true", inputs=["d/"]))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        place.execute(container("s", "true", inputs=["d/"]), a=["d/"])
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_cancel_while_files_are_copied(place):
    (place.a / "d").mkdir()
    for number in range(3000):
        (place.a / "d" / str(number)).write_text("x")
    pool = fw.WorkerPool(volumes=place.volumes())
    run = fw.Workflow([container("s", "true", inputs=["d/"])], workers=pool).start(rundir=place.run)
    while run.next_event().kind != "file_copied":
        pass
    run.cancel()
    result = run.wait()
    assert result.outcome == "cancelled" and result.message == 'step "s" was not started because the run was cancelled'
    assert 0 < len(list((place.run / "d").iterdir())) < 3000
