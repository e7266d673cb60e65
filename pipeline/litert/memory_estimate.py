"""Estimate of the memory that a converted model needs on a phone, from the content of its file.

Measured with LiteRT-LM 0.18 with the CPU backend (benchmarks/memory.py, docs/measurements.md):

- Weights are packed once into a cache file, which is then mapped: every matrix with its scales counts once,
  regardless of how many prefill signatures compute with it. The system can drop these pages and read them
  again.
- There is one KV cache, as large as the decode signature's inputs for it: prefill and decode share it.
- Intermediate tensors need as much as the largest prefill signature needs at its peak. Most of that are
  attention scores, which grow with prefill length times context length.
- Every operation of every signature needs some kB. A prefill signature that no prompt is long enough for
  needs nothing else.
- float16 weights are widened to float32 when they are packed.
- The first opening, which writes the cache file, also holds the largest matrix twice: packed, and in pages of
  the file.
"""

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from pipeline.formats.litertlm import MODEL, TOKENIZER, read_container
from pipeline.formats.tflite import Graph
from pipeline.formats.tflite_model import LanguageModel, prefill_signatures, read_language_model

LIBRARY_BYTES = 55_000_000
"""Pages of the runtime's library that are in use."""

OPERATOR_BYTES = 8_000
"""Memory of the runtime for each operation of a signature."""

FIRST_OPENING_FACTOR = 2
"""Additional memory of the first opening / the largest matrix; measured: 1.8 at 270M and at 1B."""

HALVES = ("FLOAT16", "BFLOAT16")

TOKENIZER_FACTOR = 10
"""Memory of an open SentencePiece tokenizer / size of its file."""


@dataclass(frozen=True)
class MemoryCost:
    """Bytes of memory that an open model needs, by purpose.

    Attributes:
        weights: the model file, packed again by the runtime and mapped: pages that the system can drop and
            read again.
        kv_cache: of one conversation.
        context_length: of the KV cache, in tokens.
        prefill: peak of the intermediate tensors, by prefill length; the largest counts.
        tokenizer: of the open tokenizer.
        runtime: of the runtime itself.
        total: all of it, while the model answers.
        first_opening: in addition, the first time that a model is opened and its weights are packed.
    """

    weights: int
    kv_cache: int
    context_length: int
    prefill: dict[int, int]
    tokenizer: int
    runtime: int
    total: int
    first_opening: int


def memory_cost(path: Path) -> MemoryCost:
    """The memory that the model of a .litertlm needs when it is open.

    Raises:
        InputError: not a usable .litertlm.
    """
    container = read_container(path)
    tokenizer = container.section(TOKENIZER)
    model = read_language_model(container.view(container.section(MODEL)), str(path))
    return cost_of(model, tokenizer.end - tokenizer.begin)


def cost_of(model: LanguageModel, tokenizer_bytes: int) -> MemoryCost:
    """The memory that a model needs when it is open.

    Args:
        model: as it was read.
        tokenizer_bytes: size of the tokenizer file that belongs to it.
    """
    tflite = model.tflite
    operations = sum(len(tflite.graphs[each.graph].operations) for each in tflite.signatures)
    prefill = {
        length: _peak_activations(tflite.graphs[each.graph])
        for length, each in prefill_signatures(tflite).items()
    }
    tokenizer = TOKENIZER_FACTOR * tokenizer_bytes
    widened = sum(matrix.bytes for matrix in model.matrices if matrix.dtype in HALVES)
    weights, runtime = tflite.bytes + widened, LIBRARY_BYTES + OPERATOR_BYTES * operations
    largest = max((matrix.bytes + matrix.scale_bytes for matrix in model.matrices), default=0)
    return MemoryCost(
        weights=weights,
        kv_cache=model.kv_cache_bytes,
        context_length=model.context_length or 0,
        prefill=prefill,
        tokenizer=tokenizer,
        runtime=runtime,
        total=weights + model.kv_cache_bytes + max(prefill.values(), default=0) + tokenizer + runtime,
        first_opening=FIRST_OPENING_FACTOR * largest,
    )


def describe_cost(cost: MemoryCost) -> str:
    """The estimate in one line."""
    lengths = ", ".join(f"prefill {length} {_mb(size)}" for length, size in cost.prefill.items())
    return (
        f"estimated memory when loaded: {_mb(cost.total)} (weights {_mb(cost.weights)}, KV cache "
        f"{_mb(cost.kv_cache)} "
        f"for {cost.context_length:,} tokens, {lengths}, tokenizer {_mb(cost.tokenizer)}, runtime "
        f"{_mb(cost.runtime)})"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 9_950_000 else f"{size / 1e6:.1f} MB"


def _peak_activations(graph: Graph) -> int:
    """The most bytes of intermediate tensors that are alive at once.

    A tensor is alive from the operation that computes it to the last one that reads it; inputs, outputs and
    constants are not counted. The runtime fuses operations and places tensors by a plan of its own, so this
    is close to what it needs, not equal.
    """
    kept = {*graph.inputs, *graph.outputs}
    computed: dict[int, int] = {}
    last_used: dict[int, int] = {}
    for step, operation in enumerate(graph.operations):
        for index in operation.outputs:
            computed.setdefault(index, step)
        for index in (*operation.outputs, *operation.inputs):
            last_used[index] = step
    change = [0] * (len(graph.operations) + 1)
    for index in computed.keys() - kept:
        change[computed[index]] += graph.tensors[index].bytes
        change[last_used[index] + 1] -= graph.tensors[index].bytes
    return max(accumulate(change))
