"""Promise: losses in pieces, and the gradient that is computed with them, are those of the plain formula."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

HIDDEN, VOCABULARY, POSITIONS = 12, 40, 30
SOFT_CAPS = (None, 5.0)


class Backbone:
    """As much of a backbone as the loss takes."""

    def __init__(self, soft_cap: float | None, *, trainable: bool, dtype: str = "float32") -> None:
        import keras

        self.token_embedding = keras.layers.ReversibleEmbedding(
            VOCABULARY, HIDDEN, logit_soft_cap=soft_cap, dtype=dtype
        )
        self.token_embedding.build()
        self.token_embedding.embeddings.assign(
            np.random.default_rng(0).standard_normal((VOCABULARY, HIDDEN)).astype(np.float32)
        )
        self.token_embedding.trainable = trainable


@dataclass
class Batch:
    """Hidden states with labels, and the weights of their losses in a total."""

    hidden: Any
    labels: Any
    weights: Any

    @classmethod
    def random(cls) -> "Batch":
        import torch

        random = np.random.default_rng(1)
        return cls(
            torch.tensor(random.standard_normal((POSITIONS, HIDDEN)).astype(np.float32)),
            torch.tensor(random.integers(0, VOCABULARY, POSITIONS)),
            torch.tensor(random.random(POSITIONS).astype(np.float32)),
        )

    def plainly(self, backbone: Any) -> tuple[Any, Any, Any, Any]:
        """Losses, whether the most likely token is right, and the gradients of the hidden states and of the
        table."""
        import torch

        states, table = self.hidden.clone().requires_grad_(), backbone.token_embedding.embeddings.value
        logits = backbone.token_embedding(states, reverse=True).float()
        losses = torch.nn.functional.cross_entropy(logits, self.labels, reduction="none")
        (losses * self.weights).sum().backward()
        of_table, table.grad = table.grad, None
        return losses.detach(), logits.argmax(-1) == self.labels, states.grad, of_table

    def check(self, backbone: Any, losses: Any, right: Any, states: Any) -> None:
        """Compare losses that were computed from these hidden states, and their gradients, with PyTorch's."""
        import torch

        (losses * self.weights).sum().backward()
        table = backbone.token_embedding.embeddings.value
        found, table.grad = table.grad, None
        wanted, is_right, of_states, of_table = self.plainly(backbone)
        assert torch.allclose(losses, wanted, atol=1e-5)
        assert torch.equal(right, is_right)
        assert torch.allclose(states.grad, of_states, atol=1e-5)
        trained = backbone.token_embedding.trainable
        assert (found is not None, of_table is not None) == (trained, trained)
        assert not trained or torch.allclose(found, of_table, atol=1e-5)


@pytest.mark.parametrize("soft_cap", SOFT_CAPS)
@pytest.mark.parametrize("block", [(2048, 1024), (VOCABULARY, POSITIONS), (7, 8), (1, 1)])
def test_blocks_of_a_frozen_embedding_have_the_values_of_the_formula(
    soft_cap: float | None, block: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.tuning import cross_entropy, cross_entropy_blocks

    for name, size in zip(("TOKENS", "POSITIONS"), block, strict=True):
        monkeypatch.setattr(cross_entropy_blocks, name, size)
    backbone: Any = Backbone(soft_cap, trainable=False)
    batch = Batch.random()
    states = batch.hidden.clone().requires_grad_()
    batch.check(backbone, *cross_entropy.token_losses(backbone, states, batch.labels, training=True), states)


@pytest.mark.parametrize("soft_cap", SOFT_CAPS)
@pytest.mark.parametrize("logits", [1 << 25, 7 * VOCABULARY, VOCABULARY])
def test_pieces_of_a_trained_embedding_have_the_values_of_the_formula(
    soft_cap: float | None, logits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from pipeline.tuning import cross_entropy

    monkeypatch.setattr(cross_entropy, "LOGITS", logits)
    backbone: Any = Backbone(soft_cap, trainable=True)
    batch = Batch.random()
    states = batch.hidden.clone().requires_grad_()
    losses, right = cross_entropy.token_losses(backbone, states, batch.labels, training=True)
    measured, _ = cross_entropy.token_losses(backbone, states, batch.labels, training=False)
    assert torch.allclose(measured, losses, atol=1e-5)
    batch.check(backbone, losses, right, states)


@pytest.mark.parametrize("soft_cap", SOFT_CAPS)
def test_a_measurement_keeps_no_logits_unless_the_projection_is_replaced(
    soft_cap: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verification replaces it."""
    from pipeline.tuning import cross_entropy

    backbone: Any = Backbone(soft_cap, trainable=False)
    batch, embedding = Batch.random(), backbone.token_embedding
    with monkeypatch.context() as patch:
        patch.setattr(cross_entropy, "_piece", lambda *_, **__: pytest.fail("all logits were computed"))
        losses, _ = cross_entropy.token_losses(backbone, batch.hidden, batch.labels, training=False)
    plain = embedding.call
    embedding.call = lambda inputs, reverse=False: plain(2 * inputs, reverse=reverse)
    replaced, _ = cross_entropy.token_losses(backbone, batch.hidden, batch.labels, training=False)
    twice, _ = cross_entropy._piece(embedding, batch.hidden, batch.labels, training=False)
    assert np.allclose(replaced, twice, atol=1e-6)
    assert not np.allclose(replaced, losses, atol=0.1)


@pytest.mark.parametrize("soft_cap", SOFT_CAPS)
def test_a_piece_of_a_frozen_embedding_has_the_values_of_the_formula(soft_cap: float | None) -> None:
    """As on JAX and TensorFlow."""
    from pipeline.tuning import cross_entropy

    backbone: Any = Backbone(soft_cap, trainable=False)
    batch = Batch.random()
    states = batch.hidden.clone().requires_grad_()
    batch.check(
        backbone,
        *cross_entropy._piece(backbone.token_embedding, states, batch.labels, training=True),
        states,
    )


def test_the_first_of_equally_likely_tokens_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipeline.tuning import cross_entropy, cross_entropy_blocks

    monkeypatch.setattr(cross_entropy_blocks, "TOKENS", 8)
    backbone: Any = Backbone(None, trainable=False)
    table = np.zeros((VOCABULARY, HIDDEN), np.float32)
    table[[3, 5, 20]] = 1
    backbone.token_embedding.embeddings.assign(table)
    states = torch.ones((3, HIDDEN), requires_grad=True)
    for training in (False, True):
        _, right = cross_entropy.token_losses(backbone, states, torch.tensor([3, 5, 20]), training=training)
        assert right.tolist() == [True, False, False]


@pytest.mark.parametrize("soft_cap", [None, 50.0])
def test_the_loss_of_a_certain_model_in_bfloat16_is_that_of_its_logits(soft_cap: float | None) -> None:
    """Rounded logits of a right token, with another one that is not rounded, would give a loss below zero."""
    import torch

    from pipeline.tuning import cross_entropy

    backbone: Any = Backbone(soft_cap, trainable=False, dtype="bfloat16")
    table = backbone.token_embedding.embeddings.value.detach()
    labels = torch.arange(VOCABULARY)
    states = (4 * table).clone().requires_grad_()
    losses, right = cross_entropy.token_losses(backbone, states, labels, training=True)
    products = (table @ states.detach().t()).t().float()
    logits = products if soft_cap is None else soft_cap * torch.tanh(products / soft_cap)
    wanted = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert right.float().mean() > 0.5
    assert torch.allclose(losses, wanted, atol=1e-5)
    assert losses.min() >= 0


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
