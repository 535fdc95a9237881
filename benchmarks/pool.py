"""What does flowserv-core take to parse, validate and pool 100,000 workers? The limit is that of pool.c."""

import json
import subprocess

import bench

WORKERS = 100_000


def main() -> None:
    if not bench.flowserv_is_here():
        return
    from flowserv.controller.serial.engine.validate import validator
    from flowserv.controller.worker.manager import WorkerPool

    document = subprocess.run([bench.BUILD / "pool", "write", str(WORKERS)], stdout=subprocess.PIPE, check=True).stdout

    def flowserv_pool() -> None:
        config = json.loads(document)
        validator.validate(config)
        WorkerPool(workers=config["workers"])

    def limit() -> None:
        bench.limits.limit_pool(document, len(document), None)

    question = f"pool: {WORKERS} workers"
    # Memory is measured first, because children could reuse memory that this process has freed.
    ratio = bench.peak_in_child(flowserv_pool) / bench.peak_in_child(limit)
    bench.print_peer(f"{question}, peak memory", "flowserv-core", ratio)
    # One round is enough: it takes seconds, and is far from the limit.
    bench.compare(question, {"flowserv-core": bench.timed(flowserv_pool)}, bench.timed(limit), rounds=1)


if __name__ == "__main__":
    main()
