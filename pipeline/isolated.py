"""The program of an isolated process: run a module and leave the peak memory of the process in a file.

The process measures itself: whoever watches it from outside misses the last milliseconds before its end, and
of a short process everything.
"""

import os
import runpy
import sys
from pathlib import Path

from pipeline.machine import high_water_mark

if __name__ == "__main__":
    module, request, peak = sys.argv[1:]
    sys.argv[1:] = [request]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    Path(peak).write_text(str(high_water_mark()), encoding="ascii")
    # Shutting down torch, jax and tensorflow takes a second and can crash; the results are already written.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
