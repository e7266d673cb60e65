"""Promise: what a .tflite declares is read as it was written, without its values; what is damaged or cut off
is refused."""

import ast
import os
import resource
from pathlib import Path

import numpy as np
import pytest

import pipeline
from pipeline.errors import InputError
from pipeline.formats.litertlm import MODEL, map_file, read_container
from pipeline.formats.tflite import read_tflite
from tests.support.tflite import Constant, write_tflite

CONSTANTS = [
    Constant(("m",), (6, 64), "INT8", bytes(range(192)) * 2, 6),
    Constant(("b",), (4, 64), "INT4", bytes(128), 8, 32),
    Constant(("o",), (4, 4), "FLOAT32", bytes(64), outside=True, looked_up=True),
]


def test_tensors_buffers_scales_and_operations_are_read(tmp_path: Path) -> None:
    content = write_tflite(tmp_path / "m.tflite", CONSTANTS).read_bytes()
    found = read_tflite(content, "m")
    (graph,) = found.graphs
    tensors = {tensor.name: tensor for tensor in graph.tensors}
    assert {name: (each.shape, each.dtype) for name, each in tensors.items()} == {
        "decode_tokens": ((1, 1), "INT32"),
        "m": ((6, 64), "INT8"),
        "b": ((4, 64), "INT4"),
        "scales": ((4, 2), "FLOAT16"),
        "o": ((4, 4), "FLOAT32"),
    }
    buffer = found.buffers[tensors["m"].buffer]
    assert content[buffer.begin : buffer.end] == CONSTANTS[0].data
    assert found.buffers[tensors["o"].buffer].end == len(content) == found.bytes
    assert found.buffers[tensors["decode_tokens"].buffer].size == 0
    scales = tensors["m"].scales
    assert scales is not None and (scales.count, scales.dimension, scales.tensor) == (6, 0, None)
    assert content[scales.begin : scales.begin + 24] == np.ones(6, np.float32).tobytes()
    blocks = tensors["b"].scales
    assert blocks is not None and blocks.block == 32 and blocks.tensor is not None
    assert graph.tensors[blocks.tensor].name == "scales"
    (operation,) = graph.operations
    assert [graph.tensors[index].name for index in operation.inputs] == ["decode_tokens", "o"]
    assert graph.inputs == graph.outputs == ()


def test_signatures_are_read_with_shapes_and_types(tmp_path: Path) -> None:
    signatures: dict[str, dict[str, tuple[tuple[int, ...], str]]] = {
        "prefill_32": {"tokens": ((1, 32), "INT32"), "mask": ((1, 32, 64), "BOOL")},
        "decode": {"tokens": ((1, 1), "INT32")},
    }
    found = read_tflite(write_tflite(tmp_path / "m.tflite", (), signatures).read_bytes(), "m")
    assert [each.name for each in found.signatures] == list(signatures)
    for each in found.signatures:
        read = {name: (tensor.shape, tensor.dtype) for name, tensor in found.inputs(each).items()}
        assert read == signatures[each.name]
        assert found.outputs(each) == found.inputs(each)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04 a zip", bytes(100)])
def test_what_is_no_tflite_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"model\.litertlm: not a \.tflite model"):
        read_tflite(content, "model.litertlm")


@pytest.mark.parametrize("size", [400, 4000])
@pytest.mark.parametrize("seed", range(20))
def test_noise_behind_the_identifier_is_refused(seed: int, size: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
    with pytest.raises(InputError, match=r"model\.tflite: damaged \.tflite"):
        read_tflite(noise[:4] + b"TFL3" + noise, "model.tflite")


def test_damage_anywhere_is_refused_or_read_within_the_file(tmp_path: Path) -> None:
    content = write_tflite(tmp_path / "model.tflite", CONSTANTS).read_bytes()
    refused = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            found = read_tflite(memoryview(bytes(damaged)), "model.tflite")
        except InputError as error:
            assert str(error).startswith("model.tflite: ")
            assert "\n" not in str(error)
            refused += 1
            continue
        assert all(0 <= each.begin <= each.end <= len(content) for each in found.buffers)
        for graph in found.graphs:
            assert all(each.buffer < len(found.buffers) for each in graph.tensors)
            indices = [index for each in graph.operations for index in (*each.inputs, *each.outputs)]
            assert all(-1 <= index < len(graph.tensors) for index in indices)
        for signature in found.signatures:
            assert len(found.inputs(signature)) <= len(signature.inputs)
    assert refused > len(content) / 10


@pytest.mark.parametrize("left", [-1, -40])
def test_a_truncated_model_is_refused(tmp_path: Path, left: int) -> None:
    content = write_tflite(tmp_path / "m.tflite", CONSTANTS).read_bytes()
    with pytest.raises(
        InputError, match=rf"m\.tflite: truncated: buffer 4 should end at byte {len(content):,}"
    ):
        read_tflite(content[:left], "m.tflite")


def test_a_large_model_is_not_read_to_memory(tmp_path: Path) -> None:
    """4 GB of matrix in a sparse file: the address space allows the map, not a copy."""
    path = tmp_path / "large.tflite"
    write_tflite(path, [Constant(("m",), (1 << 16, 1 << 16), "INT8", b"", 0, outside=True)])
    end = path.stat().st_size
    content = bytearray(path.read_bytes())
    # The builder was given no bytes; the buffer's size is written afterwards, as the only zero behind its
    # offset.
    from ai_edge_litert import schema_py_generated as schema

    table = schema.Model.GetRootAs(content).Buffers(1)._tab
    at = table.Pos + table.Offset(8)
    content[at : at + 8] = (1 << 32).to_bytes(8, "little")
    path.write_bytes(content)
    os.truncate(path, end + (1 << 32))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read_tflite(map_file(path), str(path))
    assert found.buffers[1].size == 1 << 32
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_no_other_module_reads_the_schema() -> None:
    """Tables are read by slot in this reader and in that of the .litertlm header; the generated schema is for
    writing only."""
    uses: dict[str, set[str]] = {"Table": set(), "schema_py_generated": set()}
    root = Path(pipeline.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                for name in {alias.name for alias in node.names} & uses.keys():
                    if name != "Table" or node.module == "pipeline.formats.flatbuffer":
                        uses[name].add(path.relative_to(root).as_posix())
    assert uses == {
        "Table": {"formats/tflite.py", "formats/litertlm.py"},
        "schema_py_generated": {"formats/runtime_adapter.py"},
    }


@pytest.mark.slow
def test_a_converted_model_is_read_as_the_generated_code_reads_it(model: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    content = read_container(model).read(MODEL)
    found, vendor = read_tflite(content, "model"), schema.Model.GetRootAs(content)
    assert {each.name for each in found.signatures} == {"prefill_16", "prefill_32", "decode"}
    assert len(found.graphs) == vendor.SubgraphsLength()
    assert len(found.buffers) == vendor.BuffersLength()
    for index, graph in enumerate(found.graphs):
        other = vendor.Subgraphs(index)
        assert len(graph.operations) == other.OperatorsLength()
        assert len(graph.tensors) == other.TensorsLength()
        for number, tensor in enumerate(graph.tensors):
            wanted = other.Tensors(number)
            assert tensor.name == wanted.Name().decode()
            assert tensor.buffer == wanted.Buffer()
            assert getattr(schema.TensorType, tensor.dtype) == wanted.Type()
            assert tensor.shape == tuple(wanted.Shape(axis) for axis in range(wanted.ShapeLength()))
        for number, operation in enumerate(graph.operations):
            wanted = other.Operators(number)
            code = vendor.OperatorCodes(wanted.OpcodeIndex())
            assert operation.code == max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            assert operation.inputs == tuple(wanted.Inputs(axis) for axis in range(wanted.InputsLength()))
            assert operation.outputs == tuple(wanted.Outputs(axis) for axis in range(wanted.OutputsLength()))
