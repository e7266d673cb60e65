"""Two ways to a .litertlm: convert a whole model, or graft matrices onto its cached converted base."""

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.gemma.causal_lm import Backend, load_causal_lm, use_backend
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.graft.base_cache import CachedBase
from pipeline.litert.graft.writer import graft
from pipeline.litert.model_check import check_litertlm, model_differences
from pipeline.litert.model_spec import ModelSpec, apply_spec
from pipeline.litert.rounded_matrices import RoundedMatrices


def convert_folder(folder: Path, output: Path, spec: ModelSpec, log: Path) -> dict[str, Any]:
    """Convert a Hugging Face folder, each value rounded to nearest.

    Args:
        folder: the model.
        output: the .litertlm file to write.
        spec: how to convert, and what the file must declare; its rounding is not used.
        log: file for the converter's own output.

    Returns:
        What `export_litertlm` returns, method, and converter_seconds.

    Raises:
        PocketGemmaError: the converter failed, or its result differs from the folder or the spec.
    """
    facts = export_litertlm(folder, output, replace(spec, rounding="nearest"), log)
    return facts | {"method": "full conversion", "converter_seconds": facts["seconds"]}


def convert_preset(
    preset: Path, output: Path, spec: ModelSpec, log: Path, backend: Backend
) -> dict[str, Any]:
    """Convert a KerasHub preset; arguments as for `convert_folder`.

    Args:
        backend: the Keras backend that reads the preset.
    """
    use_backend(backend)
    folder = output.with_name(f".{output.stem}")
    write_hugging_face(load_causal_lm(preset), Tokenizer.of_preset(preset), folder)
    facts = convert_folder(folder, output, spec, log)
    shutil.rmtree(folder)
    return facts


def graft_onto(
    base: CachedBase, output: Path, spec: ModelSpec, tokenizer: Tokenizer, matrices: RoundedMatrices
) -> dict[str, Any]:
    """Write rounded matrices into a copy of a converted base, which then declares what the spec says.

    Args:
        base: from the cache.
        output: the .litertlm file to write.
        spec: what the file must declare.
        tokenizer: the one used in training.
        matrices: those that differ from the base's.

    Returns:
        method, matrices, seconds and bytes.

    Raises:
        InputError: a matrix does not fit the base.
        PocketGemmaError: the file does not declare what the spec says.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".graft-") as temporary:
        grafted = Path(temporary) / "model.litertlm"
        count = graft(base.model, base.weight_map, grafted, matrices)
        if model_differences(grafted, tokenizer, spec, None):
            apply_spec(grafted, output, tokenizer, spec)
        else:
            grafted.rename(output)
    # The matrices are compared by the verify stage: reading them all takes longer than writing them.
    check_litertlm(output, tokenizer, spec, None)
    return {
        "method": "graft",
        "matrices": count,
        "seconds": round(time.monotonic() - started, 2),
        "bytes": output.stat().st_size,
    }
