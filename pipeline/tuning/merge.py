"""Merging an adapter into its base, and the proof that nothing else changed.

For LoRA, W = W0 + (alpha / rank) A B for every adapted matrix (Hu et al. 2021, arXiv:2106.09685, section
4.1). What an adapter adds is computed by its method; the sum with W0 is float32.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import PocketGemmaError
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
        deviation: largest |(W - W0) - D|.
        relative_deviation: the same, divided by the largest |W0|.
    """

    name: str
    delta_norm: float
    deviation: float
    relative_deviation: float


@dataclass(frozen=True)
class MergeProof:
    """The differences between a merged preset and its base.

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
            merged = _numpy(change.variable) + change.delta()
        check_merged(change.name, merged)
        change.variable.assign(merged)


def prove_merge(
    base: "keras_hub.models.Backbone", merged: "keras_hub.models.Backbone", adapter: Adapter, limit: float
) -> MergeProof:
    """Compare a merged model, reloaded from its file, with its base and the adapter.

    Args:
        base: the base, float32.
        merged: the reloaded model, float32.
        adapter: the only difference that is allowed.
        limit: largest relative deviation allowed.

    Raises:
        PocketGemmaError: a matrix is not the sum of base and adapter, no matrix changed at all, or another
            weight changed by a bit.
    """
    method, proofs, adapted = adapter.method, [], set()
    merged_variables = {change.name: change.variable for change in method.changes(adapter, merged)}
    for change in method.changes(adapter, base):
        adapted.add(change.variable.path)
        before, after = _numpy(change.variable), _numpy(merged_variables[change.name])
        deviation = float(np.abs((after - before) - change.delta()).max())
        proofs.append(
            MatrixProof(
                change.name,
                float(np.linalg.norm(after - before)),
                deviation,
                deviation / float(np.abs(before).max()),
            )
        )
    faults = [
        f"{proof.name}: W differs from {method.formula(adapter)} by {proof.relative_deviation:.1e} of "
        f"max|W0|; the limit is {limit:.0e}"
        for proof in proofs
        if not proof.relative_deviation <= limit
    ]
    if all(proof.delta_norm == 0 for proof in proofs):
        faults.insert(0, "no matrix differs from the base: the adapter is missing or all zeros")
    others = {variable.path: variable for variable in base.variables if variable.path not in adapted}
    faults += _changed(others, {variable.path: variable for variable in merged.variables})
    if faults:
        shown = "\n  ".join(faults[:SHOWN_FAULTS])
        raise PocketGemmaError(
            f"the merged model is not the base plus the adapter; {len(faults)} faults:\n  {shown}"
        )
    return MergeProof(tuple(proofs), len(others))


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Errors for variables that are missing or differ by a bit."""
    return [
        f"{path}: changed, although it has no adapter"
        for path, variable in before.items()
        if path not in after or not np.array_equal(_numpy(variable), _numpy(after[path]))
    ]


def _numpy(value: Any) -> NDArray[np.float32]:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(value))
