"""What does flowserv-core take to substitute a command's placeholders? The limit is that of expand/main.swift."""

import ctypes

import bench

COMMAND = "${python} code/run.py --in $inputfile --out ${outputfile} --n $n"
VALUES = {"inputfile": "a.txt", "outputfile": "b.txt", "n": "5"}
VARIABLES = {"python": "/usr/bin/python3"}
TIMES = 2000


def main() -> None:
    if not bench.flowserv_is_here():
        return
    from flowserv.controller.serial.workflow.result import ExecResult
    from flowserv.controller.worker.base import ContainerWorker
    from flowserv.model.workflow.step import ContainerStep
    from flowserv.volume.fs import FileSystemStorage

    class Substitution(ContainerWorker):
        """Substitutes as every container worker does, and runs nothing."""

        def run(self, step, env, rundir):
            return ExecResult(step=step)

    worker = Substitution(variables=VARIABLES)
    step = ContainerStep(identifier="step", image="", commands=[COMMAND])
    store = FileSystemStorage(basedir=".")

    flowserv = bench.timed(lambda: worker.exec(step=step, context=VALUES, store=store), TIMES)
    everything = {**VARIABLES, **VALUES}
    array = ctypes.c_char_p * len(everything)
    names = array(*(name.encode() for name in everything))
    texts = array(*(text.encode() for text in everything.values()))

    def limit() -> float:
        return bench.limits.limit_expand(COMMAND.encode(), names, texts, len(everything), TIMES)

    bench.compare("expand: a command with 4 placeholders", {"flowserv-core": flowserv}, limit, 11)


if __name__ == "__main__":
    main()
