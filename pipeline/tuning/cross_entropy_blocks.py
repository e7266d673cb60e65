"""Cross-entropy over a large vocabulary in PyTorch, some thousand tokens of the vocabulary at a time.

The logits of a block are still in the processor's cache when the gradient is computed from them, and no more
than a block of them exists. The softmax is computed online, with the largest logit so far (Milakov and
Gimelshein 2018, arXiv:1805.02867), and the gradient with it, as in Cut Cross-Entropy (Wijmans et al. 2024,
arXiv:2411.09009).
"""

from typing import Any

TOKENS, POSITIONS = 2048, 1024
"""Size of a block: its logits are 8 MB in float32."""


def losses_and_slopes(hidden: Any, labels: Any, kernel: Any, soft_cap: float | None) -> tuple[Any, Any, Any]:
    """Losses, whether the label is the most likely token, and the gradient of each loss.

    Of several tokens with the largest logit, the first counts as the most likely.

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

    losses, right, slopes = zip(
        *(
            _of_positions(states, wanted, kernel, soft_cap)
            for states, wanted in zip(hidden.split(POSITIONS), labels.split(POSITIONS), strict=True)
        ),
        strict=True,
    )
    return torch.cat(losses), torch.cat(right), torch.cat(slopes)


def _of_positions(hidden: Any, labels: Any, kernel: Any, soft_cap: float | None) -> tuple[Any, Any, Any]:
    import torch

    columns = hidden.t().contiguous()
    labels = labels[None]
    largest = columns.new_full(labels.shape, -torch.inf, dtype=torch.float32)
    at_label, total = torch.zeros_like(largest), torch.zeros_like(largest)
    likeliest = torch.zeros_like(labels)
    slopes = columns.new_zeros(columns.shape, dtype=torch.float32)
    for start in range(0, len(kernel), TOKENS):
        rows = kernel[start : start + TOKENS]
        logits = _capped(torch.mm(rows, columns).float(), soft_cap)
        row = labels - start
        is_here = (row >= 0) & (row < len(rows))
        at_label = torch.where(is_here, logits.gather(0, row.clamp(0, len(rows) - 1)), at_label)
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
    of_label = kernel[labels[0]].float().t()
    if soft_cap is not None:
        of_label = of_label * (1 - (at_label / soft_cap).square())
    losses = largest + total.log() - at_label
    return losses[0], (likeliest == labels)[0], (slopes / total - of_label).t()


def _capped(products: Any, soft_cap: float | None) -> Any:
    return products if soft_cap is None else products.div_(soft_cap).tanh_().mul_(soft_cap)
