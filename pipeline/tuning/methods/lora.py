"""LoRA: y = W x + s B A x with the scale s = alpha / rank (Hu et al. 2021, arXiv:2106.09685, section 4.1), or
alpha / sqrt(rank) (`lora_scale`), as Keras's EinsumDense computes it.

A runs over all axes of a kernel but the last, B over the last. The heads of a query, key or value kernel
(heads, hidden, head_dim) thus have an A each, (heads, hidden, rank), and one B for all of them, (rank,
head_dim).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.family import GemmaShape, MatrixKind
from pipeline.families.names import MATRICES, hugging_face_name, parse_adapter_name
from pipeline.formats.adapter_safetensors import AdapterSafetensors
from pipeline.formats.lora_scale import CLASSIC, DIVISORS, alpha_at_rank, lora_scale
from pipeline.formats.peft import PeftContent, PeftFactors, lora_content
from pipeline.gemma.causal_lm import matrix_layers
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.deltas import Deltas
from pipeline.tuning.learning_rate import low_rank_rate
from pipeline.tuning.lora_forward import compute_beside_kernel, enable_lora
from pipeline.tuning.lora_products import delta_rows, kernel_shape, one_pair, weight_delta
from pipeline.tuning.method import Attachment, Change, Cost, Method, MethodSettings
from pipeline.tuning.runtime_factors import Factors, RuntimeFactors, refuse_other_matrices
from pipeline.tuning.targets import adapted_kernels
from pipeline.tuning.values import check_product, refuse_untrained, scaled

if TYPE_CHECKING:
    import keras
    import keras_hub

A, B = ".lora_a", ".lora_b"
"""Endings of tensor names; before them stands the name of the matrix."""

FLOAT32_BYTES = 4

DAMAGED = "copy the file again, or train again"


@dataclass(frozen=True)
class LoraFactors:
    """The content of a LoRA adapter.

    Attributes:
        rank: columns of every A.
        alpha: the numerator of the scale.
        targets: short names of the adapted matrices.
        pairs: by the name of the matrix, such as `decoder_block_0.query`: A of kernel.shape[:-1] + (rank,)
            and B of (rank, kernel.shape[-1]), float32.
        scaling: how the scale follows from alpha and rank, a name in DIVISORS.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    pairs: Mapping[str, Factors]
    scaling: str = CLASSIC

    @property
    def scale(self) -> float:
        """What A B is multiplied by."""
        return lora_scale(self.alpha, self.rank, self.scaling)

    @classmethod
    def of(cls, adapter: Adapter) -> "LoraFactors":
        """The factors of an adapter; other tensors are left out."""
        names = [name.removesuffix(A) for name in adapter.tensors if name.endswith(A)]
        pairs = {name: (adapter.tensors[name + A], adapter.tensors[name + B]) for name in names}
        settings = adapter.settings
        return cls(
            settings["rank"],
            settings["alpha"],
            tuple(settings["targets"]),
            pairs,
            settings.get("scaling", CLASSIC),
        )

    @classmethod
    def untrained(cls, settings: MethodSettings) -> "LoraFactors":
        """Those of a training to come: everything but A and B."""
        return cls(settings.rank, settings.alpha, settings.targets, {}, settings.scaling)

    def adapter(self, base_digest: str) -> Adapter:
        """The same as an adapter, trained on the preset with this digest."""
        tensors: dict[str, NDArray[np.float32]] = {}
        for name, (a, b) in self.pairs.items():
            tensors |= {name + A: a, name + B: b}
        settings: dict[str, Any] = {"rank": self.rank, "alpha": self.alpha, "targets": self.targets}
        if self.scaling != CLASSIC:
            settings["scaling"] = self.scaling
        return Adapter(METHOD, base_digest, settings, tensors)


class Lora:
    """Plain LoRA."""

    name = "lora"
    title = "LoRA"
    low_rank = True
    has_runtime_form = True
    format = "pocketgemma-lora-1"

    def wrote(self, file: AdapterSafetensors) -> bool:
        return "recipe" not in file.settings

    def check(self, file: AdapterSafetensors) -> None:
        self._check_factors(file, list(file.tensors))

    def _check_factors(self, file: AdapterSafetensors, tensors: Sequence[str]) -> None:
        missing_keys = [key for key in ("rank", "alpha", "targets") if key not in file.settings]
        if missing_keys:
            raise InputError(
                f"{file.path}: damaged: its header lacks {missing_keys[0]}; copy it again, or train again"
            )
        others = [name for name in tensors if not name.endswith((A, B))]
        if others:
            raise InputError(f"{file.path}: {others[0]} is not a LoRA tensor; train it again")
        names = dict.fromkeys(name.removesuffix(A).removesuffix(B) for name in tensors)
        missing = [name + part for name in names for part in (A, B) if name + part not in file.tensors]
        if missing or not names:
            raise InputError(f"{file.path}: lacks {', '.join(missing) or 'all tensors'}; train it again")
        _check_header(file, list(names))

    def attach(self, backbone: "keras_hub.models.Backbone", settings: MethodSettings) -> Attachment:
        layers = enable_lora(backbone, settings.rank, LoraFactors.untrained(settings).scale, settings.targets)
        compute_beside_kernel(layers.values())
        return Attachment(settings, layers)

    def collect(self, attachment: Attachment, base_digest: str) -> Adapter:
        from keras import ops

        pairs = {
            name: (
                np.array(ops.convert_to_numpy(layer.lora_kernel_a)),
                np.array(ops.convert_to_numpy(layer.lora_kernel_b)),
            )
            for name, layer in attachment.layers.items()
        }
        return replace(LoraFactors.untrained(attachment.settings), pairs=pairs).adapter(base_digest)

    def apply(self, adapter: Adapter, backbone: "keras_hub.models.Backbone") -> None:
        factors = LoraFactors.of(adapter)
        layers = enable_lora(backbone, factors.rank, factors.scale, factors.targets)
        compute_beside_kernel(layers.values())
        assign_factors(factors, layers)

    def restore(self, adapter: Adapter, attachment: Attachment) -> None:
        """As in `ContinuesTraining`."""
        assign_factors(LoraFactors.of(adapter), attachment.layers)

    def changes(self, adapter: Adapter, backbone: "keras_hub.models.Backbone") -> Iterator[Change]:
        factors = LoraFactors.of(adapter)
        layers = {
            name: layer for target in factors.targets for name, layer in matrix_layers(backbone, target)
        }
        _check_matrices(factors, layers)
        for name, layer in layers.items():
            pair = factors.pairs[name]
            if kernel_shape(pair) != tuple(layer.kernel.shape):
                raise InputError(
                    f"{name}: A·B has the shape {kernel_shape(pair)}, but the matrix has "
                    f"{tuple(layer.kernel.shape)}; the adapter belongs to another base"
                )
            yield Change(name, layer.kernel, _delta(pair, factors.scale))

    def deltas(self, adapter: Adapter) -> Deltas:
        factors = LoraFactors.of(adapter)
        refuse_untrained(factors.pairs.values())
        matrices = {}
        for name, pair in factors.pairs.items():
            kind = matrix_kind(name)
            rows, columns = kind.as_matrix(np.broadcast_to(np.float32(0), kernel_shape(pair))).shape
            matrices[hugging_face_name(name)] = ((rows, columns), delta_rows(kind, pair, factors.scale))
        return Deltas("PocketGemma", matrices, adapter.base_digest)

    def formula(self, adapter: Adapter) -> str:
        return f"W0 + {LoraFactors.of(adapter).scale:g}·A·B"

    def runtime_factors(self, adapter: Adapter) -> RuntimeFactors:
        factors = LoraFactors.of(adapter)
        refuse_other_matrices(factors.targets)
        refuse_untrained(factors.pairs.values())
        found = {}
        for name, (a, b) in factors.pairs.items():
            layer, target = parse_adapter_name(name)
            found[target, layer] = one_pair(MATRICES[target], a, scaled(b, factors.scale))
            check_product(name, *found[target, layer])
        return found

    def peft_content(self, adapter: Adapter) -> PeftContent:
        factors = LoraFactors.of(adapter)
        modules = {module_name(name): peft_factors(factors, name) for name in factors.pairs}
        return lora_content(modules, factors.scaling)

    def cost(self, shape: GemmaShape, settings: MethodSettings) -> Cost:
        kernels = [kernel for _, kernel in adapted_kernels(shape, settings)]
        parameters = sum(settings.rank * (math.prod(kernel[:-1]) + kernel[-1]) for kernel in kernels)
        return Cost(parameters, FLOAT32_BYTES * parameters)

    def learning_rate(self, settings: MethodSettings) -> float:
        return low_rank_rate(settings.rank, LoraFactors.untrained(settings).scale)


def assign_factors(factors: LoraFactors, layers: "Mapping[str, keras.layers.Layer]") -> None:
    """Set A and B of layers with LoRA enabled.

    Raises:
        InputError: the factors belong to another base.
    """
    _check_matrices(factors, layers)
    for name, layer in layers.items():
        a, b = factors.pairs[name]
        if a.shape != tuple(layer.lora_kernel_a.shape) or b.shape != tuple(layer.lora_kernel_b.shape):
            expected = f"{tuple(layer.lora_kernel_a.shape)} and {tuple(layer.lora_kernel_b.shape)}"
            raise InputError(
                f"{name}: the adapter has A and B of shapes {a.shape} and {b.shape}, but this model expects "
                f"{expected}; the adapter belongs to another base"
            )
        layer.lora_kernel_a.assign(a)
        layer.lora_kernel_b.assign(b)


def peft_factors(factors: LoraFactors, name: str) -> PeftFactors:
    """A and B of a matrix in PEFT's form.

    One pair for all heads has a multiple of the rank; another alpha keeps the scale.
    """
    a, b = one_pair(matrix_kind(name), *factors.pairs[name])
    alpha = alpha_at_rank(factors.alpha, factors.rank, factors.scaling, a.shape[1])
    return PeftFactors(a.T, b.T, alpha)


def module_name(name: str) -> str:
    """The Hugging Face module of a matrix with this name in our adapters."""
    return hugging_face_name(name).removesuffix(".weight")


def _check_header(file: AdapterSafetensors, names: Sequence[str]) -> None:
    """Check rank, alpha, scaling and targets: usable, and those of the tensors.

    Raises:
        InputError: one is not; the header says another scale or other matrices than were trained.
    """
    rank, alpha, targets = (file.settings[key] for key in ("rank", "alpha", "targets"))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not (math.isfinite(alpha) and alpha):
        raise InputError(f"{file.path}: alpha is {alpha!r}, expected a number other than 0; {DAMAGED}")
    scaling = file.settings.get("scaling", CLASSIC)
    if not isinstance(scaling, str) or scaling not in DIVISORS:
        raise InputError(
            f"{file.path}: its scaling is {scaling!r:.60}, expected {' or '.join(DIVISORS)}; {DAMAGED}"
        )
    for name in names:
        ranks = file.tensors[name + A].shape[-1:], file.tensors[name + B].shape[:1]
        if any(found != (rank,) for found in ranks):
            raise InputError(
                f"{file.path}: its rank is {rank!r}, but {name} has A of {file.tensors[name + A].shape} and "
                f"B of {file.tensors[name + B].shape}; {DAMAGED}"
            )
    trained = {name.rpartition(".")[2] for name in names}
    if not isinstance(targets, list) or set(map(str, targets)) != trained:
        raise InputError(
            f"{file.path}: its targets are {targets!r}, but it has tensors for "
            f"{', '.join(sorted(trained))}; {DAMAGED}"
        )


def matrix_kind(name: str) -> MatrixKind:
    """What kind of matrix has this name in our adapters."""
    return MATRICES[parse_adapter_name(name)[1]]


def _check_matrices(factors: LoraFactors, layers: Mapping[str, Any]) -> None:
    different = sorted(set(factors.pairs) ^ set(layers))
    if different:
        raise InputError(
            f"the adapter has {len(factors.pairs)} matrices, but this model has {len(layers)}; "
            f"{different[0]} is in only one of them: the adapter belongs to another base"
        )


def _delta(pair: Factors, scale: float) -> Callable[[], NDArray[np.float32]]:
    return lambda: weight_delta(*pair, scale)


METHOD: Method = Lora()
