"""Cross-entropy over a large vocabulary in PyTorch, some thousand tokens of the vocabulary at a time.

The logits of a block are still in the processor's cache when the gradient is computed from them, and no more
than a block of them exists. The softmax is computed online, with the largest logit so far (Milakov and
Gimelshein 2018, arXiv:1805.02867), and the gradient with it, as in Cut Cross-Entropy (Wijmans et al. 2024,
arXiv:2411.09009).
"""

from typing import Any

BLOCK = 2048
"""Tokens of a block."""


def losses_and_slopes(hidden: Any, labels: Any, kernel: Any, soft_cap: float | None) -> tuple[Any, Any, Any]:
    """Losses, whether the label is the most likely token, and the gradient of each loss.

    Args:
        hidden: (positions, width), in the dtype of the kernel.
        labels: (positions,), int64.
        kernel: the embedding, (vocabulary, width).
        soft_cap: logits are soft_cap * tanh(products / soft_cap); None: they are the products.

    Returns:
        Cross-entropies in nats, (positions,), float32; (positions,), bool; and the gradient with respect to
        the hidden states, (positions, width), float32.
    """
    import torch

    columns = hidden.t().contiguous()
    positions = len(labels)
    largest = columns.new_full((1, positions), -torch.inf, dtype=torch.float32)
    likeliest = torch.zeros_like(labels)[None]
    total = torch.zeros_like(largest)
    slopes = columns.new_zeros(columns.shape, dtype=torch.float32)
    for start in range(0, len(kernel), BLOCK):
        rows = kernel[start : start + BLOCK]
        logits = _capped(torch.mm(rows, columns).float(), soft_cap)
        highest, index = logits.max(0, keepdim=True)
        likeliest = torch.where(highest > largest, index + start, likeliest)
        highest = torch.maximum(highest, largest)
        rescale = torch.exp(largest - highest)
        largest = highest
        shares = torch.exp(logits - largest)
        total = total * rescale + shares.sum(0, keepdim=True)
        if soft_cap is not None:
            shares *= 1 - (logits / soft_cap).square_()
        slopes.mul_(rescale).add_(torch.mm(rows.t(), shares.to(rows.dtype)))
    at_labels = kernel[labels].float()
    wanted = _capped((hidden.float() * at_labels).sum(-1), soft_cap)
    if soft_cap is not None:
        at_labels = at_labels * (1 - (wanted / soft_cap).square())[:, None]
    losses = (largest + total.log())[0] - wanted
    return losses, likeliest[0] == labels, (slopes / total).t() - at_labels


def _capped(products: Any, soft_cap: float | None) -> Any:
    return products if soft_cap is None else products.div_(soft_cap).tanh_().mul_(soft_cap)
