"""The runner masks secrets in an output notebook."""

import importlib.util
import random

import pytest
from library import FILES, notebook


@pytest.fixture(scope="module")
def masked():
    spec = importlib.util.spec_from_file_location("mask", FILES / "mask.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.masked


def by_looking_at_each_place(text, words):
    found = []
    for start in range(len(text)):
        ends = [start + len(word) for word in words if text.startswith(word, start)]
        if ends and found and start < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], *ends)
        elif ends:
            found.append((start, max(ends)))
    pieces, at = [], 0
    for start, end in found:
        pieces += text[at:start], "***"
        at = end
    return "".join(pieces) + text[at:]


def test_no_part_of_words_that_overlap(masked):
    dice = random.Random(14)
    for _ in range(5000):
        words = {"".join(dice.choices("ab", k=dice.randint(2, 6))) for _ in range(3)}
        text = "".join(dice.choices("abc", weights=(9, 9, 1), k=dice.randint(0, 30)))
        assert masked(text, words) == by_looking_at_each_place(text, words), (text, words)
    assert masked("_abcdefghijk_", ["abcdefgh", "defghijk"]) == "_***_"
    assert masked("abcdefgh", ["abcd", "efgh"]) == "******"


def test_an_output_notebook(shared, write, rundir):
    write("n.ipynb", notebook("print('x abcd' + 'efghijk S\u00f6h' + 'ne')"))
    job = {"do": "notebook", "notebook": "n.ipynb", "output": "n.out.ipynb", "parameters": {}, "kernel": None}
    secrets = ["abcdefgh", "defghijk", "S\u00f6hne"]
    outcome = shared("notebook").run(dict(job, cell_timeout=None, start_timeout=60, secrets=secrets), rundir)
    assert outcome.has("finished"), outcome.said
    text = (rundir / "n.out.ipynb").read_text()
    assert "x *** ***\\n" in text and "***ijk" not in text
