"""The models and adapters of an app: whether they belong together, what is to be told of them, and which fit into the APK."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.litert.memory_estimate import memory_cost
from pipeline.litert.runtime_adapters import TAKES_NONE, LoraBase, check_adapter_file, lora_base
from pipeline.targets.android.assets import BASE_ENTRY, MODEL_ENTRY, adapter_entry
from pipeline.targets.android.contents import Carried
from pipeline.targets.android.manifest import AdapterFacts, ModelFacts


@dataclass(frozen=True)
class AppModels:
    """What an app is to carry.

    Attributes:
        model: the .litertlm that answers.
        base: the base of a merged model, for before / after; None: not carried.
        adapters: adapter files by sha256, the model's own fine-tune first.
        beside: those of model and base that do not fit into the APK.
        model_facts, base_facts, adapter_facts: what the manifest is to tell of them.
    """

    model: Path
    base: Path | None
    adapters: Mapping[str, Path]
    beside: tuple[Path, ...]
    model_facts: ModelFacts
    base_facts: ModelFacts | None
    adapter_facts: tuple[AdapterFacts, ...]

    def inside(self, path: Path | None) -> Path | None:
        """The model or the base if it goes into the APK."""
        return None if path in self.beside else path

    @property
    def bytes(self) -> int:
        """Size of all together."""
        base = self.base_facts.bytes if self.base_facts else 0
        return self.model_facts.bytes + base + sum(adapter.bytes for adapter in self.adapter_facts)

    @property
    def carried(self) -> list[Carried]:
        """What `read_carried` finds in an APK that is as it should be."""
        told = self.model_facts.sha256
        found = [Carried("model", MODEL_ENTRY, told, told if self.inside(self.model) else None)]
        if self.base_facts:
            told = self.base_facts.sha256
            found.append(Carried("base", BASE_ENTRY, told, told if self.inside(self.base) else None))
        return found + [Carried("adapter", adapter_entry(each), each, each) for each in self.adapters]


def app_models(model: Path, base: Path | None, adapters: Sequence[Path], limit: int) -> AppModels:
    """Look at what an app is to carry, and choose what goes into the APK: adapters always, then the model, then its base.

    Args:
        model: the .litertlm that answers.
        base: the base of a merged model; None: not carried.
        adapters: adapter files for `model`, its own fine-tune first.
        limit: how many bytes of all these may lie in the APK.

    Raises:
        InputError: a model is damaged; an adapter is, belongs to another base, comes twice; adapters are larger than the limit.
    """
    taker = lora_base(model)
    facts = _adapters(adapters, model, taker)
    left = limit - sum(adapter.bytes for adapter in facts)
    if left < 0:
        raise InputError(
            f"the adapters take {(limit - left) / 1e6:.1f} MB, and bundle.max_model_mb is {limit / 1e6:.0f}: raise it, or leave some of bundle.adapters out"
        )
    beside = []
    for path in (model, base):
        if path is None:
            continue
        if path.stat().st_size > left:
            beside.append(path)
        else:
            left -= path.stat().st_size
    return AppModels(
        model=model,
        base=base,
        adapters={adapter.sha256: path for adapter, path in zip(facts, adapters, strict=True)},
        beside=tuple(beside),
        model_facts=_facts(model, taker),
        base_facts=_facts(base, None) if base else None,
        adapter_facts=tuple(facts),
    )


def _facts(model: Path, taker: LoraBase | None) -> ModelFacts:
    return ModelFacts(
        bytes=model.stat().st_size,
        sha256=sha256_of_file(model),
        memory_bytes=memory_cost(model).total,
        adapter_rank=taker.rank if taker else None,
        base_digest=taker.base_digest if taker else None,
    )


def _adapters(paths: Sequence[Path], model: Path, taker: LoraBase | None) -> list[AdapterFacts]:
    found: dict[str, Path] = {}
    facts = []
    for path in paths:
        if taker is None:
            raise InputError(f"{model}: {TAKES_NONE}")
        adapter, digest = check_adapter_file(path, taker), sha256_of_file(path)
        if digest in found:
            raise InputError(
                f"{path}: the same adapter as {found[digest]}; leave one of them out of bundle.adapters"
            )
        found[digest] = path
        size = path.stat().st_size
        facts.append(AdapterFacts(digest, adapter.name, size, adapter.rank, adapter.base_digest))
    return facts
