"""Machines to train on: their memory and their highest rates, with sources."""

from dataclasses import dataclass

GB = 10**9
TERA = 10**12


@dataclass(frozen=True)
class Machine:
    """An accelerator, or several of the same kind.

    Attributes:
        title: as people call it.
        memory: of one chip, in bytes.
        bfloat16: operations per second of one chip in bfloat16; None: it does not multiply in bfloat16.
        float32: the same in float32.
        source: where the figures come from.
        chips: how many there are.
    """

    title: str
    memory: int
    bfloat16: float | None
    float32: float
    source: str
    chips: int = 1

    def rate(self, dtype: str) -> float:
        """Operations per second of one chip in a dtype."""
        return self.bfloat16 or self.float32 if dtype == "bfloat16" else self.float32


_NVIDIA = "https://www.nvidia.com/en-us/data-center/"
_T4 = Machine("NVIDIA T4", 16 * GB, None, 8.1 * TERA, f"{_NVIDIA}tesla-t4/")
_V5E = "https://cloud.google.com/tpu/docs/v5e"

MACHINES = {
    "t4": _T4,
    "kaggle-t4x2": Machine("two NVIDIA T4", _T4.memory, _T4.bfloat16, _T4.float32, _T4.source, chips=2),
    "l4": Machine("NVIDIA L4", 24 * GB, 121 * TERA, 30.3 * TERA, f"{_NVIDIA}l4/"),
    "a100": Machine("NVIDIA A100 40GB", 40 * GB, 312 * TERA, 19.5 * TERA, f"{_NVIDIA}a100/"),
    "h100": Machine("NVIDIA H100 SXM", 80 * GB, 989 * TERA, 67 * TERA, f"{_NVIDIA}h100/"),
    # A TPU multiplies float32 in bfloat16 unless a program asks for more.
    "v5e-1": Machine("TPU v5e, one chip", 16 * GB, 197 * TERA, 197 * TERA, _V5E),
    "v5e-8": Machine("TPU v5e, eight chips", 16 * GB, 197 * TERA, 197 * TERA, _V5E, chips=8),
}
"""Dense rates, without sparsity. The T4's tensor cores multiply float16, which training does not use."""

THIS = "this"
"""The machine that runs the command."""

SHARES = (0.1, 0.4)
"""Share of the highest rate that training may reach on an accelerator. An assumption: nothing has been
measured there."""
