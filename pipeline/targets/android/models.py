"""The models and adapters of an app: whether they belong together, the facts about them, and which of them go
into the APK."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.litert.memory_estimate import memory_cost
from pipeline.litert.runtime_adapters import TAKES_NONE, LoraBase, check_adapter_file, lora_base
from pipeline.targets.android.assets import (
    BASE_ENTRY,
    MODEL_ENTRY,
    PUSHED_BASE,
    PUSHED_MODEL,
    adapter_entry,
)
from pipeline.targets.android.manifest import AdapterFacts, ModelFacts
from pipeline.targets.target import PackagedFile


@dataclass(frozen=True)
class AppModels:
    """The models and adapters of an app.

    Attributes:
        model: the .litertlm that answers.
        base: the base of a merged model, for the comparison before / after; None if the app has none.
        adapters: adapter files by sha256, the model's own fine-tune first.
        pushed: the model and the base by their names on the phone, if they do not fit into the APK.
        model_facts: of `model`, for the manifest.
        base_facts: of `base`, for the manifest.
        adapter_facts: of `adapters`, for the manifest.
    """

    model: Path
    base: Path | None
    adapters: Mapping[str, Path]
    pushed: Mapping[str, Path]
    model_facts: ModelFacts
    base_facts: ModelFacts | None
    adapter_facts: tuple[AdapterFacts, ...]

    def packaged(self, path: Path | None) -> Path | None:
        """The model or the base if it goes into the APK, else None."""
        return None if path in self.pushed.values() else path

    def copy_pushed(self, folder: Path) -> None:
        """Copy the models that do not go into the APK, under their names on the phone."""
        for name, path in self.pushed.items():
            shutil.copyfile(path, folder / name)

    @property
    def bytes(self) -> int:
        """Total size."""
        base = self.base_facts.bytes if self.base_facts else 0
        return self.model_facts.bytes + base + sum(adapter.bytes for adapter in self.adapter_facts)

    @property
    def files(self) -> list[PackagedFile]:
        """What `read_packaged_files` must find in the APK."""
        digest = self.model_facts.sha256
        files = [PackagedFile("model", MODEL_ENTRY, digest, digest if self.packaged(self.model) else None)]
        if self.base_facts:
            digest = self.base_facts.sha256
            files.append(
                PackagedFile("base", BASE_ENTRY, digest, digest if self.packaged(self.base) else None)
            )
        return files + [
            PackagedFile("adapter", adapter_entry(digest), digest, digest) for digest in self.adapters
        ]


def app_models(model: Path, base: Path | None, adapters: Sequence[Path], limit: int) -> AppModels:
    """Check models and adapters, and choose what goes into the APK: adapters always, then the model, then its
    base.

    Args:
        model: the .litertlm that answers.
        base: the base of a merged model; None to leave it out.
        adapters: adapter files for `model`, its own fine-tune first.
        limit: largest total size of what goes into the APK, in bytes.

    Raises:
        InputError: a model or an adapter is damaged, an adapter belongs to another base or is listed twice,
            or the adapters exceed the limit.
    """
    lora = lora_base(model)
    facts = _adapters(adapters, model, lora)
    left = limit - sum(adapter.bytes for adapter in facts)
    if left < 0:
        raise InputError(
            f"the adapters take {(limit - left) / 1e6:.1f} MB, but bundle.max_model_mb is {limit / 1e6:.0f}; "
            "raise it, or remove some of bundle.adapters"
        )
    pushed = {}
    for name, path in ((PUSHED_MODEL, model), (PUSHED_BASE, base)):
        if path is None:
            continue
        if path.stat().st_size > left:
            pushed[name] = path
        else:
            left -= path.stat().st_size
    return AppModels(
        model=model,
        base=base,
        adapters={adapter.sha256: path for adapter, path in zip(facts, adapters, strict=True)},
        pushed=pushed,
        model_facts=_facts(model, lora),
        base_facts=_facts(base, None) if base else None,
        adapter_facts=tuple(facts),
    )


def _facts(model: Path, lora: LoraBase | None) -> ModelFacts:
    return ModelFacts(
        bytes=model.stat().st_size,
        sha256=sha256_of_file(model),
        memory_bytes=memory_cost(model).total,
        adapter_rank=lora.rank if lora else None,
        base_digest=lora.base_digest if lora else None,
    )


def _adapters(paths: Sequence[Path], model: Path, lora: LoraBase | None) -> list[AdapterFacts]:
    found: dict[str, Path] = {}
    facts = []
    for path in paths:
        if lora is None:
            raise InputError(f"{model}: {TAKES_NONE}")
        adapter, digest = check_adapter_file(path, lora), sha256_of_file(path)
        if digest in found:
            raise InputError(
                f"{path}: is the same adapter as {found[digest]}; remove one of them from bundle.adapters"
            )
        found[digest] = path
        size = path.stat().st_size
        facts.append(AdapterFacts(digest, adapter.name, size, adapter.rank, adapter.base_digest))
    return facts
