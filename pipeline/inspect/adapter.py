"""What an adapter tells: the runtime's .tflite, our adapter.safetensors, a PEFT folder."""

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import read_adapter_safetensors
from pipeline.formats.flatbuffer import ERRORS
from pipeline.formats.peft import WEIGHTS, read_peft_folder
from pipeline.formats.runtime_adapter import MANIFEST, RANK, read_adapter_file
from pipeline.formats.safetensors import SafetensorsTensor
from pipeline.formats.tflite import read_document
from pipeline.inspect.facts import Adapter, Report, Tensor

TARGETS = {"q": "query", "k": "key", "v": "value", "o": "output"}
TARGETS |= {"query": "query", "key": "key", "value": "value", "post": "output"}
_RUNTIME_TENSOR = re.compile(
    r"lora_atten_([qkvo])_[ab]_prime_weight_(\d+)|(query|key|value|post)_w_prime_(?:left|right)_(\d+)"
)

DTYPES = {
    "F32": "FLOAT32",
    "F16": "FLOAT16",
    "BF16": "BFLOAT16",
    "F64": "FLOAT64",
    "I8": "INT8",
    "I32": "INT32",
    "I64": "INT64",
}
"""safetensors' names for element types."""


def is_runtime_adapter(path: Path, data: memoryview) -> bool:
    """Whether a .tflite is an adapter: tensors with a rank, and nothing to call.

    Raises:
        InputError: a damaged .tflite.
    """
    try:
        document = read_document(data)
    except ERRORS:
        raise InputError(f"{path}: a damaged .tflite; copy or make it again") from None
    return not document.signatures and RANK in document.metadata and len(document.graphs) == 1


def report_runtime(path: Path, data: memoryview) -> Report:
    """All about an adapter .tflite for LiteRT-LM.

    Raises:
        InputError: damaged or truncated.
    """
    document = read_document(data)
    tensors = []
    for tensor in document.graphs[0].tensors:
        tensors.append(Tensor(tensor.name, tensor.shape, tensor.dtype))
        begin, size = document.buffers[tensor.buffer] if tensor.buffer < len(document.buffers) else (0, 0)
        if begin + size > len(data):
            raise InputError(
                f"{path}: truncated: {tensor.name} should end at byte {begin + size}, the file has {len(data)}; copy or make it again"
            )
    matches = [match for tensor in tensors if (match := _RUNTIME_TENSOR.fullmatch(tensor.name))]
    places = [(TARGETS[match[1] or match[3]], match[2] or match[4]) for match in matches]
    # Another's adapter says its rank only; ours names its base, and a digest that tells damage.
    ours = read_adapter_file(path) if MANIFEST in document.metadata else None
    adapter = Adapter(
        form="runtime",
        name=ours.name if ours else None,
        rank=document.metadata[RANK],
        alpha=None,
        base=ours.base_digest if ours else None,
        targets=tuple(dict.fromkeys(target for target, _ in places)),
        matrices=len(set(places)),
        parameters=sum(prod(tensor.shape) for tensor in tensors),
        tensors=tuple(tensors),
    )
    return Report("adapter", path.name, path.stat().st_size, sha256_of_file(path), adapter=adapter)


def report_safetensors(path: Path) -> Report:
    """All about the adapter.safetensors of a finetune stage.

    Raises:
        InputError: as `read_adapter_safetensors`.
    """
    file = read_adapter_safetensors(path)
    adapter = Adapter(
        form="pocketgemma",
        name=None,
        rank=file.header.rank,
        alpha=file.header.alpha,
        base=file.header.base_digest,
        targets=file.header.targets,
        matrices=len(file.factors),
        parameters=sum(tensor.elements for tensor in file.tensors.values()),
        tensors=_tensors(file.tensors),
    )
    return Report("adapter", path.name, path.stat().st_size, sha256_of_file(path), adapter=adapter)


def report_peft(folder: Path) -> Report:
    """All about a PEFT adapter's folder; size and digest are those of its weights.

    Raises:
        InputError: as `read_peft_folder`.
    """
    found = read_peft_folder(folder)
    config, weights = found.config, folder / WEIGHTS
    targets = config.get("target_modules") or ()
    adapter = Adapter(
        form="peft",
        name=None,
        rank=config.get("r"),
        alpha=config.get("lora_alpha"),
        base=config.get("base_model_name_or_path"),
        targets=(targets,) if isinstance(targets, str) else tuple(sorted(targets)),
        matrices=len({name.split(".lora_")[0] for name in found.tensors}),
        parameters=sum(tensor.elements for tensor in found.tensors.values()),
        tensors=_tensors(found.tensors),
    )
    notes = [f"{key} is {config[key]!r}: more than plain LoRA" for key in found.beyond_plain_lora]
    notes += [
        f"{key} is {config[key]!r}: not the same for every matrix"
        for key in ("rank_pattern", "alpha_pattern")
        if config.get(key)
    ]
    return Report(
        "adapter",
        folder.name,
        weights.stat().st_size,
        sha256_of_file(weights),
        adapter=adapter,
        notes=tuple(notes),
    )


def _tensors(tensors: Mapping[str, SafetensorsTensor]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(name, tensor.shape, DTYPES.get(tensor.dtype, tensor.dtype))
        for name, tensor in sorted(tensors.items())
    )
