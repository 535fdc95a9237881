"""The reference of results, plans and options lists the keys that there are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python"))

import flowworker  # noqa: E402

REFERENCE = ROOT / "docs/reference"


def keys(page: str, heading: str) -> set[str]:
    """The names in the first column of the first table behind a heading."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    text = text[text.index(f"\n{heading}\n") :]
    rows = text[text.index("\n|---") :].split("\n\n")[0].strip().splitlines()[1:]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}


@pytest.fixture
def result(tmp_path: Path) -> flowworker.RunResult:
    workflow = flowworker.Workflow()
    workflow.add_container_step("s", "", commands=["echo a", "exit 3"])
    return workflow.run({}, rundir=tmp_path)


def test_results(result: flowworker.RunResult) -> None:
    document = result.to_dict()
    assert set(document) == keys("results.md", "## Result of a workflow")
    [step] = document["steps"]
    assert set(step) == keys("results.md", "## Result")
    assert all(set(command) == keys("results.md", "### Commands of a result") for command in step["commands"])


def test_plan(tmp_path: Path) -> None:
    worker = flowworker.create_worker(flowworker.Subprocess("w"))
    plan = worker.plan(flowworker.ContainerStep("s", "", ["true"]), {}, tmp_path)
    assert set(plan) <= keys("results.md", "## Plan") and len(plan) > 8


def test_plan_of_a_workflow() -> None:
    workflow = flowworker.Workflow().add_container_step("s", "", commands=["true"])
    plan = workflow.plan()
    assert set(plan) == keys("results.md", "## Plan of a workflow")
    assert set(plan["steps"][0]) == keys("results.md", "### Steps of a plan")


@pytest.mark.parametrize("kind", ["subprocess", "docker", "code", "notebook", "slurm"])
def test_options(kind: str) -> None:
    options = keys("worker-options.md", f"## Options of a {kind} worker")
    assert len(options) > 4
    for option in options:
        # No option takes this value. An option that is known is refused for it, and not for its name.
        with pytest.raises(flowworker.DocumentError) as refused:
            flowworker.create_worker({"name": "w", "type": kind, "options": {option: {"no": ["value"]}}})
        assert refused.value.path.startswith(f"/options/{option}"), (option, str(refused.value))
    with pytest.raises(flowworker.DocumentError) as refused:
        flowworker.create_worker({"name": "w", "type": kind, "options": {"xxxxxxxxxxxxxxx": 1}})
    # The message lists all options.
    assert set(re.findall(r'"(\w+)"', str(refused.value).split("expected", 1)[1])) == options
