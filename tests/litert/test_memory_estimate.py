"""Promise: the memory that a model needs is estimated from the content of its file."""

from pathlib import Path

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from pipeline.formats.litertlm import MODEL, TOKENIZER, read_container
from pipeline.inspect.file import inspect_file
from pipeline.litert.memory_estimate import (
    LIBRARY_BYTES,
    OPERATOR_BYTES,
    TOKENIZER_FACTOR,
    describe_cost,
    memory_cost,
)
from tests.support.litertlm import write_container
from tests.support.tiny_gemma import SPEC

FLOATS = {
    "tokens": 1,
    "kv_cache_k_0": 40,
    "kv_cache_v_0": 40,
    "a": 100,
    "b": 200,
    "c": 30,
    "d": 500,
    "logits": 7,
}
"""Tensors of the graph by their number of float32 elements."""

OPERATIONS = (("tokens", "a"), ("a", "b"), ("b", "c"), ("a", "d"), ("c", "logits"))
"""From one tensor to the next; when d is computed, a, c and d are alive, and b no longer is."""


def write_graph(path: Path, halves: int = 0) -> Path:
    """The same graph as prefill and as decode, and a float16 matrix with `halves` elements."""
    names = list(FLOATS)
    model = schema.ModelT(version=3, subgraphs=[], signatureDefs=[], buffers=[schema.BufferT()])
    model.operatorCodes = [
        schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.ABS, deprecatedBuiltinCode=101)
    ]
    inputs, outputs = names[:3], [*names[1:3], "logits"]
    for number, name in enumerate(("prefill_4", "decode")):
        tensors = [
            schema.TensorT(name=key, shape=[count], type=schema.TensorType.FLOAT32)
            for key, count in FLOATS.items()
        ]
        if halves:
            model.buffers = [schema.BufferT(), schema.BufferT(data=[0] * (2 * halves))]
            tensors.append(
                schema.TensorT(name="half", shape=[2, halves // 2], type=schema.TensorType.FLOAT16, buffer=1)
            )
        operators = [
            schema.OperatorT(opcodeIndex=0, inputs=[names.index(before)], outputs=[names.index(after)])
            for before, after in OPERATIONS
        ]
        sides = [[names.index(key) for key in side] for side in (inputs, outputs)]
        model.subgraphs.append(
            schema.SubGraphT(
                name=name, tensors=tensors, operators=operators, inputs=sides[0], outputs=sides[1]
            )
        )
        maps = [
            [schema.TensorMapT(name=key, tensorIndex=names.index(key)) for key in side]
            for side in (inputs, outputs)
        ]
        model.signatureDefs.append(
            schema.SignatureDefT(inputs=maps[0], outputs=maps[1], signatureKey=name, subgraphIndex=number)
        )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def bundle(folder: Path, halves: int = 0) -> Path:
    tflite = write_graph(folder / "graph.tflite", halves)
    return write_container(folder / "model.litertlm", model=tflite.read_bytes())


def test_the_kv_cache_counts_once_and_intermediate_tensors_at_their_peak(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    cost, container = memory_cost(path), read_container(path)
    assert cost.kv_cache == 4 * (40 + 40)
    assert cost.prefill == {4: 4 * (100 + 30 + 500)}
    assert cost.tokenizer == TOKENIZER_FACTOR * len(container.read(TOKENIZER))
    assert cost.runtime == LIBRARY_BYTES + OPERATOR_BYTES * 2 * len(OPERATIONS)
    assert cost.weights == len(container.read(MODEL))
    parts = cost.weights + cost.kv_cache + max(cost.prefill.values()) + cost.tokenizer + cost.runtime
    assert cost.total == parts
    assert inspect_file(path).memory == cost


def test_half_floats_count_as_float32(tmp_path: Path) -> None:
    path = bundle(tmp_path, halves=64)
    cost = memory_cost(path)
    assert cost.weights == len(read_container(path).read(MODEL)) + 2 * 64
    assert cost.first_opening == 2 * (2 * 64)


@pytest.mark.slow
def test_the_estimate_follows_the_lengths_of_a_converted_model(model: Path) -> None:
    cost = memory_cost(model)
    assert cost.context_length == SPEC.context_length
    assert cost.kv_cache == 2 * 2 * SPEC.context_length * 32 * 4
    assert tuple(cost.prefill) == SPEC.prefill_lengths
    short, long = cost.prefill.values()
    assert long / short == pytest.approx(2, rel=0.1)
    # Scores of two heads, before and after softmax, and the mask, for 32 tokens: at least that lives at once.
    assert long >= 32 * SPEC.context_length * 4 * 2
    line = describe_cost(cost)
    assert f"for {SPEC.context_length} tokens" in line
    assert "\n" not in line
