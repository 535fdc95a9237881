"""Keys are bytes, and the content of a folder is copied unchanged or refused with its reason."""

import os
import socket
import stat

import pytest

import flowworker as fw

# "/" and one of these behind it are one character for those who take text apart by characters.
MARKS = {"none": "", "U+0301": "\u0301", "U+200D": "\u200d", "U+FE0F": "\ufe0f", "U+20DD": "\u20dd"}


def container(name, *commands, **facts):
    return fw.ContainerStep(name, "", list(commands), **facts)


class Place:
    """Two volumes beside the run directory; a step named after a volume runs there."""

    def __init__(self, root):
        self.root = root
        for name in ("run", "src", "dst", "outside"):
            (root / name).mkdir()
        self.run, self.src, self.dst, self.outside = (root / name for name in ("run", "src", "dst", "outside"))

    def execute(self, *steps, files=None, **options):
        pool = fw.WorkerPool(
            [fw.Subprocess("w" + name, volume=name) for name in ("src", "dst")],
            {"src": "wsrc", "dst": "wdst"},
            volumes=[fw.FStore(self.src, "src"), fw.FStore(self.dst, "dst")],
        )
        document = {"files": files or {}, "steps": [step.to_document() for step in steps]}
        return fw.Workflow.from_template(document, workers=pool).run(rundir=self.run, **options)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
@pytest.mark.parametrize("key", ["../{}x", "a/../{}x", "a/..", "/{}x", "..", "./../{}x", "{0}a/../../{0}x"])
def test_no_key_leads_out(mark, key):
    for files in ({"inputs": [key.format(mark)]}, {"outputs": [key.format(mark)]}):
        with pytest.raises(fw.DocumentError):
            fw.Workflow.from_template({"files": files, "steps": []})
        step = {"name": "s", "files": files, "action": {"environment": "", "commands": []}}
        with pytest.raises(fw.DocumentError):
            fw.Workflow.from_template({"steps": [step]})


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_no_file_is_written_out_of_a_volume(place, mark):
    (place.dst / "d").symlink_to(place.outside)
    key = "d/{}evil.sh".format(mark)
    result = place.execute(
        container("src", "mkdir -p d; echo evil > '{}'".format(key), outputs=[key]),
        container("dst", "true", inputs=[key]),
    )
    assert result.outcome == "volume_failed"
    assert 'leads out of the volume "dst" by a symbolic link: "d" is one to ' in result.message
    assert list(place.outside.iterdir()) == []


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
@pytest.mark.parametrize("whole", [True, False])
def test_files_whose_name_begins_with_a_mark(place, mark, whole):
    name = mark + "x"
    (place.src / "d").mkdir()
    (place.src / "d" / name).write_text("content\n")
    key = "d/" if whole else "d/" + name
    place.execute(container("dst", "cat 'd/{}'".format(name), inputs=[key])).check()
    assert os.listdir(place.dst / "d") == [name]


def test_names_that_are_equal_as_characters_are_two(place):
    one, two = "\u00e9", "e\u0301"
    for key, text in ((one, "one"), (two, "two")):
        (place.src / key).write_text(text)
    step = container("dst", "true", inputs=[one, two])
    result = place.execute(step).check()
    assert sorted(copy["key"] for copy in result.copies) == sorted([one, two])
    assert ((place.dst / one).read_text(), (place.dst / two).read_text()) == ("one", "two")
    # A folder, and another that only looks the same.
    for folder in (one, two):
        (place.src / ("d" + folder)).mkdir()
        (place.src / ("d" + folder) / "x").write_text(folder)
    place.execute(container("dst", "true", inputs=["d" + two + "/"])).check()
    assert os.listdir(place.dst) and (place.dst / ("d" + two) / "x").read_text() == two
    assert not (place.dst / ("d" + one)).exists()


@pytest.mark.parametrize("key", ["code", "code/", "link", "link/"])
def test_a_folder_as_an_input(place, key):
    (place.run / "code/deep").mkdir(parents=True)
    (place.run / "code/plot.py").write_text("plot")
    (place.run / "code/deep/x").write_text("x")
    (place.run / "link").symlink_to("code")
    for files in ({}, {"inputs": [key]}):
        result = place.execute(container("dst", "cat {0}/plot.py {0}/deep/x".format(key), inputs=[key]), files=files)
        assert result.check().stdout == ["plotx"]


@pytest.mark.parametrize("key", ["res", "res/"])
@pytest.mark.parametrize("of_step", [True, False])
@pytest.mark.parametrize("name", ["s", "src"])
def test_a_folder_as_an_output(place, key, of_step, name):
    step = container(name, "mkdir -p res/deep; echo 1 > res/f; echo 2 > res/deep/g", outputs=[key] if of_step else [])
    place.execute(step, files={"outputs": [key]}).check()
    assert ((place.run / "res/f").read_text(), (place.run / "res/deep/g").read_text()) == ("1\n", "2\n")


@pytest.mark.parametrize("made", ["res", "res/"])
@pytest.mark.parametrize("needed", ["res", "res/"])
@pytest.mark.parametrize("second", ["dst", "s"])
def test_a_folder_from_one_volume_to_the_next(place, made, needed, second):
    place.execute(
        container("src", "mkdir -p res; echo 1 > res/f", outputs=[made]),
        container(second, "cat res/f", inputs=[needed]),
    ).check()


def test_a_folder_that_a_document_lists(place):
    (place.src / "d").mkdir()
    (place.src / "d/x").write_text("x")
    for listed in ("d", "d/"):
        volumes = [{**fw.FStore(place.src, "src"), "files": [listed]}]
        for key in ("d", "d/", "d/x"):
            run = place.root / (listed + key).replace("/", "_")
            step = container("s", "cat d/x", inputs=[key])
            assert fw.Workflow([step]).run(volumes=volumes, rundir=run).check().stdout == ["x"]


def test_a_file_is_no_folder(place):
    (place.src / "x").write_text("x")
    result = place.execute(container("dst", "true", inputs=["x/"]))
    assert result.outcome == "input_missing" and 'its input "x/" is missing: no such folder' in result.message
    # A file takes the place of a folder.
    result = place.execute(
        container("src", "mkdir t; echo 1 > t/x", outputs=["t/x"]),
        container("dst", "echo 2 > t", outputs=["t"]),
        container("s", "cat t", inputs=["t"]),
    )
    assert result.check().stdout == ["2\n"]


# --- what is in a folder --------------------------------------------------------------------------


def test_empty_folders_arrive(place):
    made = container("src", "mkdir -p d/sub/deep d/other; echo 1 > d/f; echo 2 > d/other/g", outputs=["d/"])
    result = place.execute(made, container("dst", "find d | sort", inputs=["d/"])).check()
    assert result.stdout == ["d\nd/f\nd/other\nd/other/g\nd/sub\nd/sub/deep\n"]
    assert sorted(copy["key"] for copy in result.copies) == ["d/f", "d/other/g"]


def test_names_of_any_bytes(place):
    made = container("src", r"mkdir -p d; echo 1 > d/$$(printf 'a\377b')", outputs=["d/"])
    place.execute(made, container("dst", "true", inputs=["d"])).check()
    assert os.listdir(os.fsencode(place.dst / "d")) == [b"a\xffb"]


def test_links_into_the_volume_are_followed(place):
    (place.src / "real").mkdir()
    (place.src / "real/x").write_text("x")
    (place.src / "d").mkdir()
    links = {
        "absolute": place.src / "real/x",
        "relative": "../real/x",
        "folder": place.src / "real",
        "two": place.src / "d/folder/x",
    }
    for name, target in links.items():
        (place.src / "d" / name).symlink_to(target)
    (place.src / "top").symlink_to(place.src / "d")
    for key in ("d", "top/", "top/folder/x", "d/two", "d/absolute"):
        place.execute(container("dst", "true", inputs=[key])).check()
    for name in ("absolute", "relative", "folder/x", "two"):
        for folder in ("d", "top"):
            copy = place.dst / folder / name
            assert copy.read_text() == "x" and not copy.is_symlink()
    # As an output, from the step's own directory.
    step = container("src", 'echo t > t; ln -sf "$$PWD/t" o', outputs=["o"])
    assert place.execute(step, container("dst", "cat o", inputs=["o"])).check().stdout == ["t\n"]


def test_links_that_lead_nowhere_are_copied_as_links(place):
    made = container(
        "src", "mkdir -p d/s; echo 1 > d/f; ln -s .. d/s/up; ln -s nowhere d/gone; ln -s self d/self", outputs=["d/"]
    )
    place.execute(made, container("dst", "true", inputs=["d/"])).check()
    assert {name: os.readlink(place.dst / "d" / name) for name in ("s/up", "gone", "self")} == {
        "s/up": "..",
        "gone": "nowhere",
        "self": "self",
    }


@pytest.mark.parametrize(
    "command, told",
    [
        (
            "ln -s /nowhere d/l",
            'the key "d/l" leads out of the volume "src" by a symbolic link: "d/l" is one to "/nowhere"',
        ),
        ('ln -s "$$PWD/gone" d/l', 'the key "d/l" of the volume "src" is a symbolic link to "'),
        (
            "ln -s ../../gone d/l",
            'the key "d/l" leads out of the volume "src" by a symbolic link: "d/l" is one to "../../gone"',
        ),
        ("mkfifo d/l", 'the key "d/l" of the volume "src" is a pipe (FIFO), not a file, and cannot be copied'),
        (r"mkfifo d/$$(printf 'a\377b')", r'the key "d/a\xFFb" of the volume "src" is a pipe'),
    ],
)
def test_what_cannot_be_copied_is_told(place, command, told):
    result = place.execute(
        container("src", "mkdir d; " + command, outputs=["d/"]), container("dst", "true", inputs=["d/"])
    )
    assert result.outcome == "volume_failed" and told in result.message


def test_a_socket_is_told(place, monkeypatch):
    (place.src / "d").mkdir()
    monkeypatch.chdir(place.src / "d")  # A socket's path has 107 bytes at most.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        for key in ("d", "d/s"):
            result = place.execute(container("dst", "true", inputs=[key]))
            assert result.outcome == "volume_failed"
            assert 'the key "d/s" of the volume "src" is a socket' in result.message


def test_a_device_is_told(place):
    (place.src / "d").mkdir()
    try:
        os.mknod(place.src / "d/null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root can make a device")
    for key in ("d", "d/null"):
        result = place.execute(container("dst", "true", inputs=[key]))
        assert result.outcome == "volume_failed"
        assert 'the key "d/null" of the volume "src" is a device' in result.message


def test_a_link_that_leads_to_itself(place):
    (place.src / "x").symlink_to("x")
    result = place.execute(container("dst", "true", inputs=["x"]))
    assert result.outcome == "volume_failed"
    assert 'the key "x" of the volume "src" is a symbolic link to "x", which does not exist' in result.message


def test_links_to_folders_of_links(place):
    """Each folder is reached by two links from the one before, so there are 2 to the power of 30 paths."""
    for number in range(31):
        folder = place.src / "d" / str(number)
        folder.mkdir(parents=True)
        for name in ("a", "b") if number < 30 else ():
            (folder / name).symlink_to("../%d" % (number + 1))
    result = place.execute(container("dst", "true", inputs=["d/0/"]))
    assert result.outcome == "volume_failed"
    assert 'the folder "d/0/" of the volume "src" has more than 1000 symbolic links to folders' in result.message
