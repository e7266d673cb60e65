"""The registry of roundings: each way to choose a matrix's integers and scales, and what it needs.

A new rounding is one entry in `ROUNDINGS`. The recipe offers the names, the stages ask what a rounding needs,
and verification asks how far a value may be from the matrix that was rounded. Importing this module loads
neither PyTorch nor Keras.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.quantization.rounding import Quantized, least_squares, nearest

RoundMatrix = Callable[[NDArray[np.float32], int, int | None], Quantized]
"""Rounds rows of a matrix: values (rows, in), bits, and the block size (None: a scale for each row). Rows do
not affect one another."""

HALF_STEP = 0.51
"""Half a step of plain rounding, and a little for scales of 8 significant bits."""

WIDE_STEP = 1.0
"""A limit for roundings that trade one value's error for another's: GPTQ reaches 0.67 on the demo, and
exceeds 1 in a few rows of a Gemma 3 270M."""

ROW_ERROR = 0.75
"""Share of a row's energy that such a rounding may change, in a row beyond its limit. GPTQ reaches 0.56 on a
Gemma 3 270M; another row in its place changes 1 or more."""


@dataclass(frozen=True)
class Rounding:
    """A way to choose integers and scales.

    Attributes:
        name: as in `convert.rounding`.
        of_weights: rounds by the matrix alone; None if the rounding needs calibration inputs or training.
        of_inputs: rounds for calibration inputs, as `gptq.gptq` does: matrix, second moments of its inputs,
            bits, block, and the keyword `damping`; None if the matrix alone is enough.
        needs_grafting: the converter cannot choose these integers itself; a graft writes them into a cached
            base.
        row_limit: the largest root mean square of a row's errors, in steps of plain rounding; None: every
            single value lies within `HALF_STEP`, which is the stricter rule.
        row_error: a row beyond `row_limit` is still right if the energy of its errors is at most this share
            of its own.
        base_rounding: name of the rounding for the base without the adapter, where neither examples nor
            training apply.
    """

    name: str
    of_weights: RoundMatrix | None = None
    of_inputs: Callable[..., Quantized] | None = None
    needs_grafting: bool = True
    row_limit: float | None = WIDE_STEP
    row_error: float = 0.0
    base_rounding: str = "least_squares"

    @property
    def needs_calibration(self) -> bool:
        """Whether it rounds for examples of the matrix's inputs."""
        return self.of_inputs is not None


def _gptq(
    matrix: NDArray[np.float32], moments: NDArray[np.floating], *settings: Any, **more: Any
) -> Quantized:
    from pipeline.quantization.gptq import gptq

    return gptq(matrix, moments, *settings, **more)


def _by_name(roundings: Iterable[Rounding]) -> dict[str, Rounding]:
    return {rounding.name: rounding for rounding in roundings}


NEAREST = Rounding("nearest", nearest, needs_grafting=False, row_limit=None, base_rounding="nearest")
"""Plain rounding, which the converter does itself."""

ROUNDINGS = _by_name(
    [
        NEAREST,
        Rounding("least_squares", least_squares, row_limit=HALF_STEP),
        Rounding("gptq", of_inputs=_gptq, row_error=ROW_ERROR),
    ]
)
"""The values of `convert.rounding`."""

TRAINED = Rounding("quantization_aware")
"""Integers that training chose: the adapter brings their scales. No value of `convert.rounding`."""


def find_rounding(name: str) -> Rounding:
    """A rounding by its name, the trained one included.

    Raises:
        KeyError: there is none of that name.
    """
    return TRAINED if name == TRAINED.name else ROUNDINGS[name]
