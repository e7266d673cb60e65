"""Merging an adapter into its base, and the proof that nothing else changed.

For LoRA, W = W0 + s A B for every adapted matrix (Hu et al. 2021, arXiv:2106.09685, section 4.1). What an
adapter adds is computed by its method; the sum with W0 is float32. An adapter that stores W itself replaces
W0.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import PocketGemmaError
from pipeline.formats.safetensors import Readable
from pipeline.gemma.causal_lm import shape_of
from pipeline.gemma.keras_weights import keras_weights
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.values import check_merged

if TYPE_CHECKING:
    import keras_hub


SHOWN_FAULTS = 10


@dataclass(frozen=True)
class MatrixProof:
    """One adapted matrix, with D what the adapter adds to it.

    Attributes:
        name: `decoder_block_0.query`, …
        delta_norm: Frobenius norm of W - W0, from the files.
        deviation: largest |(W - W0) - D|; where the adapter stores W, the largest difference from that.
        relative_deviation: the same, divided by the largest |W0|, or by 1 where W0 is all zeros.
    """

    name: str
    delta_norm: float
    deviation: float
    relative_deviation: float


@dataclass(frozen=True)
class MergeProof:
    """The differences between a merged model and its base.

    Attributes:
        matrices: the adapted matrices.
        other_weights: how many other weights there are, all bit-identical.
    """

    matrices: tuple[MatrixProof, ...]
    other_weights: int

    @property
    def largest_deviation(self) -> float:
        """The largest relative deviation of a matrix."""
        return max(proof.relative_deviation for proof in self.matrices)

    def as_json(self) -> dict[str, Any]:
        """The content of proof.json."""
        return asdict(self) | {"largest_relative_deviation": self.largest_deviation}


def merge(backbone: "keras_hub.models.Backbone", adapter: Adapter) -> None:
    """Add what an adapter adds to the variables of a float32 backbone, in place.

    Raises:
        InputError: the adapter belongs to another base, its method cannot be merged, or a sum is infinite.
    """
    for change in adapter.method.changes(adapter, backbone):
        with np.errstate(over="ignore", invalid="ignore"):
            merged = change.trained() if change.trained else _numpy(change.variable) + change.delta()
        check_merged(change.name, merged)
        change.variable.assign(merged)


def prove_merge(
    base: "keras_hub.models.Backbone", merged: Mapping[str, Readable], adapter: Adapter, limit: float
) -> MergeProof:
    """Compare a merged model with its base and the adapter.

    Args:
        base: the base, float32.
        merged: the tensors of the merged model by Hugging Face name. They are read one after the other, so
            that a second model need not be in memory.
        adapter: the only difference that is allowed.
        limit: largest relative deviation allowed; none is where the adapter stores W.

    Raises:
        PocketGemmaError: a matrix is not the sum of base and adapter, no matrix changed at all, or another
            weight changed by a bit.
    """
    method, proofs = adapter.method, []
    limits: dict[str, float] = {}
    others = {weight.variable.path: weight for weight in keras_weights(base, shape_of(base))}
    missing = [path for path, weight in others.items() if weight.tensor not in merged]
    if missing:
        raise PocketGemmaError(f"the merged model has no weight for {', '.join(missing[:SHOWN_FAULTS])}")
    for change in method.changes(adapter, base):
        weight = others.pop(change.variable.path)
        before, after = _numpy(change.variable), weight.values_of(merged[weight.tensor])
        difference = after - change.trained() if change.trained else (after - before) - change.delta()
        limits[change.name] = 0.0 if change.trained else limit
        deviation = float(np.abs(difference).max())
        proofs.append(
            MatrixProof(
                change.name,
                float(np.linalg.norm(after - before)),
                deviation,
                deviation / (float(np.abs(before).max()) or 1.0),
            )
        )
    faults = [
        f"{proof.name}: W differs from {method.formula(adapter)} by {proof.relative_deviation:.1e} of "
        f"max|W0|; the limit is {limits[proof.name]:.0e}"
        for proof in proofs
        if not proof.relative_deviation <= limits[proof.name]
    ]
    if all(proof.delta_norm == 0 for proof in proofs):
        faults.insert(0, "no matrix differs from the base: the adapter is missing or all zeros")
    faults += [
        f"{path}: changed, although it has no adapter"
        for path, weight in others.items()
        if not weight.equals(merged[weight.tensor])
    ]
    if faults:
        shown = "\n  ".join(faults[:SHOWN_FAULTS])
        raise PocketGemmaError(
            f"the merged model is not the base plus the adapter; {len(faults)} faults:\n  {shown}"
        )
    return MergeProof(tuple(proofs), len(others))


def _numpy(value: Any) -> NDArray[np.float32]:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(value))
