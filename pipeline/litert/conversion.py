"""The model files of a run: decides for each whether it is converted or grafted, and writes it.

A graft onto the cached converted base takes seconds, a conversion takes minutes, and both give the same bytes
if only matrices differ. A rounding other than nearest can only be written by a graft. So a model is grafted
wherever that is possible and allowed; the first conversion of a base puts it into the cache.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.causal_lm import Backend
from pipeline.gemma.presets import preset_digest
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.graft.base_cache import CachedBase, cache_base, cached_base
from pipeline.litert.graft.compatibility import changes_outside_matrices, fixed_content
from pipeline.litert.model_files import convert_folder, convert_preset, graft_onto
from pipeline.litert.model_spec import ModelSpec
from pipeline.litert.rounded_matrices import Examples, base_matrices, merged_matrices
from pipeline.litert.runtime_adapters import required_rank, write_adapter
from pipeline.quantization.roundings import TRAINED, find_rounding
from pipeline.run.files import LogFiles
from pipeline.tuning.adapter import Adapter

NAMED = 3
"""How many changes a message names."""


@dataclass(frozen=True)
class RuntimeAdapter:
    """The adapter as a file for the runtime: where to write it, and its name."""

    path: Path
    name: str


@dataclass(frozen=True)
class Base:
    """The converted base as a file next to the model: where to write it, and what it must declare."""

    path: Path
    spec: ModelSpec


@dataclass(frozen=True)
class Conversion:
    """What to convert, and into which files.

    Attributes:
        preset: folder of the base.
        merged: the Hugging Face folder of base and adapter.
        adapter: as trained.
        model: the .litertlm to write.
        spec: how to convert the model, and what the file must declare.
        may_graft: whether a merged model and the base may be grafted; a run-time adapter always takes a
            graft.
        runtime_adapter: the adapter stays a separate file, and the model is the base; None: the model is the
            merged one.
        base: the base is written too; None: it is not.
        examples: the training examples, for a rounding that calibrates on them.
        keras_backend: chooses the Keras backend, for a base that must be converted by itself.
        logs: where the subprocesses write what they print.
    """

    preset: Path
    merged: Path
    adapter: Adapter
    model: Path
    spec: ModelSpec
    may_graft: bool
    runtime_adapter: RuntimeAdapter | None
    base: Base | None
    examples: Examples
    keras_backend: Callable[[], Backend]
    logs: LogFiles

    @cached_property
    def base_digest(self) -> str:
        return preset_digest(self.preset)

    @property
    def needs_grafting(self) -> bool:
        """Whether the converter cannot choose the model's integers."""
        return find_rounding(self.spec.rounding).needs_grafting


def convert(conversion: Conversion) -> dict[str, Any]:
    """Write the model, and the base and the run-time adapter if asked for.

    Returns:
        For the model: method (`full conversion` or `graft`), seconds and bytes; converter_seconds and
            peak_memory_bytes if the
        converter ran; matrices, the number of grafted matrices; no_graft, the reason why a model could not be
        grafted; lora_rank and adapter_bytes for a run-time adapter. Under `base`, the same for the base.

    Raises:
        InputError: the rounding requires a graft, but the model cannot be grafted; or the runtime cannot take
            the adapter.
        PocketGemmaError: the converter failed, or its result differs from what was requested; or the adapter
            cannot stay separate.
    """
    facts = _base_and_adapter(conversion) if conversion.runtime_adapter else _merged_model(conversion)
    if conversion.base:
        facts |= {"base": _base(conversion, conversion.base)}
    return facts


def _merged_model(conversion: Conversion) -> dict[str, Any]:
    if not conversion.may_graft:
        return _convert_merged(conversion)
    base = cached_base(conversion.base_digest, conversion.spec)
    if base is None:
        return _convert_and_cache(conversion)
    changes = changes_outside_matrices(base.fixed_content, fixed_content(conversion.merged))
    if changes:
        named = f"{', '.join(changes[:NAMED])}{', …' * (len(changes) > NAMED)}"
        reason = f"a graft writes only matrices, but {named} changed too"
        if conversion.needs_grafting:
            raise _graft_required(conversion, reason)
        return _convert_merged(conversion) | {"no_graft": reason}
    return _graft_merged(conversion, base)


def _convert_merged(conversion: Conversion) -> dict[str, Any]:
    return convert_folder(conversion.merged, conversion.model, conversion.spec, conversion.logs.convert)


def _convert_and_cache(conversion: Conversion) -> dict[str, Any]:
    """Convert the merged model, put its base into the cache, and graft if the integers are not the
    converter's."""
    facts = _convert_merged(conversion)
    try:
        base = _cache_base(conversion, conversion.spec, conversion.model)
    except InputError as reason:
        if conversion.needs_grafting:
            raise _graft_required(conversion, str(reason)) from None
        return facts | {"no_graft": str(reason)}
    if not conversion.needs_grafting:
        return facts
    conversion.model.unlink()
    return facts | _graft_merged(conversion, base)


def _cache_base(conversion: Conversion, spec: ModelSpec, converted: Path) -> CachedBase:
    # Only matrices can be set back to those of the base; a file with other tuned weights is not a base.
    conversion.adapter.method.deltas(conversion.adapter)
    return cache_base(conversion.base_digest, spec, converted, conversion.merged, conversion.preset)


def _graft_merged(conversion: Conversion, base: CachedBase) -> dict[str, Any]:
    spec = conversion.spec
    matrices = merged_matrices(
        conversion.merged,
        conversion.adapter,
        spec.recipe,
        spec.rounding,
        conversion.examples,
        conversion.logs,
    )
    return graft_onto(base, conversion.model, spec, Tokenizer.of_preset(conversion.merged), matrices)


def _base_and_adapter(conversion: Conversion) -> dict[str, Any]:
    """Write the base with LoRA tensors as inputs, and the adapter as a separate file."""
    assert conversion.runtime_adapter
    path, name = conversion.runtime_adapter.path, conversion.runtime_adapter.name
    rank = required_rank(conversion.adapter)
    spec = replace(conversion.spec, lora_rank=rank, base_digest=conversion.base_digest)
    facts: dict[str, Any] = {}
    base = cached_base(conversion.base_digest, spec)
    if base is None:
        # The converted file has the merged matrices; caching its base writes the base's own back.
        merged = conversion.model.with_name(".merged.litertlm")
        facts = convert_folder(conversion.merged, merged, spec, conversion.logs.convert)
        try:
            base = _cache_base(conversion, spec, merged)
        except InputError as reason:
            raise PocketGemmaError(
                f"convert.adapters: runtime requires grafting, but this model cannot be grafted: {reason}"
            ) from None
        finally:
            merged.unlink()
    matrices = base_matrices(conversion.preset, spec.recipe, spec.rounding)
    facts |= graft_onto(base, conversion.model, spec, Tokenizer.of_preset(conversion.merged), matrices)
    write_adapter(conversion.adapter, path, rank=rank, name=name)
    return facts | {"lora_rank": rank, "adapter_bytes": path.stat().st_size}


def _base(conversion: Conversion, base: Base) -> dict[str, Any]:
    """Write the base without the adapter: from the cache, or by a conversion of its own."""
    cached = cached_base(conversion.base_digest, base.spec) if conversion.may_graft else None
    if cached is None:
        return convert_preset(
            conversion.preset, base.path, base.spec, conversion.logs.convert, conversion.keras_backend()
        )
    matrices = base_matrices(conversion.preset, base.spec.recipe, base.spec.rounding)
    return graft_onto(cached, base.path, base.spec, Tokenizer.of_preset(conversion.merged), matrices)


def _graft_required(conversion: Conversion, reason: str) -> InputError:
    rounding = conversion.spec.rounding
    setting = "finetune.quantization_aware" if rounding == TRAINED.name else f"convert.rounding: {rounding}"
    return InputError(f"{setting} requires grafting, but this model cannot be grafted: {reason}")
