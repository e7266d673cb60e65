"""Promise: one pair A, B for each matrix gives exactly what Keras's heads give, and what the runtime cannot take is refused."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.lora import weight_delta
from pipeline.tuning.runtime_factors import attention_factors, rank_of
from tests.support.lora import random_adapter


def as_matrix(target: str, kernel: np.ndarray) -> np.ndarray:
    """A Keras kernel as (in, out)."""
    if target == "output":
        return kernel.reshape(-1, kernel.shape[-1])
    return np.concatenate(kernel, axis=1)


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 1), (8, 4), (1, 1)])
@pytest.mark.parametrize("alpha", [2.0, 5.0])
def test_the_product_is_keras_own(heads: int, kv_heads: int, alpha: float) -> None:
    adapter = random_adapter(layers=3, hidden=24, heads=heads, kv_heads=kv_heads, head_dim=6, rank=2)
    adapter = replace(adapter, alpha=alpha)
    factors = attention_factors(adapter)
    assert set(factors) == {
        (target, layer) for target in ("query", "key", "value", "output") for layer in range(3)
    }
    for (target, layer), (a, b) in factors.items():
        expected = weight_delta(*adapter.tensors[f"decoder_block_{layer}.{target}"], adapter.scale)
        np.testing.assert_allclose(a @ b, as_matrix(target, expected), atol=1e-6)


def test_the_rank_counts_the_heads() -> None:
    adapter = random_adapter(layers=1, hidden=24, heads=4, kv_heads=2, head_dim=6, rank=3)
    ranks = {target: a.shape[1] for (target, _), (a, _) in attention_factors(adapter).items()}
    assert ranks == {"query": 12, "key": 6, "value": 6, "output": 3}
    assert rank_of(attention_factors(adapter)) == 12


@pytest.mark.parametrize("target", ["gate", "up", "down"])
def test_more_than_attention_is_refused_with_the_way_out(target: str) -> None:
    adapter = replace(attention_adapter(), targets=("query", target))
    with pytest.raises(InputError, match=f"touches {target}, .* only query, key, value, output; .*graft"):
        attention_factors(adapter)


def test_an_adapter_with_scales_of_its_own_is_refused() -> None:
    scales = {"model.layers.0.self_attn.q_proj.weight": np.ones((24, 1), np.float32)}
    with pytest.raises(InputError, match=r"scales for the rounded matrices.*graft"):
        attention_factors(replace(attention_adapter(), scales=scales))


def attention_adapter() -> Adapter:
    return random_adapter(layers=1, hidden=24, heads=4, kv_heads=1, head_dim=6, rank=2)
