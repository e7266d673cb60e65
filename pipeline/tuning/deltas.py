"""What an adapter adds to each matrix of its base, whether it is ours or PEFT's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import MATRICES, hugging_face_name, parse_adapter_name
from pipeline.formats.peft import CONFIG, WEIGHTS
from pipeline.run.files import ADAPTER
from pipeline.tuning.adapter import Adapter
from pipeline.tuning.lora import weight_delta
from pipeline.tuning.peft import read_peft


@dataclass(frozen=True)
class Deltas:
    """An adapter, as additions to matrices.

    Attributes:
        kind: whose adapter, for a person.
        matrices: Hugging Face name of each adapted matrix -> its shape (out, in), and a function that gives some rows of what is
            added to it, float32: (first row, row after the last) -> (rows, in).
        base_digest: digest of the preset that it was trained on; empty when it does not tell.
        recipe: name of the scheme that it was trained for (quantisation-aware); empty for an ordinary adapter.
        scales: of such an adapter: Hugging Face name of every matrix of the model -> its scales (out, blocks).
    """

    kind: str
    matrices: Mapping[str, tuple[tuple[int, int], Callable[[], "Rows"]]]
    base_digest: str = ""
    recipe: str = ""
    scales: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


Rows = Callable[[int, int], NDArray[np.float32]]
"""Rows start..stop of what is added to a matrix, float32."""


def deltas(path: Path) -> Deltas:
    """Read an adapter.

    Args:
        path: our adapter.safetensors or the finetune folder that holds it, or a PEFT adapter's folder (adapter_config.json and
            adapter_model.safetensors) or its weight file.

    Raises:
        InputError: no such file, no adapter, or one that does more than add to matrices.
    """
    folder = path if path.is_dir() else path.parent
    if (folder / CONFIG).is_file() and (path.is_dir() or path.name == WEIGHTS):
        return Deltas("PEFT", read_peft(folder))
    if path.is_dir() and not (path / ADAPTER).is_file():
        raise InputError(f"{path}: no adapter in it; expected {ADAPTER}, or PEFT's {CONFIG} and {WEIGHTS}")
    return of_adapter(Adapter.load(path / ADAPTER if path.is_dir() else path))


def of_adapter(adapter: Adapter) -> Deltas:
    """The additions of an adapter of ours: to the bit what the merge stage adds."""
    matrices = {}
    for name, (a, b) in adapter.tensors.items():
        _, target = parse_adapter_name(name)
        kernel = np.broadcast_to(np.float32(0), (*a.shape[:-1], b.shape[1]))
        rows, columns = MATRICES[target].as_matrix(kernel).shape
        matrices[hugging_face_name(name)] = ((rows, columns), _product(target, a, b, adapter.scale))
    return Deltas("PocketGemma", matrices, adapter.base_digest, adapter.recipe, adapter.scales)


def _product(target: str, a: NDArray[np.float32], b: NDArray[np.float32], scale: float) -> Callable[[], Rows]:
    def make() -> Rows:
        if target in ("query", "key", "value"):
            whole = MATRICES[target].as_matrix(weight_delta(a, b, scale))
            return lambda start, stop: whole[start:stop]
        # A whole product in float64 would take more time for fresh memory than for arithmetic. A row of the matrix is a column of B.
        inputs = a.reshape(-1, a.shape[-1]).T.astype(np.float64)
        outputs = b.T.astype(np.float64)
        return lambda start, stop: (outputs[start:stop] @ inputs * scale).astype(np.float32)

    return make
