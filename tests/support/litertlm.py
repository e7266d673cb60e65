"""Small .litertlm files for tests, and damage to real ones: sections rebuilt, weights patched in place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.formats.litertlm import METADATA, MODEL, Container, read_container
from pipeline.formats.litertlm_writer import rewrite


def write_container(
    path: Path, tokenizer: bytes = b"tokenizer", model: bytes = b"\0\0\0\0TFL3 model", metadata: bytes = b""
) -> Path:
    """A .litertlm as the vendor's builder makes it, around whatever bytes."""
    from litert_lm_builder import litertlm_builder as vendor

    sections = {
        "tokenizer.model": tokenizer,
        "model.tflite": model,
        "metadata.pb": metadata or b"\x28\x80\x02",
    }
    for name, content in sections.items():
        (path.parent / name).write_bytes(content)
    builder = vendor.LitertLmFileBuilder()
    builder.add_system_metadata(vendor.Metadata(key="Authors", value="the vendor", dtype=vendor.DType.STRING))
    builder.add_llm_metadata(str(path.parent / "metadata.pb"))
    builder.add_sentencepiece_tokenizer(str(path.parent / "tokenizer.model"))
    builder.add_tflite_model(str(path.parent / "model.tflite"), vendor.TfLiteModelType.PREFILL_DECODE)
    with path.open("wb") as file:
        builder.build(file)
    return path


def with_metadata(source: Path, path: Path, change: Callable[[Any], None]) -> Path:
    """A copy whose LlmMetadata was changed."""
    container = read_container(source)
    metadata = vendor_metadata(container)
    change(metadata)
    rewrite(container, path, replace={METADATA: metadata.SerializeToString(deterministic=True)})
    return path


def vendor_metadata(container: Container) -> Any:
    """The LlmMetadata message of a container, by the vendor's own classes."""
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata

    return LlmMetadata.FromString(container.read(METADATA))


def with_scaled_matrix(source: Path, path: Path, shape: tuple[int, int], factor: float) -> Path:
    """A copy in which every other row of the first int8 matrix of a shape is scaled.

    Of a whole matrix the norm behind it would take the factor out again.
    """
    from ai_edge_litert import schema_py_generated as schema

    container = read_container(source)
    data = bytearray(container.read(MODEL))
    model = schema.Model.GetRootAs(data)
    scaled: set[int] = set()
    for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength())):
        for tensor in (graph.Tensors(index) for index in range(graph.TensorsLength())):
            is_first = not scaled or tensor.Buffer() in scaled
            if tensor.Type() == schema.TensorType.INT8 and tuple(tensor.ShapeAsNumpy()) == shape and is_first:
                scaled.add(tensor.Buffer())
                tensor.Quantization().ScaleAsNumpy()[::2] *= np.float32(factor)
    assert scaled, f"no int8 matrix of shape {shape}"
    rewrite(container, path, replace={MODEL: bytes(data)})
    return path


def with_matrices(source: Path, path: Path, new: dict[str, np.ndarray], old: dict[str, np.ndarray]) -> Path:
    """A copy in which int8 matrices (out, in), found by the bytes of `old`, are those of `new`."""
    container: Container = read_container(source)
    data = bytearray(container.read(MODEL))
    for name, matrix in new.items():
        (before, scales_before), (after, scales_after) = quantise(old[name]), quantise(matrix)
        assert replace_bytes(data, before.tobytes(), after.tobytes()) == 1, name
        # Scales are kept for each signature that computes with the matrix; a prefill without logits drops the
        # last layer's end.
        assert replace_bytes(data, scales_before.tobytes(), scales_after.tobytes()) in (1, 2), name
    rewrite(container, path, replace={MODEL: bytes(data)})
    return path


def quantise(matrix: np.ndarray, largest: int = 127) -> tuple[np.ndarray, np.ndarray]:
    """int8 values and float32 scales of each output row, as the AI Edge Quantizer rounds them; `largest` is 7
    for int4."""
    scales = (np.abs(matrix).max(axis=1) / largest).astype(np.float32)
    return np.clip(np.rint(matrix / scales[:, None]), -largest, largest).astype(np.int8), scales


def replace_bytes(data: bytearray, old: bytes, new: bytes) -> int:
    """Replace every occurrence in place; how many there were."""
    count, place = 0, data.find(old)
    while place >= 0:
        data[place : place + len(old)] = new
        count += 1
        place = data.find(old, place + len(old))
    return count
