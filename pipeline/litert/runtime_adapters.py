"""Run-time adapters: writing one from an adapter of PocketGemma or PEFT, and checking that it belongs to a
base."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError
from pipeline.families.family import GemmaShape
from pipeline.families.names import MATRICES, parse_adapter_name, parse_runtime_name
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.runtime_adapter import RANK, AdapterFile, read_adapter_file, write_adapter_file
from pipeline.formats.tflite import read_tflite
from pipeline.formats.tflite_model import decode_inputs
from pipeline.litert.convert.lora_inputs import RANKS
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import find_adapter, load_adapter
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.peft import peft_runtime_factors
from pipeline.tuning.runtime_factors import MERGE_INSTEAD, RuntimeFactors, rank_of, refuse_other_matrices
from pipeline.tuning.targets import adapted_kernels

TAKES_NONE = (
    "does not accept adapters; convert the base with convert.adapters: runtime, or merge the adapter with "
    "`pocketgemma graft`"
)


def required_rank(adapter: Adapter) -> int:
    """The smallest rank in RANKS that an adapter fits into.

    Raises:
        InputError: the adapter has other matrices than attention's, or its rank is too large.
    """
    return _fitting(adapter.method.runtime_factors(adapter))


def check_runtime_settings(shape: GemmaShape, settings: MethodSettings) -> None:
    """Check, before a training, that the runtime will take its adapter.

    Raises:
        InputError: it changes other matrices than attention's, or the rank is too large; says the largest.
    """
    refuse_other_matrices(settings.targets)
    heads = max(
        kernel[0] if MATRICES[parse_adapter_name(name)[1]].layout == "heads_out" else 1
        for name, kernel in adapted_kernels(shape, settings)
    )
    if settings.rank * heads > RANKS[-1]:
        largest = RANKS[-1] // heads
        advice = f"set finetune.rank to at most {largest}, or convert.adapters: merged"
        raise InputError(
            f"finetune.rank: {settings.rank} in each of {heads} heads is rank {settings.rank * heads} at run "
            f"time, but the runtime accepts at most {RANKS[-1]}; "
            + (advice if largest else "set convert.adapters: merged")
        )


def write_adapter(adapter: Adapter, path: Path, *, rank: int, name: str | None = None) -> None:
    """Write an adapter of PocketGemma as a run-time adapter.

    Args:
        adapter: as trained.
        path: the file to write.
        rank: of the base's LoRA inputs.
        name: of the adapter; None: the file's name without its extension.

    Raises:
        InputError: the runtime does not support the adapter, or its rank is larger than the base's.
    """
    factors = adapter.method.runtime_factors(adapter)
    write_adapter_file(
        path,
        factors,
        rank=rank,
        base_digest=adapter.base_digest,
        name=name if name is not None else path.stem,
    )


def write_for_base(source: Path, base: Path, output: Path) -> AdapterFile:
    """Write an adapter of PocketGemma or PEFT as a run-time adapter for a base, and check that it belongs to
    the base.

    Args:
        source: adapter.safetensors, or the folder of a PEFT adapter. PEFT records no digest of the base, so
            only shapes are compared.
        base: the .litertlm that the adapter is for.
        output: the file to write.

    Raises:
        InputError: the source is not an adapter, it belongs to another base, the runtime does not support it,
            or the base takes no adapters.
    """
    taker = lora_base(base)
    if taker is None:
        raise InputError(f"{base}: {TAKES_NONE}")
    folder, own = find_adapter(source)
    if own is None:
        factors, digest = peft_runtime_factors(folder), taker.base_digest
    else:
        adapter = load_adapter(own)
        factors, digest = adapter.method.runtime_factors(adapter), adapter.base_digest
    if _fitting(factors) > taker.rank:
        raise InputError(
            f"{source}: needs rank {rank_of(factors)}, but {base} accepts rank {taker.rank}; convert the "
            f"base for a larger rank, or {MERGE_INSTEAD}"
        )
    partial = output.with_name(f".{output.name}.partial")
    try:
        write_adapter_file(partial, factors, rank=taker.rank, base_digest=digest, name=output.stem)
        check_adapter_file(partial, taker)
        partial.replace(output)
    except OSError as error:
        raise InputError(
            f"{output}: cannot be written: {error.strerror}; choose another --out file"
        ) from None
    except InputError as error:
        raise InputError(str(error).replace(str(partial), str(source))) from None
    finally:
        partial.unlink(missing_ok=True)
    return read_adapter_file(output)


def _fitting(factors: RuntimeFactors) -> int:
    needed = rank_of(factors)
    for rank in RANKS:
        if needed <= rank:
            return rank
    raise InputError(
        f"the adapter needs rank {needed} (the rank of query counts once for each head), but the runtime "
        f"accepts at most {RANKS[-1]}; {MERGE_INSTEAD}"
    )


@dataclass(frozen=True)
class LoraBase:
    """The adapters that a base declares to take.

    Attributes:
        path: the .litertlm file.
        rank: of its LoRA inputs.
        base_digest: digest of the preset that it was converted from.
        shapes: shape of each LoRA input by name.
    """

    path: Path
    rank: int
    base_digest: str
    shapes: Mapping[str, tuple[int, ...]]


def lora_base(model: Path) -> LoraBase | None:
    """The adapters that a .litertlm declares to take; None if it takes none.

    Raises:
        InputError: the file is not a usable .litertlm, or the declared rank differs from that of its inputs.
    """
    container = read_container(model)
    if RANK not in container.system:
        return None
    tflite = read_tflite(container.view(container.section(MODEL)), str(model))
    shapes = {
        name: tensor.shape for name, tensor in decode_inputs(tflite).items() if parse_runtime_name(name)
    }
    rank = int(container.system[RANK]) if container.system[RANK].isdecimal() else 0
    wrong = [
        name
        for name, shape in shapes.items()
        if len(shape) != 2 or shape[1 if "_a_prime" in name else 0] != rank
    ]
    if wrong or not shapes or rank not in RANKS:
        raise InputError(
            f"{model}: declares adapters of rank {rank}, but its LoRA inputs have another rank; convert it "
            "again"
        )
    return LoraBase(model, rank, container.system.get("base_digest", ""), shapes)


def check_adapter_file(path: Path, model: "Path | LoraBase") -> AdapterFile:
    """Check that an adapter file is complete and belongs to a base, before the runtime opens it.

    Args:
        path: the adapter file.
        model: the base's .litertlm, or what `lora_base` returned for it.

    Raises:
        InputError: the file is not an adapter file, is truncated or damaged, or has another base, rank or
            shape; or the base takes no adapters.
    """
    base = lora_base(model) if isinstance(model, Path) else model
    if base is None:
        raise InputError(f"{model}: {TAKES_NONE}")
    adapter = read_adapter_file(path)
    if adapter.base_digest != base.base_digest:
        raise InputError(
            f"{path}: belongs to another base: it was trained on {adapter.base_digest[:12]}…, but "
            f"{base.path} was converted from {base.base_digest[:12]}…"
        )
    if adapter.rank != base.rank:
        raise InputError(
            f"{path}: has rank {adapter.rank}, but {base.path} accepts rank {base.rank}; write the "
            f"adapter again with --base {base.path}"
        )
    for name, shape in adapter.shapes.items():
        if shape != base.shapes.get(name):
            raise InputError(
                f"{path}: {name} has shape {shape}, but {base.path} expects "
                f"{base.shapes.get(name, 'no such tensor')}: the adapter belongs to another model"
            )
    return adapter
