"""Promise: training starts from an adapter of DoRA or with rank-stabilized scaling exactly as it is, ours or
PEFT's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.families.registry import read_shape
from pipeline.formats.lora_scale import CLASSIC, RANK_STABILIZED
from pipeline.gemma.causal_lm import load_backbone
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods import dora, lora
from pipeline.tuning.peft import write_peft
from pipeline.tuning.start import find_start, read_start, settings_of, start_from, start_line
from tests.tuning.conftest import BASE

TARGETS = ("value", "output", "up")
"""In the demo, each has one head or none, so that PEFT's factors are ours."""

RECIPE = MethodSettings(16, 16.0, ("query",))


def trained(method: Any, scaling: str) -> Adapter:
    """Random A, B and magnitudes."""
    settings = MethodSettings(4, 6.0, TARGETS, scaling=scaling)
    attachment = method.attach(load_backbone(BASE), settings)
    random = np.random.default_rng(0)
    for layer in attachment.layers.values():
        layer.lora_kernel_b.assign(random.standard_normal(layer.lora_kernel_b.shape))
        if method is dora.METHOD:
            layer.lora_magnitude.assign(random.uniform(0.5, 2, layer.lora_magnitude.shape))
    adapter: Adapter = method.collect(attachment, "base")
    return adapter


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ours", "peft"])
@pytest.mark.parametrize("scaling", [CLASSIC, RANK_STABILIZED])
@pytest.mark.parametrize("method", [lora.METHOD, dora.METHOD])
def test_an_adapter_is_continued_exactly(tmp_path: Path, method: Any, scaling: str, form: str) -> None:
    adapter = trained(method, scaling)
    if form == "peft":
        write_peft(adapter, tmp_path)
    else:
        adapter.save(tmp_path / "adapter.safetensors")
    start = find_start(tmp_path)
    settings = settings_of(start, method, RECIPE, ())
    read = read_start(start, read_shape(BASE), "base")
    attachment = method.attach(load_backbone(BASE), settings)
    start_from(start, read, attachment)
    taken = method.collect(attachment, "base")
    assert taken.tensors.keys() == adapter.tensors.keys()
    for name, tensor in adapter.tensors.items():
        np.testing.assert_array_equal(taken.tensors[name], tensor)
    assert lora.LoraFactors.of(taken).scale == pytest.approx(lora.LoraFactors.of(adapter).scale, rel=1e-12)
    assert settings.scaling == scaling
    assert settings.alpha == pytest.approx(6.0, rel=1e-12)
    assert ("alpha 6, rank-stabilized scaling, " in start_line(start, settings)) == (scaling != CLASSIC)


def test_another_scaling_or_method_is_refused(tmp_path: Path) -> None:
    trained(dora.METHOD, RANK_STABILIZED).save(tmp_path / "adapter.safetensors")
    start = find_start(tmp_path)
    with pytest.raises(InputError, match=r"has scaling rank_stabilized, but the recipe says classic; remove"):
        settings_of(start, dora.METHOD, RECIPE, {"scaling"})
    with pytest.raises(InputError, match="trained with the method dora, but the recipe uses lora"):
        settings_of(start, lora.METHOD, RECIPE, ())
