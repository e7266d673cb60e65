"""A matrix kind converts between Keras's kernels and matrices; a shape counts what it describes."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.families.decoder import MATRICES
from pipeline.families.family import GemmaShape, LayerSizes, MatrixKind
from pipeline.families.gemma3 import GEMMA3
from pipeline.families.registry import FAMILIES

SHAPE = GemmaShape(GEMMA3, layers=2, hidden=16, query_heads=4, kv_heads=2, head_dim=8, ffn=32, vocabulary=100)
KERNELS = {"heads_out": (4, 16, 8), "heads_in": (4, 8, 16), "dense": (16, 32)}
"""A kernel of each layout: (heads, in, head_dim), (heads, head_dim, out), (in, out)."""


@pytest.mark.parametrize("matrix", MATRICES, ids=[matrix.name for matrix in MATRICES])
def test_a_kernel_survives_the_way_to_a_matrix_and_back(matrix: MatrixKind) -> None:
    kernel = np.random.default_rng(0).standard_normal(KERNELS[matrix.layout]).astype(np.float32)
    np.testing.assert_array_equal(matrix.as_kernel(matrix.as_matrix(kernel), kernel.shape), kernel)


@pytest.mark.parametrize("matrix", MATRICES, ids=[matrix.name for matrix in MATRICES])
def test_input_axes_are_the_columns_of_the_matrix(matrix: MatrixKind) -> None:
    kernel = np.zeros(KERNELS[matrix.layout], np.float32)
    columns = int(np.prod([kernel.shape[axis] for axis in matrix.input_axes]))
    assert matrix.as_matrix(kernel).shape == (kernel.size // columns, columns)


def test_the_shapes_of_matrices_follow_from_the_model() -> None:
    shapes = [matrix.shape(SHAPE) for matrix in SHAPE.matrices_in(0)]
    assert shapes == [(32, 16), (16, 16), (16, 16), (16, 32), (32, 16), (32, 16), (16, 32)]


def test_parameters_are_embedding_matrices_and_norms() -> None:
    matrices = 2 * 32 * 16 + 2 * 16 * 16 + 3 * 32 * 16
    norms = 2 * (4 * 16 + 2 * 8) + 16
    assert (SHAPE.other_parameters, SHAPE.parameters) == (norms, 100 * 16 + 2 * matrices + norms)


def test_layers_may_differ() -> None:
    sizes = (LayerSizes(8, 32), LayerSizes(4, 64, frozenset({"key", "value", "key_norm"})))
    shape = replace(SHAPE, layer_sizes=sizes)
    names = [{matrix.name for matrix in shape.matrices_in(layer)} for layer in range(2)]
    assert names[0] - names[1] == {"key", "value"}
    assert {norm.keras_layer for norm in shape.norms_in(0)} - {
        norm.keras_layer for norm in shape.norms_in(1)
    } == {"key_norm"}
    # Query, output and three feed-forward matrices of the second layer.
    second = 2 * 16 * 16 + 3 * 64 * 16
    first = 2 * 32 * 16 + 2 * 16 * 16 + 3 * 32 * 16
    norms = 2 * 4 * 16 + 2 * 8 + 4 + 16
    assert shape.parameters == 100 * 16 + first + second + norms


def test_parameters_that_do_not_follow_from_the_shape_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="the parameters of gemma3n do not follow"):
        _ = replace(SHAPE, family=FAMILIES["gemma3n"]).parameters
