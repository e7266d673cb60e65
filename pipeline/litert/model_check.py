"""Whether a .litertlm holds the model that was converted, and declares what its spec says."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import PocketGemmaError
from pipeline.formats.litertlm import ACTIVATION_TYPE, MODEL, TOKENIZER, read_container
from pipeline.formats.llm_metadata import Sampler
from pipeline.formats.tflite_model import read_language_model
from pipeline.gemma.matrices import PresetMatrices
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.matrix_check import StoredMatrix, find_matrices, surplus_matrices
from pipeline.litert.model_spec import ACTIVATIONS, TERMS, ModelSpec, llm_metadata
from pipeline.quantization.schemes import SCHEMES

MATRIX_TYPES = {4: "INT4", 8: "INT8", 16: "FLOAT16", 32: "FLOAT32"}
"""The element type of matrices by their number of bits."""

NAMED = 3
"""How many missing matrices a message names."""


def check_litertlm(path: Path, tokenizer: Tokenizer, spec: ModelSpec, folder: Path | None) -> None:
    """Read a model file back and compare it with its spec; arguments as for `model_differences`.

    Raises:
        InputError: not a usable .litertlm file.
        PocketGemmaError: the file differs; names every difference.
    """
    found = model_differences(path, tokenizer, spec, folder)
    if found:
        raise PocketGemmaError(f"{path}: differs from what was requested: {'; '.join(found)}")


def model_differences(
    path: Path, tokenizer: Tokenizer, spec: ModelSpec, folder: Path | None, base: Path | None = None
) -> list[str]:
    """The differences between a model file and its spec, each in a few words.

    Args:
        path: the .litertlm file.
        tokenizer: the one used in training.
        spec: how the model was to be converted.
        folder: the Hugging Face folder whose matrices the file should hold; None: they are not compared.
        base: the preset that was tuned, to detect when coarse rounding hides that the tuning was lost.

    Raises:
        InputError: not a usable .litertlm file.
    """
    container = read_container(path)
    metadata, wanted = container.llm_metadata(), llm_metadata(tokenizer, spec)
    model = read_language_model(container.view(container.section(MODEL)), str(path))
    facts: tuple[tuple[str, Any, Any], ...] = (
        ("start token", metadata.start, wanted.start),
        ("list of stop tokens", metadata.stop, wanted.stop),
        ("context length in the metadata", metadata.max_tokens, wanted.max_tokens),
        ("KV cache length", model.context_length, spec.context_length),
        ("list of prefill lengths", list(model.prefill_lengths), sorted(spec.prefill_lengths)),
        (ACTIVATION_TYPE, container.section(MODEL).items.get(ACTIVATION_TYPE), ACTIVATIONS),
        ("description", container.system.get("description"), spec.description),
    )
    facts += tuple(
        (f"{key} in the metadata", container.system.get(key), value)
        for key, value in spec.system_metadata.items()
        if key in TERMS
    )
    found = [f"{what} is {fact}, expected {expected}" for what, fact, expected in facts if fact != expected]
    if metadata.template != wanted.template:
        found.append("the chat template differs from the one used in training")
    if not _same_sampler(metadata.sampler, wanted.sampler):
        found.append(f"the sampler is {metadata.sampler}, expected {wanted.sampler}")
    if container.read(TOKENIZER) != tokenizer.path.read_bytes():
        found.append("the tokenizer differs from the one used in training")
    if folder:
        matrices, before = PresetMatrices(folder), PresetMatrices(base) if base else None
        held = find_matrices(path, matrices, SCHEMES[spec.recipe], spec.rounding, before)
        found += matrix_differences(path, matrices, held)
    return found + _type_differences(model.matrix_bytes, spec.recipe)


def matrix_differences(path: Path, matrices: PresetMatrices, held: Mapping[str, StoredMatrix]) -> list[str]:
    """The matrices that a model file lacks, and those that it has beside them, in a few words each.

    Args:
        path: the .litertlm file.
        matrices: those that it should hold.
        held: where it holds them, from `find_matrices`.
    """
    missing = [name for name in matrices.names() if name not in held]
    if missing:
        names = f"{', '.join(missing[:NAMED])}{', …' * (len(missing) > NAMED)}"
        return [f"{len(missing)} matrices are not those of the converted model ({names})"]
    surplus = surplus_matrices(path, held)
    if surplus:
        shapes = ", ".join(f"{rows} x {columns}" for rows, columns in surplus[:NAMED])
        more = ", …" * (len(surplus) > NAMED)
        return [f"{len(surplus)} unexpected matrices ({shapes}{more})"]
    return []


def _same_sampler(found: Sampler | None, wanted: Sampler | None) -> bool:
    """Whether two samplers are equal in the precision of the file, float32."""
    if found is None or wanted is None:
        return found is wanted
    pairs = ((found.p, wanted.p), (found.temperature, wanted.temperature))
    return (found.type, found.k) == (wanted.type, wanted.k) and all(
        math.isclose(*pair, rel_tol=1e-5) for pair in pairs
    )


def _type_differences(sizes: Mapping[str, int], recipe: str) -> list[str]:
    scheme = SCHEMES[recipe]
    wanted = {MATRIX_TYPES[bits] for bits in (scheme.bits, scheme.embedding_bits)}
    held, total = sum(sizes.get(dtype, 0) for dtype in wanted), sum(sizes.values())
    # Besides the weights, small float constants have two dimensions: up to one percent of all bytes.
    if held < 0.99 * total or not all(sizes.get(dtype) for dtype in wanted):
        stored = ", ".join(f"{dtype}: {size:,} bytes" for dtype, size in sizes.items()) or "no matrices"
        return [f"matrices are stored as {stored}, recipe {recipe} requires {' and '.join(sorted(wanted))}"]
    return []
