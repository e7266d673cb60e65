"""Gemma 4. Recognized; not taken by the pipeline yet."""

from pipeline.families.decoder import (
    DEFAULT_TARGETS,
    MATRICES,
    read_keras_config,
    read_transformers_config,
)
from pipeline.families.family import Family
from pipeline.families.turns import CHAT

GEMMA4: Family = Family(
    name="gemma4",
    keras_class="Gemma4Backbone",
    model_types=("gemma4", "gemma4_text"),
    chat=CHAT,
    matrices=MATRICES,
    norms=(),
    read_keras=lambda path, config: read_keras_config(path, config, GEMMA4),
    read_transformers=lambda path, document: read_transformers_config(path, document, GEMMA4),
    refusal="Gemma 4 is not supported yet",
    default_targets=DEFAULT_TARGETS,
)
