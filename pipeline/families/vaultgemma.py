"""VaultGemma, of 1B: a Gemma 2 without norms after attention and feed-forward. Recognized; not taken by the
pipeline yet."""

from pipeline.families.decoder import (
    DEFAULT_TARGETS,
    INPUT_NORM,
    MATRICES,
    PRE_FFN_NORM,
    read_keras_config,
    read_transformers_config,
)
from pipeline.families.family import Family
from pipeline.families.gemma import FFN_DIVISOR, KERAS_CLASS, has_post_norms, is_soft_capped
from pipeline.families.terms import GEMMA_TERMS
from pipeline.families.turns import CHAT

VAULTGEMMA: Family = Family(
    name="vaultgemma",
    keras_class=KERAS_CLASS,
    model_types=("vaultgemma",),
    chat=CHAT,
    matrices=MATRICES,
    norms=(INPUT_NORM, PRE_FFN_NORM),
    read_keras=lambda path, config: read_keras_config(path, config, VAULTGEMMA, ffn_divisor=FFN_DIVISOR),
    read_transformers=lambda path, document: read_transformers_config(path, document, VAULTGEMMA),
    is_variant=lambda config: is_soft_capped(config) and not has_post_norms(config),
    # KerasHub 0.32 reads no Hugging Face folder of it, and verify needs that of the merged model.
    refusal="VaultGemma is not supported yet",
    default_targets=DEFAULT_TARGETS,
    terms=GEMMA_TERMS,
)
