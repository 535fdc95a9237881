"""A workflow that runs many steps at once gives what it gives one step after the other.

Random workflows (width_cases.py) are executed by a model without the library (width_model.py), by a serial run, and by
runs with 2 to 16 jobs. Values, files and results have to be the same. The events say whether each step has waited for
what it needs.

FW_TEST_WIDTH=N tries N workflows, and FW_TEST_SEED=N others. A failure prints the seed, and the smallest part of the
workflow that fails as well.
"""

import os
import pprint

import pytest
from width_cases import Ran, accesses, can_run, make_pool, modelled, must_wait, random_case, shrunk

SEED = int(os.environ.get("FW_TEST_SEED", "20261130"))
COUNT = int(os.environ.get("FW_TEST_WIDTH", "24"))
JOBS = (2, 3, 8, 16)
PARTS = 6


@pytest.fixture(scope="module")
def pool():
    with make_pool() as pool:
        yield pool


def difference(expected, found, where=""):
    """Where two values differ first; None if they do not."""
    if expected == found:
        return None
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}, key=str):
            told = difference(expected.get(key), found.get(key), "{}/{}".format(where, key))
            if told:
                return told
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found)):
            told = difference(one, other, "{}/{}".format(where, number))
            if told:
                return told
    return "{}: expected {!r:.300}, found {!r:.300}".format(where or "all", expected, found)


def spans(ran):
    """The sequence numbers between which each step and instance ran."""
    starts, ends = {}, {}
    for event in ran.events:
        if event.kind in ("step_started", "step_ended"):
            (starts if event.kind == "step_started" else ends)[event.step_index, event.instance] = event.sequence
    return {key: (starts[key], ends[key]) for key in starts}


def out_of_order(case, ran):
    """A step that has not waited for what it needs, by the model and by the library's own plan; None if all have."""
    known, found = spans(ran), accesses(case)
    for at, second in enumerate(found):
        for first in found[:at]:
            one, other = ((access["step"], access["instance"]) for access in (first, second))
            why = must_wait(first, second)
            if why and known[one][1] > known[other][0]:
                return "{} did not wait for {}, though {}".format(other, one, why)
    first_start, last_end = {}, {}
    for (step, _), (start, end) in known.items():
        first_start[step] = min(start, first_start.get(step, start))
        last_end[step] = max(end, last_end.get(step, end))
    for step in ran.plan["steps"]:
        for need in step["needs"]:
            one, other = need["index"], step["index"]
            if need["each"]:
                pairs = [(known[key][1], known[other, key[1]][0]) for key in known if key[0] == one]
            else:
                pairs = [(last_end[one], first_start[other])] if one in last_end and other in first_start else []
            if any(end > start for end, start in pairs):
                return "step {} did not wait for step {} as its plan says: {}".format(other, one, need)
    return None


def unplanned(case, plan):
    """A pair of steps that no chain of needs in the plan orders, though it has to be; None if there is none."""
    needs = {step["index"]: {need["index"] for need in step["needs"]} for step in plan["steps"]}
    if any(step["more_needs"] for step in plan["steps"]):
        return None
    before = {}
    for index in sorted(needs):
        before[index] = set(needs[index]).union(*(before[need] for need in needs[index]))
    found = accesses(case)
    for at, second in enumerate(found):
        for first in found[:at]:
            one, other = first["step"], second["step"]
            if one != other and must_wait(first, second) and one not in before[other]:
                return "the plan does not order steps {} and {}".format(one, other)
    return None


def fault(case, root, pool, every_job=JOBS):
    """What is wrong with the runs of a workflow, in one line; None if all is well."""
    if not can_run(case):
        return None  # A part of a workflow may lack what makes an input.
    model, serial = modelled(case), Ran(case, None, root, pool)
    if not serial.result.ok:
        return "the serial run failed: {}".format(serial.result.message)
    expected = serial.facts()
    for what, found in (("files", serial.files), ("context", expected["context"]), ("printed", serial.printed())):
        told = difference(model[what], found, what)
        if told:
            return "the serial run differs from the model at {}".format(told)
    for jobs in every_job:
        for _ in range(2):
            ran = Ran(case, jobs, root, pool)
            told = difference(expected, ran.facts()) or out_of_order(case, ran)
            if told:
                return "with {} jobs: {}".format(jobs, told)
    told = unplanned(case, serial.plan)
    return told and "plan: {}".format(told)


@pytest.mark.parametrize("part", range(PARTS))
def test_any_number_of_jobs_gives_what_the_serial_run_gives(part, tmp_path, pool):
    for seed in range(SEED + part, SEED + COUNT, PARTS):
        case = random_case(seed)
        told = fault(case, tmp_path / "files", pool)
        if told:
            small = shrunk(case, lambda case: fault(case, tmp_path / "files", pool) is not None)
            told = fault(small, tmp_path / "files", pool) or told
            pytest.fail("seed {}: {}\n{}".format(seed, told, pprint.pformat(small, width=160, sort_dicts=False)))
