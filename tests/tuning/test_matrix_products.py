"""Promise: a product has the values of its formula, whichever library computes it, and oneDNN computes it
where it is faster."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.gemma.causal_lm import load_backbone, shape_of
from pipeline.tuning import matrix_products
from pipeline.tuning.lora_forward import compute_beside_kernel, enable_lora
from pipeline.tuning.loss import Batches, response_model
from pipeline.tuning.matrix_products import product
from tests.tuning.conftest import EVERY_TARGET

AVX512 = frozenset({"avx2", "avx512f"})
SHAPES = [(100, 200, 150), (1500, 200, 8), (8, 200, 1500), (1000, 2, 1500), (1, 3000, 900), (20, 20, 20)]


@pytest.mark.parametrize("library", ["oneDNN", "MKL"])
@pytest.mark.parametrize("turned", ["", "left", "right", "left and right"])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_those_of_the_formula(
    shape: tuple[int, int, int], turned: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    linear = torch.ops.mkldnn._linear_pointwise if library == "oneDNN" else None
    monkeypatch.setattr(matrix_products, "_linear", lambda: linear)
    (m, k, n), random = shape, np.random.default_rng(0)
    left, right = (random.standard_normal(each).astype(np.float32) for each in ((m, k), (k, n)))
    tensors = (
        torch.tensor(matrix.T.copy()).t() if name in turned else torch.tensor(matrix)
        for name, matrix in (("left", left), ("right", right))
    )
    expected = left.astype(np.float64) @ right
    # A sum of k products of standard normals has a standard deviation of sqrt(k).
    assert np.abs(product(*tensors).numpy() - expected).max() < 1e-5 * np.sqrt(k)


@pytest.mark.parametrize(
    ("intel", "flags", "available", "faster"),
    [
        (False, AVX512, True, True),
        (True, AVX512, True, False),
        (False, frozenset({"avx2"}), True, False),
        (False, AVX512, False, False),
    ],
)
def test_onednn_is_faster_with_avx_512_on_other_processors_than_intels(
    intel: bool, flags: frozenset[str], available: bool, faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(matrix_products, "is_intel", lambda: intel)
    monkeypatch.setattr(matrix_products, "cpu_flags", lambda: flags)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: available)
    found = matrix_products._linear.__wrapped__()
    assert (found is torch.ops.mkldnn._linear_pointwise) if faster else (found is None)


@pytest.mark.parametrize(
    ("dtype", "size", "used"), [("float32", 128, True), ("float32", 64, False), ("bfloat16", 128, False)]
)
def test_onednn_is_used_for_large_products_in_float32(
    dtype: str, size: int, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch itself takes oneDNN for bfloat16."""
    import torch

    calls = []

    def linear(*arguments: object) -> object:
        calls.append(arguments)
        return torch.ops.mkldnn._linear_pointwise(*arguments)

    monkeypatch.setattr(matrix_products, "_linear", lambda: linear)
    square = torch.ones((size, size), dtype=getattr(torch, dtype))
    assert (product(square, square) == size).all()
    assert bool(calls) == used


def test_a_training_step_multiplies_with_the_faster_library(
    base: Path, examples: EncodedExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from pipeline.tuning import cross_entropy_blocks, fused_lora

    backbone = load_backbone(base)
    compute_beside_kernel(enable_lora(backbone, 2, 1.0, EVERY_TARGET).values())
    model = response_model(backbone)
    model.compile(optimizer="adam", jit_compile=False)
    counts: dict[str, int] = {}
    for module in (cross_entropy_blocks, fused_lora):
        name = module.__name__.rpartition(".")[2]

        def note(left: Any, right: Any, name: str = name) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return torch.mm(left, right)

        monkeypatch.setattr(module, "product", note)
    (part,), _ = next(Batches(examples, 4, None).epoch(0))
    model.train_on_batch(*part)
    # The kernel and A forward; A, B, what A gives and the inputs backward, but the inputs of the first layer.
    matrices = len(EVERY_TARGET) * shape_of(backbone).layers
    assert 5 * matrices < counts["fused_lora"] <= 6 * matrices
    assert counts["cross_entropy_blocks"] == 2 * math.ceil(shape_of(backbone).vocabulary / 2048)
