"""Small .tflite files for tests, with any constants and signatures, built with the schema's own classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

PAGE = 16


@dataclass(frozen=True)
class Constant:
    """A constant: the names of its tensors (one for each graph that has it), how it is stored, and its bytes.

    Attributes:
        scales: how many float32 scales; 0 for floats.
        block: length of a block; then the scales are a constant of their own.
        dimension: along which the scales go.
        outside: whether its bytes lie behind the flatbuffer, as in large models.
        looked_up: whether it is the table of an EMBEDDING_LOOKUP.
        given: names of what each graph computes with it, by FULLY_CONNECTED.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    data: bytes
    scales: int = 0
    block: int | None = None
    dimension: int = 0
    outside: bool = False
    looked_up: bool = False
    given: tuple[str, ...] = ()


Inputs = Mapping[str, tuple[tuple[int, ...], str]]


def write_tflite(
    path: Path,
    constants: Sequence[Constant] = (),
    signatures: Mapping[str, Inputs] | None = None,
) -> Path:
    """A model of one graph for each signature ("decode" unless told); each gives back its inputs."""
    signatures = {"decode": {"tokens": ((1, 1), "INT32")}} if signatures is None else signatures
    outside = [constant for constant in constants if constant.outside]
    places = [PAGE] * len(outside)
    header = b""
    for _ in range(2):  # the first time only for the header's length
        header = _header(constants, signatures, dict(zip(map(id, outside), places, strict=True)))
        end = len(header)
        for index, constant in enumerate(outside):
            places[index] = -(-end // PAGE) * PAGE
            end = places[index] + len(constant.data)
    content = bytearray(header)
    for place, constant in zip(places, outside, strict=True):
        content += bytes(place - len(content)) + constant.data
    path.write_bytes(content)
    return path


def _header(
    constants: Sequence[Constant], signatures: Mapping[str, Inputs], places: Mapping[int, int]
) -> bytes:
    model = schema.ModelT(
        version=3, description="test", subgraphs=[], buffers=[schema.BufferT()], signatureDefs=[]
    )
    model.operatorCodes = [
        schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.EMBEDDING_LOOKUP, deprecatedBuiltinCode=7),
        schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.FULLY_CONNECTED, deprecatedBuiltinCode=9),
    ]
    buffers, scale_buffers = {}, {}
    for constant in constants:
        buffers[id(constant)] = len(model.buffers)
        if constant.outside:
            model.buffers.append(schema.BufferT(offset=places[id(constant)], size=len(constant.data)))
        else:
            model.buffers.append(schema.BufferT(data=list(constant.data)))
        if constant.block:
            scale_buffers[id(constant)] = len(model.buffers)
            model.buffers.append(schema.BufferT(data=list(bytes(2 * constant.scales))))
    for number, (name, inputs) in enumerate(signatures.items()):
        graph = schema.SubGraphT(name=name, tensors=[], operators=[], inputs=[], outputs=[])
        maps = []
        for key, (shape, dtype) in inputs.items():
            maps.append(schema.TensorMapT(name=key, tensorIndex=len(graph.tensors)))
            graph.tensors.append(_tensor(f"{name}_{key}", shape, dtype, 0))
        for constant in constants:
            index = len(graph.tensors)
            tensor = _tensor(
                constant.names[min(number, len(constant.names) - 1)],
                constant.shape,
                constant.dtype,
                buffers[id(constant)],
            )
            graph.tensors.append(tensor)
            if constant.block:
                rows = (constant.shape[0], constant.scales // constant.shape[0])
                details = schema.BlockwiseQuantizationT(scales=len(graph.tensors), blockSize=constant.block)
                graph.tensors.append(_tensor("scales", rows, "FLOAT16", scale_buffers[id(constant)]))
                tensor.quantization = schema.QuantizationParametersT(
                    details=details, detailsType=schema.QuantizationDetails.BlockwiseQuantization
                )
            elif constant.scales:
                tensor.quantization = schema.QuantizationParametersT(
                    scale=[1.0] * constant.scales, quantizedDimension=constant.dimension
                )
            if constant.looked_up:
                graph.operators.append(schema.OperatorT(opcodeIndex=0, inputs=[0, index], outputs=[0]))
            if constant.given:
                output = len(graph.tensors)
                graph.tensors.append(_tensor(constant.given[number], (1, constant.shape[0]), "FLOAT32", 0))
                # A bias that is left out is -1.
                graph.operators.append(
                    schema.OperatorT(opcodeIndex=1, inputs=[0, index, -1], outputs=[output])
                )
        model.subgraphs.append(graph)
        model.signatureDefs.append(
            schema.SignatureDefT(inputs=maps, outputs=maps, signatureKey=name, subgraphIndex=number)
        )
    builder = flatbuffers.Builder(1024)
    builder.ForceDefaults(True)  # so that the length does not depend on the offsets
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(name: str, shape: tuple[int, ...], dtype: str, buffer: int) -> schema.TensorT:
    return schema.TensorT(name=name, shape=list(shape), type=getattr(schema.TensorType, dtype), buffer=buffer)
