"""What a .tflite model holds: its signatures, and the types of its weights."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError
from pipeline.formats.litertlm import FLATBUFFER_ERRORS

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every .tflite file."""


@dataclass(frozen=True)
class Tensor:
    """Shape and type (the schema's name, such as FLOAT32) of a signature's input or output."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Model:
    """A .tflite model.

    Attributes:
        signatures: inputs by name, by signature.
        matrix_bytes: bytes of constant matrices (two dimensions or more, computed with) by element type.
    """

    signatures: dict[str, dict[str, Tensor]]
    matrix_bytes: dict[str, int]

    @property
    def prefill_lengths(self) -> tuple[int, ...]:
        """Prompt chunk lengths, in tokens, that have a signature of their own."""
        names = (name.removeprefix("prefill_") for name in self.signatures if name.startswith("prefill_"))
        return tuple(sorted(int(name) for name in names if name.isdigit()))

    @property
    def context_length(self) -> int:
        """Length of the KV cache in tokens: what the key caches of all layers have in common with the attention mask."""
        mask = self.signatures.get("decode", {}).get("mask")
        return mask.shape[-1] if mask else 0


def read_model(data: bytes, name: str) -> Model:
    """Read a .tflite model.

    Args:
        data: its bytes.
        name: how to call it in a message.

    Raises:
        InputError: not a .tflite model, or damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != IDENTIFIER:
        raise InputError(f"{name}: not a .tflite model; convert it again")
    types = {value: key for key, value in vars(schema.TensorType).items() if isinstance(value, int)}
    bits = {
        "INT4": 4,
        "UINT4": 4,
        "INT2": 2,
        "INT8": 8,
        "UINT8": 8,
        "FLOAT16": 16,
        "BFLOAT16": 16,
        "FLOAT32": 32,
    }
    try:
        model = schema.Model.GetRootAs(data)
        graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
        signatures = {}
        for signature in each(model.SignatureDefsLength(), model.SignatureDefs):
            graph = graphs[signature.SubgraphIndex()]
            inputs = {}
            for entry in each(signature.InputsLength(), signature.Inputs):
                tensor = graph.Tensors(entry.TensorIndex())
                inputs[entry.Name().decode()] = Tensor(_shape(tensor), types[tensor.Type()])
            signatures[signature.SignatureKey().decode()] = inputs
        sizes: Counter[str] = Counter()
        # Signatures share their weights: a buffer is counted once.
        seen = {0}
        for graph in graphs:
            tensors = each(graph.TensorsLength(), graph.Tensors)
            # The scales of blocks are tensors of their own, but nothing computes with them as weights.
            scales = {_scales_of_blocks(tensor) for tensor in tensors}
            for index, tensor in enumerate(tensors):
                buffer = model.Buffers(tensor.Buffer())
                constant = buffer.DataLength() > 0 or buffer.Size() > 0
                if (
                    tensor.Buffer() in seen
                    or not constant
                    or len(_shape(tensor)) < 2
                    or types[tensor.Type()] not in bits
                    or index in scales
                ):
                    continue
                seen.add(tensor.Buffer())
                dtype = types[tensor.Type()]
                elements = 1
                for length in _shape(tensor):
                    elements *= length
                sizes[dtype] += elements * bits[dtype] // 8
    except FLATBUFFER_ERRORS:
        raise InputError(f"{name}: a damaged .tflite model; convert it again") from None
    return Model(signatures, dict(sizes))


def each(count: int, item: Callable[[int], Any]) -> list[Any]:
    """The items of a flatbuffer vector."""
    return [item(index) for index in range(count)]


def _scales_of_blocks(tensor: Any) -> int | None:
    """Index of the tensor that holds the scales of a tensor's blocks, if it is stored in blocks."""
    from ai_edge_litert import schema_py_generated as schema

    settings = tensor.Quantization()
    if settings is None or settings.DetailsType() != schema.QuantizationDetails.BlockwiseQuantization:
        return None
    details, table = schema.BlockwiseQuantization(), settings.Details()
    details.Init(table.Bytes, table.Pos)
    return int(details.Scales())


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(length) for length in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
