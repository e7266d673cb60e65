"""What an adapter adds to the matrices of its base, some rows at a time, whichever method or tool trained
it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.quantization.rounding import Quantized, with_scales
from pipeline.quantization.schemes import SCHEMES

Rows = Callable[[int, NDArray[np.float32]], NDArray[np.float32]]
"""From the first row and the base's rows (rows, in), float32, to what is added to these rows, in the same
shape."""

MatrixDelta = tuple[tuple[int, int], Callable[[], Rows]]
"""The shape (out, in) of a matrix, and a function that prepares its rows."""


@dataclass(frozen=True)
class Deltas:
    """An adapter as additions to matrices.

    Attributes:
        kind: the adapter's format, for messages.
        matrices: the adapted matrices by Hugging Face name.
        base_digest: digest of the preset that it was trained on; empty if the adapter does not record it.
        declared_base: the name of that model, if the adapter records a name only.
        recipe: quantization recipe that it was trained for; empty for an ordinary adapter.
        scales: with a recipe: scales (out, blocks) of every matrix of the model, by Hugging Face name.
    """

    kind: str
    matrices: Mapping[str, MatrixDelta]
    base_digest: str = ""
    declared_base: str = ""
    recipe: str = ""
    scales: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def quantized(self, name: str, matrix: NDArray[np.float32]) -> Quantized:
        """The integers that training used for a matrix.

        Args:
            name: Hugging Face name.
            matrix: merged, (out, in), float32.

        Raises:
            InputError: the adapter has no scales for it.
        """
        if name not in self.scales:
            raise InputError(
                f"{name}: the adapter has no scales for this matrix; it was trained on another model, or "
                "without "
                "finetune.quantization_aware"
            )
        return with_scales(matrix, self.scales[name], SCHEMES[self.recipe].bits_of(name))
