"""Products of two matrices in PyTorch, computed by the faster library of this machine.

PyTorch multiplies float32 matrices on x86 processors with Intel's MKL, which uses AVX-512 on Intel's
processors only. Its other library, oneDNN, uses what the processor has. PyTorch takes it for bfloat16.
"""

from functools import cache
from typing import Any

from pipeline.machine import cpu_flags, is_intel

LEAST = 1 << 21
"""Operations of a product from which oneDNN is faster."""


def product(left: Any, right: Any) -> Any:
    """left @ right.

    Args:
        left: a tensor of PyTorch, (m, k).
        right: (k, n), in the dtype of `left`.

    Returns:
        (m, n), in the same dtype; not always contiguous.
    """
    import torch

    (m, k), n = left.shape, right.shape[1]
    if left.dtype != torch.float32 or left.device.type != "cpu" or 2 * m * k * n < LEAST:
        return torch.mm(left, right)
    linear = _linear()
    if linear is None:
        return torch.mm(left, right)
    if left.stride(0) == 1 and m > n:  # oneDNN copies a transposed left matrix
        return linear(right.t(), left, None, "none", [], "").t()
    return linear(left, right.t(), None, "none", [], "")


@cache
def _linear() -> Any:
    """oneDNN's x W^T, which `torch.compile` uses too; None where MKL is as fast."""
    import torch

    if is_intel() or "avx512f" not in cpu_flags() or not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)
