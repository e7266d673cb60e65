"""One process runs all tests, so it holds PyTorch, TensorFlow and JAX side by side, as the stages' own
processes never do."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Triton's library crashes when it is loaded after TensorFlow or XLA; only compiling for a graphics card needs
# it.
sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
