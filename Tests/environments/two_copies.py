#!/usr/bin/env python3
"""Runs suite.py beside another copy of the library, or with a library that was loaded with RTLD_DEEPBIND.

FW_OTHER_COPY names the other copy; FW_DEEPBIND=1 says the second. The arguments are those of suite.py.
"""

import ctypes
import os
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def use(path):
    """Runs a step with a copy of the library, and leaves its pool and its supervisor."""
    other = ctypes.CDLL(path)
    other.fw_version.restype = ctypes.c_char_p
    error, pool = ctypes.c_void_p(), ctypes.c_void_p()
    text = b'[{"name": "w", "type": "subprocess"}]'
    status = other.fw_pool_create(text, ctypes.c_size_t(len(text)), ctypes.byref(pool), ctypes.byref(error))
    assert status == 0 and pool.value, status
    return other


def main():
    if "FW_OTHER_COPY" in os.environ:
        other = use(os.environ["FW_OTHER_COPY"])
    if "FW_DEEPBIND" in os.environ:
        # Nothing else of the package chooses how the library is loaded.
        plain = ctypes.CDLL
        ctypes.CDLL = lambda name, mode=0, **more: plain(name, mode | os.RTLD_DEEPBIND, **more)
    sys.argv[0] = str(HERE / "suite.py")
    sys.path.insert(0, str(HERE))
    runpy.run_path(sys.argv[0], run_name="__main__")
    del other


if __name__ == "__main__":
    main()
