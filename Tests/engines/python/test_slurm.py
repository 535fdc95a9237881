"""The slurm worker works on a real Slurm with one controller and one node of four processors and 4000 MB."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from clusters import ALIVE, step, worker
from conftest import ROOT, variable, wait_until

import flowworker


@pytest.fixture
def rundir(tmp_path):
    yield tmp_path
    # The file with the status of commands goes with the step.
    assert [name for name in os.listdir(tmp_path) if name.startswith(".fw-")] == []


class Waited:
    """A step in flight, which a thread waits for."""

    def __init__(self, worker, step, rundir):
        self.task = worker.start(step, {}, rundir)
        self.result = None
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()

    def _wait(self):
        self.result = self.task.wait()

    def wait(self):
        self._thread.join()
        return self.result


def run(rundir, *commands, env=None, step_env=None, **options):
    return worker(env=env, **options).exec(step(*commands, **({"env": step_env} if step_env else {})), {}, rundir)


def test_commands_of_a_step_share_one_allocation(cluster, rundir):
    result = run(rundir, "echo $$SLURM_JOB_ID", "echo $$SLURM_JOB_ID; echo x > made", "cat made; pwd")
    assert result.returncode == 0
    first, second, third = result.stdout
    assert first == second == result.engine["job"] + "\n"
    assert third == f"x\n{rundir}\n"
    assert result.engine["node"] == os.uname().nodename.split(".")[0]
    assert result.engine["partition"] == "main"
    assert result.engine["waited"] > 0


def test_facts_of_a_command(cluster, rundir):
    result = run(rundir, "echo out; echo err >&2; exit 7")
    assert (result.returncode, result.outcome, result.stdout, result.stderr) == (7, "exited", ["out\n"], ["err\n"])
    (command,) = result.commands
    assert command["exit_code"] == 7 and command["containment"] == "subreaper" and command["is_ended"]
    assert command["peak_memory"] > 100_000 and command["duration"] > 0
    assert "exited with status 7" in result.message


@pytest.mark.parametrize("hold", [0, 5])
def test_usage_is_of_the_job(cluster, rundir, hold):
    code = "x = bytearray(50_000_000); n = sum(i * i for i in range(1_500_000))"
    first, second = run(rundir, f'{sys.executable} -c "{code}"', "true", hold=hold).commands
    assert first["peak_memory"] > 50_000_000 > second["peak_memory"]
    assert first["user_time"] > 0.01 > second["user_time"]


def test_a_signal(cluster, rundir):
    result = run(rundir, "kill -SEGV $$$$")
    assert (result.returncode, result.outcome) == (-11, "signaled")


def test_a_program_that_kills_itself_is_no_memory_problem(cluster, rundir):
    result = run(rundir, "kill -KILL $$$$")
    assert (result.returncode, result.outcome) == (-9, "signaled")


def test_missing_and_not_executable_programs_have_the_shells_codes(cluster, rundir):
    (rundir / "plain").write_text("x")
    assert run(rundir, "no-such-program").returncode == 127
    assert run(rundir, "./plain").returncode == 126


def test_output_is_bytes_complete_and_apart(cluster, rundir):
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 4000); sys.stderr.buffer.write(b'\\xff' * 70000)"
    result = run(rundir, f'{sys.executable} -c "{code}"', "printf partial")
    assert result.stdout_bytes == [bytes(range(256)) * 4000, b"partial"]
    assert result.stderr_bytes == [b"\xff" * 70000]


def test_a_flood_with_a_limit(cluster, rundir):
    result = run(rundir, "head -c 30000000 /dev/zero; head -c 5000000 /dev/zero >&2", output_limit=1000)
    (command,) = result.commands
    assert (command["stdout_bytes"], command["stdout_cut"]) == (30_000_000, 29_999_000)
    assert (command["stderr_bytes"], command["stderr_cut"]) == (5_000_000, 4_999_000)


def test_output_that_is_on_its_way_when_the_job_ends(cluster, rundir):
    # srun drops it when its task ends; so the task waits until it has come.
    for _ in range(8):
        result = run(rundir, "head -c 20000000 /dev/zero", output_limit=1000)
        assert (result.outcome, result.commands[0]["stdout_bytes"], result.incomplete) == ("exited", 20_000_000, [])


def test_output_is_live(cluster, rundir):
    (rundir / "go").unlink(missing_ok=True)
    seen = []

    def watch(event):
        if event.kind == "output":
            seen.append(event.data)
            (rundir / "go").write_text("")

    result = worker().exec(
        step("printf early; until [ -e go ]; do sleep 0.01; done; printf late"), {}, rundir, on_event=watch
    )
    assert result.returncode == 0 and b"".join(seen) == b"earlylate"


def test_stdin_is_empty(cluster, rundir):
    assert run(rundir, "cat; echo end").stdout == ["end\n"]


def test_a_command_longer_than_an_argument(cluster, rundir):
    result = run(rundir, "printf %s " + "y" * 600_000 + " | wc -c")
    assert result.stdout == ["600000\n"]


def test_environment_survives_everything(cluster, rundir):
    values = {
        "COMMA": "a,b=c",
        "SPACE": " two  words ",
        "LINES": "one\ntwo",
        "QUOTE": "'\"$HOME`",
        "PATH": os.environ["PATH"],
    }
    code = f"import os, json; print(json.dumps({{k: os.environ[k] for k in {sorted(values)}}}))"
    (rundir / "show.py").write_text(code)
    result = run(rundir, f"{sys.executable} show.py", env=values)
    assert json.loads(result.stdout[0]) == values


def test_the_environment_is_only_what_was_given_and_what_the_scheduler_sets(cluster, rundir, monkeypatch):
    monkeypatch.setenv("OF_THE_HOST", "1")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("SLURM_NTASKS", "64")
    monkeypatch.setenv("SBATCH_PARTITION", "nowhere")
    monkeypatch.setenv("SLURM_PARTITION", "nowhere")
    given = run(rundir, "/usr/bin/env", env={"A": "1"}).stdout[0].splitlines()
    names = {line.split("=")[0] for line in given}
    assert "A=1" in given and "SLURM_NTASKS=1" in given
    assert "SLURM_JOB_ID=4711" not in given
    assert not names & {"OF_THE_HOST", "HOME", "PATH", "SBATCH_PARTITION", "SLURM_PARTITION"}
    inherited = run(rundir, "/usr/bin/env").stdout[0].splitlines()
    assert "OF_THE_HOST=1" in inherited and "SLURM_NTASKS=1" in inherited
    assert not {line.split("=")[0] for line in inherited} & {"SBATCH_PARTITION", "SLURM_PARTITION"}


def test_a_run_directory_that_does_not_exist(cluster, tmp_path):
    result = run(tmp_path / "nowhere", "true")
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert "nowhere" in result.message and "does not exist" in result.message
    assert cluster.jobs() == []


def test_a_run_directory_that_the_node_does_not_have(cluster, rundir):
    held = worker(hold=5)
    assert held.exec(step("true"), {}, rundir).returncode == 0
    gone = rundir / "gone"
    gone.mkdir()
    task = held.start(step("rmdir ../gone", "true"), {}, gone)
    result = task.wait()
    assert result.outcome == "spawn_failed"
    assert "gone" in result.message and "on the node" in result.message


def test_what_is_left_running_is_ended(cluster, rundir):
    result = run(rundir, "setsid sleep 1000 & echo $$!; (sleep 1000 &)")
    assert result.returncode == 0
    assert result.commands[0]["survivors_count"] >= 2
    with pytest.raises(ProcessLookupError):
        os.kill(int(result.stdout[0]), 0)


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_ends_take_the_whole_tree_with_grace(cluster, rundir, how):
    script = "trap 'echo asked; exit 3' TERM; setsid sh -c 'trap \"\" TERM; echo $$$$ > pid; sleep 1000' & wait; wait"
    held = worker(hold=5, grace=0.3, **({"timeout": 0.6} if how == "timeout" else {}))
    waited = Waited(held, step(script), rundir)
    if how == "cancel":
        wait_until(lambda: (rundir / "pid").exists() and (rundir / "pid").read_text())
        waited.task.cancel()
    result = waited.wait()
    assert result.outcome == ("timeout" if how == "timeout" else "cancelled")
    assert result.stdout == ["asked\n"]
    assert any(one["ended_by"] == "KILL" for one in result.commands[0]["survivors"])
    with pytest.raises(ProcessLookupError):
        os.kill(int((rundir / "pid").read_text()), 0)
    # The allocation is still good.
    again = held.exec(step("echo fine"), {}, rundir)
    assert again.stdout == ["fine\n"] and again.engine["job"] == result.engine["job"]


def test_a_step_that_waits_in_the_queue_is_told_of_and_cancelled(cluster, rundir):
    told = []
    held = worker(extra=["--begin=now+3600"])
    task = held.start(step("true"), {}, rundir)
    for event in task:
        if event.kind == "progress":
            told.append(event.details if hasattr(event, "details") else event)
            task.cancel()
    result = task.wait()
    assert result.outcome == "cancelled" and told
    assert result.engine["job"] is not None
    cluster.wait_until_empty()


def test_the_queue_has_a_limit_of_its_own(cluster, rundir):
    result = run(rundir, "true", extra=["--begin=now+3600"], queue_timeout=0.5)
    assert result.outcome == "timeout" and "queue_timeout" in result.message
    assert f"job {result.engine['job']} has left the queue" in result.message
    assert "the scheduler's reason: BeginTime (the time at which the job may begin has not come)" in result.message
    assert "an earlier" in result.explanation["likely"]


@pytest.mark.parametrize("limit", [{}, {"queue_timeout": 0.3}, {"queue_timeout": 60}, {"timeout": 60}])
@pytest.mark.parametrize(
    "options, reason, advice",
    [
        ({"time": 7200}, "PartitionTimeLimit", 'ask for less "time"'),
        ({"cpus": 99}, "PartitionConfig", 'fewer "cpus"'),
        ({"partition": "second", "cpus": 5}, "PartitionConfig", 'another "partition"'),
    ],
)
def test_what_can_never_start(cluster, rundir, options, reason, advice, limit):
    result = run(rundir, "true", **options, **limit)
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    # Right after the submission, the scheduler gives a more general reason.
    word = "Partition" if limit == {"queue_timeout": 0.3} else reason + " ("
    assert f"the scheduler will not start job {result.engine['job']}: {word}" in result.message
    explanation = result.explanation
    assert explanation["layer"] == "scheduler" and (word == "Partition" or advice in explanation["likely"])
    assert result.engine["state"] == "CANCELLED" and result.commands[0]["is_ended"]


def told_why(task, cluster, job_change):
    """The reasons that a step in the queue gives. When there is one, the cluster is changed."""
    told = []
    for event in task:
        if event.kind == "progress" and event.status.startswith("waiting: "):
            told.append(event.status)
            cluster.call("scontrol", "update", *job_change)
    return told, task.wait()


@pytest.mark.parametrize(
    "what, down, up, reason",
    [
        ("node", ["state=drain", "reason=test"], ["state=resume"], "Nodes required for job are DOWN, DRAINED"),
        ("partition", ["state=down"], ["state=up"], "PartitionDown (the partition starts no jobs at this time)"),
    ],
)
def test_what_may_start_later_waits_and_says_why(cluster, rundir, what, down, up, reason):
    name = f"nodename={os.uname().nodename.split('.')[0]}" if what == "node" else "partitionname=main"
    wait_until(lambda: cluster.call("sinfo", "--noheader", "--format=%T", "--partition=main").strip() == "idle")
    cluster.call("scontrol", "update", name, *down)
    try:
        told, result = told_why(worker().start(step("echo there"), {}, rundir), cluster, [name, *up])
    finally:
        # The node refuses "resume" if it has been resumed already.
        subprocess.run(["scontrol", "update", name, *up], capture_output=True, check=False)
    assert result.stdout == ["there\n"] and len(told) == 1 and reason in told[0]


def test_a_busy_cluster_is_the_reason_of_a_queue_timeout(cluster, rundir):
    blocker = Waited(worker(cpus=4, partition="second"), step("until [ -e go ]; do sleep 0.05; done"), rundir)
    wait_until(lambda: any(state == "RUNNING" for _, _, state in cluster.jobs()))
    result = run(rundir, "true", cpus=4, partition="second", queue_timeout=2)
    (rundir / "go").write_text("")
    assert blocker.wait().returncode == 0
    assert result.outcome == "timeout" and "the scheduler's reason: " in result.message
    assert "Resources (other jobs use the resources)" in result.message or "Priority (" in result.message
    assert result.explanation["likely"] == 'a longer "queue_timeout", or another "partition"'


@pytest.mark.parametrize("extra", [[], ["--exclusive"], ["--overlap"]])
@pytest.mark.parametrize(
    "command, output",
    [
        ("srun -n1 echo nested", ["nested"]),
        ("srun pwd", ["RUNDIR"]),
        ("srun -n2 -c1 sh -c 'echo $$SLURM_PROCID of $$SLURM_NTASKS'", ["0 of 2", "1 of 2"]),
        # Two steps at once take a processor each.
        ("srun -n1 -c1 --exact echo a & srun -n1 -c1 --exact echo b; wait", ["a", "b"]),
    ],
)
def test_srun_within_a_command(cluster, rundir, command, output, extra):
    result = run(rundir, command, cpus=2, timeout=60, extra=extra)
    assert (result.outcome, result.returncode) == ("exited", 0), (result.message, result.stderr)
    assert sorted(result.stdout[0].splitlines()) == [line.replace("RUNDIR", str(rundir)) for line in output]


def test_steps_of_a_command_do_not_share_their_processors(cluster, rundir):
    # The second step waits for the first one, because there is one processor.
    both = "srun -n1 sh -c 'echo a; sleep 0.5; echo a' & sleep 0.2; srun -n1 echo b; wait; env | grep -c OVERLAP"
    result = run(rundir, both, cpus=1, timeout=60)
    assert result.stdout == ["a\na\nb\n0\n"]


def test_srun_within_a_command_where_tasks_are_bound_to_processors(rundir, monkeypatch):
    variable("FW_TEST_SLURM")
    control = [str(ROOT / "Tests/engines/slurm.sh")]
    name = f"t{os.getpid()}"
    fast = "SchedulerParameters=bf_interval=1,sched_interval=1"
    started = subprocess.run(
        [*control, "start", name, "TaskPlugin=task/affinity", fast], capture_output=True, text=True
    )
    try:
        assert started.returncode == 0, started.stderr
        monkeypatch.setenv("SLURM_CONF", started.stdout.strip())
        result = run(rundir, "srun -n1 -c1 echo one; srun -n2 -c1 echo two", cpus=2, timeout=60)
    finally:
        subprocess.run([*control, "stop", name], check=True)
    assert result.stdout == ["one\ntwo\ntwo\n"], result.stderr


def test_waiting_in_the_queue_is_no_part_of_the_timeout(cluster, rundir):
    blocker = worker(cpus=4, memory=3000 << 20, extra=["--exclusive"], hold=0)
    first = Waited(blocker, step("sleep 1.5"), rundir)
    wait_until(lambda: any(state == "RUNNING" for _, _, state in cluster.jobs()))
    result = run(rundir, "echo a", "echo b", cpus=4, memory=3000 << 20, timeout=1, extra=["--exclusive"])
    assert (result.outcome, result.stdout) == ("exited", ["a\n", "b\n"])
    assert result.engine["waited"] > 0.1
    assert first.wait().returncode == 0


@pytest.mark.parametrize(
    "options, words",
    [
        ({"partition": "nowhere"}, "nvalid partition"),
        ({"memory": 1 << 45}, "Requested node configuration is not available"),
        ({"extra": ["--bogus"]}, "bogus"),
        ({"extra": ["--constraint=nowhere"]}, "feature"),
    ],
)
def test_what_the_scheduler_refuses(cluster, rundir, options, words):
    result = run(rundir, "true", **options)
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert words in result.message and "the scheduler refused the allocation" in result.message
    assert result.engine["messages"]


def test_options_reach_the_scheduler(cluster, rundir):
    result = run(
        rundir,
        "scontrol show job -o $$SLURM_JOB_ID",
        partition="second",
        time=150,
        cpus=2,
        memory=300 << 20,
        extra=["--comment=a b"],
    )
    facts = dict(word.split("=", 1) for word in result.stdout[0].split() if "=" in word)
    assert facts["Partition"] == "second" and facts["TimeLimit"] == "00:03:00" and facts["NumCPUs"] == "2"
    assert "mem=300M" in facts["TRES"] and facts["Comment"] == "a"
    assert facts["Requeue"] == "0" or facts["BatchFlag"] == "0"


def test_memory_that_runs_out(cluster, rundir):
    code = "import time; x = bytearray(300_000_000); time.sleep(60)"
    result = run(rundir, "echo before", f'{sys.executable} -c "{code}"', memory=50 << 20)
    assert result.outcome == "oom" and result.stdout == ["before\n"]
    assert "more memory than its allocation of 52428800 bytes" in result.message


def test_the_time_of_the_allocation_runs_out(cluster, rundir):
    # The scheduler looks twice in a minute; the limit is changed to one that has passed.
    task = worker(time=60).start(step("echo x; sleep 1000"), {}, rundir)
    job = None
    for event in task:
        if event.kind == "output":
            ((_, job, _),) = cluster.jobs()
            cluster.call("scontrol", "update", f"JobId={job}", "EndTime=now")
            break
    result = task.wait()
    assert result.outcome == "timeout" and result.stdout == ["x\n"]
    assert f"job {job}" in result.message and result.engine["state"] == "TIMEOUT"
    assert 'more "time"' in result.explanation["likely"]


def test_a_job_that_somebody_else_cancels(cluster, rundir):
    task = worker().start(step("echo x; sleep 1000"), {}, rundir)
    for event in task:
        if event.kind == "output":
            ((_, job, _),) = cluster.jobs()
            cluster.call("scancel", job)
            break
    result = task.wait()
    assert (result.outcome, result.returncode, result.stdout) == ("engine_failed", 1, ["x\n"])
    assert "cancelled by somebody else" in result.message and result.engine["state"] == "CANCELLED"


def test_an_agent_that_is_killed(cluster, rundir):
    task = worker().start(step("echo $$PPID; sleep 1000"), {}, rundir)
    for event in task:
        if event.kind == "output":
            # The parent of the command is its monitor, and that one's the agent.
            with open(f"/proc/{int(event.data)}/stat", encoding="ascii") as file:
                agent = int(file.read().rpartition(")")[2].split()[1])
            os.kill(agent, signal.SIGKILL)
            break
    result = task.wait()
    assert (result.outcome, result.returncode) == ("status_unknown", 1)
    assert "ended with an unknown status" in result.message and "the connection to job" in result.message


def test_an_srun_that_is_killed_takes_nothing_else(cluster, rundir):
    task = worker().start(step("echo x", "echo y; echo $$$$ > pid; sleep 1000"), {}, rundir)
    for event in task:
        if event.kind == "output" and event.data == b"y\n":
            for pid in cluster.sruns():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            break
    result = task.wait()
    assert result.outcome in ("status_unknown", "engine_failed", "signaled") and result.stdout == ["x\n", "y\n"]
    assert result.returncode != 0
    cluster.wait_until_empty()
    wait_until(lambda: not os.path.exists(f"/proc/{(rundir / 'pid').read_text().strip()}"))


def test_no_slurm_here(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(tmp_path, "true")
    assert result.outcome == "engine_failed"
    assert "srun was not found in PATH" in result.message and str(tmp_path) in result.message


def test_a_controller_that_cannot_be_reached(tmp_path, monkeypatch, cluster):
    with open(cluster.conf, encoding="utf-8") as file:
        lines = file.read().splitlines()
    other = [line for line in lines if not line.startswith(("SlurmctldPort", "MessageTimeout"))]
    conf = tmp_path / "slurm.conf"
    conf.write_text("\n".join([*other, "SlurmctldPort=9", "MessageTimeout=1", "SlurmctldTimeout=1"]))
    with monkeypatch.context() as changed:
        changed.setenv("SLURM_CONF", str(conf))
        result = run(tmp_path, "true")
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    assert "the scheduler does not answer" in result.message


class Swallower:
    """A proxy between Slurm's commands and the controller. On demand it forwards a request and drops the answer."""

    def __init__(self, port):
        self.port, self.wanted, self.swallowed = port, 0, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=(client,), daemon=True).start()

    def _hand_on(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as controller:
            threading.Thread(target=self._pump, args=(client, controller, lambda data: True), daemon=True).start()
            self._pump(controller, client, self._is_answer_wanted)

    def _is_answer_wanted(self, data):
        if self.wanted > 0:
            self.wanted -= 1
            self.swallowed += 1
            time.sleep(1.5)
            return False
        return True

    @staticmethod
    def _pump(source, sink, is_wanted):
        try:
            while data := source.recv(65536):
                if not is_wanted(data):
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_a_submission_whose_answer_was_lost(tmp_path, monkeypatch, cluster):
    with open(cluster.conf, encoding="utf-8") as file:
        lines = file.read().splitlines()
    (port,) = [int(line.split("=")[1]) for line in lines if line.startswith("SlurmctldPort=")]
    between = Swallower(port)
    other = [line for line in lines if not line.startswith(("SlurmctldPort", "MessageTimeout"))]
    conf = tmp_path / "slurm.conf"
    conf.write_text("\n".join([*other, f"SlurmctldPort={between.server.getsockname()[1]}", "MessageTimeout=1"]))
    rundir = tmp_path / "run"
    rundir.mkdir()
    with monkeypatch.context() as changed:
        changed.setenv("SLURM_CONF", str(conf))
        between.wanted = 1
        result = run(rundir, "echo x >> made; cat made")
    between.server.close()
    assert between.swallowed == 1 and result.returncode == 0, result.message
    # Once, whatever became of the first request; and no job of it is left (the fixture looks).
    assert result.stdout == ["x\n"]


def test_held_allocations_serve_further_steps(cluster, rundir):
    held = worker(hold=20)
    jobs = {held.exec(step("echo x"), {}, rundir).engine["job"] for _ in range(10)}
    assert len(jobs) == 1
    del held
    cluster.wait_until_empty()


def test_a_held_allocation_ends_by_itself(cluster, rundir):
    held = worker(hold=0.5)
    first = held.exec(step("true"), {}, rundir).engine["job"]
    cluster.wait_until_empty()
    second = held.exec(step("true"), {}, rundir).engine["job"]
    assert first != second


def test_a_failing_step_leaves_the_allocation_to_the_next(cluster, rundir):
    held = worker(hold=20)
    first = held.exec(step("exit 3", "true"), {}, rundir)
    second = held.exec(step("echo x"), {}, rundir)
    assert first.returncode == 3 and second.stdout == ["x\n"] and first.engine["job"] == second.engine["job"]


def test_processes_of_one_step_do_not_meet_the_next(cluster, rundir):
    held = worker(hold=20)
    held.exec(step("export A=1; cd /; sleep 1000 &"), {}, rundir)
    result = held.exec(step("pwd; echo [$$A]; pgrep -c -f '^sleep 1000$$' || true"), {}, rundir)
    assert result.stdout == [f"{rundir}\n[]\n0\n"]


def test_many_steps_need_no_more_allocations_than_allowed(cluster, rundir):
    held = worker(hold=20, allocations=2)

    async def all_of_them():
        return await asyncio.gather(*(held.exec_async(step(f"echo {n}"), {}, rundir) for n in range(60)))

    results = asyncio.run(all_of_them())
    assert [result.stdout for result in results] == [[f"{n}\n"] for n in range(60)]
    assert len({result.engine["job"] for result in results}) <= 2


def test_a_step_in_the_line_takes_what_becomes_free(cluster, rundir):
    """Two steps share one processor: the second one's job waits, but it gets the allocation of the first one."""
    held = worker(cpus=4, memory=3000 << 20, hold=5, extra=["--exclusive"])
    first = Waited(held, step("sleep 0.5; echo 1"), rundir)
    wait_until(lambda: any(state == "RUNNING" for _, _, state in cluster.jobs()))
    second = held.exec(step("echo 2"), {}, rundir)
    assert first.wait().stdout == ["1\n"] and second.stdout == ["2\n"]
    assert second.engine["job"] == first.wait().engine["job"]


def test_many_threads(cluster, rundir):
    held = worker(hold=5, allocations=3)
    failures = []

    def work(number):
        for turn in range(5):
            result = held.exec(step(f"echo {number}", f"exit {turn}"), {}, rundir)
            if (result.returncode, result.stdout) != (turn, [f"{number}\n"]):
                failures.append(result.message)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_retries_make_a_new_attempt(cluster, rundir):
    result = run(rundir, "echo x >> seen; [ $$(wc -l < seen) -ge 3 ]", retries={"max": 5, "delay": 0})
    assert result.returncode == 0 and len(result.attempts) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_host_that_is_killed_leaves_nothing(cluster, rundir, number):
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "bindings/python")!r})
import flowworker
worker = flowworker.create_worker({{"name": "w", "type": "slurm", "options": {{"hold": 100, "grace": 0.2}}}})
step = flowworker.ContainerStep("s", "x", ["setsid sleep 1000 & echo $$! ; sleep 1000"])
run = worker.start(step, {{}}, {str(rundir)!r})
for event in run:
    if event.kind == "output":
        print(event.data.decode(), end="", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    cluster.wait_until_empty()
    wait_until(lambda: not os.path.exists(f"/proc/{child}"))
    for name in os.listdir(rundir):
        os.unlink(rundir / name)


def test_freeing_ends_the_job(cluster, rundir):
    task = worker().start(step("echo $$$$ > pid; echo x; sleep 1000"), {}, rundir)
    for event in task:
        if event.kind == "output":
            break
    del event, task
    cluster.wait_until_empty()
    wait_until(lambda: not os.path.exists(f"/proc/{(rundir / 'pid').read_text().strip()}"))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"extra": ["--output=x"]}, "the worker sets this option of srun itself"),
        ({"extra": ["-N2"]}, "the worker sets this option of srun itself"),
        ({"extra": ["--nod=2"]}, "the worker sets this option of srun itself"),
        ({"extra": ["gpu"]}, "is not an option of srun"),
        ({"time": 0}, "time of an allocation"),
        ({"cpus": 1.5}, "number of processors"),
        ({"partitions": "x"}, 'did you mean "partition"'),
        ({"partition": "a b"}, "without spaces"),
        ({"background": "leave"}, "leave"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(flowworker.DocumentError) as caught:
        worker(**options)
    assert words in str(caught.value)


def test_a_job_whose_place_another_takes(cluster, rundir):
    waited = Waited(worker(extra=["--exclusive"], cpus=4), step("echo x; touch begun; sleep 1000"), rundir)
    wait_until((rundir / "begun").exists)
    cluster.call("srun", "--partition=urgent", "--exclusive", "-n1", "true")
    result = waited.wait()
    assert (result.outcome, result.engine["state"], result.stdout) == ("engine_failed", "PREEMPTED", ["x\n"])
    assert "was preempted" in result.message and result.explanation["layer"] == "scheduler"


@pytest.fixture
def node(cluster):
    """The node's daemon, which a test may kill."""
    script, name = ROOT / "Tests/engines/slurm.sh", os.path.basename(os.path.dirname(cluster.conf))

    def control(verb):
        subprocess.run([script, "node", name, verb], check=True, timeout=60)

    yield control
    control("start")
    wait_until(lambda: cluster.call("sinfo", "--noheader", "--format=%T", "--partition=main").strip() == "idle")


def test_a_node_that_fails(node, cluster, rundir):
    waited = Waited(worker(), step("echo x; touch begun; sleep 1000"), rundir)
    wait_until((rundir / "begun").exists)
    node("kill")
    # The scheduler gives the node up after its SlurmdTimeout.
    result = waited.wait()
    assert (result.outcome, result.engine["state"], result.stdout) == ("engine_failed", "NODE_FAIL", ["x\n"])
    assert "the node" in result.message and " failed" in result.message


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_an_agent_that_does_not_answer(cluster, rundir, how):
    """The library asks the scheduler to end the job, and whether it has ended."""
    waited = Waited(
        worker(**({"timeout": 0.5} if how == "timeout" else {})), step("echo $$PPID > pid; sleep 1000"), rundir
    )
    wait_until(lambda: (rundir / "pid").exists() and (rundir / "pid").read_text())
    monitor = int((rundir / "pid").read_text())
    with open(f"/proc/{monitor}/stat", encoding="ascii") as file:
        agent = int(file.read().rpartition(")")[2].split()[1])
    os.kill(agent, signal.SIGSTOP)
    os.kill(monitor, signal.SIGSTOP)
    if how == "cancel":
        waited.task.cancel()
    result = waited.wait()
    assert result.outcome == ("cancelled" if how == "cancel" else "timeout") and result.returncode != 0
    assert result.engine["state"] not in (None, *ALIVE)
    assert cluster.jobs() == []
