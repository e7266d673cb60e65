"""FunctionGemma, of 270M: a Gemma 3 with tokens for calls of functions, and turns of a developer.

Examples may have text turns only: declarations and calls of functions are not rendered yet.
"""

from dataclasses import replace

from pipeline.families.gemma3 import GEMMA3
from pipeline.families.turns import with_system_turns

TOKENS = tuple(
    f"<{edge}_function_{part}>" for part in ("declaration", "call", "response") for edge in ("start", "end")
)
"""Declarations, calls and responses of functions stand between these (FunctionGemma model card)."""

ESCAPE = "<escape>"
"""Around texts within them."""

FUNCTIONGEMMA = replace(
    GEMMA3,
    name="functiongemma",
    model_types=(),
    variant_of=GEMMA3.name,
    own_tokens=TOKENS,
    chat=with_system_turns((*TOKENS, ESCAPE)),
    presets={
        "function_gemma_instruct_270m": "kaggle://keras/function-gemma/keras/function_gemma_instruct_270m"
    },
    example="",
    example_text="",
    gguf=None,
)
