"""A browser shows the page with the timeline of a run correctly."""

import html
import json
import re
import subprocess

import pytest
from conftest import HANG, variable

import flowworker as fw

#: Tells what a reader would see, in an attribute of the body.
LOOK = """<script>
const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.right, b.width, b.height]; };
document.querySelectorAll('details').forEach(d => d.open = true);
document.body.setAttribute('data-seen', JSON.stringify({
  outcome: document.getElementById('outcome').textContent,
  message: (document.getElementById('message') || {}).textContent,
  bars: [...document.querySelectorAll('i')].map(e => [e.className, box(e), box(e.parentElement),
         getComputedStyle(e).backgroundColor]),
  names: [...document.querySelectorAll('summary b')].map(e => e.textContent),
  commands: [...document.querySelectorAll('.row code')].map(e => e.textContent),
  ends: [...document.querySelectorAll('.end')].map(e => e.textContent),
  output: [...document.querySelectorAll('pre')].map(e => e.textContent),
  scripts: document.scripts.length, wide: document.documentElement.scrollWidth > innerWidth,
  outside: performance.getEntriesByType('resource').length}));
</script>"""


@pytest.fixture
def seen(tmp_path):
    def seen(page, width=1200):
        file = tmp_path / "page.html"
        file.write_text(page.replace("</body>", LOOK + "</body>"))
        command = [
            variable("FW_TEST_BROWSER"),
            "--no-sandbox",
            "--disable-gpu",
            "--user-data-dir=" + str(tmp_path / "profile"),
            "--window-size={},900".format(width),
            "--dump-dom",
            file.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
        found = re.search(r'data-seen="([^"]*)"', done.stdout)
        assert found, done.stderr
        return json.loads(html.unescape(found.group(1)))

    return seen


def container(name, *commands, **facts):
    return fw.ContainerStep(name, "", list(commands), **facts)


def test_a_run_in_a_browser(seen, tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/x").write_text("x")
    workflow = fw.SerialWorkflow(
        [
            container(
                "first <b>&amp;",
                "sleep 0.2; echo '<script>alert(1)</script>'",
                "sleep 0.2; printf 'tab\\tbell\\a\\n\\377'",
            ),
            container("second", "sleep 0.4; echo warning >&2; exit 3", inputs=["x"]),
            container("third", "true"),
        ]
    )
    result = workflow.run(rundir=tmp_path / "run", volumes=[fw.FStore(tmp_path / "v", "v")])
    for width in (1200, 500):
        page = seen(result.view("html"), width)
        assert page["outcome"] == "failed" and page["message"] == result.message
        assert page["names"] == ["first <b>&amp;", "second"]
        assert page["commands"] == [command["command"] for step in result.steps for command in step.commands] + ["x"]
        assert page["output"] == ["<script>alert(1)</script>\ntab\tbell\u2423\n\ufffd", "warning\n"]
        assert len([end for end in page["ends"] if re.fullmatch(r"exited 3, [0-9.]+ s", end)]) == 2
        # What runs in the page is the test's own script, and it loads nothing.
        assert (page["scripts"], page["outside"], page["wide"]) == (1, 0, False)
        kinds = [kind for kind, *_ in page["bars"]]
        assert kinds == ["step good", "command good", "command good", "step bad", "command bad", "copy good"]
        for _, (left, right, width_, height), (lane_left, lane_right, _, _), colour in page["bars"]:
            assert lane_left - 1 <= left < right <= lane_right + 3 and width_ >= 2 and height > 3
            assert colour not in ("rgba(0, 0, 0, 0)", "transparent")
        first, one, two, second, bad, _ = [box for _, box, *_ in page["bars"]]
        assert one[1] <= two[0] + 3 and first[1] <= second[0] + 4, "in the order of time"
        assert page["bars"][0][3] != page["bars"][3][3], "success and failure have colours of their own"


def test_one_step_and_none(seen, tmp_path):
    page = seen(fw.SerialWorkflow([container("alone", "echo said")]).run(rundir=tmp_path).view())
    assert (page["outcome"], page["names"], page["output"]) == ("succeeded", ["alone"], ["said\n"])
    page = seen(fw.SerialWorkflow([]).run(rundir=tmp_path).view())
    assert (page["outcome"], page["names"], page["bars"]) == ("succeeded", [], [])
