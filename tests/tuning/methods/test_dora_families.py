"""DoRA begins as the base, and is merged exactly, in the layers of every family."""

from typing import Any

import numpy as np
import pytest

from pipeline.families.registry import FAMILIES
from pipeline.gemma.causal_lm import hidden_states
from pipeline.tuning.merge import merge
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.dora import METHOD
from tests.support.random_presets import KERAS_CONFIGS, SIZES

VOCABULARY = 1000


def random_backbone(family: str) -> Any:
    import keras
    import keras_hub

    kind = getattr(keras_hub.models, FAMILIES[family].keras_class)
    backbone = kind(vocabulary_size=VOCABULARY, **SIZES, **KERAS_CONFIGS[family])
    for index, weight in enumerate(backbone.weights):
        weight.assign(0.1 * keras.random.normal(weight.shape, seed=index))
    return backbone


def output(backbone: Any) -> np.ndarray:
    from keras import ops

    ids = ops.convert_to_tensor(np.random.default_rng(0).integers(5, VOCABULARY, (2, 20)).astype("int32"))
    return np.asarray(ops.convert_to_numpy(hidden_states(backbone, ids, ops.ones_like(ids))))


@pytest.mark.slow
@pytest.mark.parametrize("family", KERAS_CONFIGS)
def test_it_begins_as_the_base_and_is_merged_exactly(family: str) -> None:
    backbone = random_backbone(family)
    before = output(backbone)
    targets = tuple(matrix.name for matrix in FAMILIES[family].matrices)
    attachment = METHOD.attach(backbone, MethodSettings(2, 4.0, targets))
    np.testing.assert_allclose(output(backbone), before, rtol=0, atol=1e-5)
    random = np.random.default_rng(2)
    for layer in attachment.layers.values():
        layer.lora_kernel_b.assign(0.1 * random.standard_normal(layer.lora_kernel_b.shape))
        factor = random.uniform(0.7, 1.3, layer.lora_magnitude.shape)
        layer.lora_magnitude.assign(layer.lora_magnitude * factor)
    trained = output(backbone)
    assert np.abs(trained - before).max() > 0.1
    merged = random_backbone(family)
    merge(merged, METHOD.collect(attachment, "base"))
    np.testing.assert_allclose(output(merged), trained, rtol=0, atol=1e-4)
