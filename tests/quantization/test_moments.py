"""Promise: computing half of the second moments and mirroring it gives all of them."""

import pytest


@pytest.mark.parametrize("rows", [3, 8, 64])
def test_halves_make_the_whole(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipeline.quantization import moments

    monkeypatch.setattr(moments, "ROWS", rows)
    inputs = torch.randn(2, 50, 24, generator=torch.Generator().manual_seed(0))
    found = torch.zeros(24, 24)
    for part in inputs:
        moments.add_squares(found, part)
    moments.mirror(found)
    whole = inputs.reshape(100, 24)
    assert torch.allclose(found, found.T, atol=1e-4)
    assert torch.allclose(found, whole.T @ whole, atol=1e-4)
