"""From a Hugging Face folder to a .litertlm, by the converter in a process of its own; the result is read
back and checked."""

import tempfile
import time
from pathlib import Path
from typing import Any

from pipeline.errors import PocketGemmaError
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.isolation import run_isolated
from pipeline.litert.model_check import check_litertlm
from pipeline.litert.model_spec import ModelSpec, apply_spec
from pipeline.litert.quantizer_rules import quantizer_rules


def export_litertlm(folder: Path, output: Path, spec: ModelSpec, log: Path) -> dict[str, Any]:
    """Convert a Hugging Face folder and check the result by reading it back.

    Args:
        folder: config.json, model.safetensors, tokenizer.model, generation_config.json.
        output: the .litertlm file to write.
        spec: how to convert, and what the file must declare.
        log: file for the converter's own output.

    Returns:
        seconds, peak_memory_bytes and bytes.

    Raises:
        PocketGemmaError: the converter failed, or its result differs from the folder or the spec.
    """
    tokenizer = Tokenizer.of_preset(folder)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".convert-") as temporary:
        converted, peak = _convert(folder, tokenizer.path, Path(temporary), spec, log)
        apply_spec(converted, output, tokenizer, spec)
    check_litertlm(output, tokenizer, spec, folder)
    return {
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_bytes": peak,
        "bytes": output.stat().st_size,
    }


def _convert(folder: Path, tokenizer: Path, work: Path, spec: ModelSpec, log: Path) -> tuple[Path, int]:
    """Run the converter; returns the .litertlm as the converter wrote it, and the converter's peak memory in
    bytes."""
    request = {
        "model": str(folder.resolve()),
        "output": str(work),
        "prefill_lengths": list(spec.prefill_lengths),
        "cache_length": spec.context_length,
        "quantizer_rules": quantizer_rules(spec.recipe),
        "tokenizer": str(tokenizer.resolve()),
        "lora_rank": spec.lora_rank,
    }
    peak = run_isolated("pipeline.litert.convert.worker", request, log, f"converting to {spec.recipe}")
    found = work / "model.litertlm"
    if not found.is_file():
        raise PocketGemmaError(
            f"{folder}: the converter ended without writing a model; see its output in {log}"
        )
    return found, peak
