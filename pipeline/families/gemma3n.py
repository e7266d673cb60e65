"""Gemma 3n. Recognized and refused: docs/decisions/gemma-3n.md says why."""

from pathlib import Path
from typing import Any

from pipeline.families.decoder import MATRICES, text_part, text_shape
from pipeline.families.family import Family, GemmaShape
from pipeline.families.gemma4 import GEMMA4
from pipeline.families.terms import GEMMA_TERMS
from pipeline.families.turns import CHAT


def _text(path: Path, text: dict[str, Any], *, vision: bool) -> GemmaShape:
    ffn = text.get("intermediate_size")
    if isinstance(ffn, list) and ffn:  # One width for each layer.
        text = text | {"intermediate_size": max(ffn)}
    return text_shape(path, text, GEMMA3N, vision=vision)


def _read_keras(path: Path, config: dict[str, Any]) -> GemmaShape:
    # KerasHub keeps Hugging Face's keys for this family, but for two.
    sizes = {"hidden_size": config.get("text_hidden_size"), "vocab_size": config.get("text_vocab_size")}
    return _text(path, config | sizes, vision=config.get("vision_encoder_config") is not None)


def _read_transformers(path: Path, document: dict[str, Any]) -> GemmaShape:
    return _text(path, text_part(path, document, GEMMA3N), vision="vision_config" in document)


GEMMA3N: Family = Family(
    name="gemma3n",
    keras_class="Gemma3nBackbone",
    model_types=("gemma3n", "gemma3n_text"),
    chat=CHAT,
    matrices=MATRICES,
    norms=(),
    read_keras=_read_keras,
    read_transformers=_read_transformers,
    refusal=f"Gemma 3n is not supported; use Gemma 4 E2B, {GEMMA4.presets['gemma4_instruct_2b']}",
    terms=GEMMA_TERMS,
)
