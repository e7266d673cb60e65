"""Quantization-aware LoRA: the adapter is trained against the matrices as they will be rounded.

The forward pass uses s * round(W / s) with W = W0 + s A B, so the loss is that of the rounded
model. The gradient ignores the rounding (the straight-through estimator: Bengio et al. 2013, arXiv:1308.3432)
and is zero where an integer is at its limit (LSQ: Esser et al. 2020, arXiv:1902.08153, section 2.1). After
training, W is rounded once more, to the same integers, and no float matrix remains (LR-QAT: Bondarenko et al.
2024, arXiv:2406.06385).

Matrices without an adapter, always including the embedding, are rounded before the first step, so that the
adapter also compensates for their error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.family import GemmaShape, MatrixKind, OtherMatrix
from pipeline.families.names import MATRICES, hugging_face_name, matrix_shapes, parse_adapter_name
from pipeline.formats.adapter_safetensors import AdapterSafetensors
from pipeline.formats.peft import PeftContent
from pipeline.gemma.causal_lm import matrix_layers, other_matrices
from pipeline.quantization.rounding import LARGEST, Quantized, least_squares, with_scales
from pipeline.quantization.schemes import SCHEMES, Scheme
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas
from pipeline.tuning.lora_forward import enable_lora
from pipeline.tuning.merge import merge
from pipeline.tuning.method import Attachment, Cost, Method, MethodSettings
from pipeline.tuning.methods.lora import FLOAT32_BYTES, Lora, LoraFactors
from pipeline.tuning.runtime_factors import MERGE_INSTEAD, RuntimeFactors

if TYPE_CHECKING:
    import keras
    import keras_hub

Scales = Mapping[str, NDArray[np.float32]]
"""(out, blocks) by a matrix's Hugging Face name."""

SCALES = ".scales"
"""Ends the names of tensors that hold scales; before it stands the Hugging Face name of the matrix."""


class QuantizationAware(Lora):
    """LoRA on rounded matrices. Its adapter file also holds the scales of every matrix of the model."""

    name = "quantization_aware"
    has_runtime_form = False

    def wrote(self, file: AdapterSafetensors) -> bool:
        return "recipe" in file.settings

    def check(self, file: AdapterSafetensors) -> None:
        scales = [name for name in file.tensors if name.endswith(SCALES)]
        recipe = file.settings["recipe"]
        if not scales or recipe not in SCHEMES:
            raise InputError(
                f"{file.path}: has {len(scales)} scale tensors for the recipe {recipe!r}; known recipes are "
                f"{', '.join(SCHEMES)}; train it again"
            )
        self._check_factors(file, [name for name in file.tensors if not name.endswith(SCALES)])

    def attach(self, backbone: "keras_hub.models.Backbone", settings: MethodSettings) -> Attachment:
        # Inside the kernel: the sum is what is rounded.
        scale = LoraFactors.untrained(settings).scale
        layers = enable_lora(backbone, settings.rank, scale, settings.targets)
        scales = enable_rounding(backbone, layers, SCHEMES[settings.recipe])
        return Attachment(settings, layers, {name + SCALES: each for name, each in scales.items()})

    def collect(self, attachment: Attachment, base_digest: str) -> Adapter:
        plain = super().collect(attachment, base_digest)
        return with_trained_scales(plain, attachment.settings.recipe, attachment.constants)

    def apply(self, adapter: Adapter, backbone: "keras_hub.models.Backbone") -> None:
        merge(backbone, adapter)
        round_matrices(backbone, trained_scales(adapter), SCHEMES[adapter.settings["recipe"]])

    def deltas(self, adapter: Adapter) -> Deltas:
        plain = super().deltas(adapter)
        return replace(plain, recipe=adapter.settings["recipe"], scales=trained_scales(adapter))

    def runtime_factors(self, adapter: Adapter) -> RuntimeFactors:
        raise InputError(
            "the adapter was trained with scales for the rounded matrices, but at run time the base's scales "
            f"apply; {MERGE_INSTEAD}"
        )

    def peft_content(self, adapter: Adapter) -> PeftContent:
        raise InputError(
            "PEFT cannot represent an adapter from quantization-aware training: it would ignore the scales; "
            "train without finetune.quantization_aware"
        )

    def cost(self, shape: GemmaShape, settings: MethodSettings) -> Cost:
        plain, scheme = super().cost(shape, settings), SCHEMES[settings.recipe]
        scales = sum(
            rows * (columns // (scheme.block_of(name) or columns))
            for name, (rows, columns) in matrix_shapes(shape).items()
        )
        return Cost(plain.parameters, plain.adapter_bytes + FLOAT32_BYTES * scales)


def with_trained_scales(plain: Adapter, recipe: str, scales: Scales) -> Adapter:
    """An adapter of this method from a LoRA adapter.

    Args:
        plain: its A and B.
        recipe: the quantization recipe that it was trained for.
        scales: (out, blocks) of every matrix of the model, float32, by Hugging Face name and `.scales`.
    """
    settings = {**plain.settings, "recipe": recipe}
    return replace(plain, method=METHOD, settings=settings, tensors={**plain.tensors, **scales})


def trained_scales(adapter: Adapter) -> dict[str, NDArray[np.float32]]:
    """The scales (out, blocks) of every matrix of the model by Hugging Face name."""
    return {
        name.removesuffix(SCALES): scales for name, scales in adapter.tensors.items() if name.endswith(SCALES)
    }


@dataclass(frozen=True)
class Rounding:
    """The rounding of one kernel inside the model.

    Attributes:
        scales: tensor that broadcasts against the kernel, float32.
        largest: integer at which values are clipped.
    """

    scales: Any
    largest: int

    def __call__(self, kernel: Any) -> Any:
        """s * round(kernel / s), with the gradient of the identity between the limits and zero outside
        them."""
        from keras import ops

        steps = ops.clip(kernel / self.scales, -self.largest, self.largest)
        # In this order the sum is exactly the integer: steps - steps is zero.
        integers = ops.stop_gradient(ops.round(steps)) + (steps - ops.stop_gradient(steps))
        return integers * self.scales


def enable_rounding(
    backbone: "keras_hub.models.Backbone",
    layers: "Mapping[str, keras.layers.Layer]",
    scheme: Scheme,
) -> dict[str, NDArray[np.float32]]:
    """Make a backbone compute with rounded matrices while LoRA trains.

    Args:
        backbone: with LoRA enabled; its other matrices and the embedding are replaced by their rounded
            values.
        layers: the adapted layers, as `enable_lora` returned them.
        scheme: bits and blocks.

    Returns:
        The scales of every matrix: those of W0 with the least squared error.

    Raises:
        PocketGemmaError: a kernel is rounded differently in training than its matrix is stored.
    """
    scales = {}
    adapted = {hugging_face_name(name): (name, layer) for name, layer in layers.items()}
    for name, kernel in _kernels(backbone):
        bits = scheme.bits_of(name)
        stored = least_squares(kernel.matrix(), bits, scheme.block_of(name))
        scales[name] = stored.scales
        if name in adapted:
            _round_inside(*adapted[name], stored)
        else:
            kernel.assign(stored.dequantized())
    return scales


def round_matrices(backbone: "keras_hub.models.Backbone", scales: Scales, scheme: Scheme) -> None:
    """Replace every matrix of a merged backbone by its rounded values.

    Args:
        backbone: float32, without LoRA.
        scales: of every matrix.
        scheme: bits.
    """
    for name, kernel in _kernels(backbone):
        kernel.assign(with_scales(kernel.matrix(), scales[name], scheme.bits_of(name)).dequantized())


@dataclass(frozen=True)
class _Kernel:
    """A variable that holds a matrix, without the LoRA term."""

    variable: Any
    kind: MatrixKind | OtherMatrix

    def matrix(self) -> NDArray[np.float32]:
        """(out, in)."""
        return _matrix(self.kind, self.variable)

    def assign(self, matrix: NDArray[np.float32]) -> None:
        """Replace the values by those of a matrix (out, in)."""
        if isinstance(self.kind, OtherMatrix):
            self.variable.assign(self.kind.as_variable(matrix))
        else:
            self.variable.assign(self.kind.as_kernel(matrix, tuple(self.variable.shape)))


def _kernels(backbone: "keras_hub.models.Backbone") -> Iterator[tuple[str, _Kernel]]:
    """Every matrix by its Hugging Face name."""
    for other, _, variable in other_matrices(backbone):
        yield other.tensor, _Kernel(variable, other)
    for target, kind in MATRICES.items():
        for name, layer in matrix_layers(backbone, target):
            yield hugging_face_name(name), _Kernel(layer._kernel, kind)


def _round_inside(name: str, layer: "keras.layers.Layer", stored: Quantized) -> None:
    """Make an adapted layer, a Dense or an EinsumDense, round its kernel after LoRA is added."""
    from keras import ops

    class Rounded(type(layer)):  # type: ignore[misc]
        rounding: Rounding

        @property
        def kernel(self) -> Any:
            # In float32, whatever the layer computes in: the merged matrix is float32 and must round to the
            # same integers.
            a, b = (ops.cast(tensor, "float32") for tensor in (self.lora_kernel_a, self.lora_kernel_b))
            delta = ops.matmul(a, b) * (self.lora_alpha / self.lora_rank)
            return ops.cast(self.rounding(ops.cast(self._kernel, "float32") + delta), self.compute_dtype)

    target = parse_adapter_name(name)[1]
    scales = _scales_as_kernel(target, stored.scales, layer._kernel.shape)
    rounding = Rounding(ops.convert_to_tensor(scales), LARGEST[stored.bits])
    # With an adapter of zeros this must equal W0 as it is stored. Otherwise a scale along the wrong axis
    # would show only on the phone.
    inside = _matrix(MATRICES[target], rounding(ops.cast(layer._kernel, "float32")))
    if not np.allclose(inside, stored.dequantized(), rtol=1e-5, atol=0):
        raise PocketGemmaError(
            f"{name}: the kernel is not rounded in training as its matrix is stored; report this as a bug"
        )
    layer.__class__ = Rounded
    layer.rounding = rounding


def _scales_as_kernel(
    target: str, scales: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Scales (out, blocks) in the layout of a kernel; where a row has one scale, the input axes are 1
    long."""
    columns = int(np.prod([shape[axis] for axis in MATRICES[target].input_axes]))
    blocks = scales.shape[1]
    full = MATRICES[target].as_kernel(np.repeat(scales, columns // blocks, axis=1), shape)
    if blocks > 1:
        return full
    axes = [slice(0, 1) if axis in MATRICES[target].input_axes else slice(None) for axis in range(len(shape))]
    return np.ascontiguousarray(full[tuple(axes)])


def _matrix(kind: MatrixKind | OtherMatrix, kernel: Any) -> NDArray[np.float32]:
    from keras import ops

    values = np.asarray(ops.convert_to_numpy(ops.cast(kernel, "float32")))
    return np.ascontiguousarray(kind.as_matrix(values))


METHOD: Method = QuantizationAware()
