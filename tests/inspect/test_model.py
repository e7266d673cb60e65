"""Promise: each matrix is told as it is stored, under Hugging Face's name where that follows, and nothing is read that is not looked at."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline.errors import InputError
from pipeline.formats.litertlm import MODEL, map_file, read_container
from pipeline.inspect.file import inspect_file
from pipeline.inspect.model import read_tflite
from pipeline.inspect.names import module_paths, short_name
from tests.support.tflite import Constant, write_tflite
from tests.support.tiny_gemma import SPEC

LAYER = (
    "~.Module/~.GemmaForCausalLM_model/~.GemmaModel_model/~.GemmaDecoderLayer_{}/~.GemmaMLP_mlp/~.Linear_{};"
)


def path_of(layer: int, projection: str) -> str:
    return LAYER.format(layer, projection)


def test_the_names_of_modules_give_hugging_faces_names() -> None:
    assert module_paths(path_of(5, "up_proj")) == {"model.layers.5.mlp.up_proj.weight"}
    both = path_of(5, "up_proj") + path_of(5, "gate_proj")
    assert module_paths(both) == {"model.layers.5.mlp.up_proj.weight", "model.layers.5.mlp.gate_proj.weight"}
    assert module_paths("arith.constant12") == set()
    assert module_paths("~.Module/~.GemmaForCausalLM_model/~.Rotary_rotary_emb;") == set()


def test_a_name_that_tells_of_two_matrices_is_settled_by_the_others(tmp_path: Path) -> None:
    """Operations are fused otherwise in each signature; only together do the names tell which matrix is which."""
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
    found = inspect_file(path).models[0].matrices
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
    found = inspect_file(path).models[0].matrices
    assert {each.tensor: each.name for each in found} == {
        "arith.constant1": "model.layers.3.mlp.up_proj.weight",
        "arith.constant2": "model.layers.3.mlp.gate_proj.weight",
        "arith.constant3": "arith.constant3",
    }


def test_what_nobody_named_keeps_its_own_name(tmp_path: Path) -> None:
    tables = [Constant((f"table{n}",), (16, 4), "INT8", bytes(64), 16, looked_up=True) for n in (1, 2)]
    path = write_tflite(
        tmp_path / "model.tflite", [*tables, Constant(("arith.constant3",), (4, 4), "INT8", bytes(16))]
    )
    assert [each.name for each in inspect_file(path).models[0].matrices] == [
        "arith.constant3",
        "table1",
        "table2",
    ]
    assert short_name("a.b.Decoder/transformer_block_11/attn_4.qkv;") == "qkv"
    assert short_name("model.layers.5.mlp.up_proj.weight") == "up_proj"
    assert short_name("arith.constant12") == "constant*"


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize(
    ("dtype", "bits", "scales", "block", "dimension", "told"),
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
def test_types_and_scales_are_told_as_they_are_stored(
    tmp_path: Path,
    dtype: str,
    bits: int,
    scales: int,
    block: int | None,
    dimension: int,
    told: tuple,
    outside: bool,
) -> None:
    data = np.random.default_rng(0).integers(0, 256, 6 * 64 * bits // 8, np.uint8).tobytes()
    constant = Constant(("m",), (6, 64), dtype, data, scales, block, dimension, outside)
    path = write_tflite(tmp_path / "model.tflite", [constant])
    (matrix,) = inspect_file(path).models[0].matrices
    assert (matrix.shape, matrix.dtype, matrix.bytes) == ((6, 64), dtype, len(data))
    assert (matrix.scales, matrix.block, matrix.scale_bytes) == told
    assert matrix.begin is not None
    assert path.read_bytes()[matrix.begin : matrix.begin + matrix.bytes] == data


def test_a_matrix_that_signatures_share_counts_once(tmp_path: Path) -> None:
    path = write_tflite(
        tmp_path / "model.tflite",
        [Constant(("m",), (6, 64), "INT8", bytes(384), 6), Constant(("f",), (6, 64), "FLOAT32", bytes(1536))],
        {name: {"tokens": ((1, 1), "INT32")} for name in ("prefill_1", "decode")},
    )
    totals = inspect_file(path).models[0].totals
    assert [(each.dtype, each.matrices, each.bytes, each.scale_bytes) for each in totals] == [
        ("FLOAT32", 1, 1536, 0),
        ("INT8", 1, 384, 24),
    ]


def test_signatures_caches_and_lora_inputs_are_told(tmp_path: Path) -> None:
    inputs = {
        "tokens": ((1, 1), "INT32"),
        "mask": ((1, 1, 1, 48), "FLOAT32"),
        "kv_cache_k_0": ((1, 1, 48, 8), "FLOAT16"),
        "kv_cache_v_0": ((1, 1, 8, 48), "FLOAT16"),
        "lora_atten_q_a_prime_weight_0": ((64, 16), "FLOAT32"),
        "lora_atten_q_b_prime_weight_0": ((16, 32), "FLOAT32"),
    }
    prefills = {f"prefill_{length}": {"tokens": ((1, length), "INT32")} for length in (128, 16)}
    (model,) = inspect_file(write_tflite(tmp_path / "m.tflite", (), {**prefills, "decode": inputs})).models
    assert model.prefill_lengths == (16, 128)
    assert (model.context_length, model.kv_cache_bytes, model.lora_rank) == (48, 2 * 48 * 8 * 2, 16)
    named = write_tflite(tmp_path / "n.tflite", (), {**prefills, "decode_lora_r16": inputs})
    assert inspect_file(named).models[0].kv_cache_bytes == model.kv_cache_bytes
    decode = next(each for each in model.signatures if each.name == "decode")
    assert {each.name: (each.shape, each.dtype) for each in decode.inputs} == inputs


@pytest.mark.parametrize("seed", range(20))
def test_noise_behind_the_identifier_is_refused(tmp_path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, 4000, np.uint8).tobytes()
    path = tmp_path / "model.tflite"
    path.write_bytes(noise[:4] + b"TFL3" + noise)
    with pytest.raises(InputError, match=r"model\.tflite: a damaged \.tflite"):
        inspect_file(path)


def test_damage_anywhere_is_refused_or_told_within_the_file(tmp_path: Path) -> None:
    constants = [
        Constant(("m",), (6, 64), "INT8", bytes(384), 6),
        Constant(("b",), (4, 64), "INT4", bytes(128), 8, 32),
    ]
    path = write_tflite(tmp_path / "model.tflite", constants)
    content, refused = path.read_bytes(), 0
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            model = read_tflite(memoryview(bytes(damaged)), "model", "model.tflite")
        except InputError as error:
            assert str(error).startswith("model.tflite")
            refused += 1
            continue
        assert all(0 <= (each.begin or 0) < len(content) for each in model.matrices)
    assert refused > len(content) / 3 / 10


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = write_tflite(
        tmp_path / "m.tflite", [Constant(("m",), (6, 64), "INT8", bytes(384), 6, outside=True)]
    )
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"m\.tflite: truncated: m should end at byte"):
        inspect_file(path)


def test_a_large_model_is_not_read_to_memory(tmp_path: Path) -> None:
    """4 GB of matrix in a sparse file: the address space allows the map, not a copy."""
    path = tmp_path / "large.tflite"
    write_tflite(path, [Constant(("m",), (1 << 16, 1 << 16), "INT8", b"", 0, outside=True)])
    place = path.stat().st_size
    content = bytearray(path.read_bytes())
    # The builder was given no bytes; the buffer's size is told afterwards, as the only zero behind its offset.
    from ai_edge_litert import schema_py_generated as schema

    table = schema.Model.GetRootAs(content).Buffers(1)._tab
    at = table.Pos + table.Offset(8)
    content[at : at + 8] = (1 << 32).to_bytes(8, "little")
    path.write_bytes(content)
    os.truncate(path, place + (1 << 32))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (matrix,) = read_tflite(map_file(path), "model", str(path)).matrices
    assert matrix.bytes == 1 << 32
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.slow
def test_every_matrix_of_a_converted_model_is_found_under_its_name(model: Path, folder: Path) -> None:
    wanted = {
        name: matrix for name, matrix in load_file(folder / "model.safetensors").items() if matrix.ndim == 2
    }
    (found,) = inspect_file(model).models
    content = read_container(model).read(MODEL)
    assert {each.name for each in found.matrices} >= set(wanted)
    for each in found.matrices:
        if each.name in wanted:
            assert each.begin is not None
            stored = np.frombuffer(content, np.float32, each.bytes // 4, each.begin).reshape(each.shape)
            np.testing.assert_array_equal(stored, wanted[each.name], err_msg=each.name)
    assert found.prefill_lengths == SPEC.prefill_lengths
    assert found.context_length == SPEC.context_length
    # Two layers, a key and a value head of 32, float32.
    assert found.kv_cache_bytes == 2 * 2 * SPEC.context_length * 32 * 4
