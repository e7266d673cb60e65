"""What the model files of a recipe must declare about themselves."""

from dataclasses import replace

from pipeline.families.family import Family
from pipeline.litert.model_spec import ModelSpec
from pipeline.quantization.roundings import TRAINED, find_rounding
from pipeline.recipe.schema import Config
from pipeline.recipe.terms import terms_of_weights


def rounding_of(config: Config) -> str:
    """How the integers of a recipe's model are chosen."""
    return TRAINED.name if config.finetune.rounds_in_training else config.convert.rounding


def model_spec(config: Config, family: Family) -> ModelSpec:
    """The spec of a recipe's model. The conversion adds LoRA inputs, because it knows the adapter's rank."""
    settings = config.convert
    return ModelSpec(
        recipe=settings.recipe,
        rounding=rounding_of(config),
        prefill_lengths=settings.prefill_lengths,
        context_length=settings.context_length,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        terms=terms_of_weights(config, family),
        description=settings.description or f"{config.name}: Gemma, fine-tuned with PocketGemma",
    )


def base_spec(config: Config, family: Family) -> ModelSpec:
    """The spec of the converted base that the app contains in addition to a merged model.

    Its integers are chosen as the model's are, unless those need training or calibration.
    """
    tuned = model_spec(config, family)
    return replace(
        tuned,
        description=f"{config.name}: the base, before fine-tuning",
        rounding=find_rounding(tuned.rounding).base_rounding,
    )
