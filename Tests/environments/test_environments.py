"""A part of the environments that `make environments` tries, and the programs that make and judge them."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import environments  # noqa: E402

#: Environments that differ most from each other, and take no longer than the machine as it is.
GATE = ["an ordinary user", "process 1", "no programs in /tmp", "40 descriptors", "unshare fails with EPERM"]


def test_the_checks_hold_in_other_environments():
    chosen = [one for one in environments.environments() if one.name in GATE]
    assert len(chosen) == len(GATE)
    with ThreadPoolExecutor(len(chosen)) as pool:
        judged = list(pool.map(environments.judge, chosen))
    wrong = [text for _, faults in judged for text in faults]
    assert not wrong, "\n".join(wrong)
    skipped = [row for row, _ in judged if row[1] == "skipped"]
    if skipped:
        pytest.skip("; ".join("{}: {}".format(name, reason) for name, _, reason in skipped))


def test_a_difference_that_is_not_known_is_told(monkeypatch):
    found = {"true": "ok", "false": "failed: it is odd", "words": "failed: it is known", "cancel": "skipped: it is so"}
    monkeypatch.setattr(environments, "run", lambda _: found)
    one = environments.Environment("here", known={"words": "a reason", "quotes": "another"})
    row, wrong = environments.judge(one)
    assert row == ("here", "1 of 4", "false: it is odd; words: a reason; it is so")
    assert wrong == ["here: false: it is odd", "here: quotes is in order"]
