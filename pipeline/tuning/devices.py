"""The Keras backend and the dtype that suit this machine."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.gemma.causal_lm import Backend
from pipeline.machine import cpu_flags

if TYPE_CHECKING:
    import keras_hub

SMALL_MODEL = 100_000_000
"""Parameters. Below this, training on a CPU takes minutes, and bfloat16 costs three digits of precision."""

BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Processor flags that mean bfloat16 arithmetic."""

JAX_GPU_PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm60_plugin")


@dataclass(frozen=True)
class Compute:
    """Backend and dtype of a training, and the reason for the backend."""

    backend: Backend
    dtype: str
    reason: str


def choose_compute(backend: str, dtype: str, parameters: int) -> Compute:
    """Resolve `auto` in the backend and dtype settings.

    Args:
        backend: `auto`, or a Keras backend, which is then used.
        dtype: `auto`, `float32` or `bfloat16`.
        parameters: of the model.
    """
    accelerator = find_accelerator()
    chosen, reason = choose_backend(backend)
    if dtype == "auto":
        has_bfloat16 = accelerator is not None or any(flag in cpu_flags() for flag in BFLOAT16_FLAGS)
        dtype = "bfloat16" if has_bfloat16 and parameters >= SMALL_MODEL else "float32"
    return Compute(chosen, dtype, reason)  # type: ignore[arg-type]


def choose_backend(backend: str) -> tuple[str, str]:
    """Resolve `auto` in the backend setting.

    Returns:
        The Keras backend, which is also the name of its package, and the reason for it.
    """
    if backend != "auto":
        return backend, "set in the recipe"
    accelerator = find_accelerator()
    if accelerator == "tpu":
        return "jax", "a TPU is present"
    if accelerator == "gpu":
        if any(importlib.util.find_spec(plugin) for plugin in JAX_GPU_PLUGINS):
            return "jax", "a GPU and the JAX plugin for it are present"
        return "torch", "a GPU is present, but no JAX plugin for it"
    # Measured in docs/measurements.md: JAX's steps take as long within a tenth, and it first compiles each
    # shape, for seconds.
    return "torch", "CPU only"


def computes_on_accelerator(backbone: "keras_hub.models.Backbone") -> bool:
    """Whether a loaded model computes on a GPU or a TPU."""
    import keras

    if keras.config.backend() == "torch":
        return any(variable.value.device.type != "cpu" for variable in backbone.variables)
    return any(not device.startswith("cpu") for device in keras.distribution.list_devices())


def find_accelerator() -> str | None:
    """`tpu`, `gpu` or None, without importing a framework."""
    if "COLAB_TPU_ADDR" in os.environ or "TPU_NAME" in os.environ or any(Path("/dev").glob("accel*")):
        return "tpu"
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return None
    if any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists():
        return "gpu"
    return None
