"""Promise: the planned memory is what PyTorch keeps for the gradient, and follows the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.gemma.causal_lm import load_backbone, use_backend
from pipeline.plan.training_memory import training_memory
from pipeline.plan.workload import Workload
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.registry import METHODS
from tests.plan.workloads import workload
from tests.support.random_presets import write_keras_preset

ROWS, LENGTH = 6, 65

WITHIN = {"gemma": 0.05, "gemma2": 0.05, "gemma3": 0.05, "gemma4": 0.25}
"""Share of the kept bytes. The layers of Gemma 4 also get vectors that the plan does not count."""


@contextmanager
def counted(own: set[int]) -> Iterator[dict[int, int]]:
    """The bytes of each storage that is kept for the gradient inside, apart from the model's own."""
    import torch

    kept: dict[int, int] = {}
    storages = []
    hooks = torch.autograd.graph.saved_tensors_hooks

    def counting(pack: Any, unpack: Any) -> Any:
        def count(tensor: Any) -> Any:
            packed = pack(tensor)
            if isinstance(packed, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in own:
                    storages.append(storage)  # so that no other one gets its address
                    kept[storage.data_ptr()] = storage.nbytes()
            return packed

        return hooks(count, unpack)

    torch.autograd.graph.saved_tensors_hooks = counting
    try:
        yield kept
    finally:
        torch.autograd.graph.saved_tensors_hooks = hooks


def kept_for_the_gradient(preset: Path, work: Workload) -> int:
    """Bytes that a forward pass keeps, measured."""
    use_backend("torch")
    from pipeline.tuning.fused_norms import fuse_norms
    from pipeline.tuning.loss import response_model

    backbone = load_backbone(preset, work.dtype)
    METHODS[work.method].attach(backbone, work.settings)
    fuse_norms(backbone)
    model = response_model(backbone)
    own = {variable.value.untyped_storage().data_ptr() for variable in backbone.variables}
    tokens = np.random.default_rng(0).integers(0, 300, (ROWS, LENGTH - 1)).astype(np.int32)
    inputs = {
        "token_ids": tokens,
        "padding_mask": np.ones_like(tokens),
        "positions": np.arange(8, dtype=np.int32),
        "labels": np.ones(8, np.int32),
    }
    with counted(own) as kept:
        outputs = model(inputs, training=True)
    assert outputs["loss"].shape == (8,)
    return sum(kept.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", WITHIN)
def test_activations_are_what_is_kept(family: str, dtype: str, tmp_path: Path) -> None:
    preset = write_keras_preset(family, tmp_path / "preset")
    # With many tokens, what does not grow with them counts little.
    work = workload(preset, dtype=dtype, lengths=np.full(ROWS, LENGTH), batch_size=ROWS)
    measured = kept_for_the_gradient(preset, work)
    planned = training_memory(work, accelerator=False).activations
    assert planned == pytest.approx(measured, rel=WITHIN[family])


def total(work: Workload) -> int:
    return training_memory(work, accelerator=False).total


def test_what_saves_memory_saves_it() -> None:
    plain = workload()
    assert total(replace(plain, micro_batch_size=1)) < total(plain)
    assert total(replace(plain, dtype="bfloat16")) < total(plain)
    assert total(replace(plain, rematerialize=True)) < total(plain)
    assert total(replace(plain, method="full")) > total(plain)
    assert total(replace(plain, settings=MethodSettings(1, 1.0, ("query",)))) < total(plain)


def test_weights_as_they_are_stored() -> None:
    plain = workload()
    parameters = plain.shape.parameters

    def weights(work: Workload) -> int:
        return training_memory(work, accelerator=False).weights

    assert weights(plain) == 4 * parameters
    assert weights(replace(plain, dtype="bfloat16")) == 2 * parameters
    assert weights(replace(plain, dtype="bfloat16", method="full")) == 6 * parameters
    int8, int4 = (weights(replace(plain, dtype="bfloat16", quantize_base=kind)) for kind in ("int8", "int4"))
    assert int4 < int8 < 2 * parameters


def test_loading_can_be_the_peak() -> None:
    """A base is loaded whole before it is rounded."""
    work = workload(
        dtype="bfloat16",
        quantize_base="int4",
        lengths=np.array([8]),
        batch_size=1,
        rematerialize=True,
        settings=MethodSettings(1, 1.0, ("query",)),
    )
    large = replace(work, shape=replace(work.shape, layers=60, ffn=8192))
    memory = training_memory(large, accelerator=False)
    assert memory.total == memory.program + memory.weights + memory.loading


def test_the_program_is_not_in_an_accelerators_memory() -> None:
    assert training_memory(workload(), accelerator=True).program == 0
