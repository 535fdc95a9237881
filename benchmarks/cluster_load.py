"""What ten thousand steps ask of a cluster's controller: a simulation.

The controller answers one request at a time, each with a cost in milliseconds. Steps take a time of their own, on as
many processors as there are. Three ways to run them:

    jobs, polled one by one    a job for each step, and a question about each job every second
    jobs, polled together      the same, and one question about all jobs, at intervals that grow from 1 to 15 s
    held allocations           so many allocations, each of which serves one step after the other (the slurm worker)

    python3 benchmarks/cluster_load.py [STEPS [SECONDS [PROCESSORS]]]
"""

import heapq
import sys

#: Milliseconds of the controller, measured with Slurm 22.05 on one core: asking for an allocation and giving it back,
#: a question about one job, and one about many, which takes longer with each of them.
SUBMIT, ASK, ASK_ALL, ASK_EACH = 12.0, 4.0, 4.0, 0.02


class Controller:
    """Answers in the order of arrival."""

    def __init__(self):
        self.free_at = 0.0
        self.busy = 0.0
        self.requests = 0
        self.longest_wait = 0.0

    def answer(self, now, milliseconds):
        begin = max(now, self.free_at)
        self.longest_wait = max(self.longest_wait, begin - now)
        self.free_at = begin + milliseconds / 1000
        self.busy += milliseconds / 1000
        self.requests += 1
        return self.free_at


def jobs(steps, seconds, processors, ask):
    """A job for each step, all of them submitted at once. `ask` is what looks for their ends."""
    controller = Controller()
    events = []  # (time, kind, number)
    started = []
    for _ in range(steps):
        started.append(controller.answer(0.0, SUBMIT))
    free = [0.0] * processors
    ends = []
    for submitted in started:
        begin = max(submitted, heapq.heappop(free))
        ends.append(begin + seconds)
        heapq.heappush(free, begin + seconds)
    ask(controller, started, ends, events)
    return controller, max(max(ends), controller.free_at)


def one_by_one(controller, started, ends, events):
    for begin, number in zip(started, range(len(ends))):
        heapq.heappush(events, (begin + 1, number))
    while events:
        now, number = heapq.heappop(events)
        # The next question comes a second after the answer.
        answered = controller.answer(now, ASK)
        if answered < ends[number]:
            heapq.heappush(events, (answered + 1, number))


def together(controller, started, ends, _events):
    now, pause, open_jobs = 1.0, 1.0, sorted(ends)
    while open_jobs:
        answered = controller.answer(now, ASK_ALL + ASK_EACH * len(open_jobs))
        open_jobs = [end for end in open_jobs if end > answered]
        now, pause = answered + pause, min(pause * 1.5, 15.0)


def held(steps, seconds, processors):
    """As many allocations as processors; a step in a held one needs two milliseconds and no controller."""
    controller = Controller()
    free = [controller.answer(0.0, SUBMIT) for _ in range(min(processors, steps))]
    heapq.heapify(free)
    end = 0.0
    for _ in range(steps):
        begin = heapq.heappop(free)
        end = max(end, begin + seconds + 0.002)
        heapq.heappush(free, begin + seconds + 0.002)
    return controller, end


def main(steps=10_000, seconds=30.0, processors=500):
    ideal = seconds * -(-steps // processors)
    print(f"{steps} steps of {seconds:g} s on {processors} processors: {ideal:g} s of work at least")
    print(f"{'':28}{'requests':>10}{'controller busy':>17}{'longest wait':>14}{'end':>10}{'to ideal':>10}")
    for name, (controller, end) in {
        "jobs, polled one by one": jobs(steps, seconds, processors, one_by_one),
        "jobs, polled together": jobs(steps, seconds, processors, together),
        "held allocations": held(steps, seconds, processors),
    }.items():
        busy = f"{controller.busy:.1f} s ({100 * controller.busy / end:.0f} %)"
        print(
            f"{name:28}{controller.requests:>10}{busy:>17}{controller.longest_wait:>12.1f} s"
            f"{end:>8.0f} s{end / ideal:>10.2f}"
        )


if __name__ == "__main__":
    values = [float(text) for text in sys.argv[1:4]]
    main(*[int(value) if place != 1 else value for place, value in enumerate(values)])
