"""Promise: losses in pieces, and the gradient that is computed with them, are those of the plain formula."""

from typing import Any

import numpy as np
import pytest

HIDDEN, VOCABULARY, POSITIONS = 12, 40, 30


class Backbone:
    """As much of a backbone as the loss takes."""

    def __init__(self, soft_cap: float | None, *, trainable: bool) -> None:
        import keras

        self.token_embedding = keras.layers.ReversibleEmbedding(
            VOCABULARY, HIDDEN, logit_soft_cap=soft_cap, embeddings_initializer="random_normal"
        )
        self.token_embedding.build()
        self.token_embedding.embeddings.assign(
            np.random.default_rng(0).standard_normal((VOCABULARY, HIDDEN)).astype(np.float32)
        )
        self.token_embedding.trainable = trainable


@pytest.mark.parametrize("soft_cap", [None, 5.0])
@pytest.mark.parametrize("logits", [1 << 25, 7 * VOCABULARY, VOCABULARY])
@pytest.mark.parametrize("trainable", [False, True])
def test_losses_and_their_gradient_are_those_of_the_formula(
    soft_cap: float | None, logits: int, trainable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from pipeline.tuning import cross_entropy

    monkeypatch.setattr(cross_entropy, "LOGITS", logits)
    random = np.random.default_rng(1)
    backbone: Any = Backbone(soft_cap, trainable=trainable)
    table = backbone.token_embedding.embeddings.value
    states = torch.tensor(random.standard_normal((POSITIONS, HIDDEN)).astype(np.float32))
    labels = torch.tensor(random.integers(0, VOCABULARY, POSITIONS))
    weights = torch.tensor(random.random(POSITIONS).astype(np.float32))
    plain, hidden = (states.clone().requires_grad_() for _ in range(2))

    products = backbone.token_embedding(plain, reverse=True)
    wanted = torch.nn.functional.cross_entropy(products, labels, reduction="none")
    (wanted * weights).sum().backward()
    of_table, table.grad = table.grad, None
    losses, right = cross_entropy.token_losses(backbone, hidden, labels, training=True)
    (losses * weights).sum().backward()

    assert torch.allclose(losses, wanted, atol=1e-5)
    assert torch.equal(right, products.argmax(-1) == labels)
    assert plain.grad is not None and hidden.grad is not None
    assert torch.allclose(hidden.grad, plain.grad, atol=1e-5)
    assert (of_table is not None, table.grad is not None) == (trainable, trainable)
    assert not trainable or torch.allclose(table.grad, of_table, atol=1e-5)
    measured, _ = cross_entropy.token_losses(backbone, hidden, labels, training=False)
    assert torch.allclose(measured, losses, atol=1e-5)


def test_the_logits_of_one_piece_are_kept_for_a_trained_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipeline.tuning import cross_entropy

    monkeypatch.setattr(cross_entropy, "LOGITS", 7 * VOCABULARY)
    backbone: Any = Backbone(None, trainable=True)
    hidden = torch.ones((POSITIONS, HIDDEN), requires_grad=True)
    labels = torch.zeros(POSITIONS, dtype=torch.int64)
    kept: list[int] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        cross_entropy.token_losses(backbone, hidden, labels, training=True)
    assert max(kept, default=0) <= VOCABULARY * HIDDEN
    assert sum(count == 7 * VOCABULARY for count in kept) == 0
