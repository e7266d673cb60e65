"""Rounding a whole model with examples at hand: what each matrix is fed decides how it is rounded."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError
from pipeline.isolation import run_isolated
from pipeline.quantization.quantized_file import read_facts
from pipeline.quantization.schemes import SCHEMES

EXAMPLES = 512
"""Examples used unless told otherwise: the paper calibrates on 128 texts of 2,048 tokens, a tuning example is shorter."""

TOKENS = 1 << 14
"""Most tokens used, whatever the number of examples: the time grows with them. Four times as many changed nothing on the demo model."""

LONGEST = 2048
"""Tokens of an example beyond this are cut off: the paper's texts are as long."""


def quantize_calibrated(
    folder: Path,
    examples: EncodedExamples,
    recipe: str,
    output: Path,
    log: Path,
    *,
    count: int = EXAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Round all matrices of a model by GPTQ, in a process of its own, into a file of rounded matrices.

    Args:
        folder: a Hugging Face folder: the merged model.
        examples: what the model was trained on, prompt and response; some of them are drawn, no more than TOKENS in all.
        recipe: a recipe of integers, a name in SCHEMES.
        output: the file to write, as `read_quantized` reads it.
        log: file for what the process prints.
        count: how many examples to draw.
        seed: of the drawing.

    Returns:
        seconds, peak_memory_bytes, examples, tokens, and output_error: for each matrix the part of its outputs' energy that is lost.

    Raises:
        InputError: no examples.
        PocketGemmaError: the process failed, for instance on a family whose layers cannot be walked one by one.
    """
    encoded = examples.examples
    if not encoded:
        raise InputError("rounding by gptq needs examples to calibrate on; there are none")
    if SCHEMES[recipe].bits not in (4, 8):
        raise InputError(f"rounding by gptq chooses integers; recipe {recipe} has none")
    drawn = [
        encoded[index].token_ids[:LONGEST] for index in np.random.default_rng(seed).permutation(len(encoded))
    ]
    lengths = np.cumsum([len(ids) for ids in drawn[:count]])
    request = {
        "folder": str(folder.resolve()),
        "recipe": recipe,
        "output": str(output.resolve()),
        "examples": [ids.tolist() for ids in drawn[: max(1, int((lengths <= TOKENS).sum()))]],
    }
    peak = run_isolated("pipeline.quantization.calibrator", request, log, f"rounding to {recipe} by GPTQ")
    return read_facts(output) | {"peak_memory_bytes": peak}
