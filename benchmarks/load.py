"""What does it cost to import the library's Python package, in a fresh interpreter?

The limit is an import of ctypes that loads a C library.
"""

import subprocess
import sys

import bench

TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def importing(statement: str) -> bench.Work:
    program = f"import sys; sys.path.insert(0, {str(bench.ROOT / 'bindings' / 'python')!r}); " + TIMED.format(statement)

    def work() -> float:
        output = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True).stdout
        return float(output)

    return work


def main() -> None:
    peers = {}
    if bench.flowserv_is_here():
        peers["flowserv-core"] = importing("import flowserv.controller.worker.manager")
    if bench.flowworker_is_here():
        peers["flowworker in Python"] = importing("import flowworker")
    limit = importing(f"import ctypes; ctypes.CDLL({str(bench.BUILD / 'liblimits.so')!r})")
    bench.compare("load: import in a fresh Python", peers, limit, 7)


if __name__ == "__main__":
    main()
