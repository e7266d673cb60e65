"""GELU and its product with the other half of a gated feed-forward layer, computed again for the gradient.

PyTorch keeps both until the backward pass. Their inputs are kept anyway, and are as large.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

GELU, PRODUCT = "GeluBackward0", "MulBackward0"
VIEWS = ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0")
"""Names of PyTorch's nodes. Of others, everything is kept."""


class _Gelu:
    """The output of a GELU, by the node that computed it."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._value: Any = None

    def again(self) -> Any:
        import torch

        value, self._value = self._value, None
        if value is None:
            with torch.no_grad():
                value = torch.nn.functional.gelu(
                    self._node._saved_self, approximate=self._node._saved_approximate
                )
        return value

    def keep_for_factor(self, value: Any) -> None:
        """The backward pass of the product, which follows, needs it again."""
        self._value = value


class _Product:
    """The product of a GELU's output and another tensor, by the node that computed it."""

    def __init__(self, node: Any, gelu: _Gelu, place: int, shape: Any) -> None:
        self._node, self._gelu, self._place, self._shape = node, gelu, place, shape

    def again(self) -> Any:
        import torch

        other = self._node._saved_self if self._place else self._node._saved_other
        gelu = self._gelu.again()
        self._gelu.keep_for_factor(gelu)
        with torch.no_grad():
            return (gelu * other).reshape(self._shape)


@contextmanager
def recomputed_gelu() -> Iterator[None]:
    """Inside, neither the output of a GELU is kept for the gradient nor a product with it. Values and
    gradients do not change."""
    import torch

    known: dict[Any, _Gelu] = {}

    def pack(tensor: Any) -> Any:
        node = tensor.grad_fn
        if node is None:
            return tensor
        if node.name() == GELU:
            return known.setdefault(node, _Gelu(node))
        if node.name() in VIEWS:
            node = node.next_functions[0][0]
        if node is None or node.name() != PRODUCT:
            # With its node, what a node gives and keeps would keep the node.
            return tensor.detach()
        for place, (factor, _) in enumerate(node.next_functions):
            if factor in known:
                return _Product(node, known[factor], place, tensor.shape)
        return tensor.detach()

    def unpack(kept: Any) -> Any:
        return kept.again() if isinstance(kept, (_Gelu, _Product)) else kept

    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            yield
    finally:
        known.clear()  # the nodes keep these functions, and they would keep the nodes
