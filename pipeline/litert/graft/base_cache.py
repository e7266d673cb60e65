"""Converted bases, kept: what a base is converted to depends on no fine-tune, so it is converted once and grafted onto afterwards.

An entry of the cache holds model.litertlm (the base, with none of a fine-tune's numbers in it), places.json (where each matrix lies) and
fixed.json (what else of a model lies in the file, by digest).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pipeline
from pipeline.cache import cached, digest_of, lookup
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.convert.export import Bundle
from pipeline.litert.graft.compatibility import fixed_by_conversion
from pipeline.litert.graft.weight_map import Places, find_places
from pipeline.litert.graft.writer import graft
from pipeline.machine import package_versions
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES

KIND = "bases"
CONVERTERS = (
    "litert-torch",
    "litert-converter",
    "ai-edge-quantizer",
    "litert-lm-builder",
    "transformers",
    "torch",
)
"""The packages that decide the bytes."""

OWN_SOURCES = (
    "isolation.py",
    "litert/convert/worker.py",
    "litert/convert/lora_inputs.py",
    "litert/convert/exporter_patches.py",
    "litert/convert/quantizer_rules.py",
    "litert/graft/base_cache.py",
)
"""Our modules that decide them, or what is kept beside them; paths in this package."""


@dataclass(frozen=True)
class KeptBase:
    """A converted base in the cache."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.litertlm"

    @property
    def places(self) -> Places:
        return Places.load(self.folder / "places.json")

    @property
    def fixed(self) -> dict[str, str]:
        """What of the model lies in the file beside the matrices, as `fixed_by_conversion` told it."""
        return dict(json.loads((self.folder / "fixed.json").read_text(encoding="utf-8")))


def kept_base(base_digest: str, bundle: Bundle) -> KeptBase | None:
    """The converted base, if it was kept."""
    folder = lookup(KIND, _key(base_digest, bundle))
    return KeptBase(folder) if folder else None


def keep_base(base_digest: str, bundle: Bundle, converted: Path, merged: Path, preset: Path) -> KeptBase:
    """Keep the base of a model that was just converted: find its matrices in the file and write the base's own over them.

    Args:
        base_digest: digest of the preset.
        bundle: how it was converted.
        converted: the .litertlm that the conversion of `merged` gave, rounded to nearest.
        merged: the Hugging Face folder that was converted: base and adapter.
        preset: the base.

    Raises:
        InputError: a matrix is not found exactly once, or not where the base has one: this model cannot be grafted; says why.
    """
    scheme = SCHEMES[bundle.recipe]

    def make(folder: Path) -> None:
        base, kept = PresetMatrices(preset), KeptBase(folder)
        places = find_places(converted, PresetMatrices(merged).items(), scheme)
        matrices = (
            (name, nearest(base.read(name), scheme.bits_of(name), scheme.block_of(name)))
            for name in base.names()
        )
        graft(converted, places, kept.model, matrices)
        places.of_file(kept.model).save(folder / "places.json")
        fixed = json.dumps(fixed_by_conversion(merged), indent=1)
        (folder / "fixed.json").write_text(fixed + "\n", encoding="utf-8")
        (folder / "made.json").write_text(
            json.dumps(_decides(base_digest, bundle), indent=1) + "\n", encoding="utf-8"
        )

    return KeptBase(cached(KIND, _key(base_digest, bundle), make))


def _decides(base_digest: str, bundle: Bundle) -> dict[str, object]:
    versions = package_versions()
    return {
        "base": base_digest,
        "recipe": bundle.recipe,
        "prefill_lengths": list(bundle.prefill_lengths),
        "context_length": bundle.context_length,
        "lora_rank": bundle.lora_rank,
        "packages": {name: versions.get(name) for name in CONVERTERS},
    }


def _key(base_digest: str, bundle: Bundle) -> str:
    sources = [Path(pipeline.__file__).parent / name for name in OWN_SOURCES]
    return digest_of(sources, json.dumps(_decides(base_digest, bundle), sort_keys=True))
