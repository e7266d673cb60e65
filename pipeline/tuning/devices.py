"""Which Keras backend and which dtype suit this machine."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.gemma.causal_lm import Backend
from pipeline.machine import cpu_flags
from pipeline.recipe.schema import FinetuneSection

SMALL_MODEL = 100_000_000
"""Below this many parameters bfloat16 saves little time on a CPU and costs three digits."""

BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")


@dataclass(frozen=True)
class Compute:
    """How training computes, and why that was chosen."""

    backend: Backend
    dtype: str
    reason: str


def choose_compute(settings: FinetuneSection, parameters: int) -> Compute:
    """Resolve `auto` in the backend and dtype settings.

    Args:
        settings: the finetune section.
        parameters: size of the model.
    """
    accelerator = find_accelerator()
    if accelerator == "tpu":
        backend, reason = "jax", "a TPU is present"
    elif accelerator == "gpu":
        jax_gpu = any(
            importlib.util.find_spec(name)
            for name in ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm60_plugin")
        )
        backend, reason = (
            ("jax", "a GPU and JAX's plugin for it")
            if jax_gpu
            else ("torch", "a GPU, and JAX has no plugin for it here")
        )
    else:
        # Measured in docs/measurements.md: JAX's steps are as long within a tenth, and it compiles each shape first, for seconds.
        backend, reason = "torch", "CPU only"
    if settings.backend != "auto":
        backend, reason = settings.backend, "set in the recipe"

    has_bfloat16 = accelerator is not None or any(flag in cpu_flags() for flag in BFLOAT16_FLAGS)
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "bfloat16" if has_bfloat16 and parameters >= SMALL_MODEL else "float32"
    return Compute(backend, dtype, reason)  # type: ignore[arg-type]


def find_accelerator() -> str | None:
    """`tpu`, `gpu` or None, without importing a framework."""
    if "COLAB_TPU_ADDR" in os.environ or "TPU_NAME" in os.environ or any(Path("/dev").glob("accel*")):
        return "tpu"
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return None
    if any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists():
        return "gpu"
    return None
