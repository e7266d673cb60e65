"""The reports on adapters: a run-time adapter (.tflite), an adapter.safetensors, a PEFT folder."""

from collections.abc import Mapping
from math import prod
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.families.names import parse_any_runtime_name
from pipeline.formats.lora_scale import CLASSIC, RANK_STABILIZED
from pipeline.formats.peft import WEIGHTS, read_peft_folder
from pipeline.formats.runtime_adapter import MANIFEST, RANK, read_adapter_file
from pipeline.formats.safetensors import SafetensorsTensor
from pipeline.formats.tflite import Tflite
from pipeline.inspect.facts import Adapter, Report, Tensor
from pipeline.tuning.load import read_checked
from pipeline.tuning.methods.dora import METHOD as DORA
from pipeline.tuning.registry import method_of

DTYPES = {
    "F32": "FLOAT32",
    "F16": "FLOAT16",
    "BF16": "BFLOAT16",
    "F64": "FLOAT64",
    "I8": "INT8",
    "I32": "INT32",
    "I64": "INT64",
}
"""Element types by their names in safetensors, and by those of LiteRT, which the reports use."""


SCALING_NOTES: dict[str, tuple[str, ...]] = {
    CLASSIC: (),
    RANK_STABILIZED: ("the scaling is rank-stabilized: the scale is alpha / √rank",),
}

DORA_NOTE = "DoRA: the rows of each matrix are rescaled to learned magnitudes"


def report_runtime(path: Path, tflite: Tflite) -> Report:
    """All about a run-time adapter that was read.

    Raises:
        InputError: it is an adapter of PocketGemma, and its content is damaged.
    """
    tensors = tuple(Tensor(each.name, each.shape, each.dtype) for each in tflite.graphs[0].tensors)
    names = [parsed for each in tensors if (parsed := parse_any_runtime_name(each.name))]
    matrices = dict.fromkeys((target, layer) for target, _, layer in names)
    # Other tools record the rank only; we also record the base, and a digest that detects damage.
    ours = read_adapter_file(path) if MANIFEST in tflite.metadata else None
    adapter = Adapter(
        form="runtime",
        name=ours.name if ours else None,
        rank=tflite.metadata[RANK],
        alpha=None,
        base=ours.base_digest if ours else None,
        targets=tuple(dict.fromkeys(target for target, _ in matrices)),
        matrices=len(matrices),
        parameters=sum(prod(each.shape) for each in tensors),
        tensors=tensors,
    )
    return Report("adapter", path.name, path.stat().st_size, sha256_of_file(path), adapter=adapter)


def report_safetensors(path: Path) -> Report:
    """All about the adapter.safetensors of a finetune stage.

    Raises:
        InputError: as `load_adapter`.
    """
    file = read_checked(path)
    method = method_of(file)
    adapter = Adapter(
        form="pocketgemma",
        name=None,
        rank=file.settings.get("rank"),
        alpha=file.settings.get("alpha"),
        base=file.base_digest,
        targets=tuple(file.settings.get("targets", ())),
        matrices=len(file.matrices),
        parameters=sum(tensor.elements for tensor in file.tensors.values()),
        tensors=_tensors(file.tensors),
        method=method.title,
    )
    notes = SCALING_NOTES[file.settings.get("scaling", CLASSIC)]
    if method_of(file) is DORA:
        notes += (DORA_NOTE,)
    return Report(
        "adapter", path.name, path.stat().st_size, sha256_of_file(path), adapter=adapter, notes=notes
    )


def report_peft(folder: Path) -> Report:
    """All about a PEFT adapter's folder; size and digest are those of its weights.

    Raises:
        InputError: as `read_peft_folder`.
    """
    found = read_peft_folder(folder)
    config, weights = found.config, folder / WEIGHTS
    targets, alpha = config.get("target_modules"), config.get("lora_alpha")
    usable = isinstance(alpha, int | float)
    adapter = Adapter(
        form="peft",
        name=None,
        rank=config.get("r"),
        alpha=alpha if usable else None,
        base=config.get("base_model_name_or_path"),
        targets=tuple(
            sorted(map(str, targets if isinstance(targets, list) else [targets] if targets else []))
        ),
        matrices=len({name.split(".lora_")[0] for name in found.tensors}),
        parameters=sum(tensor.elements for tensor in found.tensors.values()),
        tensors=_tensors(found.tensors),
    )
    notes = list(SCALING_NOTES[found.scaling])
    if config.get("use_dora"):
        notes.append(DORA_NOTE)
    notes += [f"{key} is {config[key]!r}: goes beyond LoRA" for key in found.beyond_lora]
    notes += [
        f"{key} is {config[key]!r}: not the same for every matrix"
        for key in ("rank_pattern", "alpha_pattern")
        if config.get(key)
    ]
    if alpha is not None and not usable:
        notes.append(f"lora_alpha is {alpha!r:.60}: not a number")
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
