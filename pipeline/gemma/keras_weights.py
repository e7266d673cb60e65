"""The weights of a Keras model as the tensors that Hugging Face has: their names and their axes."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.families.family import GemmaShape
from pipeline.families.names import keras_block, layer_scalar, layer_tensor
from pipeline.formats.safetensors import Readable

if TYPE_CHECKING:
    import keras
    import keras_hub

VALUES_AT_A_TIME = 1 << 23
"""Values of a table that are read at a time: 32 MB."""

Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class KerasWeight:
    """A weight of a Keras model as a tensor, which is read when it is written to a file.

    Args:
        tensor: its name in a text-only Hugging Face folder.
        variable: a kernel, norm scales, a table or a single number.
        as_tensor: from the axes of the variable to those of the tensor; None: they are the same.
        as_variable: the inverse.

    Attributes:
        tensor, variable: as above.
        shape: of the tensor.
    """

    def __init__(
        self,
        tensor: str,
        variable: "keras.Variable",
        as_tensor: Change | None = None,
        as_variable: Change | None = None,
    ) -> None:
        self.tensor, self.variable = tensor, variable
        self._as_tensor, self._as_variable = as_tensor, as_variable
        nothing = np.broadcast_to(np.float32(0), variable.shape)
        self.shape: tuple[int, ...] = (as_tensor(nothing) if as_tensor else nothing).shape

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Entries start..stop of the tensor's first axis, float32."""
        from keras import ops

        if self._as_tensor is None:
            return np.asarray(ops.convert_to_numpy(self.variable[start:stop]), np.float32)
        values = np.asarray(ops.convert_to_numpy(self.variable), np.float32)
        return np.ascontiguousarray(self._as_tensor(values)[start:stop])

    def read_all(self) -> NDArray[np.float32]:
        """The whole tensor, float32; may share the variable's memory."""
        return self.read(0, self.shape[0])

    def as_variable(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """A tensor of the same `shape` in the axes of the variable; may be a view."""
        return self._as_variable(tensor) if self._as_variable else tensor

    def assign(self, tensor: Readable) -> None:
        """Write a tensor of the same `shape` into the variable, in the variable's type."""
        import keras

        if self._as_variable is not None or keras.config.backend() != "torch":
            self.variable.assign(self.values_of(tensor))
            return
        # A table is most of a small Gemma: in pieces, and without copies of it.
        for start, stop in self._pieces():
            target = self.variable.value.data[start:stop]
            target.copy_(target.new_tensor(tensor.read(start, stop)))

    def values_of(self, tensor: Readable) -> NDArray[np.float32]:
        """A tensor of the same `shape` with the axes of the variable."""
        return self.as_variable(tensor.read(0, self.shape[0]))

    def equals(self, tensor: Readable) -> bool:
        """Whether a tensor has the same shape and bitwise equal values."""
        if tuple(tensor.shape) != self.shape:
            return False
        pieces = self._pieces() if self._as_tensor is None else [(0, self.shape[0])]
        return all(
            np.array_equal(self.read(*piece).view(np.int32), tensor.read(*piece).view(np.int32))
            for piece in pieces
        )

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """Parts of the first axis, start and stop."""
        rows = max(1, VALUES_AT_A_TIME // math.prod(self.shape[1:]))
        for start in range(0, self.shape[0], rows):
            yield start, min(start + rows, self.shape[0])


def keras_weights(backbone: "keras_hub.models.Backbone", shape: GemmaShape) -> Iterator[KerasWeight]:
    """Every weight of a backbone.

    Args:
        backbone: a Gemma.
        shape: of the backbone.

    Raises:
        KeyError: the backbone lacks a layer of its family; names the layer.
    """
    family = shape.family
    for other in family.other_matrices:
        variable = getattr(backbone.get_layer(other.keras_layer), other.keras_variable)
        changes = () if other.lookup else (other.as_matrix, other.as_variable)
        yield KerasWeight(other.tensor, variable, *changes)
    for index in range(shape.layers):
        block = backbone.get_layer(keras_block(index))
        layers: dict[str, Any] = {layer.name: layer for layer in block._flatten_layers(include_self=False)}
        for matrix in shape.matrices_in(index):
            kernel = layers[matrix.keras_layer].kernel
            as_kernel = partial(matrix.as_kernel, shape=tuple(kernel.shape))
            yield KerasWeight(layer_tensor(index, matrix.module), kernel, matrix.as_matrix, as_kernel)
        for norm in shape.norms_in(index):
            yield KerasWeight(layer_tensor(index, norm.module), layers[norm.keras_layer].scale)
        for name in family.scalars:
            number = getattr(block, name)
            yield KerasWeight(layer_scalar(index, name), number, np.atleast_1d, np.squeeze)
    for last in family.other_norms:
        yield KerasWeight(last.tensor, backbone.get_layer(last.keras_layer).scale)
