"""Cross-entropy over a large vocabulary in PyTorch, some thousand tokens of the vocabulary at a time.

The logits of a block are still in the processor's cache when the gradient is computed from them, and no more
than a block of them exists. The softmax is computed online, with the largest logit so far (Milakov and
Gimelshein 2018, arXiv:1805.02867), and the gradient with it, as in Cut Cross-Entropy (Wijmans et al. 2024,
arXiv:2411.09009).
"""

import math
from typing import Any

from pipeline.tuning.matrix_products import product

TOKENS, POSITIONS = 2048, 512
"""Size of a block: its logits are 4 MB in float32."""


def losses_and_slopes(
    hidden: Any, labels: Any, kernel: Any, soft_cap: float | None, *, with_slopes: bool = True
) -> tuple[Any, Any, Any]:
    """Losses, whether the label is the most likely token, and the gradient of each loss.

    Of several tokens with the largest logit, the first counts as the most likely.

    Args:
        hidden: (positions, width), in the dtype of the kernel; at least one position.
        labels: (positions,), int64.
        kernel: the embedding, (vocabulary, width).
        soft_cap: logits are soft_cap * tanh(products / soft_cap); None: they are the products.
        with_slopes: whether the gradient is wanted; otherwise it is zero.

    Returns:
        Cross-entropies in nats, (positions,), float32; (positions,), bool; and the gradient with respect to
        the hidden states, (positions, width), float32.
    """
    import torch

    pieces = math.ceil(len(hidden) / POSITIONS)
    losses, right, slopes = zip(
        *(
            _of_positions(states, wanted, kernel, soft_cap, with_slopes)
            for states, wanted in zip(hidden.chunk(pieces), labels.chunk(pieces), strict=True)
        ),
        strict=True,
    )
    return torch.cat(losses), torch.cat(right), torch.cat(slopes)


def _of_positions(
    hidden: Any, labels: Any, kernel: Any, soft_cap: float | None, with_slopes: bool
) -> tuple[Any, Any, Any]:
    import torch

    labels = labels[:, None]
    largest = hidden.new_full(labels.shape, -torch.inf, dtype=torch.float32)
    at_label, total = torch.zeros_like(largest), torch.zeros_like(largest)
    likeliest = torch.zeros_like(labels)
    slopes = hidden.new_zeros(hidden.shape, dtype=torch.float32)
    for start in range(0, len(kernel), TOKENS):
        rows = kernel[start : start + TOKENS]
        logits = _capped(product(hidden, rows.t()).float(), soft_cap)
        column = labels - start
        is_here = (column >= 0) & (column < len(rows))
        at_label = torch.where(is_here, logits.gather(1, column.clamp(0, len(rows) - 1)), at_label)
        highest, index = logits.max(1, keepdim=True)
        likeliest = torch.where(highest > largest, index + start, likeliest)
        highest = torch.maximum(highest, largest)
        rescale = torch.exp(largest - highest)
        largest = highest
        shares = torch.exp(logits - largest)
        total = total * rescale + shares.sum(1, keepdim=True)
        if not with_slopes:
            continue
        if soft_cap is not None:
            shares *= 1 - (logits / soft_cap).square_()
        slopes.mul_(rescale).add_(product(shares.to(rows.dtype), rows))
    losses, right = (largest + total.log() - at_label)[:, 0], (likeliest == labels)[:, 0]
    if not with_slopes:
        return losses, right, slopes
    of_label = kernel[labels[:, 0]].float()
    if soft_cap is not None:
        of_label = of_label * (1 - (at_label / soft_cap).square())
    return losses, right, slopes / total - of_label


def _capped(products: Any, soft_cap: float | None) -> Any:
    return products if soft_cap is None else products.div_(soft_cap).tanh_().mul_(soft_cap)
