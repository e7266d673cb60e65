"""What the names of tensors in a Hugging Face folder say about weights that are no plain model's."""

from collections.abc import Iterable

ATTACHED = (
    "an adapter is still attached to the model; merge it (in PEFT: merge_and_unload) and save the model again"
)
QUANTIZED = "the weights are quantized; use the unquantized model, and convert.recipe to quantize the result"

MARKS = {
    ".base_layer.": ATTACHED,
    ".lora_": ATTACHED,
    ".absmax": QUANTIZED,
    ".quant_state": QUANTIZED,
    ".SCB": QUANTIZED,
    ".qweight": QUANTIZED,
    ".qzeros": QUANTIZED,
    ".weight_packed": QUANTIZED,
    ".weight_scale": QUANTIZED,
    ".input_scale": QUANTIZED,
}
"""Parts of names: of PEFT's layers, and of bitsandbytes, GPTQ, AWQ, compressed-tensors and fp8."""


def explain(names: Iterable[str]) -> str | None:
    """Why tensors have other names than a plain model's, and what to do; None if the names do not say."""
    found = [advice for name in names for mark, advice in MARKS.items() if mark in name]
    # A quantized base below an adapter is quantized even after the adapter is merged.
    return QUANTIZED if QUANTIZED in found else found[0] if found else None
