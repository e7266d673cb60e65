"""What a converted model takes of a phone's memory, by what stands in the file.

Measured with LiteRT-LM 0.18 on its processor backend (benchmarks/memory.py, docs/measurements.md):

- Weights are packed once into a cache file, which is then mapped: every matrix with its scales counts once, however many prefill
  signatures compute with it. The system may drop these pages and read them again.
- The KV cache is as large as the decode signature's inputs for it, and there is one: prefill and decode write into the same.
- Between operations lives what the largest prefill signature needs at its widest point. Attention scores make most of it: it grows with
  prefill length times context length.
- Every operation of every signature takes some kB of its own. A prefill signature that no prompt is long enough for takes no more.
- float16 weights are widened to float32 when they are packed.
- The first opening, which writes the cache file, holds the largest matrix twice besides: packed, and in pages of the file.
"""

from itertools import accumulate
from pathlib import Path

from pipeline.errors import InputError
from pipeline.formats.flatbuffer import ERRORS
from pipeline.formats.litertlm import MODEL, TOKENIZER, read_container
from pipeline.formats.tflite import Document, Graph, read_document
from pipeline.inspect.facts import MemoryCost, Model
from pipeline.inspect.model import read_tflite

LIBRARY_BYTES = 55_000_000
"""Pages of the runtime's library that are used."""

OPERATOR_BYTES = 8_000
"""What the runtime keeps for each operation of a signature."""

FIRST_OPENING_FACTOR = 2
"""What the first opening takes besides / the largest matrix; 1.8 at 270M and at 1B."""

HALVES = ("FLOAT16", "BFLOAT16")

TOKENIZER_FACTOR = 10
"""Memory of an open SentencePiece tokenizer / size of its file."""


def memory_cost(model: Path) -> MemoryCost:
    """What a .litertlm will take of the memory when it is open.

    Raises:
        InputError: no usable .litertlm.
    """
    container = read_container(model)
    data, tokenizer = container.view(container.section(MODEL)), container.section(TOKENIZER)
    found = read_tflite(data, "model", str(model))
    return cost_of(data, found, tokenizer.end - tokenizer.begin, str(model))


def cost_of(data: memoryview, model: Model, tokenizer_bytes: int, where: str) -> MemoryCost:
    """What a model will take of the memory when it is open.

    Args:
        data: the .tflite.
        model: what was read in it.
        tokenizer_bytes: size of the tokenizer beside it.
        where: how to call it in a message.

    Raises:
        InputError: the .tflite is damaged.
    """
    try:
        document = read_document(data)
        alive = _activations(document)
        operations = sum(len(document.graphs[each.graph].operations) for each in document.signatures)
    except ERRORS:
        raise InputError(f"{where}: a damaged .tflite model; copy or convert it again") from None
    prefill = {length: alive[f"prefill_{length}"] for length in model.prefill_lengths}
    tokenizer = TOKENIZER_FACTOR * tokenizer_bytes
    widened = sum(matrix.bytes for matrix in model.matrices if matrix.dtype in HALVES)
    weights, runtime = len(data) + widened, LIBRARY_BYTES + OPERATOR_BYTES * operations
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
    """One line for a person."""
    lengths = ", ".join(f"{length}: {_mb(size)}" for length, size in cost.prefill.items())
    return (
        f"about {_mb(cost.total)} of memory when open: weights {_mb(cost.weights)}, KV cache {_mb(cost.kv_cache)} "
        f"for {cost.context_length:,} tokens, reading a prompt {lengths}, tokenizer {_mb(cost.tokenizer)}, "
        f"the runtime {_mb(cost.runtime)}"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 9_950_000 else f"{size / 1e6:.1f} MB"


def _activations(document: Document) -> dict[str, int]:
    """The most bytes of intermediate tensors that live at once, by signature.

    A tensor lives from the operation that gives it to the last that takes it; inputs, outputs and constants are not counted. The
    runtime fuses operations and places tensors by a plan of its own, so this is near what it takes, not equal.
    """
    return {each.name: _widest(document.graphs[each.graph]) for each in document.signatures}


def _widest(graph: Graph) -> int:
    kept = {*graph.inputs, *graph.outputs}
    given: dict[int, int] = {}
    taken: dict[int, int] = {}
    for place, operation in enumerate(graph.operations):
        for index in operation.outputs:
            given.setdefault(index, place)
        for index in (*operation.outputs, *operation.inputs):
            taken[index] = place
    change = [0] * (len(graph.operations) + 1)
    for index in given.keys() - kept:
        change[given[index]] += graph.tensors[index].bytes
        change[taken[index] + 1] -= graph.tensors[index].bytes
    return max(accumulate(change))
