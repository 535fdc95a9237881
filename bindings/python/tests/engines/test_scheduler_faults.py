"""A step in a job ends even if the scheduler does not answer or never stops its output."""

import os
import re
import threading

import pytest

import flowworker

#: A command that says nothing for longer than any test takes, and is ended with its shell.
HANG = "exec sleep 3600"
FLOOD = "yes 'srun: job 5 queued and waiting for resources' >&2"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Makes Slurm's commands, from the shell's."""

    def make(srun, squeue="exit 0", scancel="exit 0"):
        programs = tmp_path / "programs"
        programs.mkdir()
        for name, text in (("srun", srun), ("squeue", squeue), ("scancel", scancel)):
            program = programs / name
            program.write_text(f"#!/bin/sh\necho >> {programs}/{name}.seen\n{text}\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        return programs

    return make


def worker(**options):
    return flowworker.create_worker({"name": "w", "type": "slurm", "options": {"grace": 0.1, **options}})


STEP = flowworker.ContainerStep("s", "", ["true"])


def check_ended(result):
    assert result.returncode != 0 and result.outcome in (
        "timeout",
        "cancelled",
        "spawn_failed",
        "engine_failed",
        "status_unknown",
    )
    assert not re.search("[\x00-\x1f\x7f-\x9f]", result.message)


QUEUES = [
    (HANG, "exit 0"),
    (f"trap '' TERM; {HANG[5:]}", "exit 0"),
    (FLOOD, "echo '5|PENDING|Priority|'"),
    (HANG, HANG),
    ("printf '.\\001\\000\\000\\000\\377\\377\\377\\377'; " + HANG, "exit 0"),
]


@pytest.mark.parametrize("srun, squeue", QUEUES)
def test_a_queue_timeout_reaches_a_scheduler_that_does_not_answer(cluster, rundir, srun, squeue):
    cluster(srun, squeue, squeue)
    result = worker(queue_timeout=0.3).exec(STEP, {}, rundir)
    assert result.outcome == "timeout" and '"queue_timeout" of 0.3 s' in result.message
    check_ended(result)


@pytest.mark.parametrize("srun, squeue", [QUEUES[0], QUEUES[3]])
def test_a_cancel_reaches_a_scheduler_that_does_not_answer(cluster, rundir, wait_until, srun, squeue):
    programs = cluster(srun, squeue, squeue)
    task = worker().start(STEP, {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()
    wait_until((programs / "srun.seen").exists)
    task.cancel()
    result = task.wait()
    ended.join()
    assert result.outcome == "cancelled"
    check_ended(result)


@pytest.mark.parametrize(
    "squeue, limits",
    [
        (HANG, {"timeout": 0.3}),
        (HANG, {"queue_timeout": 0.3}),
        ("echo '5|RUNNING|None|n1'", {"timeout": 0.3}),
        ("yes '5|RUNNING|None|n1'", {"queue_timeout": 0.3}),
        ("exit 1", {"timeout": 0.3}),
    ],
)
def test_a_timeout_reaches_the_questions_behind_the_end(cluster, rundir, squeue, limits):
    cluster("exit 1", squeue, squeue)
    check_ended(worker(**limits).exec(STEP, {}, rundir))


def test_a_cancel_reaches_the_questions_behind_the_end(cluster, rundir, wait_until):
    programs = cluster("exit 1", HANG)
    task = worker().start(STEP, {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()
    wait_until((programs / "squeue.seen").exists)
    task.cancel()
    check_ended(task.wait())
    ended.join()


def test_a_scheduler_that_does_not_answer_has_an_end_of_its_own(cluster, rundir):
    cluster("exit 1", HANG, HANG)
    result = worker().exec(STEP, {}, rundir)
    check_ended(result)
    assert result.commands[0]["is_ended"] is False


#: What an agent's job may be while nothing comes from it.
SILENT = [HANG, f"trap '' TERM; {HANG[5:]}", f"echo 'srun: job 5 has been allocated resources' >&2; {HANG}", FLOOD]
CANCEL = 'echo > "$0.did"'


def until_cancelled(state):
    return f"test -e \"${{0%/*}}/scancel.did\" && echo '5|CANCELLED|None|n1' || echo '5|{state}|None|n1'"


@pytest.mark.parametrize("srun", SILENT)
@pytest.mark.parametrize("state", ["RUNNING", "COMPLETING", "FAILED"])
def test_an_agent_that_does_not_come(cluster, rundir, srun, state):
    programs = cluster(f"echo 'srun: error: the node is odd' >&2; {srun}", until_cancelled(state), CANCEL)
    result = worker(start_timeout=0.2).exec(STEP, {}, rundir)
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    told = (
        f'job 5 is {state} on the node n1, and its agent sent nothing within the worker\'s "start_timeout" of 0.2 s: '
    )
    assert told + ("job 5 queued" if srun == FLOOD else "the node is odd") in result.message
    assert (programs / "scancel.did").exists()
    check_ended(result)


@pytest.mark.parametrize("queue", ["exit 0", "echo junk"])
def test_a_job_that_the_scheduler_does_not_know(cluster, rundir, queue):
    cluster(f"echo 'srun: error: odd' >&2; {HANG}", queue)
    result = worker(start_timeout=0.2).exec(STEP, {}, rundir)
    assert (
        result.outcome == "engine_failed"
        and "the scheduler has no job for the step: srun submitted none" in result.message
    )
    check_ended(result)


@pytest.mark.parametrize("queue", ["echo '5|PENDING|Priority|'", "echo '5|CONFIGURING|None|n1'", "exit 1"])
def test_a_job_in_the_queue_is_asked_for_now_and_then(cluster, rundir, wait_until, queue):
    programs = cluster(HANG, queue, CANCEL)
    task = worker(start_timeout=0.1).start(STEP, {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()
    seen = programs / "squeue.seen"
    wait_until(lambda: seen.exists() and len(seen.read_text()) >= 3)
    assert task.wait(0) is None
    # The job starts, so squeue prints something else from now on.
    (programs / "squeue").write_text(f"#!/bin/sh\n{until_cancelled('RUNNING')}\n")
    assert task.wait().outcome == "engine_failed"
    ended.join()


def test_a_queue_timeout_comes_before_an_agent_that_does_not_come(cluster, rundir):
    cluster(HANG, until_cancelled("RUNNING"), CANCEL)
    assert worker(start_timeout=3600, queue_timeout=0.2).exec(STEP, {}, rundir).outcome == "timeout"


# --- why a job waits ------------------------------------------------------------------------------------

QUEUED = "echo 'srun: job 5 queued and waiting for resources' >&2; "


def in_queue(reason):
    return f"test -e \"${{0%/*}}/scancel.did\" && echo '5|CANCELLED|{reason}|' || echo '5|PENDING|{reason}|'"


#: WaitReasonTests have all of them.
NEVER = ["PartitionTimeLimit", "QOSMaxCpuPerNode", "InvalidAccount"]
LATER = ["Resources", "ReqNodeNotAvail, UnavailableNodes:n[1-3]", "JobHeldUser", "NotInTheTable"]


@pytest.mark.parametrize("reason", NEVER)
def test_a_job_that_can_never_start(cluster, rundir, reason):
    programs = cluster(QUEUED + HANG, in_queue(reason), CANCEL)
    result = worker().exec(STEP, {}, rundir)
    assert (result.outcome, result.returncode) == ("spawn_failed", 1)
    assert f"the scheduler will not start job 5: {reason} (" in result.message
    assert (programs / "scancel.did").exists()
    explanation = result.explanation
    assert explanation["layer"] == "scheduler" and re.search("ask for|use another|change the", explanation["likely"])
    check_ended(result)


@pytest.mark.parametrize("reason", LATER)
def test_a_job_that_may_start_later_waits(cluster, rundir, reason):
    programs = cluster(QUEUED + HANG, in_queue(reason), CANCEL)
    told = []
    result = worker(queue_timeout=1.8).exec(STEP, {}, rundir, on_event=lambda event: told.append(event))
    assert result.outcome == "timeout" and f"the scheduler's reason: {reason}" in result.message
    assert '"queue_timeout" of 1.8 s' in result.message and "job 5 has left the queue" in result.message
    (status,) = [e.status for e in told if e.kind == "progress" and "waiting: " in e.status]
    assert status.startswith(f"waiting: {reason}")
    assert '"time"' not in result.explanation["likely"]
    # One look at the queue, and the question about the end.
    assert len((programs / "squeue.seen").read_text()) == 2
    check_ended(result)


def test_a_reason_that_passes_at_once_ends_nothing(cluster, rundir):
    # After a restart of the controller, a limit may be wrong for a moment.
    first = 'test "$(wc -l < "$0.seen")" = 1 && echo "5|PENDING|InvalidAccount|" || '
    cluster(QUEUED + HANG, first + in_queue("Priority"), CANCEL)
    result = worker(queue_timeout=4).exec(STEP, {}, rundir)
    assert result.outcome == "timeout" and "the scheduler's reason: Priority (" in result.message


def test_a_reason_that_only_the_end_shows(cluster, rundir):
    cluster(QUEUED + HANG, in_queue("PartitionTimeLimit"), CANCEL)
    result = worker(queue_timeout=0.2).exec(STEP, {}, rundir)
    assert result.outcome == "spawn_failed" and "PartitionTimeLimit (" in result.message


@pytest.mark.parametrize("reason", ["None", "", "(null)"])
def test_no_reason_is_not_told(cluster, rundir, reason):
    cluster(QUEUED + HANG, in_queue(reason), CANCEL)
    result = worker(queue_timeout=1.5).exec(STEP, {}, rundir)
    assert result.outcome == "timeout" and "reason" not in result.message
    assert result.explanation["likely"] == 'a longer "queue_timeout", or another "partition"'


def test_many_jobs_in_the_queue_are_looked_at_one_after_the_other(cluster, rundir):
    programs = cluster(QUEUED + HANG, in_queue("Priority"), CANCEL)
    one = worker(queue_timeout=2, allocations=30)
    tasks = [one.start(STEP, {}, rundir) for _ in range(30)]
    threads = [threading.Thread(target=task.wait) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(task.wait().outcome == "timeout" for task in tasks)
    # Four in a second, and one for each job at its end.
    assert len((programs / "squeue.seen").read_text()) <= 30 + 10


def test_the_log_says_why_a_job_waits(cluster, rundir, log):
    cluster(QUEUED + HANG, in_queue("Resources"), CANCEL)
    worker(queue_timeout=1.8).exec(STEP, {}, rundir)
    lines = [line for level, line in log if level == "INFO" and "waits in the queue" in line]
    assert any(line.startswith('step "s" waits in the queue as job 5: waiting: Resources') for line in lines), lines
