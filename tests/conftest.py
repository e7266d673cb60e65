"""One process runs all tests, so it holds PyTorch, TensorFlow and JAX side by side, as the stages' own
processes never do."""

import os
import sys

from pipeline.machine import available_cores

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    # Threads of several workers that wait for one another keep every core busy, and small trainings take up
    # to 20 times as long.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // workers)))
# Triton's library crashes when it is loaded after TensorFlow or XLA; only compiling for a graphics card needs
# it.
sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
