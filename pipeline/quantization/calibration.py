"""Calibrated rounding of a whole model, in its own process: the inputs of each matrix decide how it is
rounded."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError
from pipeline.families.family import GemmaShape
from pipeline.families.names import matrix_shapes
from pipeline.families.registry import read_shape
from pipeline.isolation import run_isolated
from pipeline.quantization.quantized_file import read_facts
from pipeline.quantization.schemes import SCHEMES

EXAMPLES = 512
"""Default number of examples. The GPTQ paper calibrates on 128 texts of 2,048 tokens; training examples are
shorter."""

TOKENS_PER_INPUT = 2
"""Tokens for each input of the widest matrix, so that the second moments of its inputs have full rank. Time
grows with the tokens."""

LEAST_TOKENS, MOST_TOKENS = 1 << 12, 1 << 14
"""Bounds of the number of tokens, for any number of examples."""

LONGEST = 2048
"""Longer examples are cut to this many tokens, the length of the texts in the paper."""


def token_limit(shape: GemmaShape) -> int:
    """How many tokens of examples a model is calibrated on, at most."""
    widest = max(inputs for _, inputs in matrix_shapes(shape).values())
    return min(max(TOKENS_PER_INPUT * widest, LEAST_TOKENS), MOST_TOKENS)


def quantize_calibrated(
    folder: Path,
    examples: EncodedExamples,
    recipe: str,
    rounding: str,
    output: Path,
    log: Path,
    *,
    count: int = EXAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Round all matrices of a model for examples of their inputs, and write them to a file.

    Args:
        folder: Hugging Face folder of the merged model.
        examples: the training examples, prompt and response; some are drawn at random, as many tokens in all
            as `token_limit` allows.
        recipe: a recipe with integers, a name in SCHEMES.
        rounding: a rounding that needs calibration, a name in ROUNDINGS.
        output: the file to write, for `read_quantized`.
        log: file for the output of the process.
        count: number of examples to draw.
        seed: of the draw.

    Returns:
        seconds, peak_memory_bytes, examples, tokens.

    Raises:
        InputError: there are no examples, or the recipe has no integers.
        PocketGemmaError: the process failed, for example on a family whose layers cannot be run one by one.
    """
    encoded = examples.examples
    if not encoded:
        raise InputError(
            f"convert.rounding: {rounding} needs training examples to calibrate on, but there are none"
        )
    if SCHEMES[recipe].bits not in (4, 8):
        raise InputError(f"convert.rounding: {rounding} requires an integer recipe, not {recipe}")
    drawn = [
        encoded[index].token_ids[:LONGEST] for index in np.random.default_rng(seed).permutation(len(encoded))
    ]
    lengths = np.cumsum([len(ids) for ids in drawn[:count]])
    limit = token_limit(read_shape(folder))
    request = {
        "folder": str(folder.resolve()),
        "recipe": recipe,
        "rounding": rounding,
        "output": str(output.resolve()),
        "examples": [ids.tolist() for ids in drawn[: max(1, int((lengths <= limit).sum()))]],
    }
    peak = run_isolated(
        "pipeline.quantization.calibrator", request, log, f"rounding to {recipe} ({rounding})"
    )
    return read_facts(output) | {"peak_memory_bytes": peak}
