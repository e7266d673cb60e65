"""Merge an adapter into a converted base, from files to a file."""

import os
from pathlib import Path

from pipeline.console import console
from pipeline.errors import InputError


def graft_file(base: Path, adapter: Path, preset: Path, output: Path, rounding: str | None = None) -> None:
    """Write the grafted model and print what was done.

    Args:
        base: a converted base, .litertlm.
        adapter: an adapter.safetensors, or the folder of a PEFT adapter.
        preset: the weights of the base: a KerasHub preset or a Hugging Face folder.
        output: the .litertlm to write.
        rounding: the name of a rounding that needs neither examples nor training; None for plain rounding.

    Raises:
        InputError: the rounding is unknown, a file is unusable, or they do not belong together.
    """
    # Matrices are rounded side by side in our own threads. OpenBLAS's own threads, which it starts when it is
    # loaded, would compete with them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from pipeline.litert.graft.adapter import graft_adapter
    from pipeline.quantization.roundings import NEAREST, ROUNDINGS

    usable = [name for name, found in ROUNDINGS.items() if found.of_weights]
    if rounding not in (None, *usable):
        raise InputError(f"--rounding {rounding}: expected one of {', '.join(usable)}")
    console.print(str(graft_adapter(base, adapter, preset, output, rounding or NEAREST.name)))
