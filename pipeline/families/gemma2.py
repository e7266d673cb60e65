"""Gemma 2. Recognized; not taken by the pipeline yet."""

from pipeline.families.family import Family, GemmaShape
from pipeline.families.gemma import FFN_DIVISOR, KERAS_CLASS, has_post_norms
from pipeline.families.gemma3 import (
    CHAT,
    DEFAULT_TARGETS,
    MATRICES,
    read_keras_config,
    read_transformers_config,
)
from pipeline.families.terms import GEMMA_TERMS


def _norm_parameters(shape: GemmaShape) -> int:
    return shape.layers * 4 * shape.hidden + shape.hidden


GEMMA2: Family = Family(
    name="gemma2",
    keras_class=KERAS_CLASS,
    model_types=("gemma2",),
    chat=CHAT,
    matrices=MATRICES,
    norm_parameters=_norm_parameters,
    read_keras=lambda path, config: read_keras_config(path, config, GEMMA2, ffn_divisor=FFN_DIVISOR),
    read_transformers=lambda path, document: read_transformers_config(path, document, GEMMA2),
    is_variant=has_post_norms,
    refusal="Gemma 2 is not supported yet",
    default_targets=DEFAULT_TARGETS,
    terms=GEMMA_TERMS,
)
