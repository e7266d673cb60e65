"""The training that a recipe asks for, in the numbers that a plan takes."""

from pipeline.data.tokenize import EncodedExamples
from pipeline.families.family import GemmaShape
from pipeline.plan.workload import Workload
from pipeline.recipe.sections.finetune import FinetuneSection
from pipeline.tuning.method import MethodSettings


def workload(
    section: FinetuneSection,
    settings: MethodSettings,
    shape: GemmaShape,
    dtype: str,
    train: EncodedExamples,
    validation: EncodedExamples,
) -> Workload:
    """The training of a recipe.

    Args:
        section: how to train.
        settings: of the tuning method.
        shape: of the base.
        dtype: of the computation: float32 or bfloat16.
        train: the training examples; at least one.
        validation: the validation examples.
    """
    return Workload(
        shape=shape,
        method=section.tuning_method,
        settings=settings,
        dtype=dtype,
        quantize_base=section.quantize_base,
        rematerialize=section.rematerialize,
        batch_size=section.batch_size,
        micro_batch_size=section.micro_batch_size,
        epochs=section.epochs,
        lengths=train.lengths,
        responses=train.response_tokens,
        validation=int(validation.lengths.sum()),
    )
