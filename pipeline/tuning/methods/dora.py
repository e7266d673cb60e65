"""DoRA: W = m * (W0 + s A B) / ||W0 + s A B||, with a trained magnitude m for each row of a matrix (Liu et
al. 2024, arXiv:2402.09353, section 4.1).

The magnitudes begin as ||W0||, so that the first output is the base's. A row of a matrix is an output of its
Keras kernel: a query, key or value kernel (heads, hidden, head_dim) has a magnitude for each head and each of
its outputs.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.family import GemmaShape
from pipeline.families.names import hugging_face_name
from pipeline.formats.adapter_safetensors import AdapterSafetensors
from pipeline.formats.peft import PeftContent, lora_content
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas, MatrixDelta, Rows
from pipeline.tuning.dora_forward import decompose_weights, fix_norms
from pipeline.tuning.lora_forward import enable_lora
from pipeline.tuning.method import Attachment, Change, Cost, Method, MethodSettings
from pipeline.tuning.methods.lora import (
    DAMAGED,
    FLOAT32_BYTES,
    A,
    B,
    Lora,
    LoraFactors,
    assign_factors,
    matrix_kind,
    module_name,
    peft_factors,
)
from pipeline.tuning.runtime_factors import DORA_RESCALES, RuntimeFactors
from pipeline.tuning.targets import adapted_kernels
from pipeline.tuning.values import check_finite
from pipeline.tuning.weight_decomposition import decomposed_rows

if TYPE_CHECKING:
    import keras
    import keras_hub

MAGNITUDE = ".magnitude"
"""Ends the names of tensors that hold magnitudes; before it stands the name of the matrix."""


class Dora(Lora):
    """LoRA of the directions of rows, and their magnitudes."""

    name = "dora"
    title = "DoRA"
    has_runtime_form = False
    format = "pocketgemma-dora-1"

    def wrote(self, file: AdapterSafetensors) -> bool:
        return True

    def check(self, file: AdapterSafetensors) -> None:
        """As in the protocol, and the values of the magnitudes, which are few."""
        magnitudes = {name for name in file.tensors if name.endswith(MAGNITUDE)}
        self._check_factors(file, [name for name in file.tensors if name not in magnitudes])
        matrices = [name.removesuffix(A) for name in file.tensors if name.endswith(A)]
        for name in matrices:
            if name + MAGNITUDE not in magnitudes:
                raise InputError(f"{file.path}: lacks {name + MAGNITUDE}; {DAMAGED}")
            _check_magnitude(file, name)
        others = sorted(magnitudes - {name + MAGNITUDE for name in matrices})
        if others:
            raise InputError(f"{file.path}: {others[0]} has no matching A and B; {DAMAGED}")

    def attach(self, backbone: "keras_hub.models.Backbone", settings: MethodSettings) -> Attachment:
        scale = LoraFactors.untrained(settings).scale
        layers = enable_lora(backbone, settings.rank, scale, settings.targets)
        decompose_weights(layers)
        return Attachment(settings, layers)

    def collect(self, attachment: Attachment, base_digest: str) -> Adapter:
        from keras import ops

        magnitudes = {
            name: np.array(ops.convert_to_numpy(layer.lora_magnitude))
            for name, layer in attachment.layers.items()
        }
        return with_magnitudes(super().collect(attachment, base_digest), magnitudes)

    def apply(self, adapter: Adapter, backbone: "keras_hub.models.Backbone") -> None:
        factors = LoraFactors.of(adapter)
        layers = enable_lora(backbone, factors.rank, factors.scale, factors.targets)
        decompose_weights(layers)
        _assign(adapter, layers)
        fix_norms(layers)

    def restore(self, adapter: Adapter, attachment: Attachment) -> None:
        _assign(adapter, attachment.layers)

    def changes(self, adapter: Adapter, backbone: "keras_hub.models.Backbone") -> Iterator[Change]:
        matrices = self.deltas(adapter).matrices
        for change in super().changes(adapter, backbone):
            matrix = matrices[hugging_face_name(change.name)]
            yield change._replace(delta=_difference(change, matrix))

    def deltas(self, adapter: Adapter) -> Deltas:
        plain = super().deltas(adapter)
        matrices = {
            hugging_face_name(name): _decomposed(plain.matrices[hugging_face_name(name)], magnitude)
            for name, magnitude in magnitudes_of(adapter).items()
        }
        return replace(plain, matrices=matrices)

    def formula(self, adapter: Adapter) -> str:
        directed = super().formula(adapter)
        return f"m·({directed})/‖{directed}‖"

    def runtime_factors(self, adapter: Adapter) -> RuntimeFactors:
        raise InputError(DORA_RESCALES)

    def peft_content(self, adapter: Adapter) -> PeftContent:
        factors = LoraFactors.of(adapter)
        modules = {
            module_name(name): peft_factors(factors, name)._replace(magnitude=magnitude.reshape(-1))
            for name, magnitude in magnitudes_of(adapter).items()
        }
        return lora_content(modules, factors.scaling)

    def cost(self, shape: GemmaShape, settings: MethodSettings) -> Cost:
        plain = super().cost(shape, settings)
        magnitudes = sum(
            math.prod(magnitude_shape(name, kernel)) for name, kernel in adapted_kernels(shape, settings)
        )
        return Cost(plain.parameters + magnitudes, plain.adapter_bytes + FLOAT32_BYTES * magnitudes)


def with_magnitudes(plain: Adapter, magnitudes: dict[str, NDArray[np.float32]]) -> Adapter:
    """An adapter of this method from a LoRA adapter.

    Args:
        plain: its A and B.
        magnitudes: of each of its matrices, by the name of the matrix: the shape of the kernel without its
            input axes, float32.
    """
    named = {name + MAGNITUDE: magnitude for name, magnitude in magnitudes.items()}
    return replace(plain, method=METHOD, tensors={**plain.tensors, **named})


def magnitudes_of(adapter: Adapter) -> dict[str, NDArray[np.float32]]:
    """The magnitudes by the name of the matrix, as `with_magnitudes` takes them."""
    return {
        name.removesuffix(MAGNITUDE): magnitude
        for name, magnitude in adapter.tensors.items()
        if name.endswith(MAGNITUDE)
    }


def _assign(adapter: Adapter, layers: "Mapping[str, keras.layers.Layer]") -> None:
    """Set A, B and the magnitudes of layers whose weights are decomposed."""
    assign_factors(LoraFactors.of(adapter), layers)
    magnitudes = magnitudes_of(adapter)
    for name, layer in layers.items():
        layer.lora_magnitude.assign(magnitudes[name])


def magnitude_shape(name: str, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the magnitude of a matrix, by its name and the shape of its kernel."""
    axes = matrix_kind(name).input_axes
    return tuple(size for axis, size in enumerate(kernel) if axis not in axes)


def _check_magnitude(file: AdapterSafetensors, name: str) -> None:
    """Check the shape and the values of a magnitude.

    Raises:
        InputError: it does not fit A and B, or is not the length of a row.
    """
    tensor, a, b = (file.tensors[name + part] for part in (MAGNITUDE, A, B))
    expected = magnitude_shape(name, (*a.shape[:-1], b.shape[-1]))
    if tensor.shape != expected:
        raise InputError(
            f"{file.path}: {name + MAGNITUDE} has the shape {tensor.shape}, but A and B belong to a matrix "
            f"with {expected}; {DAMAGED}"
        )
    values = tensor.read_all()
    check_finite(file.path, {name + MAGNITUDE: values})
    if (values < 0).any():
        raise InputError(
            f"{file.path}: {name + MAGNITUDE} contains {values.min():g}, expected row lengths of 0 or "
            f"more; {DAMAGED}"
        )


def _decomposed(plain: MatrixDelta, magnitude: NDArray[np.float32]) -> MatrixDelta:
    shape, prepare = plain

    def prepare_rows() -> Rows:
        return decomposed_rows(prepare(), magnitude.reshape(-1))

    return shape, prepare_rows


def _difference(change: Change, matrix: MatrixDelta) -> Callable[[], NDArray[np.float32]]:
    """What is added to a variable, from what is added to the rows of its matrix."""
    from keras import ops

    def delta() -> NDArray[np.float32]:
        kind = matrix_kind(change.name)
        kernel: Any = np.asarray(ops.convert_to_numpy(change.variable))
        base = np.ascontiguousarray(kind.as_matrix(kernel))
        return kind.as_kernel(matrix[1]()(0, base), kernel.shape)

    return delta


METHOD: Method = Dora()
