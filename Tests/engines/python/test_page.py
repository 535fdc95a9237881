"""A browser shows the page of a run correctly, on a wide and on a narrow screen, light and dark."""

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
const style = (e, name) => getComputedStyle(e)[name];
document.querySelectorAll('details').forEach(d => d.open = true);
document.body.setAttribute('data-seen', JSON.stringify({
  outcome: document.getElementById('outcome').textContent,
  totals: document.getElementById('totals').textContent,
  message: (document.getElementById('message') || {}).textContent,
  bars: [...document.querySelectorAll('.lane i')].map(e => [e.className, box(e), box(e.parentElement),
         style(e, 'backgroundColor')]),
  names: [...document.querySelectorAll('summary b')].map(e => e.textContent),
  rows: [...document.querySelectorAll('summary.row')].map(e => [box(e), box(e.querySelector('.lane')),
        box(e.querySelector('.end'))]),
  commands: [...document.querySelectorAll('.command summary code')].map(e => e.textContent),
  output: [...document.querySelectorAll('pre')].map(e => e.textContent),
  ink: [style(document.body, 'color'), style(document.body, 'backgroundColor')],
  marked: ['#outcome', '.message', 'dt', 'h4'].map(s => document.querySelector(s)).filter(e => e)
          .map(e => style(e, 'color')),
  scripts: document.scripts.length, wide: document.documentElement.scrollWidth > innerWidth, width: innerWidth,
  outside: performance.getEntriesByType('resource').length}));
</script>"""

#: The least width that the browser gives its window is 500, so a narrower page is shown in a frame.
FRAME = """<body style="margin:0"><iframe srcdoc="{}" style="width:{}px;height:900px;border:0"
onload="document.body.setAttribute('data-seen', this.contentDocument.body.getAttribute('data-seen'))"></iframe>"""


@pytest.fixture
def seen(tmp_path):
    def seen(page, width=1280, is_dark=False):
        file = tmp_path / "page.html"
        page = page.replace("</body>", LOOK + "</body>")
        file.write_text(page if width >= 500 else FRAME.format(html.escape(page), width))
        command = [
            variable("FW_TEST_BROWSER"),
            "--no-sandbox",
            "--disable-gpu",
            "--user-data-dir=" + str(tmp_path / "profile"),
            "--window-size={},900".format(max(500, width)),
            "--blink-settings=preferredColorScheme={}".format(0 if is_dark else 1),
            "--dump-dom",
            file.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
        found = re.search(r'<body[^>]* data-seen="([^"]*)"', done.stdout)
        assert found, done.stderr
        look = json.loads(html.unescape(found.group(1)))
        assert look["width"] == width
        return look

    return seen


def luminance(color):
    """The luminance of a colour by the rules of WCAG 2."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def container(name, *commands, **facts):
    return fw.ContainerStep(name, "", list(commands), **facts)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/x").write_text("x")
    workflow = fw.Workflow(
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
    return workflow.run(rundir=tmp_path / "run", volumes=[fw.FStore(tmp_path / "v", "v")])


@pytest.mark.parametrize(("width", "is_dark"), [(1280, False), (1280, True), (500, False), (420, False), (420, True)])
def test_a_run_in_a_browser(seen, run, width, is_dark):
    page = seen(run.view("html"), width, is_dark)
    assert page["outcome"] == "failed" and page["message"] == run.message
    assert page["totals"] == "1 of 3 steps failed, 1 succeeded, 1 was not reached."
    assert page["names"] == ["first <b>&amp;", "second"]
    assert page["commands"] == [command["command"] for step in run.steps for command in step.commands]
    assert page["output"] == ["<script>alert(1)</script>\n", "tab\tbell\u2423\n\ufffd", "warning\n"]
    # What runs in the page is the test's own script, and it loads nothing.
    assert (page["scripts"], page["outside"], page["wide"]) == (1, 0, False)
    kinds = [kind for kind, *_ in page["bars"]]
    assert kinds == ["waiting", "running", "running", "waiting", "copying", "running bad"]
    for _, (left, right, width_, height), (lane_left, lane_right, _, _), colour in page["bars"]:
        assert lane_left - 1 <= left < right <= lane_right + 3 and width_ >= 2 and height > 3
        assert colour not in ("rgba(0, 0, 0, 0)", "transparent")
    first, one, two, second, _, bad = [box for _, box, *_ in page["bars"]]
    assert one[1] <= two[0] + 3 and first[1] <= second[0] + 4, "in the order of time"
    assert page["bars"][1][3] != page["bars"][5][3], "success and failure have colours of their own"
    # Text has the contrast that WCAG's level AA wants.
    ink, paper = page["ink"]
    assert (luminance(paper) < 0.1) == is_dark
    assert all(contrast(colour, paper) >= 4.5 for colour in [ink, *page["marked"]])
    for row, lane, end in page["rows"]:
        assert lane[2] > (width - 60 if width <= 500 else 300), "the times have room on a narrow screen, too"
        assert row[0] <= end[0] and end[1] <= row[1] + 1


def test_one_step_and_none(seen, tmp_path):
    page = seen(fw.Workflow([container("alone", "echo said")]).run(rundir=tmp_path).view())
    assert (page["outcome"], page["names"], page["output"]) == ("succeeded", ["alone"], ["said\n"])
    page = seen(fw.Workflow([]).run(rundir=tmp_path).view())
    assert (page["outcome"], page["names"], page["bars"]) == ("succeeded", [], [])
