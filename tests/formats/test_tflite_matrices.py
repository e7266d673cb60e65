"""Promise: each matrix is listed as it is stored, once, under its Hugging Face name where the names in the
file say which it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.tflite import read_tflite
from pipeline.formats.tflite_matrices import Matrix, read_matrices, total_by_type
from tests.support.tflite import Constant, write_tflite

LAYER = (
    "~.Module/~.GemmaForCausalLM_model/~.GemmaModel_model/~.GemmaDecoderLayer_{}/~.GemmaMLP_mlp/~.Linear_{};"
)


def path_of(layer: int, projection: str) -> str:
    return LAYER.format(layer, projection)


def matrices_of(path: Path) -> tuple[Matrix, ...]:
    return read_matrices(read_tflite(path.read_bytes(), path.name))


def test_a_name_that_contains_two_matrices_is_settled_by_the_others(tmp_path: Path) -> None:
    """Operations are fused otherwise in each signature; only all names together say which matrix is which."""
    up = Constant((path_of(0, "gate_proj") + path_of(0, "up_proj"),), (8, 4), "INT8", bytes(32), 8)
    gate = Constant((path_of(0, "gate_proj"), path_of(0, "gate_proj")), (8, 4), "INT8", bytes(32), 8)
    down = Constant(
        (path_of(0, "down_proj"), path_of(0, "down_proj") + path_of(0, "up_proj")),
        (4, 8),
        "INT8",
        bytes(32),
        4,
    )
    table = Constant(("arith.constant7",), (16, 4), "INT8", bytes(64), 16, looked_up=True)
    path = write_tflite(
        tmp_path / "model.tflite",
        [up, gate, down, table],
        {"prefill_8": {"tokens": ((1, 8), "INT32")}, "decode": {"tokens": ((1, 1), "INT32")}},
    )
    found = matrices_of(path)
    assert [each.name for each in found] == [
        "model.embed_tokens.weight",
        "model.layers.0.mlp.down_proj.weight",
        "model.layers.0.mlp.gate_proj.weight",
        "model.layers.0.mlp.up_proj.weight",
    ]


def test_constants_without_a_name_are_known_by_what_is_computed_with_them(tmp_path: Path) -> None:
    """In a large model constants are called arith.constant…; what a projection gives still has its name."""
    both = path_of(3, "gate_proj") + path_of(3, "up_proj")
    constants = [
        Constant(("arith.constant1",), (8, 4), "INT8", bytes(32), 8, given=(both, path_of(3, "up_proj"))),
        Constant(("arith.constant2",), (8, 4), "INT8", bytes(32), 8, given=(path_of(3, "gate_proj"), both)),
        Constant(("arith.constant3",), (8, 4), "INT8", bytes(32), 8, given=("~;a", "~;b")),
    ]
    path = write_tflite(
        tmp_path / "model.tflite",
        constants,
        {"prefill_8": {"tokens": ((1, 8), "INT32")}, "decode": {"tokens": ((1, 1), "INT32")}},
    )
    found = matrices_of(path)
    assert {each.tensor: each.name for each in found} == {
        "arith.constant1": "model.layers.3.mlp.up_proj.weight",
        "arith.constant2": "model.layers.3.mlp.gate_proj.weight",
        "arith.constant3": "arith.constant3",
    }


def test_constants_that_cannot_be_named_keep_their_own_name(tmp_path: Path) -> None:
    tables = [Constant((f"table{n}",), (16, 4), "INT8", bytes(64), 16, looked_up=True) for n in (1, 2)]
    path = write_tflite(
        tmp_path / "model.tflite", [*tables, Constant(("arith.constant3",), (4, 4), "INT8", bytes(16))]
    )
    assert [each.name for each in matrices_of(path)] == [
        "arith.constant3",
        "table1",
        "table2",
    ]


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize(
    ("dtype", "bits", "scales", "block", "dimension", "expected"),
    [
        ("INT8", 8, 6, None, 0, ("row", None, 24)),
        ("INT4", 4, 6, None, 0, ("row", None, 24)),
        ("INT2", 2, 1, None, 0, ("tensor", None, 4)),
        ("INT8", 8, 64, None, 1, ("column", None, 256)),
        ("INT4", 4, 12, 32, 0, ("block", 32, 24)),
        ("FLOAT16", 16, 0, None, 0, ("none", None, 0)),
        ("BFLOAT16", 16, 0, None, 0, ("none", None, 0)),
        ("FLOAT32", 32, 0, None, 0, ("none", None, 0)),
    ],
)
def test_types_and_scales_are_listed_as_they_are_stored(
    tmp_path: Path,
    dtype: str,
    bits: int,
    scales: int,
    block: int | None,
    dimension: int,
    expected: tuple[Any, ...],
    outside: bool,
) -> None:
    data = np.random.default_rng(0).integers(0, 256, 6 * 64 * bits // 8, np.uint8).tobytes()
    constant = Constant(("m",), (6, 64), dtype, data, scales, block, dimension, outside)
    path = write_tflite(tmp_path / "model.tflite", [constant])
    (matrix,) = matrices_of(path)
    assert (matrix.shape, matrix.dtype, matrix.bytes) == ((6, 64), dtype, len(data))
    assert (matrix.scales, matrix.block, matrix.scale_bytes) == expected
    assert matrix.begin is not None
    assert path.read_bytes()[matrix.begin : matrix.begin + matrix.bytes] == data


def test_a_matrix_that_signatures_share_counts_once(tmp_path: Path) -> None:
    path = write_tflite(
        tmp_path / "model.tflite",
        [Constant(("m",), (6, 64), "INT8", bytes(384), 6), Constant(("f",), (6, 64), "FLOAT32", bytes(1536))],
        {name: {"tokens": ((1, 1), "INT32")} for name in ("prefill_1", "decode")},
    )
    totals = total_by_type(matrices_of(path))
    assert [(each.dtype, each.matrices, each.bytes, each.scale_bytes) for each in totals] == [
        ("FLOAT32", 1, 1536, 0),
        ("INT8", 1, 384, 24),
    ]


def test_a_constant_outside_the_file_has_no_offset(tmp_path: Path) -> None:
    path = write_tflite(tmp_path / "m.tflite", [Constant(("m",), (6, 64), "INT8", bytes(384), 6)])
    tflite = read_tflite(path.read_bytes(), "m")
    (graph,) = tflite.graphs
    tensors = tuple(
        replace(tensor, buffer=0, external_buffer=7) if tensor.name == "m" else tensor
        for tensor in graph.tensors
    )
    (matrix,) = read_matrices(replace(tflite, graphs=(replace(graph, tensors=tensors),)))
    assert (matrix.begin, matrix.bytes) == (None, 384)


@pytest.mark.slow
def test_every_matrix_of_a_converted_model_is_found_under_its_name(model: Path, folder: Path) -> None:
    wanted = {
        name: matrix for name, matrix in load_file(folder / "model.safetensors").items() if matrix.ndim == 2
    }
    content = read_container(model).read(MODEL)
    found = read_matrices(read_tflite(content, "model"))
    assert {each.name for each in found} >= set(wanted)
    for each in found:
        if each.name in wanted:
            assert each.begin is not None
            stored = np.frombuffer(content, np.float32, each.bytes // 4, each.begin).reshape(each.shape)
            np.testing.assert_array_equal(stored, wanted[each.name], err_msg=each.name)
