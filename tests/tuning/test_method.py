"""The protocol is enough: a method defined in this one file is saved, loaded, merged, proved, grafted and
refused like those that ship."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.family import GemmaShape
from pipeline.families.names import MATRICES, hugging_face_name, parse_adapter_name
from pipeline.formats.adapter_safetensors import AdapterSafetensors
from pipeline.formats.peft import PeftContent
from pipeline.gemma.causal_lm import load_causal_lm, matrix_layers, shape_of
from pipeline.gemma.keras_weights import keras_weights
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas, Rows
from pipeline.tuning.load import load_adapter, load_deltas
from pipeline.tuning.merge import merge, prove_merge
from pipeline.tuning.method import Attachment, Change, Cost, Method, MethodSettings
from pipeline.tuning.peft import write_peft
from pipeline.tuning.registry import METHODS
from pipeline.tuning.runtime_factors import MERGE_INSTEAD, RuntimeFactors


class Gains:
    """W = (1 + g) W0 with one g for each row of the up projection: unlike LoRA, what it adds depends on
    W0."""

    name = "gains"
    title = "Gains"
    low_rank = False
    has_runtime_form = False
    format = "pocketgemma-gains-1"

    def wrote(self, file: AdapterSafetensors) -> bool:
        return True

    def check(self, file: AdapterSafetensors) -> None:
        if not file.matrices:
            raise InputError(f"{file.path}: lacks all tensors; train it again")

    def attach(self, backbone: Any, settings: MethodSettings) -> Attachment:
        return Attachment(settings, dict(matrix_layers(backbone, "up")))

    def collect(self, attachment: Attachment, base_digest: str) -> Adapter:
        rows = {name: layer.kernel.shape[1] for name, layer in attachment.layers.items()}
        random = np.random.default_rng(0)
        tensors = {
            f"{name}.gain": random.normal(size=count).astype(np.float32) for name, count in rows.items()
        }
        return Adapter(METHOD, base_digest, {}, tensors)

    def apply(self, adapter: Adapter, backbone: Any) -> None:
        merge(backbone, adapter)

    def changes(self, adapter: Adapter, backbone: Any) -> Iterator[Change]:
        for name, layer in matrix_layers(backbone, "up"):
            gain, kernel = adapter.tensors[f"{name}.gain"], layer.kernel
            yield Change(name, kernel, lambda gain=gain, kernel=kernel: kernel.numpy() * gain)  # type: ignore[misc]

    def deltas(self, adapter: Adapter) -> Deltas:
        def rows(gain: np.ndarray) -> Rows:
            return lambda start, base: base * gain[start : start + len(base), None]

        matrices = {}
        for name, gain in adapter.tensors.items():
            shape = (len(gain), 128)
            matrices[hugging_face_name(name.removesuffix(".gain"))] = (shape, lambda gain=gain: rows(gain))
        return Deltas("PocketGemma", matrices, adapter.base_digest)

    def formula(self, adapter: Adapter) -> str:
        return "(1 + g)·W0"

    def runtime_factors(self, adapter: Adapter) -> RuntimeFactors:
        raise InputError(f"the runtime knows no gains; {MERGE_INSTEAD}")

    def peft_content(self, adapter: Adapter) -> PeftContent:
        raise InputError("PEFT knows no gains")

    def cost(self, shape: GemmaShape, settings: MethodSettings) -> Cost:
        return Cost(shape.layers * shape.ffn, 4 * shape.layers * shape.ffn)

    def learning_rate(self, settings: MethodSettings) -> float:
        return 1e-3


METHOD: Method = Gains()


@pytest.fixture
def path(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An adapter file of the method, which the registry knows for the time of a test."""
    monkeypatch.setitem(METHODS, METHOD.name, METHOD)
    attachment = METHOD.attach(load_causal_lm(base).backbone, MethodSettings(1, 1.0, ()))
    METHOD.collect(attachment, "base").save(tmp_path / "adapter.safetensors")
    return tmp_path / "adapter.safetensors"


def test_it_is_loaded_merged_and_proved(base: Path, path: Path) -> None:
    adapter = load_adapter(path)
    assert adapter.method is METHOD
    before, after = (load_causal_lm(base).backbone for _ in range(2))
    merge(after, adapter)
    tensors = {weight.tensor: weight for weight in keras_weights(after, shape_of(after))}
    proof = prove_merge(before, tensors, adapter, 1e-6)
    assert len(proof.matrices) == before.num_layers
    merge(after, adapter)
    with pytest.raises(PocketGemmaError, match=r"decoder_block_0\.up: W differs from \(1 \+ g\)·W0"):
        prove_merge(before, tensors, adapter, 1e-6)


def test_rows_for_a_graft_are_what_merging_adds(base: Path, path: Path) -> None:
    deltas = load_deltas(path.parent)
    backbone = load_causal_lm(base).backbone
    for change in METHOD.changes(load_adapter(path), backbone):
        kind = MATRICES[parse_adapter_name(change.name)[1]]
        w0 = np.ascontiguousarray(kind.as_matrix(change.variable.numpy()))
        _, prepare = deltas.matrices[hugging_face_name(change.name)]
        np.testing.assert_array_equal(prepare()(3, w0[3:20]), kind.as_matrix(change.delta())[3:20])


def test_its_refusals_are_errors_of_the_user(path: Path, tmp_path: Path) -> None:
    adapter = load_adapter(path)
    with pytest.raises(InputError, match="the runtime knows no gains"):
        adapter.method.runtime_factors(adapter)
    with pytest.raises(InputError, match="PEFT knows no gains"):
        write_peft(adapter, tmp_path / "peft")
    assert not (tmp_path / "peft").exists()
