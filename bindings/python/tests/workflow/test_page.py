"""The page of a result says what a person asks, nothing in it is markup from outside, and its size is bounded."""

import json
import os
import re
import signal
import time
from html.parser import HTMLParser

import pytest

import flowworker as fw

VOID = ("meta", "br")


class Page(HTMLParser):
    """What a reader of a page sees: the text of its elements by their id, tag and class."""

    def __init__(self, page):
        super().__init__()
        self.open = []
        self.tags = []
        self.texts = []
        self.feed(page)
        assert self.open == [], "each element has an end"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            entry = [tag, dict(attributes), ""]
            self.open.append(entry)
            self.texts.append(entry)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for entry in self.open:
            entry[2] += data.replace("\xa0", " ")

    def all(self, tag=None, kind=None, id=None):
        return [
            text.strip()
            for name, attributes, text in self.texts
            if (tag is None or name == tag)
            and (kind is None or kind in (attributes.get("class") or "").split())
            and (id is None or attributes.get("id") == id)
        ]

    def one(self, **what):
        (text,) = self.all(**what)
        return text

    def facts(self, id="facts"):
        """The pairs of a list of facts."""
        (start,) = [n for n, (tag, attributes, _) in enumerate(self.texts) if attributes.get("id") == id]
        names, values = [], []
        for tag, _, text in self.texts[start:]:
            if tag == "section" and names:
                break
            if tag in ("dt", "dd"):
                (names if tag == "dt" else values).append(text.strip())
        return dict(zip(names, values))


def step(name, *commands, **facts):
    return fw.ContainerStep(name, "", list(commands), **facts)


def page_of(*steps, rundir, **options):
    result = fw.Workflow(list(steps)).run(rundir=rundir, **options)
    return result, Page(result.view())


def run_alone(rundir, *commands, worker=None, name="alone", facts=None, **options):
    worker = fw.create_worker(worker or {"name": "local", "type": "subprocess"})
    result = worker.exec(step(name, *commands, **(facts or {})), {}, rundir, **options)
    return result, Page(result.view())


TEMPLATE = {
    "name": "Monthly report",
    "parameters": [
        {"name": "month", "dtype": "string"},
        {"name": "limit", "dtype": "int", "defaultValue": 10},
        {"name": "password", "dtype": "string"},
    ],
    "workflow": {
        "steps": [
            {"name": "greet", "secrets": ["password"], "action": {"environment": "", "commands": ["echo $$password"]}}
        ]
    },
}


def test_the_beginning_says_name_time_directory_and_arguments(tmp_path):
    before = time.time()
    result = fw.Workflow.from_template(TEMPLATE).run({"month": "<May>", "password": "geheim-1"}, rundir=tmp_path)
    text = result.view()
    page = Page(text)
    assert page.one(tag="title") == "Monthly report: succeeded"
    assert page.one(tag="h1") == "Monthly report succeeded" and page.one(id="outcome") == "succeeded"
    assert page.one(id="totals") == "1 of 1 step succeeded."
    facts = page.facts()
    assert facts["Run directory"] == str(tmp_path)
    dates = [time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(when)) for when in (before, time.time())]
    assert dates[0] <= facts["Started"] <= dates[1] and facts["Duration"].endswith("s")
    assert page.facts("arguments") == {"limit": "10", "month": "<May>", "password": "***"}
    assert "geheim-1" not in text and "***" in page.one(tag="pre")


def test_the_totals_of_a_run_that_failed(tmp_path):
    steps = [step("a", "true"), step("b", "echo why >&2; exit 3"), step("c", "true"), step("d", "true")]
    result, page = page_of(*steps, rundir=tmp_path)
    assert page.one(id="outcome") == "failed"
    assert page.one(id="totals") == "1 of 4 steps failed, 1 succeeded, 2 were not reached."
    assert page.one(id="message") == result.message
    assert not page.all(kind="likely")
    assert [end.split(",")[0] for end in page.all(tag="span", kind="bad")][:2] == ["failed", "exited with status 3"]
    reasons = ['waits for step "b", which failed', 'waits for step "c", which was not run']
    assert [missing["reason"] for missing in result.not_run] == reasons
    assert page.all(kind="gone") == [f"3. c{reasons[0]}not reached", f"4. d{reasons[1]}not reached"]
    # The step that failed is open, and those that succeeded are not.
    details = [attributes for tag, attributes in page.tags if tag == "details" and attributes["class"] == "step"]
    assert ["open" in attributes for attributes in details] == [False, True]


def test_attempts_have_their_output(tmp_path):
    command = "echo x >> count; n=$$(wc -l < count); echo attempt $$n; test $$n -eq 3"
    _, page = page_of(step("again", command, retries={"max": 2, "delay": 0.01}), rundir=tmp_path)
    assert page.one(id="totals") == "1 of 1 step succeeded."
    assert page.all(tag="h3") == [
        "Attempt 1 of 3: exited with status 1; the next one began 10.0 ms later",
        "Attempt 2 of 3: exited with status 1; the next one began 20.0 ms later",
        "Attempt 3 of 3: succeeded",
    ]
    assert page.all(tag="pre") == ["attempt 1", "attempt 2", "attempt 3"]
    assert [text for text in page.all(tag="li") if text.startswith("pauses before another attempt: ")]


def test_a_resumed_run_says_what_was_restored_and_when(tmp_path):
    flag = tmp_path / "flag"
    steps = [step("one", "echo 1"), step("two", f"test -e {flag}"), step("three", "echo 3")]
    options = {"rundir": tmp_path / "run", "state": tmp_path / "state"}
    _, page = page_of(*steps, **options)
    assert page.one(id="totals") == "1 of 3 steps failed, 1 succeeded, 1 was not reached."
    assert page.facts()["State directory"] == str(tmp_path / "state")
    flag.write_text("")
    _, page = page_of(*steps, **options)
    assert page.one(id="totals") == "2 of 3 steps succeeded now, 1 was restored from an earlier run."
    when = page.facts()["Restored"].partition("1 step, begun at ")[2]
    assert when and page.one(kind="past").startswith("ran " + when) and "restored" in page.all(kind="end")
    assert page.all(tag="pre") == ["1", "3"], "the output of a restored step is there as well"


def test_where_time_went(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/x").write_bytes(b"x" * 4_000_000)
    volumes = [fw.FStore(tmp_path / "v", "archive")]
    result, page = page_of(step("a", "sleep 0.05", inputs=["x"]), rundir=tmp_path / "run", volumes=volumes)
    phases = [text.split(":")[0] for text in page.all(tag="li")]
    assert phases[0] == "running commands" and "copying files" in phases
    bars = [attributes["class"] for tag, attributes in page.tags if tag == "i"]
    assert bars.count("copying") == 3 and bars[-2:] == ["copying", "running"]
    rows = [page.all(tag="td")[at : at + 5] for at in range(0, len(page.all(tag="td")), 6)]
    assert rows == [["x", "archive", "run directory", "a", "4.0 MB"]]
    assert page.all(tag="summary")[-1] == "1 file, 4.0 MB"


@pytest.mark.parametrize(
    ("commands", "options", "word", "end"),
    [
        (["exit 3"], {}, "failed", "exited with status 3"),
        (["kill -9 $$$$"], {}, "failed", "ended by signal 9"),
        (["sleep 600"], {"timeout": 0.05}, "timed out", "timed out"),
        (["/no/such/program"], {}, "failed", "exited with status 127"),
    ],
)
def test_a_step_by_itself(tmp_path, commands, options, word, end):
    result, page = run_alone(tmp_path, *commands, **options)
    assert page.one(tag="h1") == "alone " + word and page.one(id="totals") == f"The step {word}."
    assert page.one(id="message") == result.message
    assert page.all(kind="likely") == [f"Likely: {why}" for why in [result.explanation["likely"]] if why]
    assert page.facts()["Worker"] == "local (subprocess)" and page.facts()["Run directory"] == str(tmp_path)
    assert {text.split(",")[0] for text in page.all(kind="end")} == {end}


def fork(*more, **facts):
    """Two steps that run at once, each until the other one has begun, and a step behind both."""
    meet = "touch {0}; until test -e {1}; do sleep 0.01; done"
    return [
        step("left", meet.format("l", "r"), inputs=[], outputs=["l"]),
        step("right", meet.format("r", "l") + "; touch r", inputs=[], outputs=["r"]),
        step("join", "sleep 0.05", inputs=["l", "r"], outputs=[]),
        *more,
    ]


def details(page):
    """The facts of each step of a page, in its order."""
    found = []
    for tag, attributes, text in page.texts:
        if tag == "details" and attributes.get("class") == "step":
            found.append({})
        elif tag == "dt" and found:
            name = text
        elif tag == "dd" and found:
            found[-1][name] = text
    return found


def test_steps_at_once_have_lanes_and_a_critical_path(tmp_path):
    result, page = page_of(*fork(step("alone", "true")), rundir=tmp_path, jobs=4)
    assert result.ok
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert ids == ["time", "lanes", "path", "steps"]
    lanes = page.one(id="lanes")
    assert "lane 1" in lanes and "lane 2" in lanes and "lane 3" not in lanes
    assert re.search(r"[123] steps, \d+ % busy", lanes) and re.search(r"1 step, \d+ % busy", lanes)
    bars = [attributes["title"] for tag, attributes in page.tags if attributes.get("class") == "step running"]
    assert {bar.split(",")[0] for bar in bars} == {"1. left", "2. right", "3. join", "4. alone"}
    path = page.one(id="path")
    order = [text for text in page.all(tag="li") if text[0].isdigit()]
    assert [text.split()[1] for text in order][1:] == ["join", "alone"] and order[0].split()[1] in ("left", "right")
    assert "needed the step before it" in order[1] and "needed" not in order[0] and "decided how long" in path
    left, right, join, alone = details(page)
    assert "Waited for" not in left and {left["Lane"], right["Lane"]} == {"1", "2"}
    assert join["Waited for"] in ("the end of step 1, left", "the end of step 2, right")
    assert alone["Waited for"] == "the end of step 3, join" and "Alone because" not in join
    assert alone["Alone because"] == result.steps[3].schedule["barrier"]
    assert "The times of steps that ran at once are added up." in page.all(kind="small")
    shares = [int(re.search(r"(\d+) %", text)[1]) for text in page.all(tag="li") if " %" in text]
    assert sum(shares) <= 102, "they are shares of the sum"


def test_one_step_after_the_other_has_no_lanes(tmp_path):
    _, page = page_of(step("a", "true"), step("b", "true"), rundir=tmp_path)
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == ["time", "steps"]
    assert not [facts for facts in details(page) if "Lane" in facts or "Alone because" in facts]


def test_the_page_says_what_held_a_step(tmp_path):
    steps = [step(f"s{n}", "sleep 0.05", inputs=[], outputs=[], after=[]) for n in range(3)]
    _, page = page_of(*steps, rundir=tmp_path, jobs=2)
    held = [facts["Waited for"] for facts in details(page) if "Waited for" in facts]
    assert len(held) == 1 and held[0].startswith("a free lane, for ")
    assert "was ready, and waited for a free lane" in page.one(id="path")


def test_the_page_of_steps_at_once_says_what_did_not_run_and_why(tmp_path):
    steps = [
        step("bad", "exit 3", inputs=[], outputs=["x"]),
        step("good", "true", inputs=["i"], outputs=[]),
        step("user", "cat x", inputs=["x"], outputs=[], foreach={"names": {"n": [1, 2]}}),
        step("late", "true", inputs=["i"], outputs=[]),
    ]
    (tmp_path / "i").write_text("")
    result, page = page_of(*steps, rundir=tmp_path, jobs=2, fail="last")
    assert page.one(id="totals") == "1 of 5 steps failed, 2 succeeded, 2 were not reached."
    assert page.one(id="message") == result.message == result.steps[0].message
    assert page.all(kind="why") == ['needs "x" of step "bad", which failed'] == [result.not_run[0]["reason"]]
    assert result.not_run[0]["instances"] == 2, "the list is known, though nothing of it has begun"


def test_a_failure_now_is_counted_with_what_it_cancelled(tmp_path):
    steps = [
        step("long", "touch on; sleep 600", inputs=[], outputs=["on"]),
        step("bad", "until test -e on; do sleep 0.01; done; exit 127", inputs=[], outputs=["y"]),
        step("next", "true", inputs=["y"], outputs=[]),
    ]
    result, page = page_of(*steps, rundir=tmp_path, jobs=2, fail="now")
    assert page.one(id="totals") == "1 of 3 steps failed, 1 was cancelled, 1 was not reached."
    assert page.one(id="message") == result.message == result.steps[1].message
    assert page.all(kind="likely")[:1] == [f"Likely: {result.explanation['likely']}"]


def test_results_that_were_not_kept_are_counted(tmp_path):
    each = step("each", "test $n != 2", inputs=["i"], outputs=[], foreach={"names": {"n": [1, 2, 3]}})
    (tmp_path / "i").write_text("")
    result, page = page_of(each, rundir=tmp_path, jobs=2, fail="last", results="failed")
    assert len(result.steps) == 1
    assert page.one(id="totals") == "1 of 3 steps failed, 2 succeeded."
    assert "The results of 2 steps that succeeded were not kept." in page.all(kind="left")


def test_files_that_were_copied_belong_to_their_instance(tmp_path):
    (tmp_path / "v").mkdir()
    for name in "ab":
        (tmp_path / "v" / name).write_text(name)
    each = step("each", "cat $name", inputs=["$name"], outputs=[], foreach={"names": {"name": ["a", "b"]}})
    volumes = [fw.FStore(tmp_path / "v", "archive")]
    result, page = page_of(each, rundir=tmp_path / "run", jobs=2, volumes=volumes)
    assert result.ok and len(result.copies) == 2
    cells = page.all(tag="td")
    assert {cells[at]: cells[at + 3] for at in (0, 6)} == {"a": 'each (name "a")', "b": 'each (name "b")'}
    # Each row has the copy of its own file.
    rows = [[]]
    for tag, attributes in page.tags:
        if tag == "details" and attributes.get("class") == "step":
            rows.append([])
        elif tag == "i" and attributes.get("class") == "copying":
            rows[-1].append(tag)
    assert [len(row) for row in rows[1:]] == [1, 1]


def test_a_failed_step_among_many_is_shown(tmp_path):
    each = step("each", "test $n != 150", inputs=["i"], outputs=[], foreach={"names": {"n": list(range(1100))}})
    (tmp_path / "i").write_text("")
    _, page = page_of(each, rundir=tmp_path, jobs=8, fail="last")
    assert page.one(id="totals") == "1 of 1,100 steps failed, 1,099 succeeded."
    assert "each (n 150)" in page.one(id="steps")
    left = [text for text in page.all(kind="left") if "left out here" in text]
    assert left == ["50 steps that succeeded are left out here."] * 2


def test_a_cancelled_run(tmp_path):
    run = fw.Workflow([step("a", "echo on; sleep 600"), step("b"), step("c")]).start(rundir=tmp_path)
    for event in run:
        if event.kind == "output":
            run.cancel()
    page = Page(run.wait().view())
    assert page.one(id="outcome") == "cancelled"
    assert page.one(id="totals") == "1 of 3 steps was cancelled, 2 were not reached."


def test_a_run_whose_files_fail(tmp_path):
    result, page = page_of(step("a", "true", outputs=["nothing"]), rundir=tmp_path)
    assert page.one(id="totals") == "1 of 1 step failed." and page.one(id="message") == result.message
    assert page.all(kind="likely")[0].startswith("Likely: the step writes the file under another name")
    workflow = fw.Workflow([step("a", "true")])
    workflow.files = {"outputs": ["nothing"]}
    page = Page(workflow.run(rundir=tmp_path).view())
    assert page.one(id="totals") == "1 of 1 step succeeded. The workflow itself did not succeed."
    assert page.one(id="outcome") == "failed"


def test_a_function_that_raises(tmp_path):
    def broken():
        print("before")
        raise ValueError("<not> good")

    result = fw.create_worker({"name": "code", "type": "code"}).exec(fw.CodeStep("calc", broken), {}, tmp_path)
    page = Page(result.view())
    assert "ValueError: <not> good" in page.all(kind="message")[-1]
    assert page.all(tag="h4") == ["Trace", "stdout"] and page.all(tag="pre")[1] == "before"
    assert "in broken" in page.all(tag="pre")[0]


def test_processes_and_the_full_command(tmp_path):
    command = "sleep 600 &\necho " + "x" * 200
    _, page = run_alone(tmp_path, command)
    assert page.all(tag="pre")[0] == command and page.all(tag="h4")[0] == "Command"
    assert page.all(tag="summary")[-1].startswith("sleep 600 & …")
    assert re.search(r"processes that were ended with it: (sleep|sh|dash) \(\d+\)", page.one(tag="p", kind="small"))


def test_a_notebook_that_fails(tmp_path):
    pytest.importorskip("papermill")
    sources = ["print('in the first cell')", "raise KeyError('<b>')"]
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "python3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "n.ipynb").write_text(json.dumps(notebook))
    worker = fw.create_worker({"name": "lab", "type": "notebook"})
    page = Page(worker.exec(fw.NotebookStep("report", "n.ipynb"), {}, tmp_path).view())
    assert 'cell 2 of 2 of the notebook "n.ipynb" raised KeyError' in page.one(id="message")
    assert not page.all(kind="likely")
    assert page.all(tag="h4") == ["Trace", "stdout"] and page.all(tag="pre")[1] == "in the first cell"
    assert "raise KeyError('<b>')" in page.all(tag="pre")[0]
    assert page.all(kind="end")[0].startswith("failed, ")


def test_a_step_that_could_not_be_started(tmp_path):
    (tmp_path / "file").write_text("")
    result, page = run_alone(tmp_path / "file", "true")
    assert result.outcome == "spawn_failed" and page.one(id="outcome") == "failed"
    assert page.one(id="message") == result.message
    assert page.all(kind="end")[0].startswith("could not be started, ")


def test_a_run_that_fails_before_its_first_step(tmp_path):
    workflow = fw.Workflow([step("a", "true"), step("b", "true")])
    workflow.files = {"inputs": ["nothing"]}
    result = workflow.run(rundir=tmp_path)
    page = Page(result.view())
    assert page.one(id="totals") == "2 of 2 steps were not reached. The workflow itself did not succeed."
    assert page.one(id="message") == result.message and "No step was run." in page.all(tag="p")
    reasons = [missing["reason"] for missing in result.not_run]
    assert len(reasons) == 2 and all(reason.startswith("the run failed before") for reason in reasons)
    assert page.all(kind="gone") == [f"1. a{reasons[0]}not reached", f"2. b{reasons[1]}not reached"]


def test_processes_that_were_left_running(tmp_path):
    worker = {"name": "local", "type": "subprocess", "options": {"background": "leave"}}
    result, page = run_alone(tmp_path, "sleep 600 & echo $$!", worker=worker)
    try:
        assert "processes that were left running: " in page.one(tag="p", kind="small")
    finally:
        os.kill(int(result.stdout[0]), signal.SIGKILL)


HOSTILE = "</pre></details><script>alert(1)</script>\u202e\"'&amp;\u2066"


def test_everything_is_escaped(tmp_path):
    seen = "</pre></details><script>alert(1)</script>␣\"'&amp;␣"
    file = tmp_path / "hostile"
    file.write_bytes(HOSTILE.encode() + b"\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\a\r10%\r20%\r\n\x9b\xff\x00end\n")
    result, page = run_alone(tmp_path, f"cat {file} | tee /dev/stderr", "exit 3", name=HOSTILE)
    assert page.one(tag="h1") == seen + " failed" and page.one(tag="title") == seen + ": failed"
    output = seen + "red link␣\n10%\n20%\n\ufffd\ufffd␣end"
    assert page.all(tag="pre") == [output, output]
    workflow = fw.Workflow.from_template(
        {
            "name": HOSTILE,
            "parameters": [{"name": "<i>", "dtype": "string"}],
            "workflow": {"steps": [step(HOSTILE, "true").to_document()]},
        }
    )
    run = workflow.run({"<i>": HOSTILE}, rundir=tmp_path / "<b>run")
    other = Page(run.view())
    assert other.facts("arguments") == {"<i>": seen} and other.one(tag="h1") == seen + " succeeded"
    assert other.facts()["Run directory"] == str(tmp_path / "<b>run")
    for found in (page, other):
        tags = {tag for tag, _ in found.tags}
        assert not tags & {"script", "b>run", "img", "link", "iframe", "a"}
        assert all("http" not in (value or "") for _, attributes in found.tags for value in attributes.values())


def test_long_output_is_cut_and_the_page_says_how_much(tmp_path):
    result, page = run_alone(tmp_path, "seq 1 100000")
    shown = page.one(tag="pre")
    assert page.one(tag="h4") == f"stdout the last {len(shown) + 1:,} of 588,895 bytes"
    assert shown.startswith("9") and shown.endswith("\n100000") and len(shown) <= 4096
    result, page = run_alone(tmp_path, "seq 1 100000", output_limit=2000)
    assert page.one(kind="left") == f"{result.stdout_cut[0]:,} bytes of the output were not kept."
    assert page.all(tag="pre")[0].startswith("1\n2\n") and page.all(tag="pre")[1].endswith("\n100000")
    result, page = run_alone(tmp_path, "seq 1 1000", spill=tmp_path, output_limit=100)
    assert "All of it is in " + result.commands[0]["stdout_file"] in page.all(kind="small")


def test_output_that_is_no_text_is_shown_to_its_end(tmp_path):
    """Each byte that is no UTF-8 is three bytes of the page, and the end is what says why a command failed."""
    _, page = run_alone(tmp_path, "head -c 20000 /dev/zero | tr '\\000' '\\377'; echo the end; exit 3")
    shown = page.one(tag="pre")
    assert shown == "\ufffd" * (4096 - len("the end\n")) + "the end"


def test_the_page_of_a_large_run_is_bounded(tmp_path):
    result, page = page_of(*(step(f"s{n}", "seq 1 2000") for n in range(1, 1101)), rundir=tmp_path)
    assert page.one(id="totals") == "1,100 of 1,100 steps succeeded."
    assert len(page.all(tag="details", kind="step")) == 1000
    assert page.one(kind="left") == "100 steps that succeeded are left out here."
    assert len(result.view()) < 3_000_000
    _, page = page_of(step("many", *(f"echo {n}" for n in range(150))), rundir=tmp_path)
    assert page.one(kind="left") == "50 earlier commands, which succeeded, are left out."
    assert len(page.all(tag="pre")) == 100


def test_a_long_name_argument_or_exception_is_cut(tmp_path):
    workflow = fw.Workflow([step("n" * 100_000, "echo $long | wc -c")])
    text = workflow.run({"long": "a" * 100_000}, rundir=tmp_path).view()
    assert len(text) < 50_000 and text.count("… (100,000 bytes)") == 2
    assert "n" * 8192 in text and "a" * 8192 in text

    def broken():
        raise ValueError("x" * 1_000_000)

    result = fw.create_worker({"name": "code", "type": "code"}).exec(fw.CodeStep("calc", broken), {}, tmp_path)
    assert len(result.view()) < 50_000 and "… (1,000,012 bytes)" in result.view()


def test_the_page_needs_nothing_else_and_can_be_read(tmp_path):
    result, page = page_of(step("a", "true"), rundir=tmp_path)
    text = result.view()
    assert text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n")
    assert "http" not in text and "<script" not in text and "src=" not in text and "url(" not in text
    assert "prefers-color-scheme:dark" in text and "@media print" in text and "width=device-width" in text
    assert ("html", {"lang": "en"}) in page.tags
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert headings[0] == "h1" and headings.count("h1") == 1
    assert all("aria-label" in attributes for tag, attributes in page.tags if attributes.get("role") == "img")


def test_a_workflow_without_steps(tmp_path):
    _, page = page_of(rundir=tmp_path)
    assert page.one(id="outcome") == "succeeded" and page.one(id="totals") == "The workflow has no steps."
