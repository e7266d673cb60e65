"""Folding an adapter into its base, and the proof that exactly that happened.

W = W0 + (alpha / rank) A B for every adapted matrix (Hu et al. 2021, arXiv:2106.09685, section 4.1): the product summed in float64
and rounded once, the sum in float32.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.causal_lm import matrix_layers
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.lora import weight_delta

if TYPE_CHECKING:
    import keras_hub


@dataclass(frozen=True)
class MatrixProof:
    """One adapted matrix.

    Attributes:
        name: `decoder_block_0.query`, …
        delta_norm: Frobenius norm of W - W0, from the files.
        deviation: largest |(W - W0) - scale A B|.
        relative_deviation: the same, divided by the largest |W0|.
    """

    name: str
    delta_norm: float
    deviation: float
    relative_deviation: float


@dataclass(frozen=True)
class MergeProof:
    """What a merged preset differs in from its base."""

    matrices: tuple[MatrixProof, ...]
    other_weights: int

    @property
    def largest_deviation(self) -> float:
        return max(proof.relative_deviation for proof in self.matrices)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"largest_relative_deviation": self.largest_deviation}


def merge(backbone: "keras_hub.models.Backbone", adapter: Adapter) -> None:
    """Add scale * A B to the adapted kernels of a float32 backbone in place.

    Raises:
        InputError: the adapter names a matrix that the model lacks, or of another shape.
    """
    layers = _adapted_layers(backbone, adapter)
    for name, layer in layers.items():
        a, b = adapter.tensors[name]
        delta = weight_delta(a, b, adapter.scale)
        kernel = _numpy(layer.kernel)
        if kernel.shape != delta.shape:
            raise InputError(
                f"{name}: the adapter's product is {delta.shape}, the matrix {kernel.shape}: it belongs to another base"
            )
        layer.kernel.assign(kernel + delta)


def prove_merge(
    base: "keras_hub.models.Backbone", merged: "keras_hub.models.Backbone", adapter: Adapter, limit: float
) -> MergeProof:
    """Hold a merged model, reloaded from its file, against its base and the adapter.

    Args:
        base: the base, float32.
        merged: what was reloaded, float32.
        adapter: what should be the only difference.
        limit: largest relative deviation allowed.

    Raises:
        PocketGemmaError: a matrix is not W0 + scale A B, nothing changed at all, or any other weight changed by a bit.
    """
    proofs = []
    merged_layers = _adapted_layers(merged, adapter)
    adapted = set()
    for name, layer in _adapted_layers(base, adapter).items():
        adapted.add(layer.kernel.path)
        before, after = _numpy(layer.kernel), _numpy(merged_layers[name].kernel)
        wanted = weight_delta(*adapter.tensors[name], adapter.scale)
        deviation = float(np.abs((after - before) - wanted).max())
        proofs.append(
            MatrixProof(
                name,
                float(np.linalg.norm(after - before)),
                deviation,
                deviation / float(np.abs(before).max()),
            )
        )
    faults = [
        f"{proof.name}: W - W0 is off scale*A*B by {proof.relative_deviation:.1e} of max|W0|, allowed is {limit:.0e}"
        for proof in proofs
        if not proof.relative_deviation <= limit
    ]
    if all(proof.delta_norm == 0 for proof in proofs):
        faults.insert(0, "no matrix differs from the base: the adapter is missing or all zero")
    before_others = {variable.path: variable for variable in base.variables if variable.path not in adapted}
    after_others = {variable.path: variable for variable in merged.variables}
    for path, variable in before_others.items():
        if path not in after_others or not np.array_equal(_numpy(variable), _numpy(after_others[path])):
            faults.append(f"{path}: has no adapter, yet changed")
    if faults:
        raise PocketGemmaError(
            f"the merged model is not base + adapter ({len(faults)} faults):\n  " + "\n  ".join(faults[:10])
        )
    return MergeProof(tuple(proofs), len(before_others))


def _adapted_layers(backbone: "keras_hub.models.Backbone", adapter: Adapter) -> dict[str, Any]:
    layers = {name: layer for target in adapter.targets for name, layer in matrix_layers(backbone, target)}
    missing = sorted(set(adapter.tensors) ^ set(layers))
    if missing:
        raise InputError(
            f"adapter and model do not have the same matrices ({missing[0]} and {len(missing) - 1} more): another base"
        )
    return layers


def _numpy(value: Any) -> NDArray[np.float32]:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(value))
