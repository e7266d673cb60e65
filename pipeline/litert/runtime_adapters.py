"""An adapter, ours or PEFT's, as a file for the runtime, and whether such a file belongs to a base."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError
from pipeline.families.names import parse_runtime_name
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.runtime_adapter import RANK, AdapterFile, read_adapter_file, write_adapter_file
from pipeline.formats.tflite import read_tflite
from pipeline.formats.tflite_model import decode_inputs
from pipeline.litert.convert.lora_inputs import RANKS
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.load import load_adapter
from pipeline.tuning.peft import peft_runtime_factors
from pipeline.tuning.runtime_factors import MERGE_INSTEAD, RuntimeFactors, rank_of

TAKES_NONE = "takes no adapters; convert the base with convert.adapters: runtime, or put the adapter in with `pocketgemma graft`"


def required_rank(adapter: Adapter) -> int:
    """The smallest rank of the runtime's into which an adapter fits.

    Raises:
        InputError: it touches more than attention, or its rank is larger than any.
    """
    return _fitting(adapter.method.runtime_factors(adapter))


def write_adapter(adapter: Adapter, path: Path, *, rank: int, name: str | None = None) -> None:
    """Write one of our adapters as an adapter file for the runtime.

    Args:
        adapter: as trained.
        path: the file.
        rank: of the base's LoRA inputs.
        name: what the adapter is called; the file's name without its ending if not given.

    Raises:
        InputError: the runtime cannot take it, or not with this rank.
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
    """Write an adapter of ours or of PEFT's as an adapter file for a base, and check it against that.

    Args:
        source: our adapter.safetensors, or a PEFT adapter's folder; PEFT's name no base by digest, so only shapes are compared.
        base: the .litertlm that is to take it.
        output: the file.

    Raises:
        InputError: no adapter, one of another base, or one that the runtime cannot take; the base takes no adapters.
    """
    taker = lora_base(base)
    if taker is None:
        raise InputError(f"{base}: {TAKES_NONE}")
    if source.is_dir():
        factors, digest = peft_runtime_factors(source), taker.base_digest
    else:
        adapter = load_adapter(source)
        factors, digest = adapter.method.runtime_factors(adapter), adapter.base_digest
    if _fitting(factors) > taker.rank:
        raise InputError(
            f"{source}: needs rank {rank_of(factors)}, {base} takes {taker.rank}; convert the base with that rank, or {MERGE_INSTEAD}"
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
        f"the adapter needs rank {needed} (a query's rank counts once for each head), the runtime takes at most {RANKS[-1]}; {MERGE_INSTEAD}"
    )


@dataclass(frozen=True)
class LoraBase:
    """What a base says about the adapters that it takes.

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
    """What a .litertlm says about the adapters that it takes; None when it takes none.

    Raises:
        InputError: it is no usable .litertlm, or says one rank and has inputs of another.
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
            f"{model}: says that it takes adapters of rank {rank}, its inputs say otherwise; convert it again"
        )
    return LoraBase(model, rank, container.system.get("base_digest", ""), shapes)


def check_adapter_file(path: Path, model: "Path | LoraBase") -> AdapterFile:
    """See that an adapter file is whole and belongs to a base, before the runtime sees it.

    Args:
        path: the adapter file.
        model: the base's .litertlm, or what `lora_base` found in it.

    Raises:
        InputError: no adapter file, truncated, damaged, of another base, rank or shape; the base takes no adapters.
    """
    base = lora_base(model) if isinstance(model, Path) else model
    if base is None:
        raise InputError(f"{model}: {TAKES_NONE}")
    adapter = read_adapter_file(path)
    if adapter.base_digest != base.base_digest:
        raise InputError(
            f"{path}: belongs to another base: it was trained on {adapter.base_digest[:12]}…, "
            f"{base.path} was converted from {base.base_digest[:12]}…"
        )
    if adapter.rank != base.rank:
        raise InputError(
            f"{path}: has rank {adapter.rank}, {base.path} takes rank {base.rank}; write it again with --base {base.path}"
        )
    for name, shape in adapter.shapes.items():
        if shape != base.shapes.get(name):
            raise InputError(
                f"{path}: {name} is {shape}, {base.path} takes {base.shapes.get(name, 'no such tensor')}: it belongs to another model"
            )
    return adapter
