"""Additions of an adapter bring the integers of its training, for the matrices that it has scales for and no
others."""

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.families.names import EMBEDDING
from pipeline.tuning.deltas import Deltas

MATRIX = np.array([[0.9, -0.4, 5.0], [0.1, 0.2, -0.3]], np.float32)


def test_integers_come_from_the_scales_and_bits_of_the_recipe() -> None:
    scales = {EMBEDDING: np.array([[0.5], [0.1]], np.float32)}
    small, large = (Deltas("PocketGemma", {}, recipe=name, scales=scales) for name in ("int4", "int8"))
    np.testing.assert_array_equal(small.quantized(EMBEDDING, MATRIX).values, [[2, -1, 7], [1, 2, -3]])
    np.testing.assert_array_equal(large.quantized(EMBEDDING, MATRIX).values, [[2, -1, 10], [1, 2, -3]])


def test_a_matrix_without_scales_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.norm\.weight: the adapter has no scales for this matrix"):
        Deltas("PocketGemma", {}, recipe="int4").quantized("model.norm.weight", MATRIX)
