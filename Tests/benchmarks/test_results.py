"""RESULTS.md has the figures of the rows, and a run of some questions leaves the sections of the others as they are."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FIRST = """run\tstep
row\tstep: true\t1.10 ms\t1.00 ms\t1.10\t1.05-1.15
peer\tstep: true\tlibuv\t1.34
row\tstep: a | b\t2 ms\t1 ms\t2.00\t1.90-2.10
peer\tstep: a | b\tsubprocess\t1.19
run\tlookup
row\tlookup: one step\t10 ns\t5 ns\t2.00\t1.90-2.10
note\tGLib is not installed
"""
SECOND = "run\tlookup\nrow\tlookup: one step\t20 ns\t5 ns\t4.00\t3.90-4.10\n"


def write(tmp_path, rows):
    """Writes the page, and returns its sections by their names."""
    (tmp_path / "rows.tsv").write_text(rows)
    page = tmp_path / "RESULTS.md"
    subprocess.run([sys.executable, ROOT / "benchmarks/results.py", tmp_path / "rows.tsv", page], check=True)
    head, *sections = page.read_text().split("\n## ")
    assert head.startswith("# Results\n")
    return {part.split("\n")[0]: part.strip() for part in sections}


def test_the_figures_of_a_run(tmp_path):
    sections = write(tmp_path, FIRST)
    assert list(sections) == ["step", "lookup"]
    assert sections["step"].splitlines()[-4:] == [
        "| question | ours | limit | ratio | quartiles | libuv | subprocess |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| true | 1.10 ms | 1.00 ms | **1.10** | 1.05-1.15 | 1.34 |  |",
        "| a \\| b | 2 ms | 1 ms | **2.00** | 1.90-2.10 |  | 1.19 |",
    ]
    assert "\n- GLib is not installed" in sections["lookup"]
    version = re.search(r'^#define FW_VERSION "(.*)"$', (ROOT / "include/flowworker.h").read_text(), re.M)[1]
    made = rf"^\d{{4}}-\d\d-\d\d, libflowworker {re.escape(version)}, `benchmarks/run.sh step`, on .+ processors, .+\.$"
    assert re.search(made, sections["step"], re.M)


def test_another_run_renews_its_own_questions_only(tmp_path):
    before = write(tmp_path, FIRST)
    after = write(tmp_path, SECOND)
    assert list(after) == ["step", "lookup"] and after["step"] == before["step"]
    assert "**4.00**" in after["lookup"] and "GLib" not in after["lookup"]
    assert write(tmp_path, SECOND) == after


def test_each_question_is_described():
    asked = re.search(r"^questions=\$\{\*:-(.*)\}$", (ROOT / "benchmarks/run.sh").read_text(), re.M)[1].split()
    described = re.findall(r"^\| `(\w+)` .+ \| .+ \|$", (ROOT / "benchmarks/README.md").read_text(), re.M)
    assert sorted(asked) == sorted(described)


def test_the_page_in_the_repository_has_its_form():
    page = (ROOT / "benchmarks/RESULTS.md").read_text()
    assert re.search(r"^\| question \| ours \| limit \| ratio \| quartiles \|", page, re.M)
