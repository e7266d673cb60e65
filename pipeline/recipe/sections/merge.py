"""The `merge` section."""

from pydantic import Field

from pipeline.recipe.section import Section


class MergeSection(Section):
    """Limits for merging the adapter into the base. The stage fails if one is exceeded."""

    max_delta_error: float = Field(
        1e-6,
        gt=0,
        description="the largest deviation of a merged matrix from W0 + scale * A @ B, relative to the "
        "largest value of W0",
    )
    max_logit_noise: float = Field(
        10.0,
        gt=1,
        description="the largest difference between the logits of the Keras folder and of the Hugging Face "
        "folder, as a multiple of the float32 rounding error measured on the same model",
    )
