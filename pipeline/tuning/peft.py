"""LoRA adapters of Hugging Face's PEFT as additions to the matrices of a Gemma."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.formats.peft import LoraPair, read_peft_folder

Matrix = tuple[tuple[int, int], Callable[[], Callable[[int, int], NDArray[np.float32]]]]


def read_peft(folder: Path) -> dict[str, Matrix]:
    """The additions of a PEFT adapter by Hugging Face name: shape (out, in), and a function that gives rows of them.

    Raises:
        InputError: no LoRA adapter of plain A and B for the matrices of a Gemma; names what is not, in one line.
    """
    return {
        name: ((pair.b.shape[0], pair.a.shape[1]), _rows(pair))
        for name, pair in read_peft_folder(folder).pairs().items()
    }


def _rows(pair: LoraPair) -> Callable[[], Callable[[int, int], NDArray[np.float32]]]:
    def make() -> Callable[[int, int], NDArray[np.float32]]:
        # Summed in float64 and rounded once, as ours: the last bit then depends on no BLAS.
        left, right = (tensor.read_all().astype(np.float64) for tensor in (pair.b, pair.a))
        return lambda start, stop: (left[start:stop] @ right * pair.scale).astype(np.float32)

    return make
