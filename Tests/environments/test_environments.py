"""A part of the environments that `make environments` tries, and the programs that make and judge them."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import environments  # noqa: E402

#: Environments that differ most from each other, and take no longer than the machine as it is.
GATE = ["an ordinary user", "process 1", "no programs in /tmp", "40 descriptors", "unshare fails with EPERM"]


def test_the_checks_hold_in_other_environments(monkeypatch):
    chosen = [one for one in environments.environments() if one.name in GATE]
    assert len(chosen) == len(GATE)
    found, run = {}, environments.run

    def noting(environment):
        found[environment.name] = run(environment)
        return found[environment.name]

    monkeypatch.setattr(environments, "run", noting)
    with ThreadPoolExecutor(len(chosen)) as pool:
        judged = list(pool.map(environments.judge, chosen))
    wrong = [text for _, faults in judged for text in faults]
    assert not wrong, "\n".join(wrong)
    # Hosts in both languages have looked.
    assert all("true" in results and "C: a step" in results for results in found.values())
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


def test_a_program_that_does_not_come_to_its_end_is_told():
    one = environments.Environment("here")
    crash = ["sh", "-c", "echo the place >&2; kill -SEGV $$"]
    assert environments.results(one, crash, "the checks", {}) == {"the checks": "failed: status -11: the place"}
    newer = ["sh", "-c", 'echo "libc.so.6: version \\`GLIBC_9.9\' not found" >&2; exit 1']
    assert environments.results(one, newer, "the checks", {})["the checks"].startswith("skipped: the C library")


def test_a_python_without_the_global_lock_is_another_one(monkeypatch, tmp_path):
    for name in ("3.13.0", "3.13.1t"):
        (tmp_path / "versions" / name / "bin").mkdir(parents=True)
        (tmp_path / "versions" / name / "bin/python3").touch()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    found = []
    for version in ("3.13", "3.13t"):
        one = environments.Environment("here")
        environments.python_of(version)(one, None)
        found.append(Path(one.python).relative_to(tmp_path / "versions").parts[0])
        assert not one.runs_c
    assert found == ["3.13.0", "3.13.1t"]
