"""Promise: each model file is grafted wherever that is possible and allowed, and converted otherwise; the
facts record which, and why."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert import conversion as module
from pipeline.litert.conversion import Base, Conversion, RuntimeAdapter, convert
from pipeline.litert.model_spec import ModelSpec
from pipeline.run.files import LogFiles
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas
from pipeline.tuning.methods.lora import LoraFactors

SPEC = ModelSpec("int8", (64,), 256, 0.7, 40, 0.9, "tuned")
BASE_SPEC = replace(SPEC, description="base")
FACTORS = {"decoder_block_0.query": (np.ones((4, 8, 2), np.float32), np.ones((2, 4), np.float32))}
ADAPTER = LoraFactors(2, 2.0, ("query",), FACTORS).adapter("digest of the preset")
CONVERTED = {"method": "full conversion", "seconds": 30.0, "bytes": 9, "converter_seconds": 30.0}
GRAFTED = {"method": "graft", "matrices": 12, "seconds": 0.5, "bytes": 9}
OTHER_ROUNDINGS = ["least_squares", "gptq", "quantization_aware"]


@dataclass
class CachedBase:
    """A converted base in the cache, as far as the decision looks at it."""

    fixed_content: dict[str, str]


@dataclass
class Machine:
    """Stands in for converter, cache and graft, and records what they are told to do.

    Attributes:
        base: what the cache has.
        base_content, merged_content: what the base and the merged model hold besides matrices.
        not_cacheable: why a converted model's base cannot be put into the cache; None: it can.
        done: every step, in order.
    """

    base: CachedBase | None = None
    merged_content: dict[str, str] = field(default_factory=lambda: {"norm": "1"})
    not_cacheable: str | None = None
    done: list[str] = field(default_factory=list)
    specs: list[ModelSpec] = field(default_factory=list)

    def convert_folder(self, folder: Path, output: Path, spec: ModelSpec, log: Path) -> dict[str, Any]:
        assert log.name == "convert.log"
        return self._write(f"convert {folder.name} to {output.name}", output, spec, CONVERTED)

    def convert_preset(
        self, preset: Path, output: Path, spec: ModelSpec, log: Path, backend: str
    ) -> dict[str, Any]:
        step = f"convert {preset.name} to {output.name} with {backend}"
        return self._write(step, output, spec, CONVERTED)

    def graft_onto(
        self, base: CachedBase, output: Path, spec: ModelSpec, tokenizer: str, matrices: str
    ) -> dict[str, Any]:
        assert base is self.base
        assert not output.exists()
        assert tokenizer == "tokenizer of merged"
        return self._write(f"graft {matrices} to {output.name}", output, spec, GRAFTED)

    def _write(self, step: str, output: Path, spec: ModelSpec, facts: dict[str, Any]) -> dict[str, Any]:
        self.done.append(step)
        self.specs.append(spec)
        output.write_text(step)
        return dict(facts)

    def cached_base(self, digest: str, spec: ModelSpec) -> CachedBase | None:
        assert digest == "digest of preset"
        return self.base

    def cache_base(
        self, digest: str, spec: ModelSpec, converted: Path, merged: Path, preset: Path
    ) -> CachedBase:
        assert converted.read_text() == f"convert merged to {converted.name}"
        if self.not_cacheable:
            raise InputError(self.not_cacheable)
        self.done.append("cache the base")
        self.base = CachedBase({"norm": "1"})
        return self.base


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    for name in ("convert_folder", "convert_preset", "graft_onto", "cached_base", "cache_base"):
        monkeypatch.setattr(module, name, getattr(machine, name))
    monkeypatch.setattr(module, "fixed_content", lambda folder: machine.merged_content)
    monkeypatch.setattr(module, "preset_digest", lambda preset: f"digest of {preset.name}")
    monkeypatch.setattr(Tokenizer, "of_preset", lambda folder: f"tokenizer of {folder.name}")
    monkeypatch.setattr(
        module, "merged_matrices", lambda folder, adapter, recipe, rounding, *_: f"merged by {rounding}"
    )
    monkeypatch.setattr(
        module, "base_matrices", lambda preset, recipe, rounding: f"{preset.name}'s by {rounding}"
    )
    monkeypatch.setattr(module, "required_rank", lambda adapter: 16)

    def write_adapter(adapter: Adapter, path: Path, *, rank: int, name: str) -> None:
        machine.done.append(f"write {path.name}: {name}, rank {rank}")
        path.write_text("adapter")

    monkeypatch.setattr(module, "write_adapter", write_adapter)
    return machine


@pytest.fixture
def conversion(tmp_path: Path) -> Iterator[Conversion]:
    """A merged model by plain rounding, without the base."""
    yield Conversion(
        preset=tmp_path / "preset",
        merged=tmp_path / "merged",
        adapter=ADAPTER,
        model=tmp_path / "model.litertlm",
        spec=SPEC,
        may_graft=True,
        runtime_adapter=None,
        base=None,
        examples=lambda: pytest.fail("read the examples"),
        keras_backend=lambda: "torch",
        logs=LogFiles(tmp_path / "logs"),
    )
    assert not list(tmp_path.glob(".*")), "temporary files are left"


def with_rounding(conversion: Conversion, rounding: str) -> Conversion:
    return replace(conversion, spec=replace(conversion.spec, rounding=rounding))


def with_base(conversion: Conversion, rounding: str = "nearest") -> Conversion:
    path = conversion.model.with_name("base.litertlm")
    return replace(conversion, base=Base(path, replace(BASE_SPEC, rounding=rounding)))


def with_runtime_adapter(conversion: Conversion) -> Conversion:
    path = conversion.model.with_name("adapter.tflite")
    return replace(conversion, runtime_adapter=RuntimeAdapter(path, "poet"))


def test_without_a_cached_base_the_merged_model_is_converted_and_its_base_cached(
    machine: Machine, conversion: Conversion
) -> None:
    assert convert(conversion) == CONVERTED
    assert machine.done == ["convert merged to model.litertlm", "cache the base"]


@pytest.mark.parametrize("rounding", OTHER_ROUNDINGS)
def test_a_rounding_that_the_converter_lacks_is_grafted_onto_the_base_just_cached(
    machine: Machine, conversion: Conversion, rounding: str
) -> None:
    assert convert(with_rounding(conversion, rounding)) == CONVERTED | GRAFTED
    assert machine.done == [
        "convert merged to model.litertlm",
        "cache the base",
        f"graft merged by {rounding} to model.litertlm",
    ]


@pytest.mark.parametrize("rounding", ["nearest", *OTHER_ROUNDINGS])
def test_onto_a_cached_base_every_rounding_is_grafted(
    machine: Machine, conversion: Conversion, rounding: str
) -> None:
    machine.base = CachedBase({"norm": "1"})
    assert convert(with_rounding(conversion, rounding)) == GRAFTED
    assert machine.done == [f"graft merged by {rounding} to model.litertlm"]


def test_if_grafting_is_not_allowed_the_merged_model_is_converted_and_nothing_cached(
    machine: Machine, conversion: Conversion
) -> None:
    machine.base = CachedBase({"norm": "1"})
    assert convert(replace(conversion, may_graft=False)) == CONVERTED
    assert machine.done == ["convert merged to model.litertlm"]


def test_a_model_that_changed_outside_its_matrices_is_converted_and_the_changes_are_named(
    machine: Machine, conversion: Conversion
) -> None:
    machine.base = CachedBase({"norm": "1"})
    machine.merged_content = dict.fromkeys(("norm", "a", "b", "c"), "2")
    facts = convert(conversion)
    assert facts == CONVERTED | {"no_graft": "a graft writes only matrices, but a, b, c, … changed too"}
    assert machine.done == ["convert merged to model.litertlm"]


def test_a_model_whose_base_cannot_be_cached_is_converted_and_the_reason_is_recorded(
    machine: Machine, conversion: Conversion
) -> None:
    machine.not_cacheable = "two matrices are equal"
    assert convert(conversion) == CONVERTED | {"no_graft": "two matrices are equal"}
    assert machine.done == ["convert merged to model.litertlm"]


@pytest.mark.parametrize(
    ("rounding", "setting"),
    [
        ("least_squares", "convert.rounding: least_squares"),
        ("gptq", "convert.rounding: gptq"),
        ("quantization_aware", "finetune.quantization_aware"),
    ],
)
@pytest.mark.parametrize("cached", [True, False])
def test_a_rounding_that_requires_a_graft_is_refused_if_the_model_cannot_be_grafted(
    machine: Machine, conversion: Conversion, rounding: str, setting: str, cached: bool
) -> None:
    if cached:
        machine.base = CachedBase({"norm": "2"})
        reason = "a graft writes only matrices, but norm changed too"
    else:
        machine.not_cacheable = reason = "two matrices are equal"
    expected = f"^{setting} requires grafting, but this model cannot be grafted: {reason}$"
    with pytest.raises(InputError, match=expected):
        convert(with_rounding(conversion, rounding))
    assert machine.done == ([] if cached else ["convert merged to model.litertlm"])


def test_a_model_that_differs_in_more_than_matrices_leaves_no_base_in_the_cache(
    machine: Machine, conversion: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deltas(adapter: Adapter) -> Deltas:
        raise InputError("the adapter changes norms")

    monkeypatch.setattr(ADAPTER.method, "deltas", deltas)
    assert convert(with_base(conversion)) == CONVERTED | {
        "no_graft": "the adapter changes norms",
        "base": CONVERTED,
    }
    assert machine.done == [
        "convert merged to model.litertlm",
        "convert preset to base.litertlm with torch",
    ]


@pytest.mark.parametrize("rounding", ["nearest", "least_squares"])
def test_a_separate_adapter_is_written_beside_the_cached_base(
    machine: Machine, conversion: Conversion, rounding: str
) -> None:
    machine.base = CachedBase({"norm": "1"})
    facts = convert(with_runtime_adapter(with_rounding(conversion, rounding)))
    assert facts == GRAFTED | {"lora_rank": 16, "adapter_bytes": 7}
    assert machine.done == [
        f"graft preset's by {rounding} to model.litertlm",
        "write adapter.tflite: poet, rank 16",
    ]
    assert (machine.specs[0].lora_rank, machine.specs[0].base_digest) == (16, "digest of preset")


@pytest.mark.parametrize("may_graft", [True, False])
def test_without_a_cached_base_a_separate_adapter_takes_one_conversion(
    machine: Machine, conversion: Conversion, may_graft: bool
) -> None:
    facts = convert(replace(with_runtime_adapter(conversion), may_graft=may_graft))
    assert facts == CONVERTED | GRAFTED | {"lora_rank": 16, "adapter_bytes": 7}
    assert machine.done == [
        "convert merged to .merged.litertlm",
        "cache the base",
        "graft preset's by nearest to model.litertlm",
        "write adapter.tflite: poet, rank 16",
    ]
    assert all(spec.lora_rank == 16 for spec in machine.specs)


def test_an_adapter_cannot_stay_separate_if_its_base_cannot_be_cached(
    machine: Machine, conversion: Conversion
) -> None:
    machine.not_cacheable = "two matrices are equal"
    with pytest.raises(
        PocketGemmaError, match=r"^convert\.adapters: runtime requires grafting, .*: two matrices are equal$"
    ):
        convert(with_runtime_adapter(conversion))
    assert not conversion.model.exists()


@pytest.mark.parametrize("rounding", ["nearest", "least_squares"])
def test_the_base_beside_the_model_comes_from_the_cache(
    machine: Machine, conversion: Conversion, rounding: str
) -> None:
    assert convert(with_base(conversion, rounding)) == CONVERTED | {"base": GRAFTED}
    assert machine.done == [
        "convert merged to model.litertlm",
        "cache the base",
        f"graft preset's by {rounding} to base.litertlm",
    ]
    assert machine.specs[-1].description == "base"


@pytest.mark.parametrize("reason", ["not allowed", "not possible"])
def test_without_a_cached_base_the_base_is_converted_by_itself(
    machine: Machine, conversion: Conversion, reason: str
) -> None:
    if reason == "not possible":
        machine.not_cacheable = reason
    facts = convert(replace(with_base(conversion), may_graft=reason == "not possible"))
    assert facts["base"] == CONVERTED
    assert machine.done == [
        "convert merged to model.litertlm",
        "convert preset to base.litertlm with torch",
    ]
