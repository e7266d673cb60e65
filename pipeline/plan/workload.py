"""What a recipe asks of training, in numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.families.family import GemmaShape
from pipeline.tuning.method import Cost, MethodSettings
from pipeline.tuning.micro_batches import micro_batch_size
from pipeline.tuning.registry import METHODS


@dataclass(frozen=True)
class Workload:
    """A training before it starts.

    Attributes:
        shape: of the base.
        method: a name in METHODS.
        settings: of the method.
        dtype: in which training computes: float32 or bfloat16.
        quantize_base: how the frozen matrices are stored: int8, int4, or None.
        rematerialize: whether decoder layers are computed twice.
        batch_size: examples of a step, at most.
        micro_batch_size: those that are computed at once; None: the pipeline chooses.
        epochs: at most.
        lengths: tokens of each training example, (examples,).
        responses: tokens with loss of an epoch.
        validation: tokens of all validation examples.
    """

    shape: GemmaShape
    method: str
    settings: MethodSettings
    dtype: str
    quantize_base: str | None
    rematerialize: bool
    batch_size: int
    micro_batch_size: int | None
    epochs: int
    lengths: NDArray[np.int64]
    responses: int
    validation: int

    @property
    def low_rank(self) -> bool:
        """Whether matrices stay frozen."""
        return METHODS[self.method].low_rank

    @property
    def cost(self) -> Cost:
        """Trained parameters and the size of the adapter."""
        return METHODS[self.method].cost(self.shape, self.settings)

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return -(-len(self.lengths) // self.batch_size)

    @property
    def tokens(self) -> int:
        """Of an epoch."""
        return int(self.lengths.sum())

    def rows(self, *, accelerator: bool) -> int:
        """Examples that are computed at once, as the training loop divides a step."""
        whole = min(self.batch_size, len(self.lengths))
        most = self.micro_batch_size or micro_batch_size(
            self.lengths,
            self.batch_size,
            trained_share=self.cost.parameters / self.shape.parameters,
            accelerator=accelerator,
        )
        parts = -(-whole // most)
        return -(-whole // parts)
