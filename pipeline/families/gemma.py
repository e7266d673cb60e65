"""Gemma 1. Recognized; not taken by the pipeline yet."""

from typing import Any

from pipeline.families.family import Family, GemmaShape
from pipeline.families.gemma3 import (
    CHAT,
    DEFAULT_TARGETS,
    MATRICES,
    read_keras_config,
    read_transformers_config,
)
from pipeline.families.terms import GEMMA_TERMS

KERAS_CLASS = "GemmaBackbone"
"""KerasHub's class for Gemma 1 and Gemma 2; Gemma 2 has norms after attention and feed-forward."""

FFN_DIVISOR = 2
"""This class counts gate and up together (keras_hub GemmaDecoderBlock halves the value)."""


def has_post_norms(config: dict[str, Any]) -> bool:
    """Whether a GemmaBackbone's `config` has norms after the feed-forward layer: then it is a Gemma 2."""
    return config.get("use_post_ffw_norm") is True


def _norm_parameters(shape: GemmaShape) -> int:
    return shape.layers * 2 * shape.hidden + shape.hidden


GEMMA: Family = Family(
    name="gemma",
    keras_class=KERAS_CLASS,
    model_types=("gemma",),
    chat=CHAT,
    matrices=MATRICES,
    norm_parameters=_norm_parameters,
    read_keras=lambda path, config: read_keras_config(path, config, GEMMA, ffn_divisor=FFN_DIVISOR),
    read_transformers=lambda path, document: read_transformers_config(
        path, document, GEMMA, sliding_window=False
    ),
    is_variant=lambda config: not has_post_norms(config),
    refusal="Gemma 1 is not supported yet",
    default_targets=DEFAULT_TARGETS,
    terms=GEMMA_TERMS,
)
