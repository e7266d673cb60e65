"""The cache of converted bases: the conversion of a base depends on no fine-tuning run, so it is done once
and reused for grafts.

An entry of the cache holds model.litertlm (the base, without any fine-tuned value), weight-map.json (the
location of each matrix), fixed-content.json (digests of everything else that the file takes from a model) and
made.json (what the entry was made from).
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache import cached, digest_of, lookup
from pipeline.families.names import RUNTIME_TARGETS, runtime_name
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft.compatibility import fixed_content
from pipeline.litert.graft.weight_map import WeightMap, locate_matrices
from pipeline.litert.graft.writer import graft
from pipeline.litert.model_spec import ModelSpec
from pipeline.litert.quantizer_rules import quantizer_rules
from pipeline.machine import package_versions
from pipeline.quantization.rounding import nearest
from pipeline.quantization.schemes import SCHEMES
from pipeline.run.sources import code_digest

KIND = "bases"
WEIGHT_MAP, FIXED_CONTENT = "weight-map.json", "fixed-content.json"

CONVERTERS = (
    "litert-torch",
    "litert-converter",
    "ai-edge-quantizer",
    "litert-lm-builder",
    "transformers",
    "torch",
)
"""The packages that determine the bytes of a converted base."""

OWN_SOURCES = ("isolation.py", "families", "formats", "gemma", "litert", "quantization")
"""Our rooms and modules that determine them."""


@dataclass(frozen=True)
class CachedBase:
    """A converted base in the cache."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.litertlm"

    @property
    def weight_map(self) -> WeightMap:
        return WeightMap.load(self.folder / WEIGHT_MAP)

    @property
    def fixed_content(self) -> dict[str, str]:
        """What `compatibility.fixed_content` returned for the model that was converted."""
        return dict(json.loads((self.folder / FIXED_CONTENT).read_text(encoding="utf-8")))


def cached_base(base_digest: str, spec: ModelSpec) -> CachedBase | None:
    """The converted base, if the cache has it.

    Args:
        base_digest: digest of the preset.
        spec: how it is converted; description, sampler and rounding do not matter, they are written
            afterwards.
    """
    folder = lookup(KIND, _key(base_digest, spec))
    return CachedBase(folder) if folder else None


def cache_base(base_digest: str, spec: ModelSpec, converted: Path, merged: Path, preset: Path) -> CachedBase:
    """Add the base of a model that was just converted to the cache: locate its matrices and write the base's
    own over them.

    Args:
        base_digest: digest of the preset.
        spec: how the model was converted.
        converted: the .litertlm that the conversion of `merged` gave, rounded to nearest.
        merged: the Hugging Face folder that was converted: base and adapter.
        preset: the base.

    Raises:
        InputError: the file does not hold each matrix exactly once: this model cannot be grafted; the message
            says why.
    """
    scheme = SCHEMES[spec.recipe]

    def make(folder: Path) -> None:
        base, entry = PresetMatrices(preset), CachedBase(folder)
        weight_map = locate_matrices(converted, PresetMatrices(merged).items(), scheme)
        matrices = (
            (name, nearest(base.read(name), scheme.bits_of(name), scheme.block_of(name)))
            for name in base.names()
        )
        graft(converted, weight_map, entry.model, matrices)
        weight_map.for_file(entry.model).save(folder / WEIGHT_MAP)
        _write_json(folder / FIXED_CONTENT, fixed_content(merged))
        _write_json(folder / "made.json", _made_from(base_digest, spec))

    return CachedBase(cached(KIND, _key(base_digest, spec), make))


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _made_from(base_digest: str, spec: ModelSpec) -> dict[str, object]:
    """Everything that determines an entry, except our sources."""
    versions = package_versions()
    inputs = [runtime_name(target, part, 0) for target in RUNTIME_TARGETS for part in "ab"]
    return {
        "base": base_digest,
        "recipe": spec.recipe,
        "quantizer_rules": quantizer_rules(spec.recipe),
        "prefill_lengths": list(spec.prefill_lengths),
        "context_length": spec.context_length,
        "lora_rank": spec.lora_rank,
        "lora_inputs": inputs if spec.lora_rank is not None else [],
        "packages": {name: versions.get(name) for name in CONVERTERS},
    }


def _key(base_digest: str, spec: ModelSpec) -> str:
    made_from = _made_from(base_digest, spec) | {"code": code_digest(*OWN_SOURCES)}
    return digest_of([], json.dumps(made_from, sort_keys=True))
