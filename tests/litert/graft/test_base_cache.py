"""Promise: a cached base holds the base's own matrices, and is found again only for the same base and the
same conversion."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.gemma.matrices import PresetMatrices
from pipeline.litert.graft import base_cache
from pipeline.litert.graft.base_cache import OWN_SOURCES, CachedBase, cache_base, cached_base
from pipeline.litert.graft.compatibility import fixed_content
from pipeline.litert.graft.weight_map import locate_matrices
from pipeline.litert.model_spec import ModelSpec
from pipeline.quantization.schemes import SCHEMES
from tests.support.grafting import matrices_of, with_tensors, write_base, write_folder
from tests.support.imports import imported_modules, rooms

SPEC = ModelSpec("int4", (8,), 16, 1.0, 64, 0.95)
UP, GATE = "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.gate_proj.weight"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETGEMMA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "preset")


@pytest.fixture
def merged(preset: Path, tmp_path: Path) -> Path:
    return with_tensors(preset, tmp_path / "merged", {UP: matrices_of(preset)[UP] * 2 + 1})


def cache(preset: Path, merged: Path, tmp_path: Path) -> CachedBase:
    converted = write_base(tmp_path / "converted.litertlm", matrices_of(merged), SPEC.recipe)
    return cache_base("digest", SPEC, converted, merged, preset)


def test_the_entry_holds_the_bases_own_matrices_and_describes_them(
    preset: Path, merged: Path, tmp_path: Path
) -> None:
    entry = cache(preset, merged, tmp_path)
    own = locate_matrices(entry.model, PresetMatrices(preset).items(), SCHEMES[SPEC.recipe])
    assert entry.weight_map == own
    entry.weight_map.check_file(entry.model)
    assert entry.fixed_content == fixed_content(merged) == fixed_content(preset)


@pytest.mark.parametrize(
    "changes", [{"description": "another"}, {"temperature": 0.0, "top_k": 1}, {"rounding": "gptq"}]
)
def test_it_is_found_again_whatever_the_file_declares(
    preset: Path, merged: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert cached_base("digest", SPEC) is None
    entry = cache(preset, merged, tmp_path)
    assert cached_base("digest", replace(SPEC, **changes)) == entry


@pytest.mark.parametrize(
    "changes", [{"recipe": "int8"}, {"prefill_lengths": (16,)}, {"context_length": 32}, {"lora_rank": 16}]
)
def test_it_is_not_found_for_another_conversion(
    preset: Path, merged: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    cache(preset, merged, tmp_path)
    assert cached_base("digest", replace(SPEC, **changes)) is None


def test_it_is_not_found_for_another_base_or_other_packages_or_rules(
    preset: Path, merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache(preset, merged, tmp_path)
    assert cached_base("another digest", SPEC) is None
    with monkeypatch.context() as patch:
        patch.setattr(base_cache, "package_versions", lambda: {"litert-torch": "another"})
        assert cached_base("digest", SPEC) is None
    with monkeypatch.context() as patch:
        patch.setattr(base_cache, "quantizer_rules", lambda recipe: [])
        assert cached_base("digest", SPEC) is None
    with monkeypatch.context() as patch:
        patch.setattr(base_cache, "code_digest", lambda *rooms: "after a change of the code")
        assert cached_base("digest", SPEC) is None
    assert cached_base("digest", SPEC) is not None


def test_every_room_that_the_cache_reads_counts() -> None:
    """Any code that the conversion or the cache imports, directly or not, can change what is in an entry."""
    modules = imported_modules("pipeline.litert.convert.worker")
    modules |= imported_modules("pipeline.litert.graft.base_cache")
    assert {"families", "formats", "litert"} < rooms(modules) - {"run"} <= set(OWN_SOURCES)


def test_a_model_whose_matrices_cannot_be_distinguished_is_not_cached(preset: Path, tmp_path: Path) -> None:
    equal = with_tensors(preset, tmp_path / "equal", {UP: np.ascontiguousarray(matrices_of(preset)[GATE])})
    with pytest.raises(InputError, match="cannot be distinguished"):
        cache(preset, equal, tmp_path)
    assert cached_base("digest", SPEC) is None
