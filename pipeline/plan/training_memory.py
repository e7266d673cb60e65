"""Peak memory of training, by part.

The activations that PyTorch keeps for the gradient follow from how a decoder layer computes with LoRA beside
its matrices, fused norms and a recomputed GELU; tests compare them with what is kept. On an accelerator, or
with JAX or TensorFlow, they are an estimate.
"""

from dataclasses import dataclass, fields

import numpy as np

from pipeline.families.family import GemmaShape, MatrixKind
from pipeline.families.names import matrix_shapes
from pipeline.plan.workload import Workload
from pipeline.tuning.cross_entropy_blocks import POSITIONS, TOKENS
from pipeline.tuning.quantized_base import INT4_BLOCK

FLOAT32, BFLOAT16 = 4, 2
"""Bytes."""

PROGRAM = 2_080_000_000
"""Bytes of Python with Keras, PyTorch, the libraries that KerasHub imports, and compiled products."""

HEAP = 0.3
"""Free blocks / the tensors of a step. Steps of other lengths leave blocks that fit no tensor of this one."""

TRAINED_COPIES = 9
"""Float32 numbers for each trained parameter beside its value: its gradient before and after clipping, the
two moments of AdamW, the best value so far, and what the update computes on the way. Chosen for the training
of all weights (docs/measurements.md, "Tuning methods")."""

SUMMED_COPIES = 1
"""The same for the sum of the gradients of micro-batches."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes at the peak, by purpose.

    Attributes:
        program: Python and its libraries.
        weights: of the base, as training stores them.
        trained: values, gradients and optimizer of what is trained.
        activations: kept for the gradient, of the longest micro-batch.
        working: values of a moment: a layer's backward pass, and the loss.
        heap: free blocks between the tensors of a step.
        loading: beyond the weights, while they are loaded and rounded.
    """

    program: int
    weights: int
    trained: int
    activations: int
    working: int
    heap: int
    loading: int

    @property
    def total(self) -> int:
        """The larger peak: of training, or of loading."""
        return self.program + self.weights + max(self.of_training, self.loading)

    @property
    def of_training(self) -> int:
        """What only training takes, beside the weights."""
        return self.trained + self.activations + self.working + self.heap


def training_memory(work: Workload, *, accelerator: bool) -> TrainingMemory:
    """The peak memory of a training.

    Args:
        work: what is trained.
        accelerator: whether it runs on a GPU or a TPU, which computes a whole step at once; the program then
            has no part in it.
    """
    rows = work.rows(accelerator=accelerator)
    longest = int(np.max(work.lengths)) - 1
    tokens = rows * longest
    width = FLOAT32 if work.dtype == "float32" else BFLOAT16
    parts = -(-min(work.batch_size, len(work.lengths)) // rows)
    copies = TRAINED_COPIES + (1 if work.low_rank else 0) + (SUMMED_COPIES if parts > 1 else 0)
    layers = [tokens * _kept_in_layer(work, layer, longest, width) for layer in range(work.shape.layers)]
    weights, loaded = _weights(work, width)
    final_norm = tokens * work.shape.hidden * width
    kept = sum(layers) + final_norm
    if work.rematerialize:
        kept = work.shape.layers * final_norm + max(layers) + final_norm
    hidden = 3 * tokens * work.shape.hidden * FLOAT32
    block = 4 * TOKENS * POSITIONS * FLOAT32
    # The backward pass of a layer takes about as much as the layer kept.
    working = round(max(layers)) + hidden + block
    return TrainingMemory(
        program=0 if accelerator else PROGRAM,
        weights=weights,
        trained=copies * FLOAT32 * work.cost.parameters,
        activations=round(kept),
        working=working,
        heap=round(HEAP * (kept + working)),
        loading=loaded - weights,
    )


def _weights(work: Workload, width: int) -> tuple[int, int]:
    """Bytes of the base in training, and while it is loaded."""
    shape = work.shape
    if not work.low_rank:
        # Trained as float32; products in bfloat16 take a copy.
        copy = shape.parameters * BFLOAT16 if width == BFLOAT16 else 0
        return shape.parameters * FLOAT32 + copy, shape.parameters * FLOAT32
    whole = shape.parameters * width
    if work.quantize_base is None:
        return whole, whole
    bits, scale = (8, 0.0) if work.quantize_base == "int8" else (4, FLOAT32 / INT4_BLOCK)
    in_layers = sum(
        rows * columns for name, (rows, columns) in matrix_shapes(shape).items() if ".layers." in name
    )
    return whole - round(in_layers * (width - bits / 8 - scale)), whole


def _kept_in_layer(work: Workload, layer: int, length: int, width: int) -> float:
    """Bytes that a decoder layer keeps for each token."""
    shape = work.shape.in_layer(layer)
    norms = work.shape.norms_in(layer)
    query, key = shape.query_heads * shape.head_dim, shape.kv_heads * shape.head_dim
    of_residual = sum(not norm.per_head for norm in norms)
    per_head = any(norm.per_head for norm in norms)
    numbers = (
        # inputs of the norms, and the normed inputs of attention and feed-forward
        (of_residual + 2) * shape.hidden
        # queries before their norm, after the rotation, and the output of attention
        + (2 + per_head) * query
        # keys the same, and values
        + (2 + per_head) * key
        # gate and up
        + 2 * shape.ffn
    )
    scores = shape.query_heads * length
    ranks = 0
    if work.low_rank:
        adapted = (each for each in work.shape.matrices_in(layer) if each.name in work.settings.targets)
        ranks = work.settings.rank * sum(_factors(each, shape) for each in adapted)
    # The softmax in float32, and once more in the dtype of the product with the values; before it the tanh.
    of_scores = FLOAT32 + width + (width if shape.family.caps_scores else 0)
    return (numbers + ranks) * width + scores * of_scores


def parts(memory: TrainingMemory) -> dict[str, int]:
    """The parts by name, without those that are zero or not part of the peak."""
    found = {each.name: getattr(memory, each.name) for each in fields(memory)}
    of_training = ("trained", "activations", "working", "heap")
    unused = ("loading",) if memory.loading <= memory.of_training else of_training
    return {name: size for name, size in found.items() if size and name not in unused}


def _factors(matrix: MatrixKind, shape: GemmaShape) -> int:
    """How many matrices A an adapted matrix has: Keras gives one to each head of an output."""
    return matrix.shape(shape)[0] // shape.head_dim if matrix.layout == "heads_out" else 1
